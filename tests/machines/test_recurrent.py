"""The LSTM and GRU baselines."""

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest

from softmachine.machines.machine import parameter_count
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.machines.recurrent import RecurrentConfig


@pytest.mark.parametrize(
    ("inputs", "outputs", "hidden", "parameters"),
    [
        pytest.param(10, 9, 256, 1_352_969, id="copy"),
        pytest.param(8, 7, 512, 5_312_007, id="repeat copy"),
        pytest.param(8, 6, 256, 1_344_518, id="associative recall"),
        pytest.param(1, 1, 128, 331_905, id="dynamic N-grams"),
    ],
)
def test_parameter_counts_of_the_ntm_paper(inputs, outputs, hidden, parameters):
    """Graves et al. 2014, table 3: LSTM with three layers."""
    config = RecurrentConfig(controller=ControllerConfig(kind="lstm", hidden=hidden, layers=3))
    machine = eqx.filter_eval_shape(config.build, inputs, outputs, key=jax.random.key(0))
    counted = sum(
        x.size for x in jax.tree.leaves(machine) if isinstance(x, jax.ShapeDtypeStruct)
    )
    assert counted == parameters


def test_parameter_count_counts_every_array_of_a_baseline():
    config = RecurrentConfig(controller=ControllerConfig(kind="lstm", hidden=4, layers=2))
    machine = eqx.filter_jit(config.build)(3, 2, key=jax.random.key(0))
    by_hand = 4 * 4 * (3 + 4) + 16 + 8 + 4 * 4 * (3 + 4 + 4) + 16 + 8 + (8 + 1) * 2
    assert parameter_count(machine) == by_hand


@pytest.mark.parametrize("kind", ["lstm", "counter", "gru", "feedforward"])
def test_outputs_have_the_asked_width(kind):
    config = RecurrentConfig(controller=ControllerConfig(kind=kind, hidden=4, layers=2))
    machine = eqx.filter_jit(config.build)(3, 2, key=jax.random.key(0))
    assert machine(jnp.ones((6, 3))).shape == (6, 2)


def test_the_first_state_is_learned():
    config = RecurrentConfig(controller=ControllerConfig(kind="lstm", hidden=4, layers=2))
    machine = eqx.filter_jit(config.build)(3, 2, key=jax.random.key(0))
    gradient = eqx.filter_grad(lambda m: jnp.sum(jnp.square(m(jnp.ones((2, 3))))))(machine)
    assert float(jnp.sum(jnp.abs(gradient.controller.initial))) > 0
