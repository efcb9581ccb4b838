"""What only the training of a Neural Random-Access Machine has."""
