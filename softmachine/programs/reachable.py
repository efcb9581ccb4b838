"""Which states a hard machine can be in, whatever the memory holds.

A controller without a state sees only which registers are 0, so that one circuit belongs to
each such pattern. Which patterns can occur is found by following all circuits at once, with
what is known of the registers instead of their values: this one is 0, that one is 2 more than
another. Whatever a cell may hold is taken to be possible, so that no state that a memory can
lead to is missed; some may be listed that no memory leads to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from softmachine.core.errors import SoftmachineError
from softmachine.programs.circuits import Circuit, Wires, build_circuit
from softmachine.programs.values import (
    ZERO,
    Facts,
    Load,
    Register,
    Value,
    constant,
    difference,
    of,
    registers_in,
    shifted,
    total,
)
from softmachine.tasks.steps import StepRule

MOST_STATES = 3_000
FARTHEST = 2
"""How far apart registers may be to be known by their difference, and which constants are."""

Key = tuple[int, tuple[bool, ...]]
"""The controller's own state, and which registers are 0."""


class Entry(NamedTuple):
    """What a controller does in one situation."""

    wires: Wires
    controller: int
    """Its own state afterwards."""


Table = Mapping[Key, Entry]
"""Complete for a controller without a state; for others it holds what was observed."""


class Known(NamedTuple):
    """What is known of the machine before a step."""

    controller: int
    registers: tuple[Value, ...]
    """Each a constant, a register as such, or an earlier one plus a constant. The last is no
    register of the machine: the steps that are left without the ``certain`` ones; where
    that is not followed it is 0."""
    certain: int
    """How many more steps are left at least."""

    @property
    def pattern(self) -> tuple[bool, ...]:
        """Which registers are 0."""
        return tuple(value == ZERO for value in self.registers[:-1])

    @property
    def key(self) -> Key:
        """What the controller sees, and its own state."""
        return self.controller, self.pattern

    @property
    def situation(self) -> tuple[Key, int, bool]:
        """What circuits and what follows them are told apart by."""
        return self.key, self.certain, not _plain(self.registers[-1])

    def facts(self) -> Facts:
        """Return what is known not to be 0."""
        return Facts(v for v in self.registers if not v.is_constant and _plain(v))


class Reached(NamedTuple):
    """The states that were found, and what follows each."""

    start: Known
    follows: dict[Known, list[tuple[Known, bool]]]
    """For each state those that may follow, and whether the machine goes on from there."""
    circuits: dict[Known, Circuit]
    idle: set[Known]
    """States from which on nothing changes any more: the program need not go there."""


def explore(table: Table, registers: int, steps: StepRule) -> Reached:
    """Return all states that can be reached from the first.

    Raises SoftmachineError if there are too many.
    """
    for farthest in (FARTHEST, 0):
        found = _explore(table, registers, steps, farthest)
        if found is not None:
            return _without_idle(found)
    raise SoftmachineError(
        f"the machine has more than {MOST_STATES:,} states that could be reached: "
        "it does not fold into a program"
    )


def counted(steps: StepRule) -> bool:
    """Return whether the steps that are left are followed like a register.

    Where not, the program counts them. Values are below the number of cells; so must be
    what is left, once no step is certain.
    """
    if steps.of == "nothing":
        return steps.offset <= MOST_CERTAIN
    return steps.of == "cell" and steps.factor == 1 and 1 <= steps.offset <= MOST_CERTAIN


MOST_CERTAIN = 6
"""A machine with so many steps at most is unrolled."""


def first(registers: int, steps: StepRule) -> Known:
    """Return what is known before the first step: all registers are 0."""
    left, certain = ZERO, 0
    if counted(steps):
        certain = steps.offset
        if steps.of == "cell":
            left = of(Load(constant(steps.place), 0))
    return Known(0, (ZERO,) * registers + (left,), certain)


def _explore(table: Table, registers: int, steps: StepRule, farthest: int) -> Reached | None:
    start = first(registers, steps)
    follows, circuits = {}, {}
    waiting, endless = [start], not counted(steps)
    if counted(steps) and start.certain == 0:
        return Reached(start, {}, {}, set())
    while waiting:
        state = waiting.pop()
        if state in follows:
            continue
        if len(follows) == MOST_STATES:
            return None
        follows[state] = []
        entry = table[state.key]
        circuit = build_circuit(entry.wires, state.registers, state.facts())
        circuits[state] = circuit
        for known in registers_after(state, circuit, farthest):
            certain = max(state.certain - 1, 0)
            goes_on = endless or certain > 0 or known[-1] != ZERO
            after = Known(entry.controller, known, certain)
            goes_on = goes_on and not circuit.stop
            if goes_on and after.key not in table:
                continue  # a controller with a state was never seen there
            follows[state].append((after, goes_on))
            if goes_on:
                waiting.append(after)
    return Reached(start, follows, circuits, set())


def registers_after(
    state: Known, circuit: Circuit, farthest: int = FARTHEST
) -> Iterator[tuple[Value, ...]]:
    """Yield what can be known of the registers after a step, in all cases."""
    left = state.registers[-1]
    left = left if state.certain or left == ZERO else shifted(left, -1)
    values = [*circuit.registers, left]
    seen = set()
    for case, facts in _cases(values, state.facts(), 0):
        known = canonical(case, facts, farthest)
        if known not in seen:
            seen.add(known)
            yield known


def _cases(
    values: Sequence[Value], facts: Facts, decided: int
) -> Iterator[tuple[Sequence[Value], Facts]]:
    """Yield the values under every combination of which of them are 0."""
    for i in range(decided, len(values)):
        zero = facts.is_zero(values[i])
        if zero is not None:
            continue
        one = _zeroed(values, i, facts)
        if one is not None:
            yield from _cases(*one, i + 1)
        yield from _cases(values, facts.with_nonzero(values[i]), i + 1)
        return
    yield values, facts


def _zeroed(
    values: Sequence[Value], i: int, facts: Facts
) -> tuple[Sequence[Value], Facts] | None:
    """Return the values if value i is 0; None if one before it, known not to be, would be."""
    zero = values[i]
    pivot = next(((a, f) for a, f in zero.terms if abs(f) == 1), None)
    after = []
    for j, value in enumerate(values):
        factor = dict(value.terms).get(pivot[0], 0) * pivot[1] if pivot else 0
        new = total((value, 1), (zero, -factor))
        if value in (zero, total((zero, -1))):
            new = ZERO
        if j < i and facts.is_zero(value) is False:
            if facts.is_zero(new):
                return None
            facts = facts.with_nonzero(new)
        after.append(new)
    return after, facts


def canonical(values: Sequence[Value], facts: Facts, farthest: int) -> tuple[Value, ...]:
    """Return values as constants, registers, and sums of an earlier one and a constant."""
    own: list[int] = []
    known: list[Value] = []
    for i, value in enumerate(values):
        if facts.is_zero(value):
            known.append(ZERO)
        elif value.is_constant and abs(value.constant) <= FARTHEST:
            known.append(value)
        else:
            apart = [(j, difference(value, values[j])) for j in own]
            near = [(j, d) for j, d in apart if d is not None and abs(d) <= farthest]
            if not near:
                own.append(i)
            j, d = min(near, key=lambda pair: abs(pair[1]), default=(i, 0))
            known.append(shifted(of(Register(j)), d))
    return tuple(known)


def join(states: Sequence[Sequence[Value]]) -> tuple[Value, ...]:
    """Return what is known of the registers in every one of these states."""
    if len(states) == 1:
        return tuple(states[0])
    known: list[Value] = []
    own: list[int] = []
    for i, value in enumerate(states[0]):
        if all(state[i] == value for state in states) and value.is_constant:
            known.append(value)
            continue
        for j in own:
            apart = {difference(state[i], state[j]) for state in states}
            if len(apart) == 1 and None not in apart:
                known.append(shifted(of(Register(j)), apart.pop() or 0))
                break
        else:
            own.append(i)
            known.append(of(Register(i)))
    return tuple(known)


def joined_facts(known: Sequence[Value], states: Sequence[Known]) -> Facts:
    """Return which of the joined values are 0 in none of the states."""
    return Facts(
        value
        for i, value in enumerate(known)
        if not value.is_constant
        and _plain(value)
        and all(state.registers[i] != ZERO and _plain(state.registers[i]) for state in states)
    )


def _plain(value: Value) -> bool:
    """Return whether a value is made of registers alone: not so for the first state's."""
    return all(isinstance(atom, Register) for atom, _ in value.terms)


def _without_idle(found: Reached) -> Reached:
    """Let the machine end where nothing that it could still do changes a cell.

    A situation is judged as a whole: states that look the same to the controller are kept
    or left out together.
    """
    follows = found.follows
    busy = {s.situation for s, circuit in found.circuits.items() if circuit.stores}
    grown = True
    while grown:
        more = {
            state.situation
            for state, after in follows.items()
            if any(on and next_.situation in busy for next_, on in after)
        }
        grown = not more <= busy
        busy |= more
    kept, idle, waiting = {}, set(), [found.start]
    while waiting:
        state = waiting.pop()
        if state in kept or state not in follows:
            continue
        if state.situation not in busy:
            idle.add(state)
        kept[state] = [(s, on and s.situation in busy) for s, on in follows[state]]
        waiting += [s for s, on in follows[state] if on and state not in idle]
    circuits = {state: c for state, c in found.circuits.items() if state in kept}
    return Reached(found.start, kept, circuits, idle)


def used(values: Sequence[Value]) -> set[int]:
    """Return all registers in some values."""
    return set().union(*(registers_in(value) for value in values)) if values else set()
