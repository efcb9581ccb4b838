"""One state of a program as a sequence of assignments.

A step of the machine reads everything before it writes: its assignments happen at once. Code
assigns one after the other. So values are computed in an order in which nothing is overwritten
that is still needed, and kept in temporary variables where there is no such order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from softmachine.programs.expressions import Expressions
from softmachine.programs.naming import variables
from softmachine.programs.program import State
from softmachine.programs.syntax_tree import Assign, AssignCell, Statement
from softmachine.programs.values import Apply, Atom, Load, Register, Value, atoms, of

LONGEST_ATOM = 40
"""A subexpression with more characters is computed first, into a temporary variable."""


def assignments(expressions: Expressions, state: State) -> list[Statement]:
    """Return the stores and variable updates of a state, in an order that may be executed.

    Arguments:
        expressions: writes values of the state's program in some language.
        state: the state.

    Raises:
        SoftmachineError: the state has a gate that cannot be written as code.
    """
    found: list[Statement] = []
    known: dict[Atom, str] = {}
    last = len(state.stores)
    early = _temporaries(expressions, state)
    used = {expressions.names[j] for j in variables(state)}
    for when in range(last + 1):
        for atom in early:
            if _ready(atom) == when:
                text = expressions.atom(atom, state.facts, known)
                variable = _variable_for(atom, state, known, early, when)
                if variable is None:
                    known[atom] = _fresh("value", used)
                    found.append(Assign(known[atom], text))
                    continue
                # The variable takes its new value at once: nothing needs the old one.
                known[atom] = expressions.names[variable]
                found.append(Assign(known[atom], text, _note(state, variable)))
                updates = {j: v for j, v in state.updates.items() if j != variable}
                state = state._replace(updates=updates)
        if when < last:
            store = state.stores[when]
            address = expressions.value(store.address, state.facts, known)
            variable = _variable_of_store(state, known, early, when)
            if variable is not None:
                name = expressions.names[variable]
                text = expressions.value(store.value, state.facts, known)
                found.append(Assign(name, text, _note(state, variable)))
                updates = {j: v for j, v in state.updates.items() if j != variable}
                state = state._replace(updates=updates)
                found.append(AssignCell(address, name, store.gates))
                continue
            value = expressions.value(store.value, state.facts, known)
            found.append(AssignCell(address, value, store.gates))
    return found + _updates(expressions, state, known, used)


def _temporaries(expressions: Expressions, state: State) -> list[Atom]:
    """Return the atoms that need a temporary variable, nested ones first.

    These are loads whose cell is overwritten before their last use, gates used more than once
    (common subexpressions), and atoms with long expressions.
    """
    uses: dict[Atom, list[int]] = {}
    counts: Counter[Atom] = Counter()
    places = [
        (i, value)
        for i, store in enumerate(state.stores)
        for value in (store.address, store.value)
    ]
    places += [(len(state.stores), value) for value in dict.fromkeys(state.updates.values())]
    for _, value in places:
        counts.update(atom for atom in atoms(value) if isinstance(atom, Apply))
    for when, value in places:
        for atom in _atoms_to_compute(value, counts, uses):
            uses.setdefault(atom, []).append(when)
    named = []
    for atom, whens in uses.items():
        text = expressions.atom(atom, state.facts, {})
        late = isinstance(atom, Load) and not _lasts(atom, state, max(whens))
        again = counts[atom] > 1
        if late or again or len(text) > LONGEST_ATOM:
            named.append(atom)
    return sorted(named, key=_depth)


def _atoms_to_compute(
    value: Value, counts: Counter[Atom], uses: Mapping[Atom, Sequence[int]]
) -> Iterator[Atom]:
    """Yield the atoms that a value is computed from, without what has a temporary variable.

    Arguments:
        value: the value.
        counts: how often each gate is used; one that is used again is kept in a variable.
        uses: the atoms that were computed before.
    """
    for atom, _ in value.terms:
        if isinstance(atom, Register):
            continue
        if not (counts[atom] > 1 and atom in uses):
            inner = (atom.address,) if isinstance(atom, Load) else atom.arguments
            for part in inner:
                yield from _atoms_to_compute(part, counts, uses)
        yield atom


def _variable_for(
    atom: Atom, state: State, known: Mapping[Atom, str], early: Sequence[Atom], when: int
) -> int | None:
    """Return a variable whose new value an atom is, and whose old value nothing needs any more.

    Arguments:
        atom: what is to be computed, after ``when`` stores.
        state: the state.
        known: what was computed before.
        early: all that gets a name.
        when: how many stores there were.
    """
    later = [a for a in early if a != atom and a not in known]
    for j, value in state.updates.items():
        if value != of(atom):
            continue
        done = dict.fromkeys([*known, atom], "")
        rest = [v for store in state.stores[when:] for v in (store.address, store.value)]
        rest += [v for k, v in state.updates.items() if k != j]
        inside = [part for a in later for part in _parts(a)]
        if not any(j in _needs(v, done) for v in [*rest, *inside]):
            return j
    return None


def _variable_of_store(
    state: State, known: Mapping[Atom, str], early: Sequence[Atom], when: int
) -> int | None:
    """Return a variable whose new value a store writes, and whose old value is not needed then.

    Only for sums: single numbers, cells and variables are as well written twice.
    """
    store = state.stores[when]
    if len(store.value.terms) + bool(store.value.constant) < 2:
        return None
    later = [part for a in early if a not in known for part in _parts(a)]
    rest = [v for s in state.stores[when + 1 :] for v in (s.address, s.value)]
    for j, value in state.updates.items():
        others = [v for k, v in state.updates.items() if k != j]
        needed = [store.address, *rest, *others, *later]
        if value == store.value and not any(j in _needs(v, dict(known)) for v in needed):
            return j
    return None


def _parts(atom: Atom) -> Sequence[Value]:
    if isinstance(atom, Register):
        return [of(atom)]
    return [atom.address] if isinstance(atom, Load) else atom.arguments


def _note(state: State, variable: int) -> str:
    gates = state.gates[variable]
    return f"r{variable + 1} = {gates}" if gates else "steps left"


def _updates(
    expressions: Expressions, state: State, known: dict[Atom, str], used: set[str]
) -> list[Statement]:
    """Return the variable updates one after another, as in the parallel move problem.

    A variable is assigned once no other update reads it any more. Where updates wait for each
    other in a circle, one variable's old value is saved first.

    Arguments:
        expressions: writes values.
        state: whose updates these are.
        known: names of atoms that were computed before; saved values are added.
        used: names that are taken; new ones are added.
    """
    names, waiting, found = expressions.names, dict(state.updates), []
    done: dict[Value, str] = {}
    while waiting:
        ready = [
            j
            for j in waiting
            if not any(
                j in _needs(value, known)
                for k, value in waiting.items()
                if k != j and value not in done
            )
        ]
        if not ready:
            j = next(iter(waiting))
            saved = _fresh("before", used)
            found.append(Assign(saved, names[j]))
            known[Register(j)] = saved
            continue
        j = ready[0]
        value = waiting.pop(j)
        text = done.get(value) or expressions.value(value, state.facts, known)
        found.append(Assign(names[j], text, _note(state, j)))
        done[value] = names[j]
    return found


def _needs(value: Value, known: dict[Atom, str]) -> set[int]:
    """Return the registers that are read when a value is computed."""
    found: set[int] = set()
    for atom, _ in value.terms:
        if atom in known:
            continue
        if isinstance(atom, Register):
            found.add(atom.number)
        elif isinstance(atom, Load):
            found |= _needs(atom.address, known)
        else:
            found = found.union(*(_needs(argument, known) for argument in atom.arguments))
    return found


def _lasts(atom: Load, state: State, when: int) -> bool:
    """Return whether a cell still holds what was loaded from it, after ``when`` stores."""
    return all(
        store.value == of(atom) or state.facts.differ(store.address, atom.address)
        for store in state.stores[atom.after : when]
    )


def _ready(atom: Atom) -> int:
    """Return after how many of the state's stores an atom can be computed."""
    loads = [a.after for a in atoms(of(atom)) if isinstance(a, Load)]
    return max(loads, default=0)


def _depth(atom: Atom) -> int:
    """Return how deeply atoms are nested in an atom, itself included."""
    inner = [a for a in atoms(of(atom)) if a != atom]
    return 1 + max((_depth(a) for a in inner), default=0)


def _fresh(name: str, used: set[str]) -> str:
    """Return a name that is not used yet, the given one or with a number, and mark it used."""
    number = 1
    while (text := f"{name}{number}" if number > 1 else name) in used:
        number += 1
    used.add(text)
    return text
