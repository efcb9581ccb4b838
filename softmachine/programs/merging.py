"""State merging: the abstract states of a machine become the few blocks of a program.

A block is a basic block of the program's control-flow graph: one step of the machine, straight
code without branches. At first there is one for each situation (`AbstractState.situation`).
Two blocks are merged if one circuit has the same observable effect as both of theirs: the same
stores, and the same values in all registers that are live afterwards. Liveness is computed
anew after every merge, since fewer tests may need fewer registers.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from softmachine.programs.circuits import Circuit, Wires, build_circuit
from softmachine.programs.program import END, Branch, Successor
from softmachine.programs.reachable import (
    AbstractState,
    StateGraph,
    TransitionTable,
    join,
    joined_facts,
    registers_after,
    registers_used,
)
from softmachine.programs.values import Facts, Register, Value, of, shifted


class Block(NamedTuple):
    """A basic block: abstract states whose steps have the same circuit."""

    situations: frozenset
    states: tuple[AbstractState, ...]
    """The abstract states of these situations."""
    wires: Wires
    known: tuple[Value, ...]
    """The registers before the step, as far as they are known in all of `states`."""
    facts: Facts
    """What is known not to be 0 in all of `states`."""
    circuit: Circuit


class ControlFlow(NamedTuple):
    """The edges of a control-flow graph, and the live registers along them; block by block."""

    successors: list[Successor]
    """Which block comes next, by tests of registers (variables have no names yet)."""
    live_after_step: list[set[int]]
    """Registers that are live after the block's step, before its tests."""
    live_out: list[set[int]]
    """Registers that are live after its tests: some block that may come next needs them."""


class FlowGraph(NamedTuple):
    """The blocks of a program, the first one first, and what they were made from."""

    reached: StateGraph
    table: TransitionTable
    blocks: list[Block]


def merge(reached: StateGraph, table: TransitionTable) -> FlowGraph:
    """Merge the situations that a machine can reach into blocks, greedily.

    Arguments:
        reached: the abstract states, and what follows each.
        table: the controller's choices in each of them.
    """
    return _absorb(_merge(_first_blocks(reached, table)))


def _first_blocks(reached: StateGraph, table: TransitionTable) -> FlowGraph:
    by_situation: dict[tuple, list[AbstractState]] = {}
    for state in [s for s in reached.circuits if s not in reached.idle]:
        by_situation.setdefault(state.situation, []).append(state)
    blocks = [
        _block(frozenset([situation]), states, table[states[0].key].wires)
        for situation, states in by_situation.items()
    ]
    first = next((i for i, n in enumerate(blocks) if reached.start in n.states), 0)
    if blocks:
        blocks.insert(0, blocks.pop(first))
    return FlowGraph(reached, table, blocks)


def _block(situations: frozenset, states: Sequence[AbstractState], wires: Wires) -> Block:
    """Return a block with these wires, and with what is known in all of its states."""
    known = join([state.registers for state in states])
    facts = joined_facts(known, states)
    circuit = build_circuit(wires, known, facts)
    return Block(situations, tuple(states), wires, known, facts, circuit)


def _merge(machine: FlowGraph) -> FlowGraph:
    """Merge blocks until no two can be merged."""
    joined = True
    while joined:
        joined = False
        for a, b in itertools.combinations(machine.blocks, 2):
            after = _joined(machine, a, b)
            if after is not None:
                machine, joined = after, True
                break
    return machine


def _joined(machine: FlowGraph, a: Block, b: Block) -> FlowGraph | None:
    """Return the graph with two blocks merged, None if neither's wires serve both.

    The second block need not be one of the graph's.
    """
    if {state.certain for state in a.states} != {state.certain for state in b.states}:
        return None
    if any(in_cell for block in (a, b) for _, _, in_cell in block.situations):
        return (
            None  # the first state holds the steps left as a cell's content, others as a value
        )
    states = a.states + b.states
    for wires in dict.fromkeys([a.wires, b.wires]):
        block = _block(a.situations | b.situations, states, wires)
        blocks = [block if n is a else n for n in machine.blocks if n is not b]
        after = machine._replace(blocks=blocks)
        if not _serves(after, block, set()):
            continue  # their stores differ: no need to compute liveness
        try:
            flow = control_flow(after)
        except _IndistinguishableError:
            continue
        # The merge may have changed what is live after any block, not only after this one.
        if all(
            _serves(after, other, flow.live_after_step[i])
            for i, other in enumerate(blocks)
            if len(other.situations) > 1
        ):
            return after
    return None


def _absorb(machine: FlowGraph) -> FlowGraph:
    """Let blocks stand for idle states as well, where that saves tests.

    A program may end in an idle state, but then has to test for it. If running a block there
    has no effect either, that test can go.
    """
    situations: dict[tuple, list[AbstractState]] = {}
    for state in machine.reached.idle & machine.reached.circuits.keys():
        situations.setdefault(state.situation, []).append(state)
    idle = [
        _block(
            frozenset([situation]),
            sorted(states, key=repr),
            machine.table[states[0].key].wires,
        )
        for situation, states in sorted(situations.items(), key=repr)
    ]
    for place in range(len(machine.blocks)):
        with_idle = machine
        for extra in idle:
            with_idle = _joined(with_idle, with_idle.blocks[place], extra) or with_idle
        if _tests(with_idle) < _tests(machine):
            machine = with_idle
            taken = machine.blocks[place].situations
            idle = [extra for extra in idle if not extra.situations <= taken]
    return machine


def _tests(machine: FlowGraph) -> int:
    """Return how many tests there are between blocks."""
    return sum(
        len(list(registers_tested(follow))) for follow in control_flow(machine).successors
    )


def _serves(machine: FlowGraph, block: Block, needed: set[int]) -> bool:
    """Return whether a block's circuit has the effect of each situation's own circuit.

    ``needed``: the registers that are live after the step. Where the program ends after the
    step in any case, none is.
    """
    by_kind: dict[tuple, list[AbstractState]] = {}
    for state in block.states:
        by_kind.setdefault((state.situation, _ends(machine, state)), []).append(state)
    for (_, ends), states in by_kind.items():
        known = join([state.registers for state in states])
        facts = joined_facts(known, states)
        own, shared = (
            build_circuit(wires, known, facts).effect(set() if ends else needed)
            for wires in (machine.table[states[0].key].wires, block.wires)
        )
        if own != shared:
            return False
    return True


def _ends(machine: FlowGraph, state: AbstractState) -> bool:
    """Return whether the program ends after a state's step in all cases."""
    return not any(goes_on for _, goes_on in machine.reached.successors[state])


# Control flow and liveness


def outcomes_of(machine: FlowGraph, block: Block) -> list[tuple[tuple[Value, ...], int | None]]:
    """Return every case after a block: what is known of the registers, and the next block."""
    places = {s: i for i, other in enumerate(machine.blocks) for s in other.situations}
    reached, outcomes = machine.reached, []
    for state in block.states:
        if _ends(machine, state):
            circuit = build_circuit(block.wires, state.registers, state.facts())
            outcomes += [(known, END) for known in registers_after(state, circuit)]
            continue
        outcomes += [
            (
                after.registers,
                places.get(after.situation, END) if goes_on or after in reached.idle else END,
            )
            for after, goes_on in reached.successors[state]
        ]
    return outcomes


class _IndistinguishableError(Exception):
    """No test tells apart two cases that need different successors.

    Tests only see which registers are 0.
    """


def control_flow(machine: FlowGraph) -> ControlFlow:
    """Return the edges between blocks as decision trees, and live registers along them.

    Raises `_IndistinguishableError` if zero tests cannot decide which block comes next.
    """
    blocks = machine.blocks
    outcomes = [outcomes_of(machine, block) for block in blocks]
    late = _tested_in_loops(outcomes)
    successors = [
        _decide(
            frozenset(
                (tuple(v.is_constant and v.constant == 0 for v in known), target)
                for known, target in outcome
            ),
            late,
        )
        for outcome in outcomes
    ]
    tests = [set(registers_tested(decision)) for decision in successors]
    # Liveness as in compilers: backwards through each block, again and again to a fixed point.
    live_in: list[set[int]] = [set() for _ in blocks]
    live_out = [set() for _ in blocks]
    changed = True
    while changed:
        changed = False
        for i, block in enumerate(blocks):
            live_out[i] = set().union(*(live_in[j] for j in _targets(successors[i])))
            after = [register_after(block, j) for j in live_out[i] | tests[i]]
            before = registers_used(after) | registers_used(
                [v for store in block.circuit.stores for v in (store.address, store.value)]
            )
            if before != live_in[i]:
                live_in[i], changed = before, True
    live_after_step = [out | test for out, test in zip(live_out, tests, strict=True)]
    return ControlFlow(successors, live_after_step, live_out)


def register_after(block: Block, register: int) -> Value:
    """Return what a register holds after a block; the last one is the number of steps left."""
    if register < len(block.circuit.registers):
        return block.circuit.registers[register]
    left = block.known[-1]
    certain = block.states[0].certain
    return left if certain or left.is_constant else shifted(left, -1)


def _tested_in_loops(outcomes) -> tuple[int, ...]:
    """Return the registers that decide whether a block is repeated."""
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
def _decide(outcomes: frozenset, last: tuple[int, ...]) -> Successor:
    """Return the smallest decision tree for which block comes next.

    Arguments:
        outcomes: pairs of a pattern, which registers are 0, and the block that comes next.
        last: registers to test last, if that costs no test: as the condition of a loop.

    Raises `_IndistinguishableError` if one pattern has two different blocks.
    """
    targets = {target for _, target in outcomes}
    if len(targets) <= 1:
        return targets.pop() if targets else END
    width = len(next(iter(outcomes))[0])
    best, least = None, None
    for register in range(width):
        zero = frozenset(o for o in outcomes if o[0][register])
        if not zero or zero == outcomes:
            continue
        test = Branch(
            of(Register(register)), _decide(zero, last), _decide(outcomes - zero, last)
        )
        cost = _cost(test, last)
        if least is None or cost < least:
            best, least = test, cost
    if best is None:
        raise _IndistinguishableError
    return best


def _cost(test: Successor, last: tuple[int, ...]) -> tuple[int, int]:
    """Return how many tests a tree has, and how many stand too early or too late in it."""
    if not isinstance(test, Branch):
        return 0, 0
    (count, misplaced), (more, others) = (_cost(t, last) for t in (test.zero, test.nonzero))
    (register,) = registers_tested(test._replace(zero=None, nonzero=None))
    early = (register in last) == (count + more > 0)
    return 1 + count + more, early + misplaced + others


def registers_tested(decision: Successor) -> Iterable[int]:
    """Yield the registers that a decision tree tests."""
    if isinstance(decision, Branch):
        yield decision.value.terms[0][0].number  # pyright: ignore
        yield from registers_tested(decision.zero)
        yield from registers_tested(decision.nonzero)


def _targets(decision: Successor) -> set[int]:
    """Return the blocks that may come next, without the end."""
    if isinstance(decision, Branch):
        return _targets(decision.zero) | _targets(decision.nonzero)
    return set() if decision is None else {decision}
