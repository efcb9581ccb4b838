"""The header of a trace: what was run, and what each array means; checked when read."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
from collections.abc import Mapping
from typing import Any, Literal

import cattrs
import numpy as np
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from softmachine.core.errors import TraceError
from softmachine.core.fields import Field, Kind
from softmachine.core.strict_json import explain, strict_converter
from softmachine.traces.calls import CallRun, check_calls

VERSION = "4"
"""Version of the file format, which docs/traces.md describes."""
READ = ("1", "2", "3", VERSION)
"""Versions that are read: what an earlier one does not say is empty."""

TYPES: dict[Kind, type[np.generic]] = {
    "bits": np.uint8,
    "logits": np.float32,
    "scalar": np.float32,
    "probability": np.float32,
    "vector": np.float32,
    "matrix": np.float32,
    "weighting": np.float32,
    "distribution": np.float32,
    "integer": np.int32,
    "pointer": np.int32,
}
"""The dtype of arrays of each kind."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Axis:
    """An axis of arrays: its size, and names for its entries."""

    size: int
    labels: tuple[str, ...] | None = None
    """One for each entry; None: entries are numbered from 0."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TraceGate:
    """A gate of an NRAM's circuit."""

    name: str
    symbol: str
    arity: Literal[0, 1, 2]
    memory: Literal["", "read", "write"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Choice:
    """What one row of choices is for: an argument of a gate, or a register's next value."""

    sources: int
    """How many sources it chooses from: the first ones, registers before gates."""
    gate: int | None = None
    argument: int | None = None
    register: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class TraceCircuit:
    """The possible wirings of one step of an NRAM."""

    registers: int
    gates: tuple[TraceGate, ...]
    choices: tuple[Choice, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Hard:
    """The same run with every choice its most likely one."""

    stopped_after: int
    """After which step the machine stopped; the last one if it did not."""
    fields: tuple[Field, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Header:
    """Everything in a trace that is not an array; docs/traces.md describes each key."""

    title: str
    machine: str
    task: str
    source: str
    recipe: str
    size: int | None
    seed: int | None
    length: int
    steps: tuple[int, ...]
    axes: Mapping[str, Axis]
    fields: tuple[Field, ...]
    example: tuple[Field, ...]
    initial: tuple[str, ...]
    hard: Hard | None
    circuit: TraceCircuit | None
    pointers: tuple[int, ...]
    scores: Mapping[str, float | None]
    """The task's metrics on this example; None: not a finite number."""
    error: str
    shares: tuple[str, ...] = ()
    """Those of the scores that are fractions, shown in percent."""
    calls: CallRun | None = None
    """Of a run of programs: its calls. Such a trace has no fields."""

    def declarations(self) -> dict[str, tuple[Field, bool]]:
        """Return all arrays by full name: the declaration, and whether the first axis is steps.

        Full names are a part and a name, such as ``fields/memory``.
        """
        fields = {field.name: field for field in self.fields}
        hard = () if self.hard is None else self.hard.fields
        return (
            {f"fields/{field.name}": (field, True) for field in self.fields}
            | {f"initial/{name}": (fields[name], False) for name in self.initial}
            | {f"hard/{field.name}": (field, True) for field in hard}
            | {f"example/{field.name}": (field, False) for field in self.example}
        )


def header_to_json(header: Header) -> str:
    """Return a header as JSON."""
    return json.dumps(_converter().unstructure(header), ensure_ascii=False, allow_nan=False)


def header_from_json(text: str) -> Header:
    """Return a header from JSON; TraceError if it is not one, or contradicts itself."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TraceError(f"its description is no JSON: {error}") from error
    try:
        header = _converter().structure(value, Header)
    except Exception as error:
        reasons = cattrs.transform_error(error, path="trace", format_exception=explain)
        raise TraceError(f"its description is not that of a trace: {reasons[0]}") from error
    _check(header)
    return header


def check_arrays(header: Header, arrays: Mapping[str, np.ndarray]) -> None:
    """Raise TraceError unless the arrays are those that the header declares."""
    declared = header.declarations()
    for name in declared.keys() ^ arrays.keys():
        what = "lacks the array" if name in declared else "holds an array that is not declared,"
        raise TraceError(f"it {what} {name!r}")
    for name, (field, stepwise) in declared.items():
        array = arrays[name]
        shape = tuple(header.axes[axis].size for axis in field.axes)
        shape = (len(header.steps), *shape) if stepwise else shape
        if array.shape != shape or array.dtype != TYPES[field.kind]:
            raise TraceError(
                f"the array {name!r} has shape {array.shape} and type {array.dtype}; declared "
                f"are {shape} and {np.dtype(TYPES[field.kind])}"
            )
        _check_values(name, field, array, header)


def _check_values(name: str, field: Field, array: np.ndarray, header: Header) -> None:
    if not array.size:
        return
    if field.kind == "bits" and array.max() > 1:
        raise TraceError(f"the array {name!r} holds bits other than 0 and 1")
    if field.over is not None:
        size = header.axes[field.over].size
        if array.min() < 0 or array.max() >= size:
            raise TraceError(f"the array {name!r} points beyond the {size} of {field.over!r}")


def _check(header: Header) -> None:
    """Raise TraceError for a header that contradicts itself."""
    steps = header.steps
    rising = all(a < b for a, b in itertools.pairwise(steps))
    if not steps or not rising or steps[0] < 1 or steps[-1] > header.length:
        raise TraceError(f"its steps must rise, from 1 to {header.length} at most")
    for name, axis in header.axes.items():
        if axis.size < 0 or (axis.labels is not None and len(axis.labels) != axis.size):
            raise TraceError(f"its axis {name!r} must have one label for each of {axis.size}")
    hard = () if header.hard is None else header.hard.fields
    for fields in (header.fields, header.example, hard):
        names = [field.name for field in fields]
        if len(set(names)) < len(names):
            raise TraceError("it declares a field twice")
        for field in fields:
            for axis in (*field.axes, *([] if field.over is None else [field.over])):
                if axis not in header.axes:
                    raise TraceError(f"its field {field.name!r} has an unknown axis {axis!r}")
            heads = math.prod(header.axes[axis].size for axis in field.axes[:-1])
            if field.does and len(field.does) != heads:
                raise TraceError(
                    f"its field {field.name!r} must say of each of {heads} what it does"
                )
    known = {field.name for field in header.fields}
    if len(set(header.initial)) < len(header.initial) or not set(header.initial) <= known:
        raise TraceError("its initial fields must be some of its fields")
    cells = header.axes.get("cell", Axis(size=0)).size
    if any(not 0 <= cell < cells for cell in header.pointers):
        raise TraceError(f"its pointers must be cells, 0 to {cells - 1}")
    if not set(header.shares) <= header.scores.keys():
        raise TraceError("its shares must be some of its scores")
    if header.circuit is not None:
        _check_circuit(header.circuit, header)
    if header.calls is not None:
        check_calls(header.calls, header.length)


def _check_circuit(circuit: TraceCircuit, header: Header) -> None:
    sizes = {name: axis.size for name, axis in header.axes.items()}
    sources = circuit.registers + len(circuit.gates)
    expected = {"register": circuit.registers, "gate": len(circuit.gates), "source": sources}
    expected["choice"] = len(circuit.choices)
    for name, size in expected.items():
        if sizes.get(name, size) != size:
            raise TraceError(f"its circuit and its axis {name!r} contradict each other")
    for choice in circuit.choices:
        of_gate = choice.gate in range(len(circuit.gates)) and choice.argument in (0, 1)
        of_register = choice.register in range(circuit.registers)
        if of_gate == of_register or not 1 <= choice.sources <= sources:
            raise TraceError("its circuit has a choice that belongs to nothing")


def finite(scores: Mapping[str, Any]) -> dict[str, float | None]:
    """Return metrics as floats, with None for those that are not finite."""
    numbers = {name: float(value) for name, value in scores.items()}
    return {name: x if math.isfinite(x) else None for name, x in numbers.items()}


def _converter() -> cattrs.Converter:
    converter = strict_converter()
    # Labels are given once for each axis of a trace, not field by field.
    hidden = override(omit=True)
    converter.register_unstructure_hook(
        Field, make_dict_unstructure_fn(Field, converter, labels=hidden)
    )
    converter.register_structure_hook(
        Field,
        make_dict_structure_fn(Field, converter, _cattrs_forbid_extra_keys=True, labels=hidden),
    )
    return converter
