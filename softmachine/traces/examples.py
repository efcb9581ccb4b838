"""Examples to trace a machine on: drawn from the task, or a user's own input."""

from __future__ import annotations

from typing import Any

import jax
from jaxtyping import PRNGKeyArray

from softmachine.core.errors import SoftmachineError, TraceError
from softmachine.tasks.task import Example, Task, sample_one

MOST_STEPS = 100_000
"""The most steps of an example, for tasks with an input per step."""
MOST_CELLS = 2_000
"""The most memory cells of an example. A step of an NRAM on M cells, each a distribution over M
values, takes some 256 M**2 bytes: 1 GiB at this size."""


def check_size(task: Task, size: int) -> None:
    """Raise TraceError if the task has no examples of a size, or too large ones to trace."""
    if size < task.smallest:
        raise TraceError(f"size must be at least {task.smallest}, not {size}")
    if task.largest is not None and size > task.largest:
        raise TraceError(f"size must be at most {task.largest}, not {size}")
    what = task.inputs.unit
    most = MOST_STEPS if task.inputs.per_step else MOST_CELLS
    try:
        needed = task.input_length(size)
    except ValueError as error:  # given examples do not come in all sizes
        raise TraceError(str(error)) from error
    if needed > most:
        raise TraceError(
            f"size {size} is too large for a trace: it needs {needed:,} {what}, and at most "
            f"{most:,} are recorded"
        )


def draw_example(task: Task, size: int, seed: int) -> tuple[Example, PRNGKeyArray]:
    """Return an example without padding, and a random key for the machine's first state.

    Arguments:
        task: draws the example.
        size: its size.
        seed: of both.

    Raises:
        TraceError: see `check_size`.
    """
    check_size(task, size)
    key, machine_key = jax.random.split(jax.random.fold_in(jax.random.key(seed), size))
    example = sample_one(task, key, size)
    return (example.without_padding() if task.inputs.per_step else example), machine_key


def own_example(task: Task, inputs: Any, most_cells: int = MOST_CELLS) -> Example:
    """Return an example with a user's own inputs.

    Its targets are computed by the task. Where the task cannot, nothing is scored.

    Arguments:
        task: the task.
        inputs: for a memory task, a list that it can lay out in cells (for most tasks the M
            cells themselves, integers in 0..M-1); for a task of symbols, a string; otherwise
            nested lists of numbers of shape (steps, channels).
        most_cells: the most cells that a memory may have.

    Raises:
        TraceError: the inputs are not of this form.
    """
    try:
        return task.own_example(inputs, MOST_STEPS if task.inputs.per_step else most_cells)
    except (ValueError, SoftmachineError) as error:
        raise TraceError(str(error)) from error
