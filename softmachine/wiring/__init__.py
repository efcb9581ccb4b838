"""The wires of an NRAM's hard form: as a table, and the search for those that lack."""
