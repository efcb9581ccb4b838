"""The images of a part of a source as arrays, and drawing classes of them by chance."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, PRNGKeyArray, Shaped, UInt8

from softmachine.core.errors import SoftmachineError
from softmachine.tasks.one_shot.alignment import FULL, align
from softmachine.tasks.one_shot.images import NO_GROUP, Images, ImageSource, Part

MOST_DRAWINGS = 20
"""How many drawings of a class an episode chooses from; further ones are never shown."""
TURNS = 4
"""Quarter turns, each of which makes a class of its own of the images of a class."""
NOBODY = -1
"""Fills up rows of the members of groups."""


class Drawings(NamedTuple):
    """The images that episodes are made of, as arrays."""

    images: UInt8[Array | np.ndarray, "classes most fine fine"]
    """Ink bright, 0 to 255; finer than they are shown, if they are turned or moved before."""
    counts: Int[Array | np.ndarray, " classes"]
    """How many drawings each class has."""
    members: Int[Array | np.ndarray, "groups largest"] | None = None
    """The classes of each group, -1 after the last, if all of an episode are of one group."""


@functools.lru_cache(maxsize=8)
def load_drawings(
    source: ImageSource, part: Part, side: int, *, aligned: bool, by_group: bool
) -> Drawings:
    """Return the drawings of a part, ``side`` by ``side``, in NumPy arrays.

    Arguments:
        source: where they are from.
        part: training or tests.
        side: pixels each way.
        aligned: bring them to the same place, size and slant.
        by_group: give the members of each group, too.

    Raises SoftmachineError if they cannot be had, or have no groups and should.
    """
    images = source.load(part, side_to_load(side, aligned=aligned))
    if len(images.counts) < 2:
        raise SoftmachineError(f"there is only {len(images.counts)} class of images for {part}")
    counts = np.minimum(images.counts, MOST_DRAWINGS).astype(np.int32)
    return Drawings(
        prepared(images.drawings[:, :MOST_DRAWINGS], side, aligned=aligned),
        counts,
        _members(images, part) if by_group else None,
    )


def side_to_load(side: int, *, aligned: bool) -> int:
    """Return how many pixels each way `prepared` is to be given."""
    return max(side, FULL) if aligned else side


def prepared(
    drawings: UInt8[np.ndarray, "*n full full"], side: int, *, aligned: bool
) -> UInt8[np.ndarray, "*n side side"]:
    """Return drawings as an episode begins with them, ``side`` by ``side``."""
    return align(drawings, side) if aligned else drawings


def _members(images: Images, part: Part) -> Int[np.ndarray, "groups largest"]:
    groups = [np.flatnonzero(images.groups == group) for group in np.unique(images.groups)
              if group != NO_GROUP]  # fmt: skip
    if not groups:
        raise SoftmachineError(
            f"classes of one group need images in groups, such as alphabets; those for {part} "
            "have none: Omniglot has, and a folder whose class folders lie in folders"
        )
    return _filled_up(groups)


def _filled_up(rows: Sequence[np.ndarray]) -> Int[np.ndarray, "rows longest"]:
    filled = np.full((len(rows), max(map(len, rows))), NOBODY, np.int32)
    for line, row in zip(filled, rows, strict=True):
        line[: len(row)] = row
    return filled


def choose_classes(
    key: PRNGKeyArray, data: Drawings, count: int, turns: int
) -> tuple[Int[Array, " count"], Int[Array, " count"]]:
    """Return ``count`` different classes, and how many quarter turns each is turned by.

    Of all classes; or, if ``data`` has members of groups, of one group, all turned alike: so
    there is no class among them twice. Groups come as often as they have classes, those of
    fewer than ``count`` never. ``turns`` is 1 or `TURNS`.

    Raises ValueError if there are not as many.
    """
    if data.members is None:
        total = len(data.counts) * turns
        if total < count:
            raise ValueError(
                f"an episode of {count} classes needs as many, these images have {total}"
            )
        classes = choose(key, total, count)
        return classes // turns, classes % turns
    largest = data.members.shape[1]
    if largest < count:
        raise ValueError(
            f"an episode of {count} classes of one group needs a group of as many, the largest "
            f"of these has {largest}"
        )
    key, group_key, turn_key = jax.random.split(key, 3)
    sizes = jnp.sum(jnp.asarray(data.members) != NOBODY, axis=1)
    group = jax.random.categorical(group_key, jnp.log(jnp.where(sizes < count, 0, sizes)))
    classes = jnp.asarray(data.members)[group][choose(key, sizes[group], count)]
    return classes, jnp.full(count, jax.random.randint(turn_key, (), 0, turns))


def choose_order(
    key: PRNGKeyArray, size: Int[Array, ""] | int, steps: int, each: int | None
) -> Int[Array, " steps"]:
    """Return the class of each image, a number below ``size``, drawn anew for each image.

    Or first each class exactly ``each`` times, all orders equally likely; then drawn anew.
    """
    if each is None:
        return jax.random.randint(key, (steps,), 0, size)
    places = jnp.arange(steps)
    beyond = jnp.where(places < size * each, 0.0, 2.0)
    noise = jax.random.uniform(key, (steps,)) + beyond
    anew = jax.random.randint(jax.random.fold_in(key, 1), (steps,), 0, size)
    return jnp.where(places < size * each, jnp.argsort(noise) // each, anew)


def choose_drawings(
    key: PRNGKeyArray,
    counts: Int[Array, " size"],
    shown: Int[Array, " steps"],
    instances: Int[Array, " steps"],
) -> Int[Array, " steps"]:
    """Return which drawing of its class each image is: none twice before all were shown.

    Arguments:
        key: the random key.
        counts: how many drawings each of the classes has.
        shown: the class of each image.
        instances: which image of its class it is, from 1 on.
    """
    places = jnp.arange(MOST_DRAWINGS)
    noise = jax.random.uniform(key, (len(counts), MOST_DRAWINGS))
    noise = noise + jnp.where(places < counts[:, None], 0.0, 2.0)
    orders = jnp.argsort(noise, axis=1)
    return orders[shown, (instances - 1) % counts[shown]]


def choose(key: PRNGKeyArray, total: Int[Array, ""] | int, count: int) -> Int[Array, " count"]:
    """Return ``count`` different numbers below ``total``, all orders equally likely.

    Source: Floyd's algorithm (Bentley & Floyd 1987), then a shuffle.
    """
    key, order = jax.random.split(key)

    def one_more(i, state):
        chosen, key = state
        last = total - count + i
        number = jax.random.randint(jax.random.fold_in(key, i), (), 0, last + 1)
        number = jnp.where(jnp.any(chosen == number), last, number)
        return chosen.at[i].set(number), key

    chosen, _ = jax.lax.fori_loop(0, count, one_more, (jnp.full(count, -1), key))
    return jax.random.permutation(order, chosen)


def instance_numbers(classes: Shaped[Array, " steps"]) -> Int[Array, " steps"]:
    """Return for each step how many of its class there were up to it, itself included.

    >>> instance_numbers(jnp.array([2, 0, 2, 1, 0, 2, 1, 0])).tolist()
    [1, 1, 2, 1, 2, 3, 2, 3]
    """
    same = classes[:, None] == classes
    return jnp.sum(jnp.tril(same), axis=1)
