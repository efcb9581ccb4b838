"""Addition on a scratch pad, column by column (Reed & de Freitas 2016, Cai et al. 2017)."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Literal

from softmachine.tasks.traced.environment import (
    Environment,
    FailureError,
    Picture,
    PictureRow,
    Steps,
    primitive,
    program,
)

Row = Literal["IN1", "IN2", "CARRY", "OUT"]
Way = Literal["LEFT", "RIGHT"]
Digit = Literal[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
ROWS = ("IN1", "IN2", "CARRY", "OUT")
SEEN = (*range(10), None)
"""Digits, and a blank cell: without it a machine answers 1007 + 3 with 10."""
Digits = tuple[int, ...]


class Addition(Environment):
    """Two numbers, a row of carries and a row for the sum, a pointer on each.

    All pointers begin at the rightmost column; carries and sum begin blank.
    """

    observations: ClassVar = dict.fromkeys(("in1", "in2", "carry", "out"), SEEN)
    main: ClassVar = "ADD"

    def __init__(self, first: Sequence[int], second: Sequence[int]) -> None:
        """Write two numbers, given by their digits, on a pad."""
        self.numbers = tuple(first), tuple(second)
        width = max(len(first), len(second)) + 2
        self.pad: dict[str, list[int | None]] = {row: [None] * width for row in ROWS}
        for row, digits in zip(ROWS, self.numbers, strict=False):
            if digits:
                self.pad[row][-len(digits) :] = digits
        self.at = dict.fromkeys(ROWS, width - 1)

    def observe(self) -> tuple[int | None, ...]:
        """Return what is under the four pointers."""
        pad, at = self.pad, self.at
        return tuple([pad[row][at[row]] for row in ROWS])

    @primitive
    def ptr(self, row: Row, way: Way) -> None:
        """Move the pointer of a row by a column."""
        to = self.at[row] + (1 if way == "RIGHT" else -1)
        if not 0 <= to < len(self.pad[row]):
            raise FailureError(f"the pointer of {row} moves off the pad")
        self.at[row] = to

    @primitive
    def write(self, row: Row, digit: Digit) -> None:
        """Write a digit under the pointer of a row."""
        self.pad[row][self.at[row]] = digit

    @program
    def add(self) -> Steps:
        """Add column by column, from right to left, while there is anything."""
        if self._blank():
            return None
        yield self.add1()
        yield self.lshift()
        return self.add()

    @program
    def add1(self) -> Steps:
        """Add a column, and write its digit."""
        total = sum(x or 0 for x in self.observe()[:3])
        if total < 10:
            return self.write("OUT", total)
        yield self.write("OUT", total - 10)
        return self.carry()

    @program
    def carry(self) -> Steps:
        """Write a carry into the next column."""
        yield self.ptr("CARRY", "LEFT")
        yield self.write("CARRY", 1)
        return self.ptr("CARRY", "RIGHT")

    @program
    def lshift(self) -> Steps:
        """Move all pointers to the next column."""
        yield self.ptr("IN1", "LEFT")
        yield self.ptr("IN2", "LEFT")
        yield self.ptr("CARRY", "LEFT")
        return self.ptr("OUT", "LEFT")

    def _blank(self) -> bool:
        return all(x is None for x in self.observe()[:3])

    def result(self) -> Digits:
        """Return the digits of the sum, leading zeros included."""
        return tuple(x for x in self.pad["OUT"] if x is not None)

    def expected(self) -> Digits:
        """Return the digits of the sum, as long as the longer number, or one longer."""
        longest = max(map(len, self.numbers))
        total = sum(_value(digits) for digits in self.numbers)
        return _digits(total, longest) if longest else ()

    def picture(self) -> Picture:
        """Return the four rows of the pad, each with its pointer."""
        return Picture(
            tuple(
                PictureRow(
                    row,
                    tuple("" if x is None else str(x) for x in self.pad[row]),
                    {row: self.at[row]},
                )
                for row in ROWS
            )
        )


class AdditionByLoop(Addition):
    """The same, the columns in a loop within one call."""

    @program
    def add(self) -> Steps:
        """Add column by column, from right to left, while there is anything."""
        while not self._blank():
            yield self.add1()
            yield self.lshift()


def _value(digits: Sequence[int]) -> int:
    value = 0
    for start in range(0, len(digits), 1000):  # int() of longer texts is refused
        part = digits[start : start + 1000]
        value = value * 10 ** len(part) + int("".join(map(str, part)))
    return value


def _digits(value: int, least: int) -> Digits:
    parts: list[str] = []
    while value >= 10**1000:
        value, low = divmod(value, 10**1000)
        parts.append(str(low).zfill(1000))
    text = str(value) + "".join(reversed(parts))
    return tuple(map(int, text.zfill(least)))


Problem = tuple[Digits, Digits]


def random_problem(size: int, rng: random.Random) -> Problem:
    """Return two numbers of ``size`` digits, without leading zeros unless it is 1."""
    least = 1 if size > 1 else 0
    first, second = (
        (rng.randint(least, 9), *(rng.randint(0, 9) for _ in range(size - 1))) for _ in range(2)
    )
    return first, second


def training_problems(count: int, rng: random.Random) -> Iterator[Problem]:
    """Return problems of up to three digits, among them ones that show every sum of digits.

    That is each pair of digits in a column, with a carry into it and without: a core cannot
    know a sum that it was never shown. They are found greedily: some hundred of all problems.
    """
    left = {(a, b, c) for a in range(10) for b in range(10) for c in (0, 1)}
    chosen = 0
    while left and chosen < count:
        tried = [random_problem(3, rng) for _ in range(100)]
        best = max(tried, key=lambda problem: len(_sums(problem) & left))
        # Leading digits are never 0, so that some sums appear in the last two columns alone.
        if _sums(best) & left:
            left -= _sums(best)
            chosen += 1
            yield best
    for _ in range(count - chosen):
        yield random_problem(rng.randint(1, 3), rng)


def _sums(problem: Problem) -> set[tuple[int, int, int]]:
    """Return the pairs of digits of each column, with the carry into it."""
    carry, sums = 0, set()
    for a, b in zip(*map(reversed, problem), strict=True):
        sums.add((a, b, carry))
        carry = int(a + b + carry >= 10)
    return sums


def proving_problems() -> Iterator[Problem]:
    """Return problems whose calls are all that can occur in adding equally long numbers.

    Without leading zeros. Source: Cai et al. 2017, appendix A.6.
    """
    digits = range(10)
    for a in digits:
        for b in digits:
            yield (a,), (b,)
    for a in digits[1:]:
        for b in digits[1:]:
            yield (a, 1), (b, 9)
    for d1 in digits:
        for e1 in digits:
            for d0 in digits:
                for e0 in digits:
                    for low in ((), (1, 9)):
                        first, second = (d1, d0, *low[:1]), (e1, e0, *low[1:])
                        if d1 == 0 or e1 == 0:
                            first, second = (1, *first), (1, *second)
                        yield first, second


def proving_problems_of_any_length() -> Iterator[Problem]:
    """Return problems whose calls are all that can occur, whatever the lengths and zeros."""
    numbers: list[Any] = [(), *((a,) for a in range(10))]
    numbers += [(a, b) for a in range(10) for b in range(10)]
    for first in numbers:
        for second in numbers:
            if first or second:
                yield first, second
            yield (*first, 1), (*second, 9)
