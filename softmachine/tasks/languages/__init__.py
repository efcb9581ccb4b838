"""Tasks of formal languages: strings in, strings out."""
