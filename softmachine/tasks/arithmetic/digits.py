"""Arithmetic on digits, lowest first, in any base and of any length; no large integers.

Digits are int32, shape (places,), from 0 to base - 1; places beyond a number hold zeros. Sums
and products are reduced place by place, so that numbers of thousands of digits are exact.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, PRNGKeyArray

Digits = Int[Array, " places"]


def carried(values: Digits, base: int) -> Digits:
    """Return the digits of the number sum of values[i] * base**i; what overflows is lost.

    ``values`` are at least 0, and with base below 2**31.

    >>> carried(jnp.array([12, 3, 9, 0]), 10).tolist()
    [2, 4, 9, 0]
    >>> carried(jnp.array([1, 1, 2]), 2).tolist()
    [1, 1, 0]
    """

    def place(carry, value):
        total = value + carry
        return total // base, total % base

    return jax.lax.scan(place, jnp.zeros((), values.dtype), values)[1]


def product(first: Digits, second: Int[Array, " fewer"], base: int) -> Digits:
    """Return the digits of a product, as many as the first factor has places.

    >>> product(jnp.array([2, 1, 0, 0]), jnp.array([5, 3, 0, 0]), 10).tolist()  # 12 * 35
    [0, 2, 4, 0]
    """

    def row(carry, digit):
        total, moved = carry
        next_moved = jnp.concatenate([jnp.zeros_like(moved[:1]), moved[:-1]])
        return (total + digit * moved, next_moved), None

    (total, _), _ = jax.lax.scan(row, (jnp.zeros_like(first), first), second)
    return carried(total, base)


def complement(
    digits: Digits, count: Int[Array, ""] | int, base: int, *, overflow: Bool[Array, ""] | bool
) -> Digits:
    """Return base**count - number, less 1 without ``overflow``: with it, every digit carries.

    The number has ``count`` digits; with overflow it must not be 0.

    >>> number = jnp.array([7, 3, 1, 0, 0])  # 137
    >>> complement(number, 4, 10, overflow=False).tolist()
    [2, 6, 8, 9, 0]
    >>> complement(number, 4, 10, overflow=True).tolist()
    [3, 6, 8, 9, 0]
    """
    places = jnp.arange(len(digits))
    nines = jnp.where(places < count, base - 1 - digits, 0)
    one = jnp.where(places == 0, jnp.asarray(overflow).astype(digits.dtype), 0)
    return carried(nines + one, base)


def uniform(key: PRNGKeyArray, places: int, count: Int[Array, ""] | int, base: int) -> Digits:
    """Draw ``count`` digits, all equally likely, leading zeros included; zeros after them."""
    drawn = jax.random.randint(key, (places,), 0, base, jnp.int32)
    return jnp.where(jnp.arange(places) < count, drawn, 0)


def carrying(
    key: PRNGKeyArray,
    places: int,
    count: Int[Array, ""] | int,
    base: int,
    overflow: Bool[Array, ""] | bool | None = None,
) -> tuple[Digits, Digits]:
    """Draw two numbers that sum to base**count, or to one less: a carry chain of that length.

    Either no digit carries, and every pair of digits sums to base - 1; or, with ``overflow``, a
    carry runs from the first digit that is not 0 through all others. None: one or the other.

    Source: the tests of Price, Zaremba & Sutskever 2016 (arXiv 1611.00736; code
    openai/ecprice-neural-gpu).
    """
    number_key, low_key, overflow_key = jax.random.split(key, 3)
    if overflow is None:
        overflow = jax.random.bernoulli(overflow_key)
    number = uniform(number_key, places, count, base)
    # A number other than 0: base**count - 0 has a digit too many.
    low = jax.random.randint(low_key, (), 1, base, jnp.int32)
    nothing = ~jnp.any(number > 0) & jnp.asarray(overflow)
    number = jnp.where(nothing & (jnp.arange(places) == 0), low, number)
    return number, complement(number, count, base, overflow=overflow)


def block_and_small(
    low: Int[Array, ""] | int, high: Int[Array, ""] | int, small: Digits, base: int
) -> tuple[Digits, Digits]:
    """Return base**high - base**(low - 1), a block of nines, and the low digits of ``small``.

    >>> small = jnp.array([7, 3, 5, 0, 0])
    >>> [x.tolist() for x in block_and_small(2, 4, small, 10)]  # 9990 and 37
    [[0, 9, 9, 9, 0], [7, 3, 0, 0, 0]]
    """
    places = jnp.arange(len(small))
    block = jnp.where((places >= low - 1) & (places < high), base - 1, 0)
    return block.astype(small.dtype), jnp.where(places < low, small, 0)


def tough(
    key: PRNGKeyArray, places: int, count: Int[Array, ""] | int, base: int
) -> tuple[Digits, Digits]:
    """Draw two numbers of ``count`` digits of which many carry far.

    One in five is a block of the largest digits and a small number, one in five sums to a
    power of the base or one less (`carrying`), the others are uniform; either may be first.

    Source: the training data of Price, Zaremba & Sutskever 2016 (arXiv 1611.00736; code
    openai/ecprice-neural-gpu).
    """
    keys = jax.random.split(key, 9)
    kind = jax.random.uniform(keys[0])
    plain = tuple(uniform(key, places, count, base) for key in keys[1:3])
    ends = jax.random.randint(keys[3], (2,), 1, count + 1, jnp.int32)
    block = block_and_small(jnp.min(ends), jnp.max(ends), plain[0], base)
    part = jax.random.randint(keys[4], (), 1, count + 1, jnp.int32)
    chain = jnp.where(jax.random.bernoulli(keys[5]), count, part)
    chained = carrying(keys[6], places, chain, base)
    pair = [
        jnp.where(kind < 0.2, a, jnp.where(kind < 0.4, b, c))
        for a, b, c in zip(block, chained, plain, strict=True)
    ]
    swapped = jax.random.bernoulli(keys[7])
    return jnp.where(swapped, pair[1], pair[0]), jnp.where(swapped, pair[0], pair[1])


def hard_factors(
    key: PRNGKeyArray, places: int, count: Int[Array, ""] | int, base: int
) -> tuple[Digits, Digits]:
    """Draw two numbers that are hard to multiply for machines that multiply random ones.

    One of five kinds: a digit times a digit, after many zeros; all digits the largest; powers
    of the base; 0 or 1 times any number; a number times itself.

    Source: failures reported by Price, Zaremba & Sutskever 2016 (arXiv 1611.00736) for the
    first kind; the others are of the same spirit.
    """
    keys = jax.random.split(key, 6)
    index = jnp.arange(places)
    low = jax.random.randint(keys[0], (2,), 0, base, jnp.int32)
    power = jax.random.randint(keys[1], (2,), 0, count, jnp.int32)
    number = uniform(keys[2], places, count, base)
    one = jax.random.randint(keys[3], (), 0, 2, jnp.int32)

    def at(place, digit):
        return jnp.where(index == place, digit, 0).astype(jnp.int32)

    nines = jnp.where(index < count, base - 1, 0).astype(jnp.int32)
    kinds = (
        (at(0, low[0]), at(0, low[1])),
        (nines, nines),
        (at(power[0], 1), at(power[1], 1)),
        (at(0, one), number),
        (number, number),
    )
    kind = jax.random.randint(keys[4], (), 0, len(kinds))
    first, second = (jnp.stack(numbers)[kind] for numbers in zip(*kinds, strict=True))
    swapped = jax.random.bernoulli(keys[5])
    return jnp.where(swapped, second, first), jnp.where(swapped, first, second)
