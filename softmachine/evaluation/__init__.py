"""How good a machine is."""
