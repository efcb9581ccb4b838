"""The Neural GPU: golden values of its equations, gradients, padding, relaxation, choices."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from softmachine.machines.machine import STOPPED, Clock, split_trainable
from softmachine.machines.neural_gpu import (
    NEURAL_GPU_PRESETS,
    NeuralGPUConfig,
    NeuralGPUState,
    cut_sigmoid,
)
from softmachine.running.loop import run_examples
from softmachine.tasks.arithmetic.rearranging import RearrangeSymbols
from softmachine.traces.recording import record


def fill(shape, tag, scale=0.5):
    count = int(np.prod(shape))
    return jnp.asarray(scale * np.sin(tag + 0.9 * np.arange(count)).reshape(shape))


@pytest.fixture(autouse=True)
def _double():
    with jax.enable_x64(True):
        yield


def built(tags=(1, 11), sets=1, **choices):
    """Return a machine of two maps whose kernels are waves, one tag for each layer."""
    config = NeuralGPUConfig(
        maps=2, rows=2, layers=len(tags), sets=sets, **({"dropout": 0.0} | choices)
    )
    shape = (3, 3, 2, 2)
    gates = [jnp.concatenate([fill(shape, t + 2), fill(shape, t + 1)], -1) for t in tags]
    embedding = fill((4, 2), 7, 1).at[0].set(0)
    machine = config.build(4, 4, key=jax.random.key(0))
    return eqx.tree_at(
        lambda m: (m.embedding, m.gates, m.candidates, m.output),
        machine,
        (
            embedding,
            jnp.stack([jnp.stack(gates)] * sets),
            jnp.stack([jnp.stack([fill(shape, t) for t in tags])] * sets),
            fill((2, 4), 8, 1),
        ),
    )


def one_hot(*letters):
    return jnp.eye(4)[jnp.array(letters)]


def test_gates_reach_0_and_1():
    x = jnp.array([-3.0, -2, 0, 1, 2, 3])
    expected = [0, 0.043044, 0.5, 0.777270, 0.956956, 1]
    np.testing.assert_allclose(cut_sigmoid(x), expected, atol=1e-6)
    slopes = jax.vmap(jax.grad(cut_sigmoid))(x)
    assert slopes[0] == slopes[-1] == 0
    assert (slopes[1:-1] > 0).all()


CUT = [
    [[-0.118246, 0.729073], [0.759114, 0.250709], [-0.419343, -0.925579]],
    [[-0.706960, 0.116282], [0.435498, 0.694082], [0.437974, -0.175572]],
]
UNCUT = [
    [[-0.140547, 0.668629], [0.727388, 0.235406], [-0.394795, -0.814860]],
    [[-0.612329, 0.148683], [0.405981, 0.636065], [0.449072, -0.155846]],
]


@pytest.mark.parametrize(("cutoff", "expected"), [(True, CUT), (False, UNCUT)])
def test_one_gated_convolution(cutoff, expected):
    machine = built(tags=(1,), cutoff=cutoff)
    state = NeuralGPUState(fill((2, 3, 2), 0, 1), jnp.ones(3, bool), jnp.zeros(()))
    after, features = machine.advance(state)
    np.testing.assert_allclose(after.plane, expected, atol=1e-6)
    np.testing.assert_array_equal(features.row, after.plane[0])


LOGITS = [
    [0.294121, 0.141959, -0.117635, -0.288205],
    [-0.153677, -0.059750, 0.079395, 0.158455],
    [-0.212264, -0.197502, -0.033275, 0.156134],
]


@pytest.mark.parametrize("sets", [1, 2])
def test_three_steps_of_the_whole_machine(sets):
    machine = built(sets=sets)
    np.testing.assert_allclose(machine(one_hot(1, 3, 2)), LOGITS, atol=1e-6)
    # Whatever stands in the padding.
    padded = machine(one_hot(1, 3, 2, 1, 2, 3, 0, 1), steps=3)
    np.testing.assert_allclose(padded[:3], LOGITS, atol=1e-6)


def test_a_batch_of_several_lengths_is_each_example_alone():
    machine, lengths = built(sets=2, pull=0.5), [2, 4]
    scales = jnp.array([1.0, 1.1]).reshape(2, *[1] * 5)
    machine = eqx.tree_at(lambda m: m.gates, machine, machine.gates * scales)
    inputs = jnp.stack([one_hot(1, 2, 3, 1, 3)] * 2)
    parameters, static = split_trainable(machine)

    def together(parameters):
        outcome = run_examples(
            eqx.combine(parameters, static),
            inputs,
            steps=4,
            max_steps=5,
            lengths=jnp.array(lengths),
        )
        real = jnp.arange(5)[:, None] < jnp.array(lengths)[:, None, None]
        return jnp.where(real, outcome.outputs, 0), outcome.penalties["relaxation"]

    def alone(parameters):
        machine, found = eqx.combine(parameters, static), []
        for length in lengths:
            outputs, penalties = machine.run(inputs[0, :length])
            outputs = jnp.pad(outputs, ((0, 5 - length), (0, 0)))
            found.append((outputs, penalties["relaxation"]))
        return tuple(jnp.stack(x) for x in zip(*found, strict=True))

    (ours, our_pull), (theirs, their_pull) = (
        jax.vjp(run, parameters) for run in (together, alone)
    )
    bar = jax.tree.map(lambda x: jnp.cos(jnp.arange(x.size)).reshape(x.shape), ours)
    for a, b in zip(
        jax.tree.leaves((ours, our_pull(bar))),
        jax.tree.leaves((theirs, their_pull(bar))),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(theirs[1], 0.5 * machine.distance())  # once, however long
    assert theirs[1][0] > 0


def test_gradients_are_those_of_finite_differences():
    machine = built(sets=2, pull=0.3, embedding="tanh-mixed")
    parameters, static = split_trainable(machine)
    parameters = jax.tree.map(lambda x: 0.5 * x + fill(x.shape, 3, 0.05), parameters)

    def score(parameters):
        outcome = eqx.combine(parameters, static).run(one_hot(1, 3, 2, 1), steps=3)
        return jnp.sum(jnp.sin(outcome.outputs[:3])) + outcome.penalties["relaxation"]

    check_grads(jax.jit(score), (parameters,), order=1, modes=["rev"], eps=1e-6)


def test_the_distance_of_the_sets_is_from_their_mean():
    """Of the sets [1, 2], [3, 2], [2, 5] it is 2 + 6."""
    machine = NeuralGPUConfig(maps=1, rows=1, layers=1, sets=3).build(
        2, 2, key=jax.random.key(0)
    )
    assert machine.distance() < 1e-20
    sets = jnp.array([[[1.0, 2]], [[3, 2]], [[2, 5]]])
    machine = eqx.tree_at(lambda m: m.gate_biases, machine, sets)
    np.testing.assert_allclose(machine.distance(), 8)


def test_step_t_takes_set_t_and_begins_again():
    machine = built(sets=3)
    factors = jnp.array([1.0, 0.0, -1.0]).reshape(3, *[1] * 5)
    machine = eqx.tree_at(lambda m: m.gates, machine, machine.gates * factors)
    state = machine.init_state(one_hot(1, 3, 2))
    planes = [machine.advance(state, clock=Clock(t))[0].plane for t in range(6)]
    for t in range(3):
        np.testing.assert_array_equal(planes[t], planes[t + 3])
        assert not np.allclose(planes[t], planes[(t + 1) % 3])
    with pytest.raises(ValueError, match="clock"):
        machine.advance(state, clock=STOPPED)


def test_dropout_falls_with_the_length_from_some_length_on():
    config = NeuralGPUConfig(maps=64, sets=1, dropout=0.5, dropout_length=8)
    for length, rate in ((4, 0.5), (8, 0.5), (16, 0.25), (64, 0.0625)):
        machine = config.build(4, 4, key=jax.random.key(0))
        real = jnp.arange(64) < length
        np.testing.assert_allclose(machine._rate(real), rate)
        constant = dataclasses.replace(config, dropout_length=None)
        assert constant.build(4, 4, key=jax.random.key(0))._rate(real) == 0.5
    inputs = one_hot(1, 3, 2)
    plain = machine.run(inputs, key=jax.random.key(1)).outputs
    np.testing.assert_array_equal(plain, machine(inputs))
    dropped = machine.run(inputs, key=jax.random.key(1), training=True).outputs
    assert not np.allclose(dropped, plain)
    with pytest.raises(ValueError, match="key"):
        machine.run(inputs, training=True)


def test_presets_build_what_their_sources_say():
    machines = {
        name: eqx.filter_eval_shape(preset.build, 5, 5, key=jax.random.key(0))
        for name, preset in NEURAL_GPU_PRESETS.items()
    }
    # "About 30,000 parameters": 31,248 in the CGRUs of one set.
    paper = machines["paper"]
    relaxed = (paper.gates, paper.gate_biases, paper.candidates, paper.candidate_biases)
    assert sum(x.size for x in relaxed) == 6 * 31_248
    assert paper.mixed is None
    assert machines["code-2016"].mixed is not None
    assert len(machines["code-2017"].gates) == 1


def test_embeddings():
    inputs = one_hot(0, 3)
    linear = built(padding="learned")
    row = np.asarray(linear.embedding)[[0, 3]]
    np.testing.assert_allclose(linear.embedded(inputs), row)
    np.testing.assert_allclose(built(embedding="tanh").embedded(inputs), np.tanh(row))
    mixed = built(embedding="tanh-mixed")
    np.testing.assert_allclose(mixed.embedded(inputs), np.tanh(row) @ mixed.mixed)
    zero = eqx.tree_at(lambda m: m.embedding, built(padding="zero"), linear.embedding + 1)
    np.testing.assert_allclose(zero.embedded(inputs), [[0, 0], row[1] + 1])


def test_orthogonal_kernels_are_that_times_their_scale():
    config = NEURAL_GPU_PRESETS["code-2017"]
    machine = dataclasses.replace(config, maps=3).build(4, 4, key=jax.random.key(0))
    kernel = np.asarray(machine.candidates[0, 0]).reshape(27, 3)
    np.testing.assert_allclose(kernel.T @ kernel, 1.44**2 * np.eye(3), atol=1e-5)


def test_a_trace_shows_the_plane_as_pictures():
    task = RearrangeSymbols(symbols=3)
    machine = NeuralGPUConfig(maps=6).build(4, 4, key=jax.random.key(0))
    example = task.sample(jax.random.key(0), 5, max_size=8)
    recording = record(machine, example)
    assert {field.name for field in machine.trace_fields()} == set(recording.fields)
    assert recording.fields["plane"].shape == (5, 4, 5, 6)
    np.testing.assert_allclose(
        recording.outputs, recording.fields["plane"][-1, 0] @ machine.output, rtol=1e-5
    )
