"""Scores, metrics, runs and models as tables: CSV, frames, what notebooks show."""

import csv
import dataclasses
import io
import re
import sys

import pytest

import softmachine as sm
from softmachine.cli.main import main
from softmachine.core.errors import SoftmachineError
from softmachine.core.frames import to_csv, to_frame, to_html
from softmachine.core.specs.bits import Bits
from softmachine.experiments.progress import Progress
from softmachine.experiments.runs import Run
from softmachine.running.generalization import SizeScore, SizeScores

ROWS = [{"size": 20, "bits": 0.5, "name": "a, b"}, {"size": 1000, "bits": None}]
SCORES = SizeScores(
    [
        SizeScore(size=20, sequences=100, metrics={"bits": 0.25, "wrong_bits": 0.0}),
        SizeScore(size=40, sequences=100, metrics={"bits": 1.5, "wrong_bits": 2.0}),
    ],
    Bits(8),
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    experiment = sm.get_recipe("lstm-copy")
    task = dataclasses.replace(experiment.task, width=3)
    controller = sm.machines.ControllerConfig(hidden=4)
    machine = dataclasses.replace(experiment.machine, controller=controller)
    training = dataclasses.replace(
        experiment.training,
        max_sequences=40,
        validate_every=20,
        batch=4,
        curriculum=sm.experiments.Uniform(largest=3),
        solved=dataclasses.replace(experiment.training.solved, sequences=8),
    )
    small = dataclasses.replace(experiment, task=task, machine=machine, training=training)
    path = tmp_path_factory.mktemp("run") / "run"
    sm.train(sm.Run.create(path, small))
    return path


@pytest.fixture
def run(trained):
    return Run(trained)


def test_csv_is_read_back():
    read = list(csv.DictReader(io.StringIO(to_csv(ROWS))))
    assert read == [
        {"size": "20", "bits": "0.5", "name": "a, b"},
        {"size": "1000", "bits": "", "name": ""},
    ]


def test_html_shows_text_as_text():
    shown = to_html([{"a_b": "<b>", "n": 12345, "x": 1 / 3, "yes": True}], "<i>")
    assert "<b>" not in shown
    assert "<i>" not in shown
    assert "<th>a b</th>" in shown
    assert "<td>12,345</td><td>0.3333</td><td>True</td>" in shown


def test_frames():
    pytest.importorskip("pandas")
    frame = SCORES.to_frame()
    assert list(frame["wrong_bits"]) == [0.0, 2.0]
    assert list(frame["size"]) == [20, 40]
    assert to_frame(ROWS).isna().sum().sum() == 2


def test_without_pandas_a_frame_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(SoftmachineError, match=r"pip install 'softmachine\[frames\]'"):
        SCORES.to_frame()


def test_scores_say_what_they_are():
    assert repr(SCORES[0]) == "<size 20: bits 0.25, wrong_bits 0; 100 sequences>"
    assert SCORES._repr_html_().count("<tr>") == 3
    assert SCORES.to_csv().splitlines()[0].startswith("size,sequences,bits")
    assert isinstance(SCORES, list)


def test_runs_and_models_say_what_they_are(run):
    shown = run._repr_html_()
    assert "<th>best wrong bits</th>" in shown
    assert f"<caption>{run.path}</caption>" in shown
    model = sm.zoo.open_model("ntm-copy")
    assert "ZooModel &#x27;ntm-copy&#x27;: NTM, Copy" in model._repr_html_()
    assert model._repr_html_().count("<tr>") == 1 + len(model.card["tests"])


def test_what_training_returns_is_a_table():
    shown = Progress(sequences=1200, best_error=31.389, finished=True)._repr_html_()
    cells = re.findall("<td>(.*?)</td>", shown)
    assert cells == ["1,200", "", "31.39", "inf", "0", "yes"]


def test_a_run_that_was_not_trained_says_what_it_is(run, tmp_path):
    new = Run.create(tmp_path / "new", run.experiment)
    assert "sequences" not in new._repr_html_()


def test_commands_print_csv(trained, capsys):
    main(["evaluate", str(trained), "--sizes", "2", "3", "--sequences", "4", "--csv"])
    scores = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["size"] for row in scores] == ["2", "3"]
    assert {row["machine"] for row in scores} == {"lstm-copy, seed 0"}
    main(["metrics", str(trained)])
    lines = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["sequences"] for row in lines] == ["20", "40"]
    metrics = Run(trained).metrics()
    assert [float(row["validation_bits"]) for row in lines] == [
        line["validation_bits"] for line in metrics
    ]
    with pytest.raises(SystemExit):
        main(["evaluate", str(trained), "--csv", "--json"])
    assert "--csv and --json exclude each other" in capsys.readouterr().err
