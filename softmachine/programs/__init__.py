"""From a trained machine to a program: circuits, extraction, code, verification."""
