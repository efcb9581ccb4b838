"""Encodings of positions for attention: sinusoidal, rotary, ALiBi, relative.

Attention by itself sees a set of steps and cannot tell their order.
"""

from __future__ import annotations

import math

import jax.numpy as jnp
from jaxtyping import Array, Float, Real

LONGEST = 10_000.0
"""The longest wave is 2 pi times this many steps (Vaswani et al. 2017, section 3.5)."""


def sinusoids(
    positions: Real[Array, " positions"], width: int, dtype: jnp.dtype
) -> Float[Array, "positions width"]:
    """Return the sinusoidal encoding of positions: sines, half of the width, then cosines.

    Channel i of either has the angle ``position / 10000^(2 i / width)``. Source: Vaswani et al.
    2017 (arXiv 1706.03762), section 3.5, whose sines and cosines take turns: another order of
    channels, of which all that follow learn their own.
    """
    exact = jnp.promote_types(dtype, jnp.float32)
    rates = LONGEST ** (-jnp.arange(0, width, 2, exact) / width)
    angles = positions[:, None].astype(exact) * rates
    return jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=-1).astype(dtype)


def rotate(x: Float[Array, "steps heads channels"]) -> Float[Array, "steps heads channels"]:
    """Return queries or keys turned by an angle that grows with their position.

    Channels 2 i and 2 i + 1 are a point in the plane, turned by
    ``position / 10000^(2 i / channels)``, so that the product of a query and a key depends on
    how far they are apart. Source: Su et al. 2021, RoFormer (arXiv 2104.09864), Eq. 15 and 34.
    """
    steps, _, channels = x.shape
    waves = sinusoids(jnp.arange(steps), channels, x.dtype)[:, None]
    sine, cosine = jnp.split(waves, 2, axis=-1)
    even, odd = x[..., 0::2], x[..., 1::2]
    turned = (even * cosine - odd * sine, even * sine + odd * cosine)
    return jnp.stack(turned, axis=-1).reshape(x.shape)


def alibi(steps: int, heads: int, dtype: jnp.dtype) -> Float[Array, "heads steps steps"]:
    """Return the linear biases (ALiBi) that are added to logits of attention, a row per query.

    Each head has a slope, times minus the distance. What stands before the query is half a step
    nearer than what stands as far behind it, or both would look the same: attention here looks
    both ways. Sources: Press et al. 2022 (arXiv 2108.12409), section 3; the half step is
    Delétang et al. 2023 (arXiv 2207.02098), in its code.
    """
    places = jnp.arange(steps)
    ahead = places - places[:, None]
    distance = jnp.abs(ahead) - 0.5 * (ahead < 0)
    return -jnp.asarray(alibi_slopes(heads), dtype)[:, None, None] * distance.astype(dtype)


def alibi_slopes(heads: int) -> list[float]:
    """Return the slopes of the heads: 2^(-8 / heads) and its powers.

    If ``heads`` is no power of 2, those of the power of 2 below it, then every other one of
    the power above, as in the code of Press et al. 2022.

    >>> alibi_slopes(4)
    [0.25, 0.0625, 0.015625, 0.00390625]
    >>> alibi_slopes(3)
    [0.0625, 0.00390625, 0.25]
    """
    below = 2 ** math.floor(math.log2(heads))
    slopes = [2.0 ** (-8 * (i + 1) / below) for i in range(below)]
    return slopes if below == heads else slopes + alibi_slopes(2 * below)[::2][: heads - below]


def by_distance(
    scores: Float[Array, "heads steps distances"],
) -> Float[Array, "heads steps steps"]:
    """Return for query i and key j the score of their distance i - j.

    ``distances`` are steps - 1, ..., 0, ..., 1 - steps. Every row is a window of its scores,
    one further to the left than the row above: of the rows written one after another, padded
    by one number each, it is a stretch. Source: Dai et al. 2019 (arXiv 1901.02860), appendix B.
    """
    heads, steps, distances = scores.shape
    padded = jnp.pad(scores, [(0, 0), (0, 0), (0, 1)]).reshape(heads, -1)
    return padded[:, steps - 1 : -1].reshape(heads, steps, distances)[..., :steps]
