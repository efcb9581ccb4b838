"""What `softmachine evaluate` prints, and which sizes it takes where none are given."""

import jax
import numpy as np
import pytest

from softmachine.cli import scoring
from softmachine.cli.scoring import Changes, _default_sizes, _print_scores
from softmachine.cli.sources import Trained
from softmachine.evaluation.report import _score_sections
from softmachine.experiments.curricula import Uniform
from softmachine.experiments.experiment import Experiment, TrainingConfig
from softmachine.machines.mann import MANNConfig
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.machines.recurrent import RecurrentConfig
from softmachine.running.generalization import SizeScore, evaluate
from softmachine.tasks.one_shot.episodes import Episodes
from softmachine.tasks.one_shot.glyphs import Glyphs
from softmachine.tasks.one_shot.regression import GPRegression
from softmachine.tasks.sequences.copy import Copy


def test_with_many_metrics_each_is_a_row_with_its_interval(capsys):
    task = Episodes()
    names = ["bits", "perfect", "wrong_symbols", *(f"instance_{k}" for k in task.reported)]
    scores = [
        SizeScore(
            size=size,
            sequences=1000,
            metrics=dict.fromkeys(names, 0.5),
            standard_errors=dict.fromkeys(names, 0.01),
        )
        for size in (2, 5)
    ]
    _print_scores(scores, task, "a machine")
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    cells = [
        [x.strip() for x in line.strip("┃│").split("│" if "│" in line else "┃")]
        for line in lines
    ]
    assert ["size", "2", "5"] in cells
    assert ["instance 10", "50.0% ± 2.0%", "50.0% ± 2.0%"] in cells
    assert ["bits", "0.500 ± 0.020", "0.500 ± 0.020"] in cells


def test_a_metric_that_counts_nothing_at_a_size_has_no_number_there(capsys):
    """It would be 0, and look like a failure, or like perfection."""
    task = GPRegression()
    config = RecurrentConfig(controller=ControllerConfig(kind="lstm", hidden=3))
    machine = config.build(2, 2, key=jax.random.key(0))
    few, many = scores = evaluate(machine, task, [2, 5], sequences=4)
    assert "gap_5" not in few.metrics
    assert few.standard_errors.keys() == few.metrics.keys()
    assert many.standard_errors["gap_last"] == many.standard_errors["gap_5"] > 0
    _print_scores(scores, task, "a machine")
    rows = {
        cells[0]: cells[1:]
        for line in capsys.readouterr().out.splitlines()
        if len(cells := [x.strip() for x in line.strip("┃│").replace("┃", "│").split("│")]) == 3
    }
    assert rows["size"] == ["2", "5"]
    assert rows["gap 5"][0] == "-"
    gap, error = many.metrics["gap_5"], 1.96 * many.standard_errors["gap_5"]
    assert rows["gap 5"][1] == rows["gap last"][1] == f"{gap:.3f} ± {error:.3f}"
    (section, _) = _score_sections(task, scores, 5)
    assert "<td>-</td>" in section


def test_no_size_is_tested_that_the_task_or_the_memory_does_not_have():
    assert _default_sizes(Copy(), 20, 128) == [20, 40, 80, 120]
    assert _default_sizes(Copy(), 20, 60) == [20, 40]
    assert _default_sizes(Episodes(), 5, 128) == [5]
    assert _default_sizes(Episodes(labels="words"), 15, None) == [15, 30, 60, 90]


@pytest.fixture
def learner():
    """A machine that has learned nothing, trained on episodes of one size."""
    source = Glyphs(train_classes=4, test_classes=4, drawings=3)
    experiment = Experiment(
        recipe="it",
        task=Episodes(source=source, side=4, per_class=3, names=3),
        machine=MANNConfig(
            controller=ControllerConfig(hidden=4), memory_rows=6, memory_columns=3, heads=1
        ),
        training=TrainingConfig(curriculum=Uniform(smallest=3, largest=3)),
    )
    machine = experiment.machine.build(19, 3, key=jax.random.key(0))
    return Trained("it", experiment, machine, None)


def test_what_learns_within_an_example_is_drawn_over_instances(learner, monkeypatch):
    """Not over sizes: it was trained at one."""
    monkeypatch.setattr(scoring, "CURVE_SEQUENCES", 8)
    drawn = scoring._figures_of_one(learner, None, 0, Changes())
    assert {"instances"} == {name for name in drawn if not name.startswith("example")}
    (line,) = drawn["instances"].axes[0].containers[0].lines[:1]
    (score,) = scoring.curve(learner, Changes(), 0)
    assert score.size == 3
    # In nine images there is no tenth of a class.
    expected = [[k, 100 * score.metrics[f"instance_{k}"]] for k in (1, 2, 3, 4, 5)]
    np.testing.assert_allclose(line.get_xydata(), expected)
    bands = scoring._figures_of_many({"ours": [learner, learner]}, 0, Changes())
    assert "instances" in bands
    assert "generalization" not in bands
    task = learner.experiment.task
    (section,) = _score_sections(task, [score], 3)
    assert "Learning within an example" in section
    both = _score_sections(task, [score, score], 3)
    assert ["<table" in section for section in both] == [True, False]
    assert "Generalisation" in both[1]


def test_json_has_null_for_what_counts_nothing_or_is_not_finite():
    """Every row has the same names, and Python alone would read NaN."""
    rows = [{"size": 1, "bits": float("nan")}, {"size": 5, "bits": 2.0, "instance_5": 0.5}]
    assert scoring._as_json(rows) == [
        {"size": 1, "bits": None, "instance_5": None},
        {"size": 5, "bits": 2.0, "instance_5": 0.5},
    ]


def test_the_title_says_what_was_changed():
    assert str(Changes()) == ""
    machine = {"hard": True, "wrap": False, "sharpening_factor": 2.0}
    changes = Changes(memory_rows=256, task=("shots=1",), machine=machine)
    assert str(changes) == ", memory rows 256, hard, no wrap, sharpening factor 2.0, shots=1"


def test_shares_are_those_of_the_task_that_is_tested(learner, monkeypatch, capsys):
    """With other shots another instance is asked for; its accuracy is a share, too."""
    monkeypatch.setattr(scoring, "open_trained", lambda _: [learner])
    scoring.evaluate_source("it", [2], 4, 0, Changes(task=("shots=5",)), "table")
    printed = capsys.readouterr().out
    assert "instance 6" in printed
    row = [x.strip() for x in printed.splitlines()[-2].strip("│").split("│")]
    assert sum(cell.endswith("%") for cell in row) == 3  # accuracy, instance 6, perfect
