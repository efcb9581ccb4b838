"""One-shot learning: images of classes never seen before, and where they come from."""
