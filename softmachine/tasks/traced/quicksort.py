"""Quicksort (Cai, Shin & Song 2017), with Lomuto's partition and ranges on a stack."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

from softmachine.tasks.traced.bubble_sort import Numbers, random_numbers
from softmachine.tasks.traced.environment import (
    Environment,
    FailureError,
    Picture,
    PictureRow,
    Steps,
    primitive,
    program,
)

Target = Literal["HI", "LO", "STACK_LO", "STACK_HI"]
Value = Literal["HI_PEEK", "LO_PEEK", "LO", "HI", "PIVOT_MINUS_1", "PIVOT_PLUS_1", "RESET"]
Movable = Literal["J", "PIVOT", "STACKLO", "STACKHI"]
Way = Literal["UP", "DOWN"]
Range = Literal["PUSH_CALL1", "PUSH_CALL2", "POP"]
BITS = (False, True)


class QuickSort(Environment):
    """Numbers, pointers LO, HI, PIVOT and J, and two stacks: where ranges begin and end.

    Each stack has a pointer to its next free slot. They begin with the whole range on them.
    """

    observations: ClassVar = dict.fromkeys(
        ("below pivot", "at the end", "several left", "stack empty"), BITS
    )
    main: ClassVar = "QUICKSORT"

    def __init__(self, numbers: Sequence[int]) -> None:
        """Lay out numbers; what is compared may be anything that can be."""
        self.given, self.numbers = tuple(numbers), list(numbers)
        self.lo, self.hi = 1, len(numbers)
        self.pivot: int | None = None
        self.j: int | None = None
        self.stacks: dict[str, list[int | None]] = {
            "STACKLO": [1, None],
            "STACKHI": [len(numbers), None],
        }
        self.free = {"STACKLO": 1, "STACKHI": 1}

    def observe(self) -> tuple[bool, bool, bool, bool]:
        """Return how number and pivot compare, and what is left to do."""
        j, n = self.j, len(self.numbers)
        below = False
        if j is not None and 1 <= j <= n and 1 <= self.hi <= n:
            below = self.numbers[j - 1] <= self.numbers[self.hi - 1]
        low, high = self._top("STACKLO"), self._top("STACKHI")
        several = low is not None and high is not None and low < high
        return below, j == self.hi, several, self.free["STACKLO"] == 0

    def _top(self, stack: str) -> int | None:
        free = self.free[stack]
        return self.stacks[stack][free - 1] if free else None

    @primitive
    def set_pivot_lo(self) -> None:
        """Put the pivot's place at the first number of the range."""
        self.pivot = self.lo

    @primitive
    def set_j_lo(self) -> None:
        """Begin with the first number of the range."""
        self.j = self.lo

    @primitive
    def set_j_null(self) -> None:
        """Have no number under way."""
        self.j = None

    @primitive
    def swap(self, first: Literal["PIVOT"], second: Literal["HI", "J"]) -> None:
        """Exchange two numbers."""
        del first
        a, b = self.pivot, self.hi if second == "HI" else self.j
        n = len(self.numbers)
        if a is None or b is None or not (1 <= a <= n and 1 <= b <= n):
            raise FailureError(f"PIVOT or {second} is on no number")
        numbers = self.numbers
        numbers[a - 1], numbers[b - 1] = numbers[b - 1], numbers[a - 1]

    @primitive
    def move(self, pointer: Movable, way: Way) -> None:
        """Move a pointer by one."""
        by = 1 if way == "UP" else -1
        if pointer == "J" or pointer == "PIVOT":
            at = self.j if pointer == "J" else self.pivot
            if at is None or not 0 <= at + by <= len(self.numbers) + 1:
                raise FailureError(f"{pointer} moves off the numbers")
            if pointer == "J":
                self.j = at + by
            else:
                self.pivot = at + by
            return
        self.free[pointer] += by
        if self.free[pointer] < 0:
            raise FailureError(f"{pointer} moves below its stack")
        while len(self.stacks[pointer]) <= self.free[pointer]:
            self.stacks[pointer].append(None)

    @primitive
    def write(self, target: Target, value: Value) -> None:
        """Set the end of the range, or write it on a stack."""
        number = self._value(value)
        if target in ("STACK_LO", "STACK_HI"):
            stack = target.replace("_", "")
            self.stacks[stack][self.free[stack]] = number
        elif number is None:
            raise FailureError(f"{target} is set to nothing")
        elif target == "HI":
            self.hi = number
        else:
            self.lo = number

    def _value(self, value: str) -> int | None:
        if value in ("PIVOT_MINUS_1", "PIVOT_PLUS_1") and self.pivot is None:
            raise FailureError("there is no pivot")
        pivot = self.pivot or 0
        return {
            "HI_PEEK": self._top("STACKHI"),
            "LO_PEEK": self._top("STACKLO"),
            "LO": self.lo,
            "HI": self.hi,
            "PIVOT_MINUS_1": pivot - 1,
            "PIVOT_PLUS_1": pivot + 1,
            "RESET": None,
        }[value]

    @program
    def quicksort(self) -> Steps:
        """Sort the range on top of the stacks, which it leaves there."""
        if not self._several:
            return None
        yield self.partition()
        yield self.stack("PUSH_CALL2")
        yield self.stack("PUSH_CALL1")
        yield self.write("HI", "HI_PEEK")
        yield self.write("LO", "LO_PEEK")
        yield self.quicksort()
        yield self.stack("POP")
        yield self.write("HI", "HI_PEEK")
        yield self.write("LO", "LO_PEEK")
        yield self.quicksort()
        return self.stack("POP")

    @program
    def partition(self) -> Steps:
        """Bring what is not above the last number of the range before it."""
        yield self.set_pivot_lo()
        yield self.set_j_lo()
        yield self.compswap_loop()
        yield self.swap("PIVOT", "HI")
        return self.set_j_null()

    @program
    def compswap_loop(self) -> Steps:
        """Go over the numbers of the range."""
        if self._at_end:
            return None
        yield self.compswap()
        yield self.move("J", "UP")
        return self.compswap_loop()

    @program
    def compswap(self) -> Steps:
        """Bring a number that is not above the pivot to the others."""
        if self.observe()[0]:
            yield self.swap("PIVOT", "J")
            return self.move("PIVOT", "UP")
        return None

    @program
    def stack(self, operation: Range) -> Steps:
        """Put one of the two parts of the range on the stacks, or take the top off."""
        if operation == "POP":
            low, high, way = "RESET", "RESET", "DOWN"
        elif operation == "PUSH_CALL1":
            low, high, way = "LO", "PIVOT_MINUS_1", "UP"
        else:
            low, high, way = "PIVOT_PLUS_1", "HI", "UP"
        yield self.write("STACK_LO", low)
        yield self.write("STACK_HI", high)
        yield self.move("STACKLO", way)
        return self.move("STACKHI", way)

    @property
    def _at_end(self) -> bool:
        return self.observe()[1]

    @property
    def _several(self) -> bool:
        return self.observe()[2]

    @property
    def _empty(self) -> bool:
        return self.observe()[3]

    def result(self) -> Numbers:
        """Return the numbers as they stand."""
        return tuple(self.numbers)

    def expected(self) -> Numbers:
        """Return the numbers in order."""
        return tuple(sorted(self.given))

    def picture(self) -> Picture:
        """Return the numbers with their pointers, and the ranges on the stacks."""
        named = {"LO": self.lo, "HI": self.hi, "PIVOT": self.pivot, "J": self.j}
        pointers = {name: at - 1 for name, at in named.items() if at is not None}
        stacked = zip(*(self.stacks[s][: self.free[s]] for s in self.stacks), strict=False)
        ranges = tuple(f"{low}-{high}" for low, high in stacked)
        numbers = PictureRow("numbers", tuple(map(str, self.numbers)), pointers)
        return Picture((numbers, PictureRow("ranges", ranges)))


class QuickSortByLoop(QuickSort):
    """The same with loops: over ranges, and over the numbers of one."""

    @program
    def quicksort(self) -> Steps:
        """Sort the ranges on the stacks, until there are none."""
        while not self._empty:
            if not self._several:
                yield self.stack("POP")
                continue
            yield self.write("HI", "HI_PEEK")
            yield self.write("LO", "LO_PEEK")
            yield self.stack("POP")
            yield self.partition()
            yield self.stack("PUSH_CALL2")
            yield self.stack("PUSH_CALL1")

    @program
    def compswap_loop(self) -> Steps:
        """Go over the numbers of the range."""
        while not self._at_end:
            yield self.compswap()
            yield self.move("J", "UP")


def training_numbers(count: int, rng: random.Random) -> Iterator[Numbers]:
    """Return rows of five numbers."""
    for _ in range(count):
        yield random_numbers(5, rng)


def proving_numbers() -> Iterator[Numbers]:
    """Return the row whose calls are all that can occur. Source: Cai et al. 2017."""
    yield 8, 2, 1, 2, 0, 8, 5, 8, 3, 7
