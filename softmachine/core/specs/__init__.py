"""Specs: the kinds of inputs and outputs that a task and a machine exchange, one per file."""
