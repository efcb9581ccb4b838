"""Refusing runs of a machine that would not fit into memory."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from softmachine.core.errors import SoftmachineError
from softmachine.core.room import check_room, size_of
from softmachine.machines.machine import Cell, Machine
from softmachine.tasks.task import Task


def check_running(
    machine: Machine, task: Task, size: int, examples: int = 1, together: int = 1
) -> None:
    """Raise SoftmachineError if there is not memory enough to run examples of a size.

    The estimate is low: the examples that run ``together`` with their machines' states, and a
    key and a score for all. So it does if the task has no examples of this size.
    """
    try:
        task.check_size(size, size)
    except ValueError as error:
        raise SoftmachineError(str(error)) from error

    def needed() -> int:
        example = size_of(lambda: task.sample(jax.random.key(0), size, max_size=size))
        state = size_of(lambda: held(machine, task, size))
        return min(examples, together) * (example + state) + 16 * examples

    many = "an example" if examples == 1 else f"{examples:,} examples"
    check_room(needed, task.steps(size), f"running {many} of size {size:,}")


def check_memory_rows(machine: Machine, rows: int) -> None:
    """Raise SoftmachineError if there is not memory enough for a machine with ``rows`` rows."""
    now = machine.memory_rows
    if now is None or not isinstance(machine, Cell):
        return

    def needed() -> int:
        state = jax.eval_shape(lambda: machine.init_state(None, key=jax.random.key(0)))
        return sum(
            leaf.dtype.itemsize * leaf.size // now * rows
            for leaf in jax.tree.leaves(state)
            if leaf.shape[-1:] == (now,)
        )

    check_room(needed, 0, f"a memory of {rows:,} rows")


def held(machine: Machine, task: Task, size: int) -> object:
    """Return what a machine holds at once for the largest example of a size.

    That is the state of one that works step by step; of another the outputs, at the least.
    """
    key = jax.random.key(0)
    example = task.sample(key, jnp.asarray(size), max_size=size)
    if isinstance(machine, Cell):
        return machine.init_state(example.inputs, key=key)
    return machine.run(example.inputs, key=key).outputs
