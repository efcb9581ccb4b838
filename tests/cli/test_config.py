"""``train --config FILE``: what a run's config.json holds, edited or not, is trained."""

import json
from pathlib import Path

import pytest

from softmachine.cli.main import main
from softmachine.experiments.runs import Run

SMALL = [
    *("--machine.controller.hidden", "4", "--machine.controller.layers", "1"),
    *("--training.batch", "4", "--training.max-sequences", "8"),
    *("--training.curriculum.largest", "3", "--training.validate-every", "8"),
    *("--training.solved.sequences", "4"),
]


@pytest.fixture
def first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    main(["train", "lstm-copy", "--run", "first", *SMALL])
    return Path("first/config.json")


def test_the_same_is_trained_bit_for_bit(first):
    main(["train", "--config", str(first), "--run", "again"])
    one, other = Run("first"), Run("again")
    assert one.experiment == other.experiment
    timed = ("seconds", "device_seconds", "sequences_per_second")
    lines = [
        [{k: x for k, x in line.items() if k not in timed} for line in run.metrics()]
        for run in (one, other)
    ]
    assert lines[0] == lines[1]


def test_it_can_be_edited_and_overridden(first):
    value = json.loads(first.read_text())
    value["experiment"]["task"]["width"] = 5
    Path("mine.json").write_text(json.dumps(value))
    main(["train", "--run", "mine", "--config=mine.json", "--seed", "7", "--task.width=6"])
    experiment = Run("mine").experiment
    assert experiment.training.seed == 7
    assert experiment.task.width == 6
    assert experiment.recipe == "lstm-copy"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--config", "none.json"], "none.json cannot be read: No such file"),
        (["--config", "text.json"], "text.json cannot be read"),
        (["--config", "empty.json"], "empty.json does not hold an experiment"),
        (["lstm-copy", "--config", "first.json"], "exclude each other"),
        (["--config"], "--config"),
        (["--seed", "3"], "train needs a RECIPE, --config FILE"),
    ],
)
def test_errors_are_one_line(arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("text.json").write_text("{")
    Path("empty.json").write_text("{}")
    with pytest.raises(SystemExit) as stop:
        main(["train", *arguments])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
