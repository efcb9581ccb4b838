"""Bubble sort of a row of numbers (Reed & de Freitas 2016, Cai et al. 2017).

The papers' observation cannot tell where a sweep begins, so that their traces do not follow
from it; here it can be seen whether the first pointer is on the first number, or on the last.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

from softmachine.tasks.traced.environment import (
    Call,
    Environment,
    Picture,
    PictureRow,
    Steps,
    primitive,
    program,
)

Pointer = Literal[1, 2, 3]
Way = Literal["LEFT", "RIGHT"]
Place = Literal[1, 2]
BITS = (False, True)


class BubbleSort(Environment):
    """A row of numbers, two pointers on it that move together, and a counter of sweeps.

    Pointers are 1 and 2, and stay within the row; the counter is 3.
    """

    observations: ClassVar = dict.fromkeys(("in order", "first", "last", "swept"), BITS)
    main: ClassVar = "BUBBLESORT"

    def __init__(self, numbers: Sequence[int]) -> None:
        """Lay out numbers, from 0 to 9 where they are shown to the machine."""
        self.given, self.numbers = tuple(numbers), list(numbers)
        self.at = {1: 0, 2: 0, 3: 0}

    def observe(self) -> tuple[bool, bool, bool, bool]:
        """Return how the numbers under the pointers compare, where they are, if all is done."""
        numbers, (first, second, sweeps) = self.numbers, self.at.values()
        n = len(numbers)
        ordered = not n or numbers[first] <= numbers[second]
        return ordered, first == 0, first == max(n - 1, 0), sweeps == n

    @primitive
    def ptr(self, pointer: Pointer, way: Way) -> None:
        """Move a pointer, as far as the row goes, or count."""
        most = len(self.numbers) if pointer == 3 else max(len(self.numbers) - 1, 0)
        to = self.at[pointer] + (1 if way == "RIGHT" else -1)
        self.at[pointer] = min(max(to, 0), most)

    @primitive
    def swap(self, first: Place, second: Place) -> None:
        """Exchange the numbers under two pointers."""
        a, b = self.at[first], self.at[second]
        if self.numbers:
            self.numbers[a], self.numbers[b] = self.numbers[b], self.numbers[a]

    @program
    def bubblesort(self) -> Steps:
        """Sweep over the row as often as it has numbers."""
        if self._swept:
            return None
        yield self.bubble()
        yield self.reset()
        return self.bubblesort()

    @program
    def bubble(self) -> Steps:
        """Sweep over the row once."""
        yield self.ptr(2, "RIGHT")
        return self.bstep()

    @program
    def bstep(self) -> Steps:
        """Put neighbours in order, one pair after another."""
        if self._last:
            return None
        yield self.compswap()
        yield self.rshift()
        return self.bstep()

    @program
    def compswap(self) -> Call | None:
        """Exchange two numbers that are not in order."""
        return None if self.observe()[0] else self.swap(1, 2)

    @program
    def rshift(self) -> Steps:
        """Move both pointers to the right."""
        yield self.ptr(1, "RIGHT")
        return self.ptr(2, "RIGHT")

    @program
    def reset(self) -> Steps:
        """Go back to the first number, and count the sweep."""
        yield self.lshift()
        return self.ptr(3, "RIGHT")

    @program
    def lshift(self) -> Steps:
        """Move both pointers to the left, until the first is on the first number."""
        if self._first:
            return None
        yield self.ptr(1, "LEFT")
        yield self.ptr(2, "LEFT")
        return self.lshift()

    @property
    def _first(self) -> bool:
        return self.observe()[1]

    @property
    def _last(self) -> bool:
        return self.observe()[2]

    @property
    def _swept(self) -> bool:
        return self.observe()[3]

    def result(self) -> tuple[int, ...]:
        """Return the numbers as they stand."""
        return tuple(self.numbers)

    def expected(self) -> tuple[int, ...]:
        """Return the numbers in order."""
        return tuple(sorted(self.given))

    def picture(self) -> Picture:
        """Return the row with its pointers, and the sweeps."""
        cells = tuple(map(str, self.numbers))
        row = PictureRow("numbers", cells, {str(i): self.at[i] for i in (1, 2)})
        return Picture((row, PictureRow("sweeps", (f"{self.at[3]} of {len(cells)}",))))


class BubbleSortByLoop(BubbleSort):
    """The same with three loops: over sweeps, over pairs, and back to the first number."""

    @program
    def bubblesort(self) -> Steps:
        """Sweep over the row as often as it has numbers."""
        while not self._swept:
            yield self.bubble()
            yield self.reset()

    @program
    def bubble(self) -> Steps:
        """Sweep over the row once."""
        yield self.ptr(2, "RIGHT")
        while not self._last:
            yield self.bstep()

    @program
    def bstep(self) -> Steps:
        """Put two neighbours in order, and go on to the next."""
        yield self.compswap()
        return self.rshift()

    @program
    def reset(self) -> Steps:
        """Go back to the first number, and count the sweep."""
        while not self._first:
            yield self.lshift()
        return self.ptr(3, "RIGHT")

    @program
    def lshift(self) -> Steps:
        """Move both pointers to the left."""
        yield self.ptr(1, "LEFT")
        return self.ptr(2, "LEFT")


class BubbleSortPartly(BubbleSortByLoop):
    """The loops of a sweep, and recursion over sweeps: Cai et al.'s partial recursion."""

    @program
    def bubblesort(self) -> Steps:
        """Sweep over the row as often as it has numbers."""
        if self._swept:
            return None
        yield self.bubble()
        yield self.reset()
        return self.bubblesort()


Numbers = tuple[int, ...]


def random_numbers(size: int, rng: random.Random) -> Numbers:
    """Return ``size`` numbers from 0 to 9."""
    return tuple(rng.randint(0, 9) for _ in range(size))


def training_numbers(count: int, rng: random.Random) -> Iterator[Numbers]:
    """Return small rows: of one number, of two out of order, and of up to five."""
    yield from ((4,), (7, 2))[:count]
    for i in range(count - 2):
        yield random_numbers(5 - i % 3, rng)


def proving_numbers() -> Iterator[Numbers]:
    """Return rows whose calls are all that can occur; Cai et al.'s is one of ten numbers."""
    yield from ((9, 5, 7, 4, 8, 9, 0, 6, 8, 2), (1,), (1, 0), (0, 1))
