"""Recordings are exact."""

import jax
import numpy as np

from softmachine.machines.controllers import ControllerConfig
from softmachine.machines.ntm import NTM_PRESETS, NTMConfig
from softmachine.tasks.copy import Copy
from softmachine.traces.record import record

TASK = Copy(width=3)


def test_recording_ends_with_the_outputs_of_the_machine():
    config = NTMConfig(controller=ControllerConfig(hidden=6), memory_rows=7, memory_columns=4)
    machine = config.build(TASK.input_size, TASK.output_size, key=jax.random.key(0))
    example = TASK.sample(jax.random.key(1), 3, max_size=4)
    recording = record(machine, example)
    np.testing.assert_array_equal(recording.outputs, machine(example.inputs)[:7])
    assert recording.states.memory.shape == (7, 4, 7)
    state = machine.init_state(example.inputs)
    for t, x in enumerate(example.inputs[:7]):
        state, output = machine.step(state, x)
        np.testing.assert_allclose(recording.outputs[t], output, atol=1e-6)
        np.testing.assert_allclose(recording.states.weightings[t], state.weightings, atol=1e-6)


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
