"""Recording: run a machine on one example and keep what can be observed of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, PRNGKeyArray, Shaped

from softmachine.core import compiling
from softmachine.core.compiling import bucket
from softmachine.core.errors import TraceError
from softmachine.core.pytrees import PyTree
from softmachine.machines.machine import Cell, Clock, Machine, check_shape
from softmachine.machines.sequence_cell import SequenceCell
from softmachine.tasks.task import Example

MOST_BYTES = 2**30
"""The most memory that a recording may take, in bytes."""


class Recording(NamedTuple):
    """What was observed of a machine on one example."""

    fields: dict[str, Array]
    """What the machine's `observe_state` and `observe_step`, or its `observe_run`, returned, by
    name; the leading axis is `steps`."""
    initial: dict[str, Array]
    """What `observe_state` returned before the first step; without an axis of steps."""
    steps: list[int]
    """The numbers of the recorded steps, counted from 1."""
    outputs: PyTree
    """The machine's outputs in all steps, recorded or not."""


def record(
    machine: Machine,
    example: Example | Shaped[Array | np.ndarray, "..."] | Sequence[Any],
    *,
    steps: int | None = None,
    key: PRNGKeyArray | None = None,
    every: int = 1,
    fields: Sequence[str] | None = None,
) -> Recording:
    """Run a machine on one example and keep what can be observed of it.

    Padding after the example's own steps is left out. The outputs are those of an unobserved
    run up to rounding: XLA may order sums differently in another program.

    Arguments:
        machine: the machine.
        example: the example, or its inputs alone: an array of shape (steps, inputs), or for an
            NRAM its memory, integers of shape (cells,).
        steps: how many steps to take; all of the example's by default. Required if the example
            is a memory alone.
        key: required by machines whose first state is random.
        every: keep every k-th step, and the last.
        fields: names of the fields to keep; all by default.

    Raises:
        TraceError: there is no such field, the recording would be too large, or the inputs are
            not those of one example.
    """
    inputs, length = _take(machine, example, steps)
    if every < 1:
        raise TraceError(f"a trace keeps every step or every k-th, not every {every}-th")
    if length < 1:
        raise TraceError("this example takes no steps: there is nothing to record")
    asked = (every, None if fields is None else tuple(fields))
    size = _size(machine, _padded(machine, inputs, length), key, length, *asked)
    if size > MOST_BYTES:
        raise TraceError(
            f"this recording would take {size / 2**30:.1f} GiB: keep fewer steps or fields, or "
            "take a smaller size"
        )
    room, whole = bucket(length), isinstance(machine, SequenceCell)
    # Room for steps not taken would be too much, or be among what each step attends to.
    if 2 * size > MOST_BYTES or not isinstance(machine, Cell) or whole:
        room = length
    inputs = _padded(machine, inputs, room, length)
    kept, initial, outputs = _compiled(machine, inputs, key, jnp.int32(length), room, *asked)
    numbers = [*range(every, length, every), length]
    return Recording(_first(kept, len(numbers)), initial, numbers, _first(outputs, length))


def _first(tree: PyTree, count: int) -> PyTree:
    """Return the first ``count`` entries of all arrays; in NumPy, to compile nothing."""
    return jax.tree.map(lambda x: jnp.asarray(np.asarray(x)[:count]), tree)


def _take(machine: Machine, example: Any, steps: int | None) -> tuple[PyTree, int]:
    """Return inputs and how many steps to take; TraceError if they are not one example's."""
    if isinstance(example, Example):
        inputs, all_steps = example.inputs, int(example.steps)
        _check_width(machine, inputs)
    else:
        try:
            inputs = jnp.asarray(example)
        except (TypeError, ValueError) as error:
            raise TraceError(f"this is neither an example nor an array: {error}") from error
        _check_width(machine, inputs)
        stepwise = _reads_steps(machine, inputs)
        if inputs.ndim != (2 if stepwise else 1):
            expected = "(steps, inputs)" if stepwise else "(cells,)"
            raise TraceError(
                f"one example of this machine is an array of shape {expected}, not "
                f"{inputs.shape}; of a batch, record one after the other"
            )
        if not stepwise and steps is None:
            raise TraceError(
                "this machine is given a memory and takes as many steps as it is told: say "
                "record(machine, memory, steps=...)"
            )
        all_steps = len(inputs) if stepwise else steps or 0
    if steps is None:
        return inputs, all_steps
    if steps > all_steps and _reads_steps(machine, inputs):
        raise TraceError(f"this example has {all_steps} steps, not {steps}")
    return inputs, steps


def _check_width(machine: Machine, inputs: Any) -> None:
    """Raise TraceError if inputs have as many axes as the machine's, and other sizes."""
    shape = machine.input_shape()
    if shape is not None and getattr(inputs, "ndim", None) == len(shape):
        try:
            check_shape(inputs, shape, "one example", type(machine).__name__)
        except ValueError as error:
            raise TraceError(str(error)) from None


def _reads_steps(machine: Machine, inputs: PyTree) -> bool:
    """Return whether a machine has an input per step, not all of its input at the start."""
    if not isinstance(machine, Cell) or isinstance(machine, SequenceCell):
        return (machine.input_shape() or ("",))[0] == "steps"
    return bool(jax.tree.leaves(eqx.filter_eval_shape(machine.encode, inputs)))


def _padded(machine: Machine, inputs: PyTree, room: int, length: int | None = None) -> PyTree:
    """Return the inputs of ``length`` steps, padded with zeros to ``room`` steps."""
    if not _reads_steps(machine, inputs):
        return inputs
    length = room if length is None else length

    def pad(x):
        x = np.asarray(x)[:length]
        return np.concatenate([x, np.zeros((room - length, *x.shape[1:]), x.dtype)])

    return jax.tree.map(pad, inputs)


def _record(
    machine: Machine,
    inputs: PyTree,
    key: PRNGKeyArray | None,
    length: Int[Array, ""] | int,
    room: int,
    every: int,
    fields: tuple[str, ...] | None,
) -> tuple[dict[str, Array], dict[str, Array], PyTree]:
    """Return fields after the steps that are kept, fields before the first, and all outputs.

    ``length`` steps are taken, in arrays with room for ``room``; the rest of these is padding.
    """
    if isinstance(machine, Cell):
        return _record_cell(machine, inputs, key, length, room, every, fields)
    outputs = machine.run(inputs, steps=length, key=key).outputs
    seen = _choose(machine.observe_run(inputs, steps=length), fields)
    # As below: the last place is of the last step.
    places = jnp.minimum(every * (1 + jnp.arange(-(-room // every))), length) - 1
    return {name: x[places] for name, x in seen.items()}, {}, outputs


def _record_cell(
    machine: Cell,
    inputs: PyTree,
    key: PRNGKeyArray | None,
    length: Int[Array, ""] | int,
    room: int,
    every: int,
    fields: tuple[str, ...] | None,
) -> tuple[dict[str, Array], dict[str, Array], PyTree]:

    def step(state, encoded, time):
        clock = Clock(time, key)
        after, features = machine.advance(state, encoded, clock)
        seen = machine.observe_step(state, encoded, clock) | machine.observe_state(after)
        return after, _choose(seen, fields), features

    whole = isinstance(machine, SequenceCell)

    def turn(time, carry):
        state, kept, features = carry
        after, seen, feature = step(state, at(encoded, time), time)
        # Every step of a group of ``every`` overwrites the same entry: the last one stays.
        kept = put(kept, seen, time // every)
        return after, kept, feature if whole else put(features, feature, time)

    def at(tree, time):
        return jax.tree.map(lambda x: jax.lax.dynamic_index_in_dim(x, time, 0, False), tree)

    def put(all_, one, place):
        return jax.tree.map(
            lambda xs, x: jax.lax.dynamic_update_index_in_dim(xs, x, place, 0), all_, one
        )

    def places(count, shapes):
        return jax.tree.map(lambda x: jnp.zeros((count, *x.shape), x.dtype), shapes)

    how = {"steps": length} if whole else {}
    first = machine.init_state(inputs, key=key, **how)
    initial = machine.observe_state(first)
    encoded = machine.encode(inputs)
    _, seen, feature = eqx.filter_eval_shape(
        step, first, jax.tree.map(lambda x: x[0], encoded), jnp.int32(0)
    )
    features = places(1, feature)
    features = jax.tree.map(lambda x: x[0], features) if whole else places(room, feature)
    start = first, places(-(-room // every), seen), features
    _, kept, features = jax.lax.fori_loop(0, length, turn, start)
    names = initial.keys() & kept.keys()
    return kept, {name: initial[name] for name in names}, machine.decode(features)


_compiled = compiling.filter_jit(_record, tuned=False)


def _size(machine, inputs, key, length, every, fields) -> int:
    """Return the size of what `_record` would return for ``length`` steps, in bytes."""
    shapes = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype) if eqx.is_array(x) else x,
        (machine, inputs, key, length, length, every, fields),
    )
    leaves, structure = jax.tree.flatten(shapes)
    return _size_of(tuple(leaves), structure)


@lru_cache(maxsize=128)
def _size_of(leaves: tuple[Any, ...], structure: Any) -> int:
    described = eqx.filter_eval_shape(_record, *jax.tree.unflatten(structure, leaves))
    return sum(math.prod(x.shape) * 4 for x in jax.tree.leaves(described))


def _choose(seen: dict[str, Array], fields: tuple[str, ...] | None) -> dict[str, Array]:
    if fields is None:
        return seen
    for name in fields:
        if name not in seen:
            raise TraceError(f"there is no field {name!r}; there are {', '.join(seen)}")
    return {name: seen[name] for name in fields}
