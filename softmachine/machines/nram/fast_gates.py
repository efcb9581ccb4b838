"""The soft gates in fewer operations than Eq. 2: sums over values, with gradients of their own.

What each computes says `softmachine.machines.nram.gates`, as a function of integers; that both
are the same is held by tests/machines/test_gates.py. Values are the first axis, and a batch
comes after it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from softmachine.core.sums import UNROLLED, add_up, at, split, weighted_sum

Distribution = Float[Array, "values ..."]


# Circular sums; the gradients of each are the other.


@jax.custom_vjp
def add(a: Distribution, b: Distribution) -> Distribution:
    """Return the distribution of (A + B) mod M: a circular convolution."""
    m = len(a)
    return _sum_of_windows(a, jnp.concatenate([b, b]), lambda i: m - i)


@jax.custom_vjp
def subtract(a: Distribution, b: Distribution) -> Distribution:
    """Return the distribution of (A - B) mod M: a circular correlation."""
    return _sum_of_windows(b, jnp.concatenate([a, a]), lambda i: i)


add.defvjp(
    lambda a, b: (add(a, b), (a, b)),
    lambda saved, bar: (subtract(bar, saved[1]), subtract(bar, saved[0])),
)
subtract.defvjp(
    lambda a, b: (subtract(a, b), (a, b)),
    lambda saved, bar: (add(bar, saved[1]), subtract(saved[0], bar)),
)


def _sum_of_windows(
    weights: Distribution, doubled: Float[Array, "2*values ..."], start: Callable[[Any], Any]
) -> Distribution:
    """Return the sum over i of ``weights[i] doubled[start(i) : start(i) + M]``."""
    m = len(weights)
    if m <= UNROLLED:
        windows = (jax.lax.slice_in_dim(doubled, start(i), start(i) + m) for i in range(m))
        return add_up(at(weights, i) * window for i, window in enumerate(windows))

    def term(i, total):
        window = jax.lax.dynamic_slice_in_dim(doubled, start(i), m)
        return total + jax.lax.dynamic_index_in_dim(weights, i, keepdims=False) * window

    return jax.lax.fori_loop(0, m, term, jnp.zeros_like(weights))


# Comparisons


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _total(upwards: bool, own: bool, a: Distribution) -> Distribution:
    """Return, for each c, the sum of ``a[i]`` over i > c, or i < c; and i = c if ``own``."""
    mask = np.tri(len(a), k=0 if own else -1, dtype=np.float32)
    mask = (mask if upwards else mask.T).reshape(len(a), len(a), *[1] * (a.ndim - 1))
    return weighted_sum(jnp.asarray(mask, a.dtype), a[:, None])


_total.defvjp(
    lambda upwards, own, a: (_total(upwards, own, a), None),
    lambda upwards, own, _, bar: (_total(not upwards, own, bar),),
)


def at_least(a: Distribution) -> Distribution:
    """Return P(A >= c) for each c."""
    return _total(True, True, a)


def more_than(a: Distribution) -> Distribution:
    """Return P(A > c) for each c."""
    return _total(True, False, a)


def at_most(a: Distribution) -> Distribution:
    """Return P(A <= c) for each c."""
    return _total(False, True, a)


def less_than(a: Distribution) -> Distribution:
    """Return P(A < c) for each c."""
    return _total(False, False, a)


def truth(probability: Float[Array, "*batch"], values: int) -> Distribution:
    """Return the distribution of a truth value: 1 with a probability, else 0."""
    probability = jax.lax.optimization_barrier(probability)
    rest = jnp.zeros((values - 2, *probability.shape), probability.dtype)
    return jnp.concatenate([(1 - probability)[None], probability[None], rest])


def inner(a: Distribution, b: Distribution) -> Float[Array, "*batch"]:
    """Return the sum over i of ``a[i] b[i]``."""
    return add_up(split(a * b))[0]


FAST: dict[str, Callable[..., Distribution]] = {
    "INC": lambda a: jnp.roll(a, 1, axis=0),
    "ADD": add,
    "SUB": subtract,
    "DEC": lambda a: jnp.roll(a, -1, axis=0),
    "LESS-THAN": lambda a, b: truth(inner(a, more_than(b)), len(a)),
    "LESS-OR-EQUAL-THAN": lambda a, b: truth(inner(a, at_least(b)), len(a)),
    "EQUALITY-TEST": lambda a, b: truth(inner(a, b), len(a)),
    "MIN": lambda a, b: a * at_least(b) + b * more_than(a),
    "MAX": lambda a, b: a * at_most(b) + b * less_than(a),
}
"""The fast form of a gate, by its name."""
