"""The examples that traces are of: drawn, or a person's own."""

from __future__ import annotations

from typing import Any

import jax
from jaxtyping import PRNGKeyArray

from softmachine.core.errors import SoftmachineError, TraceError
from softmachine.tasks.task import Example, Task, sample_one

MOST_STEPS = 100_000
MOST_CELLS = 2_000
"""Of an example. Each cell holds a distribution over as many values as there are cells, so that
a step of an NRAM on M cells takes 256 M**2 bytes or so: 1 GiB at most."""


def check_size(task: Task, size: int) -> None:
    """Raise TraceError for a size that the task does not have or that is too large to trace."""
    if size < task.smallest:
        raise TraceError(f"size must be at least {task.smallest}, not {size}")
    what = task.inputs.unit
    most = MOST_STEPS if task.inputs.per_step else MOST_CELLS
    try:
        needed = task.input_length(size)
    except ValueError as error:  # examples that somebody gave are not of all sizes
        raise TraceError(str(error)) from error
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
    return (example.without_padding() if task.inputs.per_step else example), machine_key


def own_example(task: Task, inputs: Any, most_cells: int = MOST_CELLS) -> Example:
    """Return the example with inputs of a person's own.

    Targets are the task's answer; where it has none, nothing is scored.

    Arguments:
        task: the task.
        inputs: for a memory task a list that it can lay out, mostly M integers in 0..M-1, the
            cells; for symbols a string; else rows of numbers, one for each step, one number for
            each input channel.
        most_cells: how many cells a memory may have.

    Raises:
        TraceError: the inputs are something else.
    """
    try:
        return task.own_example(inputs, MOST_STEPS if task.inputs.per_step else most_cells)
    except (ValueError, SoftmachineError) as error:
        raise TraceError(str(error)) from error
