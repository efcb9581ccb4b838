"""Machines: one paper a file, and what they share."""
