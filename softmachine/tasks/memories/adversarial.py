"""Adversarial cases of memory tasks: the examples that chance draws too rarely.

A learned program that is right on random examples may still be no algorithm: it may rely on
spare cells, or on paths that are seldom long. So a task names the cases that are hard in it,
each a function from a `Room` to a memory; what the memory shall become, `MemoryTask.answer`
says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np


class Room(NamedTuple):
    """What a case is given: how large the example shall be, in how many cells."""

    size: int
    cells: int
    rng: np.random.Generator

    @property
    def most(self) -> int:
        """The largest integer that a cell can hold."""
        return self.cells - 1

    def pick(self, low: int, high: int) -> int:
        """Draw an integer from ``low``..``high``, both included."""
        return int(self.rng.integers(low, high + 1))

    def values(
        self, count: int | None = None, *, low: int = 1, high: int | None = None
    ) -> list[int]:
        """Draw integers, as many as the example's size unless said otherwise.

        From 1 to the largest there is, or from ``low`` to ``high``, both included.
        """
        count = self.size if count is None else count
        high = self.most if high is None else high
        return self.rng.integers(low, high + 1, count).tolist()

    def order(self, count: int | None = None) -> list[int]:
        """Draw a permutation of 0..count-1, by default of the example's size."""
        return self.rng.permutation(self.size if count is None else count).tolist()


Case = Callable[[Room], Sequence[int]]
"""Returns a memory; cells that it leaves out at the end are 0."""
Cases = dict[str, Case]
"""Cases by their names: a few words, as a report prints them."""


def arrays(lay_out: Callable[[Room, list[int]], Sequence[int]], *, less: int = 0) -> Cases:
    """Return the cases of an array of values, for any task that lays one out in a memory.

    ``lay_out`` gives the memory for a room and an array; ``less`` is how much smaller than the
    largest integer its values have to be.
    """
    contents: dict[str, Callable[[Room, int], list[int]]] = {
        "random": lambda room, most: room.values(high=most),
        "all smallest": lambda room, most: [1] * room.size,
        "all largest": lambda room, most: [most] * room.size,
        "all equal": lambda room, most: [room.pick(1, most)] * room.size,
        "rising": lambda room, most: sorted(room.values(high=most)),
        "falling": lambda room, most: sorted(room.values(high=most), reverse=True),
        "smallest and largest in turn": lambda room, most: [
            1 if i % 2 else most for i in range(room.size)
        ],
    }

    def case(content: Callable[[Room, int], list[int]]) -> Case:
        return lambda room: lay_out(room, content(room, room.most - less))

    return {name: case(content) for name, content in contents.items()}
