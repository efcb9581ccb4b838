"""Which situations of a machine may be one state of its program.

A state of a program stands for all situations in which the machine takes steps that make the
same difference. A pair is joined only if one circuit does for both what their own circuits do,
as far as anything that is needed later goes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from softmachine.programs.circuits import Circuit, Wires, build_circuit
from softmachine.programs.program import End, Test
from softmachine.programs.reachable import (
    Known,
    Reached,
    Table,
    join,
    joined_facts,
    registers_after,
    used,
)
from softmachine.programs.values import Facts, Register, Value, of, shifted


class Node(NamedTuple):
    """Situations that one circuit serves."""

    idents: frozenset
    states: tuple[Known, ...]
    wires: Wires
    known: tuple[Value, ...]
    facts: Facts
    circuit: Circuit


class Flow(NamedTuple):
    """What follows what, and what is needed."""

    follow: list[Test | int | None]
    """Tests have registers here, not yet variables."""
    needed: list[set[int]]
    """Registers that matter after each node, tests included."""
    passed: list[set[int]]
    """Those that matter to the nodes that follow."""


class Nodes(NamedTuple):
    """What a machine does, as nodes; and what they come from."""

    reached: Reached
    table: Table
    nodes: list[Node]


def merge(reached: Reached, table: Table) -> Nodes:
    """Return as few nodes as do what the machine does in the situations that it reaches."""
    return _absorb(_merge(_first_nodes(reached, table)))


def _first_nodes(reached: Reached, table: Table) -> Nodes:
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
    return Nodes(reached, table, nodes)


def _node(idents: frozenset, states: Sequence[Known], wires: Wires) -> Node:
    known = join([state.registers for state in states])
    facts = joined_facts(known, states)
    circuit = build_circuit(wires, known, facts)
    return Node(idents, tuple(states), wires, known, facts, circuit)


def _merge(machine: Nodes) -> Nodes:
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


def _joined(machine: Nodes, a: Node, b: Node) -> Nodes | None:
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
            flow = flow_of(after)
        except _AlikeError:
            continue
        if all(
            _serves(after, n, flow.needed[i]) for i, n in enumerate(nodes) if len(n.idents) > 1
        ):
            return after
    return None


def _absorb(machine: Nodes) -> Nodes:
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


def _tests(machine: Nodes) -> int:
    return sum(len(list(registers_tested(follow))) for follow in flow_of(machine).follow)


def _serves(machine: Nodes, node: Node, needed: set[int]) -> bool:
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


def _ends(machine: Nodes, state: Known) -> bool:
    """Return whether the program ends after a state's step in all cases."""
    return not any(goes_on for _, goes_on in machine.reached.follows[state])


# What follows, and what is needed for it


def outcomes_of(machine: Nodes, node: Node) -> list[tuple[tuple[Value, ...], int | None]]:
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


def flow_of(machine: Nodes) -> Flow:
    """Return which node follows which, by what tests, and what is needed after each."""
    nodes = machine.nodes
    outcomes = [outcomes_of(machine, node) for node in nodes]
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
    tests = [set(registers_tested(decision)) for decision in follow]
    live: list[set[int]] = [set() for _ in nodes]
    passed = [set() for _ in nodes]
    changed = True
    while changed:
        changed = False
        for i, node in enumerate(nodes):
            passed[i] = set().union(*(live[j] for j in _targets(follow[i])))
            after = [register_after(node, j) for j in passed[i] | tests[i]]
            before = used(after) | used(
                [v for store in node.circuit.stores for v in (store.address, store.value)]
            )
            if before != live[i]:
                live[i], changed = before, True
    return Flow(follow, [p | t for p, t in zip(passed, tests, strict=True)], passed)


def register_after(node: Node, register: int) -> Value:
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
            loops |= set(registers_tested(_decide(bits, ())))
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
    (register,) = registers_tested(test._replace(zero=None, other=None))
    early = (register in last) == (count + more > 0)
    return 1 + count + more, early + misplaced + others


def registers_tested(decision: Test | int | None) -> Iterable[int]:
    """Yield the registers that tests look at."""
    if isinstance(decision, Test):
        yield decision.value.terms[0][0].number  # pyright: ignore
        yield from registers_tested(decision.zero)
        yield from registers_tested(decision.other)


def _targets(decision: Test | int | None) -> set[int]:
    if isinstance(decision, Test):
        return _targets(decision.zero) | _targets(decision.other)
    return set() if decision is None else {decision}
