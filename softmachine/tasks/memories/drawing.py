"""What memory tasks share: values and orders drawn, arrays placed, cells labelled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, PRNGKeyArray


def draw_values(key: PRNGKeyArray, count: int, low: int, high: int) -> Int[Array, " count"]:
    """Draw ``count`` int32 integers, each uniform in ``low``..``high``, both included."""
    return jax.random.randint(key, (count,), low, high + 1, jnp.int32)


def draw_order(
    key: PRNGKeyArray, count: Int[Array, ""] | int, room: int
) -> Int[Array, " room"]:
    """Draw a permutation of 0..count-1, int32; after it, count..room-1 in their order.

    ``count`` may be traced, ``room`` may not.
    """
    rank = jax.random.uniform(key, (room,), jnp.float32)
    rank = jnp.where(jnp.arange(room) < count, rank, 1.0)
    return jnp.argsort(rank, stable=True).astype(jnp.int32)


def within(
    cells: int, first: Int[Array, ""] | int, count: Int[Array, ""] | int
) -> Bool[Array, " cells"]:
    """Return which of so many cells are among the ``count`` from cell ``first`` on."""
    offset = jnp.arange(cells) - first
    return (offset >= 0) & (offset < count)


def put(
    memory: Int[Array, " cells"],
    first: Int[Array, ""] | int,
    values: Int[Array, " room"],
    count: Int[Array, ""] | int,
) -> Int[Array, " cells"]:
    """Return the memory with the first ``count`` values written from cell ``first`` on.

    ``first`` and ``count`` may be traced; what would lie outside the memory is left out.
    """
    offset = jnp.arange(len(memory)) - first
    return jnp.where(within(len(memory), first, count), values[offset], memory)


def label_cells(cells: int, *spans: tuple[int, Iterable[str]]) -> list[str]:
    """Return a label for each cell from (first cell, labels); what lies outside is left out.

    Later spans replace the labels of earlier ones; other cells have an empty label.
    """
    labels = [""] * cells
    for first, names in spans:
        for cell, name in enumerate(names, start=first):
            if 0 <= cell < cells:
                labels[cell] = name
    return labels


def numbered(name: str, count: int) -> list[str]:
    """Return the labels of an array of ``count`` values: ``A0``, ``A1``, ..."""
    return [f"{name}{i}" for i in range(count)]


def cells_before_null(memory: Sequence[int], first: int) -> int:
    """Return how many cells from ``first`` on come before the next 0, or before the end."""
    return [*memory[first:], 0].index(0)
