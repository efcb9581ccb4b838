"""The table of the Chomsky hierarchy: machines and tasks, trained, scored, and shown."""
