"""Tables of choices, run in NumPy, do what the hard machine does in JAX."""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.core.errors import SoftmachineError
from softmachine.machines.nram.hard import run_hard
from softmachine.machines.nram.nram import NRAMConfig, NRAMControllerConfig
from softmachine.wiring.table import WiringTable, read_wiring, run_wiring


@pytest.mark.parametrize("returns", ["zero", "value"])
def test_random_machines_do_the_same(returns):
    config = NRAMConfig(
        registers=3, controller=NRAMControllerConfig(hidden=8), write_returns=returns
    )
    run = eqx.filter_jit(lambda machine, *x: jax.vmap(partial(run_hard, machine))(*x))
    rng = np.random.default_rng(0)
    for seed in range(4):
        machine = config.build(key=jax.random.key(seed))
        memories, steps = rng.integers(0, 7, (40, 7)), rng.integers(0, 6, 40)
        after = run(machine, jnp.asarray(memories), jnp.asarray(steps))
        ran = run_wiring(config, read_wiring(machine), memories, steps)
        np.testing.assert_array_equal(ran.memories, after.memory)
        np.testing.assert_array_equal(ran.steps, after.steps)


def test_memories_of_all_sizes_and_tables_of_all_machines_at_once(access_machine):
    table = read_wiring(access_machine)
    never = WiringTable(table.sources, np.zeros_like(table.stop))
    both = WiringTable(*(np.stack(pair) for pair in zip(table, never, strict=True)))
    memories = np.array([[2, 4, 3, 0, 0], [1, 2, 0, 0, 0]])
    ran = run_wiring(
        access_machine.config,
        both,
        np.repeat(memories, 2, axis=0),
        np.full(4, 9),
        values=np.array([5, 5, 3, 3]),
        table_of=np.array([0, 1, 0, 1]),
    )
    assert ran.steps.tolist() == [2, 9, 2, 9]
    assert ran.memories[[0, 2], 0].tolist() == [3, 2]
    assert ran.patterns.sum(axis=1).tolist() == [2, 2, 2, 2]


def test_only_controllers_without_a_state_have_a_table():
    config = NRAMConfig(controller=NRAMControllerConfig(kind="gru", hidden=4))
    with pytest.raises(SoftmachineError, match="recurrent controller"):
        read_wiring(config.build(key=jax.random.key(0)))
    with pytest.raises(SoftmachineError, match="13 registers"):
        read_wiring(NRAMConfig(registers=13).build(key=jax.random.key(0)))
