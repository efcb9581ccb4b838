"""The largest number of a row, found by sorting it (Reed & de Freitas 2016, section 4.3).

Two programs more than bubble sort, which keeps its numbers, so that a core that has learned it
could stay as it is while the two new programs get vectors of their own. An environment alone:
no task or recipe trains that yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from softmachine.tasks.traced.bubble_sort import (
    BubbleSort,
    BubbleSortByLoop,
    Numbers,
    proving_numbers,
)
from softmachine.tasks.traced.environment import Steps, program


class Maximum(BubbleSort):
    """A row of numbers, as in bubble sort; at the end pointer 1 is to be on the largest."""

    main: ClassVar = "MAX"

    @program
    def max(self) -> Steps:
        """Sort, then go to the end of the row."""
        yield self.bubblesort()
        return self.rjmp()

    @program
    def rjmp(self) -> Steps:
        """Move both pointers to the last number."""
        if self._last:
            return None
        yield self.rshift()
        return self.rjmp()

    def result(self) -> Numbers:
        """Return the number under pointer 1; nothing of an empty row."""
        return tuple(self.numbers[self.at[1] : self.at[1] + 1])

    def expected(self) -> Numbers:
        """Return the largest number; nothing of an empty row."""
        return tuple(sorted(self.given)[-1:])


class MaximumByLoop(BubbleSortByLoop, Maximum):
    """The same with loops, as in Reed & de Freitas."""

    @program
    def rjmp(self) -> Steps:
        """Move both pointers to the last number."""
        while not self._last:
            yield self.rshift()


def proving_maxima() -> Iterator[Numbers]:
    """Return rows whose calls are all that can occur."""
    yield from proving_numbers()
    yield from ((), (1, 1), (1, 1, 0), (1, 0, 0))
