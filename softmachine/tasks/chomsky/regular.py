"""Regular tasks: two ends, a sum, a number of ones, a walk on a circle; a finite state does."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, PRNGKeyArray

from softmachine.core.choices import check_fields
from softmachine.tasks.chomsky.words import MODULUS, OneLetterTask, Source, Word, random_word
from softmachine.tasks.registry import task

OPERATORS = "+-*"


class RegularTask(OneLetterTask):
    """A task that a finite automaton solves."""

    def items(self, size: int) -> int:
        """Return 1: there is nothing to keep but a state."""
        del size
        return 1


@task("even-pairs")
@dataclasses.dataclass(frozen=True, kw_only=True)
class EvenPairs(RegularTask):
    """Tell whether the neighbours 01 and 10 are, together, even (0) or odd (1) in number.

    That is, whether the first letter is the last. Source: Delétang et al. 2023 (arXiv
    2207.02098), ``even_pairs``.

    >>> task = EvenPairs()
    >>> print(task.render(task.own_example("0101001", most=100)))
    input   0101001.
    target  .......1

    With a random string:

    >>> print(task.render(task.sample(jax.random.key(2), 4, max_size=4)))
    input   1011.
    target  ....0
    """

    letters = answers = "01"

    def draw(self, key: PRNGKeyArray, size: Int[Array, ""] | int, max_size: int) -> Word:
        """Draw letters, all equally likely."""
        del size
        return random_word(key, max_size, 2)

    def value(self, string: Word, size: Int[Array, ""] | int) -> Int[Array, ""]:
        """Return 1 if first and last letter differ."""
        return (string[0] != string[size - 1]).astype(jnp.int32)


@task("parity-check")
@dataclasses.dataclass(frozen=True, kw_only=True)
class ParityCheck(RegularTask):
    """Tell whether the number of ones is even (0) or odd (1).

    Source: Delétang et al. 2023 (arXiv 2207.02098), ``parity_check``.

    >>> task = ParityCheck()
    >>> print(task.render(task.own_example("1010100", most=100)))
    input   1010100.
    target  .......1

    With a random string:

    >>> print(task.render(task.sample(jax.random.key(2), 4, max_size=4)))
    input   1011.
    target  ....1
    """

    letters = answers = "01"

    def draw(self, key: PRNGKeyArray, size: Int[Array, ""] | int, max_size: int) -> Word:
        """Draw letters, all equally likely."""
        del size
        return random_word(key, max_size, 2)

    def value(self, string: Word, size: Int[Array, ""] | int) -> Int[Array, ""]:
        """Return the parity of the sum."""
        return jnp.sum(jnp.where(jnp.arange(len(string)) < size, string, 0)) % 2


@task("cycle-navigation")
@dataclasses.dataclass(frozen=True, kw_only=True)
class CycleNavigation(RegularTask):
    """Tell where on a circle of five places a walk from place 0 ends.

    In the published code 0 is a step back, 1 to stay, 2 a step on; in the paper 0 is to stay, 1
    a step on, 2 a step back. Source: Delétang et al. 2023 (arXiv 2207.02098),
    ``cycle_navigation``.

    >>> task = CycleNavigation()
    >>> print(task.render(task.own_example("20100", most=100)))
    input   20100.
    target  .....3

    The same string as the paper reads it:

    >>> task = CycleNavigation(source="paper")
    >>> print(task.render(task.own_example("20100", most=100)))
    input   20100.
    target  .....0
    """

    source: Source = "repo"

    letters = "012"
    answers = "01234"

    def __post_init__(self) -> None:
        """Check the source."""
        check_fields(self)

    def draw(self, key: PRNGKeyArray, size: Int[Array, ""] | int, max_size: int) -> Word:
        """Draw letters, all equally likely."""
        del size
        return random_word(key, max_size, len(self.letters))

    def value(self, string: Word, size: Int[Array, ""] | int) -> Int[Array, ""]:
        """Return the sum of the steps, modulo 5."""
        moves = jnp.array({"repo": (-1, 0, 1), "paper": (0, 1, -1)}[self.source])
        steps = jnp.where(jnp.arange(len(string)) < size, moves[string], 0)
        return (jnp.sum(steps) % MODULUS).astype(jnp.int32)


@task("modular-arithmetic")
@dataclasses.dataclass(frozen=True, kw_only=True)
class ModularArithmetic(RegularTask):
    """Compute, modulo 5, sums, differences and products of digits; products first.

    An expression has an odd number of letters: of an even size one fewer in the published code,
    one more in the paper. Source: Delétang et al. 2023 (arXiv 2207.02098),
    ``modular_arithmetic``.

    >>> task = ModularArithmetic()
    >>> print(task.render(task.own_example("0*1+4*3-2", most=100)))
    input   0*1+4*3-2.
    target  .........0

    With a random expression:

    >>> print(task.render(task.sample(jax.random.key(2), 6, max_size=6)))
    input   2+4-1.
    target  .....0
    """

    source: Source = "repo"

    letters = "01234" + OPERATORS
    answers = "01234"

    def __post_init__(self) -> None:
        """Check the source."""
        check_fields(self)

    def string_length(self, size: Any) -> Any:
        """Return the next odd number, below or above an even size."""
        return size - (1 - size % 2) if self.source == "repo" else size + 1 - size % 2

    def accepts(self, text: str) -> bool:
        """Return whether digits and operators alternate."""
        return bool(re.fullmatch(r"[0-4]([-+*][0-4])*", text))

    def draw(self, key: PRNGKeyArray, size: Int[Array, ""] | int, max_size: int) -> Word:
        """Draw digits and operators, all equally likely."""
        del size
        digits_key, operators_key = jax.random.split(key)
        digits = random_word(digits_key, max_size, MODULUS)
        operators = MODULUS + random_word(operators_key, max_size, len(OPERATORS))
        return jnp.where(jnp.arange(max_size) % 2 == 0, digits, operators)

    def value(self, string: Word, size: Int[Array, ""] | int) -> Int[Array, ""]:
        """Return the value, from the sum of whole terms and the term that goes on."""
        _, minus, times = (MODULUS + i for i in range(3))

        def operation(carry, operator_digit_place):
            total, term = carry
            operator, digit, place = operator_digit_place
            goes_on = operator == times
            total_after = jnp.where(goes_on, total, total + term)
            sign = jnp.where(operator == minus, -1, 1)
            term_after = jnp.where(goes_on, term * digit, sign * digit) % MODULUS
            there = place < size
            total = jnp.where(there, total_after, total) % MODULUS
            return (total, jnp.where(there, term_after, term)), None

        pairs = string[1::2], string[2::2], jnp.arange(2, len(string), 2)
        (total, term), _ = jax.lax.scan(
            operation, (jnp.zeros_like(string[0]), string[0]), pairs
        )
        return (total + term) % MODULUS
