"""The ledger: every number from run directories, nothing hidden, nothing tested twice."""

import dataclasses
import json

import jax
import pytest

from softmachine.core.errors import SoftmachineError
from softmachine.core.files import write_json
from softmachine.evaluation import examined, ledger, published_scores
from softmachine.experiments.curricula import Growing, Uniform
from softmachine.experiments.experiment import (
    Experiment,
    SolvedConfig,
    TrainingConfig,
)
from softmachine.experiments.population import create_population
from softmachine.experiments.progress import Progress
from softmachine.experiments.runs import Run
from softmachine.experiments.state import first_state
from softmachine.machines.machine import split_trainable
from softmachine.machines.mann import MANNConfig
from softmachine.machines.nram.nram import NRAMConfig, NRAMControllerConfig
from softmachine.machines.ntm.ntm import NTMConfig
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.machines.recurrent import RecurrentConfig
from softmachine.recipes.registry import get_recipe
from softmachine.running.generalization import SizeScore
from softmachine.running.judging import Verdict
from softmachine.synthesis.experiment import synthesis
from softmachine.synthesis.search.given import Found, save
from softmachine.tasks.memories.arrays import Access
from softmachine.tasks.one_shot.episodes import Episodes
from softmachine.tasks.one_shot.omniglot import Omniglot
from softmachine.tasks.sequences.associative_recall import AssociativeRecall
from softmachine.tasks.sequences.copy import Copy
from softmachine.tasks.sequences.ngrams import NGrams
from softmachine.training.exam import Exam
from softmachine.training.nram.objective import NRAMLoss
from softmachine.training.phases import Restart
from softmachine.training.trainer import train_members

ENVIRONMENT = {
    "date": "2026-01-02",
    "softmachine": "0.1.0",
    "commit": "abc1234",
    "python": "3.11.9",
    "jax": "0.10.2",
    "hardware": "Abacus 3000",
    "platform": "cpu",
    "devices": 2,
    "cores": 2,
}


def recall(**training) -> Experiment:
    return Experiment(
        recipe="recall",
        task=AssociativeRecall(),
        machine=NTMConfig(
            controller=ControllerConfig(hidden=4),
            memory_rows=64,
            memory_columns=4,
            initial_weightings="first-row",
        ),
        training=TrainingConfig(curriculum=Uniform(smallest=2, largest=6), **training),
    )


RECIPES = {"recall": recall}


def write_run(path, experiment, *, best=True, environment=ENVIRONMENT, **progress):
    """Make a run as training would have left it."""
    run = Run.create(path, experiment)
    write_json(run.path / "environment.json", environment)
    if progress:
        state = first_state(experiment)
        if best:
            run.save_best(state, {"step": progress["step"], "validation_bits": 0.5})
        run.save_last(state, Progress(**progress))
    return run


def ended(seed, *, solved=None, error=0.0, bits=0.01, finished=True):
    """Return the progress of a run; all times follow from its sequences and seed."""
    sequences = 4000 + 1000 * seed
    times = {} if solved is None else {
        "solved_sequences": solved,
        "solved_seconds": solved / 10,
        "solved_device_seconds": solved / 20,
    }  # fmt: skip
    return times | {
        "step": sequences // 4,
        "sequences": sequences,
        "seconds": sequences / 10,
        "device_seconds": sequences / 20,
        "best_error": error,
        "best_bits": bits,
        "finished": finished,
    }


@pytest.fixture
def tests_done(monkeypatch):
    """Replace the evaluation by made-up scores: wrong bits = size x seed; count the runs."""
    done = []

    def score(_machine, _task, sizes, *, sequences):
        seed = len(done)
        done.append(sequences)
        return [
            SizeScore(
                size=size,
                sequences=sequences,
                metrics={"bits": 2.0 * size * seed, "wrong_bits": float(size * seed)},
            )
            for size in sizes
        ]

    monkeypatch.setattr(published_scores, "evaluate", score)
    return done


METRICS = {"validation_bits": 0.5}
LAST_ERRORS = [0.0, 0.0, 7.5, 28.0, 99.0]
"""What the five validated with at their end; the fourth was solved once and was spoilt."""


@pytest.fixture
def five(tmp_path):
    """Write four finished seeds, three of them solved, and one that is not finished."""
    for seed, progress in enumerate(
        [
            ended(0, solved=1000, bits=0.02),
            ended(1, solved=3000, bits=0.01),
            ended(2, error=7.5, bits=30.0),
            ended(3, solved=2000, error=0.0, bits=0.03),
            ended(4, error=9.0, bits=40.0, finished=False),
        ]
    ):
        run = write_run(tmp_path / f"run-{seed}", recall(seed=seed), **progress)
        for wrong, sequences in ((0.5, 4), (LAST_ERRORS[seed], progress["sequences"])):
            steps = {"step": sequences, "sequences": sequences}
            run.append_metrics(METRICS | steps | {"validation_wrong_bits": wrong})
    return tmp_path


def test_numbers_of_a_group(five, tests_done):
    (group,) = ledger.build([five], recipes=RECIPES)["groups"]
    summary = group["summary"]
    assert (group["recipe"], group["machine"], group["task"]) == (
        "recall",
        "ntm-lstm",
        "AssociativeRecall",
    )
    assert [summary[name] for name in ("tried", "finished", "solved", "failed")] == [5, 4, 3, 1]
    assert summary["interval"] == pytest.approx([0.2307, 0.8824], abs=1e-4)
    assert summary["to_solve"]["sequences"] == {
        "lowest": 1000,
        "lower_quartile": 1500,
        "median": 2000,
        "upper_quartile": 2500,
        "highest": 3000,
    }
    assert summary["to_solve"]["seconds"]["median"] == 200
    assert summary["to_solve"]["device_seconds"]["highest"] == 150
    # The unfinished seed has cost something, but is not judged yet.
    assert summary["device_hours"] == pytest.approx(sum(range(4000, 9000, 1000)) / 20 / 3600)
    assert summary["device_hours_per_seed"] == pytest.approx(summary["device_hours"] / 5)
    assert summary["sequences"]["median"] == 6000
    assert summary["validation"]["error"]["highest"] == 7.5
    assert summary["afterwards"] == dict(mistaken=1, worst=28, ended_worse=1, worst_end=28)
    assert summary["validation"]["bits"]["median"] == pytest.approx(0.025)
    assert len(tests_done) == 4


def test_test_scores_with_the_paper_beside_them(five, tests_done):
    (group,) = ledger.build([five], recipes=RECIPES)["groups"]
    assert [test["name"] for test in group["tests"]] == [
        "6 items",
        "10 items",
        "15 items",
        "20 items",
    ]
    ten = group["tests"][1]
    assert ten["paper"]["value"] == 1.8
    assert ten["paper"]["approximate"]
    assert ten["seeds"] == 4
    assert ten["reported"]["spread"]["median"] == 30
    assert ten["error"]["spread"]["upper_quartile"] == 22.5
    # Seed 1 validated best; seed 0 happens to be better in the tests.
    assert group["summary"]["best_seed"] == 1
    assert (ten["reported"]["best_member"], ten["error"]["best_member"]) == (20, 10)
    assert group["runs"][4]["tests"] == [None] * 4
    assert tests_done == [1000] * 4


def test_the_page(five, tests_done):
    page = ledger.to_markdown(ledger.build([five], recipes=RECIPES))
    for line in (
        "| [recall](#recall) | 3 of 5, 1 unfinished | 23 to 88 % | 2,000 (1,500 to 2,500) "
        "| 100 s (75 s to 125 s) | 6,000 | 0 (best 0) wrong bits | 0.417 |",
        "## recall",
        "- AssociativeRecall, machine ntm-lstm; 5 seeds, 1 not finished yet: 3 solved, 1 "
        "failed (23 to 88 % solve it).",
        "- Solved means at most 0 wrong bits per sequence, on 1,000 sequences of sizes 2 to 6.",
        "- Validation: median 0 wrong bits and 0.025 bits per sequence; best seed (1) 0 and "
        "0.01.",
        "- Of the 3 solved, 1 had a later validation with mistakes, at worst 28 wrong bits; 1 "
        "ended worse than the parameters kept, at worst 28 wrong bits.",
        "- Cost: 0.417 device-hours, 0.0833 per seed; 12 min on 2 such devices.",
        "- Seeds 0 to 4: Abacus 3000, 2 cpu devices; JAX 0.10.2, Python 3.11.9, softmachine "
        "0.1.0 (commit abc1234), begun 2026-01-02.",
        "softmachine train recall --members 5",
        "| wall-clock time | 100 s | 150 s | 200 s | 250 s | 300 s |",
        "| test | paper: bits | ours: bits | best seed (1) | ours: wrong bits | best seed (1) "
        "|",
        "| 10 items | ≈ 1.8 | 30 (15 to 45) | 20 | 15 (7.5 to 22.5) | 10 |",
        "- The paper on 15 items: NTM with a feed-forward controller: below 1 bit (section "
        "4.3, in words).",
        "<details><summary>Every seed; of the tests, wrong bits</summary>",
        "| seed | solved after | device time to solve | trained | device time | validation: "
        "wrong bits | bits | at the end | 6 items | 10 items | 15 items | 20 items |",
        "| 2 | no | - | 6,000 | 300 s | 7.5 | 30 | 7.5 | 12 | 20 | 30 | 40 |",
        "| 4 | unfinished | - | 8,000 | 400 s | 9 | 40 | 99 | - | - | - | - |",
    ):
        assert line in page.splitlines(), line
    assert max(len(line) for line in page.splitlines() if line.startswith("|")) < 240
    assert len(tests_done) == 4


@pytest.mark.usefixtures("tests_done")
def test_of_members_ended_early_a_rate_has_a_lower_bound_alone(five):
    built = ledger.build([five], recipes=RECIPES)
    assert "| 3 of 5, 1 unfinished | 23 to 88 % |" in ledger.to_markdown(built)
    built["groups"][0]["experiment"]["experiment"]["training"]["enough"] = 3
    shown = ledger.to_markdown(built)
    assert "| 3 of 5, 1 unfinished | 23 % or more |" in shown
    assert "3 solved, 1 failed (23 % or more solve it)." in shown
    built["groups"][0]["experiment"]["experiment"]["training"]["enough"] = 4
    assert "| 3 of 5, 1 unfinished | 23 to 88 % |" in ledger.to_markdown(built)


def test_shares_stand_in_percent_beside_the_papers(tmp_path, monkeypatch):
    def score(_machine, task, sizes, *, sequences):
        plain = task.turn == 0
        shares = {f"instance_{n}": 0.1 * n ** (0.5 + plain) / 3.2 for n in (1, 2, 3, 4, 5, 10)}
        metrics = shares | {task.error: 3.0, "bits": 12.0}
        return [SizeScore(size=s, sequences=sequences, metrics=metrics) for s in sizes]

    monkeypatch.setattr(published_scores, "evaluate", score)

    def characters(**training) -> Experiment:
        return Experiment(
            recipe="characters",
            task=Episodes(source=Omniglot(path="nowhere")),
            machine=MANNConfig(controller=ControllerConfig(hidden=4), memory_rows=8),
            training=TrainingConfig(curriculum=Uniform(smallest=5, largest=5), **training),
        )

    for seed in (0, 1):
        write_run(tmp_path / str(seed), characters(seed=seed), **ended(seed, error=3.0))
    built = ledger.build([tmp_path], recipes={"characters": characters})
    page = ledger.to_markdown(built)
    for line in (
        "| test | paper | ours | best seed (0) |",
        "| 5 classes, instance 1 | 36.4 % | 3.1 % (3.1 % to 3.1 %) | 3.1 % |",
        "| 5 classes, instance 10 | 98.1 % | 9.9 % (9.9 % to 9.9 %) | 9.9 % |",
        "| 5 classes, instance 10, images as drawn | - | 98.8 % (98.8 % to 98.8 %) | 98.8 % |",
        "<details><summary>Every seed</summary>",
    ):
        assert line in page.splitlines(), line
    assert json.loads(json.dumps(built, allow_nan=False))["groups"][0]["tests"][0]["share"]


def test_workers_test_the_runs(five, tests_done, one_process):
    told = []
    shared = ledger.build([five], recipes=RECIPES, workers=one_process, report=told.append)
    assert len(tests_done) > 0
    assert sum(line.startswith("testing ") for line in told) == 5
    done = len(tests_done)
    # What they found is kept with the runs, and is the same.
    assert ledger.build([five], recipes=RECIPES) == shared
    assert len(tests_done) == done


def test_written_page_comes_from_the_written_numbers_alone(five, tests_done, tmp_path):
    built = ledger.build([five], recipes=RECIPES, sequences=20)
    data = ledger.write(tmp_path / "docs" / "results.md", built)
    assert data == tmp_path / "docs" / "results.json"
    read = json.loads(data.read_text())
    page = (tmp_path / "docs" / "results.md").read_text()
    assert ledger.to_markdown(read) == page
    assert read["schema"] == ledger.SCHEMA
    assert read["groups"] == json.loads(json.dumps(built["groups"], allow_nan=False))
    command = f"softmachine ledger {five} --sequences 20 --out {tmp_path}/docs/results.md"
    assert read["command"] == command
    assert f"`{command}`; all numbers are in `results.json`" in page
    assert sorted(path.name for path in (tmp_path / "docs").iterdir()) == [
        "results.json",
        "results.md",
    ]
    assert tests_done == [20] * 4
    with pytest.raises(SoftmachineError, match=r"try .*results\.md"):
        ledger.write(tmp_path / "results.json", built)


def test_a_run_is_tested_once_until_something_changes(tmp_path, tests_done):
    run = write_run(tmp_path / "run", recall(seed=3), **ended(3, solved=1000))
    said = []

    def build(sequences=50):
        built = ledger.build(
            [tmp_path], recipes=RECIPES, sequences=sequences, report=said.append
        )
        return built["groups"][0]["runs"][0]["tests"]

    first = build()
    assert build() == first
    assert tests_done == [50]
    assert said == [f"testing {run.path}"]
    build(sequences=60)
    assert tests_done == [50, 60]
    run.save_best(first_state(run.experiment), {"step": 99, "validation_bits": 0.4})
    assert build(sequences=60) != first
    build(sequences=60)
    assert tests_done == [50, 60, 60]


@pytest.mark.usefixtures("tests_done")
def test_seeds_that_were_measured_earlier_are_kept(tmp_path):
    """A ledger that grew in two parts is one that was made of all at once."""
    for seed in range(4):
        solved = None if seed == 2 else 1000 * (1 + seed)
        environment = ENVIRONMENT | {"date": f"2026-01-0{1 + seed // 2}"}
        path = tmp_path / f"part-{seed // 2}" / f"{seed}"
        write_run(
            path, recall(seed=seed), environment=environment, **ended(seed, solved=solved)
        )
    page = tmp_path / "results.md"

    def build(*parts):
        return ledger.build([tmp_path / part for part in parts], recipes=RECIPES)

    whole = build("part-0", "part-1")
    for first, second in (("part-0", "part-1"), ("part-1", "part-0")):
        ledger.write(page, build(first))
        (grown,) = ledger.with_others(build(second), page, RECIPES)["groups"]
        (group,) = whole["groups"]
        assert [row["seed"] for row in grown["runs"]] == [0, 1, 2, 3]
        for part in ("summary", "runs", "criterion", "drift", "commands"):
            assert _without_tests(grown[part]) == _without_tests(group[part])
        assert sorted(kept["seeds"] for kept in grown["environments"]) == [[0, 1], [2, 3]]
    ledger.write(page, build("part-0"))
    (again,) = ledger.with_others(build("part-0"), page, RECIPES)["groups"]
    assert [row["seed"] for row in again["runs"]] == [0, 1]


def _without_tests(value):
    """Leave out scores, which are made up in the order in which runs are tested."""
    return (
        [row | {"tests": None} for row in value]
        if isinstance(value, list) and value and "tests" in value[0]
        else value
    )


@pytest.mark.usefixtures("tests_done")
def test_what_is_known_of_other_recipes_can_be_kept(tmp_path):
    """In the recipes' order, whichever was measured last; what is measured anew replaces.

    But for what was measured of the recipe as it is now: other settings do not replace that.
    """
    recipes = {"first": lambda: recall(), **RECIPES}
    for name in ("first", "second"):
        experiment = dataclasses.replace(
            recall(), recipe="first" if name == "first" else "recall"
        )
        write_run(tmp_path / name, experiment, **ended(0, solved=1000))
    anew = recall(seed=5, batch=2)
    write_run(tmp_path / "anew", anew, **ended(0, solved=2000))
    page = tmp_path / "results.md"

    def build(*names):
        return ledger.build([tmp_path / name for name in names], recipes=recipes, sequences=20)

    ledger.write(page, build("second"))
    ledger.write(page, ledger.with_others(build("first"), page, recipes))
    ledger.write(page, ledger.with_others(build("anew"), page, recipes))
    read = json.loads(page.with_suffix(".json").read_text())
    assert [(group["recipe"], group["runs"][0]["seed"]) for group in read["groups"]] == [
        ("first", 0),
        ("recall", 0),  # as the recipe is now
        ("recall", 5),
    ]
    again = ledger.with_others(build("second"), page, recipes)["groups"]
    assert [(group["recipe"], group["runs"][0]["seed"]) for group in again] == [
        ("first", 0),
        ("recall", 0),  # and what differs from it is replaced
    ]
    assert read["command"].endswith(f"--keep-others --out {page}")
    assert ledger.to_markdown(read) == page.read_text()
    for content, message in (("{", "not the JSON of a ledger"), ('{"schema": 0}', "schema 0")):
        page.with_suffix(".json").write_text(content)
        with pytest.raises(SoftmachineError, match=message):
            ledger.with_others(build("first"), page, recipes)
    with pytest.raises(SoftmachineError, match="cannot read"):
        ledger.with_others(build("first"), tmp_path / "none.md", recipes)


def test_folders_of_runs_and_populations(tmp_path, tests_done):
    """Each run counts once, however often it is named; groups stand in recipes' order."""
    other = dataclasses.replace(recall(), recipe="first")
    create_population(tmp_path / "a" / "b", recall(seed=2), 2)
    create_population(tmp_path / "a" / "c", other, 1)
    for seed in (7, 0):
        write_run(tmp_path / f"run-{seed}", recall(seed=seed))
    recipes = {"first": lambda: other} | RECIPES
    built = ledger.build([tmp_path, tmp_path / "run-7", tmp_path / "a"], recipes=recipes)
    first, second = built["groups"]
    assert first["recipe"] == "first"
    assert [row["seed"] for row in second["runs"]] == [0, 2, 3, 7]
    assert second["commands"] == [
        "softmachine train recall --seed 0",
        "softmachine train recall --members 2 --seed 2",
        "softmachine train recall --seed 7",
    ]
    # None of them has a checkpoint.
    assert second["summary"]["finished"] == 0
    assert second["summary"]["interval"][0] == 0
    assert second["summary"]["validation"] == {"error": None, "bits": None}
    page = ledger.to_markdown(built)
    assert "| [first](#first) | 0 of 1, 1 unfinished | 0 to 79 % | - | - | 0 | - | 0 |" in page
    assert tests_done == []


def test_environments_are_listed_with_their_seeds(tmp_path):
    gpu = ENVIRONMENT | {"hardware": "GPU", "platform": "gpu", "devices": 1, "commit": None}
    for seed, environment in enumerate([ENVIRONMENT, gpu, ENVIRONMENT]):
        write_run(tmp_path / str(seed), recall(seed=seed), environment=environment)
    page = ledger.to_markdown(ledger.build([tmp_path], recipes=RECIPES))
    assert "- Seeds 0, 2: Abacus 3000, 2 cpu devices; JAX" in page
    assert "- Seed 1: GPU, 1 gpu device; JAX" in page
    assert "(commit unknown)" in page


def test_a_night_is_named(tmp_path):
    hours = 3600.0 * 30
    progress = ended(0) | {"device_seconds": hours}
    write_run(tmp_path / "run", recall(), best=False, **progress)
    page = ledger.to_markdown(ledger.build([tmp_path], recipes=RECIPES))
    assert (
        "- Cost: 30 device-hours, 30 per seed; 15.0 h on 2 such devices, longer than a night."
        in page
    )


def test_drift_from_the_recipe_of_today(tmp_path):
    """Changed runs are a group of their own, with what was changed and how to do it again."""
    changed = recall(batch=2, memory_rows=(32, 64))
    changed = dataclasses.replace(
        changed, machine=dataclasses.replace(changed.machine, feed_reads=False)
    )
    write_run(tmp_path / "a", recall(seed=1))
    write_run(tmp_path / "b", changed)
    built = ledger.build([tmp_path], recipes=RECIPES)
    same, drifted = built["groups"]
    assert same["drift"] == []
    assert drifted["drift"] == [
        {"field": "machine.feed_reads", "run": False, "recipe": True},
        {"field": "training.batch", "run": 2, "recipe": 4},
        {"field": "training.memory_rows", "run": [32, 64], "recipe": []},
    ]
    assert drifted["commands"] == [
        "softmachine train recall --seed 0 --machine.no-feed-reads --training.batch 2 "
        "--training.memory-rows 32 64"
    ]
    page = ledger.to_markdown(built)
    title = "recall with feed_reads False, batch 2, memory_rows [32, 64]"
    assert f"## {title}" in page.splitlines()
    anchor = "recall-with-feed_reads-false-batch-2-memory_rows-32-64"
    assert f"| [{title}](#{anchor}) |" in page
    assert "- `training.batch`: `2` here, `4` in the recipe" in page.splitlines()


def test_drift_that_no_option_can_express_and_recipes_that_are_gone(tmp_path):
    changed = recall()
    training = dataclasses.replace(changed.training, curriculum=Growing(smallest=2, largest=6))
    write_run(tmp_path / "a", dataclasses.replace(changed, training=training))
    write_run(tmp_path / "b", dataclasses.replace(changed, recipe="forgotten"))
    built = ledger.build([tmp_path], recipes=RECIPES)
    drifted, forgotten = built["groups"]
    assert drifted["commands"] is None
    assert forgotten["commands"] is forgotten["drift"] is None
    page = ledger.to_markdown(built)
    assert "- `training.curriculum.kind_of`: `growing` here, `uniform` in the recipe" in page
    assert "- `training.curriculum.patience`: `100` here, absent in the recipe" in page
    assert "**There is no recipe forgotten today.**" in page
    assert page.count("No command makes these runs") == 2


def test_a_task_without_a_criterion(tmp_path, tests_done):
    experiment = Experiment(
        recipe="ngrams",
        task=NGrams(),
        machine=RecurrentConfig(controller=ControllerConfig(hidden=4)),
        training=TrainingConfig(solved=None, curriculum=Uniform(smallest=200, largest=200)),
    )
    recipes = {"ngrams": lambda: experiment}
    write_run(tmp_path / "run", experiment, best=False, **ended(0, error=3.5, bits=136.5))
    built = ledger.build([tmp_path], recipes=recipes)
    (group,) = built["groups"]
    summary = group["summary"]
    assert summary["solved"] is summary["failed"] is summary["interval"] is None
    page = ledger.to_markdown(built)
    row = "| [ngrams](#ngrams) | - | - | - | - | 4,000 | 3.5 (best 3.5) excess bits | 0.0556 |"
    assert row in page.splitlines()
    assert "| 200 bits | ≈ 136 | - | - | - | - |" in page.splitlines()
    assert "1 seed, all finished; there is no criterion for solved." in page
    # It has no best checkpoint, so there was nothing to test.
    assert tests_done == []


def access(**training) -> Experiment:
    return Experiment(
        recipe="access",
        task=Access(),
        machine=NRAMConfig(
            registers=2,
            gates=("READ", "WRITE"),
            controller=NRAMControllerConfig(hidden=4),
        ),
        training=TrainingConfig(
            batch=4,
            curriculum=Uniform(smallest=1, largest=6),
            objective=NRAMLoss(),
            solved=SolvedConfig(sequences=128, bits=None),
            phases=(Exam(), Restart(rules=((100, 0.3),))),
            **training,
        ),
    )


@pytest.fixture
def nrams(tmp_path, monkeypatch):
    """Write three seeds of an NRAM; the larger a size, the worse, most of all made hard."""
    for seed, (attempts, progress) in enumerate(
        [
            (1, ended(0, solved=1000)),
            (3, ended(1, solved=5000)),
            (4, ended(2, error=0.75, bits=2.0)),
        ]
    ):
        run = access(seed=seed)
        write_run(tmp_path / f"run-{seed}", run, attempts=attempts, **progress)
    done = []
    monkeypatch.setattr(ledger, "examine", lambda _run: Verdict(0.0, 0.0))

    def score(_machine, task, sizes, *, sequences):
        seed = len(done)
        done.append([type(task).__name__, *sizes])
        return [
            SizeScore(
                size=size,
                sequences=sequences,
                metrics={
                    "bits": 1.0,
                    "wrong_cells": seed * size / 100,
                    "hard_error": seed * size / 50,
                    "agreement": 0.5,
                    "perfect": 0.0,
                },
            )
            for size in sizes
        ]

    monkeypatch.setattr(published_scores, "evaluate", score)
    return tmp_path, done


def test_nrams_are_shown_soft_and_hard_with_their_attempts(nrams):
    path, done = nrams
    built = ledger.build([path], recipes={"access": access})
    # Not the one that failed.
    assert done == [["Access", 20, 50]] * 2
    (group,) = built["groups"]
    summary = group["summary"]
    assert (group["machine"], group["task"]) == ("nram", "Access")
    assert (summary["tried"], summary["solved"], summary["attempts"]) == (3, 2, 8)
    assert [row["attempts"] for row in group["runs"]] == [1, 3, 4]
    assert group["criterion"] == {
        "error": 0.0,
        "sequences": 128,
        "sizes": [1, 6],
        "test": {"largest": 50, "examples": 1000, "exam": True},
        "also": [],
    }
    twenty, fifty = group["tests"]
    assert twenty["seeds"] == 2
    assert twenty["error"]["spread"]["median"] == 0.1
    assert twenty["hard_error"]["spread"]["median"] == 0.2
    assert fifty["hard_error"]["spread"]["highest"] == 1
    assert [test["hard_error"]["best_member"] for test in group["tests"]] == [0, 0]
    assert twenty["paper"] is fifty["paper"] is None
    json.dumps(built, allow_nan=False)

    lines = ledger.to_markdown(built).splitlines()
    for line in (
        "- Access, machine nram; 3 seeds with 8 attempts, all finished: 2 solved, 1 failed "
        "(21 to 94 % solve it).",
        "- Solved means at most 0 wrong cells per sequence, on 128 sequences of sizes 1 to 6, "
        "and then no mistake on 1,000 of sizes 1 to 50 and in the exam of the task's hard "
        "cases, neither soft nor with every choice made hard.",
        "softmachine train access --members 3",
        "| test | soft: wrong cells | best seed (0) | made hard: wrong cells | best seed (0) |",
        "| size 20 | 0.1 (0.05 to 0.15) | 0 | 0.2 (0.1 to 0.3) | 0 |",
        "| size 50 | 0.25 (0.125 to 0.375) | 0 | 0.5 (0.25 to 0.75) | 0 |",
        "- The paper on size 20: error 0; generalisation perfect; made hard: perfect (Table 1; "
        "perfect means no error up to size 50).",
        "| 2 | no | - | 6,000 | 300 s | 0.75 | 2 | - | - | - |",
    ):
        assert line in lines, line


def test_seeds_of_before_the_exam_are_not_said_to_have_passed_it(nrams, tmp_path):
    """What an earlier ledger says of them is kept; a program may be wrong in hard cases."""
    path, _ = nrams
    page = tmp_path / "results.md"
    today = dataclasses.replace(access(), recipe="today")
    recipes = {"access": access, "today": lambda: today}
    earlier = ledger.build([path], recipes=recipes)
    for row in earlier["groups"][0]["runs"]:
        del row["exam"]
    ledger.write(page, earlier)
    write_run(tmp_path / "today", today, **ended(0, solved=1000))
    grown = ledger.with_others(
        ledger.build([tmp_path / "today"], recipes=recipes), page, recipes
    )
    exams = {x["recipe"]: x["criterion"]["test"]["exam"] for x in grown["groups"]}
    assert exams == {"access": False, "today": True}
    text = ledger.to_markdown(grown)
    assert text.count("and in the exam of the task's hard cases") == 1
    assert text.count("made hard (**not** judged by the exam of the task's hard cases)") == 1


def test_nrams_count_as_solved_if_they_pass_today_s_exam(tmp_path, access_machine):
    """Whatever training took for solved, by an older test."""
    experiment = dataclasses.replace(access(), machine=access_machine.config)
    training = dataclasses.replace(
        experiment.training, solved=SolvedConfig(bits=None), phases=(Exam(largest=3),)
    )
    experiment = dataclasses.replace(experiment, training=training)
    for seed, machine in enumerate(
        (access_machine, experiment.machine.build(key=jax.random.key(0)))
    ):
        run = write_run(
            tmp_path / f"run-{seed}", experiment.with_seed(seed), **ended(seed, solved=40)
        )
        state = first_state(experiment)._replace(parameters=split_trainable(machine)[0])
        run.save_best(state, {"step": 1, "validation_bits": 0.5})
    (group,) = ledger.build([tmp_path], recipes={}, sequences=4)["groups"]
    right, wrong = group["runs"]
    assert (right["solved"], wrong["solved"]) == (True, False)
    assert right["exam"] == {"hard": 0, "soft": 0}
    assert wrong["exam"]["hard"] > 0.1
    assert (right["solved_sequences"], wrong["solved_sequences"]) == (40, None)
    assert (right["tested"], wrong["tested"]) == (True, False)
    assert (group["summary"]["solved"], group["summary"]["best_seed"]) == (1, 0)
    page = ledger.to_markdown(ledger.build([tmp_path], recipes={}, sequences=4))
    assert "| 1 | no, fails the exam | - |" in page
    # A card says it, too.
    *_, row = published_scores.paper_scores(Run(tmp_path / "run-1"), 4)
    assert row["test"].startswith("exam: hard cases up to size 3")
    assert (row["hard_error"], row["wrong_cells"]) == (wrong["exam"]["hard"], 1)


def test_tests_that_differ_in_their_metric_alone_are_one_row_of_a_card(tmp_path, monkeypatch):
    """It has all metrics; where figures stand beside them, each has a row of its own."""
    task = Episodes(source=Omniglot(path="nowhere"), labels="words")
    run = Run.create(tmp_path / "run", dataclasses.replace(recall(), task=task))
    tests = run.experiment.task.published_tests()

    def score_tests(_, asked, sequences, report):
        assert [len(asked), sequences, report] == [24, 9, None]
        return [None if test.size == 15 else {"bits": float(test.size)} for test in asked]

    monkeypatch.setattr(published_scores, "score_tests", score_tests)
    assert published_scores.paper_scores(run, 9) == [
        {"test": name, "sequences": 9, "bits": 5.0}
        for name in ("5 classes", "5 classes, images as drawn")
    ]
    alike = {test.together: (test.task, test.size) for test in tests}
    assert all(alike[test.together] == (test.task, test.size) for test in tests)


def test_a_verdict_is_kept_until_the_machine_or_the_exam_changes(
    tmp_path, access_machine, monkeypatch
):
    experiment = dataclasses.replace(access(), machine=access_machine.config)
    run = write_run(tmp_path / "run", experiment, **ended(0, solved=40))
    state = first_state(experiment)
    judged = []

    def judge(*_):
        judged.append(1)
        return Verdict(0.0, 0.25)

    monkeypatch.setattr(examined, "judge", judge)
    for changed in (True, False):
        run.save_best(state, {"step": 1, "bits": float(changed)})
        assert [examined.examine(run) for _ in range(2)] == [Verdict(0.0, 0.25)] * 2
    assert len(judged) == 2
    draw = examined.draw_exam
    monkeypatch.setattr(examined, "draw_exam", lambda *a: draw(*a, repeats=1))
    examined.examine(run)
    assert len(judged) == 3


def test_repair_is_counted_once_all_members_went_through_it(nrams):
    path, _ = nrams
    built = ledger.build([path], recipes={"access": access})
    assert built["groups"][0]["repair"] is None
    shares = {"changes": 2, "wires": 0.0, "tuned": 0.5, "both": 0.0, "annealed": 0.0}
    for seed, (soft, hard) in enumerate([(0.0, 0.25), (0.5, 0.5), (0.0, 0.0)]):
        mended = shares | {"soft": soft, "hard": hard}
        if not hard:
            mended |= {"changes": 0, "tuned": 0.0}
        Run(path / f"run-{seed}").save_result("repair", mended)
    built = ledger.build([path], recipes={"access": access})
    assert built["groups"][0]["repair"] == {
        "members": 3,
        "soft": 2,
        "hard": 1,
        "wires": 3,
        "tuned": 1,
        "both": 3,
        "annealed": 3,
    }
    assert (
        "- Made hard, 1 of 3 make no mistake at the sizes of the solved test (2 validate "
        "without one while soft). After `softmachine repair`: 3 by changing single wires, 1 by "
        "fine-tuning, 3 by both, 3 by annealing all wires."
    ) in ledger.to_markdown(built).splitlines()


def test_seeds_without_restarts_say_nothing_of_attempts(five, tests_done):
    (group,) = ledger.build([five], recipes=RECIPES)["groups"]
    assert group["summary"]["attempts"] == 5
    assert "attempt" not in ledger.to_markdown(ledger.build([five], recipes=RECIPES))
    assert len(tests_done) == 4


def test_trained_population(tmp_path, monkeypatch):
    """The whole way, on a machine for which only the smallest test is small enough."""
    experiment = Experiment(
        recipe="small",
        task=Copy(width=2),
        machine=NTMConfig(
            controller=ControllerConfig(kind="feedforward", hidden=4),
            memory_rows=12,
            memory_columns=3,
            initial_weightings="first-row",
        ),
        training=TrainingConfig(
            max_sequences=16,
            curriculum=Uniform(smallest=1, largest=2),
            solved=SolvedConfig(sequences=4),
            validate_every=8,
        ),
    )
    recipes = {"small": lambda: experiment}
    runs = create_population(tmp_path / "runs", experiment, 2)
    progress = train_members(runs)
    built = ledger.build([tmp_path / "runs"], recipes=recipes, sequences=4)
    (group,) = built["groups"]
    assert [row["best_bits"] for row in group["runs"]] == [p.best_bits for p in progress]
    assert [row["device_seconds"] for row in group["runs"]] == [
        p.device_seconds for p in progress
    ]
    assert group["commands"] == ["softmachine train small --members 2"]
    assert group["machine"] == "ntm-ff"
    for row in group["runs"]:
        first, *others = row["tests"]
        assert 0 <= first["wrong_bits"] <= 20
        assert others == [None] * 4
    best = min(group["runs"], key=lambda row: (row["best_error"], row["best_bits"]))
    assert group["tests"][0]["reported"]["best_member"] == best["tests"][0]["bits"]
    assert group["tests"][4]["reported"]["spread"] is None
    monkeypatch.delattr(published_scores, "evaluate")
    again = ledger.build([tmp_path / "runs"], recipes=recipes, sequences=4)
    assert again["groups"] == built["groups"]


def test_nothing_to_show(tmp_path):
    def build(*paths):
        return ledger.build(paths, recipes=RECIPES)

    with pytest.raises(SoftmachineError, match="no paths given"):
        build()
    with pytest.raises(SoftmachineError, match="has no run"):
        build(tmp_path)
    with pytest.raises(SoftmachineError, match="does not exist"):
        build(tmp_path / "nowhere")
    for name in ("a", "b"):
        Run.create(tmp_path / name, recall(seed=5))
    with pytest.raises(SoftmachineError, match="same experiment with the same seed"):
        build(tmp_path)
    (tmp_path / "a" / "config.json").write_text("{")
    with pytest.raises(SoftmachineError, match=r"a/config\.json cannot be read"):
        build(tmp_path)


def test_what_a_search_found_stands_without_members_that_were_never_trained(
    tmp_path, doubling_machine, doubling_task
):
    experiment = synthesis(doubling_task, doubling_machine.config)
    members = create_population(tmp_path / "d", experiment, 3)
    save(tmp_path / "d" / "search", Found(doubling_machine, doubling_task), 0)
    built = ledger.build([tmp_path], recipes=RECIPES)
    (group,) = built["groups"]
    (row,) = group["runs"]
    assert (row["path"], row["searched"]) == (str(tmp_path / "d" / "search"), True)
    page = ledger.to_markdown(built)
    assert "unfinished" not in page
    assert "Made by `softmachine synthesize EXAMPLES`" in page
    assert "- Found by a search of loops, without training" in page
    for absent in ("There is no recipe", "No command makes", "device-hours,"):
        assert absent not in page
    with pytest.raises(SoftmachineError, match="nothing was trained there: a search found"):
        ledger.build([members[0].path], recipes=RECIPES)
    # A member that was begun counts, as everywhere.
    members[1].save_last(first_state(members[1].experiment), Progress(sequences=32))
    rows = [row for each in ledger.build([tmp_path], recipes=RECIPES)["groups"]
            for row in each["runs"]]  # fmt: skip
    assert {(row["seed"], row["searched"]) for row in rows} == {(0, True), (1, False)}


def test_machines_without_a_hard_form_are_judged_by_their_own_criterion(tmp_path):
    recipe = get_recipe("npi-ram-transfer")
    run = write_run(tmp_path / "run", recipe, **ended(0, solved=1000, finished=False))
    (group,) = ledger.build([run.path], recipes=RECIPES)["groups"]
    assert group["task"] == "Reverse"
    (row,) = group["runs"]
    assert (row["solved"], row["exam"]) == (True, None)
