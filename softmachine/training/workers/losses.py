"""Who is to blame for lost workers, and when one that does not answer counts as lost."""

from __future__ import annotations

import collections
from collections.abc import Iterable

MOST_FAILURES, MOST_IN_DOUBT = 3, 12
"""How often in a row work may end its worker: if it alone does, or if others do as well."""
PATIENCE = 600.0
"""The shortest time, in seconds, after which work may be overdue."""
OVERDUE = 10
"""It is after so many times as long as what took longest so far."""


class Losses:
    """What ended its worker, and how often in a row.

    Where work of others is lost, too, as on a cluster whose machines come and go, it is not
    clear who is at fault.
    """

    def __init__(self) -> None:
        self._failures: collections.Counter[int] = collections.Counter()
        self._all = 0
        self._before: dict[int, int] = {}
        """Of each piece of work how much had been lost when its failures in a row began."""

    def note(self, places: Iterable[int]) -> None:
        """Note that a worker was lost that had these pieces of work, by their places."""
        for place in places:
            if not self._failures[place]:
                self._before[place] = self._all
            self._failures[place] += 1
        self._all += 1

    def forgive(self, place: int) -> None:
        """Begin anew with a piece of work that was done, or that was given up."""
        self._failures.pop(place, None)
        self._before.pop(place, None)

    def of(self, place: int) -> int:
        """Return how often in a row a piece of work has ended its worker."""
        return self._failures[place]

    def is_at_fault(self, place: int) -> bool:
        """Return whether a piece of work did so too often, as far as one can tell."""
        failures = self._failures[place]
        of_others = self._all - self._before.get(place, self._all) - failures
        return failures >= (MOST_IN_DOUBT if of_others > 0 else MOST_FAILURES)
