"""Deterministic context-free tasks: a stack, and expressions in brackets; a stack does.

The fourth task of this level is `softmachine.tasks.languages.reverse_string.ReverseString`.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, PRNGKeyArray

from softmachine.tasks.chomsky.expressions import draw_expression, is_expression, value_of
from softmachine.tasks.chomsky.words import (
    END,
    MODULUS,
    EndingTask,
    OneLetterTask,
    Word,
    ended,
    random_word,
)
from softmachine.tasks.registry import task

POP, PUSH = 2, 3
"""Indices of what is done with a stack: take the top off, put 0 on it; 1 is the next."""
OPENING, TIMES_OPENING = 7, 8
"""Indices of the opening bracket, without and with products."""
UNKNOWN, EQUALS = 9, 10


@task("stack-manipulation")
@dataclasses.dataclass(frozen=True, kw_only=True)
class StackManipulation(EndingTask):
    """Given a stack, bottom first, and what is done with it, tell what is left, top first.

    After the stack, of 1 to size - 1 letters, ``p`` pops the top, ``o`` pushes 0 and ``i``
    pushes 1. To pop nothing changes nothing. A single letter is a stack to which nothing is
    done. Source: Delétang et al. 2023 (arXiv 2207.02098), ``stack_manipulation``.

    >>> task = StackManipulation()
    >>> print(task.render(task.own_example("0110ipp", most=100)))
    input   0110ipp........
    target  .......110$....

    With a random string:

    >>> print(task.render(task.sample(jax.random.key(2), 6, max_size=6)))
    input   110pii.......
    target  ......1111$..
    """

    letters = "01poi"
    answers = "01" + END

    def answer_length(self, size: Any) -> Any:
        """Return room for all letters, and the end."""
        return size + 1

    def accepts(self, text: str) -> bool:
        """Return whether a stack comes first."""
        return bool(re.fullmatch(r"[01][poi]*|[01]+[poi]+", text))

    def draw(self, key: PRNGKeyArray, size: Int[Array, ""] | int, max_size: int) -> Word:
        """Draw how many letters the stack has, its letters, and what is done."""
        count_key, letters_key, actions_key = jax.random.split(key, 3)
        most = jnp.maximum(size, 2)  # a single letter is a stack
        count = jax.random.randint(count_key, (), 1, most, jnp.int32)
        actions = POP + random_word(actions_key, max_size, 3)
        stack = random_word(letters_key, max_size, 2)
        return jnp.where(jnp.arange(max_size) < count, stack, actions)

    def solve(self, string: Word, size: Int[Array, ""] | int, length: int) -> Word:
        """Return what is left, by doing it; letters of the stack are pushed first."""

        def act(carry, letter_place):
            stack, height = carry
            letter, place = letter_place
            pops, there = letter == POP, place < size
            pushed = jnp.where(letter >= PUSH, letter - PUSH, letter)
            top = jnp.where(there & ~pops, height, len(stack))  # beyond: dropped
            stack = stack.at[top].set(pushed, mode="drop")
            height = jnp.where(pops, jnp.maximum(height - 1, 0), height + 1)
            return (stack, jnp.where(there, height, carry[1])), None

        nothing = jnp.zeros_like(string), jnp.zeros((), jnp.int32)
        letters = string, jnp.arange(len(string))
        (stack, height), _ = jax.lax.scan(act, nothing, letters)
        top_first = stack[(height - 1 - jnp.arange(len(stack))) % len(stack)]
        return ended(top_first, height, self.answers.index(END), length)


@task("modular-arithmetic-brackets")
@dataclasses.dataclass(frozen=True, kw_only=True)
class ModularArithmeticBrackets(OneLetterTask):
    """Compute, modulo 5, an expression in brackets of digits, sums, differences and products.

    `softmachine.tasks.chomsky.expressions` tells what expressions there are. Source: Delétang
    et al. 2023 (arXiv 2207.02098), ``modular_arithmetic_brackets``.

    >>> task = ModularArithmeticBrackets()
    >>> print(task.render(task.own_example("((-3)*(2+4))", most=100)))
    input   ((-3)*(2+4)).
    target  ............2

    With a random expression:

    >>> print(task.render(task.sample(jax.random.key(2), 10, max_size=10)))
    input   ((-3)*(3)).
    target  ..........1
    """

    letters = "01234+-*()"
    answers = "01234"

    def accepts(self, text: str) -> bool:
        """Return whether it is an expression."""
        return is_expression(text, "+-*")

    def draw(self, key: PRNGKeyArray, size: Int[Array, ""] | int, max_size: int) -> Word:
        """Draw an expression."""
        return draw_expression(key, size, max_size, operators=3, opening=TIMES_OPENING)

    def value(self, string: Word, size: Int[Array, ""] | int) -> Int[Array, ""]:
        """Return the value, modulo 5."""
        return value_of(string, size, TIMES_OPENING)


@task("solve-equation")
@dataclasses.dataclass(frozen=True, kw_only=True)
class SolveEquation(OneLetterTask):
    """Find the digit x that makes an equation right, modulo 5.

    The left side is an expression in brackets with x in place of a digit, the right side its
    value. There are sums and differences only, as in the published code, so that there is
    always one solution and never a second one; the paper's example has a product. Strings of 1
    and 2 letters are zeros, with the answer 0. Source: Delétang et al. 2023 (arXiv 2207.02098),
    ``solve_equation``.

    >>> task = SolveEquation()
    >>> print(task.render(task.own_example("((-x)+(2-4))=1", most=100)))
    input   ((-x)+(2-4))=1.
    target  ..............2

    With a random equation:

    >>> print(task.render(task.sample(jax.random.key(2), 10, max_size=10)))
    input   ((0)+-x)=2.
    target  ..........3
    """

    letters = "01234+-()x="
    answers = "01234"

    def accepts(self, text: str) -> bool:
        """Return whether it is an equation in one x, or one or two zeros."""
        left, right = text[:-2], text[-2:]
        if len(text) < 3:
            return not text.strip("0")
        expression = left.count("x") == 1 and is_expression(left.replace("x", "0"), "+-")
        return expression and bool(re.fullmatch("=[0-4]", right))

    def draw(self, key: PRNGKeyArray, size: Int[Array, ""] | int, max_size: int) -> Word:
        """Draw an expression, and the place after which the next digit becomes x."""
        expression_key, place_key = jax.random.split(key)
        count = jnp.maximum(size - 2, 1)
        word = draw_expression(expression_key, count, max_size, operators=2, opening=OPENING)
        value = value_of(word, count, OPENING)
        place, places = jax.random.randint(place_key, (), 0, count), jnp.arange(max_size)
        digit = (word < MODULUS) & (places < count)
        hidden = jnp.argmin(jnp.where(digit, (places - place) % count, max_size))
        word = jnp.where(places == hidden, UNKNOWN, word)
        word = jnp.where(places == count, EQUALS, jnp.where(places > count, value, word))
        return jnp.where(size < 3, 0, word)

    def value(self, string: Word, size: Int[Array, ""] | int) -> Int[Array, ""]:
        """Return x, from the values of the left side with 0 and with 1 in its place."""
        nothing, one = (
            value_of(jnp.where(string == UNKNOWN, x, string), size - 2, OPENING) for x in (0, 1)
        )
        # The left side is linear in x, with the factor 1 or -1.
        solution = (string[size - 1] - nothing) * (one - nothing) % MODULUS
        return jnp.where(size < 3, 0, solution)
