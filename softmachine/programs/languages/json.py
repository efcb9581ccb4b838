"""A program written as JSON, for other tools: states, variables, stores, branches."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from softmachine.programs.program import Branch, Program, State, Successor
from softmachine.programs.values import Apply, Load, Register, Value
from softmachine.tasks.steps import StepRule

SCHEMA = 2
"""Version of the format."""


def json_code(
    program: Program,
    summary: str,
    notes: Sequence[str],
    machine: Mapping[str, Any] | None = None,
) -> str:
    """Return the program as JSON.

    A value is ``{"constant": k, "terms": [[factor, atom], ...]}``: a linear combination modulo
    the number of cells. If the program is ``unbounded`` it is not reduced: cells behind the
    list, and at addresses below 0, hold 0, and numbers below 0 count as larger than all others
    in MIN, MAX and comparisons. An atom is ``{"variable": name}``, ``{"gate": name,
    "arguments": [values]}`` or ``{"cell": value, "after": stores}``, the cell after that many
    stores of the state.

    A variable begins with the value of its ``offset``. A state's ``next`` is a state's name,
    null for the end, or ``{"if_zero": value, "then": ..., "else": ...}``, in terms of the
    variables after the step. A program that ``counts_steps`` takes ``(factor * quantity +
    offset) ** power`` of them, 1 if none is given; see `softmachine.tasks.steps.StepRule`.

    ``machine``: the wires that it comes from, as `softmachine.wiring.compiling.wiring_to_json`
    gives them; a machine can be compiled of them again.
    """
    whole = {
        "schema": SCHEMA,
        "summary": summary,
        "notes": list(notes),
        "steps": _without_default(program.steps),
        "counts_steps": program.counts_steps,
        "unbounded": program.unbounded,
        "variables": {
            name: {"register": j + 1, "offset": program.offsets.get(j, 0)}
            for j, name in program.names.items()
        },
        "states": [_state(program, state) for state in program.states],
    }
    if machine is not None:
        whole["machine"] = dict(machine)
    return json.dumps(whole, indent=2) + "\n"


def _without_default(steps: StepRule) -> dict[str, Any]:
    """Return a step rule's fields, without the power if it is 1."""
    return {
        key: value for key, value in steps._asdict().items() if (key, value) != ("power", 1)
    }


def _state(program: Program, state: State) -> dict[str, Any]:
    return {
        "name": state.name,
        "patterns": list(state.patterns),
        "stores": [
            {
                "address": _value(program, store.address),
                "value": _value(program, store.value),
                "gates": store.gates,
            }
            for store in state.stores
        ],
        "updates": {
            program.names[j]: {"value": _value(program, value), "gates": state.gates[j]}
            for j, value in state.updates.items()
        },
        "next": _successor(program, state.successor),
    }


def _successor(program: Program, successor: Successor) -> Any:
    if isinstance(successor, Branch):
        return {
            "if_zero": _value(program, successor.value),
            "then": _successor(program, successor.zero),
            "else": _successor(program, successor.nonzero),
        }
    return None if successor is None else program.states[successor].name


def _value(program: Program, value: Value) -> dict[str, Any]:
    terms = [[factor, _atom(program, atom)] for atom, factor in value.terms]
    return {"constant": value.constant, "terms": terms}


def _atom(program: Program, atom: Register | Load | Apply) -> dict[str, Any]:
    if isinstance(atom, Register):
        return {"variable": program.names[atom.number]}
    if isinstance(atom, Load):
        return {"cell": _value(program, atom.address), "after": atom.after}
    arguments = [_value(program, argument) for argument in atom.arguments]
    return {"gate": atom.gate, "arguments": arguments}
