"""Languages that a program can be written in: Python, C99, JSON."""
