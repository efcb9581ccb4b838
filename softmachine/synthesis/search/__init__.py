"""The search for short loops that are right on examples, and their way into a machine."""
