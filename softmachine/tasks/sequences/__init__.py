"""Tasks on sequences of bit vectors: one input and one output per step."""
