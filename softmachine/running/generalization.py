"""How well a machine does at sizes it was, and was not, trained on."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from softmachine.core.capabilities import HardForm
from softmachine.core.errors import SoftmachineError
from softmachine.core.specs.spec import mean
from softmachine.machines.machine import Machine
from softmachine.running.room import check_memory_rows, check_running
from softmachine.running.scoring import BATCH, build_scorer
from softmachine.tasks.task import Task


@dataclasses.dataclass(frozen=True, kw_only=True)
class SizeScore:
    """Means over the sequences of one size."""

    size: int
    sequences: int
    metrics: dict[str, float]
    """The task's metrics per sequence, for instance ``bits`` and ``wrong_bits``."""

    def to_row(self) -> dict[str, int | float]:
        """Return everything in one flat dictionary, as JSON has it."""
        if "hard_error" not in self.metrics:
            return {"size": self.size, "sequences": self.sequences} | self.metrics
        names = {
            "soft_error": "wrong_cells",
            "hard_error": "hard_error",
            "agreement": "agreement",
            "perfect": "perfect",
            "bits": "bits",
        }
        row = {name: self.metrics[metric] for name, metric in names.items()}
        return {"size": self.size, "examples": self.sequences} | row


def evaluate(
    machine: Machine,
    task: Task,
    sizes: Sequence[int],
    *,
    sequences: int = 1000,
    seed: int = 0,
    memory_rows: int | None = None,
) -> list[SizeScore]:
    """Score a machine on fresh sequences of each size.

    Of an NRAM both the soft machine and the one made hard, and their agreement.

    Arguments:
        machine: the machine.
        task: where the sequences come from.
        sizes: sizes, one score each.
        sequences: how many sequences per size.
        seed: fixes the sequences: those of a size are the same whatever else is asked.
        memory_rows: grow the machine's memory to this many rows first.

    Raises:
        SoftmachineError: a size below 1 or too large for the memory, no sequences, or a
            memory that cannot be resized.
    """
    if memory_rows is not None:
        machine = with_test_options(machine, memory_rows=memory_rows)
    if sequences < 1:
        raise SoftmachineError(f"sequences must be at least 1, not {sequences}")
    rows = machine.memory_rows
    for size in sizes:
        if size < task.smallest:
            raise SoftmachineError(
                f"sizes of this task must be at least {task.smallest}, not {size}"
            )
        if rows is not None and task.items(size) > rows:
            raise SoftmachineError(
                f"size {size} needs {task.items(size)} memory rows, this machine has {rows}: "
                f"grow its memory with --memory-rows {task.items(size)} or more"
            )
        check_running(machine, task, size, sequences, BATCH * len(jax.local_devices()))
    scores = []
    for size in sizes:
        key = jax.random.fold_in(jax.random.key(seed), size)
        asked = jnp.full(sequences, size)
        hard = isinstance(machine, HardForm)
        score = build_scorer(task, task.bucket(size), and_hard=hard)
        metrics = score(machine, key, asked)
        means = {name: _shortest(mean(values)) for name, values in metrics.items()}
        scores.append(SizeScore(size=size, sequences=sequences, metrics=means))
    return scores


def with_test_options(
    machine: Machine,
    *,
    memory_rows: int | None = None,
    hard: bool | None = None,
    wrap: bool | None = None,
    sharpening_factor: float | None = None,
) -> Machine:
    """Return a trained machine as it is to be tested; None leaves a choice as it is.

    Arguments:
        machine: the machine.
        memory_rows: number of memory rows.
        hard: whether heads attend to their most likely row alone.
        wrap: whether shifts go around the ends of the memory.
        sharpening_factor: multiplies how strongly weightings are sharpened.

    Raises:
        SoftmachineError: the machine has no such choice.
    """
    addressing = {"hard": hard, "wrap": wrap, "sharpening_factor": sharpening_factor}
    try:
        if memory_rows is not None:
            check_memory_rows(machine, memory_rows)
            machine = machine.with_memory_rows(memory_rows)
        if any(choice is not None for choice in addressing.values()):
            machine = machine.with_addressing(**addressing)
    except ValueError as error:
        raise SoftmachineError(str(error)) from error
    return machine


def _shortest(value: Float[Array, ""]) -> float:
    """Return the number of fewest digits that is this value in its precision: 0.1, say.

    Taken to double precision as it is, 0.1 in single precision is 0.10000000149011612.
    """
    return float(str(np.asarray(value)[()]))
