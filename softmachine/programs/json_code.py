"""A program as JSON: states, variables, circuits, tests, for other tools to read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from softmachine.programs.program import Program, State, Test
from softmachine.programs.values import Apply, Load, Register, Value

SCHEMA = 2


def json_code(program: Program, summary: str, notes: Sequence[str]) -> str:
    """Return the program as JSON.

    A value is ``{"constant": k, "terms": [[factor, atom], ...]}``, a sum modulo the number of
    cells; if ``unbounded``, a sum without more: there are zeros behind the list and in all
    cells with addresses below 0, and what is below 0 counts as larger than all other numbers
    in MIN, MAX and comparisons. A variable is its ``offset`` at first. The steps that a
    program counts, if it ``counts_steps``, are ``factor * quantity + offset``; see
    `softmachine.tasks.steps.StepRule`.

    An atom is ``{"variable": name}``, ``{"cell": value, "after": stores}`` or ``{"gate": name,
    "arguments": [values]}``. A state's ``next`` is a state's name, null for the end, or
    ``{"if_zero": value, "then": ..., "else": ...}``, in terms of the variables after the step.
    """
    whole = {
        "schema": SCHEMA,
        "summary": summary,
        "notes": list(notes),
        "steps": program.steps._asdict(),
        "counts_steps": program.counts_steps,
        "unbounded": program.unbounded,
        "variables": {
            name: {"register": j + 1, "offset": program.offsets.get(j, 0)}
            for j, name in program.names.items()
        },
        "states": [_state(program, state) for state in program.states],
    }
    return json.dumps(whole, indent=2) + "\n"


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
        "next": _follow(program, state.follow),
    }


def _follow(program: Program, follow: Test | int | None) -> Any:
    if isinstance(follow, Test):
        return {
            "if_zero": _value(program, follow.value),
            "then": _follow(program, follow.zero),
            "else": _follow(program, follow.other),
        }
    return None if follow is None else program.states[follow].name


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
