"""Linear maps, and weight gradients gathered after a loop instead of in it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.machines.linear import (
    Linear,
    LoopLinear,
    defer_weight_gradients,
    glorot,
    is_loop_linear,
    with_taps,
)

OUTPUTS, INPUTS = 3, 4


def test_linear_is_an_affine_map_over_any_axes():
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=(OUTPUTS, INPUTS)), rng.normal(size=OUTPUTS)
    x = rng.normal(size=(2, 5, INPUTS))
    with jax.enable_x64(True):
        for kind in (Linear, LoopLinear):
            layer = kind(jnp.asarray(weight), jnp.asarray(bias))
            np.testing.assert_allclose(layer(jnp.asarray(x)), x @ weight.T + bias, rtol=1e-12)
        plain = LoopLinear(jnp.asarray(weight), None)
        np.testing.assert_allclose(plain(jnp.asarray(x)), x @ weight.T, rtol=1e-12)


def test_glorot_fills_its_range_evenly():
    weight = glorot(300, 200, key=jax.random.key(0))
    bound = (6 / 500) ** 0.5
    assert weight.shape == (200, 300)
    assert float(jnp.max(jnp.abs(weight))) <= bound
    np.testing.assert_allclose(jnp.mean(weight), 0, atol=4 * bound / 3**0.5 / 60_000**0.5)
    np.testing.assert_allclose(jnp.var(weight), bound**2 / 3, rtol=0.02)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("batch", [None, 3])
def test_deferred_gradients_are_the_gradients(bias, batch):
    """A nonlinear recurrence, differentiated plainly and through taps, batched or not."""
    steps, lead = 5, () if batch is None else (batch,)
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        layer = LoopLinear(
            jnp.asarray(rng.normal(size=(INPUTS, INPUTS))),
            jnp.asarray(rng.normal(size=INPUTS)) if bias else None,
        )
        state = jnp.asarray(rng.normal(size=(*lead, INPUTS)))
        probe = jnp.asarray(rng.normal(size=(steps, *lead, INPUTS)))

        def plain(layer, state):
            def turn(state, _):
                state = jnp.tanh(layer(state))
                return state, state

            return jnp.sum(probe * jax.lax.scan(turn, state, length=steps)[1])

        def deferred(layer, state):
            core, taps = defer_weight_gradients(layer, (steps, *lead))

            def one(state, taps):
                return jnp.tanh(with_taps(core, taps)(state))

            def turn(state, taps):
                state = one(state, taps) if batch is None else jax.vmap(one)(state, taps)
                return state, state

            return jnp.sum(probe * jax.lax.scan(turn, state, taps)[1])

        np.testing.assert_allclose(deferred(layer, state), plain(layer, state), rtol=1e-12)
        expected = jax.jit(jax.grad(plain, (0, 1)))(layer, state)
        gradient = jax.jit(jax.grad(deferred, (0, 1)))(layer, state)
        assert jax.tree.structure(gradient) == jax.tree.structure(expected)
        for ours, theirs in zip(
            jax.tree.leaves(gradient), jax.tree.leaves(expected), strict=True
        ):
            np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-13)


def test_only_loop_layers_are_deferred():
    weight = jnp.ones((OUTPUTS, INPUTS))
    layers = {"once": Linear(weight, jnp.zeros(OUTPUTS)), "loop": LoopLinear(weight, None)}
    core, taps = defer_weight_gradients(layers, (7, 2))
    assert isinstance(core["once"], Linear)
    assert is_loop_linear(core["loop"])
    assert [tap.shape for pair in taps for tap in pair] == [(7, 2, OUTPUTS), (7, 2, INPUTS)]
