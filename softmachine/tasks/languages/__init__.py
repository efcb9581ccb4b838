"""Tasks on formal languages: a string in, a string out."""
