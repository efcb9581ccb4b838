"""Tasks of a person's own sequences, from files."""
