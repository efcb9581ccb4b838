"""What everything else rests on, and what knows no machine and no task."""
