"""Dense layers, and weight gradients that are computed once per sequence, after the loop.

Differentiating a loop adds a weight's gradient up step by step: every time step reads
and writes an array as large as the weight. Here the loop only hands out, per step, the
two vectors whose outer product is that gradient; one matrix product after the loop
turns all of them into the gradient. Same number, far less memory traffic.

That holds for a weight that a step multiplies one vector with, once, and uses for nothing
else. Whether it does is read off the step's own program. Any other weight's gradient is
added up step by step, as JAX would have it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from softmachine.core.pytrees import PyTree

Layers = TypeVar("Layers")
Taps = list[tuple[Array, Array]]


class Linear(eqx.Module):
    """An affine map ``y = W x + b``, used once per sequence (outside any loop)."""

    weight: Float[Array, "outputs inputs"]
    bias: Float[Array, " outputs"] | None

    def __call__(self, x: Float[Array, "... inputs"]) -> Float[Array, "... outputs"]:
        """Map ``x`` over any leading axes."""
        y = x @ self.weight.T
        return y if self.bias is None else y + self.bias


class LoopLinear(eqx.Module):
    """An affine map ``y = W x + b``, used in every step of a loop.

    Within `run_batch` its gradient costs least if each step calls it once, on one vector. It
    is right whatever a step does: call it on many vectors, several times, or under `jax.vmap`.
    """

    weight: Float[Array, "outputs inputs"]
    bias: Float[Array, " outputs"] | None

    def __call__(self, x: Float[Array, "... inputs"]) -> Float[Array, "... outputs"]:
        """Map ``x`` over any leading axes."""
        y = x @ self.weight.T
        return y if self.bias is None else y + self.bias


class _DeferredLinear(eqx.Module):
    """A `LoopLinear` inside a loop; its gradient goes to the taps."""

    weight: Float[Array, "outputs inputs"]
    transposed: Float[Array, "inputs outputs"]
    bias: Float[Array, " outputs"] | None
    taps: tuple[Array, Array] | tuple[()] = ()

    def __call__(self, x: Float[Array, " inputs"]) -> Float[Array, " outputs"]:
        y = _tapped_product(self.weight, self.transposed, x, *self.taps)
        return y if self.bias is None else y + self.bias


def glorot(inputs: int, outputs: int, *, key: PRNGKeyArray) -> Float[Array, "outputs inputs"]:
    """Return a weight drawn uniformly from ±sqrt(6 / (inputs + outputs)).

    Source: Glorot & Bengio 2010, Eq. 16.
    """
    bound = (6.0 / (inputs + outputs)) ** 0.5
    return jax.random.uniform(key, (outputs, inputs), minval=-bound, maxval=bound)


@jax.custom_vjp
def once_differentiable(x: PyTree) -> PyTree:
    """Return ``x``; refuse, with a sentence, to differentiate it.

    For the arguments of gradient rules whose own derivative would be wrong. Forward derivatives
    of such a rule JAX refuses by itself.
    """
    return x


def _refuse(_, bar):
    del bar
    raise NotImplementedError(
        "second derivatives of run_batch are not supported: take them of jax.vmap(machine)"
    )


once_differentiable.defvjp(lambda x: (x, None), _refuse)


@jax.custom_vjp
def _tapped_product(weight, transposed, x, output_tap, input_tap):
    del weight, output_tap, input_tap
    return x @ transposed


def _tapped_product_forward(weight, transposed, x, output_tap, input_tap):
    return _tapped_product(weight, transposed, x, output_tap, input_tap), (weight, x)


def _tapped_product_backward(residuals, y_bar):
    # The "gradients" of the two taps are the factors of the weight's gradient. Under `vmap`
    # of this call alone both would be summed: `called_once` is why that does not happen.
    # A second derivative would use each tap once more, and is refused.
    (weight, x), y_bar = once_differentiable((residuals, y_bar))
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


class _MarkedLinear(LoopLinear):
    """A `LoopLinear` whose calls can be recognised in the program of a step."""

    mark: str = eqx.field(static=True)

    def __call__(self, x: Float[Array, "... inputs"]) -> Float[Array, "... outputs"]:
        return _marked(self.mark)(self.weight, self.bias, x)


@lru_cache(maxsize=64)
def _marked(mark: str) -> Callable:
    def call(weight, bias, x):
        return LoopLinear(weight, bias)(x)

    call.__name__ = mark
    return jax.jit(call)


def _is_loop_linear(node: object) -> bool:
    return isinstance(node, LoopLinear)


def is_deferred(node: object) -> bool:
    """Whether a node is a layer whose weight gradient is computed after the loop."""
    return isinstance(node, _DeferredLinear)


def called_once(
    step: Callable[..., PyTree], layers: PyTree, *arguments: PyTree
) -> tuple[bool, ...]:
    """Return for each `LoopLinear` whether a step calls it once, on one vector, and no more.

    Arguments:
        step: ``step(layers, *arguments)`` returns arrays. It is traced, not run.
        layers: a module.
        arguments: arrays, or `jax.ShapeDtypeStruct` in their place.
    """
    leaves, treedef = jax.tree.flatten(layers, is_leaf=_is_loop_linear)
    places = [i for i, leaf in enumerate(leaves) if _is_loop_linear(leaf)]
    # Weights of several layers in one array are never those of one call.
    found = {i: leaves[i] for i in places if leaves[i].weight.ndim == 2}

    def marked(weights, *arguments):
        layers = list(leaves)
        for i, (weight, bias) in weights.items():
            layers[i] = _MarkedLinear(weight, bias, f"loop_linear_{i}")
        return step(jax.tree.unflatten(treedef, layers), *arguments)

    weights = {i: (layer.weight, layer.bias) for i, layer in found.items()}
    program = jax.make_jaxpr(marked)(weights, *arguments).jaxpr
    inputs = iter(program.invars)
    names = {i: [next(inputs) for _ in jax.tree.leaves(pair)] for i, pair in weights.items()}
    return tuple(
        i in found and _only_call(program, names[i], f"loop_linear_{i}") for i in places
    )


def _only_call(program: Any, names: list[Any], mark: str) -> bool:
    """Return whether a program uses weight and bias in one call on one vector alone."""

    def is_used(equation):
        return any(name is used for name in names for used in equation.invars)

    uses = [equation for equation in program.eqns if is_used(equation)]
    returned = any(name is output for name in names for output in program.outvars)
    if len(uses) != 1 or returned or uses[0].params.get("name") != mark:
        return False
    *layer, x = uses[0].invars
    if layer != names or len(x.aval.shape) != 1:
        return False
    # Inside, nothing but the call: JAX leaves the name to what it makes of it, such as a
    # gradient, which may hand the weight on.
    weight, *bias, x = (jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in (*layer, x))
    call = jax.make_jaxpr(_marked(mark))(weight, bias[0] if bias else None, x)
    expected = call.jaxpr.eqns[0]
    return str(uses[0].params.get("jaxpr")) == str(expected.params.get("jaxpr"))


def defer_weight_gradients(
    layers: Layers, leading: tuple[int, ...], once: tuple[bool, ...]
) -> tuple[Layers, Taps]:
    """Prepare a module whose `LoopLinear` layers run once per step of a loop.

    Arguments:
        layers: the module.
        leading: the shape of the loop and of what it is mapped over.
        once: for each `LoopLinear` whether it is `called_once`; others stay as they are.

    Returns the module, weights of these layers now constants of the loop, and the taps: a
    list with one pair of zero arrays, shapes ``leading + (outputs,)`` and
    ``leading + (inputs,)``, for each. Slice the taps along the loop like any input and give
    each step's slices to `with_taps`; then the weights' gradients come out of the taps.
    """
    leaves, treedef = jax.tree.flatten(layers, is_leaf=_is_loop_linear)
    taps, calls = [], iter(once)
    for i, leaf in enumerate(leaves):
        if not _is_loop_linear(leaf) or not next(calls):
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
    """Return the module with one step's taps in its deferred layers, in order."""
    remaining = iter(taps)

    def connect(node):
        if not is_deferred(node):
            return node
        return _DeferredLinear(node.weight, node.transposed, node.bias, next(remaining))

    return jax.tree.map(connect, layers, is_leaf=is_deferred)
