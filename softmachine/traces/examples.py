"""The examples that traces are of: drawn, or a person's own."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from softmachine.core.errors import SoftmachineError, TraceError
from softmachine.tasks.memory import MemoryTask
from softmachine.tasks.task import Example, SequenceTask, Task, sample_one

MOST_STEPS = 100_000
MOST_CELLS = 2_000
"""Of an example. Each cell holds a distribution over as many values as there are cells, so that
a step of an NRAM on M cells takes 256 M**2 bytes or so: 1 GiB at most."""


def check_size(task: Task, size: int) -> None:
    """Raise TraceError for a size that the task does not have or that is too large to trace."""
    if size < task.smallest:
        raise TraceError(f"size must be at least {task.smallest}, not {size}")
    if isinstance(task, MemoryTask):
        most, what = MOST_CELLS, "cells"
        try:
            needed = task.cells(size)
        except ValueError as error:  # examples that somebody gave are not of all sizes
            raise TraceError(str(error)) from error
    else:
        assert isinstance(task, SequenceTask)
        most, needed, what = MOST_STEPS, task.steps(size), "steps"
    if needed > most:
        raise TraceError(
            f"size {size} is too large for a trace: it needs {needed:,} {what}, and at most "
            f"{most:,} are recorded"
        )


def draw_example(task: Task, size: int, seed: int) -> tuple[Example, PRNGKeyArray]:
    """Return an example of a size, without padding, and a key for the machine's own draws.

    Raises TraceError for a size that `check_size` refuses.
    """
    check_size(task, size)
    key, machine_key = jax.random.split(jax.random.fold_in(jax.random.key(seed), size))
    example = sample_one(task, key, size)
    if isinstance(task, MemoryTask):
        return example, machine_key
    return example.without_padding(), machine_key


def own_example(task: Task, inputs: Any, most_cells: int = MOST_CELLS) -> Example:
    """Return the example with inputs of a person's own.

    Targets are the task's answer; where it has none, nothing is scored.

    Arguments:
        task: the task.
        inputs: for a memory task a list that it can lay out, mostly M integers in 0..M-1, the
            cells; else rows of numbers, one for each step, one number for each input channel.
        most_cells: how many cells a memory may have.

    Raises:
        TraceError: the inputs are something else.
    """
    if isinstance(task, MemoryTask):
        return _own_memory(task, inputs, most_cells)
    assert isinstance(task, SequenceTask)
    return _own_sequence(task, inputs)


def _own_memory(task: MemoryTask, inputs: Any, most: int) -> Example:
    cells = _numbers(inputs, 1, most)
    if cells.dtype.kind == "i" and cells.max() >= most:  # before there is room for it
        raise TraceError(f"cells hold numbers below {most:,}, the most cells that are recorded")
    try:
        laid_out = task.lay_out(cells.tolist())
    except (ValueError, SoftmachineError) as error:
        raise TraceError(str(error)) from error
    if len(laid_out.memory) > most:
        raise TraceError(
            f"these inputs need {len(laid_out.memory):,} cells, for their numbers and what may "
            f"come out; at most {most:,} are recorded"
        )
    memory = np.asarray(laid_out.memory, np.int32)
    answer = task.answer(memory)
    targets, mask = (memory, np.zeros(len(memory))) if answer is None else answer
    return Example(
        jnp.asarray(memory),
        jnp.asarray(targets, jnp.int32),
        jnp.asarray(mask, jnp.float32),
        jnp.asarray(laid_out.steps, jnp.int32),
    )


def _own_sequence(task: SequenceTask, inputs: Any) -> Example:
    rows = np.asarray(_numbers(inputs, 2, MOST_STEPS), np.float32)
    if rows.shape[1] != task.input_size:
        raise TraceError(
            f"inputs of this task have {task.input_size} channels in each step, not "
            f"{rows.shape[1]}"
        )
    if not np.isfinite(rows).all():
        raise TraceError("inputs must be finite numbers")
    answer = task.answer(rows)
    if answer is None:
        answer = (np.zeros((len(rows), task.output_size)),) * 2
    return Example(
        jnp.asarray(rows),
        jnp.asarray(answer[0], jnp.float32),
        jnp.asarray(answer[1], jnp.float32),
        jnp.asarray(len(rows), jnp.int32),
    )


def _numbers(value: Any, dimensions: int, most: int) -> np.ndarray:
    """Return an array of numbers from lists of them; TraceError for anything else."""
    what = "a list of integers" if dimensions == 1 else "a list of rows of numbers"
    if isinstance(value, (list, tuple)) and len(value) > most:
        raise TraceError(f"inputs must not be longer than {most:,}")
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise TraceError(f"inputs must be {what}, rows of the same length") from error
    if array.ndim != dimensions or array.dtype.kind not in "iuf" or not array.size:
        raise TraceError(f"inputs must be {what}")
    return array.astype(np.int64) if array.dtype.kind == "u" else array
