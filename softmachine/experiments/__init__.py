"""What determines a training, and the directories that hold what came of it."""
