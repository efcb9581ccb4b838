"""Recording a machine on one example."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray, PyTree

from softmachine.errors import TraceError
from softmachine.machines.machine import Machine
from softmachine.tasks.task import Example

LARGEST = 2**30
"""Bytes that a recording may have."""


class Recording(NamedTuple):
    """What could be seen of a machine, on a leading axis over the steps that were kept."""

    fields: dict[str, Array]
    """What the machine's `observe_state` and `observe_step` gave, by name."""
    initial: dict[str, Array]
    """What `observe_state` gave before the first step; without an axis of steps."""
    steps: list[int]
    """Numbers of the steps in ``fields``, counted from 1."""
    outputs: PyTree
    """Outputs of all steps."""


def record(
    machine: Machine,
    example: Example,
    *,
    key: PRNGKeyArray | None = None,
    every: int = 1,
    fields: Sequence[str] | None = None,
) -> Recording:
    """Run a machine on one example and keep what can be seen of it.

    Padding after the example's own steps is left out. The outputs are those of the machine
    when nobody watches it, but for the last bit: a compiler may round another program's sums
    in another way.

    Arguments:
        machine: the machine.
        example: the example.
        key: needed by machines whose first state is drawn at random.
        every: keep each so many-th step, and the last.
        fields: names of the fields to keep; all by default.

    Raises:
        TraceError: there is no such field, or there is too much to keep.
    """
    length = int(example.steps)
    if every < 1:
        raise TraceError(f"a trace keeps every step or every k-th, not every {every}-th")
    if length < 1:
        raise TraceError("this example takes no steps: there is nothing to record")
    asked = (length, every, None if fields is None else tuple(fields))
    size = _size(machine, example.inputs, key, asked)
    if size > LARGEST:
        raise TraceError(
            f"this recording would take {size / 2**30:.1f} GiB: keep fewer steps or fields, or "
            "take a smaller size"
        )
    kept, initial, outputs = _compiled(machine, example.inputs, key, asked)
    steps = [*range(every, length, every), length]
    return Recording(kept, initial, steps, outputs)


def _record(
    machine: Machine,
    inputs: PyTree,
    key: PRNGKeyArray | None,
    asked: tuple[int, int, tuple[str, ...] | None],
) -> tuple[dict[str, Array], dict[str, Array], PyTree]:
    """Return kept fields, those of the first state, and outputs.

    ``asked`` is how many steps to take, which to keep, and which fields.
    """
    length, every, fields = asked
    ready = machine.prepare()

    def step(state, encoded):
        after, features = ready.advance(state, encoded)
        seen = ready.observe_step(state, encoded) | ready.observe_state(after)
        return after, _choose(seen, fields), features

    def turn(carry, now):
        time, state, kept = carry
        after, seen, features = step(state, now)
        # Several steps go to one place, so that the last of them stays.
        kept = jax.tree.map(
            lambda all_, one: jax.lax.dynamic_update_index_in_dim(all_, one, time // every, 0),
            kept,
            seen,
        )
        return (time + 1, after, kept), features

    first = machine.init_state(inputs, key=key)
    initial = ready.observe_state(first)
    encoded = jax.tree.map(lambda x: x[:length], machine.encode(inputs))
    shapes = eqx.filter_eval_shape(step, first, jax.tree.map(lambda x: x[0], encoded))[1]
    places = -(-length // every)
    kept = jax.tree.map(lambda x: jnp.zeros((places, *x.shape), x.dtype), shapes)
    (_, _, kept), features = jax.lax.scan(
        turn, (jnp.int32(0), first, kept), encoded, length=length
    )
    names = initial.keys() & kept.keys()
    return kept, {name: initial[name] for name in names}, machine.decode(features)


_compiled = eqx.filter_jit(_record)


def _size(*arguments: Any) -> int:
    """Return how many bytes `_record` would give for its arguments."""
    shapes = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype) if eqx.is_array(x) else x, arguments
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
