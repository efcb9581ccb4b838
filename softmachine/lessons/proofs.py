"""Lesson 3: proof against test."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from softmachine.lessons.lesson import Lesson

TIRED = 30
"""After how many carries in a row the careless adder forgets one."""
Decide = Callable[[int, int, int], tuple[int, int]]
"""Of two digits and a carry, the digit to write and the next carry."""

START = '''\
"""Lesson 3: proof against test. Check it with: softmachine lesson check 3"""


def counterexample():
    """Return two numbers that softmachine.lessons.proofs.careless_sum adds wrongly.

    Numbers are lists of digits, lowest first: [7, 1] is 17. On 1,000 pairs of random numbers of
    40 digits it makes no mistake.
    """
    raise NotImplementedError


def situations():
    """Return all that one step of adding can meet, as triples (digit, digit, carry)."""
    raise NotImplementedError


def mistakes(decide):
    """Return the situations in which somebody's step of adding is wrong.

    decide(a, b, carry) returns (digit to write, next carry). If there is no mistake, then sums
    of all lengths are right, by induction. A list of triples (a, b, carry).
    """
    raise NotImplementedError
'''


def right_step(a: int, b: int, carry: int) -> tuple[int, int]:
    """Return the digit to write and the next carry."""
    return (a + b + carry) % 10, (a + b + carry) // 10


def add(decide: Decide, first: Sequence[int], second: Sequence[int]) -> list[int]:
    """Return a sum, digit by digit from the lowest, by somebody's step.

    >>> add(right_step, [7, 1], [5])
    [2, 2]
    """
    digits, carry = [], 0
    for a, b in itertools.zip_longest(first, second, fillvalue=0):
        digit, carry = decide(a, b, carry)
        digits.append(digit)
    return [*digits, carry] if carry else digits


def careless_sum(first: Sequence[int], second: Sequence[int]) -> list[int]:
    """Return the sum of two numbers, digits lowest first, but for a mistake that is rare."""
    carries = 0

    def decide(a: int, b: int, carry: int) -> tuple[int, int]:
        nonlocal carries
        digit, carry = right_step(a, b, carry)
        carries = carries + 1 if carry else 0
        return digit, carry if carries <= TIRED else 0

    return add(decide, first, second)


def _is_number(digits: Any) -> bool:
    return isinstance(digits, (list, tuple)) and all(
        isinstance(x, (int, np.integer)) and 0 <= x <= 9 for x in digits
    )


def _counterexample(function: Callable[..., Any]) -> str | None:
    pair = function()
    if not isinstance(pair, (list, tuple)) or len(pair) != 2 or not all(map(_is_number, pair)):
        return "it does not return two lists of digits"
    first, second = pair
    if careless_sum(first, second) == add(right_step, first, second):
        return f"the sum of these two, of {len(first)} and {len(second)} digits, is right"
    return None


def _all_situations() -> set[tuple[int, int, int]]:
    return set(itertools.product(range(10), range(10), range(2)))


def _situations(function: Callable[..., Any]) -> str | None:
    found, expected = {tuple(x) for x in function()}, _all_situations()
    if left := sorted(expected - found):
        return f"{len(left)} situations are left out, such as {left[0]}"
    if more := sorted(found - expected):
        return f"{more[0]} can never be met"
    return None


def _mistakes(function: Callable[..., Any]) -> str | None:
    rng = np.random.default_rng(3)
    everything = sorted(_all_situations())
    for count in (0, 1, 1, 3, 40):
        wrong = {everything[i] for i in rng.choice(len(everything), count, replace=False)}

        def decide(
            a: int, b: int, carry: int, wrong: set[tuple[int, int, int]] = wrong
        ) -> tuple[int, int]:
            digit, after = right_step(a, b, carry)
            if (a, b, carry) not in wrong:
                return digit, after
            return ((digit + 1) % 10, after) if a % 2 else (digit, 1 - after)

        found = {tuple(x) for x in function(decide)}
        if found != wrong:
            missed, accused = wrong - found, found - wrong
            one = f"{min(missed)} is missed" if missed else f"{min(accused)} is right"
            return f"of a step with {count} mistakes it finds {len(found)}: {one}"
    return None


LESSON = Lesson(
    "proof against test",
    START,
    {"counterexample": _counterexample, "situations": _situations, "mistakes": _mistakes},
)
