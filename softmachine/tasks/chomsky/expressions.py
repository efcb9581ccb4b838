"""Expressions in brackets, modulo 5: how they are drawn, by length, and what they are worth.

An expression E of l letters is a digit (l = 1), a negative digit (2), either of them in
brackets (3 and 4), or, from 5 letters on, ``(E operator E)``, whose first part has 1 to l - 4
letters, all equally likely. Source: the code published with Delétang et al. 2023 (arXiv
2207.02098).
"""

from __future__ import annotations

import re

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, PRNGKeyArray

from softmachine.tasks.chomsky.words import MODULUS, Word, random_word

PLUS, MINUS, TIMES = 5, 6, 7
"""Indices of the operators; digits are their own."""


def draw_expression(
    key: PRNGKeyArray, size: Int[Array, ""] | int, places: int, operators: int, opening: int
) -> Word:
    """Draw an expression of ``size`` letters, padded to ``places``.

    What is known is where an expression begins that is still to be written, and its length;
    from left to right, each writes its own letters and where its parts begin.

    Arguments:
        key: the random key.
        size: the number of letters; may be traced.
        places: the length of the result.
        operators: how many of the operators are drawn, all equally likely: 2 or 3.
        opening: the index of the opening bracket; the closing one's is the next.
    """
    keys = jax.random.split(key, 3)
    digits = random_word(keys[0], places, MODULUS)
    drawn = PLUS + random_word(keys[1], places, operators)
    random = jax.random.bits(keys[2], (places,))

    def place(carry, here):
        lengths, word = carry
        i, digit, operator, bits = here
        length = lengths[i]
        large = length >= 5
        first = 1 + (bits % jnp.maximum(length - 4, 1).astype(bits.dtype)).astype(jnp.int32)
        letter = jnp.where(length == 1, digit, jnp.where(length == 2, MINUS, opening))
        word = word.at[i].set(jnp.where(length > 0, letter, word[i]))
        # What is not there is written beyond the end, where it is dropped.
        beyond = len(word)
        inner = jnp.where(length == 2, 1, jnp.where(large, first, length - 2))
        lengths = lengths.at[jnp.where(length > 1, i + 1, beyond)].set(inner, mode="drop")
        second = jnp.where(large, i + 2 + first, beyond)
        lengths = lengths.at[second].set(length - 3 - first, mode="drop")
        word = word.at[jnp.where(large, i + 1 + first, beyond)].set(operator, mode="drop")
        closing = jnp.where(length > 2, i + length - 1, beyond)
        return (lengths, word.at[closing].set(opening + 1, mode="drop")), None

    lengths = jnp.zeros(places, jnp.int32).at[0].set(size)
    steps = jnp.arange(places), digits, drawn, random
    (_, word), _ = jax.lax.scan(place, (lengths, jnp.zeros(places, jnp.int32)), steps)
    return word


def value_of(word: Word, size: Int[Array, ""] | int, opening: int) -> Int[Array, ""]:
    """Return the value, modulo 5, of an expression of ``size`` letters.

    For every open bracket there are the value so far and the operator after it.
    """

    def letter(carry, here):
        values, operators, depth, sign, before = carry
        i, letter = here
        digit, opens, closes = letter < MODULUS, letter == opening, letter == opening + 1
        operator = ~digit & ~opens & ~closes
        unary = operator & (before >= MODULUS) & (before != opening + 1)
        after = depth + opens.astype(jnp.int32) - closes.astype(jnp.int32)
        part = jnp.where(closes, values[depth], sign * letter)
        left, pending = values[after], operators[after]
        result = jnp.select(
            [pending == PLUS, pending == MINUS, pending == TIMES],
            [left + part, left - part, left * part],
            part,
        )
        value = jnp.where(digit | closes, result % MODULUS, left)
        pending = jnp.where(opens, 0, jnp.where(operator & ~unary, letter, pending))
        new = (
            values.at[after].set(value),
            operators.at[after].set(pending),
            after,
            jnp.where(unary, -1, 1),
            letter,
        )
        return jax.tree.map(lambda x, y: jnp.where(i < size, x, y), new, carry), None

    nothing = jnp.zeros(len(word) + 1, jnp.int32)
    zero = jnp.zeros((), jnp.int32)
    first = (nothing, nothing, zero, zero + 1, zero + opening)
    (values, *_), _ = jax.lax.scan(letter, first, (jnp.arange(len(word)), word))
    return values[0]


def is_expression(text: str, operators: str) -> bool:
    """Return whether a text is an expression with these operators, ``-`` among them.

    >>> is_expression("((-3)*(2+4))", "+-*")
    True
    >>> [is_expression(text, "+-") for text in ("1+2", "((1))", "(1*2)", "(1--2)")]
    [False, False, False, True]
    """
    part = r"(?:e|-?[0-4])"
    pair = re.compile(rf"\({part}[{re.escape(operators)}]{part}\)")
    text, found = re.sub(r"\(-?[0-4]\)", "e", text.replace("e", "?")), 1
    while found:
        text, found = pair.subn("e", text)
    return bool(re.fullmatch(part, text))
