"""The four stages of NTM addressing (Graves et al. 2014, section 3.3), free of NaN.

Every function works on one example and on ``heads`` heads at once. The memory is laid
out ``(columns, rows)``: rows, the long axis, are contiguous.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from softmachine.machines.products import match_rows

NORM_SMOOTHING = 1e-6
"""Added to squared norms. A row much shorter than its root, 1e-3, counts as zero instead
of passing gradients on multiplied by one over its length."""

WEIGHT_FLOOR = 1e-12
"""Added to a weighting before its logarithm."""


def content_weighting(
    memory: Float[Array, "columns rows"],
    keys: Float[Array, "heads columns"],
    key_strengths: Float[Array, " heads"],
) -> Float[Array, "heads rows"]:
    """Weight rows by cosine similarity to each head's key (Eq. 5 and 6)."""
    dots = match_rows(keys, memory)
    row_scale = jax.lax.rsqrt(jnp.sum(jnp.square(memory), axis=0) + NORM_SMOOTHING)
    key_scale = jax.lax.rsqrt(jnp.sum(jnp.square(keys), axis=1) + NORM_SMOOTHING)
    similarity = dots * row_scale * key_scale[:, None]
    return jax.nn.softmax(key_strengths[:, None] * similarity, axis=-1)


def interpolate(
    content: Float[Array, "heads rows"],
    previous: Float[Array, "heads rows"],
    gates: Float[Array, " heads"],
) -> Float[Array, "heads rows"]:
    """Blend the content weighting with the head's previous one (Eq. 7)."""
    return gates[:, None] * content + (1 - gates[:, None]) * previous


def shift(
    weighting: Float[Array, "heads rows"], shifts: Float[Array, "heads shifts"]
) -> Float[Array, "heads rows"]:
    """Convolve circularly (Eq. 8).

    Of S shifts, number ``S // 2`` stays in place; the ones before it move the weighting
    towards row 0, the ones after it away from row 0.
    """
    center = shifts.shape[-1] // 2
    moved = [
        shifts[:, i, None] * jnp.roll(weighting, i - center, axis=-1)
        for i in range(shifts.shape[-1])
    ]
    return sum(moved[1:], moved[0])


def sharpen(
    weighting: Float[Array, "heads rows"], sharpenings: Float[Array, " heads"]
) -> Float[Array, "heads rows"]:
    """Raise to a power of at least 1 and renormalise (Eq. 9), in log space.

    ``w ** gamma`` underflows in float32 from gamma = 21 on for 128 equal rows; a softmax
    of ``gamma * log(w)`` is the same ratio and cannot.
    """
    floored = weighting + WEIGHT_FLOOR
    largest = jax.lax.stop_gradient(jnp.max(floored, axis=-1, keepdims=True))
    powers = jnp.exp(sharpenings[:, None] * jnp.log(floored / largest))
    return powers / jnp.sum(powers, axis=-1, keepdims=True)
