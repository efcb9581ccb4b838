"""Specs: what travels between a task and a machine, one kind a file."""
