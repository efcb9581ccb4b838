"""The Transformer against its equations in NumPy, and what it must not see."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.machines.machine import parameter_count, split_trainable
from softmachine.machines.parts.positions import alibi_slopes
from softmachine.machines.transformer import Dropout, TransformerConfig
from softmachine.running.loop import run_batch, run_examples
from softmachine.tasks.languages.reverse_string import ReverseString
from softmachine.traces.making import trace

POSITIONS = ["none", "sinusoidal", "sinusoidal-from-end", "relative", "rotary", "alibi"]
INPUTS, OUTPUTS, ROOM = 3, 2, 7


def small(**options):
    sizes = {"layers": 2, "width": 8, "heads": 2, "feedforward": 6}
    return TransformerConfig(**(sizes | options))


def built(config, inputs=INPUTS, outputs=OUTPUTS):
    """Return a machine with biases and scales that are not 0 and 1, and that does attend."""
    shapes = eqx.filter_eval_shape(config.build, inputs, outputs, key=jax.random.key(0))
    rng = np.random.default_rng(0)

    def numbers(x):
        noise = rng.normal(size=x.shape)
        scaled = 1 + 0.3 * noise if len(x.shape) == 1 else 0.5 * noise
        return jnp.asarray(scaled, jnp.result_type(float))

    return jax.tree.map(
        lambda x: numbers(x) if isinstance(x, jax.ShapeDtypeStruct) else x, shapes
    )


def inputs_of(batch=2):
    return jnp.asarray(np.random.default_rng(1).normal(size=(batch, ROOM, INPUTS)))


# --- the equations ------------------------------------------------------------------------


def normalized(layer, x):
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-5) * layer.weight + layer.bias


def wave(position, width):
    rates = [10_000 ** (2 * i / width) for i in range(width // 2)]
    return np.array(
        [np.sin(position / r) for r in rates] + [np.cos(position / r) for r in rates]
    )


def turned(x, position):
    pairs = x[0::2] + 1j * x[1::2]
    rates = 10_000.0 ** (-2 * np.arange(len(pairs)) / len(x))
    pairs = pairs * np.exp(1j * position * rates)
    return np.stack([pairs.real, pairs.imag], axis=1).reshape(-1)


def attended(attention, config, x):
    """Attention of one example without padding, query by query, head by head."""
    steps, d = len(x), config.head_width
    w_q, w_k, w_v = attention.queries_keys_values
    read = np.zeros_like(x)
    for h in range(config.heads):
        part = slice(h * d, (h + 1) * d)
        q, k, v = x @ w_q[part].T, x @ w_k[part].T, x @ w_v[part].T
        if config.positions == "rotary":
            q = np.array([turned(row, i) for i, row in enumerate(q)])
            k = np.array([turned(row, i) for i, row in enumerate(k)])
        for i in range(steps):
            logits = np.zeros(steps)
            for j in range(steps):
                logits[j] = q[i] @ k[j]
                if config.positions == "relative":
                    distances = attention.distances
                    far = distances.weight[part] @ wave(i - j, config.width)
                    u, v_bias = distances.content_bias[h], distances.distance_bias[h]
                    logits[j] += q[i] @ far + u @ k[j] + v_bias @ far
                logits[j] /= np.sqrt(d)
                if config.positions == "alibi":
                    distance = abs(i - j) - (0.5 if j < i else 0)
                    logits[j] -= alibi_slopes(config.heads)[h] * distance
            weights = np.exp(logits - logits.max())
            read[i, part] = (weights / weights.sum()) @ v
    return read @ attention.output.T


def by_hand(machine, inputs):
    config = machine.config
    steps = len(inputs)
    x = inputs @ machine.embedding.T * np.sqrt(config.width)
    if config.positions == "sinusoidal":
        x = x + np.array([wave(t, config.width) for t in range(steps)])
    if config.positions == "sinusoidal-from-end":
        x = x + np.array([wave(steps - t, config.width) for t in range(steps)])

    def dense(layer, x):
        return x @ layer.weight.T + layer.bias

    for block in machine.blocks:

        def network(x, block=block):
            return dense(block.output, np.maximum(dense(block.hidden, x), 0))

        if config.norm == "post":
            x = normalized(block.attention_norm, x + attended(block.attention, config, x))
            x = normalized(block.output_norm, x + network(x))
        else:
            x = x + attended(block.attention, config, normalized(block.attention_norm, x))
            x = x + network(normalized(block.output_norm, x))
    if config.norm == "pre":
        x = normalized(machine.final_norm, x)
    return dense(machine.output, x)


@pytest.mark.parametrize("norm", ["post", "pre"])
@pytest.mark.parametrize("positions", POSITIONS)
def test_outputs_are_the_equations_and_gradients_finite_differences(positions, norm):
    """In float64; examples of different lengths in one batch, each as if it were alone."""
    with jax.enable_x64(True):
        machine, inputs = built(small(positions=positions, norm=norm)), inputs_of()
        parameters, static = split_trainable(machine)
        lengths = np.array([4, ROOM])
        mask = (np.arange(ROOM) < lengths[:, None])[..., None]
        probe = np.cos(np.arange(2 * ROOM * OUTPUTS)).reshape(2, ROOM, OUTPUTS) * mask

        @jax.jit
        @jax.value_and_grad
        def score(parameters, inputs):
            outputs = run_batch(
                eqx.combine(parameters, static),
                inputs,
                steps=ROOM,
                max_steps=ROOM,
                lengths=jnp.asarray(lengths),
            )
            return jnp.sum(probe * outputs)

        as_numpy = jax.tree.map(np.asarray, machine)
        value, gradient = score(parameters, inputs)
        expected = sum(
            np.sum(probe[i, :n] * by_hand(as_numpy, np.asarray(inputs[i, :n])))
            for i, n in enumerate(lengths)
        )
        np.testing.assert_allclose(value, expected, rtol=1e-9)
        rng = np.random.default_rng(2)
        for _ in range(2):
            way = jax.tree.map(lambda x: jnp.asarray(rng.normal(size=x.shape)), parameters)
            ahead, behind = (
                score(jax.tree.map(lambda x, w, e=e: x + e * w, parameters, way), inputs)[0]
                for e in (1e-6, -1e-6)
            )
            slope = sum(
                jnp.sum(g * w)
                for g, w in zip(jax.tree.leaves(gradient), jax.tree.leaves(way), strict=True)
            )
            np.testing.assert_allclose(slope, (ahead - behind) / 2e-6, rtol=2e-5, atol=1e-6)


# --- padding, length, dropout -------------------------------------------------------------


@pytest.mark.parametrize("positions", POSITIONS)
def test_padding_is_not_seen(positions):
    """Neither what stands in it nor how much of it there is."""
    machine = built(small(positions=positions))
    inputs = inputs_of(1)[0].astype(jnp.float32)
    run = eqx.filter_jit(lambda x, n: machine(x, steps=n)[:4])
    alone = run(inputs[:4], 4)
    np.testing.assert_array_equal(run(inputs, 4), run(inputs.at[4:].set(1e6), 4))
    np.testing.assert_allclose(run(inputs, 4), alone, rtol=2e-5, atol=2e-5)
    assert np.abs(run(inputs, 5) - alone).max() > 1e-3
    np.testing.assert_array_equal(machine(inputs[:4]), machine(inputs[:4], steps=4))
    assert np.isfinite(machine(inputs, steps=0)).all()


def test_without_positions_order_does_not_matter_and_with_any_it_does():
    inputs = inputs_of(1)[0].astype(jnp.float32)
    for positions in POSITIONS:
        machine = built(small(positions=positions))
        there, back = machine(inputs), machine(inputs[::-1])[::-1]
        assert (np.abs(there - back).max() < 1e-4) == (positions == "none")


def test_the_last_output_alone():
    machine, inputs = built(small()), inputs_of().astype(jnp.float32)
    lengths = jnp.array([3, 6])
    arguments = {"steps": 6, "max_steps": ROOM, "lengths": lengths}
    every = run_batch(machine, inputs, **arguments)
    last = run_batch(machine, inputs, **arguments, last=True)
    np.testing.assert_allclose(last, every[jnp.arange(2), lengths - 1], rtol=1e-6)


def test_dropout_is_of_training_and_of_the_key():
    machine, inputs = built(small(dropout=0.5)), inputs_of().astype(jnp.float32)
    keys = jax.random.split(jax.random.key(0), 2)

    def run(training, keys=keys):
        arguments = {"steps": ROOM, "max_steps": ROOM, "keys": keys, "training": training}
        return np.asarray(run_examples(machine, inputs, **arguments).outputs)

    np.testing.assert_array_equal(run(False), run_batch(machine, inputs, steps=7, max_steps=7))
    np.testing.assert_array_equal(run(True), run(True))
    assert np.abs(run(True) - run(False)).max() > 1e-2
    assert np.abs(run(True) - run(True, keys[::-1])).max() > 1e-2
    with pytest.raises(ValueError, match="dropout draws at random: give this Transformer"):
        run(True, None)


def test_dropout_keeps_its_share_and_the_mean():
    drop, ones = Dropout(0.25, jax.random.key(0)), jnp.ones((200, 100))
    first, second = np.asarray(drop(ones)), np.asarray(drop(ones))
    assert set(np.unique(first)) == {0.0, np.float32(1 / 0.75)}
    assert first.mean() == pytest.approx(1, abs=0.02)
    assert (first != second).mean() == pytest.approx(2 * 0.25 * 0.75, abs=0.02)


# --- sizes, types, traces -----------------------------------------------------------------


def test_parameters_are_those_of_the_published_encoder():
    """5 layers, width 64, 4 times that inside: counted from the shapes in its paper."""
    config = TransformerConfig()
    machine = built(config, 3, 2)
    per_layer = 4 * 64 * 64 + 2 * 64 * 256 + 256 + 64 + 2 * 2 * 64
    assert parameter_count(machine) == 3 * 64 + 5 * per_layer + 64 * 2 + 2
    relative = built(TransformerConfig(positions="relative"), 3, 2)
    assert parameter_count(relative) - parameter_count(machine) == 5 * (64 * 64 + 2 * 64)


@pytest.mark.parametrize("positions", POSITIONS)
def test_states_have_the_type_of_the_parameters(positions):
    machine = eqx.filter_eval_shape(
        small(positions=positions, norm="pre").build, INPUTS, OUTPUTS, key=jax.random.key(0)
    )
    for dtype in (jnp.bfloat16, jnp.float16):
        half = jax.tree.map(
            lambda x, dtype=dtype: (
                jax.ShapeDtypeStruct(x.shape, dtype) if hasattr(x, "shape") else x
            ),
            machine,
        )
        outputs = eqx.filter_eval_shape(
            lambda m, x: m(x), half, jax.ShapeDtypeStruct((ROOM, INPUTS), jnp.int32)
        )
        assert outputs.dtype == dtype


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 9}, "width must be a multiple of its 2 heads, not 9"),
        ({"width": 6, "positions": "rotary"}, "heads must be of even width, not 3"),
        ({"width": 5, "heads": 1, "positions": "relative"}, "width must be even, not 5"),
        ({"dropout": 1.0}, r"TransformerConfig\.dropout must be .*below 1"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        small(**options)


@pytest.mark.parametrize("positions", ["none", "relative"])
def test_no_steps_give_no_outputs(positions):
    machine = built(small(positions=positions), 3, 2)
    assert machine(jnp.zeros((0, 3))).shape == (0, 2)
    assert run_batch(machine, jnp.zeros((4, 0, 3)), steps=0, max_steps=0).shape == (4, 0, 2)


def test_a_trace_shows_what_each_step_attends_to():
    task = ReverseString()
    machine = built(small(), task.input_size, task.output_size)
    made = trace(machine, task, size=3, seed=0, every=4)
    assert made.header.steps == (4, 6)
    weights = made.arrays["fields/layer 2"]
    assert weights.shape == (2, 2, 6)
    np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-5)
    assert made.header.scores["wrong_symbols"] is not None
    few = trace(machine, task, size=3, seed=0, fields=["layer 1"])
    assert [field.name for field in few.header.fields] == ["layer 1"]
