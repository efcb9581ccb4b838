"""Tasks on numbers and symbols whose answer stands at the same places as the input."""
