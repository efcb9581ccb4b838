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
from softmachine.machines.machine import Machine, check_shape, split_trainable
from softmachine.machines.packed import Packed, packed_form
from softmachine.machines.parts.linear import (
    called_once,
    defer_weight_gradients,
    is_deferred,
    with_taps,
)

Advance = Callable[[PyTree, PyTree, PyTree, PyTree], tuple[PyTree, PyTree]]


def run_batch(
    machine: Machine,
    inputs: PyTree,
    *,
    steps: Int[Array, ""] | int,
    max_steps: int,
    keys: Key[Array, " batch"] | None = None,
    batch_axis: int = 0,
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
        keys: one per example, given to ``machine.init_state``.
        batch_axis: 0 or -1, where outputs have the batch. To move it costs a copy: it is last
            already if the machine has a packed form (`softmachine.machines.packed`), and
            first otherwise.

    Returns:
        Outputs with leading axes ``(batch, max_steps)``, or the batch last.

    Raises:
        ValueError: the inputs have another shape than a batch of the machine's, or there
            are more steps than ``max_steps``.
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
        outputs = _run_packed(form.of(machine), inputs, steps, max_steps)
        return outputs if batch_axis == -1 else _move_axes(outputs, -1, 0)
    batch = jax.tree.leaves(inputs)[0].shape[0]
    if keys is None:
        state = jax.vmap(machine.init_state)(inputs)
    else:
        state = jax.vmap(lambda x, key: machine.init_state(x, key=key))(inputs, keys)
    time_first = partial(jax.tree.map, lambda x: jnp.swapaxes(x, 0, 1) if x.ndim > 1 else x)
    encoded = machine.encode(time_first(inputs))

    one_state = _without_axes(state, 1)
    one_encoded = _without_axes(encoded, 2)
    once = called_once(lambda machine, *x: machine.advance(*x), machine, one_state, one_encoded)
    core, taps = defer_weight_gradients(machine, (max_steps, batch), once)
    differentiable = jax.tree.map(
        lambda node: not is_deferred(node) and eqx.is_inexact_array(node),
        core,
        is_leaf=is_deferred,
    )
    parameters, constants = eqx.partition(core, differentiable)
    constants, static = eqx.partition(constants, eqx.is_array)

    def advance(constants, parameters, state, inputs):
        machine = eqx.combine(constants, parameters, static)

        def one(state, encoded, taps):
            return with_taps(machine, taps).advance(state, encoded)

        return jax.vmap(one)(state, *inputs)

    features = scan_steps(
        advance, max_steps, constants, parameters, state, (encoded, taps), steps
    )
    outputs = time_first(machine.decode(features))
    return outputs if batch_axis == 0 else _move_axes(outputs, 0, -1)


def _move_axes(tree: PyTree, source: int, target: int) -> PyTree:
    return jax.tree.map(lambda x: jnp.moveaxis(x, source, target), tree)


def _run_packed(
    packed: Packed, inputs: PyTree, steps: Int[Array, ""] | int, max_steps: int
) -> PyTree:
    parameters, rest = split_trainable(packed)
    constants, static = eqx.partition(rest, eqx.is_array)

    def advance(constants, parameters, state, inputs):
        del inputs
        return eqx.combine(constants, parameters, static).advance(state)

    state = packed.init_state(inputs)
    return scan_steps(advance, max_steps, constants, parameters, state, None, steps)


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def scan_steps(
    advance: Advance,
    max_steps: int,
    constants: PyTree,
    parameters: PyTree,
    state: PyTree,
    inputs: PyTree,
    steps: Int[Array, ""] | int,
) -> PyTree:
    """Call ``advance`` in a loop whose number of turns is known only at run time.

    Reverse-differentiable, unlike ``jax.lax.while_loop``: the forward pass keeps the state
    before every step, from where the backward pass takes each step once more. To keep what
    the backward pass needs instead saves no time: it has to be fetched from far away.

    Arguments:
        advance: ``(constants, parameters, state, inputs[t]) -> (state, features)``.
        max_steps: the length of ``inputs`` and of the result.
        constants: pytree without gradient.
        parameters: pytree of floating-point arrays.
        state: the first state.
        inputs: pytree of arrays with leading axis ``max_steps``.
        steps: the number of turns, at most ``max_steps``.

    Returns:
        Features with leading axis ``max_steps``, zero from ``steps`` on.
    """
    turn = partial(advance, constants, parameters)
    return _loop(turn, max_steps, state, inputs, steps)[0]


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


def _buffers(shapes: PyTree, length: int) -> PyTree:
    return jax.tree.map(lambda x: jax.lax.empty((length, *x.shape), x.dtype), shapes)


def _loop(turn, max_steps, state, inputs, steps, kept=None):
    """Return the features of all steps, and for each what ``turn`` returns besides to keep.

    ``turn(state, inputs) -> (state, features, *keep)``; ``kept`` are buffers for these.
    """
    _, features, *_ = jax.eval_shape(turn, state, _without_axes(inputs, 1))

    def body(t, carry):
        state, features, kept = carry
        state, feature, *keep = turn(state, _at(inputs, t))
        return state, _put(features, feature, t), _put(kept, keep, t)

    # Zeros, not `empty`: what nobody writes still meets a mask, and 0 * NaN is NaN.
    blank = jax.tree.map(lambda x: jnp.zeros((max_steps, *x.shape), x.dtype), features)
    carry = (state, blank, kept or [])
    _, features, kept = _repeat(body, max_steps, steps, carry)
    return features, kept


def _repeat(body, max_steps, steps, carry):
    """Run a loop; where there is no room for a step, nothing could even be traced."""
    return jax.lax.fori_loop(0, steps, body, carry) if max_steps else carry


_split = partial(eqx.partition, filter_spec=eqx.is_inexact_array)


def _pull_back(advance, constants, parameters, state, inputs):
    """Take a step; return what takes gradients of the next state and of features back.

    That is ``(state_bar, features_bar) -> (parameters_bar, state_bar, inputs_bar)``, of what
    has a gradient.
    """
    (varying_state, fixed_state), (varying_inputs, fixed_inputs) = _split(state), _split(inputs)

    def turn(parameters, state, inputs):
        state = eqx.combine(state, fixed_state)
        inputs = eqx.combine(inputs, fixed_inputs)
        state, features = advance(constants, parameters, state, inputs)
        return _split(state)[0], features

    return jax.vjp(turn, parameters, varying_state, varying_inputs)[1]


def _scan_forward(advance, max_steps, constants, parameters, state, inputs, steps):
    def turn(state, inputs):
        return *advance(constants, parameters, state, inputs), state

    features, (states,) = _loop(
        turn, max_steps, state, inputs, steps, [_buffers(state, max_steps)]
    )
    return features, (states, constants, parameters, inputs, steps)


def _scan_backward(advance, max_steps, residuals, features_bar):
    states, constants, parameters, inputs, steps = residuals

    def body(i, carry):
        parameters_bar, state_bar, inputs_bar = carry
        t = steps - 1 - i
        # Behind a barrier: sliced where it is used, nothing would be vectorised.
        state, bars = jax.lax.optimization_barrier(_at((states, features_bar), t))
        pull_back = _pull_back(advance, constants, parameters, state, _at(inputs, t))
        step_bar, state_bar, input_bar = pull_back((state_bar, bars))
        parameters_bar = jax.tree.map(jnp.add, parameters_bar, step_bar)
        return parameters_bar, state_bar, _put(inputs_bar, input_bar, t)

    zeros = partial(jax.tree.map, jnp.zeros_like)
    state_bar = jax.tree.map(lambda x: jnp.zeros(x.shape[1:], x.dtype), _split(states)[0])
    carry = (zeros(parameters), state_bar, zeros(_split(inputs)[0]))
    parameters_bar, state_bar, inputs_bar = _repeat(body, max_steps, steps, carry)
    return None, parameters_bar, state_bar, inputs_bar, None


scan_steps.defvjp(_scan_forward, _scan_backward)
