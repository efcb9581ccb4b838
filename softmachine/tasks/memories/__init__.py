"""Tasks on memories: an initial memory of integers in, a final memory out."""
