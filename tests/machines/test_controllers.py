"""Controllers against NumPy cells written from their papers."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.machines.parts.controllers import ControllerConfig

INPUTS, FEEDBACK, HIDDEN, STEPS = 3, 4, 5, 4


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def numpy_lstm(controller, state, x, feedback):
    """Gates in the order input, forget, output, candidate."""
    layers = len(controller.recurrent)
    from_input = controller.from_input.weight @ x + controller.from_input.bias
    hidden, cell, below = state[0].copy(), state[1].copy(), np.zeros(0)
    for i, share in enumerate(from_input.reshape(layers, -1)):
        seen = np.concatenate([feedback, below, hidden[i]])
        write, forget, output, candidate = np.split(
            share + controller.recurrent[i].weight @ seen, 4
        )
        cell[i] = sigmoid(forget) * cell[i] + sigmoid(write) * np.tanh(candidate)
        hidden[i] = sigmoid(output) * np.tanh(cell[i])
        below = hidden[i]
    return np.stack([hidden, cell]), hidden.ravel()


def numpy_counter(controller, state, x, feedback):
    """Gates, of all but the input, in the order write, keep, show; candidates of the input."""
    layers = len(controller.recurrent)
    candidates = controller.from_input.weight @ x + controller.from_input.bias
    hidden, cell, below = state[0].copy(), state[1].copy(), np.zeros(0)
    for i, candidate in enumerate(candidates.reshape(layers, -1)):
        layer = controller.recurrent[i]
        inner = layer.weight @ np.concatenate([feedback, below, hidden[i]]) + layer.bias
        write, keep, show = np.split(np.clip(1.6 * sigmoid(inner) - 0.3, 0, 1), 3)
        cell[i] = keep * cell[i] + write * candidate
        hidden[i] = show * np.tanh(5 * cell[i])
        below = hidden[i]
    return np.stack([hidden, cell]), hidden.ravel()


def numpy_gru(controller, state, x, feedback):
    """Gates in the order reset, update, candidate; the reset gate after the product."""
    layers = len(controller.recurrent)
    from_input = controller.from_input.weight @ x + controller.from_input.bias
    hidden, below = state.copy(), np.zeros(0)
    for i, share in enumerate(from_input.reshape(layers, -1)):
        seen = np.concatenate([feedback, below])
        outside = np.split(share + controller.from_below[i].weight @ seen, 3)
        inside = np.split(controller.recurrent[i].weight @ hidden[i], 3)
        reset, update = sigmoid(outside[0] + inside[0]), sigmoid(outside[1] + inside[1])
        candidate = np.tanh(outside[2] + reset * inside[2])
        hidden[i] = update * hidden[i] + (1 - update) * candidate
        below = hidden[i]
    return hidden, hidden.ravel()


def numpy_feedforward(controller, state, x, feedback):
    layers = len(controller.from_below)
    activation = {"tanh": np.tanh, "relu": lambda v: np.maximum(v, 0), "sigmoid": sigmoid}
    from_input = controller.from_input.weight @ x + controller.from_input.bias
    outputs = []
    for i, share in enumerate(from_input.reshape(layers, -1)):
        seen = np.concatenate([feedback, *outputs[-1:]])
        inner = share + controller.from_below[i].weight @ seen
        outputs.append(activation[controller.activation](inner))
    return state, np.concatenate(outputs)


@eqx.filter_jit
def build(config, feedback=FEEDBACK):
    return config.build(INPUTS, feedback, key=jax.random.key(0))


NUMPY_CELLS = {
    "lstm": numpy_lstm,
    "counter": numpy_counter,
    "gru": numpy_gru,
    "feedforward": numpy_feedforward,
}


def with_noise(tree, seed):
    rng = np.random.default_rng(seed)
    return jax.tree.map(
        lambda x: jnp.asarray(np.asarray(x) + rng.normal(size=x.shape), x.dtype), tree
    )


@pytest.mark.parametrize("feedback", [0, FEEDBACK])
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("kind", NUMPY_CELLS)
def test_steps_agree_with_numpy(kind, layers, feedback):
    rng = np.random.default_rng(layers)
    with jax.enable_x64(True):
        config = ControllerConfig(kind=kind, hidden=HIDDEN, layers=layers)
        controller = with_noise(build(config, feedback), 1)
        oracle = jax.tree.map(np.asarray, controller)
        state = controller.init_state()
        expected_state = jax.tree.map(np.asarray, state)
        advance = jax.jit(type(controller).__call__)
        for _ in range(STEPS):
            x, seen = rng.normal(size=INPUTS), rng.normal(size=feedback)
            state, outputs = advance(
                controller, state, controller.project(jnp.asarray(x)), jnp.asarray(seen)
            )
            expected_state, expected = NUMPY_CELLS[kind](oracle, expected_state, x, seen)
            np.testing.assert_allclose(outputs, expected, rtol=1e-11, atol=1e-13)
            for ours, theirs in zip(
                jax.tree.leaves(state), jax.tree.leaves(expected_state), strict=True
            ):
                np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-13)
        assert outputs.shape == (controller.output_size,) == (layers * HIDDEN,)


@pytest.mark.parametrize("kinds", [("feedforward", "lstm", "feedforward"), ("gru", "counter")])
def test_layers_of_different_kinds_see_what_those_of_one_kind_see(kinds):
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        config = ControllerConfig(kinds=kinds, hidden=HIDDEN)
        controller = with_noise(build(config), 1)
        assert config.published_as == "+".join(kinds).replace("feedforward", "ff")
        layers = jax.tree.map(np.asarray, controller.parts)
        state = controller.init_state()
        expected_state = [*jax.tree.map(np.asarray, state)]
        advance = jax.jit(type(controller).__call__)
        for _ in range(STEPS):
            x, seen = rng.normal(size=INPUTS), rng.normal(size=FEEDBACK)
            state, outputs = advance(
                controller, state, controller.project(jnp.asarray(x)), jnp.asarray(seen)
            )
            expected = []
            for i, kind in enumerate(kinds):
                below = np.concatenate([seen, *expected[-1:]])
                expected_state[i], output = NUMPY_CELLS[kind](
                    layers[i], expected_state[i], x, below
                )
                expected.append(output)
            np.testing.assert_allclose(outputs, np.concatenate(expected), rtol=1e-11)
        assert outputs.shape == (controller.output_size,) == (len(kinds) * HIDDEN,)


def test_kinds_of_layers_are_said_once():
    with pytest.raises(ValueError, match="leave out kind and layers"):
        ControllerConfig(kinds=("gru",), layers=2)


@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid"])
def test_feedforward_activations(activation):
    config = ControllerConfig(
        kind="feedforward", hidden=HIDDEN, layers=2, activation=activation
    )
    controller = with_noise(build(config), 2)
    rng = np.random.default_rng(0)
    x, seen = rng.normal(size=INPUTS), rng.normal(size=FEEDBACK)
    expected = numpy_feedforward(jax.tree.map(np.asarray, controller), (), x, seen)[1]
    projected = controller.project(jnp.asarray(x, jnp.float32))
    outputs = controller((), projected, jnp.asarray(seen, jnp.float32))[1]
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", NUMPY_CELLS)
def test_inputs_are_projected_over_any_leading_axes(kind):
    controller = build(ControllerConfig(kind=kind, hidden=HIDDEN, layers=2))
    x = np.random.default_rng(0).normal(size=(2, 6, INPUTS)).astype(np.float32)
    project = jax.jit(type(controller).project)
    one_by_one = np.stack([np.stack([project(controller, v) for v in row]) for row in x])
    x = jnp.asarray(x)
    np.testing.assert_allclose(controller.project(x), one_by_one, rtol=1e-5, atol=1e-6)


def test_forget_bias_is_on_the_forget_gate_alone():
    config = ControllerConfig(kind="lstm", hidden=HIDDEN, layers=2, forget_bias=1.5)
    bias = build(config).from_input.bias
    expected = np.zeros((2, 4, HIDDEN))
    expected[:, 1] = 1.5
    np.testing.assert_array_equal(bias.reshape(2, 4, HIDDEN), expected)


def test_a_long_kept_cell_does_not_change():
    """A forget gate of one and a write gate of zero hold the cell."""
    controller = build(ControllerConfig(kind="lstm", hidden=HIDDEN), 0)
    cell = jnp.linspace(-2, 2, HIDDEN)
    state = jnp.stack([jnp.zeros((1, HIDDEN)), cell[None]])
    gates = jnp.repeat(jnp.array([-100.0, 100.0, 0.0, 0.0]), HIDDEN)
    state, _ = controller(state, gates[None], jnp.zeros(0))
    np.testing.assert_allclose(state[1, 0], cell, rtol=1e-6)


def test_a_counter_starts_by_keeping():
    """Its forget bias is on the gates that keep a cell alone, and candidates start at zero."""
    config = ControllerConfig(kind="counter", hidden=HIDDEN, layers=2, forget_bias=1.5)
    controller = build(config)
    for layer in controller.recurrent:
        expected = np.repeat([0.0, 1.5, 0.0], HIDDEN)
        np.testing.assert_array_equal(layer.bias, expected)
    np.testing.assert_array_equal(controller.from_input.bias, np.zeros(2 * HIDDEN))


def test_a_counter_counts_evenly():
    """Once loaded, a cell loses the same at every event and nothing between, exactly."""
    controller = jax.tree.map(
        jnp.zeros_like, build(ControllerConfig(kind="counter", hidden=1), feedback=1)
    )
    controller = eqx.tree_at(
        lambda c: (c.from_input.weight, c.from_input.bias, c.recurrent[0].weight),
        controller,
        (jnp.array([[1.0, 0, 0]]), jnp.array([-0.25]), jnp.array([[9.0, 0], [0, 0], [0, 0]])),
    )
    layer = controller.recurrent[0]
    controller = eqx.tree_at(
        lambda c: c.recurrent[0].bias, controller, layer.bias + jnp.array([-3.0, 9, 9])
    )
    step = jax.jit(type(controller).__call__)
    for number in (3.0, 300.0):
        state, cells = controller.init_state(), []
        for t in range(41):
            x = jnp.array([number * (t == 0), 1, 1])
            event = jnp.array([float(t % 2 == 0)])
            state, _ = step(controller, state, controller.project(x), event)
            cells.append(float(state[1, 0, 0]))
        expected = number - 0.25 * (1 + np.arange(41) // 2)
        np.testing.assert_array_equal(cells, expected)


@pytest.mark.parametrize("field", ["hidden", "layers"])
def test_sizes_below_one_are_refused(field):
    with pytest.raises(ValueError, match=f"{field} must be at least 1, not 0"):
        ControllerConfig(**{field: 0})


def test_configs_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        ControllerConfig().hidden = 3
