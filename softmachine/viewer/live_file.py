"""One HTML file with a machine in it, which the page runs by itself: no Python, no server.

The file is the viewer's page, the machine's parameters as safetensors, and a description of
the machine as JSON, in that file's metadata. `viewer-ui/src/machines` reads both; its forward
passes are tested against those of this package, in a browser.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from safetensors.numpy import save

from softmachine.core.errors import SoftmachineError, with_article
from softmachine.core.fields import named_leaves
from softmachine.core.files import stable_safetensors
from softmachine.experiments.experiment import Experiment
from softmachine.experiments.serialization import KIND, experiment_to_json
from softmachine.machines.machine import Machine
from softmachine.programs.automata.automaton import to_json
from softmachine.programs.automata.reading import has_stacks, read
from softmachine.programs.extraction import can_extract, extract, extractable
from softmachine.programs.languages.json import json_code
from softmachine.programs.languages.python import python_code, state_lines
from softmachine.programs.notes import Provenance, summary
from softmachine.running.generalization import with_room_for
from softmachine.tasks.memories.given import Given
from softmachine.tasks.memory import MemoryTask
from softmachine.tasks.task import Task
from softmachine.traces.examples import draw_example
from softmachine.traces.making import trace
from softmachine.traces.page import page_with_machines
from softmachine.traces.schema import header_to_json
from softmachine.viewer.page_training import page_training

VERSION = "1"
"""The version of the description; docs/viewer.md."""
RUNS = ("ntm", "nram", "stack-rnn")
"""The machines that the page can run, by their registered names."""
SIZES = 8
"""How many sizes there are examples of."""
EXAMPLES = 3
"""How many examples there are of each size."""
LARGEST_FACTOR = 2
"""Examples go up to this multiple of the largest size trained."""
LARGEST_MEMORY = 20
"""Examples of memories go up to this size: a step on M cells costs the page some M**2."""
LARGEST_READ = 100
"""An automaton is read off strings of up to this size."""
ROOM_FACTOR = 6
"""Memories grow for a person's own input up to this multiple of the largest size trained."""


class Living(NamedTuple):
    """A machine as a live file shows it."""

    name: str
    """Such as ``zoo:ntm-copy``."""
    experiment: Experiment
    machine: Machine
    provenance: Provenance | str
    about: str = ""
    """What its task is; by default what that says of itself."""
    trains: bool = False
    """Whether the page offers to train it, from these parameters on."""


def live_page(machines: list[Living]) -> str:
    """Return the page with machines that it runs by itself.

    Raises SoftmachineError for a machine or a task that the page does not know.
    """
    return page_with_machines((one.name, machine_file(one)) for one in machines)


def machine_file(living: Living) -> bytes:
    """Return a safetensors file: the parameters, and the description in its metadata.

    Raises SoftmachineError as `live_page` does.
    """
    machine = living.machine
    kind = _check(living)
    arrays = {
        name: np.asarray(leaf, np.float32) for name, leaf in named_leaves(machine).items()
    }
    described = json.dumps(_describe(living, kind), ensure_ascii=False, allow_nan=False)
    metadata = {"softmachine_machine": VERSION, "machine": described}
    return stable_safetensors(save(arrays, metadata))


def _check(living: Living) -> str:
    """Return the machine's registered name; SoftmachineError if the page cannot run it."""
    config = experiment_to_json(living.experiment)["experiment"]["machine"]
    kind = config[KIND]
    if kind not in RUNS:
        raise SoftmachineError(
            f"the page runs {', '.join(RUNS)} by itself; {living.name} is "
            f"{with_article(kind)}: watch it with softmachine view {living.name}"
        )
    if config.get("initial_memory") == "resampled" or (
        config.get("initial_weightings") == "random-row"
    ):
        raise SoftmachineError(
            f"{living.name} draws its first state at random: watch it with softmachine view "
            f"{living.name}"
        )
    return kind


def _describe(living: Living, kind: str) -> dict[str, Any]:
    """Return the description, JSON-compatible."""
    experiment = living.experiment
    task = experiment.task.held_out(larger=True)
    trained = experiment.training.curriculum.largest
    sizes = _sizes(living.machine, task, trained)
    usual = 10 if task.inputs.per_step else 5
    # The machine as it is now: a test may have changed how it attends.
    config = experiment_to_json(
        dataclasses.replace(experiment, machine=living.machine.config)  # pyright: ignore
    )["experiment"]["machine"]
    whole = trace(living.machine, task, sizes[0], 0, source=living.name)
    outputs = {field.name: field.kind for field in whole.header.example}.get("outputs")
    if task.inputs.per_step and outputs not in ("logits", "probability"):
        raise SoftmachineError(
            f"the page knows outputs that are bits or letters; what {type(task).__name__} asks "
            f"for it does not: watch {living.name} with softmachine view"
        )
    return {
        "name": living.name,
        "kind": kind,
        "config": config,
        "task": experiment_to_json(experiment)["experiment"]["task"],
        "about": living.about
        or (inspect.getdoc(task) or "").split("\n", 1)[0].replace("``", ""),
        "origin": str(living.provenance),
        "input": task.inputs.spec.editor,
        "size": min(sizes, key=lambda size: abs(size - min(trained, usual))),
        "sizes": sizes,
        "header": json.loads(header_to_json(whole.header)),
        "examples": [
            _example(living, task, size, seed) for size in sizes for seed in range(EXAMPLES)
        ],
        "room": _room(living.machine, task, trained),
        "steps": _rule(task),
        "given": {"growth": task.growth.as_integer_ratio(), "cells": task.trained_cells}
        if isinstance(task, Given)
        else None,
        "program": _program(living, task),
        "automaton": _automaton(living, task),
        "training": page_training(experiment) if living.trains else None,
    }


def _sizes(machine: Machine, task: Task, trained: int) -> list[int]:
    """Return the sizes that there are examples of: smaller ones closer to each other."""
    if isinstance(task, Given):
        known = [size for size in task.sizes if size <= LARGEST_MEMORY] or task.sizes[:1]
        some = np.linspace(0, len(known) - 1, min(SIZES, len(known))).round().astype(int)
        return [known[i] for i in some]
    largest = LARGEST_FACTOR * trained
    if not task.inputs.per_step:
        largest = max(trained, min(largest, LARGEST_MEMORY))
    largest = largest if task.largest is None else min(largest, task.largest)
    while largest > task.smallest and not _fits(machine, task, largest):
        largest -= 1
    spread = np.geomspace(task.smallest, largest, SIZES).round().astype(int).tolist()
    usual = [size for size in (5, 10, trained) if task.smallest <= size <= largest]
    return sorted({*spread, *usual})


def _fits(machine: Machine, task: Task, size: int) -> bool:
    try:
        with_room_for(machine, task, size)
    except SoftmachineError:
        return False
    return True


def _example(living: Living, task: Task, size: int, seed: int) -> dict[str, Any]:
    """Return what the page has to know of an example: inputs, targets, mask, labels.

    It is the one that `softmachine trace` shows for this size and seed.
    """
    example, _ = draw_example(task, size, seed)
    inputs = np.asarray(example.inputs)
    layout = task.layout(inputs)
    stepwise = task.inputs.per_step
    machine = with_room_for(living.machine, task, size)
    return {
        "size": size,
        "seed": seed,
        "steps": int(example.steps),
        "rows": machine.memory_rows if stepwise else None,
        "inputs": _numbers(inputs),
        "targets": _numbers(np.asarray(example.targets)),
        "mask": _numbers(np.asarray(example.mask)),
        "labels": None if stepwise else layout.inputs,
        "pointers": list(layout.pointers),
    }


def _numbers(array: np.ndarray) -> list[Any]:
    """Return an array as lists; rows of bits as strings of 0 and 1."""
    if array.ndim == 2 and np.isin(array, (0, 1)).all():
        return ["".join(str(int(x)) for x in row) for row in array]
    return array.tolist()


def _room(machine: Machine, task: Task, trained: int) -> list[tuple[int, int]]:
    """Return, for sizes that need more memory rows, how many steps and rows they take."""
    if machine.memory_rows is None or not task.inputs.per_step:
        return []
    found = []
    for size in range(trained, ROOM_FACTOR * trained + 1):
        needed = task.items(size)
        beyond = task.largest is not None and size > task.largest
        if beyond or not _fits(machine, task, size):
            break
        if needed > machine.memory_rows:
            found.append((int(task.steps(size)), needed))
    return found


def _rule(task: Task) -> dict[str, Any] | None:
    """Return the rule for the number of steps of a memory; None for other tasks."""
    if not isinstance(task, MemoryTask):
        return None
    try:
        return task.step_rule()._asdict()
    except ValueError as error:
        raise SoftmachineError(str(error)) from error


def _program(living: Living, task: Task) -> dict[str, Any] | None:
    """Return the extracted program: its data and its lines; None if there is none."""
    if not can_extract(living.machine, task):
        return None
    try:
        _, known = extractable(living.machine, task)
        program = extract(living.machine, known)
        about = summary(known)
        return {
            "data": json.loads(json_code(program, about, [])),
            "lines": state_lines(program),
            "code": python_code(program, about, [str(living.provenance)]),
        }
    except SoftmachineError:
        return None  # such as too many states: the machine runs all the same


def _automaton(living: Living, task: Task) -> Mapping[str, object] | None:
    """Return the automaton that a machine with stacks is; None if there is none."""
    if not has_stacks(living.machine):
        return None
    try:
        return to_json(read(living.machine, task, largest=LARGEST_READ).automaton)
    except SoftmachineError:
        return None  # such as too many symbols: the machine runs all the same
