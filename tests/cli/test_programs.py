"""The command that prints programs."""

import json
import re

import equinox as eqx
import pytest

from softmachine.cli import programs
from softmachine.cli.main import main
from softmachine.cli.sources import Trained
from softmachine.core.capabilities import HardForm, Wired
from softmachine.evaluation.example_figures import draw_example_figure
from softmachine.machines.machine import Machine, Outcome
from softmachine.machines.nram.nram import NRAMConfig
from softmachine.programs.extraction import can_extract
from softmachine.programs.running import load_python
from softmachine.programs.verification import Check, Verification
from softmachine.recipes.registry import get_recipe
from softmachine.tasks.memories.arrays import Access


@pytest.mark.parametrize("to", ["python", "c", "json", "svg", "dot"])
def test_every_form(to, tmp_path, capsys):
    path = tmp_path / "program"
    main(["program", "zoo:nram-copy", "--to", to, "--out", str(path)])
    assert capsys.readouterr().out == f"{path}\n"
    text = path.read_text()
    main(["program", "zoo:nram-copy", "--to", to])
    assert capsys.readouterr().out == text
    if to in ("python", "c"):
        assert max(map(len, text.splitlines())) <= 80  # as wide as a terminal
    if to == "python":
        assert load_python(text)([4, 3, 1, 2, 0, 0, 0]) == [4, 3, 1, 2, 3, 1, 2]
    if to in ("python", "c", "json"):
        for word in ("Copy an array", "p is the address", "recipe nram-copy, seed 1"):
            assert word in " ".join(text.split())


@pytest.mark.parametrize("counterexample", [None, "for [2, 1, 0] cell 2 becomes 0"])
def test_verified(counterexample, monkeypatch, capsys):
    report = Verification((Check("tested", "solves it", 7, counterexample),))
    monkeypatch.setattr(programs, "verify", lambda *_, **__: report)
    arguments = ["program", "zoo:nram-copy", "--to", "json", "--verify"]
    if counterexample is None:
        main(arguments)
    else:
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 2
    captured = capsys.readouterr()
    assert str(report) in " ".join(json.loads(captured.out)["notes"])
    assert ("is not right: WRONG: solves it" in captured.err) == (counterexample is not None)


@pytest.mark.parametrize(
    ("source", "out", "words"),
    [
        ("zoo:ntm-copy", "program.py", "machines such as NTM, but of NRAM"),
        ("zoo:nram-copy", "missing/program.py", "cannot write"),
    ],
)
def test_refused(source, out, words, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["program", source, "--out", str(tmp_path / out)])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_in_colours_on_a_terminal_and_otherwise_the_same(monkeypatch, capsys):
    monkeypatch.setattr(programs, "on_terminal", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")
    text = 'def run(memory):\n    """What is longer than a narrow terminal is not cut."""\n'
    programs._show(text, "python")
    shown = capsys.readouterr().out
    assert "\x1b[" in shown
    assert re.sub(r"\x1b\[[0-9;]*m", "", shown) == text
    programs._show("<svg/>", "svg")
    assert capsys.readouterr().out == "<svg/>"


class OtherCircuit(Machine):
    """Another package's machine: wired, with a hard form, and otherwise nothing of an NRAM."""

    config: NRAMConfig = eqx.field(static=True)

    @property
    def gates(self):
        return ()

    @property
    def rows(self):
        return self.config.rows

    @property
    def test_options(self):
        return self.config.test_options

    def with_test_options(self, options):
        del options
        return self

    def run_hard(self, memories, steps, cells=None):
        del steps, cells
        return memories

    def run(self, inputs, *, steps=None, key=None, training=False):
        del steps, key, training
        return Outcome(inputs, {})


def test_a_circuit_that_nobody_can_read_is_refused(monkeypatch, capsys):
    machine, experiment = OtherCircuit(NRAMConfig()), get_recipe("nram-access")
    assert isinstance(machine, Wired)
    assert isinstance(machine, HardForm)
    trained = Trained("one", experiment, machine, None)
    monkeypatch.setattr(programs, "open_one", lambda _source: trained)
    with pytest.raises(SystemExit) as stop:
        main(["program", "one"])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "one: no program can be made of machines such as OtherCircuit, but of NRAM" in error
    # So a report has no section with one, and there is no figure of registers.
    assert not can_extract(machine, Access())
    assert draw_example_figure(machine, Access(), 2, seed=0) is None


def test_a_task_without_a_memory_has_no_program(access_machine):
    assert can_extract(access_machine, Access())
    assert not can_extract(access_machine, get_recipe("ntm-copy").task)
