"""Names for variables by what they are for, such as ``largest`` or ``total``."""

from __future__ import annotations

import itertools
from collections.abc import Collection

from softmachine.programs.naming import targets, variables
from softmachine.programs.program import Program
from softmachine.programs.values import Apply, Load, Register, Value, atoms, of

KEPT = ("i", "left", "base", "pointer")
"""Names that say what a variable is for already."""


def with_role_names(program: Program, used: Collection[str] = ()) -> Program:
    """Return the program with variables named by what loops do with them.

    ``largest`` and ``smallest`` keep an extreme, ``total`` a sum, ``count`` a number of times;
    ``last`` holds what was read in the step before; ``i`` is an address that moves on.

    ``used``: names that something else has, such as an argument.
    """
    names: dict[int, str] = {}
    for j, name in program.names.items():
        role = _role(program, j)
        # Names with a number or a line behind are names that were taken.
        plain = name.rstrip("_0123456789")
        wanted = role if role and (plain not in KEPT or role == "i") else plain
        numbered = itertools.chain([wanted], (f"{wanted}{n}" for n in itertools.count(2)))
        names[j] = next(x for x in numbered if x not in (*names.values(), *used))
    return program._replace(names=names)


def _role(program: Program, j: int) -> str | None:
    """Return what a variable is for; None if that is not clear."""
    if j == program.registers:
        return None
    own = of(Register(j))
    changes: list[Value] = [
        state.updates[j]
        for i, state in enumerate(program.states)
        if j in state.updates and i in targets(state.successor)
    ]
    used = any(j in variables(state) for state in program.states)
    if not changes or not used:
        return None
    roles = {_role_of(value, own) for value in changes}
    role = roles.pop() if len(roles) == 1 else None
    if role == "count" and _is_address(program, j):
        return "i"
    return role


def _role_of(value: Value, own: Value) -> str | None:
    """Return what a change of a variable in a loop makes of it."""
    if len(value.terms) == 1 and not value.constant:
        (atom, factor) = value.terms[0]
        if isinstance(atom, Apply) and factor == 1 and own in atom.arguments:
            return {"MAX": "largest", "MIN": "smallest"}.get(atom.gate)
        if isinstance(atom, Load) and factor == 1 and own.terms[0][0] not in atoms(value):
            return "last"
    factors = dict(value.terms)
    if factors.pop(own.terms[0][0], 0) != 1:
        return None
    if not factors:
        return "count" if abs(value.constant) == 1 else None
    if all(isinstance(atom, Load) and factor == 1 for atom, factor in factors.items()):
        return "total"
    truths = [atom for atom in factors if isinstance(atom, Apply)]
    return "count" if len(truths) == len(factors) else None


def _is_address(program: Program, j: int) -> bool:
    """Return whether cells are read or written at addresses that depend on a variable."""
    for state in program.states:
        values = [*state.updates.values(), *(store.value for store in state.stores)]
        values += [store.address for store in state.stores]
        if any(
            isinstance(atom, Load) and Register(j) in atoms(atom.address)
            for value in values
            for atom in atoms(value)
        ):
            return True
        if any(Register(j) in atoms(store.address) for store in state.stores):
            return True
    return False
