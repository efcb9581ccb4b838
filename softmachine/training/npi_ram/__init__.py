"""What the training of a programmer-interpreter on a random-access machine does besides."""
