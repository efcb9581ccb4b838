"""Helpers of memory tasks: draw values and permutations, place arrays, label cells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, PRNGKeyArray


def draw_values(key: PRNGKeyArray, count: int, low: int, high: int) -> Int[Array, " count"]:
    """Draw ``count`` int32 integers, each uniform in ``low``..``high``, both included."""
    return jax.random.randint(key, (count,), low, high + 1, jnp.int32)


def draw_permutation(
    key: PRNGKeyArray, count: Int[Array, ""] | int, length: int
) -> Int[Array, " length"]:
    """Draw a permutation of 0..count-1, followed by count..length-1 in order; int32.

    ``count`` may be traced; ``length`` is static and at least ``count``.
    """
    # The order of random ranks; elements from count on have a larger rank than all others.
    rank = jax.random.uniform(key, (length,), jnp.float32)
    rank = jnp.where(jnp.arange(length) < count, rank, 1.0)
    return jnp.argsort(rank, stable=True).astype(jnp.int32)


def within(
    cells: int, first: Int[Array, ""] | int, count: Int[Array, ""] | int
) -> Bool[Array, " cells"]:
    """Return a mask of ``cells`` cells, true for the ``count`` cells from ``first`` on."""
    offset = jnp.arange(cells) - first
    return (offset >= 0) & (offset < count)


def put(
    memory: Int[Array, " cells"],
    first: Int[Array, ""] | int,
    values: Int[Array, " max_size"],
    count: Int[Array, ""] | int,
) -> Int[Array, " cells"]:
    """Return the memory with the first ``count`` values written from cell ``first`` on.

    ``first`` and ``count`` may be traced; values beyond the end of the memory are dropped.
    """
    offset = jnp.arange(len(memory)) - first
    return jnp.where(within(len(memory), first, count), values[offset], memory)


def label_cells(cells: int, *spans: tuple[int, Iterable[str]]) -> list[str]:
    """Return a label for each of ``cells`` cells, from spans (first cell, labels).

    Later spans override earlier ones; labels beyond the memory are dropped, and cells in no
    span have an empty label.
    """
    labels = [""] * cells
    for first, names in spans:
        for cell, name in enumerate(names, start=first):
            if 0 <= cell < cells:
                labels[cell] = name
    return labels


def numbered(name: str, count: int) -> list[str]:
    """Return the labels of an array of ``count`` values, such as ``A0``, ``A1``, ..."""
    return [f"{name}{i}" for i in range(count)]


def cells_before_null(memory: Sequence[int], first: int) -> int:
    """Return the number of cells from ``first`` on before the next 0, or before the end."""
    return [*memory[first:], 0].index(0)
