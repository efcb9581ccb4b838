"""When something has to end: asked for between the parts of it that take long."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import NamedTuple


class TimeIsOverError(BaseException):
    """The time for something is over.

    It is not an `Exception`, so that no test takes it for a program's mistake.
    """


class TimeLimit(NamedTuple):
    """A time by which something has to end.

    >>> limit = TimeLimit(60.0, clock=lambda: 45.0)
    >>> limit.left(), limit.over(), limit.earlier(20.0).over()
    (15.0, False, True)
    """

    end: float = math.inf
    """Seconds, as ``clock`` tells them."""
    clock: Callable[[], float] = time.monotonic

    def left(self) -> float:
        """Return how many seconds are left; 0 if it is over."""
        return max(0.0, self.end - self.clock())

    def over(self) -> bool:
        """Return whether the time is over."""
        return self.clock() >= self.end

    def check(self) -> None:
        """Raise TimeIsOverError if the time is over."""
        if self.over():
            raise TimeIsOverError

    def earlier(self, seconds: float) -> TimeLimit:
        """Return a limit some seconds before this one."""
        return self._replace(end=self.end - seconds)


NEVER = TimeLimit()
"""No limit."""
