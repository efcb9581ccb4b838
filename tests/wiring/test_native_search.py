"""The compiled search against the hard machine in NumPy."""

import jax
import numpy as np
import pytest

from softmachine.machines.nram.gates import GATES, Gate, define
from softmachine.machines.nram.nram import NRAMConfig
from softmachine.tasks.memories.arrays import Increment
from softmachine.tasks.memories.exams import draw_batch, draw_exam
from softmachine.tasks.memories.permutations import Permutation
from softmachine.wiring.native_search import (
    SLACK,
    _empty_record,
    _run,
    anneal,
    machine_arrays,
    random_circuits,
    simplify,
    weigh_examples,
)
from softmachine.wiring.table import WiringTable, live_rows, run_wiring

NEVER = np.zeros(1, bool)
"""Nobody asks for the end."""


@pytest.fixture(scope="module")
def batch():
    """Examples in memories of different sizes."""
    sizes = np.random.default_rng(1).integers(1, 6, 14)
    random = draw_batch(Permutation(), jax.random.key(2), sizes, 5)
    tight = draw_exam(Permutation(), 0, 5).batch
    return random.followed_by(tight.take(np.arange(0, len(tight.steps), 13)))


def run_all(machine, circuits, examples, ran=None):
    """Return the share of wrong cells, with no limit."""
    nothing = _empty_record(machine, circuits, examples)
    return _run(machine, circuits, examples, np.inf, nothing, ran or nothing)


@pytest.fixture(scope="module")
def examples(batch):
    return weigh_examples(*batch)


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
    machine = machine_arrays(config, batch.cells)
    circuits = random_circuits(machine, 3, rng)
    circuits.stop[:] = rng.random(3) < 0.3
    ran = _empty_record(machine, circuits, examples)
    wrong = run_all(machine, circuits, examples, ran)
    table = WiringTable(
        circuits.sources[circuits.of_pattern], circuits.stop[circuits.of_pattern]
    )
    expected = run_wiring(config, table, batch.memories, batch.steps, values=batch.cells)
    wrong_cells = ((expected.memories != batch.targets) & batch.scored).sum(axis=1)
    np.testing.assert_allclose(ran.mistakes, np.cumsum(wrong_cells * examples.weights))
    assert wrong == ran.mistakes[-1]
    np.testing.assert_array_equal(ran.met, expected.patterns.any(axis=0))
    for circuit in np.flatnonzero(ran.used):
        rows = live_rows(config, circuits.sources[circuit])
        np.testing.assert_array_equal(np.flatnonzero(ran.matter[circuit]), rows)


def test_idle_registers_stay_zero(batch, examples):
    config = NRAMConfig(registers=4)
    machine = machine_arrays(config, batch.cells, active=2)
    start = random_circuits(machine, 2, np.random.default_rng(0))
    found, _, tried = anneal(machine, start, examples, 500, 0.01, 0.001, 1.0, 0, NEVER)
    assert tried == 500
    for sources in (start.sources, found.sources):
        np.testing.assert_array_equal(sources[:, -2:], [[2, 3]] * 2)


@pytest.mark.parametrize("hot", [1e-9, 0.02, 1.0])
def test_annealing_returns_the_best_that_it_saw(batch, examples, hot):
    """The mistakes are those of the circuits it returns, and fewer than at the start."""
    config = NRAMConfig(registers=3)
    machine = machine_arrays(config, batch.cells)
    start = random_circuits(machine, 2, np.random.default_rng(4))
    first = run_all(machine, start, examples)
    found, error, tried = anneal(machine, start, examples, 2_000, hot, hot / 10, 1.0, 1, NEVER)
    assert tried == 2_000
    assert error == run_all(machine, found, examples) < first


def test_annealing_escapes_what_a_greedy_search_keeps():
    """Permutation: copying the array is right where an index is its own; a trap if cold."""
    sizes = np.random.default_rng(0).integers(2, 7, 64)
    batch = draw_batch(Permutation(), jax.random.key(0), sizes, 6)
    examples = weigh_examples(*batch)
    config = NRAMConfig(registers=2, gates=NRAMConfig().gates * 2)
    machine = machine_arrays(config, batch.cells)
    start = random_circuits(machine, 3, np.random.default_rng(4))
    greedy, annealed = (
        anneal(machine, start, examples, 60_000, hot, hot / 10, 1.0, 4, NEVER)[1]
        for hot in (1e-9, 0.015)
    )
    assert greedy > 0.3
    assert annealed == 0


def test_tables_are_given_up_only_if_they_are_behind(batch, examples):
    """A limit changes nothing for tables that keep to it; others cost infinitely much."""
    machine = machine_arrays(NRAMConfig(registers=3), batch.cells)
    slack = SLACK / len(batch.steps)
    start = random_circuits(machine, 2, np.random.default_rng(0))
    good, _, _ = anneal(machine, start, examples, 3_000, 1e-3, 1e-4, 1.0, 0, NEVER)
    before = _empty_record(machine, good, examples)
    error = run_all(machine, good, examples, before)
    results = set()
    for seed in range(20):
        other = random_circuits(machine, 2, np.random.default_rng(seed))
        ran = _empty_record(machine, other, examples)
        full = run_all(machine, other, examples, ran)
        for more in (0.0, 0.2, 0.9):
            keeps_up = np.all(ran.mistakes <= before.mistakes + more + slack)
            kept = bool(full <= error + more and keeps_up)
            limited = _run(machine, other, examples, error + more, before, ran)
            assert limited == (full if kept else np.inf)
            run_all(machine, other, examples, ran)
            results.add(kept)
    assert results == {True, False}


def test_programs_become_smaller_and_stay_right():
    """One that increments an array, found by chance; what it needs at least is known."""
    sizes = np.random.default_rng(0).integers(1, 7, 48)
    batch = draw_batch(Increment(), jax.random.key(0), sizes, 6)
    examples = weigh_examples(*batch)
    config = NRAMConfig(registers=3)
    machine = machine_arrays(config, batch.cells)
    for seed in range(20):
        start = random_circuits(machine, 4, np.random.default_rng(seed))
        found, error, _ = anneal(
            machine, start, examples, 30_000, 0.01, 0.001, 1.0, seed, NEVER
        )
        if not error:
            break
    assert error == 0
    smaller, met = simplify(machine, found, examples, 20_000, 1.0, 0)
    ran, before = (_empty_record(machine, found, examples) for _ in range(2))
    assert run_all(machine, smaller, examples, ran) == 0
    run_all(machine, found, examples, before)
    np.testing.assert_array_equal(met, ran.met)
    # READ, INC for the value, INC for the address (or one for both), WRITE.
    gates = [ran.many[circuit] for circuit in np.flatnonzero(ran.used)]
    assert 3 <= sum(gates) <= sum(before.many[before.used])
    assert len(gates) <= 2


def test_annealing_ends_when_it_is_asked_to(examples, batch):
    machine = machine_arrays(NRAMConfig(registers=3), batch.cells)
    start = random_circuits(machine, 2, np.random.default_rng(0))
    asked = np.ones(1, bool)
    kept, error, tried = anneal(machine, start, examples, 10**9, 0.01, 0.001, 1.0, 0, asked)
    assert tried == 1
    assert error == pytest.approx(run_all(machine, start, examples))
    np.testing.assert_array_equal(kept.sources, start.sources)
