"""Building a program from the controller's transition table: the pipeline of extraction.

``explore`` finds the reachable states, ``merge`` makes blocks of them; here blocks become
states, live registers become variables, and both get names.
"""

from __future__ import annotations

from collections.abc import Sequence

from softmachine.programs.circuits import loads_in
from softmachine.programs.merging import (
    Block,
    FlowGraph,
    control_flow,
    merge,
    outcomes_of,
    register_after,
    registers_tested,
)
from softmachine.programs.naming import choose_offsets, name_states, name_variables
from softmachine.programs.program import Branch, Program, State, Successor
from softmachine.programs.reachable import TransitionTable, explore, registers_used
from softmachine.programs.values import Load, Register, Value, difference, of, shifted
from softmachine.tasks.steps import StepRule


def build_program(table: TransitionTable, steps: StepRule) -> Program:
    """Return the program of a machine.

    Arguments:
        table: what the controller does in every situation.
        steps: how many steps the machine takes.

    Raises:
        SoftmachineError: there are too many reachable states.
    """
    registers = len(next(iter(table.values())).wires.registers)
    reached = explore(table, registers, steps)
    return _finish(merge(reached, table), steps, registers)


def _finish(machine: FlowGraph, steps: StepRule, registers: int) -> Program:
    """Return the program: live registers become named variables, blocks become states."""
    flow = control_flow(machine)
    states = []
    for i, block in enumerate(machine.blocks):
        outcomes = [known for known, _ in outcomes_of(machine, block)]
        successor = _in_variables(flow.successors[i], block, outcomes, flow.live_out[i])
        assigned = flow.live_out[i] | registers_used(_values_tested(successor))
        gates = dict(enumerate(block.circuit.gates)) | {registers: ""}
        states.append(
            State(
                name="",
                stores=block.circuit.stores,
                updates={
                    j: value
                    for j in sorted(assigned)
                    if (value := register_after(block, j)) != of(Register(j))
                },
                successor=successor,
                facts=block.facts,
                known=block.known[:registers],
                gates={j: gates[j] for j in assigned},
                wires=block.wires,
                patterns=tuple(sorted({_bits(s.pattern) for s in block.states}, reverse=True)),
            )
        )
    program = Program(tuple(states), {}, {}, steps, registers)
    return name_states(name_variables(choose_offsets(program)))


def _bits(pattern: Sequence[bool]) -> str:
    """Return a pattern of zeros as digits, 1 for a register that is 0."""
    return "".join("01"[zero] for zero in pattern)


def _in_variables(
    decision: Successor,
    block: Block,
    outcomes: list[tuple[Value, ...]],
    live: set[int],
) -> Successor:
    """Return a decision tree of registers as one of variables, adding few variables.

    A register that is needed for its test alone need not become a variable if it always
    differs by the same number from a live one, or if it holds what a cell holds.

    Arguments:
        decision: the tree, with tests of single registers.
        block: after which it is evaluated.
        outcomes: what is known of the registers after the block, case by case.
        live: registers that are live after the tests, and so become variables in any case.
    """
    if not isinstance(decision, Branch):
        return decision
    (register,) = registers_tested(decision._replace(zero=None, nonzero=None))
    value = of(Register(register))
    for j in [] if register in live else sorted(live):
        apart = {difference(after[register], after[j]) for after in outcomes}
        if len(apart) == 1 and None not in apart:
            value = shifted(of(Register(j)), apart.pop() or 0)
            break
    if value.constant or register not in live:
        value = _in_memory(register_after(block, register), block) or value
    zero, nonzero = (
        _in_variables(part, block, outcomes, live) for part in (decision.zero, decision.nonzero)
    )
    return Branch(value, zero, nonzero)


def _in_memory(value: Value, block: Block) -> Value | None:
    """Return the value if it is one cell, after all stores, at a fixed address; else None.

    The address may be in a cell in its turn, which no later store may have changed.
    """
    stores = block.circuit.stores
    (atom, factor), *others = value.terms or ((None, 0),)
    plain = (
        isinstance(atom, Load)
        and atom.after == len(stores)
        and not registers_used([atom.address])
        and all(
            block.facts.differ(store.address, inner.address)
            for inner in loads_in(atom.address)
            for store in stores[inner.after :]
        )
    )
    return value if plain and factor == 1 and not others and not value.constant else None


def _values_tested(decision: Successor) -> list[Value]:
    if not isinstance(decision, Branch):
        return []
    return [decision.value, *_values_tested(decision.zero), *_values_tested(decision.nonzero)]
