"""Sums over a leading axis, which XLA on CPU does not vectorise by itself."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

UNROLLED = 32
"""The largest number of terms that is unrolled, which is faster; longer sums are loops."""


def split(x: Float[Array, "n ..."]) -> list[Float[Array, "1 ..."]]:
    """Return the slices along the first axis; their gradients are concatenated, not added."""
    return list(jax.lax.split(x, [1] * len(x)))


def weighted_sum(weights: Float[Array, "n ..."], arrays: Float[Array, "n ..."]) -> Array:
    """Return the sum over i of ``weights[i] * arrays[i]``, unrolled up to `UNROLLED` terms."""
    if len(weights) <= UNROLLED:
        return add_up(w * x for w, x in zip(split(weights), split(arrays), strict=True))[0]

    def term(i, total):
        return total + _at(weights, i) * _at(arrays, i)

    shape = jnp.broadcast_shapes(weights.shape[1:], arrays.shape[1:])
    return jax.lax.fori_loop(0, len(weights), term, jnp.zeros(shape, arrays.dtype))


def add_up(terms: Iterable[Array]) -> Array:
    """Return the sum of arrays of one shape and type, added in their order."""
    # What `+` comes to in the end: of hundreds of terms, much time to trace.
    return reduce(jax.lax.add, terms)


def at(x: Array, i: int, axis: int = 0) -> Array:
    """Return ``x[i]`` for a Python integer i; traced in half the time."""
    return jax.lax.index_in_dim(x, i, axis, keepdims=False)


def _at(x, i):
    return jax.lax.dynamic_index_in_dim(x, i, keepdims=False)
