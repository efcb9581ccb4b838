"""A person's own work from the command line: ``--data`` with files, ``--from`` with modules."""

import json
import sys
from pathlib import Path

import pytest

from softmachine.cli.main import main
from softmachine.experiments.population import open_population
from softmachine.experiments.runs import Run
from softmachine.tasks.registry import TASKS
from softmachine.traces.file import load_trace

SMALL = [
    *("--machine.controller.hidden", "4", "--machine.controller.layers", "1"),
    *("--training.batch", "4", "--training.max-sequences", "16"),
    *("--training.validate-every", "8", "--training.checkpoint-every", "8"),
    *("--training.solved.sequences", "4"),
]
MODULE = '''
import dataclasses

import softmachine as sm
from softmachine.experiments import SolvedConfig, Uniform
from softmachine.machines import ControllerConfig, RecurrentConfig
from softmachine.recipes import recipe
from softmachine.tasks.registry import task
from softmachine.tasks.sequences.copy import Copy


@task("short-copy")
@dataclasses.dataclass(frozen=True, kw_only=True)
class ShortCopy(Copy):
    """Copy vectors of three bits."""

    width: int = 3


@recipe("short")
def short():
    return sm.Experiment(
        recipe="short-copy",
        task=ShortCopy(),
        machine=RecurrentConfig(controller=ControllerConfig(hidden=4)),
        training=sm.TrainingConfig(
            max_sequences=16, validate_every=8, checkpoint_every=8,
            curriculum=Uniform(smallest=1, largest=2), solved=SolvedConfig(sequences=4),
        ),
    )


def number():
    return 3


def broken():
    raise KeyError("width")
'''


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    """An empty present directory; afterwards nothing of it is imported or registered."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    modules = {*sys.modules}
    from softmachine.recipes import RECIPES

    tables = [registry._registered for registry in (TASKS, RECIPES)]
    before = [dict(table) for table in tables]
    yield
    for name in {*sys.modules} - modules:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]
    for table, entries in zip(tables, before, strict=True):
        table.clear()
        table.update(entries)


def forget():
    """Be as a process that has not imported the module."""
    for name in ("mine", "other"):
        sys.modules.pop(name, None)
    TASKS._registered.pop("short-copy", None)


def error_of(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


def test_own_sequences_are_trained_tested_traced_and_shown(capsys):
    lines = [{"input": "ab"[: 1 + i % 2], "output": "ba"[i % 2 :]} for i in range(12)]
    Path("words.jsonl").write_text("\n".join(map(json.dumps, lines)))
    main(["train", "lstm", "--data", "words.jsonl", *SMALL])
    said = capsys.readouterr().out
    assert "12 sequences of 1 to 2 steps (2 letters)" in said
    assert "10 for training, 1 for validation, 1 for tests." in " ".join(said.split())
    path = "runs/lstm-words-0"
    assert Run(path).metrics()[-1]["sequences"] == 16
    main(["evaluate", path, "--sequences", "4", "--json"])
    tested = [score["size"] for score in json.loads(capsys.readouterr().out)["sizes"]]
    assert {*tested} <= {1, 2}
    assert len(tested) == len({*tested}) > 0
    Path("mine.json").write_text('"ba"')
    main(["trace", path, "--input", "mine.json", "--out", "mine.trace"])
    assert load_trace(Path("mine.trace")).header.length == 5
    main(["train", "--config", f"{path}/config.json", "--run", "again", "--seed", "1"])
    assert Run("again").experiment.with_seed(0) == Run(path).experiment

    Path("test.jsonl").write_text('{"input": "bb", "output": "aa"}\n' * 3)
    capsys.readouterr()
    other = ["--task", 'path="test.jsonl"', "--task", 'digest=""']  # each counts
    main(["evaluate", path, *other, "--sequences", "4", "--json"])
    said = json.loads(capsys.readouterr().out)
    assert [score["size"] for score in said["sizes"]] == [2]

    Path("words.jsonl").write_text('{"input": "a", "output": "b"}')
    assert "has changed since" in error_of(["evaluate", path], capsys)
    assert "three or more are needed" in error_of(
        ["train", "ntm", "--data", "words.jsonl", "--run", "none"], capsys
    )
    assert not Path("none").exists()


def test_a_file_s_experiment_and_a_function_s_exclude_each_other(capsys):
    Path("mine.py").write_text(MODULE)
    main(["train", "--from", "mine:short", "--run", "run"])
    capsys.readouterr()
    again = ["train", "--config", "run/config.json", "--run", "again", "--from"]
    said = error_of([*again, "mine:short"], capsys)
    assert "the function short of --from each give" in said
    assert said.endswith("or say --from mine\n")
    assert not Path("again").exists()
    main([*again, "mine"])
    assert Run("again").experiment == Run("run").experiment


def test_a_module_s_own_task_is_trained_resumed_and_tested(capsys):
    Path("mine.py").write_text(MODULE)
    main(["train", "--from", "mine:short", "--run", "run"])
    forget()
    said = error_of(["evaluate", "run", "--sizes", "2"], capsys)
    assert "short-copy" in said
    assert "--from MODULE" in said
    main(["evaluate", "run", "--from", "mine", "--sizes", "2", "--sequences", "4"])
    assert "size" in capsys.readouterr().out
    forget()
    main(["resume", "run", "--from=mine"])
    forget()
    main(["train", "short", "--from", "mine.py", "--members", "2", "--run", "two"])
    assert [run.experiment.training.seed for run in open_population("two")] == [0, 1]
    assert open_population("two")[0].experiment.recipe == "short"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "--from", "none:short"], "there is no module 'none'"),
        (["train", "--from", "none.py:short"], "there is no file none.py"),
        (["train", "--from", "bad:short"], "the module cannot be imported: No module named"),
        (
            ["train", "--from", "mine:shirt"],
            "mine has no function 'shirt'; did you mean short?",
        ),
        (["train", "--from", "mine:number"], "number returns no Experiment, but int"),
        (["train", "--from", "mine:broken"], "broken makes no experiment: KeyError: 'width'"),
        (["train", "--from", "mine"], "needs a recipe: --from mine:FUNCTION"),
        (["train", "ntm-copy", "--from", "mine:short"], "exclude each other"),
        (["train", "ntm", "--data", "x.jsonl", "--from", "mine"], "exclude each other"),
        (["evaluate", "run", "--from"], "--from needs a word after it"),
        (["train", "--data", "x.jsonl"], "needs a machine"),
        (["train", "ntm", "--data", "x.jsonl"], "x.jsonl does not exist"),
        (["train", "ntmm", "--data", "x.jsonl"], "did you mean ntm?"),
    ],
)
def test_errors_are_one_line(arguments, said, capsys):
    Path("mine.py").write_text(MODULE)
    Path("bad.py").write_text("import no_such_module")
    assert said in error_of(arguments, capsys)
    assert not Path("runs").exists()
