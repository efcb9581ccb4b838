"""Stack-RNN, List-RNN and stacks of vectors against golden values and plain Python stacks."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.machines.stack_rnn import (
    STACK_RNN_PRESETS,
    StackRNNConfig,
    StackRNNTestOptions,
    head_row,
    push_or_pop,
    slide,
)

HALF = 1 / (1 + np.exp(-0.5))  # sigma(0.5)


def built(config, inputs=3, outputs=3):
    return eqx.filter_jit(config.build)(inputs, outputs, key=jax.random.key(0))


def small(**choices):
    sizes = {
        "controller": ControllerConfig(kind="feedforward", hidden=4, activation="sigmoid"),
        "stacks": 2,
        "memory_rows": 6,
    }
    return StackRNNConfig(**(sizes | choices))


def fill(shape, start):
    count = int(np.prod(shape))
    return jnp.asarray(np.sin(start + np.arange(count)).reshape(shape))


def cells(*numbers):
    return jnp.array(numbers)[None, None]


def test_one_step_of_a_stack():
    after = push_or_pop(
        cells(0.9, 0.4, -1, -1, -1), jnp.array([[0.6, 0.3, 0.1]]), jnp.array([[HALF]]), -1.0
    )
    np.testing.assert_allclose(after[0, 0], [0.583476, 0.28, -0.16, -1, -1], atol=1e-6)


def test_one_step_of_a_list():
    after = slide(
        cells(-1, 0.3, 0.8, 0.5, -1), jnp.array([[0.5, 0.2, 0.3]]), jnp.array([[HALF]]), -1.0
    )
    np.testing.assert_allclose(after[0, 0], [0.04, 0.44, 0.521230, 0.11, -0.7], atol=1e-6)


def test_one_step_of_a_stack_of_vectors():
    memory = fill((4, 2), 1)
    actions, value = jnp.array([[0.5, 0.3, 0.2]]), jnp.array([[1.0, -1.0]])
    after = push_or_pop(memory.T[None], actions, value, 0.0)
    np.testing.assert_allclose(
        after[0].T,
        [
            [0.710630, -0.545181],
            [0.161282, 0.219464],
            [0.075871, -0.137477],
            [-0.348065, 0.058164],
        ],
        atol=1e-6,
    )


def golden():
    """The whole machine of the golden values."""
    machine = built(small())
    actions, pushed = fill((2, 2, 4), 3), fill((2, 4), 4)
    return eqx.tree_at(
        lambda m: (
            m.controller.from_input.weight,
            m.controller.from_below[0].weight,
            m.controls.weight,
            m.output.weight,
        ),
        machine,
        (
            fill((3, 4), 1).T,
            jnp.swapaxes(fill((2, 4, 2), 2), 0, 1).reshape(4, 4),
            jnp.concatenate([actions.reshape(4, 4), pushed]),
            fill((3, 4), 5),
        ),
    )


def test_a_whole_run():
    machine, state = golden(), golden().init_state()
    inputs = jnp.eye(3)[jnp.array([0, 0, 1, 2])]
    np.testing.assert_allclose(
        jax.nn.softmax(machine(inputs)),
        [
            [0.111145, 0.132893, 0.755962],
            [0.118632, 0.124618, 0.756750],
            [0.330658, 0.088213, 0.581130],
            [0.181101, 0.170662, 0.648237],
        ],
        atol=1e-6,
    )
    pushes, tops = [], []
    for x in inputs:
        pushes.append(machine.observe_step(state, machine.encode(x))["actions"][:, 0])
        state, _ = machine.step(state, x)
        tops.append(machine.observe_state(state)["memory"][:, :2].reshape(-1))
    np.testing.assert_allclose(
        pushes,
        [
            [0.103891, 0.298057],
            [0.101068, 0.326268],
            [0.144643, 0.709209],
            [0.170574, 0.396182],
        ],
        atol=1e-6,
    )
    np.testing.assert_allclose(
        tops,
        [
            [-0.874694, -1, -0.495591, -1],
            [-0.877700, -0.987336, -0.452598, -0.835427],
            [-0.794334, -0.982310, 0.074510, -0.611778],
            [-0.766406, -0.963399, -0.124549, -0.503823],
        ],
        atol=1e-6,
    )


def test_hard_actions_make_a_stack_of_python():
    rng = np.random.default_rng(0)
    rows, memory, plain = 8, cells(*[-1.0] * 8), []
    step = jax.jit(push_or_pop, static_argnums=3)
    for action, value in zip(rng.integers(0, 3, 300), rng.random(300), strict=True):
        memory = step(memory, jnp.eye(3)[action][None], jnp.array([[value]]), -1.0)
        if action == 0:
            plain = [value, *plain][:rows]  # the lowest one is lost
        elif action == 1:
            plain = plain[1:]
        expected = plain + [-1.0] * (rows - len(plain))
        np.testing.assert_allclose(memory[0, 0], expected, atol=1e-6)


def test_hard_actions_make_a_list_of_python():
    """Two stacks of Python, left and right of the head, with the head's cell between them."""
    rng = np.random.default_rng(1)
    rows = 81
    head, memory = head_row(rows), cells(*[-1.0] * rows)
    left, at, right = [-1.0] * head, -1.0, [-1.0] * head
    step = jax.jit(slide, static_argnums=3)
    for action, value in zip(rng.integers(0, 4, 300), rng.random(300), strict=True):
        memory = step(memory, jnp.eye(4)[action][None], jnp.array([[value]]), -1.0)
        if action == 0:
            left, at = [*left[1:], at], value
        elif action == 1:  # all moves to the right
            left, at, right = [-1.0, *left[:-1]], left[-1], [at, *right[:-1]]
        elif action == 2:
            left, at, right = [*left[1:], at], right[0], [*right[1:], -1.0]
        np.testing.assert_allclose(memory[0, 0], [*left, at, *right], atol=1e-6)


def test_cells_stay_between_empty_and_one():
    rng = np.random.default_rng(2)
    actions = jnp.asarray(rng.dirichlet(np.ones(3), size=(10_000, 1)), jnp.float32)
    values = jnp.asarray(rng.random((10_000, 1, 1)), jnp.float32)

    def step(memory, given):
        after = push_or_pop(memory, *given, -1.0)
        return after, jnp.stack([jnp.min(after), jnp.max(after)])

    _, ends = jax.lax.scan(step, cells(*[-1.0] * 8), (actions, values))
    assert -1.0 - 1e-5 <= ends.min() < ends.max() < 1.0


@pytest.mark.parametrize(
    "choices",
    [
        {},
        {"stay": True, "controller": ControllerConfig(kind="rnn", hidden=4)},
        {"memory": "list", "read_rows": 3},
        {"memory_columns": 2, "push_activation": "linear", "empty": 0.0, "biases": True},
    ],
    ids=str,
)
def test_gradients_are_those_of_finite_differences(choices):
    with jax.enable_x64(True):
        machine = built(small(first_weights="glorot", **choices))
        machine = jax.tree.map(
            lambda x: x.astype(jnp.float64) if eqx.is_inexact_array(x) else x, machine
        )
        inputs = jnp.eye(3)[jnp.array([0, 0, 1, 2, 1])]
        weights, static = eqx.partition(machine, eqx.is_inexact_array)
        loss = lambda w: jnp.sum(jnp.sin(eqx.combine(w, static)(inputs)))  # noqa: E731
        check_grads(jax.jit(loss), (weights,), order=1, modes=["rev"], eps=1e-6, atol=1e-7)


def test_a_window_as_long_as_the_run_is_exact():
    machine, inputs = golden(), jnp.eye(3)[jnp.array([0, 0, 1, 2])]
    np.testing.assert_array_equal(machine(inputs), machine.with_memory_rows(50)(inputs))


def test_presets():
    joulin = built(STACK_RNN_PRESETS["joulin"])
    counted = sum(x.size for x in jax.tree.leaves(joulin) if eqx.is_array(x))
    assert counted == 40 * (3 + 10 * 2 + 10 * 2 + 10 + 3)  # U, P, A, D, V and no bias
    assert joulin.init_state().memory.shape == (10, 1, 200)
    assert 0.08 < float(jnp.std(joulin.controls.weight)) < 0.12
    chomsky = built(STACK_RNN_PRESETS["chomsky"])
    assert chomsky.init_state().memory.shape == (1, 8, 128)
    assert not chomsky.init_state().memory.any()
    lists = built(dataclasses.replace(STACK_RNN_PRESETS["joulin-list"], memory_rows=9))
    memory = jnp.broadcast_to(jnp.arange(9.0), (5, 1, 9))
    np.testing.assert_array_equal(lists.read(memory)[0, 0], [3, 4, 5])


def test_options_and_refusals():
    machine = golden()
    hard = machine.with_test_options(StackRNNTestOptions(hard=True))
    actions, values = hard.instruct(jnp.ones(4))
    assert set(np.unique(actions)) == {0, 1}
    np.testing.assert_array_equal(values, machine.instruct(jnp.ones(4))[1])
    with pytest.raises(ValueError, match="must not exceed memory_rows"):
        small(read_rows=9)


@pytest.mark.parametrize(("rows", "fits"), [(2, False), (3, True), (4, True)])
def test_what_is_read_around_the_head_of_a_list_is_there(rows, fits):
    """Two cells: the one under the head, and the next."""
    if not fits:
        with pytest.raises(ValueError, match=f"\\({rows}\\): of a list cells up to number 3"):
            small(memory="list", memory_rows=rows, read_rows=2)
        return
    machine = built(small(memory="list", memory_rows=rows, read_rows=2))
    places = jnp.broadcast_to(jnp.arange(float(rows)), (machine.config.stacks, 1, rows))
    head = head_row(rows)
    np.testing.assert_array_equal(machine.read(places)[0, 0], [head, head + 1])


def test_on_a_share_of_training_examples_actions_are_hard():
    machine, inputs = golden(), jnp.eye(3)[jnp.array([0, 0, 1, 2])]
    hard = machine.with_test_options(StackRNNTestOptions(hard=True))
    config = dataclasses.replace(machine.config, hard_share=0.5)
    both = dataclasses.replace(machine, config=config)
    runs = jax.jit(jax.vmap(lambda key: both.run(inputs, key=key, training=True).outputs))(
        jax.random.split(jax.random.key(0), 64)
    )
    soft, hard = (jnp.isclose(runs, m(inputs)).all((1, 2)) for m in (machine, hard))
    assert (soft != hard).all()
    assert 16 < int(hard.sum()) < 48
    np.testing.assert_allclose(both(inputs), machine(inputs), atol=1e-6)  # not in a test
    always = dataclasses.replace(both, config=dataclasses.replace(config, hard_share=1.0))

    def total(weight):
        learned = eqx.tree_at(lambda m: m.controls.weight, always, weight)
        return jnp.sum(learned.run(inputs, key=jax.random.key(0), training=True).outputs)

    assert jnp.abs(jax.jit(jax.grad(total))(machine.controls.weight)[:4]).sum() > 0
