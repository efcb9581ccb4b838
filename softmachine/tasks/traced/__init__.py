"""Programs with traces: environments, reference programs, and calls to learn from."""
