"""Which commit a checkout of other people's code is at."""

from __future__ import annotations

import subprocess


def commit(checkout: str) -> str:
    """Return the checked-out commit, or ``unknown`` if git cannot tell."""
    command = ["git", "-C", checkout, "rev-parse", "HEAD"]
    try:
        return subprocess.run(
            command, capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
