"""Machines: one paper, one file or folder."""
