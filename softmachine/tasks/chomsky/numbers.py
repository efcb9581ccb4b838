"""Context-sensitive tasks on binary numbers of any length: sum, product, square root."""

from __future__ import annotations

import abc
import dataclasses
import re
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, PRNGKeyArray

from softmachine.core.choices import check_fields
from softmachine.tasks.arithmetic.digits import carried, product, uniform
from softmachine.tasks.chomsky.roots import square_root
from softmachine.tasks.chomsky.words import END, EndingTask, Source, Word, ended
from softmachine.tasks.languages.strings import StringTask
from softmachine.tasks.registry import task

OPERATOR = 2
"""The index of the operator between two numbers."""


def positive(key: PRNGKeyArray, places: int, count: Int[Array, ""] | int) -> Word:
    """Draw a number from 1 to 2**count - 1, all equally likely: bits, lowest first."""

    def draw(key_bits):
        key, draw_key = jax.random.split(key_bits[0])
        return key, uniform(draw_key, places, count, 2)

    first = draw((key, None))
    return jax.lax.while_loop(lambda key_bits: ~jnp.any(key_bits[1] > 0), draw, first)[1]


@dataclasses.dataclass(frozen=True, kw_only=True)
class OfTwoNumbers(EndingTask):
    """Two positive numbers, lowest bit first, with an operator between them.

    The first has 1 to size - 2 bits, all equally likely, its highest zeros included; the second
    has the rest. Strings of 1 and 2 letters are a single number: 0, or 0 to 2.
    """

    answers = "01" + END

    @abc.abstractmethod
    def combine(self, first: Word, second: Word) -> Word:
        """Return the result's bits, in as many places as each number has."""

    def accepts(self, text: str) -> bool:
        """Return whether it is two numbers; of 1 and 2 letters, one."""
        operator = re.escape(self.letters[OPERATOR])
        form = "[01]+" if len(text) < 3 else f"[01]+{operator}[01]+"
        return bool(re.fullmatch(form, text))

    def draw(self, key: PRNGKeyArray, size: Int[Array, ""] | int, max_size: int) -> Word:
        """Draw the length of the first number, and both numbers."""
        count_key, first_key, second_key, few_key = jax.random.split(key, 4)
        count = jax.random.randint(count_key, (), 1, jnp.maximum(size - 1, 2), jnp.int32)
        first = positive(first_key, max_size, count)
        second = positive(second_key, max_size, jnp.maximum(size - 1 - count, 1))
        places = jnp.arange(max_size)
        word = jnp.where(places < count, first, second[places - count - 1])
        word = jnp.where(places == count, OPERATOR, word)
        few = jax.random.randint(few_key, (), 0, jnp.where(size == 1, 1, 3), jnp.int32)
        return jnp.where(size < 3, jnp.where(places < 2, (few >> places) % 2, 0), word)

    def solve(self, string: Word, size: Int[Array, ""] | int, length: int) -> Word:
        """Return the result without leading zeros, the end, and zeros."""
        places = jnp.arange(len(string) + 1)
        string = jnp.where(places < size, jnp.append(string, 0), 0)
        at = jnp.where(jnp.any(string == OPERATOR), jnp.argmax(string == OPERATOR), size)
        first = jnp.where(places < at, string, 0)
        second = jnp.where(places < size - at - 1, string[(places + at + 1) % len(places)], 0)
        bits = self.combine(first, second)
        count = jnp.maximum(jnp.max(jnp.where(bits > 0, places + 1, 0)), 1)
        # Of 1 letter there is no place for the product 0.
        count = jnp.minimum(count, self.answer_length(size) - 1)
        return ended(bits, count, self.answers.index(END), length)


@task("binary-addition")
@dataclasses.dataclass(frozen=True, kw_only=True)
class BinaryAddition(OfTwoNumbers):
    """Add two binary numbers, lowest bit first; a single one stays as it is.

    Source: Delétang et al. 2023 (arXiv 2207.02098), ``binary_addition``.

    >>> task = BinaryAddition()
    >>> print(task.render(task.own_example("001+01101", most=100)))  # 4 + 22
    input   001+01101..........
    target  .........01011$....

    With two random numbers:

    >>> print(task.render(task.sample(jax.random.key(2), 6, max_size=6)))
    input   1010+1.......
    target  ......011$...
    """

    letters = "01+"

    def answer_length(self, size: Any) -> Any:
        """Return ``size`` + 1."""
        return size + 1

    def combine(self, first: Word, second: Word) -> Word:
        """Return the sum."""
        return carried(first + second, 2)


@task("binary-multiplication")
@dataclasses.dataclass(frozen=True, kw_only=True)
class BinaryMultiplication(OfTwoNumbers):
    """Multiply two binary numbers, lowest bit first; a single one is multiplied by 0.

    Of the answer to a single letter there is no more than the end. Source: Delétang et al. 2023
    (arXiv 2207.02098), ``binary_multiplication``.

    >>> task = BinaryMultiplication()
    >>> print(task.render(task.own_example("1001*000001", most=100)))  # 9 * 32
    input   1001*000001...........
    target  ...........000001001$.

    With two random numbers:

    >>> print(task.render(task.sample(jax.random.key(2), 6, max_size=6)))
    input   1010*1......
    target  ......101$..
    """

    letters = "01*"

    def answer_length(self, size: Any) -> Any:
        """Return ``size``."""
        return size

    def combine(self, first: Word, second: Word) -> Word:
        """Return the product."""
        return product(first, second, 2)


@task("compute-sqrt")
@dataclasses.dataclass(frozen=True, kw_only=True)
class ComputeSqrt(StringTask):
    """Take the square root, rounded down, of a positive binary number.

    The root has half as many bits as the number, rounded up, leading zeros included. In the
    published code highest bits come first, in the paper lowest bits. Source: Delétang et al.
    2023 (arXiv 2207.02098), ``compute_sqrt``.

    >>> task = ComputeSqrt()
    >>> print(task.render(task.own_example("100101", most=100)))  # of 37
    input   100101...
    target  ......110

    The same string as the paper reads it:

    >>> task = ComputeSqrt(source="paper")
    >>> print(task.render(task.own_example("100101", most=100)))  # of 41
    input   100101...
    target  ......011
    """

    source: Source = "repo"

    letters: ClassVar[str] = "01"
    answers: ClassVar[str] = "01"

    def __post_init__(self) -> None:
        """Check the source."""
        check_fields(self)

    def answer_length(self, size: Any) -> Any:
        """Return half the size, rounded up."""
        return (size + 1) // 2

    def draw(self, key: PRNGKeyArray, size: Int[Array, ""] | int, max_size: int) -> Word:
        """Draw a number above 0, all equally likely."""
        return self._turned(positive(key, max_size, size), size)

    def solve(self, string: Word, size: Int[Array, ""] | int, length: int) -> Word:
        """Return the root's bits."""
        string = self._turned(string, size)
        bits = square_root(jnp.where(jnp.arange(len(string)) < size, string, 0))
        return self._turned(bits[:length], self.answer_length(size))

    def _turned(self, bits: Word, count: Int[Array, ""] | int) -> Word:
        """Return bits, lowest first, in the order in which they are shown, or the reverse."""
        if self.source == "paper":
            return bits
        return bits[(count - 1 - jnp.arange(len(bits))) % len(bits)]
