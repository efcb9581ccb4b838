"""Square roots of binary numbers of any length, bit by bit; no large integers."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from softmachine.tasks.chomsky.words import Word

LIMB = 14
"""Bits of a limb. Numbers are limbs, lowest first, int32: four limbs' worth has room in it."""


def square_root(bits: Word) -> Word:
    """Return the bits, lowest first, of the square root, rounded down, of a number.

    Pairs of bits are taken down from the highest on, as in long division: with the root q of
    the pairs so far and the remainder r, the next are ``2q + 1`` and ``4r + pair - (4q + 1)``
    if that is not negative, else ``2q`` and ``4r + pair``.

    >>> square_root(jnp.array([1, 0, 1, 0, 0, 1])).tolist()  # of 37
    [0, 1, 1]
    >>> square_root(jnp.array([1, 1, 1])).tolist()  # of 7
    [0, 1]
    """
    pairs = jnp.append(bits, 0)[: len(bits) + len(bits) % 2].reshape(-1, 2)
    limbs = (len(pairs) + 2) // LIMB + 1

    def pair(carry, pair):
        root, remainder = carry

        def limb(carries, limbs):
            moved, borrowed, bit = carries
            rest, root = limbs
            shifted, doubled = 4 * rest + moved, 4 * root + bit
            lowest = shifted % 2**LIMB
            difference = lowest - doubled % 2**LIMB - borrowed
            carries = shifted >> LIMB, (difference < 0).astype(jnp.int32), doubled >> LIMB
            return carries, (lowest, difference % 2**LIMB)

        one = jnp.ones((), jnp.int32)
        begin = (2 * pair[1] + pair[0], 0 * one, one)
        (_, negative, _), (shifted, less) = jax.lax.scan(limb, begin, (remainder, root))
        fits = 1 - negative
        doubled = 2 * root
        below = jnp.concatenate([fits[None], doubled[:-1] >> LIMB])
        root = doubled % 2**LIMB + below
        return (root, jnp.where(fits, less, shifted)), fits

    nothing = jnp.zeros(limbs, jnp.int32)
    _, highest_first = jax.lax.scan(pair, (nothing, nothing), pairs[::-1])
    return highest_first[::-1]
