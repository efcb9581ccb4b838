"""Reachable states of a hard machine, for all memories, by abstract interpretation.

The controller sees nothing but which registers are 0 (a *pattern*), so that its wires are a
function of that pattern and of its own state. A step is executed symbolically on an abstract
state, which says of each register that it is a constant, equal to another one plus a constant,
or unknown; where a register may or may not be 0 afterwards, both cases are followed. Cells may
hold anything. This over-approximates: no reachable state is missed, and some may be listed
that no memory leads to.
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
"""The search is given up beyond this number of abstract states."""
FARTHEST = 2
"""Differences between registers, and constants, are tracked up to this absolute value."""

Key = tuple[int, tuple[bool, ...]]
"""What a controller's choices depend on: its own state, and which registers are 0."""


class Transition(NamedTuple):
    """What a controller does in one step: its wires, and its own next state."""

    wires: Wires
    controller: int
    """The controller's state afterwards; 0 if it has none."""


TransitionTable = Mapping[Key, Transition]
"""A controller as a Mealy machine: its inputs are patterns of zeros, its outputs are wires.
Complete for a controller without a state; otherwise it holds what was observed."""


class AbstractState(NamedTuple):
    """What is known of the machine before a step, in all the runs that it stands for."""

    controller: int
    registers: tuple[Value, ...]
    """Each a constant, the register itself (nothing is known), or an earlier register plus a
    constant. One more than the machine has: the last is the number of steps left beyond
    `certain`, or 0 if that is not tracked."""
    certain: int
    """A number of steps that are left in any case."""

    @property
    def pattern(self) -> tuple[bool, ...]:
        """Which registers are 0."""
        return tuple(value == ZERO for value in self.registers[:-1])

    @property
    def key(self) -> Key:
        """What the controller's choices depend on."""
        return self.controller, self.pattern

    @property
    def situation(self) -> tuple[Key, int, bool]:
        """What a block of the program belongs to: states of one situation share a circuit.

        The key, the number of certain steps, and whether the steps left are still held as the
        content of a cell (only so in the first state).
        """
        return self.key, self.certain, not _plain(self.registers[-1])

    def facts(self) -> Facts:
        """Return which registers are known not to be 0: all that are not constants."""
        return Facts(v for v in self.registers if not v.is_constant and _plain(v))


class StateGraph(NamedTuple):
    """The reachable abstract states and the transitions between them."""

    start: AbstractState
    successors: dict[AbstractState, list[tuple[AbstractState, bool]]]
    """For each state, the states that may come next, each with whether the machine takes
    another step there."""
    circuits: dict[AbstractState, Circuit]
    """For each state, the step that is taken in it."""
    idle: set[AbstractState]
    """States after which no cell can change any more. A program may end in them."""


def explore(table: TransitionTable, registers: int, steps: StepRule) -> StateGraph:
    """Return all abstract states that can be reached from the initial one.

    Arguments:
        table: the controller.
        registers: how many the machine has.
        steps: how many steps it takes.

    Raises:
        SoftmachineError: there are more than `MOST_STATES`.
    """
    for farthest in (FARTHEST, 0):  # coarser states if there are too many
        found = _explore(table, registers, steps, farthest)
        if found is not None:
            return _without_idle(found)
    raise SoftmachineError(
        f"the machine has more than {MOST_STATES:,} states that could be reached: "
        "it does not fold into a program"
    )


def tracks_steps_left(steps: StepRule) -> bool:
    """Return whether the number of steps left is tracked like one more register.

    Otherwise the program counts its steps. It is tracked if it is small, or the content of a
    cell plus a small number: register values are below the number of cells, and so must be the
    number left once those that are certain have been taken.
    """
    if steps.of == "nothing":
        return steps.offset <= MOST_CERTAIN
    linear = steps.factor == steps.power == 1
    return steps.of == "cell" and linear and 1 <= steps.offset <= MOST_CERTAIN


MOST_CERTAIN = 6
"""Up to this number of steps that every run takes are unrolled."""


def initial_state(registers: int, steps: StepRule) -> AbstractState:
    """Return the abstract state before the first step: all registers are 0."""
    left, certain = ZERO, 0
    if tracks_steps_left(steps):
        certain = steps.offset
        if steps.of == "cell":
            left = of(Load(constant(steps.place), 0))
    return AbstractState(0, (ZERO,) * registers + (left,), certain)


def _explore(
    table: TransitionTable, registers: int, steps: StepRule, farthest: int
) -> StateGraph | None:
    """Return the reachable states, differences tracked up to ``farthest``; None if too many."""
    start = initial_state(registers, steps)
    successors, circuits = {}, {}
    waiting, endless = [start], not tracks_steps_left(steps)
    if tracks_steps_left(steps) and start.certain == 0:
        return StateGraph(start, {}, {}, set())
    while waiting:
        state = waiting.pop()
        if state in successors:
            continue
        if len(successors) == MOST_STATES:
            return None
        successors[state] = []
        entry = table[state.key]
        circuit = build_circuit(entry.wires, state.registers, state.facts())
        circuits[state] = circuit
        for known in registers_after(state, circuit, farthest):
            certain = max(state.certain - 1, 0)
            goes_on = endless or certain > 0 or known[-1] != ZERO
            after = AbstractState(entry.controller, known, certain)
            goes_on = goes_on and not circuit.stop
            if goes_on and after.key not in table:
                continue  # not observed on any example
            successors[state].append((after, goes_on))
            if goes_on:
                waiting.append(after)
    return StateGraph(start, successors, circuits, set())


def registers_after(
    state: AbstractState, circuit: Circuit, farthest: int = FARTHEST
) -> Iterator[tuple[Value, ...]]:
    """Yield what is known of the registers after a step, in each case.

    There is a case for every combination of registers that may be 0 afterwards.
    """
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
    """Yield the values, and what is known, for every combination of values that may be 0.

    The first ``decided`` values have been split into cases already.
    """
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
    """Return the values given that value i is 0; None if that contradicts what is known.

    Solves "value i = 0" for one of its atoms and substitutes it in all values.
    """
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
    """Return what an abstract state keeps of values; see `AbstractState.registers`."""
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
    """Return what is known of the registers in all of these states: their join."""
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


def joined_facts(known: Sequence[Value], states: Sequence[AbstractState]) -> Facts:
    """Return which of the joined values are nonzero in all of the states."""
    return Facts(
        value
        for i, value in enumerate(known)
        if not value.is_constant
        and _plain(value)
        and all(state.registers[i] != ZERO and _plain(state.registers[i]) for state in states)
    )


def _plain(value: Value) -> bool:
    """Return whether a value depends on registers alone, and not on a cell."""
    return all(isinstance(atom, Register) for atom, _ in value.terms)


def _without_idle(found: StateGraph) -> StateGraph:
    """Return the graph without what lies behind idle states.

    A state is idle if no state that can be reached from it stores. Judged by situation: states
    that look the same to the controller are kept or left out together.
    """
    successors = found.successors
    busy = {s.situation for s, circuit in found.circuits.items() if circuit.stores}
    grown = True
    while grown:
        more = {
            state.situation
            for state, after in successors.items()
            if any(on and next_.situation in busy for next_, on in after)
        }
        grown = not more <= busy
        busy |= more
    kept, idle, waiting = {}, set(), [found.start]
    while waiting:
        state = waiting.pop()
        if state in kept or state not in successors:
            continue
        if state.situation not in busy:
            idle.add(state)
        kept[state] = [(s, on and s.situation in busy) for s, on in successors[state]]
        waiting += [s for s, on in successors[state] if on and state not in idle]
    circuits = {state: c for state, c in found.circuits.items() if state in kept}
    return StateGraph(found.start, kept, circuits, idle)


def registers_used(values: Sequence[Value]) -> set[int]:
    """Return all registers that some values depend on."""
    return set().union(*(registers_in(value) for value in values)) if values else set()
