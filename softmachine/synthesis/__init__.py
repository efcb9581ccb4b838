"""From a user's examples to an extracted program."""
