"""The program of a machine, from what its controller does in every situation."""

from __future__ import annotations

from collections.abc import Sequence

from softmachine.programs.merging import (
    Node,
    Nodes,
    flow_of,
    merge,
    outcomes_of,
    register_after,
    registers_tested,
)
from softmachine.programs.naming import choose_offsets, name_states, name_variables
from softmachine.programs.program import Program, State, Test
from softmachine.programs.reachable import Table, explore, used
from softmachine.programs.values import Load, Register, Value, difference, of, shifted
from softmachine.tasks.steps import StepRule


def build_program(table: Table, steps: StepRule) -> Program:
    """Return the program of a machine, given what its controller does in every situation."""
    registers = len(next(iter(table.values())).wires.registers)
    reached = explore(table, registers, steps)
    return _finish(merge(reached, table), steps, registers)


def _finish(machine: Nodes, steps: StepRule, registers: int) -> Program:
    """Return the program: registers become variables with names, nodes become states."""
    flow = flow_of(machine)
    states = []
    for i, node in enumerate(machine.nodes):
        outcomes = [known for known, _ in outcomes_of(machine, node)]
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
                    if (value := register_after(node, j)) != of(Register(j))
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
    node: Node,
    outcomes: list[tuple[Value, ...]],
    known: set[int],
) -> Test | int | None:
    """Return tests in terms of variables that are needed anyway, where there are such."""
    if not isinstance(decision, Test):
        return decision
    (register,) = registers_tested(decision._replace(zero=None, other=None))
    value = of(Register(register))
    for j in [] if register in known else sorted(known):
        apart = {difference(after[register], after[j]) for after in outcomes}
        if len(apart) == 1 and None not in apart:
            value = shifted(of(Register(j)), apart.pop() or 0)
            break
    if value.constant or register not in known:
        value = _in_memory(register_after(node, register), len(node.circuit.stores)) or value
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
