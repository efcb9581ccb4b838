"""The table of the Chomsky hierarchy: scores over lengths, cells made once, the page."""

import dataclasses
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.cli.main import main
from softmachine.core.errors import SoftmachineError
from softmachine.evaluation.chomsky import curves, page
from softmachine.evaluation.chomsky.cells import (
    check_settings,
    row_of,
    runs_of,
    train_cell,
    with_updates,
)
from softmachine.evaluation.chomsky.kept import Kept, read_kept
from softmachine.evaluation.chomsky.published import COLUMNS, FROM_MEMORY, PUBLISHED
from softmachine.evaluation.chomsky.scores import (
    LENGTHS,
    LengthScores,
    blind_scores,
    score_lengths,
)
from softmachine.evaluation.chomsky.table import (
    Place,
    build_table,
    seconds_per_step,
    steps_of,
    summary,
)
from softmachine.experiments.experiment import SolvedConfig
from softmachine.experiments.runs import Run
from softmachine.experiments.serialization import experiment_to_json
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.machines.recurrent import RecurrentConfig
from softmachine.recipes import chomsky
from softmachine.recipes.registry import CHOMSKY_MACHINES, CHOMSKY_TASKS, RECIPES, get_recipe
from softmachine.running.scoring import build_scorer
from softmachine.tasks.chomsky.context_sensitive import DuplicateString
from softmachine.tasks.chomsky.regular import ParityCheck
from softmachine.training.trainer import train_members

SMALL = RecurrentConfig(controller=ControllerConfig(kind="rnn", hidden=8))
PLACE = Place("rnn", "parity-check")


def experiment(updates=2):
    """The recipe, with a machine so small that its updates cost nothing."""
    found = get_recipe("rnn-chomsky-parity-check")
    training = dataclasses.replace(
        found.training,
        batch=4,
        validate_every=8,
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


def test_workers_train_the_seeds_of_a_cell(tmp_path, assert_same, one_process):
    told = []

    def tell(run, progress):
        told.append((run.path.name, progress.step))

    wanted = experiment(4)
    assert train_cell(tmp_path / "here", wanted, range(2), tell, one_process)
    assert set(told) == {("seed-0", 4), ("seed-1", 4)}
    assert train_cell(tmp_path / "alone", wanted, range(2), lambda *_: None)
    pairs = [runs_of(tmp_path / name, wanted.recipe) for name in ("here", "alone")]
    for one, other in zip(*pairs, strict=True):
        assert_same(one.load_last().state, other.load_last().state)
        assert row_of(one, 1, print)["processor_seconds"] is None
        assert row_of(other, 1, print)["processor_seconds"] > 0


def test_no_time_is_told_of_updates_whose_time_was_lost(tmp_path):
    """A process that was killed has left its updates, and not what they took."""
    wanted = experiment(4)
    run = Run.create(tmp_path / wanted.recipe / "seed-0", wanted.with_seed(0))
    train_members([run], seconds=0.0)
    assert run.load_progress().step == 2
    assert train_cell(tmp_path, wanted, range(2), lambda *_: None)
    killed, whole = (row_of(run, 1, print) for run in runs_of(tmp_path, wanted.recipe))
    assert (killed["updates"], killed["processor_seconds"]) == (4, None)
    assert whole["processor_seconds"] > 0


def row(accuracy, perfect, seconds=10.0, updates=100, seed=0, **more):
    scores = None if accuracy is None else {"accuracy": accuracy, "perfect": perfect, **more}
    return {
        "seed": seed, "finished": True, "failed": None,
        "updates": updates, "most_updates": 20_000, "batch": 32, "seconds": 99.0,
        "processor_seconds": seconds, "right": perfect == 1,
        "scores": scores, "date": "2026-11-30", "softmachine": "0.1.0", "hardware": "an abacus",
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
    # l + 1 and 3 l, of lengths 1 to 40; of the latter those up to 2 alone at first.
    assert [steps_of(recipes[PLACE], n) for n in (0, 1, 100)] == [0, 21.5, 2150]
    assert [steps_of(recipes[other], n) for n in (0, 1, 78)] == [0, 3, 77 * 3 + 4.5]
    later = steps_of(recipes[other], 3_100) - steps_of(recipes[other], 3_000)
    assert later == pytest.approx(100 * 61.5)
    pace = seconds_per_step({PLACE: [row(1.0, 1.0)], other: []}, recipes)
    assert pace == {"rnn": 10 / (100 * 21.5)}
    # The longest run alone: of short ones compilation is the better part.
    short = row(1.0, 1.0, seconds=9.0, updates=10)
    assert seconds_per_step({PLACE: [short, row(1.0, 1.0)], other: [short]}, recipes) == pace


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
    rows[1]["hardware"] = None
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
    assert "1 of 45 cells has been run" in text
    known = "1 run on an abacus; 1 run on hardware that was not noted."
    assert f"those of a processor core; {known}" in text


def test_page_of_the_docs_is_that_of_its_json():
    docs = Path(__file__).parents[2] / "docs"
    table = json.loads((docs / "chomsky.json").read_text())
    assert (docs / "chomsky.md").read_text() == page.to_markdown(table, "chomsky.json")


def test_settings_are_all_but_seed_and_updates(tmp_path):
    wanted = experiment()
    (tmp_path / wanted.recipe).mkdir(parents=True)
    run = Run.create(tmp_path / wanted.recipe / "seed-3", wanted.with_seed(3))
    check_settings(run, with_updates(wanted, 7))
    other = dataclasses.replace(wanted, training=dataclasses.replace(wanted.training, batch=5))
    with pytest.raises(
        SoftmachineError, match=r"seed-3 has other settings than the recipe rnn"
    ):
        train_cell(tmp_path, other, [3], lambda *_: None)
    with pytest.raises(SoftmachineError, match="has other settings"):
        build_table(tmp_path, {PLACE: other}, strings=1)


def earlier_table(tmp_path, rows, **changes):
    """Write the table of one cell, with rows of its own; return its JSON's path."""
    table = build_table(tmp_path / "none", {PLACE: experiment()}, strings=2)
    (cell,) = table["cells"]
    cell |= {"runs": rows, "experiment": experiment_to_json(experiment()), **summary(rows)}
    table["blind"]["parity-check"] = {"accuracy": 0.4, "perfect": 0.3}
    (tmp_path / "page.json").write_text(json.dumps(table | changes))
    return tmp_path / "page.json"


def test_runs_of_an_earlier_table_are_kept(tmp_path):
    """Those of other seeds than the folder's, beside which they stand; no blind scores anew."""
    rows = [row(1.0, 1.0, seed=1), row(0.5, 0.0, seed=2), {**row(1.0, 1.0), "finished": False}]
    path = earlier_table(tmp_path, rows)
    recipes = {PLACE: with_updates(experiment(), 9)}
    kept, changed = read_kept(path, recipes, strings=2)
    assert changed == []
    assert kept.rows == {"rnn-chomsky-parity-check": rows[:2]}
    assert kept.done("rnn-chomsky-parity-check", 20_000) == {1, 2}
    assert kept.done("rnn-chomsky-parity-check", 20_001) == {1}  # 2 is worth another try
    assert kept.done("lstm-chomsky-parity-check", 1) == set()
    wanted = experiment()
    for seed in (0, 2):
        Run.create(tmp_path / "runs" / wanted.recipe / f"seed-{seed}", wanted.with_seed(seed))
    table = build_table(tmp_path / "runs", recipes, strings=2, kept=kept)
    (cell,) = table["cells"]
    assert [(x["seed"], x["finished"]) for x in cell["runs"]] == [
        (0, False),
        (1, True),
        (2, True),  # what is finished elsewhere stands until it is finished here
    ]
    assert (cell["tried"], cell["mean"], cell["runs"][1:]) == (2, 0.75, rows[:2])
    assert table["blind"] == {"parity-check": {"accuracy": 0.4, "perfect": 0.3}}


def test_runs_of_other_settings_are_not_kept(tmp_path):
    path = earlier_table(tmp_path, [row(1.0, 1.0)])
    other = dataclasses.replace(experiment(), machine=RecurrentConfig())
    kept, changed = read_kept(path, {PLACE: other}, strings=2)
    assert (kept, changed) == (Kept({}, {}), ["rnn-chomsky-parity-check"])
    assert read_kept(tmp_path / "none.json", {PLACE: other}, strings=2) == (Kept({}, {}), [])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema": 1}, r"page.json is of schema 1, not 2: give another page with --out"),
        (
            {"strings": 4},
            r"scored on 4 strings of each length from 41 to 500: give --strings 4",
        ),
        ({"cells": [{"task": "parity-check"}]}, r"is not the JSON of such a table"),
        ({"cells": [{"runs": [1]}]}, r"a cell lacks one of experiment, recipe, task"),
        (
            {"cells": [{"runs": [{"seed": 1}], "task": "", "recipe": "", "experiment": {}}]},
            r"a run lacks one of failed, finished, most_updates",
        ),
        ({"cells": 3}, r"is not the JSON of such a table"),
    ],
)
def test_what_is_no_such_table_is_refused(tmp_path, changes, message):
    path = earlier_table(tmp_path, [row(1.0, 1.0)], **changes)
    with pytest.raises(SoftmachineError, match=message):
        read_kept(path, {PLACE: experiment()}, strings=2)


def test_curves_end_where_memory_does(monkeypatch):
    """Of each form at each length, in order; a length that does not fit ends both."""
    asked = []

    def score(machine, _, *, lengths, strings):
        asked.append((machine, lengths[0], strings))
        if lengths[0] > 200:
            raise SoftmachineError("too large")
        return LengthScores(1 / lengths[0], 0.0 if machine is soft else 1.0)

    monkeypatch.setattr(curves, "score_lengths", score)
    soft, hard = (SMALL.build(3, 2, key=jax.random.key(seed)) for seed in (0, 1))
    forms = {"": soft, "hard_": hard}
    found = curves.measure(forms, ParityCheck(), 5_000)
    assert found == {
        "lengths": [40, 100, 200], "accuracy": [1 / 40, 1 / 100, 1 / 200],
        "perfect": [0.0] * 3, "hard_accuracy": [1 / 40, 1 / 100, 1 / 200],
        "hard_perfect": [1.0] * 3,
    }  # fmt: skip
    assert asked[-1] == (soft, 500, curves.STRINGS)
    assert curves.measure(forms, ParityCheck(), 39) is None


def test_longer_strings_on_the_page(tmp_path):
    recipes = {
        Place(machine, task): get_recipe(chomsky.recipe_name(machine, task))
        for task in chomsky.TASKS
        for machine in ("rnn", "stack-rnn")
    }
    table = build_table(tmp_path, recipes) | {"command": "softmachine chomsky there"}
    for cell in table["cells"]:
        if cell["task"] == "parity-check":
            rows = [row(1.0, 1.0), row(0.5, 0.0, seed=1)]
            rows[0]["curve"] = {"lengths": [40, 1_000], "accuracy": [1.0, 0.75]}
            if cell["machine"] == "stack-rnn":
                rows[0]["curve"] |= {"hard_accuracy": [1.0, 1.0]}
            cell |= {"runs": rows, **summary(rows)}
    page.write_table(tmp_path / "table.md", table)
    text = (tmp_path / "table.md").read_text()
    assert "![Right letters by length, a panel for each task](table.png)" in text
    lines = text.partition("## Longer strings")[2].splitlines()
    assert [line for line in lines if line.startswith("| parity-check")] == [
        "| parity-check | rnn |  | 100.0 | 75.0 |",
        "| parity-check | stack-rnn |  | 100.0 | 75.0 |",
        "| parity-check | stack-rnn | hard | 100.0 | 100.0 |",
    ]
    assert (tmp_path / "table.png").read_bytes().startswith(b"\x89PNG")


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
    assert "1 of 2 cells has been run" in out.read_text()
    assert "; 1 run on " in out.read_text()
    main([*words, "--strings", "1", "--out", str(out)])
    assert capsys.readouterr().out == f"{out}\n{out.with_suffix('.json')}\n"
    # The run has no score of 0.9: there is nothing to draw.
    main([*words, "--strings", "1", "--longest", "10000", "--out", str(out)])
    assert "--longest 10000" in out.read_text()
    assert not out.with_suffix(".png").exists()
    main([*words, "--strings", "1", "--out", str(out)])
    capsys.readouterr()
    # Elsewhere: another folder, the same page. What stands there is not trained anew.
    before = json.loads(out.with_suffix(".json").read_text())
    words[1] = str(tmp_path / "elsewhere")
    main([*words, "--strings", "1", "--out", str(out)])
    assert "updates" not in capsys.readouterr().out
    assert json.loads(out.with_suffix(".json").read_text())["cells"] == before["cells"]
    with pytest.raises(SystemExit):
        main(["chomsky", str(tmp_path), "--machines", "rn"])
    assert "no machine 'rn'" in capsys.readouterr().err
