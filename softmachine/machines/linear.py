"""Dense layers, and weight gradients gathered once per sequence.

Differentiating a loop adds a weight's gradient up step by step: every time step reads
and writes an array as large as the weight. Here the loop only hands out, per step, the
two vectors whose outer product is that gradient; one matrix product after the loop
turns all of them into the gradient. Same number, far less memory traffic.
"""

from __future__ import annotations

from typing import TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

Layers = TypeVar("Layers")
Taps = list[tuple[Array, Array]]


class Linear(eqx.Module):
    """An affine map ``y = W x + b``, used once per sequence (outside any loop)."""

    weight: Float[Array, "outputs inputs"]
    bias: Float[Array, " outputs"]

    def __call__(self, x: Float[Array, "... inputs"]) -> Float[Array, "... outputs"]:
        """Map ``x`` over any leading axes."""
        return x @ self.weight.T + self.bias


class LoopLinear(eqx.Module):
    """An affine map ``y = W x + b``, used once in every step of a loop.

    Within `run_batch` a second call in the same step raises ValueError.
    """

    weight: Float[Array, "outputs inputs"]
    bias: Float[Array, " outputs"] | None

    def __call__(self, x: Float[Array, "... inputs"]) -> Float[Array, "... outputs"]:
        """Map ``x`` over any leading axes."""
        y = x @ self.weight.T
        return y if self.bias is None else y + self.bias


class _Uses:
    """Counts the calls of one layer while one step is traced."""

    def __init__(self) -> None:
        self.count = 0


class _DeferredLinear(eqx.Module):
    """A `LoopLinear` inside a loop; its gradient goes to the taps."""

    weight: Float[Array, "outputs inputs"]
    transposed: Float[Array, "inputs outputs"]
    bias: Float[Array, " outputs"] | None
    taps: tuple[Array, Array] | tuple[()] = ()
    uses: _Uses = eqx.field(static=True, default_factory=_Uses)

    def __call__(self, x: Float[Array, " inputs"]) -> Float[Array, " outputs"]:
        self.uses.count += 1
        if self.uses.count > 1:
            raise ValueError(
                f"a LoopLinear layer of shape {self.weight.shape} is called twice in one step: "
                "its gradient would be wrong. Give each call a layer of its own"
            )
        y = _tapped_product(self.weight, self.transposed, x, *self.taps)
        return y if self.bias is None else y + self.bias


def glorot(inputs: int, outputs: int, *, key: PRNGKeyArray) -> Float[Array, "outputs inputs"]:
    """Return a weight drawn uniformly from ±sqrt(6 / (inputs + outputs)).

    Source: Glorot & Bengio 2010, Eq. 16.
    """
    bound = (6.0 / (inputs + outputs)) ** 0.5
    return jax.random.uniform(key, (outputs, inputs), minval=-bound, maxval=bound)


@jax.custom_vjp
def _tapped_product(weight, transposed, x, output_tap, input_tap):
    del weight, output_tap, input_tap
    return x @ transposed


def _tapped_product_forward(weight, transposed, x, output_tap, input_tap):
    return _tapped_product(weight, transposed, x, output_tap, input_tap), (weight, x)


def _tapped_product_backward(residuals, y_bar):
    # The "gradients" of the two taps are the factors of the weight's gradient.
    weight, x = residuals
    return None, None, y_bar @ weight, y_bar, x


_tapped_product.defvjp(_tapped_product_forward, _tapped_product_backward)


@jax.custom_vjp
def _open_taps(weight, bias, output_tap, input_tap):
    return weight, bias, output_tap, input_tap


def _open_taps_forward(weight, bias, output_tap, input_tap):
    return _open_taps(weight, bias, output_tap, input_tap), bias is None


def _open_taps_backward(no_bias, cotangents):
    _, _, output_factors, input_factors = cotangents
    weight_bar = jnp.einsum("...o,...i->oi", output_factors, input_factors)
    steps = tuple(range(output_factors.ndim - 1))
    return weight_bar, None if no_bias else output_factors.sum(steps), None, None


_open_taps.defvjp(_open_taps_forward, _open_taps_backward)


def is_loop_linear(node: object) -> bool:
    """Whether a pytree node is a `LoopLinear`, as it is or within a loop."""
    return isinstance(node, LoopLinear | _DeferredLinear)


def defer_weight_gradients(layers: Layers, leading: tuple[int, ...]) -> tuple[Layers, Taps]:
    """Prepare a module whose `LoopLinear` layers run once per step of a loop.

    Returns the module, its weights now constants of the loop, and the taps: a list with
    one pair of zero arrays, shapes ``leading + (outputs,)`` and ``leading + (inputs,)``,
    per `LoopLinear`. Slice the taps along the loop like any input and give each step's
    slices to `with_taps`; then the weights' gradients come out of the taps.
    """
    leaves, treedef = jax.tree.flatten(layers, is_leaf=is_loop_linear)
    taps = []
    for i, leaf in enumerate(leaves):
        if not is_loop_linear(leaf):
            continue
        outputs, inputs = leaf.weight.shape
        weight, bias, *pair = _open_taps(
            leaf.weight,
            leaf.bias,
            jnp.zeros((*leading, outputs), leaf.weight.dtype),
            jnp.zeros((*leading, inputs), leaf.weight.dtype),
        )
        weight, bias = jax.lax.stop_gradient((weight, bias))
        # Both layouts, or the loop would transpose the weight anew in every step.
        transposed = jax.lax.optimization_barrier(weight.T)
        leaves[i] = _DeferredLinear(weight, transposed, bias)
        taps.append(tuple(pair))
    return jax.tree.unflatten(treedef, leaves), taps


def with_taps(layers: Layers, taps: Taps) -> Layers:
    """Return the module with one step's taps in its `LoopLinear` layers, in order."""
    remaining = iter(taps)

    def connect(node):
        if not is_loop_linear(node):
            return node
        return _DeferredLinear(node.weight, node.transposed, node.bias, next(remaining))

    return jax.tree.map(connect, layers, is_leaf=is_loop_linear)
