"""The command that tells what an NTM's heads do."""

import re

import equinox as eqx
import jax
import pytest

from softmachine.cli import moves
from softmachine.cli.main import main
from softmachine.cli.sources import Trained
from softmachine.core.errors import SoftmachineError
from softmachine.machines.machine import Machine, Outcome
from softmachine.machines.ntm.ntm import NTMConfig
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.recipes.registry import get_recipe


@pytest.fixture
def opened(monkeypatch):
    """Have the command find a machine, never trained, of a recipe."""

    def give(machine, recipe):
        trained = Trained("one", get_recipe(recipe), machine, None)
        monkeypatch.setattr(moves, "open_one", lambda _source: trained)

    return give


def test_an_ntm_on_strings_is_told(opened, capsys):
    task = get_recipe("ntm-reverse-string").task
    config = NTMConfig(
        controller=ControllerConfig(hidden=4),
        memory_rows=4,
        memory_columns=3,
        initial_weightings="first-row",
    )
    machine = config.build(task.input_size, task.output_size, key=jax.random.key(0))
    opened(machine, "ntm-reverse-string")
    main(["moves", "one", "--size", "3", "--sequences", "2"])
    assert "of the outputs differ" in capsys.readouterr().out


def test_examples_are_those_of_tests(opened, monkeypatch):
    """The recipe trains with noise, of which tests have none."""
    experiment, told = get_recipe("ntm-repeat-copy"), []
    opened(experiment.build_machine(), "ntm-repeat-copy")

    def check(_machine, task, *_, **__):
        told.append(task)
        raise SoftmachineError("enough")

    monkeypatch.setattr(moves, "give_account", lambda _machine, task, *_: told.append(task))
    monkeypatch.setattr(moves, "check_moves", check)
    with pytest.raises(SystemExit):
        main(["moves", "one", "--size", "3", "--sequences", "2"])
    assert [task.noise for task in (experiment.task, *told)] == [0.4, 0.0, 0.0]


class HalfHeaded(Machine):
    """Another package's machine: head parameters and a number of heads, no more."""

    config: NTMConfig = eqx.field(static=True)

    def head_parameters(self, hidden):
        return hidden

    def advance(self, state, encoded):
        return state, encoded

    def run(self, inputs, *, steps=None, key=None, training=False):
        del steps, key, training
        return Outcome(inputs, {})


def test_a_machine_whose_heads_cannot_be_put_on_rows_is_refused(opened, capsys):
    opened(HalfHeaded(NTMConfig(initial_weightings="first-row")), "ntm-copy")
    with pytest.raises(SystemExit) as stop:
        main(["moves", "one", "--size", "3", "--sequences", "2"])
    assert stop.value.code == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "one is a HalfHeaded: it has no heads whose moves could be told" in message


def test_every_mark_is_explained_and_every_head_named(capsys):
    main(["moves", "zoo:ntm-ff-copy", "--size", "2", "--sequences", "2"])
    out = capsys.readouterr().out
    table, legend, check = out.split("\n\n")
    for mark in ("stay", "+1", "-1", "jump", "~", "write", "(of 3)"):
        assert mark in legend
    assert "step  input" in table
    assert re.search(r"not between: read head [\d.]+%, write head [\d.]+%$", check.strip())
    assert max(map(len, out.splitlines())) <= 80
