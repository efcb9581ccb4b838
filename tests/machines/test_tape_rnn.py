"""The Tape-RNN: golden values of the public code, gradients, jumps, and tapes that grow."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.machines.machine import split_trainable
from softmachine.machines.parts.linear import Linear, LoopLinear
from softmachine.machines.tape_rnn import (
    TapeRNN,
    TapeRNNConfig,
    TapeRNNTestOptions,
    input_length,
    move,
)
from softmachine.running.loop import run_batch
from softmachine.tasks.languages.reverse_string import ReverseString
from softmachine.traces import trace


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def fill(shape, seed, scale=1.0):
    count = int(np.prod(shape))
    return jnp.asarray(scale * np.sin(seed + np.arange(count, dtype=float)).reshape(shape))


def close(ours, golden, tolerance=1.01e-6):
    np.testing.assert_allclose(ours, golden, rtol=0, atol=tolerance)


def test_a_tape_moves_by_a_sum_of_rolls():
    tape = fill((5, 2), 2).at[0].set(jnp.array([1.0, -1.0]))
    weights = jnp.array([0.1, 0.2, 0.3, 0.15, 0.25])
    golden = [
        [-0.009140, -0.390204],
        [0.180835, -0.452675],
        [0.111286, -0.539553],
        [-0.132894, -0.351421],
        [0.259031, -0.155955],
    ]
    close(move(tape.T, weights, jnp.asarray(2)).T, golden)


def with_given_weights():
    """The public code's weights are (inputs, outputs), and its two biases are one here."""
    scaled, hidden = fill((5, 4), 1, 0.7), fill((4, 4), 3, 0.7)
    bias = fill((4,), 2, 0.3) + fill((4,), 4, 0.3)

    def layer(kind, shape, seed):
        return kind(fill(shape, seed).T, fill(shape[1:], seed + 1))

    return TapeRNN(
        from_input=Linear(scaled[:3].T, bias),
        recurrent=LoopLinear(jnp.concatenate([scaled[3:], hidden]).T, None),
        actions=layer(LoopLinear, (4, 5), 7),
        write=(
            layer(LoopLinear, (4, 3), 11),
            layer(LoopLinear, (3, 3), 13),
            layer(LoopLinear, (3, 2), 15),
        ),
        output=layer(Linear, (4, 2), 5),
        config=TapeRNNConfig(hidden=4, memory_rows=6, memory_columns=2, write_hidden=3),
    )


INPUTS = np.eye(3)[[0, 1, 1, 2, 2, 2]]


def test_the_whole_machine_is_the_public_code_s():
    machine, inputs = with_given_weights(), jnp.asarray(INPUTS)
    logits = machine(inputs)[3:]
    golden = [[-1.210815, 0.385591], [-1.285483, 0.363834], [-1.312252, 0.356034]]
    close(logits, golden)
    state = machine.init_state(inputs)
    assert int(state.jump) == 3
    for x in inputs:
        state, _ = machine.step(state, x)
    golden = [
        [-0.815476, -1.342923],
        [-0.359734, -0.714034],
        [-0.280892, -0.625383],
        [-0.367630, -0.778547],
        [-0.572019, -1.080364],
        [-0.950937, -1.569637],
    ]
    close(state.tape[0].T, golden)
    close(jnp.sum(state.position), 1, 1e-12)


def test_the_input_is_over_where_the_last_channel_is_first_on():
    assert int(input_length(jnp.asarray(INPUTS))) == 3
    padded = jnp.asarray(np.r_[INPUTS, np.zeros((4, 3))])
    assert int(input_length(padded)) == 3
    assert int(input_length(jnp.asarray(INPUTS[:3]))) == 3


def test_where_nothing_says_that_the_input_is_over_padding_does_not_count():
    string = INPUTS[:3]
    padded = jnp.asarray(np.r_[string, np.zeros((4, 3))])
    assert int(input_length(padded)) == 3
    assert int(input_length(padded[:0])) == 0
    machine = with_given_weights()
    close(machine(padded, steps=3)[:3], machine(jnp.asarray(string)), 1e-12)


def small(**choices):
    sizes = {"hidden": 4, "memory_rows": 6, "memory_columns": 2, "write_hidden": 3}
    config = TapeRNNConfig(**(sizes | choices))
    return eqx.filter_jit(config.build)(3, 2, key=jax.random.key(0))


@pytest.mark.parametrize("tapes", [1, 2])
def test_gradients_are_finite_differences(tapes):
    """Of all parameters, along a random direction, in the driver, with jumps of two lengths."""
    machine = small(tapes=tapes)
    parameters, static = split_trainable(machine)
    rng = np.random.default_rng(1)
    parameters, direction = (
        jax.tree.map(lambda x: jnp.asarray(rng.normal(size=x.shape)), parameters)
        for _ in range(2)
    )
    inputs = jnp.asarray(np.stack([INPUTS, np.eye(3)[[0, 1, 2, 2, 2, 2]]]))
    probe = jnp.asarray(rng.normal(size=(2, 6, 2)))

    @jax.jit
    def score(parameters):
        outputs = run_batch(eqx.combine(parameters, static), inputs, steps=6, max_steps=6)
        return jnp.sum(probe * outputs)

    def moved(by):
        return score(jax.tree.map(lambda x, d: x + by * d, parameters, direction))

    gradient = jax.jit(jax.grad(score))(parameters)
    slope = sum(jax.tree.leaves(jax.tree.map(lambda g, d: jnp.sum(g * d), gradient, direction)))
    np.testing.assert_allclose(slope, (moved(1e-6) - moved(-1e-6)) / 2e-6, rtol=1e-5)
    assert all(jnp.isfinite(x).all() for x in jax.tree.leaves(gradient))


@eqx.filter_jit
def said_and_next(machine, state, x):
    return machine.observe_step(state, machine.encode(x)), machine.step(state, x)[0]


def test_hard_tapes_are_an_array_and_a_place():
    """A tape that lies still, and a head that moves over it, in NumPy; all five actions."""
    parameters, static = split_trainable(
        small().with_test_options(TapeRNNTestOptions(hard=True))
    )
    taken = set()
    for seed in (1, 6):
        rng = np.random.default_rng(seed)
        drawn = jax.tree.map(
            lambda x, rng=rng: jnp.asarray(rng.normal(size=x.shape)), parameters
        )
        machine = eqx.combine(drawn, static)
        inputs = jnp.asarray(rng.normal(size=(40, 3))).at[:, 2].set(np.arange(40.0) - 1)
        state, tape, place = machine.init_state(inputs), np.zeros((6, 2)), 0
        for x in inputs:
            said, state = said_and_next(machine, state, x)
            action = int(np.argmax(said["actions"][0]))
            taken.add(action)
            tape[place] = said["written"][0]
            place = (place + (0, 1, -1, 2, -2)[action]) % 6
            close(state.position[0], np.eye(6)[place], 1e-12)
            close(state.tape[0].T, np.roll(tape, -place, axis=0), 1e-12)
            close(machine.observe_state(state)["tape"], tape, 1e-12)
    assert taken == {0, 1, 2, 3, 4}


def test_a_tape_can_be_enlarged():
    machine = small()
    larger = machine.with_memory_rows(11)
    assert (machine.memory_rows, larger.memory_rows) == (6, 11)
    assert larger.init_state().tape.shape == (1, 2, 11)


@pytest.mark.parametrize("tapes", [1, 2])
def test_what_a_trace_shows_is_declared(tapes):
    machine = small(tapes=tapes)
    x = machine.encode(jnp.ones(3))
    state, _ = machine.advance(machine.init_state(), x)
    shown = machine.observe_state(state) | machine.observe_step(state, x)
    fields = {field.name: field for field in machine.trace_fields()}
    assert shown.keys() == fields.keys()
    for name, array in shown.items():
        assert array.ndim == len(fields[name].axes), name


def test_a_trace_has_where_the_head_is_and_how_far_jumps_go():
    """A number of the state before the first step is a number in a trace, too."""
    with jax.enable_x64(False):
        task = ReverseString()
        machine = eqx.filter_jit(small().config.build)(
            task.input_size, task.output_size, key=jax.random.key(0)
        )
        made = trace(machine, task, size=3)
    assert made.initial["jump"].shape == ()
    assert made.fields["jump"].tolist() == [3] * 6
    assert made.initial["position"].tolist() == [np.eye(6)[0].tolist()]


def test_sizes_are_checked():
    with pytest.raises(ValueError, match="tapes must be at least 1"):
        dataclasses.replace(TapeRNNConfig(), tapes=0)
