"""Machines that choose their gates become programs, are searched and mended as NRAMs are."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.machines.nram.controller import NRAMControllerConfig
from softmachine.machines.nram.soft_gates import SoftGateNRAMConfig
from softmachine.programs.build import build_program
from softmachine.programs.extraction import extract
from softmachine.programs.languages.python import python_code
from softmachine.programs.observed import fold, observe
from softmachine.programs.repair import Change, apply_changes, program_table, repair
from softmachine.programs.verification import load_python, verify
from softmachine.tasks.memories.arrays import Access
from softmachine.tasks.memories.exams import draw_batch
from softmachine.traces.making import trace
from softmachine.wiring.native_search import (
    _empty_record,
    _run,
    machine_arrays,
    random_circuits,
    weigh_examples,
)
from softmachine.wiring.search import search_wires, write_wires
from softmachine.wiring.table import WiringTable, live_rows, read_wiring, run_wiring

ALL_ZERO = 3
"""The pattern of the first step."""


@pytest.fixture(scope="module")
def batch():
    sizes = np.arange(60) % 5 + 1
    return draw_batch(Access(), jax.random.key(0), sizes, 5)


def wrong(machine, table, batch):
    ran = run_wiring(machine.config, table, batch.memories, batch.steps)
    return np.mean(ran.memories[:, 0] != batch.targets[:, 0])


def test_the_program_is_extracted_and_verified(chosen_gates_machine):
    program = extract(chosen_gates_machine, Access())
    assert verify(chosen_gates_machine, Access(), program, inputs=20, sizes=(20,)).passed
    (state,) = program.states
    assert [use.name for use in state.wires.gates] == ["READ", "READ 2", "MAX", "WRITE"]
    run = load_python(python_code(program, "A program.", []))
    assert run([3, 5, 1, 4, 0, 2]) == [4, 5, 1, 4, 0, 2]


def test_each_choice_that_matters_is_mended_when_broken(chosen_gates_machine, batch):
    """Gates among them, whatever gate stands in their place."""
    machine = chosen_gates_machine
    table, rows = read_wiring(machine), machine.rows
    broken = []
    for row in live_rows(machine.config, table.sources[ALL_ZERO]):
        for source in range(int(rows.allowed[row].sum())):
            bad = apply_changes(table, [Change(ALL_ZERO, row, source)])
            if wrong(machine, bad, batch) == 0:
                continue
            broken.append(rows.rows[row].of_kind)
            found = repair(machine, bad, batch)
            assert found.after == 0, (rows.names[row], source)
    assert sum(broken) > 10
    assert len(broken) > sum(broken) + 5


def test_a_change_of_a_gate_is_in_the_program(chosen_gates_machine):
    rows, gates = chosen_gates_machine.rows, chosen_gates_machine.config.gates
    change = Change(ALL_ZERO, rows.names.index("slot 3"), gates.index("INC"))
    table = program_table(chosen_gates_machine, [change])
    program = build_program(table, Access().step_rule())
    run = load_python(python_code(program, "A program.", []))
    assert run([3, 5, 1, 1, 0, 2]) == [2, 5, 1, 1, 0, 2]


@pytest.mark.parametrize("seed", range(4))
def test_the_native_search_runs_what_the_tables_say(batch, seed):
    config = SoftGateNRAMConfig(registers=3, slots=6, write_returns=("zero", "value")[seed % 2])
    machine, rng = machine_arrays(config, batch.cells), np.random.default_rng(seed)
    circuits = random_circuits(machine, 3, rng)
    examples = weigh_examples(*batch)
    ran, before = (_empty_record(machine, circuits, examples) for _ in range(2))
    _run(machine, circuits, examples, np.inf, before, ran)
    table = WiringTable(
        circuits.sources[circuits.of_pattern], circuits.stop[circuits.of_pattern]
    )
    expected = run_wiring(config, table, batch.memories, batch.steps, values=batch.cells)
    mistakes = ((expected.memories != batch.targets) & batch.scored).sum(axis=1)
    np.testing.assert_allclose(ran.mistakes, np.cumsum(mistakes * examples.weights))
    for circuit in np.flatnonzero(ran.used):
        rows = live_rows(config, circuits.sources[circuit])
        np.testing.assert_array_equal(np.flatnonzero(ran.matter[circuit]), rows)


def test_a_search_finds_gates_and_wires_and_writes_them(batch):
    config = SoftGateNRAMConfig(
        registers=2, slots=4, controller=NRAMControllerConfig(hidden=16)
    )
    machine = config.build(key=jax.random.key(1))
    before = read_wiring(machine)
    found = search_wires(config, before, batch, np.random.default_rng(0), 400_000)
    assert wrong(machine, before, batch) > 0.3
    assert found.error == 0
    ran = run_wiring(config, found.table, batch.memories, batch.steps)
    met = np.flatnonzero(ran.patterns.any(axis=0))
    mended = write_wires(machine, found.table, met)
    assert wrong(mended, read_wiring(mended), batch) == 0
    soft = mended(jnp.asarray(batch.memories[0]), steps=3).memory[-1]
    np.testing.assert_allclose(soft[0, batch.targets[0, 0]], 1, atol=1e-6)


def test_dead_choices_are_taken_for_idle_when_a_controller_is_observed():
    """A recurrent one; the first kind of gate writes, and stays unused where it does not."""
    controller = NRAMControllerConfig(kind="gru", hidden=3)
    config = SoftGateNRAMConfig(
        registers=2, slots=2, gates=("WRITE", "READ", "INC"), controller=controller
    )
    assert config.rows.idle()[list(config.rows.of_kinds)].tolist() == [1, 1]
    machine = config.build(key=jax.random.key(0))
    for state in fold(observe(machine, Access())):
        for edge in state.values():
            sources = np.array(edge.choice[0])
            dead = np.setdiff1d(np.arange(len(sources)), live_rows(config, sources))
            np.testing.assert_array_equal(sources[dead], config.rows.idle()[dead])


def test_a_trace_shows_which_gate_works_in_each_slot(chosen_gates_machine):
    made = trace(chosen_gates_machine, Access(), 3)
    gates, kinds = chosen_gates_machine.config.gates, made.fields["kinds"]
    chosen = [gates[i] for i in kinds[0].argmax(axis=-1)]
    assert chosen == ["READ", "READ", "MAX", "WRITE"]
    np.testing.assert_array_equal(made.hard["kinds"][0], kinds[0].argmax(axis=-1))
    circuit = made.header.circuit
    assert [gate.name for gate in circuit.gates] == [f"slot {i}" for i in range(1, 5)]
    assert len(circuit.choices) == made.fields["choices"].shape[1] == 4 * 2 + 2
    hard = dataclasses.replace(chosen_gates_machine.test_options, hard=True)
    same = trace(chosen_gates_machine.with_test_options(hard), Access(), 3)
    np.testing.assert_allclose(same.fields["kinds"], kinds, atol=1e-6)
