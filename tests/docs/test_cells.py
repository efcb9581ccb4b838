"""Machines inside models of other libraries learn: docs/cells.md shows the same lines."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from softmachine.machines import ControllerConfig, NTMConfig, split_trainable

CONFIG = NTMConfig(memory_rows=8, memory_columns=6, controller=ControllerConfig(hidden=8))
INPUTS = jax.random.normal(jax.random.key(1), (2, 5, 3))
TARGETS = jnp.cumsum(INPUTS[..., :1], axis=1) * jnp.ones(4)
REST = split_trainable(CONFIG.build(3, 4, key=jax.random.key(0)))[1]


def init(key):
    return split_trainable(CONFIG.build(3, 4, key=key))[0]


def apply(parameters, inputs):
    return jax.vmap(eqx.combine(parameters, REST))(inputs)


def loss_of(outputs):
    return jnp.mean((outputs - TARGETS) ** 2)


def losses(loss, parameters, updates=5):
    """Return the losses of some updates, the first before any."""
    optimizer = optax.adam(1e-2)
    state, found = optimizer.init(parameters), []

    @jax.jit
    def update(parameters, state):
        value, gradient = jax.value_and_grad(loss)(parameters)
        change, state = optimizer.update(gradient, state)
        return optax.apply_updates(parameters, change), state, value

    for _ in range(updates):
        parameters, state, value = update(parameters, state)
        found.append(float(value))
    return found


@pytest.fixture(scope="module")
def expected():
    """Return the losses of the machine alone, which every library has to find."""
    found = losses(lambda x: loss_of(apply(x, INPUTS)), init(jax.random.key(0)))
    assert found[-1] < found[0]
    return found


@pytest.mark.filterwarnings("ignore")
def test_flax_linen(expected):
    nn = pytest.importorskip("flax.linen")

    class Memory(nn.Module):
        @nn.compact
        def __call__(self, inputs):
            parameters = self.param("ntm", lambda _: init(jax.random.key(0)))
            return apply(parameters, inputs)

    model = Memory()
    variables = model.init(jax.random.key(5), INPUTS)
    found = losses(lambda x: loss_of(model.apply(x, INPUTS)), variables)
    assert np.allclose(found, expected, rtol=1e-4)


@pytest.mark.filterwarnings("ignore")
def test_flax_nnx(expected):
    nnx = pytest.importorskip("flax.nnx")

    class Memory(nnx.Module):
        def __init__(self):
            leaves, self.tree = jax.tree.flatten(init(jax.random.key(0)))
            self.leaves = nnx.List([nnx.Param(leaf) for leaf in leaves])

        def __call__(self, inputs):
            parameters = jax.tree.unflatten(self.tree, [leaf[...] for leaf in self.leaves])
            return apply(parameters, inputs)

    model = Memory()
    optimizer = nnx.Optimizer(model, optax.adam(1e-2), wrt=nnx.Param)

    @nnx.jit
    def update(model, optimizer):
        value, gradient = nnx.value_and_grad(lambda model: loss_of(model(INPUTS)))(model)
        optimizer.update(model, gradient)
        return value

    found = [float(update(model, optimizer)) for _ in range(5)]
    assert np.allclose(found, expected, rtol=1e-4)


@pytest.mark.filterwarnings("ignore")
def test_haiku(expected):
    hk = pytest.importorskip("haiku")

    def forward(inputs):
        leaves, tree = jax.tree.flatten(init(jax.random.key(0)))
        held = [
            hk.get_parameter(f"leaf_{i}", leaf.shape, init=lambda *_, leaf=leaf: leaf)
            for i, leaf in enumerate(leaves)
        ]
        return apply(jax.tree.unflatten(tree, held), inputs)

    model = hk.without_apply_rng(hk.transform(forward))
    parameters = model.init(jax.random.key(5), INPUTS)
    found = losses(lambda x: loss_of(model.apply(x, INPUTS)), parameters)
    assert np.allclose(found, expected, rtol=1e-4)


def test_equinox(expected):
    machine = CONFIG.build(3, 4, key=jax.random.key(0))
    arrays, static = eqx.partition(machine, eqx.is_inexact_array)
    found = losses(lambda x: loss_of(jax.vmap(eqx.combine(x, static))(INPUTS)), arrays)
    assert np.isclose(found[0], expected[0], rtol=1e-4)
    assert found[-1] < found[0]
