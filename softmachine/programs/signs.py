"""Sign analysis: which values of an unbounded program are never negative.

In a memory of n cells the largest number is n - 1. An unbounded program has no n and writes
that as -1: negative numbers count as larger than all others. Comparisons have to allow for it,
but only where negative numbers may occur.
"""

from __future__ import annotations

from collections.abc import Callable

from softmachine.programs.naming import first_values
from softmachine.programs.program import Program
from softmachine.programs.values import Apply, Facts, Register, Value, shifted

Never = Callable[[Value, Facts], bool]
"""``(value, facts) -> whether the value is never negative``."""


def never_below_zero(program: Program) -> Never:
    """Return a function that says whether a value, given facts, is known to be 0 or more.

    The greatest fixed point of a forward analysis: all variables and cells are assumed to be
    nonnegative, and those that some state may make negative are dropped, until no more are. A
    program's input holds no negative numbers.
    """
    first = first_values(program)
    held = {j for j, name in program.names.items() if first.get(name, 0) >= 0}
    cells = True

    def is_kept(value: Value, facts: Facts) -> bool:
        if all(factor > 0 and atom_is_kept(atom, facts) for atom, factor in value.terms):
            # One less than a positive number is not negative either.
            return value.constant >= 0 or (
                value.constant == -1
                and len(value.terms) > 0
                and facts.is_zero(shifted(value, 1)) is False
            )
        return False

    def atom_is_kept(atom, facts: Facts) -> bool:
        if isinstance(atom, Register):
            return atom.number in held
        if not isinstance(atom, Apply):
            return cells
        if atom.gate in ("MIN", "MAX"):
            some_or_all = any if atom.gate == "MIN" else all
            return some_or_all(is_kept(argument, facts) for argument in atom.arguments)
        return True  # a truth value

    changed = True
    while changed:
        lost = {
            j
            for state in program.states
            for j, value in state.updates.items()
            if j in held and not is_kept(value, state.facts)
        }
        spoilt = cells and not all(
            is_kept(store.value, state.facts)
            for state in program.states
            for store in state.stores
        )
        held, cells, changed = held - lost, cells and not spoilt, bool(lost) or spoilt
    return is_kept


def goes_below_zero(program: Program) -> bool:
    """Return whether negative numbers may occur in an unbounded program."""
    never = never_below_zero(program)
    values = [
        (value, state.facts)
        for state in program.states
        for store in state.stores
        for value in (store.address, store.value)
    ]
    values += [
        (value, state.facts) for state in program.states for value in state.updates.values()
    ]
    return not all(never(value, facts) for value, facts in values)
