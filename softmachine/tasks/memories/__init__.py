"""Tasks that turn one memory into another."""
