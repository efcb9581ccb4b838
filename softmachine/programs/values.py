"""Symbolic values in a normal form, and the algebra that simplifies them.

A value is a linear combination of atoms plus a constant, modulo n, the number of memory cells.
An atom is a register, a cell that was loaded, or the output of a gate that is not linear (MIN,
MAX, comparisons). Simplifications hold for every n from `LEAST_CELLS` on.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

LEAST_CELLS = 3
"""The smallest memory: with fewer cells the constant 2 would not be a value."""


class Register(NamedTuple):
    """The content of a register before the step."""

    number: int


class Load(NamedTuple):
    """The content of a cell, after some of the step's own stores."""

    address: Value
    after: int
    """The number of stores of this step that come before the load."""


class Apply(NamedTuple):
    """The output of a gate that is not linear."""

    gate: str
    arguments: tuple[Value, ...]


Atom = Register | Load | Apply


class Value(NamedTuple):
    """A linear combination of atoms plus a constant, modulo the number of cells.

    Equal values are equal as Python objects: this is a normal form.
    """

    terms: tuple[tuple[Atom, int], ...]
    """Atoms with their factors: each atom once, in a fixed order, no factor 0."""
    constant: int

    @property
    def is_constant(self) -> bool:
        """Whether it has no terms."""
        return not self.terms


def constant(number: int) -> Value:
    """Return a constant as a value."""
    return Value((), number)


def of(atom: Atom) -> Value:
    """Return an atom as a value."""
    return Value(((atom, 1),), 0)


ZERO, ONE = constant(0), constant(1)


def total(*scaled: tuple[Value, int]) -> Value:
    """Return a linear combination of values, given as pairs of a value and its factor."""
    factors: dict[Atom, int] = {}
    number = 0
    for value, factor in scaled:
        number += factor * value.constant
        for atom, own in value.terms:
            factors[atom] = factors.get(atom, 0) + factor * own
    terms = [(a, f) for a, f in factors.items() if f]
    if len(terms) > 1:
        terms.sort(key=repr)
    return Value(tuple(terms), number)


def shifted(value: Value, number: int) -> Value:
    """Return a value plus a number."""
    return Value(value.terms, value.constant + number)


def difference(a: Value, b: Value) -> int | None:
    """Return ``a - b`` if that is a constant, else None."""
    return a.constant - b.constant if a.terms == b.terms else None


def atoms(value: Value) -> Iterable[Atom]:
    """Yield all atoms of a value, each before those nested in it."""
    for atom, _ in value.terms:
        yield atom
        if isinstance(atom, Load):
            yield from atoms(atom.address)
        elif isinstance(atom, Apply):
            for argument in atom.arguments:
                yield from atoms(argument)


def registers_in(value: Value) -> set[int]:
    """Return the registers that a value depends on."""
    return {atom.number for atom in atoms(value) if isinstance(atom, Register)}


class Facts:
    """Values that are known not to be 0, and what follows from that."""

    def __init__(self, nonzero: Iterable[Value] = ()) -> None:
        self.nonzero = frozenset(map(_unsigned, nonzero))

    def with_nonzero(self, value: Value) -> Facts:
        """Return these facts and that one more value is not 0."""
        return Facts([*self.nonzero, value])

    def is_zero(self, value: Value) -> bool | None:
        """Return whether a value is 0; None if it is not known."""
        if value == ZERO or _unsigned(value) in self.nonzero:
            return value == ZERO
        if value.is_constant:
            return False if abs(value.constant) < LEAST_CELLS else None
        (atom, factor), *others = value.terms
        if others or value.constant or abs(factor) != 1 or not isinstance(atom, Apply):
            return None
        known = [self.is_zero(argument) for argument in atom.arguments]
        if atom.gate == "MIN":
            return True if True in known else False if known == [False, False] else None
        if atom.gate == "MAX":
            return False if False in known else True if known == [True, True] else None
        return None

    def differ(self, a: Value, b: Value) -> bool:
        """Return whether two values are known to differ."""
        return self.is_zero(total((a, 1), (b, -1))) is False


@lru_cache(maxsize=4096)
def _unsigned(value: Value) -> Value:
    """Return one of the value and its negative, the same one for both."""
    return min(value, total((value, -1)), key=repr)


TRUTHS = ("LESS-THAN", "LESS-OR-EQUAL-THAN", "EQUALITY-TEST")
"""Gates that give 0 or 1."""


def apply(gate: str, arguments: tuple[Value, ...], facts: Facts) -> Value:
    """Return the output of a gate, simplified as far as the facts allow.

    Arguments:
        gate: the gate's name.
        arguments: its inputs.
        facts: what is known of the values.
    """
    if gate in ("ZERO", "ONE", "TWO"):
        return constant({"ZERO": 0, "ONE": 1, "TWO": 2}[gate])
    if gate in ("INC", "DEC"):
        return shifted(arguments[0], 1 if gate == "INC" else -1)
    if gate in ("ADD", "SUB"):
        return total((arguments[0], 1), (arguments[1], 1 if gate == "ADD" else -1))
    simpler = _SIMPLIFIED.get(gate)
    found = simpler(*arguments, facts) if simpler else None  # pyright: ignore
    return of(Apply(gate, arguments)) if found is None else found


def _order(a: Value, b: Value, facts: Facts) -> int | None:
    """Return -1 for a < b, 0 for a = b, 1 for a > b; None if it is not known."""
    if a == b:
        return 0
    if not facts.differ(a, b):
        return None
    low, high = _rank(a), _rank(b)
    if low == 0 or high == LEAST_CELLS:  # a is 0, or b is the largest value
        return -1
    if high == 0 or low == LEAST_CELLS:
        return 1
    return (low > high) - (low < high) if low is not None and high is not None else None


def _rank(value: Value) -> int | None:
    """Return the place in the order 0, 1, 2, ..., n - 1 of a value that has a fixed one.

    That is 0, 1 or 2 for these constants, and `LEAST_CELLS` for n - 1, the largest value.
    """
    if not value.is_constant or not -1 <= value.constant < LEAST_CELLS:
        return None
    return LEAST_CELLS if value.constant == -1 else value.constant


def _bounds(value: Value) -> tuple[int, int | float] | None:
    """Return lower and upper bounds of a value; None if it may be anything in 0..n-1."""
    if value.is_constant and 0 <= value.constant < LEAST_CELLS:
        return value.constant, value.constant
    if value == constant(-1):
        return LEAST_CELLS - 1, math.inf
    (atom, factor), *others = value.terms or ((None, 0),)
    truth = isinstance(atom, Apply) and atom.gate in TRUTHS
    return (0, 1) if truth and factor == 1 and not others and not value.constant else None


def _less_by_bounds(a: Value, b: Value, *, equal: bool) -> bool | None:
    """Return whether a < b, or a <= b if ``equal``; None if bounds do not decide it."""
    one, other = _bounds(a), _bounds(b)
    if one is None or other is None:
        return None
    if one[1] < other[0] or (equal and one[1] == other[0]):
        return True
    if one[0] > other[1] or (not equal and one[0] == other[1]):
        return False
    return None


def _less(a: Value, b: Value, facts: Facts) -> Value | None:
    if b == ZERO or a == constant(-1):
        return ZERO
    order = _order(a, b, facts)
    sure = _less_by_bounds(a, b, equal=False) if order is None else order < 0
    return None if sure is None else constant(int(sure))


def _less_or_equal(a: Value, b: Value, facts: Facts) -> Value | None:
    if a == ZERO or b == constant(-1):
        return ONE
    order = _order(a, b, facts)
    sure = _less_by_bounds(a, b, equal=True) if order is None else order <= 0
    return None if sure is None else constant(int(sure))


def _equal(a: Value, b: Value, facts: Facts) -> Value | None:
    if a == b:
        return ONE
    apart = (_less_by_bounds(a, b, equal=False), _less_by_bounds(b, a, equal=False))
    if facts.differ(a, b) or True in apart:
        return ZERO
    ordered = tuple(sorted((a, b), key=repr))
    return of(Apply("EQUALITY-TEST", ordered))


def _minimum(a: Value, b: Value, facts: Facts) -> Value | None:
    return _extreme("MIN", a, b, facts)


def _maximum(a: Value, b: Value, facts: Facts) -> Value | None:
    return _extreme("MAX", a, b, facts)


def _extreme(gate: str, a: Value, b: Value, facts: Facts) -> Value | None:
    smallest, largest = ZERO, constant(-1)
    absorbing, neutral = (smallest, largest) if gate == "MIN" else (largest, smallest)
    if absorbing in (a, b):
        return absorbing
    if neutral in (a, b):
        return a if b == neutral else b
    order = _order(a, b, facts)
    sure = _less_by_bounds(a, b, equal=True) if order is None else order <= 0
    if sure is not None:
        return a if sure == (gate == "MIN") else b
    for one, other in ((a, b), (b, a)):
        if one == ONE and facts.is_zero(other) is False:
            return ONE if gate == "MIN" else other
    ordered = tuple(sorted((a, b), key=repr))
    return of(Apply(gate, ordered))


_SIMPLIFIED = {
    "LESS-THAN": _less,
    "LESS-OR-EQUAL-THAN": _less_or_equal,
    "EQUALITY-TEST": _equal,
    "MIN": _minimum,
    "MAX": _maximum,
}
"""Of each gate that is not linear, its output if it simplifies, else None."""
