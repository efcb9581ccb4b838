"""Members that are wrong when made hard, mended in several ways."""

import dataclasses

import numpy as np
import pytest

import softmachine as sm
from softmachine.cli.main import main
from softmachine.core.errors import SoftmachineError
from softmachine.evaluation.nram.repair_rates import RepairOutcome, rates, repair_members
from softmachine.experiments.objectives import TaskLoss
from softmachine.experiments.population import create_population
from softmachine.experiments.state import first_state
from softmachine.machines.machine import split_trainable
from softmachine.programs.repair import Change, apply_changes
from softmachine.wiring.search import write_wires
from softmachine.wiring.table import live_rows, read_wiring

FIRST_STEP = 3
"""The pattern in which both registers are 0."""


@pytest.fixture
def runs(access_machine, tmp_path):
    """A member that is right, and one with a broken wire."""
    experiment = sm.get_recipe("nram-access")
    experiment = dataclasses.replace(
        experiment,
        machine=access_machine.config,
        training=dataclasses.replace(experiment.training, batch=4),
    )
    runs = create_population(tmp_path / "population", experiment, 2)
    table = read_wiring(access_machine)
    row = int(live_rows(access_machine.config, table.sources[FIRST_STEP])[0])
    source = (int(table.sources[FIRST_STEP, row]) + 1) % 2
    # r1 and r2 are both 0 in the first step: broken is what takes from r1 in the second.
    broken = apply_changes(table, [Change(1, row, source)])
    machines = [access_machine, write_wires(access_machine, broken, np.array([1, 3]))]
    for run, machine in zip(runs, machines, strict=True):
        state = first_state(run.experiment)
        state = state._replace(parameters=split_trainable(machine)[0])
        run.save_best(state, {"validation_wrong_cells": 0.25})
    return runs


def test_each_way_is_tried_on_who_is_wrong(runs):
    right, broken = repair_members(runs, updates=1, tables=20_000, examples=100, seed=0)
    assert right == RepairOutcome(0.25, *[0] * 6)
    assert broken.hard > 0.5
    assert (broken.wires, broken.changes) == (0, 1)
    assert broken.both == 0
    assert broken.annealed == 0
    assert rates([right, broken]) == {
        "members": 2,
        "soft": 0,
        "hard": 1,
        "wires": 2,
        "both": 2,
        "annealed": 2,
        "tuned": 1 + (broken.tuned == 0),
    }
    for run, outcome in zip(runs, (right, broken), strict=True):
        assert RepairOutcome(**run.load_result("repair")) == outcome


def test_the_command_prints_who_is_mended(runs, capsys):
    main(["repair", str(runs[0].path.parent), "--updates", "1", "--tables", "20000"])
    out = capsys.readouterr().out
    assert "Made hard, 1 of 2 members make no mistake." in out
    assert "After changing single wires 2," in out
    assert "…" not in out
    assert "seed-1" in out
    assert "seed-0" not in out
    assert max(map(len, out.splitlines())) <= 80


def test_numbers_below_one_are_refused(runs):
    for name in ("updates", "tables", "examples"):
        numbers = {"updates": 1, "tables": 1, "examples": 1, "seed": 0} | {name: 0}
        with pytest.raises(SoftmachineError, match=f"--{name} must be at least 1, not 0"):
            repair_members(runs, **numbers)


def test_an_nram_that_cannot_be_fine_tuned_is_refused(tmp_path):
    """Its training was by the task's loss alone: refused before any computation."""
    nram = sm.get_recipe("nram-access")
    training = dataclasses.replace(nram.training, objective=TaskLoss())
    run = sm.Run.create(tmp_path / "run", dataclasses.replace(nram, training=training))
    run.save_best(first_state(run.experiment), {"validation_wrong_cells": 0.25})
    with pytest.raises(SoftmachineError, match="TaskLoss; fine-tuning goes on with"):
        repair_members([run], updates=1, tables=1, examples=1, seed=0)
