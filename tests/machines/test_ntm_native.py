"""A step of all heads in C is the paper's, and so are its gradients."""

from __future__ import annotations

import dataclasses
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.core import native as providing
from softmachine.core.c_compiler import c_compiler
from softmachine.machines.machine import Clock
from softmachine.machines.ntm import native
from softmachine.machines.ntm.heads import (
    ORDERS,
    address,
    head_value_sizes,
    to_head_parameters,
)
from softmachine.machines.ntm.native import native_step
from softmachine.machines.ntm.ntm import NTMConfig
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.recipes.registry import get_recipe
from softmachine.running.loop import run_batch

needs_compiler = pytest.mark.skipif(c_compiler() is None, reason="there is no C compiler")
FLOAT32 = jnp.dtype(jnp.float32)
SMALL = NTMConfig(memory_rows=16, memory_columns=3, head_clip=None)
CASES = {
    "as recipes": NTMConfig(memory_rows=128, memory_columns=20),
    "several heads, vectors left over": NTMConfig(
        memory_rows=80, memory_columns=6, read_heads=2, write_heads=3
    ),
    "all look first, then read": NTMConfig(
        memory_rows=64, memory_columns=5, order="read-write", read_heads=3, shifts=5
    ),
    "all look first, write, read": NTMConfig(
        memory_rows=32, memory_columns=9, order="address-write-read", write_heads=2
    ),
    "tanh and sigmoid": dataclasses.replace(
        SMALL, key_activation="tanh", add_activation="sigmoid", shifts=1
    ),
    "relu": dataclasses.replace(SMALL, key_activation="relu", add_activation="relu", shifts=4),
    "as many shifts as rows": dataclasses.replace(SMALL, shifts=15, memory_columns=1),
    "the paper's smoothing": NTMConfig(
        memory_rows=48,
        memory_columns=7,
        similarity_smoothing=0.0,
        similarity_epsilon=1e-8,
    ),
    "both smoothings": dataclasses.replace(SMALL, similarity_epsilon=0.1),
    "values are clipped": dataclasses.replace(SMALL, head_clip=0.5),
}


@pytest.fixture(autouse=True)
def _asked_for(monkeypatch):
    monkeypatch.setenv(providing.VARIABLE, "on")


def by_paper(config, values, memory, previous):
    parameters = to_head_parameters(values, config)

    def address_on(memory, heads):
        return address(parameters, memory, previous, heads, config)

    return ORDERS[config.order](parameters, memory, address_on, config)


def draw(config, examples=5, scale=2.0):
    """Return values, memories and weightings, and gradients of the results."""
    heads = config.read_heads + config.write_heads
    rows, columns = config.memory_rows, config.memory_columns
    keys = jax.random.split(jax.random.key(heads + rows), 6)
    shapes = (columns, rows), (heads, rows), (config.read_heads, columns)
    values = scale * jax.random.normal(keys[0], (examples, sum(head_value_sizes(config))))
    memory = jax.random.normal(keys[1], (examples, *shapes[0]))
    previous = jax.nn.softmax(2 * jax.random.normal(keys[2], (examples, *shapes[1])))
    bars = [jax.random.normal(k, (examples, *s)) for k, s in zip(keys[3:], shapes, strict=True)]
    return (values, memory, previous), tuple(bars)


def results_and_gradients(step, arguments, bars):
    results, back = jax.vjp(jax.vmap(step), *arguments)
    return jax.device_get((*results, *back(bars)))


def assert_close(found, expected, within):
    """Compare arrays to so many of the largest number in each."""
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, rtol=0, atol=within * np.abs(other).max())


@needs_compiler
@pytest.mark.parametrize("name", CASES)
def test_a_step_and_its_gradients_are_those_of_the_paper_in_double_precision(name):
    config = CASES[name]
    arguments, bars = draw(config)
    found = results_and_gradients(native_step(config, FLOAT32), arguments, bars)
    with jax.enable_x64(True):
        wide = jax.tree.map(lambda x: np.asarray(x, np.float64), (arguments, bars))
        expected = results_and_gradients(partial(by_paper, config), *wide)
        assert expected[0].dtype == np.float64
    assert_close(found, expected, 3e-6)
    assert all(x.dtype == np.float32 for x in found)


@needs_compiler
@pytest.mark.parametrize("order", native.LATE)
def test_wild_values_are_as_wild_as_by_the_paper(order):
    """Weightings of one row, rows of zeros, keys of zeros; gradients that are finite."""
    config = NTMConfig(memory_rows=32, memory_columns=4, order=order, read_heads=2)
    (values, memory, _), bars = draw(config, examples=8, scale=30.0)
    values = values.at[:2, : 3 * 4].set(0)
    memory = memory.at[1:3].set(0)
    previous = jax.nn.one_hot(jnp.arange(24).reshape(8, 3), 32)
    arguments = (values, memory, previous)
    found = results_and_gradients(native_step(config, FLOAT32), arguments, bars)
    expected = results_and_gradients(partial(by_paper, config), arguments, bars)
    assert all(np.isfinite(x).all() for x in found)
    assert_close(found, expected, 1e-4)


@needs_compiler
def test_small_and_saturated_values_keep_their_gradients():
    """A softplus far below 0 is its exponential, and so is its slope; tanh is its argument."""
    config = dataclasses.replace(SMALL, key_activation="tanh", similarity_smoothing=1e-12)
    (_, memory, previous), bars = draw(config, examples=6)
    values = jnp.linspace(-19, -10, 6)[:, None] * jnp.ones(sum(head_value_sizes(config)))
    values = values.at[:, :6].set(1e-4 * jax.random.normal(jax.random.key(1), (6, 6)))
    found = results_and_gradients(
        native_step(config, FLOAT32), (values, memory, previous), bars
    )
    with jax.enable_x64(True):
        wide = jax.tree.map(lambda x: np.asarray(x, np.float64), (values, memory, previous))
        wide_bars = jax.tree.map(lambda x: np.asarray(x, np.float64), bars)
        expected = results_and_gradients(partial(by_paper, config), wide, wide_bars)
    strengths = slice(6, 8)
    assert (np.abs(expected[3][:, strengths]) > 0).all()
    np.testing.assert_allclose(found[3][:, strengths], expected[3][:, strengths], rtol=1e-3)


@needs_compiler
def test_what_is_not_a_number_stays_none():
    """Training finds a machine that has gone astray by its NaN."""
    arguments, bars = draw(SMALL)
    for place in range(3):
        spoilt = list(arguments)
        spoilt[place] = spoilt[place].at[(0,) * spoilt[place].ndim].set(jnp.nan)
        found = results_and_gradients(native_step(SMALL, FLOAT32), tuple(spoilt), bars)
        assert np.isnan(found[2][0]).any()
        # And the examples beside it are as they were.
        whole = results_and_gradients(native_step(SMALL, FLOAT32), arguments, bars)
        for one, other in zip(found, whole, strict=True):
            np.testing.assert_array_equal(one[1:], other[1:])


@needs_compiler
def test_examples_members_and_none_at_all():
    """Batches of batches are done one by one; an empty batch is."""
    config = SMALL
    arguments, bars = draw(config, examples=6)
    step = native_step(config, FLOAT32)
    found = results_and_gradients(step, arguments, bars)
    members = jax.tree.map(lambda x: x.reshape(2, 3, *x.shape[1:]), (arguments, bars))
    for one, other in zip(results_and_gradients(jax.vmap(step), *members), found, strict=True):
        np.testing.assert_array_equal(one.reshape(other.shape), other)
    nobody = jax.tree.map(lambda x: x[:0], (arguments, bars))
    assert all(x.size == 0 for x in results_and_gradients(step, *nobody))


@needs_compiler
def test_derivatives_that_there_are_not_are_refused():
    (values, memory, previous), _ = draw(SMALL, examples=1)
    step = native_step(SMALL, FLOAT32)

    def loss(values):
        return jnp.sum(step(values, memory[0], previous[0])[2])

    with pytest.raises(ValueError, match="cannot be differentiated"):
        jax.jacrev(jax.grad(loss))(values[0])
    with pytest.raises(TypeError, match="custom_vjp"):
        jax.jvp(loss, (values[0],), (values[0],))


@pytest.mark.parametrize(
    "choice",
    [
        {"memory_rows": 24},
        {"order": "alternate"},
        {"write_heads": 2, "write_composition": "sequential"},
        {"wrap": False},
        {"hard": True},
        {"sharpening_factor": 2.0},
        {"sharpening_smoothing": 1e-16},
    ],
    ids=str,
)
def test_what_it_does_not_know_is_left_to_the_paper(choice):
    assert native_step(NTMConfig(**{"memory_rows": 32} | choice), FLOAT32) is None


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16, jnp.float64])
def test_other_precisions_are_left_to_the_paper(dtype):
    assert native_step(SMALL, jnp.dtype(dtype)) is None


@needs_compiler
def test_the_recipes_machine_has_it():
    assert native_step(get_recipe("ntm-copy").machine, FLOAT32) is not None


@pytest.fixture
def machine():
    config = NTMConfig(
        controller=ControllerConfig(hidden=6), memory_rows=32, memory_columns=4, write_heads=2
    )
    return config.build(3, 2, key=jax.random.key(0))


def gradients(machine, training):
    inputs = jax.random.normal(jax.random.key(1), (4, 7, 3))
    trained, rest = eqx.partition(machine, eqx.is_inexact_array)

    def loss(trained):
        machine = eqx.combine(trained, rest)
        outputs = run_batch(machine, inputs, steps=5, max_steps=7, training=training)
        return jnp.sum(jnp.square(outputs[:, :5])), outputs[:, :5]

    (_, outputs), found = jax.jit(jax.value_and_grad(loss, has_aux=True))(trained)
    return jax.device_get([outputs, *jax.tree.leaves(found)])


def calls(machine, training):
    inputs = jnp.zeros((4, 7, 3))
    program = jax.make_jaxpr(
        lambda x: run_batch(machine, x, steps=7, max_steps=7, training=training)
    )(inputs)
    return native.STEP in str(program)


@needs_compiler
def test_updates_take_it_and_nothing_else_does(machine):
    assert calls(machine, training=True)
    assert not calls(machine, training=False)
    assert_close(gradients(machine, training=True), gradients(machine, training=False), 1e-5)


def test_updates_do_without_it(machine, monkeypatch):
    monkeypatch.delenv(providing.VARIABLE)
    assert not calls(machine, training=True)
    for one, other in zip(gradients(machine, True), gradients(machine, False), strict=True):
        np.testing.assert_array_equal(one, other)


@needs_compiler
def test_heads_that_are_moved_by_others_are_not_moved_by_it(machine):
    """Such as the head positions of `advance_on_rows`."""
    state = machine.init_state()
    encoded = machine.encode(jnp.ones(3))
    on_rows = jax.nn.one_hot(jnp.array([3, 4, 5]), 32)

    def address(_parameters, _memory, _previous, heads, _config):
        return on_rows[heads]

    after, _ = machine.advance(state, encoded, Clock(0, training=True), address)
    np.testing.assert_array_equal(after.weightings, on_rows)
