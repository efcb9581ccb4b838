"""Recordings are exact."""

from collections import OrderedDict
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.core import compiling
from softmachine.core.errors import TraceError
from softmachine.core.fields import Field, default_field
from softmachine.machines.machine import STOPPED, Cell, Clock
from softmachine.machines.nram.nram import NRAMConfig, NRAMControllerConfig
from softmachine.machines.ntm.ntm import NTMConfig
from softmachine.machines.ntm.presets import NTM_PRESETS
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.machines.transformer import TransformerConfig
from softmachine.tasks.memories.arrays import Access
from softmachine.tasks.sequences.copy import Copy
from softmachine.traces.recording import record

TASK = Copy(width=3)
CONFIG = NTMConfig(controller=ControllerConfig(hidden=6), memory_rows=7, memory_columns=4)


@pytest.fixture(scope="module")
def machine():
    return CONFIG.build(TASK.input_size, TASK.output_size, key=jax.random.key(0))


@pytest.fixture(scope="module")
def example():
    return TASK.sample(jax.random.key(1), 3, max_size=4)


def test_recording_ends_with_the_outputs_of_the_machine(machine, example):
    recording = record(machine, example)
    outputs = machine(example.inputs)[:7]
    # Another program for the same numbers may round the last bit of them differently.
    np.testing.assert_allclose(recording.outputs, outputs, rtol=1e-6, atol=1e-8)
    np.testing.assert_array_equal(recording.outputs > 0, outputs > 0)
    assert recording.steps == [1, 2, 3, 4, 5, 6, 7]
    assert recording.fields["memory"].shape == (7, 7, 4)
    state = machine.init_state(example.inputs)
    np.testing.assert_array_equal(recording.initial["memory"], state.memory.T)
    for t, x in enumerate(example.inputs[:7]):
        _, hidden = machine.controller(
            state.controller, machine.encode(x), state.reads.reshape(-1)
        )
        parameters = machine.head_parameters(hidden)
        state, output = machine.step(state, x)
        np.testing.assert_allclose(recording.outputs[t], output, atol=1e-6)
        seen = {name: array[t] for name, array in recording.fields.items()}
        np.testing.assert_allclose(seen["weightings"], state.weightings, atol=1e-6)
        np.testing.assert_allclose(seen["memory"], state.memory.T, atol=1e-6)
        np.testing.assert_allclose(seen["reads"], state.reads, atol=1e-6)
        np.testing.assert_allclose(seen["erases"], parameters.erases, atol=1e-6)
        np.testing.assert_allclose(seen["gates"], parameters.gates, atol=1e-6)


def test_the_wires_of_a_recurrent_controller_are_those_of_its_state():
    """It sees the same zeros in all steps: only its state tells them apart."""
    controller = NRAMControllerConfig(kind="lstm", hidden=4)
    config = NRAMConfig(registers=2, gates=("READ", "INC", "WRITE"), controller=controller)
    machine = config.build(key=jax.random.key(0))
    machine = eqx.tree_at(lambda m: m.output.weight, machine, replace_fn=lambda x: 9 * x)
    example = Access().sample(jax.random.key(1), 3, max_size=3)
    recording = record(machine, example, steps=4)
    state, seen = machine.init_state(example.inputs), []
    for t in range(4):
        _, wiring = machine.control(state)
        shown = [row for row in wiring.choices.values() if row.size]
        state, _ = machine.step(state, example.inputs)
        fields = {name: array[t] for name, array in recording.fields.items()}
        np.testing.assert_allclose(fields["memory"], state.memory, atol=1e-6)
        for row, wanted in zip(fields["choices"], shown, strict=True):
            np.testing.assert_allclose(row[: len(wanted)], wanted, atol=1e-6)
        seen.append(fields["choices"])
    assert np.abs(np.diff(seen, axis=0)).max(axis=(1, 2)).min() > 1e-3


@pytest.mark.parametrize("length", [5, 16, 17])
def test_room_for_more_steps_changes_no_number(machine, length, monkeypatch):
    """Lengths are rounded up, so that one program records them all."""
    inputs = jax.random.normal(jax.random.key(2), (length, TASK.input_size))
    padded = record(machine, inputs, every=2)
    monkeypatch.setattr("softmachine.traces.recording.bucket", lambda length: length)
    exact = record(machine, inputs, every=2)
    assert padded.steps == exact.steps
    assert jax.tree.map(np.shape, padded[:2]) == jax.tree.map(np.shape, exact[:2])
    for one, other in zip(jax.tree.leaves(padded), jax.tree.leaves(exact), strict=True):
        if length == 16:
            np.testing.assert_array_equal(one, other)
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_all_lengths_of_a_bucket_are_one_program(machine, monkeypatch):
    traced = []
    monkeypatch.setattr(compiling, "_programs", OrderedDict())
    program = compiling._Program.__init__
    monkeypatch.setattr(
        compiling._Program,
        "__init__",
        lambda self, function, *rest: (
            traced.append(function.__name__),
            program(self, function, *rest),
        )[1],
    )
    for length in (1, 7, 16, 17, 30):
        record(machine, np.zeros((length, TASK.input_size)))
    assert traced == ["_record"] * 2


def test_inputs_alone_are_recorded(machine, access_machine):
    example = TASK.sample(jax.random.key(1), 3, max_size=3)
    whole, alone = (
        record(machine, example),
        record(machine, np.asarray(example.inputs).tolist()),
    )
    np.testing.assert_array_equal(alone.outputs, whole.outputs)
    assert record(machine, example.inputs, steps=2).steps == [1, 2]
    memory = Access().sample(jax.random.key(0), 3, max_size=3)
    alone = record(access_machine, memory.inputs, steps=3)
    np.testing.assert_array_equal(
        alone.outputs.memory, record(access_machine, memory)[3].memory
    )


def test_inputs_that_are_not_those_of_one_example_are_refused(machine, access_machine):
    with pytest.raises(
        TraceError, match=r"shape \(steps, inputs\), not \(2, 7, 4\); of a batch"
    ):
        record(machine, np.zeros((2, 7, 4)))
    transformer = TransformerConfig(layers=1, width=4, heads=1).build(
        4, 4, key=jax.random.key(0)
    )
    for one in (machine, transformer):
        with pytest.raises(TraceError, match=r"inputs of shape \(steps, 4\), .* got \(7, 5\)$"):
            record(one, np.zeros((7, 5)))
    with pytest.raises(TraceError, match=r"shape \(cells,\), not \(1, 4\)"):
        record(access_machine, [[1, 2, 3, 0]], steps=3)
    with pytest.raises(TraceError, match=r"say record\(machine, memory, steps="):
        record(access_machine, [1, 2, 3, 0])
    with pytest.raises(TraceError, match="has 7 steps, not 8"):
        record(machine, np.zeros((7, 4)), steps=8)
    with pytest.raises(TraceError, match="neither an example nor an array"):
        record(machine, [[1, 2], [3]])


def test_a_machine_that_is_not_recorded_computes_nothing_for_it(machine, example, monkeypatch):
    def observe(*_):
        raise AssertionError("nobody is watching")

    for name in ("observe_state", "observe_step"):
        monkeypatch.setattr(type(machine), name, observe)
    machine(example.inputs)
    machine.step(machine.init_state(example.inputs), example.inputs[0])


class Noisy(Cell):
    """Takes noise that is drawn anew in every step, times the step's number."""

    def init_state(self, inputs, *, key=None):
        del inputs, key
        return jnp.zeros(())

    def noise(self, clock):
        return clock.step * jax.random.normal(clock.key)

    def advance(self, state, encoded, clock=STOPPED):
        state = state + encoded[0] + self.noise(clock)
        return state, state[None]

    def observe_step(self, state, encoded, clock=STOPPED):
        return {"noise": self.noise(clock), "before": state + encoded[0]}

    def observe_state(self, state):
        return {"total": state}


@pytest.mark.parametrize("every", [1, 2])
def test_a_step_is_observed_with_the_clock_with_which_it_is_taken(every):
    """What is shown is what was added, step for step, when only some steps are kept, too."""
    key, inputs = jax.random.key(3), np.ones((6, 1), np.float32)
    recording = record(Noisy(), inputs, key=key, every=every)
    drawn = [t * jax.random.normal(Clock(t, key).key) for t in range(6)]
    times = np.array(recording.steps) - 1
    np.testing.assert_allclose(recording.fields["noise"], np.array(drawn)[times], rtol=1e-6)
    after = recording.fields["before"] + recording.fields["noise"]
    np.testing.assert_allclose(recording.fields["total"], after, rtol=1e-5)


@pytest.mark.parametrize(
    ("every", "steps"), [(2, [2, 4, 6, 7]), (3, [3, 6, 7]), (7, [7]), (99, [7])]
)
def test_every_kth_step_is_kept_and_the_last(machine, example, every, steps):
    whole = record(machine, example)
    thin = record(machine, example, every=every, fields=["memory", "gates"])
    assert thin.steps == steps
    assert set(thin.fields) == {"memory", "gates"}
    assert set(thin.initial) == {"memory"}
    for name, array in thin.fields.items():
        kept = whole.fields[name][np.array(steps) - 1]
        np.testing.assert_allclose(array, kept, atol=1e-6)
    np.testing.assert_allclose(thin.outputs, whole.outputs, atol=1e-6)


def test_what_cannot_be_recorded_is_refused(machine, example, monkeypatch):
    with pytest.raises(TraceError, match="no field 'registers'; there are keys"):
        record(machine, example, fields=["registers"])
    with pytest.raises(TraceError, match="not every 0-th"):
        record(machine, example, every=0)
    monkeypatch.setattr("softmachine.traces.recording.MOST_BYTES", 100)
    with pytest.raises(TraceError, match="keep fewer"):
        record(machine, example)


def test_a_machine_drawn_at_random_is_recorded_with_its_key():
    machine = NTM_PRESETS["seed"].build(
        TASK.input_size, TASK.output_size, key=jax.random.key(0)
    )
    example = TASK.sample(jax.random.key(1), 3, max_size=3)
    one, same, other = (
        record(machine, example, key=jax.random.key(seed)).outputs for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)


def test_an_nram_is_recorded_gate_by_gate(access_machine):
    example = Access().sample(jax.random.key(0), 3, max_size=3)
    recording = record(access_machine, example)
    outputs = access_machine(example.inputs, steps=3)
    np.testing.assert_array_equal(recording.outputs.memory, outputs.memory)
    np.testing.assert_array_equal(recording.fields["memory"], outputs.memory)
    np.testing.assert_allclose(
        recording.fields["willing"], jax.nn.sigmoid(outputs.stop), atol=1e-6
    )
    cells = example.inputs.tolist()
    pointer, value = cells[0], cells[cells[0]]
    gates = recording.fields["gates"].argmax(axis=-1)
    # READ, ONE, INC of r1, WRITE in the first two steps.
    assert gates[:2].tolist() == [[pointer, 1, 1, 0], [value, 1, 1, 0]]
    assert recording.fields["choices"].shape == (3, 6, 6)
    np.testing.assert_allclose(recording.fields["choices"].sum(axis=-1), 1, atol=1e-6)


class CounterState(NamedTuple):
    count: jax.Array
    key: jax.Array
    seen: jax.Array


class Counter(Cell):
    """Counts ones; keeps a key, as a machine that draws in every step does."""

    def init_state(self, inputs=None, *, key=None):
        del inputs, key
        return CounterState(jnp.zeros((), jnp.int32), jax.random.key(0), jnp.zeros(2))

    def advance(self, state, encoded, clock):
        del clock
        count = state.count + (encoded[0] > 0)
        return CounterState(count, state.key, encoded[:2]), count[None] * jnp.ones(3)


def test_arrays_of_an_unknown_machine_s_state_are_recorded(example):
    recording = record(Counter(), example)
    assert set(recording.fields) == {"count", "seen"}
    ones = np.cumsum(np.asarray(example.inputs)[:7, 0] > 0)
    assert recording.fields["count"].tolist() == ones.tolist()
    assert default_field("count", recording.fields["count"][0]).kind == "integer"
    assert default_field("seen", recording.fields["seen"][0]) == Field(
        "seen", "vector", ("seen axis 1",), "state"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("x", "matrix", ("row",)), "needs 2 axes"),
        (("x", "pointer", ("row",)), "over an axis"),
    ],
)
def test_a_declaration_that_cannot_be_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Field(*arguments)
