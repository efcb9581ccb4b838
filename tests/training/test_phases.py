"""Phases of one's own: all that the contract promises, with one as machines to come need."""

import dataclasses
import json
import os
import signal
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.cli.training import _parse_train
from softmachine.experiments.experiment import SolvedConfig
from softmachine.experiments.phases import PHASES, Phase
from softmachine.experiments.runs import Run
from softmachine.experiments.serialization import experiment_from_json, experiment_to_json
from softmachine.recipes import get_recipe
from softmachine.training.trainer import train

EASY = SolvedConfig(sequences=20, error=100.0, bits=100.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tying(Phase):
    """Parameters pulled towards each other, and one day tied: as a Neural GPU's are.

    Here those of one bias: all that matters is when, and that nothing is solved before.
    """

    interruptible: ClassVar[bool] = True

    updates: int = 15
    pull: float = 0.1

    def check(self, experiment):
        if experiment.training.solved is None:
            raise ValueError("relaxation needs to know what a mistake is")

    def steps(self, steps, state):
        bias = state.parameters.output.bias
        pulled = steps.output.bias - self.pull * (bias - bias.mean())
        return dataclasses.replace(steps, output=dataclasses.replace(steps.output, bias=pulled))

    def verdict(self, member):
        return bool(member.notes(self).get("tied"))

    def due(self, member):
        return member.age >= self.updates and not member.notes(self).get("tied")

    def apply(self, member, ended):
        if ended[0]:
            return False
        machine = member.machine()
        bias = jnp.full_like(machine.output.bias, machine.output.bias.mean())
        output = dataclasses.replace(machine.output, bias=bias)
        member.remember(self, tied=1)
        member.take(dataclasses.replace(machine, output=output))
        return True


@pytest.fixture
def relaxed(experiment, with_training, monkeypatch):
    """An experiment with a phase that is not the package's."""
    monkeypatch.setattr(PHASES, "_registered", {**PHASES._registered})
    PHASES.register("tying")(Tying)
    return with_training(experiment, solved=EASY, phases=(Tying(),))


def bias(run):
    return np.asarray(run.load_machine().output.bias)


def test_a_phase_says_when_it_is_due_and_what_it_does(relaxed, tmp_path):
    """Until then nothing is solved; afterwards it is validated, and judged, at once."""
    run = Run.create(tmp_path / "run", relaxed)
    progress = train(run)
    assert [line["step"] for line in run.metrics()] == [5, 10, 15]
    assert (progress.solved_sequences, progress.finished) == (60, True)
    assert progress.phases == {"tying": {"tied": 1}}
    assert np.ptp(bias(run)) == 0
    state = run.load_last().state
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(state.optimizer))


def test_a_phase_has_its_part_in_every_update(relaxed, with_training, tmp_path):
    """Each takes nine tenths of the distance off, whatever the gradient says."""
    spreads = []
    for pull in (0.0, 0.9):
        phases = (Tying(updates=1000, pull=pull),)
        run = Run.create(tmp_path / str(pull), with_training(relaxed, phases=phases))
        assert train(run).solved_sequences is None
        spreads.append(np.ptp(run.load_last().state.parameters.output.bias))
    assert spreads[1] < 0.5 * spreads[0]


def test_a_phase_that_was_interrupted_is_gone_on_with(
    relaxed, tmp_path, assert_same, without_times
):
    def report(progress, _line):
        if progress.step == 10:
            os.kill(os.getpid(), signal.SIGTERM)

    straight, broken = (Run.create(tmp_path / name, relaxed) for name in ("a", "b"))
    train(straight)
    stopped = train(broken, report)
    assert (stopped.step, stopped.phases, stopped.finished) == (15, {}, False)
    assert train(Run(broken.path)).finished
    assert_same(straight.load_last().state, broken.load_last().state)
    assert_same(straight.load_machine(), broken.load_machine())
    assert without_times(straight.metrics()) == without_times(broken.metrics())


def test_files_and_the_command_line_know_it(relaxed):
    value = json.loads(json.dumps(experiment_to_json(relaxed)))
    assert value["experiment"]["training"]["phases"][0]["kind_of"] == "tying"
    assert experiment_from_json(value, "x") == relaxed
    recipe = get_recipe("ntm-copy")
    training = dataclasses.replace(recipe.training, phases=relaxed.training.phases)
    recipe = dataclasses.replace(recipe, training=training)
    options = _parse_train(recipe, ["--training.phases.tying.updates", "7"])
    assert options.training.phases == (Tying(updates=7),)


def test_a_phase_may_refuse_an_experiment(relaxed, with_training):
    with pytest.raises(ValueError, match="relaxation needs to know what a mistake is"):
        with_training(relaxed, solved=None)
