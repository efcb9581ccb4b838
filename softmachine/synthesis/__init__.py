"""From a person's examples to a program."""
