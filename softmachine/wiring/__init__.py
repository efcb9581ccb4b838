"""The wires of an NRAM's hard form: as a table, and the search for wires that are right."""
