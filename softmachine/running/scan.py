"""A loop over the steps of a run, of a length known at run time alone, with a gradient."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from softmachine.core.pytrees import PyTree
from softmachine.running.keeping import ALL_STATES, Keep

Advance = Callable[[PyTree, PyTree, PyTree, PyTree, Any], tuple[PyTree, PyTree]]
"""A step: ``(constants, parameters, state, inputs, t) -> (state, features)``."""


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

    Reverse-differentiable, unlike ``jax.lax.while_loop``: the forward pass keeps states, and
    the backward pass takes each step once more from them. To keep all that the backward pass
    needs of a step would save no time: it is so much that it has to come from main memory.

    Arguments:
        advance: ``(constants, parameters, state, inputs[t], t) -> (state, features)``.
        max_steps: the length of ``inputs`` and of the result.
        constants: pytree without gradient.
        parameters: pytree of floating-point arrays.
        state: the first state.
        inputs: pytree of arrays with leading axis ``max_steps``.
        steps: the number of turns, at most ``max_steps``.
        ends: the number of steps of each example, if ``advance`` gives a pair of features:
            those of every step, and others, with the examples as their first axis, of which
            only those of each example's last step are wanted.
        keep: before which steps the state is kept.

    Returns:
        Features with leading axis ``max_steps``, zero from ``steps`` on; or a pair of such
        features and others without that axis.
    """
    del keep  # used by `_scan_forward`, in place of this where gradients are taken
    turn = partial(advance, constants, parameters)
    return _loop(turn, max_steps, state, inputs, steps, ends)[0]


def without_axes(tree: PyTree, axes: int) -> PyTree:
    """Return shapes and types that arrays have without their first ``axes`` axes."""
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[axes:], x.dtype), tree)


def at(tree: PyTree, t: Any) -> PyTree:
    """Return entry t of each array's leading axis."""
    return jax.tree.map(lambda x: jax.lax.dynamic_index_in_dim(x, t, keepdims=False), tree)


def _put(buffers: PyTree, values: PyTree, t: Any) -> PyTree:
    return jax.tree.map(
        lambda buffer, x: jax.lax.dynamic_update_index_in_dim(buffer, x, t, 0),
        buffers,
        values,
    )


def _where_ends(ends: Int[Array, " batch"], t: Any, ending: PyTree, others: PyTree) -> PyTree:
    """Return ``ending`` for the examples whose last step is t, ``others`` for all else."""

    def choose(x, y):
        return jnp.where((ends == t + 1).reshape(-1, *[1] * (x.ndim - 1)), x, y)

    return jax.tree.map(choose, ending, others)


def _put_features(features: PyTree, new: PyTree, t: Any, ends: Any) -> PyTree:
    if ends is None:
        return _put(features, new, t)
    return _put(features[0], new[0], t), _where_ends(ends, t, new[1], features[1])


def _features_at(features: PyTree, t: Any, ends: Any) -> PyTree:
    """Return the gradient of step t's features, out of that of all features."""
    if ends is None:
        return at(features, t)
    none = jax.tree.map(jnp.zeros_like, features[1])
    return at(features[0], t), _where_ends(ends, t, features[1], none)


def _buffers(shapes: PyTree, length: int) -> PyTree:
    return jax.tree.map(lambda x: jax.lax.empty((length, *x.shape), x.dtype), shapes)


def _loop(turn, max_steps, state, inputs, steps, ends, kept=None, stride=1):
    """Return the features of all steps, and the state before each ``stride``-th of them.

    ``turn(state, inputs, t) -> (state, features)``; ``kept`` are buffers for states, if any.
    """
    # Traced once, for its shapes, and written out in the loop.
    turn = jax.jit(turn, inline=True)
    # Zeros, not `empty`: what nobody writes still meets a mask, and 0 * NaN is NaN.
    zeros = partial(jax.tree.map, lambda x: jnp.zeros(x.shape, x.dtype))
    first_inputs = without_axes(inputs, 1)
    every = jax.eval_shape(lambda state: turn(state, zeros(first_inputs), 0)[1], state)
    every, last = (every, None) if ends is None else every
    blank = zeros(
        jax.tree.map(lambda x: jax.ShapeDtypeStruct((max_steps, *x.shape), x.dtype), every)
    )
    blank = blank if ends is None else (blank, zeros(last))

    def step(t, carry):
        state, features = carry
        state, new = turn(state, at(inputs, t), t)
        return state, _put_features(features, new, t, ends)

    def segment(i, carry):
        (state, features), kept = carry
        kept = _put(kept, state, i)
        first, end = _segment(i, stride, steps)
        return jax.lax.fori_loop(first, end, step, (state, features)), kept

    def one(t, carry):
        (state, features), kept = carry
        after = step(t, (state, features))
        return after, kept if kept is None else _put(kept, state, t)

    body, turns = (one, steps) if stride == 1 else (segment, -(-steps // stride))
    (_, features), kept = _repeat(body, max_steps, turns, ((state, blank), kept))
    return features, kept


def _segment(i, stride, steps):
    """Return the first step that the i-th kept state is for, and the one after its last."""
    return i * stride, jnp.minimum((i + 1) * stride, steps)


def _repeat(body, max_steps, steps, carry):
    """Run a loop; none if ``max_steps`` is 0, where a step could not even be traced."""
    return jax.lax.fori_loop(0, steps, body, carry) if max_steps else carry


_split = partial(eqx.partition, filter_spec=eqx.is_inexact_array)


def _pull_back(advance, constants, parameters, state, inputs, t):
    """Take a step; return its pull-back (vector-Jacobian product).

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
            (at(states, place), _features_at(features_bar, t, ends))
        )
        pull_back = _pull_back(advance, constants, parameters, state, at(inputs, t), t)
        step_bar, state_bar, input_bar = pull_back((state_bar, bars))
        parameters_bar = jax.tree.map(jnp.add, parameters_bar, step_bar)
        return parameters_bar, state_bar, _put(inputs_bar, input_bar, t)

    def body(i, carry):
        t = steps - 1 - i
        return back(t, states, t, carry)

    def segment(i, carry):
        i = -(-steps // stride) - 1 - i
        first, end = _segment(i, stride, steps)

        def again(t, carry):
            state, inner = carry
            inner = _put(inner, state, t - first)
            return advance(constants, parameters, state, at(inputs, t), t)[0], inner

        state = at(states, i)
        # Up to the state before the segment's last step: that step itself is taken by `back`.
        start = state, _buffers(state, min(stride, max_steps))
        state, inner = jax.lax.fori_loop(first, end - 1, again, start)
        inner = _put(inner, state, end - 1 - first)
        return jax.lax.fori_loop(
            0, end - first, lambda j, c: back(end - 1 - j, inner, end - 1 - j - first, c), carry
        )

    zeros = partial(jax.tree.map, jnp.zeros_like)
    state_bar = jax.tree.map(lambda x: jnp.zeros(x.shape[1:], x.dtype), _split(states)[0])
    carry = (zeros(parameters), state_bar, zeros(_split(inputs)[0]))
    loop_body, turns = (body, steps) if stride == 1 else (segment, -(-steps // stride))
    parameters_bar, state_bar, inputs_bar = _repeat(loop_body, max_steps, turns, carry)
    return None, parameters_bar, state_bar, inputs_bar, None, None


scan_steps.defvjp(_scan_forward, _scan_backward)
