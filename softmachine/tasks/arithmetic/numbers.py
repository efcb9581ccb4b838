"""Tasks on numbers, lowest digit first: increment, addition, multiplication in several bases.

Source of the formats: Kaiser & Sutskever 2016 (arXiv 1511.08228), section 3, and the public
codes of it, of Freivalds & Liepins 2017 (arXiv 1702.08727) and of Price et al. 2016 (arXiv
1611.00736). These differ in what stands after the last digit of a result; here it is a choice.
"""

from __future__ import annotations

import abc
import dataclasses
from typing import Annotated, ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, PRNGKeyArray

from softmachine.core.choices import Bounds, Share, check_fields
from softmachine.tasks.arithmetic.aligned import PADDING, AlignedTask, Letters
from softmachine.tasks.arithmetic.digits import (
    Digits,
    carried,
    carrying,
    hard_factors,
    product,
    tough,
    uniform,
)
from softmachine.tasks.registry import task

DIGITS = "0123456789"
PLUS, TIMES = 11, 12
"""Indices of the operators in `LETTERS`."""
LETTERS = PADDING + DIGITS + "+*"
"""Letters of inputs, the same for all bases and operations: digit d is letter d + 1."""
Base = Annotated[int, Bounds(least=2, most=10)]


@dataclasses.dataclass(frozen=True, kw_only=True)
class OfNumbers(AlignedTask):
    """A task on numbers in a base."""

    base: Base = 2

    @property
    def letters(self) -> str:
        """Padding, ten digits in every base, and the operators."""
        return LETTERS

    @property
    def answers(self) -> str:
        """Padding and ten digits."""
        return PADDING + DIGITS


@task("increment-number")
@dataclasses.dataclass(frozen=True, kw_only=True)
class IncrementNumber(OfNumbers):
    """Add one to a number of ``size`` digits; of all nines come all zeros.

    Leading zeros are allowed. Half of the examples carry far: a random share of their low
    digits are nines (the largest digit). Sources: see the module's.

    >>> task = IncrementNumber()
    >>> print(task.render(task.own_example("110", most=100)))  # 3 + 1 = 4
    input   110
    target  001

    In base 10, 299 + 1:

    >>> task = IncrementNumber(base=10)
    >>> print(task.render(task.own_example("992", most=100)))
    input   992
    target  003
    """

    smallest = 1

    def __post_init__(self) -> None:
        """Check the base."""
        check_fields(self)

    def draw(self, key: PRNGKeyArray, size: Int[Array, ""] | int, max_size: int) -> Letters:
        """Draw digits, all equally likely; in half of the examples low ones are nines."""
        digits_key, kind_key, low_key = jax.random.split(key, 3)
        digits = uniform(digits_key, max_size, size, self.base)
        low = jax.random.randint(low_key, (), 0, size + 1, jnp.int32)
        low = jnp.where(jax.random.bernoulli(kind_key), low, 0)
        return jnp.where(jnp.arange(max_size) < low, self.base - 1, digits) + 1

    def solve(self, letters: Letters, size: Int[Array, ""] | int) -> Letters:
        """Return the digits of the number plus one."""
        places = jnp.arange(len(letters))
        digits = jnp.where(places < size, letters - 1, 0) + jnp.where(places == 0, 1, 0)
        return jnp.where(places < size, carried(digits, self.base) + 1, 0)

    def well_formed(self, letters: np.ndarray) -> bool:
        """Return whether all letters are digits of the base."""
        return bool(((letters > 0) & (letters <= self.base)).all())


@dataclasses.dataclass(frozen=True, kw_only=True)
class OfTwoNumbers(OfNumbers):
    """Two numbers of k digits each, with an operator between them, in ``size`` = 2k + 1 places.

    Leading zeros are allowed. Where a size does not come out, what is left over is padding.
    """

    result: Literal["trimmed", "zeros"] = "trimmed"
    """What stands after the last digit of a result that is not 0: padding, or zeros up to the
    last place that an operand or the operator has."""
    hard: Share = 0.0
    """Share of the examples that are hard; the others are uniform."""

    operator: ClassVar[int]
    smallest = 3

    @abc.abstractmethod
    def combine(self, first: Digits, second: Digits) -> Digits:
        """Return the result's digits."""

    @abc.abstractmethod
    def draw_hard(
        self, key: PRNGKeyArray, places: int, count: Int[Array, ""] | int
    ) -> tuple[Digits, Digits]:
        """Draw two numbers of ``count`` digits that are hard."""

    def digits_of(self, size: Int[Array, ""] | int) -> Int[Array, ""] | int:
        """Return how many digits each number has: (size - 1) // 2, rounded down."""
        return (size - 1) // 2

    def numbers(
        self, key: PRNGKeyArray, places: int, count: Int[Array, ""] | int
    ) -> tuple[Digits, Digits]:
        """Draw two numbers of ``count`` digits, in ``places`` places."""
        kind_key, hard_key, *keys = jax.random.split(key, 4)
        first, second = (uniform(key, places, count, self.base) for key in keys)
        if not self.hard:
            return first, second
        is_hard = jax.random.uniform(kind_key) < self.hard
        pair = self.draw_hard(hard_key, places, count)
        return jnp.where(is_hard, pair[0], first), jnp.where(is_hard, pair[1], second)

    def draw(self, key: PRNGKeyArray, size: Int[Array, ""] | int, max_size: int) -> Letters:
        """Draw two numbers, and write them with the operator between them."""
        count = self.digits_of(size)
        return self.written(*self.numbers(key, max_size, count), count)

    def written(self, first: Digits, second: Digits, count: Int[Array, ""] | int) -> Letters:
        """Return two numbers of ``count`` digits and the operator as letters."""
        places = jnp.arange(len(first))
        moved = second[(places - count - 1) % len(first)] + 1
        letters = jnp.where(places < count, first + 1, jnp.where(places > count, moved, 0))
        letters = jnp.where(places == count, self.operator, letters)
        return jnp.where(places < 2 * count + 1, letters, 0)

    def read(self, letters: Letters, count: Int[Array, ""] | int) -> tuple[Digits, Digits]:
        """Return the two numbers of ``count`` digits that are written as by `written`."""
        places = jnp.arange(len(letters))
        moved = letters[(places + count + 1) % len(letters)]
        own = places < count
        return jnp.where(own, letters - 1, 0), jnp.where(own, moved - 1, 0)

    def solve(self, letters: Letters, size: Int[Array, ""] | int) -> Letters:
        """Return the result's digits, trimmed or followed by zeros."""
        count = self.digits_of(size)
        return self.as_result(self.combine(*self.read(letters, count)), 2 * count + 1)

    def as_result(self, digits: Digits, length: Int[Array, ""] | int) -> Letters:
        """Return a result of at most ``length`` digits as letters."""
        places = jnp.arange(len(digits))
        if self.result == "trimmed":
            # At least one digit: of 0 it is a zero.
            length = jnp.maximum(jnp.max(jnp.where(digits > 0, places + 1, 1)), 1)
        return jnp.where(places < length, digits + 1, 0)

    def well_formed(self, letters: np.ndarray) -> bool:
        """Return whether two numbers of equal length stand around the operator."""
        count = int(self.digits_of(len(letters)))
        numbers = np.delete(letters[: 2 * count + 1], count)
        digits = ((numbers > 0) & (numbers <= self.base)).all()
        return bool(
            digits and letters[count] == self.operator and not letters[2 * count + 1 :].any()
        )


@task("add-numbers")
@dataclasses.dataclass(frozen=True, kw_only=True)
class AddNumbers(OfTwoNumbers):
    """Add two numbers of equal length, lowest digit first.

    Random addends hardly ever carry far: a carry runs through c binary digits once in 2**c
    numbers. So there are hard ones: ``tough``, to train on, of which two in five carry far, and
    ``carries``, to test on, in which every digit but the last is part of a chain of carries, or
    every pair of digits adds up to one less than would carry. Sources: see the module's.

    >>> task = AddNumbers()
    >>> print(task.render(task.own_example("1010+0111", most=100)))  # 5 + 14 = 19
    input   1010+0111
    target  11001....

    In base 10, with zeros after the sum: 96 + 125 = 221.

    >>> task = AddNumbers(base=10, result="zeros")
    >>> print(task.render(task.own_example("690+521", most=100)))
    input   690+521
    target  1220000
    """

    hard_kind: Literal["tough", "carries"] = "tough"
    """What the ``hard`` share of the examples is."""

    operator = PLUS

    def __post_init__(self) -> None:
        """Check base and share."""
        check_fields(self)

    def combine(self, first: Digits, second: Digits) -> Digits:
        """Return the digits of the sum."""
        return carried(first + second, self.base)

    def draw_hard(
        self, key: PRNGKeyArray, places: int, count: Int[Array, ""] | int
    ) -> tuple[Digits, Digits]:
        """Draw tough addends, or a chain of carries through all digits but the last."""
        if self.hard_kind == "tough":
            return tough(key, places, count, self.base)
        return carrying(key, places, jnp.maximum(count - 1, 1), self.base)


@task("multiply-numbers")
@dataclasses.dataclass(frozen=True, kw_only=True)
class MultiplyNumbers(OfTwoNumbers):
    """Multiply two numbers of equal length, lowest digit first.

    ``hard`` examples: single digits, powers of the base, largest numbers, 0 and 1, squares.
    Sources: see the module's.

    >>> task = MultiplyNumbers()
    >>> print(task.render(task.own_example("0110*0101", most=100)))  # 6 * 10 = 60
    input   0110*0101
    target  001111...

    Decimal digits written as four bits each, lowest first, the fourth with 2 added to it as the
    mark of a digit's end: 7 * 12 = 84.

    >>> task = MultiplyNumbers(coding="bcd", base=10, result="zeros")
    >>> print(task.render(task.own_example("11120002*01021002", most=100)))
    input   11120002*01021002
    target  0012000300020002.
    """

    coding: Literal["digits", "bcd"] = "digits"
    """A letter for each digit, or ``bcd``: binary-coded decimals, which are decimal, and whose
    results are followed by zeros."""

    operator = TIMES

    def __post_init__(self) -> None:
        """Check base, share, and what goes with binary-coded decimals."""
        check_fields(self)
        if self.coding == "bcd" and (self.base, self.result) != (10, "zeros"):
            raise ValueError(
                "binary-coded decimals are of base 10, with result 'zeros'; not of base "
                f"{self.base}, with {self.result!r}"
            )

    @property
    def smallest(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """3, or 9 with binary-coded decimals: a digit each, and the operator."""
        return 9 if self.coding == "bcd" else 3

    def digits_of(self, size: Int[Array, ""] | int) -> Int[Array, ""] | int:
        """Return how many digits each number has."""
        return (size - 1) // (8 if self.coding == "bcd" else 2)

    def combine(self, first: Digits, second: Digits) -> Digits:
        """Return the digits of the product."""
        return product(first, second[: max(1, len(second) // 2)], self.base)

    def draw_hard(
        self, key: PRNGKeyArray, places: int, count: Int[Array, ""] | int
    ) -> tuple[Digits, Digits]:
        """Draw factors of one of five kinds."""
        return hard_factors(key, places, count, self.base)

    def written(self, first: Digits, second: Digits, count: Int[Array, ""] | int) -> Letters:
        """Return two numbers of ``count`` digits and the operator as letters."""
        if self.coding == "bcd":
            first, second, count = to_bcd(first), to_bcd(second), 4 * count
        return super().written(first, second, count)

    def solve(self, letters: Letters, size: Int[Array, ""] | int) -> Letters:
        """Return the product's digits."""
        if self.coding == "digits":
            return super().solve(letters, size)
        count = self.digits_of(size)
        factors = (from_bcd(bits) for bits in self.read(letters, 4 * count))
        return self.as_result(to_bcd(self.combine(*factors)), 8 * count)

    def well_formed(self, letters: np.ndarray) -> bool:
        """Return whether two numbers of equal length stand around the operator."""
        if self.coding == "digits":
            return super().well_formed(letters)
        count = int(self.digits_of(len(letters)))
        bits = np.delete(letters[: 8 * count + 1], 4 * count).reshape(-1, 4) - 1
        marked = (bits - [0, 0, 0, 2] >= 0).all() and (bits - [0, 0, 0, 2] <= 1).all()
        decimal = (bits % 2 @ [1, 2, 4, 8] < 10).all()
        operator = letters[4 * count] == self.operator
        return bool(marked and decimal and operator and not letters[8 * count + 1 :].any())


def to_bcd(digits: Digits) -> Digits:
    """Return binary-coded decimals, in as many places: four bits a digit, the fourth plus 2.

    >>> to_bcd(jnp.array([9, 4, 0, 0, 0, 0, 0, 0])).tolist()
    [1, 0, 0, 3, 0, 0, 1, 2]
    """
    places = jnp.arange(len(digits))
    bit = places % 4
    return (digits[places // 4] >> bit) % 2 + jnp.where(bit == 3, 2, 0)


def from_bcd(bits: Digits) -> Digits:
    """Return the digits of binary-coded decimals, in as many places, and zeros after them.

    >>> from_bcd(jnp.array([1, 0, 0, 3, 0, 0, 1, 2])).tolist()
    [9, 4, 0, 0, 0, 0, 0, 0]
    """
    whole = jnp.pad(bits % 2, (0, -len(bits) % 4)).reshape(-1, 4)
    digits = jnp.sum(whole << jnp.arange(4), axis=1)
    return jnp.pad(digits, (0, len(bits)))[: len(bits)]
