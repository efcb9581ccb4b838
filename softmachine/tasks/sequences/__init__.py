"""Tasks with an input and an output per step."""
