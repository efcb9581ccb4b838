"""Linear maps, and weight gradients gathered after a loop instead of in it."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.machines.machine import STOPPED, Cell
from softmachine.machines.parts.linear import (
    Linear,
    LoopLinear,
    called_once,
    defer_weight_gradients,
    glorot,
    is_deferred,
    with_taps,
)
from softmachine.running.loop import run_batch

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
            core, taps = defer_weight_gradients(layer, (steps, *lead), (True,))

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
    layers = {
        "loop": LoopLinear(weight, None),
        "once": Linear(weight, jnp.zeros(OUTPUTS)),
        "other": LoopLinear(weight, None),
    }
    core, taps = defer_weight_gradients(layers, (7, 2), (True, False))
    assert is_deferred(core["loop"])
    assert isinstance(core["once"], Linear)
    assert isinstance(core["other"], LoopLinear)
    assert [tap.shape for pair in taps for tap in pair] == [(7, 2, OUTPUTS), (7, 2, INPUTS)]


# --- layers used in every way that a step may think of ------------------------------------

WIDTH, ROWS, BATCH, STEPS = 3, 4, 2, 3


def _scanned(layer, state):
    return jax.lax.scan(lambda row, _: (jnp.tanh(layer(row)), None), state[0], length=3)[0]


USES = {
    "one vector": (lambda layer, state: state.at[0].set(layer(state[0])), True),
    "compiled for itself": (
        lambda layer, state: state + jax.jit(lambda x: layer(x))(state[0]),
        False,
    ),
    "rows, by vmap": (lambda layer, state: jax.vmap(layer)(state), False),
    "rows, by leading axes": (lambda layer, state: layer(state), False),
    "pairs of rows, by nested vmap": (
        lambda layer, state: jax.vmap(jax.vmap(layer))(state.reshape(2, 2, WIDTH)).reshape(
            ROWS, WIDTH
        ),
        False,
    ),
    "columns of ones, vmapped with an axis of 1": (
        lambda layer, state: state + jax.vmap(layer)(state[:1]),
        False,
    ),
    "twice": (lambda layer, state: state.at[0].set(layer(layer(state[0]))), False),
    "in an inner loop": (lambda layer, state: state + _scanned(layer, state), False),
    "on one side of a condition": (
        lambda layer, state: (
            state + jax.lax.cond(state[0, 0] > 0, lambda x: layer(x), jnp.sin, state[1])
        ),
        False,
    ),
    "its weight": (lambda layer, state: state + layer.weight[0], False),
    "its bias, and once": (lambda layer, state: state + layer(state[0]) * layer.bias, False),
    "its own gradient": (
        lambda layer, state: state + jax.grad(lambda x: jnp.sum(layer(x) ** 2))(state[0]),
        False,
    ),
    "its gradient alone": (
        lambda layer, state: state + jax.grad(lambda x: jnp.sum(layer(x)))(state[0]),
        False,
    ),
    "its own direction": (
        lambda layer, state: state + jax.jvp(lambda x: layer(x), (state[0],), (state[1],))[1],
        False,
    ),
    "not at all": (lambda layer, state: state + 0 * len(layer.weight), False),
}


class Rows(Cell):
    """A memory of rows, and a layer that is used on it somehow."""

    layer: LoopLinear
    use: str = eqx.field(static=True)

    def init_state(self, inputs, *, key=None):
        del inputs, key
        return jnp.linspace(-1, 1, ROWS * WIDTH).reshape(ROWS, WIDTH)

    def advance(self, state, x, clock=STOPPED):
        del clock
        state = jnp.tanh(USES[self.use][0](self.layer, state) + x)
        return state, state


def rows(use):
    rng = np.random.default_rng(0)
    weight = jnp.asarray(rng.normal(size=(WIDTH, WIDTH)))
    layer = LoopLinear(weight, jnp.asarray(rng.normal(size=WIDTH)))
    return Rows(layer, use), jnp.asarray(rng.normal(size=(BATCH, STEPS, WIDTH)))


@pytest.mark.parametrize("use", USES)
def test_gradients_are_right_however_a_step_uses_a_layer(use):
    """Against finite differences in float64, through `run_batch` under another `vmap`."""
    with jax.enable_x64(True):
        machine, inputs = rows(use)
        probe = jnp.cos(jnp.arange(BATCH * STEPS * ROWS * WIDTH).astype(float))
        probe = probe.reshape(BATCH, STEPS, ROWS, WIDTH)

        def loss(numbers):
            weight, bias = numbers[: WIDTH * WIDTH].reshape(WIDTH, WIDTH), numbers[-WIDTH:]
            rows = Rows(LoopLinear(weight, bias), use)
            return jnp.sum(probe * run_batch(rows, inputs, steps=STEPS, max_steps=STEPS))

        # As a population trains: members on a leading axis, each nudged in one number.
        numbers = WIDTH * WIDTH + WIDTH
        nudges = 1e-6 * jnp.concatenate(
            [jnp.zeros((1, numbers)), jnp.eye(numbers), -jnp.eye(numbers)]
        )
        first = jnp.concatenate([machine.layer.weight.ravel(), machine.layer.bias])
        losses, gradients = jax.jit(jax.vmap(jax.value_and_grad(loss)))(first + nudges)
        differences = (losses[1 : numbers + 1] - losses[numbers + 1 :]) / 2e-6
        np.testing.assert_allclose(gradients[0], differences, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("use", USES)
def test_only_what_is_called_once_on_one_vector_is_gathered_after_the_loop(use):
    machine, inputs = rows(use)
    arguments = machine.init_state(inputs[0]), inputs[0, 0]
    assert called_once(Rows.advance, machine, *arguments) == (USES[use][1],)
    without_bias = Rows(LoopLinear(machine.layer.weight, None), use)
    if "bias" not in use:
        assert called_once(Rows.advance, without_bias, *arguments) == (USES[use][1],)


def test_each_layer_is_judged_by_itself():
    layers = [LoopLinear(jnp.eye(2), None) for _ in range(3)]

    def step(layers, x):
        return layers[2](layers[1](layers[0](x)) + layers[1](x))

    assert called_once(step, layers, jnp.ones(2)) == (True, False, True)
    many = jax.tree.map(lambda x: jnp.stack([x] * 5), layers[0])
    assert called_once(lambda m, x: jax.vmap(lambda m: m(x))(m), many, jnp.ones(2)) == (False,)
