"""The four stages of NTM addressing (Graves et al. 2014, section 3.3), free of NaN.

Every function works on one example and on ``heads`` heads at once. The memory is laid
out ``(columns, rows)``: rows, the long axis, are contiguous.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from softmachine.machines.parts.products import match_rows

NORM_SMOOTHING = 1e-6
"""Added to squared norms unless a configuration says otherwise. A row much shorter than its
root, 1e-3, counts as zero instead of passing gradients on multiplied by one over its length."""

WEIGHT_FLOOR = 1e-12
"""Added to a weighting before its logarithm."""

SMOOTHED_WEIGHT_FLOOR = 1e-20
"""The same where ``smoothing`` is added to the sum of powers. That bounds the gradient already,
and the floor must be lower: pytorch-ntm starts from weightings of zeros, and the little that a
nearly closed gate lets into them in the first step has to count."""

LARGEST_EXPONENT = 80.0
"""The exponential of this is finite in float32, and nothing beside it is more than zero."""


def content_weighting(
    memory: Float[Array, "columns rows"],
    keys: Float[Array, "heads columns"],
    key_strengths: Float[Array, " heads"],
    *,
    smoothing: float = NORM_SMOOTHING,
    epsilon: float = 0.0,
) -> Float[Array, "heads rows"]:
    """Weight rows by cosine similarity K to each head's key.

    Eq. 5: ``w^c_t(i) = exp(beta_t K[k_t, M_t(i)]) / sum over j of exp(beta_t K[k_t, M_t(j)])``;
    Eq. 6: ``K[u, v] = u . v / (|u| |v|)``.

    ``smoothing`` is added to squared norms, ``epsilon`` to the product of two norms by which
    a dot product is divided. One of them must be above 0, or zeros give NaN.
    """
    dots = match_rows(keys, memory)
    row_squares = jnp.sum(jnp.square(memory), axis=0) + smoothing
    key_squares = jnp.sum(jnp.square(keys), axis=1) + smoothing
    if epsilon:
        norms = _root(key_squares)[:, None] * _root(row_squares)
        similarity = dots / (norms + epsilon)
    else:
        row_scale, key_scale = jax.lax.rsqrt(row_squares), jax.lax.rsqrt(key_squares)
        similarity = dots * row_scale * key_scale[:, None]
    return jax.nn.softmax(key_strengths[:, None] * similarity, axis=-1)


def _root(squares: Float[Array, " n"]) -> Float[Array, " n"]:
    """Return square roots, with a gradient of 0 instead of infinity at 0.

    A dot product divided by a norm and an epsilon has a gradient at 0 all the same: that of
    the dot product, divided by epsilon. What the norm adds to it there is 0.
    """
    positive = squares > 0
    # Two choices: the gradient of one alone would be 0 times infinity, which is NaN.
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, squares, 1)), 0)


def interpolate(
    content: Float[Array, "heads rows"],
    previous: Float[Array, "heads rows"],
    gates: Float[Array, " heads"],
) -> Float[Array, "heads rows"]:
    """Blend the content weighting with the head's previous one.

    Eq. 7: ``w^g_t = g_t w^c_t + (1 - g_t) w_{t-1}``.
    """
    return gates[:, None] * content + (1 - gates[:, None]) * previous


def shift(
    weighting: Float[Array, "heads rows"],
    shifts: Float[Array, "heads shifts"],
    *,
    wrap: bool = True,
) -> Float[Array, "heads rows"]:
    """Move each head's weighting by a convolution with its distribution over shifts.

    Eq. 8: ``w~_t(i) = sum over j of w^g_t(j) s_t(i - j)``, indices modulo the rows.

    Of S shifts, number ``S // 2`` stays in place; the ones before it move the weighting
    towards row 0, the ones after it away from row 0. What leaves at one end comes back at
    the other, as in the paper, or, without ``wrap``, stays on the end row.
    """
    center = shifts.shape[-1] // 2
    move = _roll if wrap else _push
    moved = [shifts[:, i, None] * move(weighting, i - center) for i in range(shifts.shape[-1])]
    return sum(moved[1:], moved[0])


def _roll(weighting: Float[Array, "heads rows"], by: int) -> Float[Array, "heads rows"]:
    return jnp.roll(weighting, by, axis=-1)


def _push(weighting: Float[Array, "heads rows"], by: int) -> Float[Array, "heads rows"]:
    """Shift without wrap-around: weight that would leave stays on the end row."""
    if by == 0:
        return weighting
    ahead = weighting if by > 0 else weighting[:, ::-1]
    first_stopped = ahead.shape[-1] - 1 - abs(by)
    left = jnp.zeros_like(ahead[:, : abs(by)])
    end = jnp.sum(ahead[:, first_stopped:], axis=-1, keepdims=True)
    pushed = jnp.concatenate([left, ahead[:, :first_stopped], end], axis=-1)
    return pushed if by > 0 else pushed[:, ::-1]


def sharpen(
    weighting: Float[Array, "heads rows"],
    sharpenings: Float[Array, " heads"],
    *,
    smoothing: float = 0.0,
) -> Float[Array, "heads rows"]:
    """Raise weightings to a power of at least 1 and renormalise, in log space.

    Eq. 9: ``w_t(i) = w~_t(i)^gamma_t / sum over j of w~_t(j)^gamma_t``.

    ``w ** gamma`` underflows in float32 from gamma = 21 on for 128 equal rows; a softmax
    of ``gamma * log(w)`` is the same ratio and cannot. ``smoothing`` is added to the sum
    of the powers: a weighting whose powers are not much larger sums to less than one.
    """
    floored = weighting + (SMOOTHED_WEIGHT_FLOOR if smoothing else WEIGHT_FLOOR)
    largest = jax.lax.stop_gradient(jnp.max(floored, axis=-1, keepdims=True))
    powers = jnp.exp(sharpenings[:, None] * jnp.log(floored / largest))
    total = jnp.sum(powers, axis=-1, keepdims=True)
    if smoothing:
        # In the units of the powers above: relative to that of the largest weight.
        exponent = math.log(smoothing) - sharpenings[:, None] * jnp.log(largest)
        total = total + jnp.exp(jnp.minimum(exponent, LARGEST_EXPONENT))
    return powers / total


def harden(weighting: Float[Array, "heads rows"]) -> Float[Array, "heads rows"]:
    """Put all weight on the row that has most, the first of equals; it passes no gradient."""
    rows = weighting.shape[-1]
    return jax.nn.one_hot(jnp.argmax(weighting, axis=-1), rows, dtype=weighting.dtype)
