"""Running a machine over a batch: the fast path of training and evaluation."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, Key

from softmachine.core.choices import check_value
from softmachine.core.pytrees import PyTree
from softmachine.machines.machine import (
    Cell,
    Clock,
    Machine,
    Outcome,
    check_shape,
    split_trainable,
)
from softmachine.machines.packed import Packed, check_packed, packed_form
from softmachine.machines.parts.linear import (
    called_once,
    defer_weight_gradients,
    is_deferred,
    with_taps,
)
from softmachine.machines.sequence_cell import SequenceCell
from softmachine.running.keeping import ALL_STATES, Keep
from softmachine.running.scan import at, scan_steps, without_axes


def run_batch(
    machine: Machine,
    inputs: PyTree,
    *,
    steps: Int[Array, ""] | int,
    max_steps: int,
    lengths: Int[Array, " batch"] | None = None,
    keys: Key[Array, " batch"] | None = None,
    batch_axis: int = 0,
    last: bool = False,
    training: bool = False,
    keep: Keep = ALL_STATES,
) -> PyTree:
    """Run a machine on a batch of examples.

    Gives what ``jax.vmap(machine)(inputs)`` gives for the first ``steps`` steps, with
    the same gradients. What stands after them is finite and otherwise unspecified.

    Arguments:
        machine: the machine.
        inputs: the examples' inputs, leading axes ``(batch, max_steps)`` for machines
            with an input per step, ``(batch,)`` for others.
        steps: how many steps to take; may be traced, so that short batches cost less.
        max_steps: the length of the output.
        lengths: how many steps each example has, at most ``steps``, which is all of them by
            default. A machine that sees all inputs at once does not see those beyond.
        keys: one per example: what a machine draws at random is drawn from.
        batch_axis: 0 or -1, where outputs have the batch. To move it costs a copy: it is last
            already if the machine has a packed form (`softmachine.machines.packed`), and
            first otherwise.
        last: give the output of each example's last step alone. Others are not even decoded.
        training: whether the outputs are for an update (`Clock.training`).
        keep: which states are kept for gradients (`softmachine.running.keeping`).

    Returns:
        Outputs with leading axes ``(batch, max_steps)``, or ``(batch,)`` if only the last
        are wanted; or the batch last.

    Raises:
        ValueError: the inputs have another shape than a batch of the machine's, or there
            are more steps than ``max_steps``.
    """
    outcome = run_examples(
        machine,
        inputs,
        steps=steps,
        max_steps=max_steps,
        lengths=lengths,
        keys=keys,
        batch_axis=batch_axis,
        last=last,
        training=training,
        keep=keep,
    )
    return outcome.outputs


def run_examples(
    machine: Machine,
    inputs: PyTree,
    *,
    steps: Int[Array, ""] | int,
    max_steps: int,
    lengths: Int[Array, " batch"] | None = None,
    keys: Key[Array, " batch"] | None = None,
    batch_axis: int = 0,
    last: bool = False,
    training: bool = False,
    keep: Keep = ALL_STATES,
) -> Outcome:
    """Return what `run_batch` does, and what each example adds to the training loss.

    Penalties are arrays of shape ``(batch,)``.
    """
    if isinstance(steps, int) and not 0 <= steps <= max_steps:
        raise ValueError(f"steps must be between 0 and max_steps ({max_steps}), not {steps}")
    check_value(Literal[0, -1], batch_axis, "batch_axis")
    check_value(Keep, keep, "keep")
    shape = machine.input_shape()
    if shape is not None:
        per_step = (max_steps,) if shape[0] == "steps" else shape[:1]
        shape = ("batch", *per_step, *shape[1:])
    check_shape(inputs, shape, "a batch of examples", type(machine).__name__)
    batch = jax.tree.leaves(inputs)[0].shape[0]
    for name, one_each in (("lengths", lengths), ("keys", keys)):
        if one_each is not None and one_each.shape != (batch,):
            raise ValueError(
                f"{name} must have one entry for each of {batch} examples, shape ({batch},); "
                f"not {one_each.shape}"
            )
    form = packed_form(type(machine))
    if form is not None:
        check_packed(machine, without_axes(inputs, 1))
        outputs = _run_packed(form.of(machine), inputs, steps, max_steps, keep)
        if last:
            outputs = _last_of_each(outputs, steps if lengths is None else lengths)
        return Outcome(outputs if batch_axis == -1 else _move_axes(outputs, -1, 0), {})
    if isinstance(machine, Cell):
        how = {"last": last, "training": training, "keep": keep}
        outcome = _run_cell(machine, inputs, steps, max_steps, lengths, keys, **how)
    else:
        outcome = _run_whole(machine, inputs, steps, lengths, keys, last, training)
    if batch_axis == -1:
        outcome = outcome._replace(outputs=_move_axes(outcome.outputs, 0, -1))
    return outcome


def _run_whole(
    machine: Machine,
    inputs: PyTree,
    steps: Int[Array, ""] | int,
    lengths: Int[Array, " batch"] | None,
    keys: Key[Array, " batch"] | None,
    last: bool,
    training: bool,
) -> Outcome:
    """Run a machine without a step, which sees all inputs at once."""
    batch = jax.tree.leaves(inputs)[0].shape[0]
    ends = (
        jnp.broadcast_to(jnp.asarray(steps, jnp.int32), batch) if lengths is None else lengths
    )

    def one(inputs, steps, key):
        outputs, penalties = machine.run(inputs, steps=steps, key=key, training=training)
        if last:
            outputs = at(outputs, jnp.maximum(steps - 1, 0))
        return Outcome(outputs, penalties)

    return jax.vmap(one)(inputs, ends, keys)


def _run_cell(
    machine: Cell,
    inputs: PyTree,
    steps: Int[Array, ""] | int,
    max_steps: int,
    lengths: Int[Array, " batch"] | None,
    keys: Key[Array, " batch"] | None,
    *,
    last: bool,
    training: bool,
    keep: Keep,
) -> Outcome:
    batch = jax.tree.leaves(inputs)[0].shape[0]
    until = jnp.broadcast_to(steps, batch) if lengths is None else lengths
    state = _first_states(machine, inputs, until, keys, training)
    # Of a whole sequence the features of the last step are the outputs at all places.
    whole = isinstance(machine, SequenceCell)
    final = last or whole
    time_first = partial(jax.tree.map, lambda x: jnp.swapaxes(x, 0, 1) if x.ndim > 1 else x)
    encoded = machine.encode(time_first(inputs))

    one_state = without_axes(state, 1)
    one_encoded = without_axes(encoded, 2)
    one_clock = jax.eval_shape(
        lambda key: Clock(jnp.int32(0), key, training), without_axes(keys, 1)
    )
    once = called_once(
        lambda machine, *x: machine.advance(*x), machine, one_state, one_encoded, one_clock
    )
    core, taps = defer_weight_gradients(machine, (max_steps, batch), once)
    differentiable = jax.tree.map(
        lambda node: not is_deferred(node) and eqx.is_inexact_array(node),
        core,
        is_leaf=is_deferred,
    )
    parameters, constants = eqx.partition(core, differentiable)
    constants, static = eqx.partition(constants, eqx.is_array)

    def advance(constants, parameters, state, inputs, time):
        (constants, keys), (encoded, taps) = constants, inputs
        machine = eqx.combine(constants, parameters, static)

        def one(state, encoded, taps, key):
            clock = Clock(time, key, training)
            state, features = with_taps(machine, taps).advance(state, encoded, clock)
            return state, (machine.penalties(features), features) if final else features

        return jax.vmap(one)(state, encoded, taps, keys)

    features: Any = scan_steps(
        advance,
        max_steps,
        (constants, keys),
        parameters,
        state,
        (encoded, taps),
        steps,
        until if final else None,
        keep,
    )
    if final:
        penalties, features = features
        outputs = machine.decode(features)
        if last and whole:
            outputs = jax.vmap(at)(outputs, jnp.maximum(until - 1, 0))
    else:
        penalties, outputs = machine.penalties(features), time_first(machine.decode(features))
    counted = jnp.arange(max_steps)[:, None] < until
    summed = {name: jnp.sum(jnp.where(counted, x, 0), 0) for name, x in penalties.items()}
    return Outcome(outputs, summed)


def _first_states(machine, inputs, lengths, keys, training):
    """Return the state of each example before the first step."""
    if not isinstance(machine, SequenceCell):
        return jax.vmap(lambda x, key: machine.init_state(x, key=key))(inputs, keys)

    def first(inputs, key, steps):
        return machine.init_state(inputs, key=key, steps=steps, training=training)

    return jax.vmap(first)(inputs, keys, lengths)


def _move_axes(tree: PyTree, source: int, target: int) -> PyTree:
    return jax.tree.map(lambda x: jnp.moveaxis(x, source, target), tree)


def _last_of_each(outputs: PyTree, lengths: Int[Array, "*batch"] | int) -> PyTree:
    """Return each example's output of its last step; outputs are ``(steps, ..., batch)``."""
    batch = jax.tree.leaves(outputs)[0].shape[-1]
    ends = jnp.broadcast_to(jnp.maximum(lengths, 1) - 1, batch)
    return jax.vmap(at, in_axes=(-1, 0), out_axes=-1)(outputs, ends)


def _run_packed(
    packed: Packed, inputs: PyTree, steps: Int[Array, ""] | int, max_steps: int, keep: Keep
) -> PyTree:
    parameters, rest = split_trainable(packed)
    constants, static = eqx.partition(rest, eqx.is_array)

    def advance(constants, parameters, state, inputs, time):
        del inputs, time
        return eqx.combine(constants, parameters, static).advance(state)

    state = packed.init_state(inputs)
    return scan_steps(advance, max_steps, constants, parameters, state, None, steps, None, keep)
