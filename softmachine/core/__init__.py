"""Foundations of all other parts: specs, registry, files, errors; no machine and no task."""
