"""The diagonal Neural GPU: golden values of its equations, gradients, padding, dropout."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from softmachine.machines.dngpu import DNGPUConfig, DNGPUState, shift
from softmachine.machines.machine import Clock, split_trainable
from softmachine.running.keeping import EveryKth
from softmachine.running.loop import run_batch, run_examples
from softmachine.tasks.arithmetic.rearranging import RearrangeSymbols
from softmachine.traces.recording import record


def fill(shape, tag, scale=0.5):
    count = int(np.prod(shape))
    return jnp.asarray(scale * np.sin(tag + 0.9 * np.arange(count)).reshape(shape))


def built(maps=4, **choices):
    """Return a machine in float64 whose kernels are waves."""
    machine = DNGPUConfig(maps=maps, **choices).build(3, 3, key=jax.random.key(0))
    kernels = [fill((3, maps, maps), tag) for tag in (1, 2, 3)]
    machine = eqx.tree_at(
        lambda m: (m.gates, m.candidate, m.embedding.weight, m.output.weight),
        machine,
        (
            jnp.concatenate(kernels[:2], axis=-1),
            kernels[2],
            fill((maps, 3), 4),
            fill((3, maps), 5),
        ),
    )
    return jax.tree.map(lambda x: x.astype(float) if eqx.is_inexact_array(x) else x, machine)


@pytest.fixture(autouse=True)
def _double():
    with jax.enable_x64(True):
        yield


def one_hot(*letters):
    return jnp.eye(3)[jnp.array(letters)]


def test_a_third_of_the_maps_comes_from_each_side():
    expected = [
        [0, 0.783327, 0, 0.016814],
        [-0.442520, -0.977530, 0.973848, -0.457536],
        [0.793668, 0.969890, -0.772764, 0],
    ]
    np.testing.assert_allclose(shift(fill((3, 4), 0, 1)), expected, atol=1e-6)


def test_one_step():
    state = DNGPUState(fill((3, 4), 0, 1), jnp.ones(3, bool), jnp.zeros(()))
    after, features = built(saturation=0.5).advance(state)
    expected = [
        [-0.003866, 0.664307, 0.003525, 0.018802],
        [-0.369573, -0.919809, 0.911897, -0.416381],
        [0.600524, 0.834082, -0.699663, 0.002911],
    ]
    np.testing.assert_allclose(after.maps, expected, atol=1e-6)
    (cost,) = built(saturation=0.5).penalties(features).values()
    np.testing.assert_allclose(cost, 0.5 * 0.021466 / 3, atol=1e-6)


def test_saturation_of_the_first_state_counts_in_each_step():
    machine = eqx.tree_at(lambda m: m.embedding.weight, built(), 3 * fill((4, 3), 4))
    inputs = one_hot(1, 2, 0)
    sums = np.asarray(machine.embedding(inputs))
    first = np.maximum(np.abs(sums) - 0.9, 0).sum()
    state = machine.init_state(inputs)
    np.testing.assert_allclose(state.first_excess, first)
    _, free = machine.advance(state._replace(first_excess=jnp.zeros(())))
    _, paid = machine.advance(state)
    np.testing.assert_allclose(paid.cost - free.cost, first / 3)
    assert first > 0.1


def test_gradients_are_those_of_finite_differences():
    """Away from kinks: weights are small enough for no sum to reach one."""
    parameters, static = split_trainable(built(maps=3, saturation_limit=0.3))
    parameters = jax.tree.map(lambda x: 0.4 * x + 0.01, parameters)
    inputs = one_hot(1, 2, 0, 1)

    def score(parameters):
        outcome = eqx.combine(parameters, static).run(inputs, steps=3)
        return jnp.sum(jnp.sin(outcome.outputs[:3])) + 1e3 * outcome.penalties["saturation"]

    check_grads(jax.jit(score), (parameters,), order=1, modes=["rev"], eps=1e-6)


@pytest.mark.parametrize("keep", [EveryKth(1), EveryKth(2)], ids=["all", "every other"])
def test_a_batch_of_several_lengths_is_each_example_alone(keep):
    """Whatever stands in the padding, however long it is; outputs, penalties and gradients."""
    machine, lengths = built(saturation=1.0), [3, 5, 1]
    inputs = jnp.stack([one_hot(1, 2, 0, 1, 2, 1, 2)] * 3)
    parameters, static = split_trainable(machine)

    def together(parameters):
        outcome = run_examples(
            eqx.combine(parameters, static),
            inputs,
            steps=max(lengths),
            max_steps=7,
            lengths=jnp.array(lengths),
            keep=keep,
        )
        real = jnp.arange(7)[:, None] < jnp.array(lengths)[:, None, None]
        return jnp.where(real, outcome.outputs, 0), outcome.penalties["saturation"]

    def alone(parameters):
        machine, found = eqx.combine(parameters, static), []
        for length, x in zip(lengths, inputs, strict=True):
            outputs, penalties = machine.run(x[:length])
            outputs = jnp.pad(outputs, ((0, 7 - length), (0, 0)))
            found.append((outputs, penalties["saturation"]))
        return tuple(jnp.stack(x) for x in zip(*found, strict=True))

    @jax.jit
    def both(parameters):
        (ours, our_pull), theirs = jax.vjp(together, parameters), jax.vjp(alone, parameters)
        bar = jax.tree.map(lambda x: jnp.cos(jnp.arange(x.size)).reshape(x.shape), ours)
        return (ours, our_pull(bar)), (theirs[0], theirs[1](bar))

    ours, (theirs, slopes) = both(parameters)
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves((theirs, slopes)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
    assert min(theirs[1]) > 0


def test_of_the_last_output_alone_it_is_that_of_each_example_s_last_place():
    machine, lengths = built(), jnp.array([2, 4])
    inputs = jnp.stack([one_hot(1, 2, 0, 1)] * 2)
    how = dict(steps=4, max_steps=4, lengths=lengths)
    outputs = run_batch(machine, inputs, **how)
    last = run_batch(machine, inputs, last=True, **how)
    np.testing.assert_array_equal(last, outputs[jnp.arange(2), lengths - 1])


def test_dropout_is_for_training_alone_and_needs_a_key():
    machine = DNGPUConfig(maps=30, dropout=0.5).build(3, 3, key=jax.random.key(0))
    inputs, key = one_hot(1, 2, 0).astype(jnp.float32), jax.random.key(1)
    plain = machine.run(inputs, key=key).outputs
    np.testing.assert_array_equal(plain, machine.run(inputs).outputs)
    with pytest.raises(ValueError, match="key"):
        machine.run(inputs, training=True)
    state = machine.init_state(inputs, key=key, training=True)
    whole = machine.init_state(inputs)
    dropped = np.asarray(state.maps == 0)
    assert 0.3 < dropped.mean() < 0.7
    np.testing.assert_allclose(state.maps[~dropped], 2 * whole.maps[~dropped], rtol=1e-6)
    # Nothing is carried on of a state of zeros but the candidate.
    none = whole._replace(maps=jnp.zeros_like(whole.maps))
    machine = eqx.tree_at(lambda m: m.candidate_bias, machine, jnp.full(30, 0.1))
    states = [machine.advance(none, clock=Clock(t, key, True))[0].maps for t in (0, 1, 1)]
    assert 0.3 < np.mean(states[0] == 0) < 0.7
    assert not np.array_equal(*states[:2])
    np.testing.assert_array_equal(*states[1:])


def test_noise_on_the_state_is_uniform_for_training_alone_and_needs_a_key():
    """Each number moves by up to the noise either way; places that are padding stay zero."""
    machine = DNGPUConfig(maps=30, dropout=0.0, noise=0.25).build(3, 3, key=jax.random.key(0))
    inputs = one_hot(*[1, 2] * 20, 0, 0).astype(jnp.float32)
    state = machine.init_state(inputs, steps=40)
    plain = machine.advance(state, clock=Clock(0, jax.random.key(1)))[0].maps
    np.testing.assert_array_equal(plain, machine.advance(state)[0].maps)
    with pytest.raises(ValueError, match="key"):
        machine.run(inputs, training=True)
    noisy = [
        machine.advance(state, clock=Clock(t, jax.random.key(1), True))[0].maps
        for t in (0, 1, 1)
    ]
    assert not np.array_equal(*noisy[:2])
    np.testing.assert_array_equal(*noisy[1:])
    np.testing.assert_array_equal(noisy[0][40:], 0)
    moved = np.asarray(noisy[0] - plain)[:40]
    assert 0.24 < moved.max() <= 0.25
    assert -0.25 <= moved.min() < -0.24
    # A uniform number's deviation is its range's by the root of 12; 1,200 numbers.
    np.testing.assert_allclose(moved.std(), 0.5 / 12**0.5, rtol=0.1)
    np.testing.assert_allclose(moved.mean(), 0, atol=0.02)


def test_a_trace_shows_the_state_as_a_picture():
    task = RearrangeSymbols()
    machine = DNGPUConfig(maps=6).build(3, 3, key=jax.random.key(0))
    example = task.sample(jax.random.key(0), 5, max_size=8)
    recording = record(machine, example)
    assert {field.name for field in machine.trace_fields()} == set(recording.fields)
    assert recording.fields["maps"].shape == (5, 5, 6)
    assert recording.initial["maps"].shape == (5, 6)
    np.testing.assert_allclose(
        recording.outputs, machine.output(recording.fields["maps"][-1]), rtol=1e-6
    )
    np.testing.assert_allclose(
        recording.outputs, machine(example.inputs[:5]), rtol=1e-5, atol=1e-6
    )
