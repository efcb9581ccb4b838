"""When a command began: with its process, before anything was imported."""

from __future__ import annotations

import os
import time
from pathlib import Path

_began: list[float] = []


def note_beginning(*, process: bool) -> None:
    """Note when a command begins: now, or with the process where the system tells that."""
    _began[:] = [time.monotonic() - (process_age() if process else 0.0)]


def beginning() -> float:
    """Return when the command began, by `time.monotonic`; now if nobody has noted that."""
    return _began[-1] if _began else time.monotonic()


def process_age(stat: Path = Path("/proc/self/stat")) -> float:
    """Return how many seconds this process is old; 0 where the system does not tell."""
    try:
        fields = stat.read_text(encoding="utf-8").rpartition(")")[2].split()
        ticks = int(fields[19])  # field 22, after the number and the name
        now = time.clock_gettime(time.CLOCK_BOOTTIME)
        return max(0.0, now - ticks / os.sysconf("SC_CLK_TCK"))
    except (OSError, AttributeError, ValueError, IndexError):
        return 0.0
