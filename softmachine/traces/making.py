"""Making a trace: run a machine on one example and keep its arrays and their description."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np
from jaxtyping import PRNGKeyArray

from softmachine.core import compiling
from softmachine.core.capabilities import Wired
from softmachine.core.errors import TraceError
from softmachine.core.fields import Field, default_field
from softmachine.core.rendering import natural_order
from softmachine.core.specs.spec import counts, each
from softmachine.machines.machine import Machine
from softmachine.tasks.task import Example, Task
from softmachine.traces.examples import MOST_CELLS, draw_example, own_example
from softmachine.traces.file import Trace
from softmachine.traces.recording import Recording, record
from softmachine.traces.schema import (
    TYPES,
    Axis,
    Choice,
    Hard,
    Header,
    TraceCircuit,
    TraceGate,
    check_arrays,
    finite,
)

Arrays = dict[str, np.ndarray]
"""By name."""


def trace(
    machine: Machine,
    task: Task,
    size: int | None = None,
    seed: int = 0,
    *,
    inputs: Any = None,
    every: int = 1,
    fields: Sequence[str] | None = None,
    source: str = "",
    recipe: str = "",
    most_cells: int = MOST_CELLS,
    wanted: Callable[[], bool] = lambda: True,
) -> Trace:
    """Run a machine on one example and return the trace of the run.

    Arguments:
        machine: the machine.
        task: draws the example, and scores the outputs.
        size: size of the example.
        seed: random seed of the example and of the machine's first state.
        inputs: the user's own input, instead of ``size``; see `own_example`.
        every: keep every k-th step, and the last.
        fields: names of the fields to keep; all by default.
        source: where the machine came from, for the title.
        recipe: the recipe it was trained with.
        most_cells: the most cells that a memory of ``inputs`` may have.
        wanted: called between parts of the work; if it returns False, the trace is given up.

    Raises:
        TraceError: there is no such example or field, the trace would be too large, or it is
            no longer wanted.
    """
    if (size is None) == (inputs is None):
        raise TraceError("a trace is of an example of a size, or of inputs: give one of them")
    if size is None:
        example, key = own_example(task, inputs, most_cells), jax.random.key(seed)
    else:
        example, key = draw_example(task, size, seed)
    _go_on(wanted)
    recording = record(machine, example, key=key, every=every, fields=fields)
    _go_on(wanted)
    name, scores = source or type(machine).__name__, _scores(task, recording, example)
    header = Header(
        title=f"{name}, own input" if size is None else f"{name}, size {size}, seed {seed}",
        machine=type(machine).__name__,
        task=type(task).__name__,
        source=source,
        recipe=recipe,
        size=size,
        seed=None if size is None else seed,
        length=int(example.steps),
        steps=tuple(recording.steps),
        axes={},
        fields=_declare(machine, recording.fields),
        example=(),
        initial=tuple(name for name in recording.fields if name in recording.initial),
        hard=None,
        circuit=None,
        pointers=(),
        scores=scores,
        error=task.error,
        shares=tuple(share for share in task.shares if share in scores),
    )
    parts: dict[str, Any] = {"fields": recording.fields, "initial": recording.initial}
    given = np.asarray(example.inputs)
    layout = task.layout(given)
    shown = task.inputs.spec.input_fields(given, layout.inputs)
    shown += task.output.output_fields(recording.outputs, example, layout.outputs)
    shown += layout.more
    parts["example"] = {field.name: array for field, array in shown}
    declared = tuple(field for field, _ in shown)
    header = dataclasses.replace(header, example=declared, pointers=layout.pointers)
    if isinstance(machine, Wired):
        hard, parts["hard"] = _hard_run(machine, example, recording, key, every, fields)
        header = dataclasses.replace(header, hard=hard, circuit=_circuit(machine))
    return _assemble(header, parts)


def _go_on(wanted: Callable[[], bool]) -> None:
    """Raise TraceError if the trace is no longer wanted."""
    if not wanted():
        raise TraceError("this trace is no longer wanted")


def _assemble(header: Header, parts: Mapping[str, Mapping[str, Any]]) -> Trace:
    """Return a trace: the header completed by the sizes of the axes, arrays in their types.

    ``parts`` are arrays by part (``fields``, ``initial``, ``hard``, ``example``) and name.
    """
    given = {
        f"{part}/{name}": x for part, arrays in parts.items() for name, x in arrays.items()
    }
    axes: dict[str, Axis] = {"step": Axis(size=header.length)}
    arrays: Arrays = {}
    for name, (field, stepwise) in header.declarations().items():
        array = np.asarray(given[name])
        arrays[name] = np.asarray(array, TYPES[field.kind], order="C")
        sizes = array.shape[1:] if stepwise else array.shape
        if len(sizes) != len(field.axes):
            raise TraceError(
                f"field {field.name} is declared with axes {field.axes}, and has the shape "
                f"{sizes}"
            )
        for axis, size in zip(field.axes, sizes, strict=True):
            labels = field.labels.get(axis)
            known = axes.get(axis, Axis(size=size)).labels
            axes[axis] = Axis(size=size, labels=tuple(labels) if labels else known)
    made = Trace(dataclasses.replace(header, axes=axes), arrays)
    check_arrays(made.header, made.arrays)
    return made


def _declare(machine: Machine, arrays: Mapping[str, Any]) -> tuple[Field, ...]:
    """Return declarations of the recorded arrays: the machine's own, then default ones."""
    own = {field.name: field for field in machine.trace_fields()}
    names = [name for name in own if name in arrays]
    names += [name for name in arrays if name not in own]
    return tuple(
        own[name] if name in own else default_field(name, arrays[name][0]) for name in names
    )


def _scores(task: Task, recording: Recording, example: Example) -> dict[str, float | None]:
    """Return the task's metrics of the outputs; none if the example has no targets.

    Without ratios of nothing, as that of a class's tenth image if none has so many.
    """
    if not np.asarray(example.mask).any():
        return {}
    metrics = _metrics(task, recording.outputs, example)
    known = {
        name: each(x)
        for name, x in sorted(metrics.items(), key=lambda item: natural_order(item[0]))
        if counts(x)
    }
    return finite(known)


@partial(compiling.filter_jit, tuned=False)
def _metrics(task, outputs, example):
    return task.metrics(outputs, example)


def _hard_run(
    machine: Wired,
    example: Example,
    soft: Recording,
    key: PRNGKeyArray,
    every: int,
    fields: Sequence[str] | None,
) -> tuple[Hard, Arrays]:
    """Run the machine with every choice its most likely one; return the run as integers.

    Distributions are one-hot there, and become the index of their 1.
    """
    options = dataclasses.replace(machine.test_options, hard=True)
    hard = record(
        machine.with_test_options(options), example, key=key, every=every, fields=fields
    )
    willing = np.flatnonzero(np.asarray(hard.outputs.stop) > 0)
    stopped_after = int(willing[0]) + 1 if len(willing) else int(example.steps)
    # Steps after the machine has stopped repeat the last recorded step up to then.
    kept = np.asarray(soft.steps)
    last = max(0, int(np.searchsorted(kept, stopped_after, side="right")) - 1)
    places = np.minimum(np.arange(len(kept)), last)
    declared, arrays = [], {}
    for field in machine.trace_fields():
        if field.kind != "distribution" or field.name not in hard.fields:
            continue
        over = None if field.axes[-1] == "value" else field.axes[-1]
        kind = "integer" if over is None else "pointer"
        declared.append(dataclasses.replace(field, kind=kind, axes=field.axes[:-1], over=over))
        arrays[field.name] = np.asarray(hard.fields[field.name]).argmax(axis=-1)[places]
    return Hard(stopped_after=stopped_after, fields=tuple(declared)), arrays


def _circuit(machine: Wired) -> TraceCircuit:
    """Return the gates of a machine, and which sources each choice may take."""
    registers = machine.config.registers
    choices = [
        Choice(sources=row.sources, register=row.argument)
        if row.gate is None
        else Choice(sources=row.sources, gate=row.gate, argument=row.argument)
        for row in machine.rows.rows
        if row.sources and not row.of_kind
    ]
    gates = [_gate(machine, place) for place in range(len(machine.rows.gate_names))]
    return TraceCircuit(registers=registers, gates=tuple(gates), choices=tuple(choices))


def _gate(machine: Wired, place: int) -> TraceGate:
    """Return the gate in a place; one that is chosen in each step has the place's name."""
    gate, *others = machine.rows.candidates(place)
    if not others:
        return TraceGate(
            name=gate.name, symbol=gate.symbol, arity=gate.arity, memory=gate.memory
        )
    name = machine.rows.gate_names[place]
    arity = max(g.arity for g in (gate, *others))
    return TraceGate(name=name, symbol=name, arity=arity, memory="")
