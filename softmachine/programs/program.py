"""The whole program of a machine: few states, few registers, what each step does.

A state of a program stands for all situations in which the machine takes steps that make the
same difference. Which situations may be put together is decided here; a pair is joined only
if one circuit does for both what their own circuits do, as far as anything that is needed
later goes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from softmachine.programs.circuits import Circuit, Store, Wires, build_circuit
from softmachine.programs.reachable import (
    Known,
    Reached,
    Table,
    counted,
    explore,
    join,
    joined_facts,
    registers_after,
    used,
)
from softmachine.programs.values import Facts, Load, Register, Value, difference, of, shifted
from softmachine.tasks.steps import StepRule

End = None


class Test(NamedTuple):
    """Which state comes next, by whether a variable is 0."""

    value: Value
    """In terms of the variables after the step."""
    zero: Test | int | None
    """The state if it is 0, as an index or by another test; None for the end."""
    other: Test | int | None


class State(NamedTuple):
    """One state of a program."""

    name: str
    stores: tuple[Store, ...]
    updates: dict[int, Value]
    """What variables become, in terms of those before the step."""
    follow: Test | int | None
    """Which state comes next; None for the end."""
    facts: Facts
    """What is known not to be 0 whenever the program is in this state."""
    known: tuple[Value, ...]
    """What each register of the machine holds there, in terms of variables."""
    gates: dict[int, str]
    """For the updates, the wiring they come from."""
    wires: Wires
    patterns: tuple[str, ...]
    """Which registers are 0, for all situations it stands for: 1 for a register that is."""


class Program(NamedTuple):
    """An algorithm: states, and variables that are registers, or registers plus constants."""

    states: tuple[State, ...]
    """The first one is where it starts; none for a machine that never changes a cell."""
    names: dict[int, str]
    """What the variables are called."""
    offsets: dict[int, int]
    """How much larger a variable is than its register."""
    steps: StepRule
    """How many steps there are."""
    registers: int
    """How many the machine has; the variable of this number is the steps that are left."""
    unbounded: bool = False
    """Whether it takes lists as they are: with zeros behind them without end, and numbers that
    become as large as they need to, as in a machine whose memory is large enough. Otherwise a
    list is the whole memory, and sums are modulo its length."""
    observed: int = 0
    """On how many examples its states were observed; 0 if they follow from the circuits."""

    @property
    def counts_steps(self) -> bool:
        """Whether the program ends by counting its steps, and in no other way."""
        return not counted(self.steps)


def build_program(table: Table, steps: StepRule) -> Program:
    """Return the program of a machine, given what its controller does in every situation."""
    registers = len(next(iter(table.values())).wires.registers)
    reached = explore(table, registers, steps)
    nodes = _absorb(_merge(_nodes(reached, table)))
    return _finish(nodes, steps, registers)


# Situations, and which may be one


class _Node(NamedTuple):
    """Situations that one circuit serves."""

    idents: frozenset
    states: tuple[Known, ...]
    wires: Wires
    known: tuple[Value, ...]
    facts: Facts
    circuit: Circuit


class _Flow(NamedTuple):
    """What follows what, and what is needed."""

    follow: list[Test | int | None]
    """Tests have registers here, not yet variables."""
    needed: list[set[int]]
    """Registers that matter after each node, tests included."""
    passed: list[set[int]]
    """Those that matter to the nodes that follow."""


class _Machine(NamedTuple):
    """What merging looks at."""

    reached: Reached
    table: Table
    nodes: list[_Node]


def _nodes(reached: Reached, table: Table) -> _Machine:
    by_ident: dict[tuple, list[Known]] = {}
    for state in [s for s in reached.circuits if s not in reached.idle]:
        by_ident.setdefault(state.situation, []).append(state)
    nodes = [
        _node(frozenset([ident]), states, table[states[0].key].wires)
        for ident, states in by_ident.items()
    ]
    first = next((i for i, n in enumerate(nodes) if reached.start in n.states), 0)
    if nodes:
        nodes.insert(0, nodes.pop(first))
    return _Machine(reached, table, nodes)


def _node(idents: frozenset, states: Sequence[Known], wires: Wires) -> _Node:
    known = join([state.registers for state in states])
    facts = joined_facts(known, states)
    circuit = build_circuit(wires, known, facts)
    return _Node(idents, tuple(states), wires, known, facts, circuit)


def _merge(machine: _Machine) -> _Machine:
    """Join nodes until no two can be joined."""
    joined = True
    while joined:
        joined = False
        for a, b in itertools.combinations(machine.nodes, 2):
            after = _joined(machine, a, b)
            if after is not None:
                machine, joined = after, True
                break
    return machine


def _joined(machine: _Machine, a: _Node, b: _Node) -> _Machine | None:
    """Return the machine with two nodes as one, None if no circuit serves both.

    The second need not be one of the machine's.
    """
    if {state.certain for state in a.states} != {state.certain for state in b.states}:
        return None
    if any(in_cell for node in (a, b) for _, _, in_cell in node.idents):
        return None  # the first state knows what is left as the content of a cell
    states = a.states + b.states
    for wires in dict.fromkeys([a.wires, b.wires]):
        node = _node(a.idents | b.idents, states, wires)
        nodes = [node if n is a else n for n in machine.nodes if n is not b]
        after = machine._replace(nodes=nodes)
        if not _serves(after, node, set()):
            continue  # what they store differs: no need to look at what is needed later
        try:
            flow = _flow(after)
        except _AlikeError:
            continue
        if all(
            _serves(after, n, flow.needed[i]) for i, n in enumerate(nodes) if len(n.idents) > 1
        ):
            return after
    return None


def _absorb(machine: _Machine) -> _Machine:
    """Let nodes stand for states that are idle, too, where that saves tests for them."""
    situations: dict[tuple, list[Known]] = {}
    for state in machine.reached.idle & machine.reached.circuits.keys():
        situations.setdefault(state.situation, []).append(state)
    idle = [
        _node(
            frozenset([situation]),
            sorted(states, key=repr),
            machine.table[states[0].key].wires,
        )
        for situation, states in sorted(situations.items(), key=repr)
    ]
    for place in range(len(machine.nodes)):
        with_idle = machine
        for extra in idle:
            with_idle = _joined(with_idle, with_idle.nodes[place], extra) or with_idle
        if _tests(with_idle) < _tests(machine):
            machine = with_idle
            taken = machine.nodes[place].idents
            idle = [extra for extra in idle if not extra.idents <= taken]
    return machine


def _tests(machine: _Machine) -> int:
    return sum(len(list(_registers_tested(follow))) for follow in _flow(machine).follow)


def _serves(machine: _Machine, node: _Node, needed: set[int]) -> bool:
    """Return whether a node's circuit does what each situation's own circuit does.

    Where the program ends after the step whatever happens, only what is stored matters.
    """
    by_kind: dict[tuple, list[Known]] = {}
    for state in node.states:
        by_kind.setdefault((state.situation, _ends(machine, state)), []).append(state)
    for (_, ends), states in by_kind.items():
        known = join([state.registers for state in states])
        facts = joined_facts(known, states)
        own, shared = (
            build_circuit(wires, known, facts).effect(set() if ends else needed)
            for wires in (machine.table[states[0].key].wires, node.wires)
        )
        if own != shared:
            return False
    return True


def _ends(machine: _Machine, state: Known) -> bool:
    """Return whether the program ends after a state's step in all cases."""
    return not any(goes_on for _, goes_on in machine.reached.follows[state])


# What follows, and what is needed for it


def _outcomes(machine: _Machine, node: _Node) -> list[tuple[tuple[Value, ...], int | None]]:
    """Return what is known of the registers after a node, and which node comes next."""
    places = {ident: i for i, n in enumerate(machine.nodes) for ident in n.idents}
    reached, outcomes = machine.reached, []
    for state in node.states:
        if _ends(machine, state):
            circuit = build_circuit(node.wires, state.registers, state.facts())
            outcomes += [(known, End) for known in registers_after(state, circuit)]
            continue
        outcomes += [
            (
                after.registers,
                places.get(after.situation, End) if goes_on or after in reached.idle else End,
            )
            for after, goes_on in reached.follows[state]
        ]
    return outcomes


class _AlikeError(Exception):
    """Situations that have to be told apart have zeros in the same registers."""


def _flow(machine: _Machine) -> _Flow:
    nodes = machine.nodes
    outcomes = [_outcomes(machine, node) for node in nodes]
    rare = _tested(outcomes)
    follow = [
        _decide(
            frozenset(
                (tuple(v.is_constant and v.constant == 0 for v in known), target)
                for known, target in outcome
            ),
            rare,
        )
        for outcome in outcomes
    ]
    tests = [set(_registers_tested(decision)) for decision in follow]
    live: list[set[int]] = [set() for _ in nodes]
    passed = [set() for _ in nodes]
    changed = True
    while changed:
        changed = False
        for i, node in enumerate(nodes):
            passed[i] = set().union(*(live[j] for j in _targets(follow[i])))
            after = [_after(node, j) for j in passed[i] | tests[i]]
            before = used(after) | used(
                [v for store in node.circuit.stores for v in (store.address, store.value)]
            )
            if before != live[i]:
                live[i], changed = before, True
    return _Flow(follow, [p | t for p, t in zip(passed, tests, strict=True)], passed)


def _after(node: _Node, register: int) -> Value:
    """Return what a register becomes; the last one is the steps that are left."""
    if register < len(node.circuit.registers):
        return node.circuit.registers[register]
    left = node.known[-1]
    certain = node.states[0].certain
    return left if certain or left.is_constant else shifted(left, -1)


def _tested(outcomes) -> tuple[int, ...]:
    """Return registers, those tested in loops last: the others are then tested first."""
    loops = set()
    for i, outcome in enumerate(outcomes):
        if any(target == i for _, target in outcome):
            bits = frozenset(
                (tuple(v.is_constant and v.constant == 0 for v in known), target)
                for known, target in outcome
            )
            loops |= set(_registers_tested(_decide(bits, ())))
    return tuple(sorted(loops))


@lru_cache(maxsize=4096)
def _decide(outcomes: frozenset, last: tuple[int, ...]) -> Test | int | None:
    """Return the fewest tests that tell what follows; ``last`` are tested after others."""
    targets = {target for _, target in outcomes}
    if len(targets) <= 1:
        return targets.pop() if targets else End
    width = len(next(iter(outcomes))[0])
    best, least = None, None
    for register in range(width):
        zero = frozenset(o for o in outcomes if o[0][register])
        if not zero or zero == outcomes:
            continue
        test = Test(of(Register(register)), _decide(zero, last), _decide(outcomes - zero, last))
        cost = _cost(test, last)
        if least is None or cost < least:
            best, least = test, cost
    if best is None:
        raise _AlikeError
    return best


def _cost(test: Test | int | None, last: tuple[int, ...]) -> tuple[int, int]:
    """Return how many tests there are, and how many stand too early or too late."""
    if not isinstance(test, Test):
        return 0, 0
    (count, misplaced), (more, others) = (_cost(t, last) for t in (test.zero, test.other))
    (register,) = _registers_tested(test._replace(zero=None, other=None))
    early = (register in last) == (count + more > 0)
    return 1 + count + more, early + misplaced + others


def _registers_tested(decision: Test | int | None) -> Iterable[int]:
    if isinstance(decision, Test):
        yield decision.value.terms[0][0].number  # pyright: ignore
        yield from _registers_tested(decision.zero)
        yield from _registers_tested(decision.other)


def _targets(decision: Test | int | None) -> set[int]:
    if isinstance(decision, Test):
        return _targets(decision.zero) | _targets(decision.other)
    return set() if decision is None else {decision}


# From nodes to states


def _finish(machine: _Machine, steps: StepRule, registers: int) -> Program:
    """Return the program: registers become variables with names, nodes become states."""
    from softmachine.programs.naming import choose_offsets, name_states, name_variables

    flow = _flow(machine)
    states = []
    for i, node in enumerate(machine.nodes):
        outcomes = [known for known, _ in _outcomes(machine, node)]
        follow = _express(flow.follow[i], node, outcomes, flow.passed[i])
        assigned = flow.passed[i] | used(_values_tested(follow))
        gates = dict(enumerate(node.circuit.gates)) | {registers: ""}
        states.append(
            State(
                name="",
                stores=node.circuit.stores,
                updates={
                    j: value
                    for j in sorted(assigned)
                    if (value := _after(node, j)) != of(Register(j))
                },
                follow=follow,
                facts=node.facts,
                known=node.known[:registers],
                gates={j: gates[j] for j in assigned},
                wires=node.wires,
                patterns=tuple(sorted({_bits(s.pattern) for s in node.states}, reverse=True)),
            )
        )
    program = Program(tuple(states), {}, {}, steps, registers)
    return name_states(name_variables(choose_offsets(program)))


def _bits(pattern: Sequence[bool]) -> str:
    return "".join("01"[zero] for zero in pattern)


def _express(
    decision: Test | int | None,
    node: _Node,
    outcomes: list[tuple[Value, ...]],
    known: set[int],
) -> Test | int | None:
    """Return tests in terms of variables that are needed anyway, where there are such."""
    if not isinstance(decision, Test):
        return decision
    (register,) = _registers_tested(decision._replace(zero=None, other=None))
    value = of(Register(register))
    for j in [] if register in known else sorted(known):
        apart = {difference(after[register], after[j]) for after in outcomes}
        if len(apart) == 1 and None not in apart:
            value = shifted(of(Register(j)), apart.pop() or 0)
            break
    if value.constant or register not in known:
        value = _in_memory(_after(node, register), len(node.circuit.stores)) or value
    zero, other = (
        _express(part, node, outcomes, known) for part in (decision.zero, decision.other)
    )
    return Test(value, zero, other)


def _in_memory(value: Value, stores: int) -> Value | None:
    """Return a value that is a cell, after all stores, at an address that never changes."""
    (atom, factor), *others = value.terms or ((None, 0),)
    plain = isinstance(atom, Load) and atom.after == stores and not used([atom.address])
    return value if plain and factor == 1 and not others and not value.constant else None


def _values_tested(decision: Test | int | None) -> list[Value]:
    if not isinstance(decision, Test):
        return []
    return [decision.value, *_values_tested(decision.zero), *_values_tested(decision.other)]
