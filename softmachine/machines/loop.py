"""Running a machine over a batch: the fast path of training and evaluation."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, Key, PyTree

from softmachine.machines.linear import defer_weight_gradients, is_loop_linear, with_taps
from softmachine.machines.machine import Machine, split_trainable

Advance = Callable[[PyTree, PyTree, PyTree, PyTree], tuple[PyTree, PyTree]]


def run_batch(
    machine: Machine,
    inputs: PyTree,
    *,
    steps: Int[Array, ""] | int,
    max_steps: int,
    keys: Key[Array, " batch"] | None = None,
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

    Returns:
        Outputs with leading axes ``(batch, max_steps)``; of a machine that is ``batch_last``,
        with first axis ``max_steps`` and last axis ``batch``.
    """
    if machine.batch_last:
        return _run_batch_last(machine, inputs, steps, max_steps)
    batch = jax.tree.leaves(inputs)[0].shape[0]
    if keys is None:
        state = jax.vmap(machine.init_state)(inputs)
    else:
        state = jax.vmap(lambda x, key: machine.init_state(x, key=key))(inputs, keys)
    time_first = partial(jax.tree.map, lambda x: jnp.swapaxes(x, 0, 1) if x.ndim > 1 else x)
    encoded = machine.encode(time_first(inputs))

    core, taps = defer_weight_gradients(machine, (max_steps, batch))
    differentiable = jax.tree.map(
        lambda node: not is_loop_linear(node) and eqx.is_inexact_array(node),
        core,
        is_leaf=is_loop_linear,
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
    return time_first(machine.decode(features))


def _run_batch_last(
    machine: Machine, inputs: PyTree, steps: Int[Array, ""] | int, max_steps: int
) -> PyTree:
    state = machine.init_state(inputs)
    parameters, rest = split_trainable(machine.prepare())
    constants, static = eqx.partition(rest, eqx.is_array)

    def advance(constants, parameters, state, inputs):
        return eqx.combine(constants, parameters, static).advance(state, inputs)

    features = scan_steps(advance, max_steps, constants, parameters, state, None, steps)
    return machine.decode(features)


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

    Reverse-differentiable, unlike ``jax.lax.while_loop``: the forward pass keeps the
    state before every step, the backward pass takes each step once more from there.

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
    return _scan_forward(
        advance, max_steps, constants, parameters, state, inputs, steps, keep=False
    )[0]


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


def _scan_forward(advance, max_steps, constants, parameters, state, inputs, steps, *, keep):
    turn = partial(advance, constants, parameters)
    _, features = jax.eval_shape(turn, state, jax.tree.map(lambda x: x[0], inputs))

    def body(t, carry):
        state, features, states = carry
        if keep:
            states = _put(states, state, t)
        state, feature = turn(state, _at(inputs, t))
        return state, _put(features, feature, t), states

    # Zeros, not `empty`: what nobody writes still meets a mask, and 0 * NaN is NaN.
    blank = jax.tree.map(lambda x: jnp.zeros((max_steps, *x.shape), x.dtype), features)
    states = _buffers(state, max_steps) if keep else None
    _, features, states = jax.lax.fori_loop(0, steps, body, (state, blank, states))
    return features, (constants, parameters, states, inputs, steps)


def _scan_backward(advance, max_steps, residuals, features_bar):
    del max_steps
    constants, parameters, states, inputs, steps = residuals
    split = partial(eqx.partition, filter_spec=eqx.is_inexact_array)
    varying_inputs, fixed_inputs = split(inputs)

    def body(i, carry):
        parameters_bar, state_bar, inputs_bar = carry
        t = steps - 1 - i
        state, fixed_state = split(_at(states, t))
        fixed_input = _at(fixed_inputs, t)

        def turn(parameters, state, inputs):
            state, features = advance(
                constants,
                parameters,
                eqx.combine(state, fixed_state),
                eqx.combine(inputs, fixed_input),
            )
            return split(state)[0], features

        _, pull_back = jax.vjp(turn, parameters, state, _at(varying_inputs, t))
        step_bar, state_bar, input_bar = pull_back((state_bar, _at(features_bar, t)))
        parameters_bar = jax.tree.map(jnp.add, parameters_bar, step_bar)
        return parameters_bar, state_bar, _put(inputs_bar, input_bar, t)

    zeros = partial(jax.tree.map, jnp.zeros_like)
    last_state_bar = jax.tree.map(lambda x: jnp.zeros_like(x[0]), split(states)[0])
    parameters_bar, state_bar, inputs_bar = jax.lax.fori_loop(
        0, steps, body, (zeros(parameters), last_state_bar, zeros(varying_inputs))
    )
    return None, parameters_bar, state_bar, inputs_bar, None


scan_steps.defvjp(partial(_scan_forward, keep=True), _scan_backward)
