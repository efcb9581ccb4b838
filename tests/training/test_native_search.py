"""The compiled search against the hard machine in NumPy."""

import jax
import numpy as np
import pytest

from softmachine.machines.gates import GATES, Gate, define
from softmachine.machines.nram import NRAMConfig
from softmachine.machines.nram_wiring import WiringTable, live_rows, run_wiring
from softmachine.tasks.memory_arrays import Increment, Permutation
from softmachine.training.native_search import (
    Examples,
    _nothing_ran,
    _run,
    drift,
    random_circuits,
    simplify,
    workings,
)
from softmachine.training.wire_search import draw_batch


@pytest.fixture(scope="module")
def batch():
    sizes = np.random.default_rng(1).integers(1, 6, 24)
    return draw_batch(Permutation(), jax.random.key(2), sizes, 5)


def examples_of(batch):
    return Examples(
        batch.memories.astype(np.int32),
        batch.targets.astype(np.int32),
        batch.scored,
        batch.steps.astype(np.int32),
        np.ones(len(batch.steps)),
    )


@pytest.fixture(scope="module")
def examples(batch):
    return examples_of(batch)


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


def test_programs_become_smaller_and_stay_right():
    """One that increments an array, found by chance; what it needs at least is known."""
    sizes = np.random.default_rng(0).integers(1, 7, 48)
    batch = draw_batch(Increment(), jax.random.key(0), sizes, 6)
    examples = examples_of(batch)
    config = NRAMConfig(registers=3)
    works = workings(config, batch.memories.shape[1])
    for seed in range(20):
        start = random_circuits(works, 4, np.random.default_rng(seed))
        found, error, _, _ = drift(works, start, examples, 30_000, 30_000, 1.0, seed)
        if not error:
            break
    assert error == 0
    smaller, met = simplify(works, found, examples, 20_000, 1.0, 0)
    ran, before = _nothing_ran(works, found), _nothing_ran(works, found)
    assert _run(works, smaller, examples, np.inf, ran) == 0
    _run(works, found, examples, np.inf, before)
    np.testing.assert_array_equal(met, ran.met)
    # READ, INC for the value, INC for the address (or one for both), WRITE.
    gates = [ran.many[circuit] for circuit in np.flatnonzero(ran.used)]
    assert 3 <= sum(gates) <= sum(before.many[before.used])
    assert len(gates) <= 2
