"""The search for a loop behind a person's examples, and what becomes of what it finds."""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np

from softmachine.core.errors import SoftmachineError
from softmachine.core.time_limit import NEVER, TimeLimit
from softmachine.experiments.progress import Progress
from softmachine.experiments.runs import Run
from softmachine.machines.machine import split_trainable
from softmachine.machines.nram.nram import NRAM
from softmachine.programs.extraction import transition_table
from softmachine.synthesis.experiment import synthesis
from softmachine.synthesis.held_out import SynthesizedProgram, write_table
from softmachine.synthesis.search.attempts import Attempt
from softmachine.synthesis.search.loops import build_machine, wire
from softmachine.tasks.memories.exams import Batch
from softmachine.tasks.memories.given import Given

NAME = "search"
"""The directory of the machine that a search has made."""


def variants(task: Given) -> list[Given]:
    """Return the task, for a search, with every number of steps per item up to its own."""
    most = task.steps_per_size
    return [
        dataclasses.replace(task, steps_per_size=each, searched=True)
        for each in range(1, most + 1) or [0]
    ]


def as_batch(task: Given, seed: int) -> Batch:
    """Return the training examples: small ones of all sizes by turns, then larger ones.

    Where zeros may follow, the small ones come once more with as many zeros behind them: a
    program must not depend on unused cells, nor on what more steps do.
    """
    examples, rng = task.part_examples("training"), np.random.default_rng(seed)
    order = rng.permutation(len(examples)).tolist()
    ranks: dict[int, int] = {}
    keys = {}
    for i in order:
        size = examples[i].size
        ranks[size] = ranks.get(size, -1) + 1
        keys[i] = examples[i].cells_needed > task.memory, ranks[size], size
    rule, order = task.step_rule(), sorted(order, key=keys.__getitem__)
    rows = [examples[i] for i in order]
    if task.zeros_may_follow:
        rows += [x.with_zeros(len(x.before)) for x in rows if x.cells_needed <= task.memory]
    cells = max(x.cells_needed for x in rows)

    def stack(lines, kind):
        return np.array([[*line, *[0] * (cells - len(line))] for line in lines], kind)

    return Batch(
        stack([x.before for x in rows], np.int32),
        stack([x.after for x in rows], np.int32),
        stack([x.scored for x in rows], bool),
        np.array([rule.steps(x.before) for x in rows], np.int32),
        np.array([x.cells_needed for x in rows], np.int32),
    )


class Found(NamedTuple):
    """A machine that a search has made, and the task whose number of steps it takes."""

    machine: NRAM
    task: Given


def write(task: Given, attempt: Attempt, limit: TimeLimit = NEVER) -> SynthesizedProgram | None:
    """Return the program of an attempt, tested on all examples; None if there is none.

    Raises TimeIsOverError if there is no time for the test.
    """
    assert attempt.loop is not None
    wired = wire(attempt.loop, once=attempt.plan.once)
    own = variants(task)[attempt.plan.variant]
    try:
        return write_table(transition_table(*wired), own, NAME, limit=limit)
    except SoftmachineError:
        return None


def make(task: Given, attempt: Attempt) -> Found | None:
    """Return the machine of an attempt; None if no weights choose its wires."""
    assert attempt.loop is not None
    try:
        machine = build_machine(wire(attempt.loop, once=attempt.plan.once))
    except SoftmachineError:
        return None
    return Found(machine, variants(task)[attempt.plan.variant])


def is_saved(path: Path) -> bool:
    """Return whether `save` has written a machine there, to its end."""
    return os.path.isfile(path / "config.json") and Run(path).has_machine()


def load(path: Path, task: Given) -> Found:
    """Return what `save` has written; SoftmachineError if it is of other examples."""
    run = Run(path)
    machine, own = run.load_machine(), run.experiment.task
    if not isinstance(machine, NRAM) or not isinstance(own, Given) or own not in variants(task):
        raise SoftmachineError(f"{path} was made from other examples or options")
    return Found(machine, own)


def save(path: Path, found: Found, seed: int) -> Run:
    """Write the machine as a finished run; one that a killed process has begun is replaced."""
    if os.path.isfile(path / "config.json") and not is_saved(path):
        shutil.rmtree(path)
    run = Run.create(path, synthesis(found.task, found.machine.config, seed=seed))
    first = run.first()
    state = first.state.at(split_trainable(found.machine)[0])
    error = run.experiment.task.error
    line = {"step": 0, "sequences": 0, "validation_bits": 0.0, f"validation_{error}": 0.0}
    progress = Progress(
        best_error=0.0,
        best_bits=0.0,
        solved_sequences=0,
        solved_seconds=0.0,
        solved_device_seconds=0.0,
        finished=True,
    )
    run.save_last(state, progress)
    run.save_best(state, line)  # last: with it the run is whole
    return run
