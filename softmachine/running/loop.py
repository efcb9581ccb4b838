"""Running a machine over a batch: the fast path of training and evaluation."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, Key

from softmachine.core.pytrees import PyTree
from softmachine.machines.machine import (
    Cell,
    Clock,
    Machine,
    Outcome,
    check_shape,
    split_trainable,
)
from softmachine.machines.packed import Packed, packed_form
from softmachine.machines.parts.linear import (
    called_once,
    defer_weight_gradients,
    is_deferred,
    with_taps,
)
from softmachine.running.keeping import ALL_STATES, Keep

Advance = Callable[[PyTree, PyTree, PyTree, PyTree, Any], tuple[PyTree, PyTree]]


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
        keep: what is kept for gradients (`softmachine.running.keeping`).

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
    shape = machine.input_shape()
    if shape is not None:
        per_step = (max_steps,) if shape[0] == "steps" else shape[:1]
        shape = ("batch", *per_step, *shape[1:])
    check_shape(inputs, shape, "a batch of examples", type(machine).__name__)
    form = packed_form(type(machine))
    if form is not None:
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
            outputs = _at(outputs, jnp.maximum(steps - 1, 0))
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
    if keys is None:
        state = jax.vmap(machine.init_state)(inputs)
    else:
        state = jax.vmap(lambda x, key: machine.init_state(x, key=key))(inputs, keys)
    time_first = partial(jax.tree.map, lambda x: jnp.swapaxes(x, 0, 1) if x.ndim > 1 else x)
    encoded = machine.encode(time_first(inputs))

    one_state = _without_axes(state, 1)
    one_encoded = _without_axes(encoded, 2)
    one_clock = jax.eval_shape(
        lambda key: Clock(jnp.int32(0), key, training), _without_axes(keys, 1)
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
            return state, (machine.penalties(features), features) if last else features

        return jax.vmap(one)(state, encoded, taps, keys)

    until = jnp.broadcast_to(steps, batch) if lengths is None else lengths
    features: Any = scan_steps(
        advance,
        max_steps,
        (constants, keys),
        parameters,
        state,
        (encoded, taps),
        steps,
        until if last else None,
        keep,
    )
    if last:
        penalties, features = features
        outputs = machine.decode(features)
    else:
        penalties, outputs = machine.penalties(features), time_first(machine.decode(features))
    counted = jnp.arange(max_steps)[:, None] < until
    summed = {name: jnp.sum(jnp.where(counted, x, 0), 0) for name, x in penalties.items()}
    return Outcome(outputs, summed)


def _move_axes(tree: PyTree, source: int, target: int) -> PyTree:
    return jax.tree.map(lambda x: jnp.moveaxis(x, source, target), tree)


def _last_of_each(outputs: PyTree, lengths: Int[Array, "*batch"] | int) -> PyTree:
    """Return each example's output of its last step; outputs are ``(steps, ..., batch)``."""
    batch = jax.tree.leaves(outputs)[0].shape[-1]
    ends = jnp.broadcast_to(jnp.maximum(lengths, 1) - 1, batch)
    return jax.vmap(_at, in_axes=(-1, 0), out_axes=-1)(outputs, ends)


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


@partial(jax.custom_vjp, nondiff_argnums=(0, 1, 8))
def scan_steps(
    advance: Advance,
    max_steps: int,
    constants: PyTree,
    parameters: PyTree,
    state: PyTree,
    inputs: PyTree,
    steps: Int[Array, ""] | int,
    ends: Int[Array, " batch"] | None = None,
    keep: Keep = ALL_STATES,
) -> PyTree:
    """Call ``advance`` in a loop whose number of turns is known only at run time.

    Reverse-differentiable, unlike ``jax.lax.while_loop``: the forward pass keeps states, from
    where the backward pass takes each step once more. To keep what the backward pass needs
    instead saves no time: it has to be fetched from far away.

    Arguments:
        advance: ``(constants, parameters, state, inputs[t], t) -> (state, features)``.
        max_steps: the length of ``inputs`` and of the result.
        constants: pytree without gradient.
        parameters: pytree of floating-point arrays.
        state: the first state.
        inputs: pytree of arrays with leading axis ``max_steps``.
        steps: the number of turns, at most ``max_steps``.
        ends: the number of steps of each example, if only features of its last one are wanted.
            Then features are a pair, of which that is said of the second alone, whose arrays
            have the examples as their first axis.
        keep: before which steps the state is kept.

    Returns:
        Features with leading axis ``max_steps``, zero from ``steps`` on; or a pair of such
        features and others without that axis.
    """
    del keep  # there is a way back only for who takes gradients: see `_scan_forward`
    turn = partial(advance, constants, parameters)
    return _loop(turn, max_steps, state, inputs, steps, ends)[0]


def _without_axes(tree: PyTree, axes: int) -> PyTree:
    """Return shapes and types of arrays without so many leading axes."""
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[axes:], x.dtype), tree)


def _at(tree: PyTree, t: Any) -> PyTree:
    return jax.tree.map(lambda x: jax.lax.dynamic_index_in_dim(x, t, keepdims=False), tree)


def _put(buffers: PyTree, values: PyTree, t: Any) -> PyTree:
    return jax.tree.map(
        lambda buffer, x: jax.lax.dynamic_update_index_in_dim(buffer, x, t, 0),
        buffers,
        values,
    )


def _where_ends(ends: Int[Array, " batch"], t: Any, ending: PyTree, others: PyTree) -> PyTree:
    """Return one of two arrays for each example: whether step t is its last."""

    def choose(x, y):
        return jnp.where((ends == t + 1).reshape(-1, *[1] * (x.ndim - 1)), x, y)

    return jax.tree.map(choose, ending, others)


def _put_features(features: PyTree, new: PyTree, t: Any, ends: Any) -> PyTree:
    if ends is None:
        return _put(features, new, t)
    return _put(features[0], new[0], t), _where_ends(ends, t, new[1], features[1])


def _features_at(features: PyTree, t: Any, ends: Any) -> PyTree:
    """Return the part of a gradient of all features that is of step t's."""
    if ends is None:
        return _at(features, t)
    none = jax.tree.map(jnp.zeros_like, features[1])
    return _at(features[0], t), _where_ends(ends, t, features[1], none)


def _buffers(shapes: PyTree, length: int) -> PyTree:
    return jax.tree.map(lambda x: jax.lax.empty((length, *x.shape), x.dtype), shapes)


def _loop(turn, max_steps, state, inputs, steps, ends, kept=None, stride=1):
    """Return the features of all steps, and the state before each ``stride``-th of them.

    ``turn(state, inputs, t) -> (state, features)``; ``kept`` are buffers for states, if any.
    """
    every = jax.eval_shape(turn, state, _without_axes(inputs, 1), 0)[1]
    # Zeros, not `empty`: what nobody writes still meets a mask, and 0 * NaN is NaN.
    zeros = partial(jax.tree.map, lambda x: jnp.zeros(x.shape, x.dtype))
    every, last = (every, None) if ends is None else every
    blank = zeros(
        jax.tree.map(lambda x: jax.ShapeDtypeStruct((max_steps, *x.shape), x.dtype), every)
    )
    blank = blank if ends is None else (blank, zeros(last))

    def step(t, carry):
        state, features = carry
        state, new = turn(state, _at(inputs, t), t)
        return state, _put_features(features, new, t, ends)

    def stretch(i, carry):
        (state, features), kept = carry
        kept = _put(kept, state, i)
        first, end = _stretch(i, stride, steps)
        return jax.lax.fori_loop(first, end, step, (state, features)), kept

    def one(t, carry):
        (state, features), kept = carry
        after = step(t, (state, features))
        return after, kept if kept is None else _put(kept, state, t)

    body, turns = (one, steps) if stride == 1 else (stretch, -(-steps // stride))
    (_, features), kept = _repeat(body, max_steps, turns, ((state, blank), kept))
    return features, kept


def _stretch(i, stride, steps):
    """Return the first step that the i-th kept state is for, and the one after its last."""
    return i * stride, jnp.minimum((i + 1) * stride, steps)


def _repeat(body, max_steps, steps, carry):
    """Run a loop; where there is no room for a step, nothing could even be traced."""
    return jax.lax.fori_loop(0, steps, body, carry) if max_steps else carry


_split = partial(eqx.partition, filter_spec=eqx.is_inexact_array)


def _pull_back(advance, constants, parameters, state, inputs, t):
    """Take a step; return what takes gradients of the next state and of features back.

    That is ``(state_bar, features_bar) -> (parameters_bar, state_bar, inputs_bar)``, of what
    has a gradient.
    """
    (varying_state, fixed_state), (varying_inputs, fixed_inputs) = _split(state), _split(inputs)

    def turn(parameters, state, inputs):
        state = eqx.combine(state, fixed_state)
        inputs = eqx.combine(inputs, fixed_inputs)
        state, features = advance(constants, parameters, state, inputs, t)
        return _split(state)[0], features

    return jax.vjp(turn, parameters, varying_state, varying_inputs)[1]


def _scan_forward(advance, max_steps, constants, parameters, state, inputs, steps, ends, keep):
    turn, stride = partial(advance, constants, parameters), keep.stride(max_steps)
    kept = _buffers(state, -(-max_steps // stride))
    features, states = _loop(turn, max_steps, state, inputs, steps, ends, kept, stride)
    return features, (states, constants, parameters, inputs, steps, ends)


def _scan_backward(advance, max_steps, keep, residuals, features_bar):
    states, constants, parameters, inputs, steps, ends = residuals
    stride = keep.stride(max_steps)

    def back(t, states, place, carry):
        """Go back through step t; the state before it is in a place among ``states``."""
        parameters_bar, state_bar, inputs_bar = carry
        # Behind a barrier: sliced where it is used, nothing would be vectorised.
        state, bars = jax.lax.optimization_barrier(
            (_at(states, place), _features_at(features_bar, t, ends))
        )
        pull_back = _pull_back(advance, constants, parameters, state, _at(inputs, t), t)
        step_bar, state_bar, input_bar = pull_back((state_bar, bars))
        parameters_bar = jax.tree.map(jnp.add, parameters_bar, step_bar)
        return parameters_bar, state_bar, _put(inputs_bar, input_bar, t)

    def body(i, carry):
        t = steps - 1 - i
        return back(t, states, t, carry)

    def stretch(i, carry):
        i = -(-steps // stride) - 1 - i
        first, end = _stretch(i, stride, steps)

        def again(t, carry):
            state, inner = carry
            inner = _put(inner, state, t - first)
            return advance(constants, parameters, state, _at(inputs, t), t)[0], inner

        state = _at(states, i)
        # The state after the last step is nobody's: that step is taken on the way back.
        start = state, _buffers(state, min(stride, max_steps))
        state, inner = jax.lax.fori_loop(first, end - 1, again, start)
        inner = _put(inner, state, end - 1 - first)
        return jax.lax.fori_loop(
            0, end - first, lambda j, c: back(end - 1 - j, inner, end - 1 - j - first, c), carry
        )

    zeros = partial(jax.tree.map, jnp.zeros_like)
    state_bar = jax.tree.map(lambda x: jnp.zeros(x.shape[1:], x.dtype), _split(states)[0])
    carry = (zeros(parameters), state_bar, zeros(_split(inputs)[0]))
    way, turns = (body, steps) if stride == 1 else (stretch, -(-steps // stride))
    parameters_bar, state_bar, inputs_bar = _repeat(way, max_steps, turns, carry)
    return None, parameters_bar, state_bar, inputs_bar, None, None


scan_steps.defvjp(_scan_forward, _scan_backward)
