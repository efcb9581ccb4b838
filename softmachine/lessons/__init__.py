"""Lessons: exercises of the docs' lessons, which check themselves."""
