"""The compiled search against the hard machine in NumPy."""

import jax
import numpy as np
import pytest

from softmachine.machines.gates import GATES, Gate, define
from softmachine.machines.nram import NRAMConfig
from softmachine.machines.nram_wiring import WiringTable, live_rows, run_wiring
from softmachine.tasks.memory_arrays import Permutation
from softmachine.training.native_search import (
    Examples,
    _nothing_ran,
    _run,
    drift,
    random_circuits,
    workings,
)
from softmachine.training.wire_search import draw_batch


@pytest.fixture(scope="module")
def batch():
    sizes = np.random.default_rng(1).integers(1, 6, 24)
    return draw_batch(Permutation(), jax.random.key(2), sizes, 5)


@pytest.fixture(scope="module")
def examples(batch):
    return Examples(
        batch.memories.astype(np.int32),
        batch.targets.astype(np.int32),
        batch.scored,
        batch.steps.astype(np.int32),
        np.ones(len(batch.steps)),
    )


@pytest.fixture
def own_gate():
    yield define(Gate("TWICE", "2x", 1, lambda a, m: 2 * a % m))
    del GATES["TWICE"]


@pytest.mark.parametrize("returns", ["zero", "value"])
@pytest.mark.parametrize("seed", range(6))
def test_circuits_do_what_the_hard_machine_does(own_gate, batch, examples, returns, seed):
    gates = (*NRAMConfig().gates, own_gate.name, *NRAMConfig().gates)
    config = NRAMConfig(registers=3, gates=gates, write_returns=returns)
    rng = np.random.default_rng(seed)
    works = workings(config, batch.memories.shape[1])
    circuits = random_circuits(works, 3, rng)
    circuits.stop[:] = rng.random(3) < 0.3
    ran = _nothing_ran(works, circuits)
    wrong = _run(works, circuits, examples, np.inf, ran)
    table = WiringTable(
        circuits.sources[circuits.of_pattern], circuits.stop[circuits.of_pattern]
    )
    expected = run_wiring(config, table, batch.memories, batch.steps)
    assert wrong == ((expected.memories != batch.targets) & batch.scored).sum()
    np.testing.assert_array_equal(ran.met, expected.patterns.any(axis=0))
    for circuit in np.flatnonzero(ran.used):
        rows = live_rows(config, circuits.sources[circuit])
        np.testing.assert_array_equal(np.flatnonzero(ran.matter[circuit]), rows)


def test_idle_registers_stay_zero(batch, examples):
    config = NRAMConfig(registers=4)
    works = workings(config, batch.memories.shape[1], active=2)
    start = random_circuits(works, 2, np.random.default_rng(0))
    found, _, tried, _ = drift(works, start, examples, 500, 500, 1.0, 0)
    assert tried == 500
    for sources in (start.sources, found.sources):
        np.testing.assert_array_equal(sources[:, -2:], [[2, 3]] * 2)


def test_drift_keeps_what_makes_no_more_mistakes(batch, examples):
    """Patience ends it; the number of mistakes is that of the circuits it returns."""
    config = NRAMConfig(registers=3)
    works = workings(config, batch.memories.shape[1])
    start = random_circuits(works, 2, np.random.default_rng(4))
    first = _run(works, start, examples, np.inf, _nothing_ran(works, start))
    found, error, tried, _ = drift(works, start, examples, 10_000, 300, 1.0, 1)
    assert 300 < tried < 10_000
    assert error <= first
    assert error == _run(works, found, examples, np.inf, _nothing_ran(works, found))
