"""The table of the Chomsky hierarchy: scores over lengths, cells made once, the page."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.cli.main import main
from softmachine.evaluation.chomsky import page
from softmachine.evaluation.chomsky.cells import row_of, runs_of, train_cell, with_updates
from softmachine.evaluation.chomsky.published import COLUMNS, FROM_MEMORY, PUBLISHED
from softmachine.evaluation.chomsky.scores import LENGTHS, blind_scores, score_lengths
from softmachine.evaluation.chomsky.table import (
    Place,
    build_table,
    mean_steps,
    seconds_per_step,
    summary,
)
from softmachine.experiments.experiment import SolvedConfig
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.machines.recurrent import RecurrentConfig
from softmachine.recipes import chomsky
from softmachine.recipes.registry import CHOMSKY_MACHINES, CHOMSKY_TASKS, RECIPES, get_recipe
from softmachine.running.scoring import build_scorer
from softmachine.tasks.chomsky.context_sensitive import DuplicateString
from softmachine.tasks.chomsky.regular import ParityCheck

SMALL = RecurrentConfig(controller=ControllerConfig(kind="rnn", hidden=8))
PLACE = Place("rnn", "parity-check")


def experiment(updates=2):
    """The recipe, with a machine so small that its updates cost nothing."""
    found = get_recipe("rnn-chomsky-parity-check")
    training = dataclasses.replace(
        found.training,
        batch=4,
        validate_every=4 * updates,
        solved=SolvedConfig(sequences=8),
        phases=(),
    )
    return with_updates(dataclasses.replace(found, machine=SMALL, training=training), updates)


def test_every_length_counts_alike():
    """A long answer does not count more than a short one."""
    task = DuplicateString()
    machine = SMALL.build(task.input_size, task.output_size, key=jax.random.key(1))
    found = score_lengths(machine, task, lengths=[2, 31, 40], strings=2, seed=3)
    means = []
    for most, sizes in ((32, [2, 2, 31, 31]), (64, [40, 40])):
        key = jax.random.fold_in(jax.random.key(3), most)
        accuracy = build_scorer(task, most)(machine, key, jnp.array(sizes))["accuracy"]
        for i in range(0, len(sizes), 2):
            means.append(accuracy.total[i : i + 2].sum() / accuracy.count[i : i + 2].sum())
    assert found.accuracy == pytest.approx(np.mean(means))
    assert 0.3 < found.accuracy < 0.7
    assert found.perfect < 1


def test_blind_scores():
    found = blind_scores(ParityCheck(), lengths=[41, 61])
    assert found.accuracy == pytest.approx(0.5, abs=0.03)
    assert found.perfect == found.accuracy  # a single letter


def test_cells_are_made_once(tmp_path):
    told = []
    wanted = experiment()

    def tell(_, progress):
        told.append(progress.step)

    assert train_cell(tmp_path, wanted, range(2), tell)
    runs = runs_of(tmp_path, wanted.recipe)
    assert [run.experiment.training.seed for run in runs] == [0, 1]
    assert told == [2, 2]
    # Finished ones stay, whatever is asked for; another seed is added.
    assert train_cell(tmp_path, experiment(4), range(3), tell)
    rows = [run.load_progress().step for run in runs_of(tmp_path, wanted.recipe)]
    assert rows == [2, 2, 4]
    said = []
    first = row_of(runs[0], 1, said.append)
    assert first == row_of(runs[0], 1, said.append)
    assert len(said) == 1  # scored once
    assert first["finished"]
    assert (first["updates"], first["batch"], first["right"]) == (2, 4, False)
    assert first["processor_seconds"] > 0
    assert 0.3 < first["scores"]["accuracy"] < 0.7


def row(accuracy, perfect, seconds=10.0, updates=100, **more):
    scores = None if accuracy is None else {"accuracy": accuracy, "perfect": perfect, **more}
    return {
        "seed": 0, "finished": True, "failed": None, "updates": updates, "most_updates": 20_000,
        "batch": 32, "seconds": 99.0, "processor_seconds": seconds, "right": perfect == 1,
        "scores": scores,
    }  # fmt: skip


def test_summary_of_a_cell():
    rows = [row(0.9, 0.2), row(1.0, 1.0), row(0.5, 0.0), row(None, None)]
    found = summary(rows)
    assert (found["tried"], found["solved"], found["exact"]) == (4, 2, 1)
    assert found["best"]["accuracy"] == 1
    assert found["mean"] == pytest.approx(0.8)
    assert summary([])["tried"] == 0


def test_expected_time_follows_from_the_machine_on_other_tasks():
    other = Place("rnn", "duplicate-string")
    recipes = {
        PLACE: get_recipe("rnn-chomsky-parity-check"),
        other: get_recipe("rnn-chomsky-duplicate-string"),
    }
    steps = {place: mean_steps(x) for place, x in recipes.items()}
    assert steps == {PLACE: 21.5, other: 61.5}  # l + 1 and 3 l, of lengths 1 to 40
    pace = seconds_per_step({PLACE: [row(1.0, 1.0)], other: []}, recipes)
    assert pace == {"rnn": 10 / (100 * 21.5)}


def test_page(tmp_path):
    recipes = {
        Place(machine, task): get_recipe(chomsky.recipe_name(machine, task))
        for task in chomsky.TASKS
        for machine in ("rnn", "stack-rnn", "transformer")
    }
    table = build_table(tmp_path, recipes) | {"command": "softmachine chomsky there"}
    assert table["blind"] == {}
    cell = next(
        x for x in table["cells"] if (x["machine"], x["task"]) == ("stack-rnn", "bucket-sort")
    )
    rows = [row(0.99, 0.25, hard_accuracy=0.5, hard_perfect=0.0), row(0.8, 0.0, updates=200)]
    cell |= {"runs": rows, **summary(rows)}
    table["blind"]["bucket-sort"] = {"accuracy": 0.901, "perfect": 0.0}
    out = tmp_path / "table.md"
    assert page.write_table(out, table) == tmp_path / "table.json"
    assert json.loads((tmp_path / "table.json").read_text()) == table
    text = out.read_text()
    lines = [line for line in text.splitlines() if line.startswith("| [bucket-sort]")]
    assert lines == ["| [bucket-sort](#bucket-sort) | C | - | 99.0 (1/2) | - | 90.1 | 91.9 |"]
    assert (
        "| stack-rnn | 2 | 99.0 | 89.5 | 25.0 | 1 | 0 | 50.0 | 100 to 200 | 10 s | *78.1* |"
    ) in text
    assert "1 of 45 cells have been run" in text


def test_all_but_right_is_not_shown_as_right():
    assert page._percent(0.99999) == "99.9+"
    assert page._percent(1.0) == "100.0"


def test_published_table():
    assert len(PUBLISHED) == 15 * len(COLUMNS)
    assert {task for _, task in PUBLISHED} == set(CHOMSKY_TASKS)
    assert set(COLUMNS) < set(CHOMSKY_MACHINES)
    assert ("transformer", "cycle-navigation") not in FROM_MEMORY
    assert ("rnn", "cycle-navigation") in FROM_MEMORY
    assert PUBLISHED["stack-rnn", "modular-arithmetic-brackets"] == 96.1
    assert list(LENGTHS) == list(range(41, 501))


def test_recipes_are_those_of_the_registry():
    assert (*chomsky.MACHINES,) == CHOMSKY_MACHINES
    assert (*chomsky.TASKS,) == CHOMSKY_TASKS
    assert sum("-chomsky-" in name for name in RECIPES) == 2 * 15 * len(CHOMSKY_MACHINES)
    assert RECIPES.name_of(RECIPES["ntm-chomsky-odds-first"]) == "ntm-chomsky-odds-first"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        chomsky.nothing  # noqa: B018


def test_command(tmp_path, monkeypatch, capsys):
    small = experiment()
    monkeypatch.setattr("softmachine.cli.chomsky.get_recipe", lambda name: dataclasses.replace(
        small, recipe=name))  # fmt: skip
    monkeypatch.setattr("softmachine.cli.chomsky.TASKS", {"parity-check": None})
    monkeypatch.setattr("softmachine.cli.chomsky.MACHINES", {"rnn": None, "lstm": None})
    monkeypatch.setattr(page, "LEVELS", (("regular", 1),))
    out = tmp_path / "page.md"
    words = ["chomsky", str(tmp_path / "runs"), "--machines", "rnn", "--seeds", "1"]
    main([*words, "--strings", "1", "--out", str(out)])
    first = capsys.readouterr().out
    assert "2 updates" in first
    assert "1 of 2 cells have been run" in out.read_text()
    main([*words, "--strings", "1", "--out", str(out)])
    assert capsys.readouterr().out == f"{out}\n{out.with_suffix('.json')}\n"
    with pytest.raises(SystemExit):
        main(["chomsky", str(tmp_path), "--machines", "rn"])
    assert "no machine 'rn'" in capsys.readouterr().err
