"""What is kept for the way back: how much memory it takes, as XLA plans it."""

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest

from softmachine.machines.machine import split_trainable
from softmachine.machines.ntm.ntm import NTMConfig
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.running.keeping import ALL_STATES, AllStates, EveryKth, SquareRoot
from softmachine.running.loop import run_batch

GIB = 2**30


def test_strides():
    assert [SquareRoot().stride(n) for n in (0, 1, 2, 4, 5, 9, 10, 1000)] == [
        *(1, 1, 2, 2, 3, 3, 4, 32)
    ]
    assert (AllStates().stride(9), EveryKth(4).stride(9)) == (1, 4)
    assert [keep.states(10) for keep in (ALL_STATES, EveryKth(3), EveryKth(99))] == [10, 7, 11]
    with pytest.raises(ValueError, match=r"EveryKth\.k must be at least 1"):
        EveryKth(0)


def planned_bytes(steps, batch, keep):
    """Return the memory that a gradient takes, for an NTM with 1 MiB of memory; not run."""
    config = NTMConfig(
        controller=ControllerConfig(hidden=8), memory_rows=4096, memory_columns=64
    )
    machine = eqx.filter_jit(config.build)(8, 8, key=jax.random.key(0))
    parameters, static = split_trainable(machine)

    def loss(parameters, inputs):
        machine = eqx.combine(parameters, static)
        return jnp.sum(run_batch(machine, inputs, steps=steps, max_steps=steps, keep=keep))

    inputs = jax.ShapeDtypeStruct((batch, steps, 8), jnp.float32)
    compiled = jax.jit(jax.grad(loss)).lower(parameters, inputs).compile()
    return compiled.memory_analysis().temp_size_in_bytes


def test_a_long_run_of_a_large_memory_fits():
    """1,000 steps of 1 MiB for each of 16 examples: 16 GiB of states."""
    assert planned_bytes(1000, 16, SquareRoot()) < 2 * GIB
    assert planned_bytes(1000, 16, ALL_STATES) > 15.6 * GIB
