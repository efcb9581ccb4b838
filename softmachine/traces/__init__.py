"""What a machine did on one example, step by step."""
