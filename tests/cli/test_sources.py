"""What a RUN names on the command line: which machine a directory of several stands for."""

import dataclasses

import pytest

from softmachine.cli.main import main
from softmachine.cli.sources import experiment_of, open_one, open_trained
from softmachine.core.errors import SoftmachineError
from softmachine.experiments import commands, population
from softmachine.experiments.population import create_population
from softmachine.experiments.progress import Progress
from softmachine.machines.machine import split_trainable
from softmachine.synthesis import experiment as synthesis
from softmachine.synthesis.search import given


def keep(run, machine, *, solved):
    """Write a machine as what a member has learned."""
    first = run.first()
    state = first.state.at(split_trainable(machine)[0])
    line = {"step": 1, "sequences": 32, "validation_bits": 0.0}
    run.save_best(state, line | {f"validation_{run.experiment.task.error}": 0.0})
    run.save_last(state, Progress(finished=True, solved_sequences=32 if solved else None))


@pytest.fixture
def members(tmp_path, doubling_machine, doubling_task):
    """The runs of a synthesis in which nothing was trained yet."""
    experiment = synthesis.synthesis(doubling_task, doubling_machine.config)
    return create_population(tmp_path / "d", experiment, 3)


@pytest.fixture
def searched(members, doubling_machine, doubling_task):
    """The directory of a synthesis whose search found the machine."""
    directory = members[0].path.parent
    given.save(directory / "search", given.Found(doubling_machine, doubling_task), 0)
    return directory


def test_names_are_those_of_the_synthesis():
    """It may not be imported where these names are needed."""
    assert given.NAME == population.FOUND
    assert synthesis.NAME == commands.SYNTHESIS


def test_a_directory_whose_search_found_the_machine_stands_for_it(searched, assert_same):
    name, found = str(searched), str(searched / "search")
    assert open_one(name).run.path == searched / "search"
    [only] = open_trained(name)
    assert only.run.path == searched / "search"
    assert experiment_of(name) == only.experiment
    assert_same(open_one(found).machine, open_one(name).machine)


@pytest.mark.parametrize(
    "command",
    [
        ["trace", "seed-0", "--out", "x"],
        ["program", "seed-1"],
        ["evaluate", "seed-2"],
        ["view", "seed-0"],
    ],
)
def test_members_that_were_never_trained_lead_to_what_was_found(searched, command, capsys):
    name, member, *others = command
    with pytest.raises(SystemExit) as stop:
        main([name, str(searched / member), *others])
    assert stop.value.code == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "was never trained: a search found the machine before, " in said
    assert f"{searched / 'search'}" in said


def test_what_has_no_metrics_says_why(searched, capsys):
    with pytest.raises(SystemExit):
        main(["metrics", str(searched)])
    assert "a search found the machine" in " ".join(capsys.readouterr().err.split())


def test_a_search_that_was_killed_before_the_machine_was_written_has_found_none(searched):
    (searched / "search" / "checkpoints" / "best.safetensors").unlink()
    with pytest.raises(SoftmachineError, match="none of whose members has a checkpoint yet"):
        open_one(str(searched))


def test_the_one_member_that_found_a_program_is_meant(members, doubling_machine, tmp_path):
    for i, member in enumerate(members):
        keep(member, doubling_machine, solved=i == 1)
    assert open_one(str(tmp_path / "d")).run.path == members[1].path
    assert len(open_trained(str(tmp_path / "d"))) == 3
    keep(members[2], doubling_machine, solved=True)
    with pytest.raises(SoftmachineError, match=rf"for instance {members[1].path}"):
        open_one(str(tmp_path / "d"))


def test_of_a_population_a_member_is_proposed_that_has_a_machine(
    tmp_path, doubling_machine, members
):
    """Best one that is solved; of a recipe, one has to be chosen even so."""
    experiment = dataclasses.replace(members[0].experiment, recipe="nram-copy")
    path = tmp_path / "x"
    runs = create_population(path, experiment, 3)
    with pytest.raises(SoftmachineError, match="none of whose members has a checkpoint yet"):
        open_one(str(path))
    keep(runs[1], doubling_machine, solved=False)
    wanted = rf"choose one of its members \(seed-1\), for instance {runs[1].path}"
    with pytest.raises(SoftmachineError, match=wanted):
        open_one(str(path))
    keep(runs[2], doubling_machine, solved=True)
    wanted = rf"\(seed-1, seed-2\), for instance {runs[2].path}"
    with pytest.raises(SoftmachineError, match=wanted):
        open_one(str(path))
