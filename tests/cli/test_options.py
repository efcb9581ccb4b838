"""Options of a command that are a machine's own."""

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any

import pytest
import tyro

from softmachine.cli.options import changed, flags, with_options
from softmachine.cli.scoring import Changes
from softmachine.cli.sources import experiment_of, open_one
from softmachine.core.capabilities import Adjustable
from softmachine.core.choices import Positive
from softmachine.core.errors import SoftmachineError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    rounded: bool = False
    depth_factor: Positive = 1.0


def score(
    run: tyro.conf.Positional[str],
    /,
    seed: int = 0,
    *,
    machine: Annotated[Mapping[str, Any], tyro.conf.Suppress] = {},
):
    """Score."""
    return run, seed, dict(machine)


def parsed(options, *arguments):
    return tyro.cli(with_options(score, "machine", options), args=arguments)


def test_the_machine_s_options_stand_beside_the_command_s():
    assert parsed(Options(), "x", "--seed", "3", "--rounded") == ("x", 3, {"rounded": True})
    assert parsed(Options(), "x", "--depth-factor", "2") == ("x", 0, {"depth_factor": 2.0})
    assert parsed(None, "x") == ("x", 0, {})
    with pytest.raises(SoftmachineError, match="--depth-factor must be positive, not 0"):
        parsed(Options(), "x", "--depth-factor", "0")
    assert flags(Options()) == "--rounded, --depth-factor"
    assert flags(None) == ""


def test_a_machine_stays_as_it_was_trained_unless_told_otherwise():
    rounded = Options(rounded=True, depth_factor=3.0)
    assert parsed(rounded, "x") == ("x", 0, {})
    assert parsed(rounded, "x", "--rounded") == ("x", 0, {})
    assert parsed(rounded, "x", "--no-rounded") == ("x", 0, {"rounded": False})
    assert changed(rounded, rounded) == {}


@pytest.mark.parametrize("name", ["ntm-ff-copy", "nram-access"])
def test_configurations_say_the_options_of_their_machines(name):
    trained = open_one(f"zoo:{name}")
    assert isinstance(trained.machine, Adjustable)
    of_config = experiment_of(f"zoo:{name}").machine.test_options
    assert of_config == trained.machine.test_options
    hard, _ = Changes(machine={"hard": True}).apply(trained)
    assert hard.test_options == dataclasses.replace(of_config, hard=True)


def test_one_machine_s_options_are_refused_for_another_in_a_sentence():
    with pytest.raises(SoftmachineError, match="NRAM has no test option 'wrap': it has hard"):
        Changes(machine={"wrap": False}).apply(open_one("zoo:nram-access"))
