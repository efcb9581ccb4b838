"""Images turned, stretched and moved, inside compiled programs."""

from __future__ import annotations

import functools
import itertools
import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray, Shaped, UInt8


def rotation(angle: Float[Array, "*batch"]) -> Float[Array, "*batch 2 2"]:
    """Return the map of `warp` that turns an image counter-clockwise, by radians."""
    cosine, sine = jnp.cos(angle), jnp.sin(angle)
    return jnp.stack([jnp.stack([cosine, sine], -1), jnp.stack([-sine, cosine], -1)], -2)


def warp(
    pixels: Shaped[Array, " pixels"],
    first: Int[Array, ""] | int,
    linear: Float[Array, "2 2"],
    shift: Float[Array, " 2"],
    *,
    fine: int,
    side: int,
) -> Float[Array, "side side"]:
    """Return an image mapped linearly about its middle, moved, and then made smaller.

    Each pixel of the result is the mean over a square of pixels of the fine image, each of them
    the nearest to where it was before. Outside there is paper (0).

    Arguments:
        pixels: those of all images, one image after the other, row after row.
        first: the index of the image's first pixel.
        linear: where a place of the result was, down and right of the middle.
        shift: down and right, as shares of the side.
        fine: pixels of the image, each way; a multiple of ``side``.
        side: pixels of the result, each way.
    """
    step, middle = fine // side, (fine - 1) / 2
    line = jnp.arange(side, dtype=jnp.float32)
    rows, columns = jnp.meshgrid(line, line, indexing="ij")
    total = jnp.zeros((side, side))
    for i, j in itertools.product(range(step), repeat=2):
        down = rows * step + i - middle - shift[0] * fine
        right = columns * step + j - middle - shift[1] * fine
        before_down = linear[0, 0] * down + linear[0, 1] * right
        before_right = linear[1, 0] * down + linear[1, 1] * right
        row = jnp.floor(before_down + middle + 0.5).astype(jnp.int32)
        column = jnp.floor(before_right + middle + 0.5).astype(jnp.int32)
        inside = (row >= 0) & (row < fine) & (column >= 0) & (column < fine)
        places = first + jnp.where(inside, row * fine + column, 0)
        found = jnp.take(pixels, places, mode="clip").astype(jnp.float32)
        total = total + jnp.where(inside, found, 0)
    return total / step**2


def move_by_chance(
    key: PRNGKeyArray,
    images: UInt8[Array, "classes most fine fine"],
    classes: Int[Array, " steps"],
    drawings: Int[Array, " steps"],
    quarters: Int[Array, " steps"],
    *,
    turn: float,
    shift: float,
    distort: float,
    side: int,
) -> Float[Array, "steps side side"]:
    """Return drawings of classes turned, stretched and moved at random.

    Arguments:
        key: the random key.
        images: all drawings.
        classes: the class of each image that is wanted.
        drawings: which of its class's drawings it is.
        quarters: how many quarter turns it is turned by besides.
        turn: the largest angle, in radians.
        shift: the largest shift each way, as a share of the side.
        distort: how far the entries of the linear map differ from those of the identity.
        side: pixels of the result, each way.
    """
    turn_key, shift_key = jax.random.split(key)
    count, (_, most, fine, _) = len(classes), images.shape
    angles = jax.random.uniform(turn_key, (count,), minval=-turn, maxval=turn)
    shifts = jax.random.uniform(shift_key, (count, 2), minval=-shift, maxval=shift)
    # From all pixels at once: to take the images out before costs ten times as much.
    moved = functools.partial(warp, images.reshape(-1), fine=fine, side=side)
    firsts = (classes * most + drawings) * fine**2
    maps = rotation(angles + quarters.astype(jnp.float32) * (math.pi / 2))
    if distort:
        key = jax.random.fold_in(key, 2)
        noise = jax.random.uniform(key, (count, 2, 2), minval=-distort, maxval=distort)
        maps = jnp.einsum("nij,njk->nik", jnp.eye(2) + noise, maps)
    return jax.vmap(moved)(firsts, maps, shifts)
