"""Tasks that rearrange symbols: copy, reverse, duplicate, sort, sort pairs by their keys."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, PRNGKeyArray

from softmachine.core.choices import Bounds, check_fields
from softmachine.tasks.arithmetic.aligned import PADDING, AlignedTask, Letters
from softmachine.tasks.registry import task

SYMBOLS = "0123456789abcdefghijklmnopqrstuvwxyz"
"""Letters of these tasks, in their order."""


@task("rearrange-symbols")
@dataclasses.dataclass(frozen=True, kw_only=True)
class RearrangeSymbols(AlignedTask):
    """Output ``size`` random symbols in another order, at the places at which they came.

    ``copy``: as they are. ``reverse``: the last one first. ``duplicate``: half as many symbols,
    then padding; they are output twice. ``sort``: the smallest first; with two symbols that is
    to count. ``sort-pairs``: symbols are keys and values in turn; pairs are sorted by their
    keys, those with the same key stay in their order; what is left over of an odd size is
    padding.

    Duplicates have an even number of places, one fewer than an odd size. So it is in the public
    codes, whose masks leave out places that are padding in input and answer alike. With that
    place a machine of local rules would have to tell even from odd before it can know where
    the second copy ends: another task, and a harder one.

    Sources: Kaiser & Sutskever 2016 (arXiv 1511.08228), section 3; the public code of Freivalds
    & Liepins 2017 (arXiv 1702.08727).

    >>> task = RearrangeSymbols(operation="sort", symbols=10)
    >>> print(task.render(task.own_example("31415926", most=100)))
    input   31415926
    target  11234569

    With half of the places for the symbols, and all of them for the answer:

    >>> task = RearrangeSymbols(operation="duplicate")
    >>> print(task.render(task.own_example("0011....", most=100)))
    input   0011....
    target  00110011
    """

    operation: Literal["copy", "reverse", "duplicate", "sort", "sort-pairs"] = "copy"
    symbols: Annotated[int, Bounds(least=2, most=len(SYMBOLS))] = 2
    """How many different symbols there are."""

    smallest = 2

    def __post_init__(self) -> None:
        """Check the number of symbols."""
        check_fields(self)

    @property
    def letters(self) -> str:
        """Padding and the symbols."""
        return PADDING + SYMBOLS[: self.symbols]

    def places(self, size: Int[Array, ""] | int) -> Int[Array, ""] | int:
        """Return ``size``, or for duplicates the even number that is not above it."""
        return size // 2 * 2 if self.operation == "duplicate" else size

    def _given(self, size: Int[Array, ""] | int) -> Int[Array, ""] | int:
        """Return how many symbols there are in ``size`` places."""
        if self.operation == "duplicate":
            return size // 2
        return size // 2 * 2 if self.operation == "sort-pairs" else size

    def draw(self, key: PRNGKeyArray, size: Int[Array, ""] | int, max_size: int) -> Letters:
        """Draw symbols, all equally likely, and what padding there is."""
        drawn = jax.random.randint(key, (max_size,), 1, self.symbols + 1, jnp.int32)
        return jnp.where(jnp.arange(max_size) < self._given(size), drawn, 0)

    def solve(self, letters: Letters, size: Int[Array, ""] | int) -> Letters:
        """Return the symbols in their new order."""
        places, count = jnp.arange(len(letters)), self._given(size)
        if self.operation == "copy":
            return letters
        if self.operation == "reverse":
            return jnp.where(places < size, letters[(size - 1 - places) % len(letters)], 0)
        if self.operation == "duplicate":
            twice = jnp.where(places < count, places, places - count)
            return jnp.where(places < 2 * count, letters[twice], 0)
        last = jnp.where(letters == 0, len(self.letters), letters)  # padding comes last
        if self.operation == "sort":
            return letters[jnp.argsort(last, stable=True)]
        order = jnp.argsort(last[: len(letters) // 2 * 2 : 2], stable=True)
        pairs = (2 * order[:, None] + jnp.arange(2)).reshape(-1)
        return jnp.zeros_like(letters).at[: len(pairs)].set(letters[pairs])

    def well_formed(self, letters: np.ndarray) -> bool:
        """Return whether padding stands where it has to, and only there."""
        if self.places(len(letters)) != len(letters):
            return False
        given = int(self._given(len(letters)))
        return bool((letters[:given] > 0).all() and not letters[given:].any())
