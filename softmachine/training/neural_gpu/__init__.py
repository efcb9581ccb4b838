"""What only the training of Neural GPUs has."""
