"""How well a machine does at sizes it was, and was not, trained on."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from softmachine.errors import SoftmachineError
from softmachine.evaluation.scoring import build_scorer
from softmachine.machines.machine import Machine
from softmachine.tasks.task import Task


@dataclasses.dataclass(frozen=True, kw_only=True)
class SizeScore:
    """Means over the sequences of one size."""

    size: int
    sequences: int
    wrong_bits: float
    """Wrong bits per sequence."""
    perfect: float
    """Share of sequences without a wrong bit."""
    bits: float
    """Cross-entropy per sequence, in bits."""


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
        machine = grow_memory(machine, memory_rows)
    if sequences < 1:
        raise SoftmachineError(f"sequences must be at least 1, not {sequences}")
    rows = machine.memory_rows
    for size in sizes:
        if size < 1:
            raise SoftmachineError(f"sizes must be at least 1, not {size}")
        if rows is not None and task.items(size) > rows:
            raise SoftmachineError(
                f"size {size} needs {task.items(size)} memory rows, this machine has {rows}: "
                f"grow its memory with --memory-rows {task.items(size)} or more"
            )
    scorers: dict[int, Any] = {}
    scores = []
    for size in sizes:
        bucket = _bucket(size)
        if bucket not in scorers:
            scorers[bucket] = build_scorer(task, bucket)
        key = jax.random.fold_in(jax.random.key(seed), size)
        metrics = scorers[bucket](machine, key, jnp.full(sequences, size))
        means = {name: float(jnp.mean(values)) for name, values in metrics.items()}
        scores.append(SizeScore(size=size, sequences=sequences, **means))
    return scores


def grow_memory(machine: Machine, rows: int) -> Machine:
    """Return the machine with ``rows`` memory rows; SoftmachineError if it cannot."""
    if machine.memory_rows is None:
        raise SoftmachineError("this machine has no memory whose rows could be set")
    try:
        return machine.with_memory_rows(rows)
    except ValueError as error:
        raise SoftmachineError(str(error)) from error


def _bucket(size: int) -> int:
    """Round up to a power of two: all sizes of a bucket share one compiled program."""
    return max(32, 1 << (size - 1).bit_length())
