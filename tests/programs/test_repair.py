"""Broken wires of a machine that is known to be right are found and mended."""

import itertools

import jax
import numpy as np
import pytest

from softmachine.core.time_limit import TimeIsOverError, TimeLimit
from softmachine.programs.build import build_program
from softmachine.programs.languages.python import python_code
from softmachine.programs.repair import (
    Change,
    apply_changes,
    program_table,
    repair,
)
from softmachine.programs.verification import load_python
from softmachine.tasks.memories.arrays import Access
from softmachine.tasks.memories.exams import draw_batch
from softmachine.wiring.table import live_rows, read_wiring, run_wiring


@pytest.fixture(scope="module")
def batch():
    sizes = np.arange(60) % 5 + 1
    return draw_batch(Access(), jax.random.key(0), sizes, 5)


def wrong(machine, table, batch):
    ran = run_wiring(machine.config, table, batch.memories, batch.steps)
    return np.mean(ran.memories[:, 0] != batch.targets[:, 0])


def test_batches_are_the_examples_of_the_task(access_machine, batch):
    assert wrong(access_machine, read_wiring(access_machine), batch) == 0
    pointed = batch.memories[np.arange(60), batch.memories[:, 0]]
    np.testing.assert_array_equal(batch.targets[:, 0], pointed)
    assert set(batch.steps.tolist()) == {3}


def test_what_is_right_is_left_alone(access_machine, batch):
    table = read_wiring(access_machine)
    found = repair(access_machine, table, batch)
    assert found.changes == ()
    assert found.before == found.after == 0


def test_each_wire_that_matters_is_mended_when_broken(access_machine, batch):
    table = read_wiring(access_machine)
    names = access_machine.rows.names
    broken = 0
    for pattern in (3, 1):  # the first step; the second, in which r2 is not 0
        for row in live_rows(access_machine.config, table.sources[pattern]):
            for source in range(int(access_machine.rows.allowed[row].sum())):
                bad = apply_changes(table, [Change(pattern, row, source)])
                if wrong(access_machine, bad, batch) == 0:
                    continue
                broken += 1
                found = repair(access_machine, bad, batch)
                assert found.after == 0, (pattern, names[row], source)
                assert len(found.changes) == 1
                assert wrong(access_machine, found.table, batch) == 0
    assert broken > 5


def test_stopping_too_early_is_mended(access_machine, batch):
    bad = apply_changes(read_wiring(access_machine), [Change(3, None, 1)])
    found = repair(access_machine, bad, batch)
    assert found.before > 0
    assert found.after == 0
    assert found.changes == (Change(3, None, 0),)


def test_a_repair_ends_with_the_time(access_machine, batch):
    clock = itertools.count()
    limit = TimeLimit(3.0, lambda: next(clock))
    bad = apply_changes(read_wiring(access_machine), [Change(3, None, 1)])
    with pytest.raises(TimeIsOverError):
        repair(access_machine, bad, batch, limit=limit)
    assert next(clock) == 4  # asked for as often as changes are tried


def test_a_machine_with_too_many_faults_is_not_made_worse(access_machine, batch):
    """Only both changes together would help: the search takes one at a time."""
    row = access_machine.rows.names.index("WRITE b")
    faults = [Change(3, None, 1), Change(1, row, 0)]
    bad = apply_changes(read_wiring(access_machine), faults)
    found = repair(access_machine, bad, batch)
    assert found.after <= found.before
    assert wrong(access_machine, found.table, batch) == pytest.approx(found.after)


def test_a_program_is_written_of_the_changed_wires(access_machine, batch):
    """Each change that breaks the table breaks the program alike, on the same examples."""
    table = read_wiring(access_machine)
    rows = live_rows(access_machine.config, table.sources[3])
    for pattern in (3, 1):
        for change in [Change(pattern, None, 0), *[Change(pattern, row, 0) for row in rows]]:
            ran = run_wiring(
                access_machine.config,
                apply_changes(table, [change]),
                batch.memories,
                batch.steps,
            )
            wired = program_table(access_machine, [change])
            program = build_program(wired, Access().step_rule())
            run = load_python(python_code(program, "Do it.", []))
            answers = [run(memory.tolist()) for memory in batch.memories]
            np.testing.assert_array_equal(answers, ran.memories)


def test_dead_wires_are_not_tried(access_machine):
    table = read_wiring(access_machine)
    rows = [access_machine.rows.names[i] for i in live_rows(
        access_machine.config, table.sources[3]
    )]  # fmt: skip
    assert rows == ["READ a", "WRITE a", "WRITE b", "r1", "r2"]
