"""Adversarial cases of memory tasks: hard examples that random sampling draws too rarely.

A learned program that is right on random examples may still not be an algorithm: it may rely
on unused cells, or fail on paths longer than random ones are. So each task names the cases that
are hard for it. A case is a function from a `Sampler` to an initial memory; the target memory
is computed by `MemoryTask.answer`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np


class Sampler(NamedTuple):
    """What a case draws from: a size, a number of cells, and a random generator."""

    size: int
    """The size of the example, as the task counts it."""
    cells: int
    """The number of memory cells, M."""
    rng: np.random.Generator

    @property
    def largest(self) -> int:
        """The largest integer that a cell can hold, M - 1."""
        return self.cells - 1

    def integer(self, low: int, high: int) -> int:
        """Draw an integer from ``low``..``high``, both included."""
        return int(self.rng.integers(low, high + 1))

    def values(
        self, count: int | None = None, *, low: int = 1, high: int | None = None
    ) -> list[int]:
        """Draw ``count`` integers, uniform in ``low``..``high``, both included.

        By default as many as the example's size, from 1 to the largest value of a cell.
        """
        count = self.size if count is None else count
        high = self.largest if high is None else high
        return self.rng.integers(low, high + 1, count).tolist()

    def permutation(self, count: int | None = None) -> list[int]:
        """Draw a permutation of 0..count-1; by default ``count`` is the example's size."""
        return self.rng.permutation(self.size if count is None else count).tolist()


Case = Callable[[Sampler], Sequence[int]]
"""A function that returns an initial memory; cells left out at the end are 0."""
Cases = dict[str, Case]
"""Cases by name; a name is a few words that reports print."""


def array_cases(
    lay_out: Callable[[Sampler, list[int]], Sequence[int]], *, less: int = 0
) -> Cases:
    """Return the adversarial cases of an array of values, for any task that has one in memory.

    Arguments:
        lay_out: returns the initial memory for a sampler and an array of ``sampler.size``
            values.
        less: how far the values stay below the largest value of a cell.
    """
    contents: dict[str, Callable[[Sampler, int], list[int]]] = {
        "random": lambda sampler, most: sampler.values(high=most),
        "all smallest": lambda sampler, most: [1] * sampler.size,
        "all largest": lambda sampler, most: [most] * sampler.size,
        "all equal": lambda sampler, most: [sampler.integer(1, most)] * sampler.size,
        "rising": lambda sampler, most: sorted(sampler.values(high=most)),
        "falling": lambda sampler, most: sorted(sampler.values(high=most), reverse=True),
        "smallest and largest in turn": lambda sampler, most: [
            1 if i % 2 else most for i in range(sampler.size)
        ],
    }

    def case(content: Callable[[Sampler, int], list[int]]) -> Case:
        return lambda sampler: lay_out(sampler, content(sampler, sampler.largest - less))

    return {name: case(content) for name, content in contents.items()}
