"""SIGINT and SIGTERM as a flag, so that training ends after a checkpoint."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


class Interruption:
    """A flag that is raised when training shall end."""

    def __init__(self) -> None:
        self.flag = np.zeros(1, bool)
        """An array, so that native code can look at it."""

    def is_set(self) -> bool:
        """Return whether training shall end."""
        return bool(self.flag[0])

    def set(self) -> None:
        """Ask for the end."""
        self.flag[0] = True


_last = signal.SIGINT
_heard = 0


def heard() -> int:
    """Return how many interruptions there have been in this process."""
    return _heard


def exit_status() -> int:
    """Return the status of a process that the last interruption ended: 128 and its number.

    130 for Ctrl-C, 143 for SIGTERM, which is what schedulers look for.
    """
    return 128 + _last


@contextmanager
def interruptions() -> Iterator[Interruption]:
    """Turn the first SIGINT or SIGTERM into an `Interruption`; a second one acts as always."""
    event = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    previous = {}

    def note(number: int, _frame: Any) -> None:
        global _last, _heard
        event.set()
        _heard += 1
        _last = signal.Signals(number)
        signal.signal(number, previous[number])

    for number in (signal.SIGINT, signal.SIGTERM):
        previous[number] = signal.signal(number, note)
    try:
        yield event
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
