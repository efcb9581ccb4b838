"""What is evaluated of an NRAM alone: its own figure, and repairs of its hard form."""
