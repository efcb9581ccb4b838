"""The phase that searches wires: when it is due, what members take up, interruptions."""

import dataclasses
import os
import signal

import jax
import numpy as np
import pytest

import softmachine as sm
from softmachine.core.errors import CheckpointError
from softmachine.core.files import sealed, write_json
from softmachine.experiments import checkpoints
from softmachine.experiments.checkpoints import leaf_names
from softmachine.experiments.experiment import SolvedConfig
from softmachine.experiments.population import create_population
from softmachine.experiments.progress import Progress, last_record
from softmachine.experiments.runs import Run
from softmachine.experiments.settings import Search
from softmachine.machines.nram.nram import NRAMControllerConfig
from softmachine.tasks.memories.arrays import Access
from softmachine.tasks.memories.exams import draw_batch
from softmachine.tasks.memories.permutations import Permutation
from softmachine.training.exam import Exam
from softmachine.training.nram import wire_search
from softmachine.training.nram.objective import NRAMLoss
from softmachine.training.nram.wire_search import WireSearch
from softmachine.training.phases import Restart
from softmachine.training.trainer import train, train_members
from softmachine.wiring.table import read_wiring, run_wiring

TASK = Access()


@pytest.fixture(scope="module")
def batch():
    sizes = np.random.default_rng(0).integers(1, 7, 48)
    return draw_batch(TASK, jax.random.key(0), sizes, 6)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (dict(updates=0, error=0.3), "updates must be at least 1, not 0"),
        (dict(updates=1, error=0.0), r"error must be positive, not 0\.0"),
        (dict(updates=1, error=0.3, tables=0), "tables must be at least 1"),
        (dict(updates=1, error=0.3, examples=0), "examples must be at least 1"),
        (dict(updates=1, error=0.3, hot=(0.0, 1.0)), "hot must be positive"),
        (dict(updates=1, error=0.3, hot=(2.0, 1.0)), r"hot must be \(low, high\), not"),
    ],
)
def test_bad_fields_are_refused(fields, message):
    with pytest.raises(ValueError, match=rf"WireSearch\.{message}"):
        WireSearch(**fields)


def test_controllers_with_a_state_are_refused():
    experiment = sm.get_recipe("nram-swap")
    machine = dataclasses.replace(
        experiment.machine, controller=NRAMControllerConfig(kind="gru")
    )
    with pytest.raises(ValueError, match=r"phase wire-search needs .* mlp controller"):
        dataclasses.replace(experiment, machine=machine)


@pytest.fixture(scope="module")
def searching(nram_experiment, with_training):
    return with_training(
        dataclasses.replace(nram_experiment, task=TASK),
        phases=(WireSearch(updates=10, error=1.0, tables=50_000, examples=32),),
        search=Search(),
        objective=NRAMLoss(entropy_decay=0.9, late_entropy_penalty=0.01),
        gradient_noise=0.0,
    )


def test_members_take_up_the_wires_that_were_found(searching, tmp_path):
    """At the validation after so many updates, which judges the machine that has them."""
    progress = train(run := Run.create(tmp_path / "x", searching))
    assert progress.phases == {"wire-search": {"searched": 1, "written": 1}}
    lines = {line["step"]: line["validation_wrong_cells"] for line in run.metrics()}
    assert lines[5] > 0.3
    assert lines[10] == 0
    assert progress.best_error == 0
    assert progress.best_sequences == 10 * searching.training.batch


@pytest.mark.parametrize("restart", [False, True])
def test_a_search_that_was_interrupted_is_done_again(
    searching, with_training, tmp_path, monkeypatch, assert_same, without_times, restart
):
    """And then all is as without the interruption.

    Also where without its outcome the attempt would be given up.
    """
    if restart:
        phases = (*searching.training.phases, Restart(rules=((10, 0.1),)))
        searching = with_training(searching, phases=phases)
    straight, broken = (Run.create(tmp_path / name, searching) for name in ("x", "y"))
    train(straight)

    def interrupted(*arguments):
        arguments[-1][0] = True

    with monkeypatch.context() as patch:
        patch.setattr(wire_search, "with_searched_wires", interrupted)
        progress = train(broken)
    assert progress.step == 10
    assert not progress.finished
    assert (progress.phases, progress.attempts) == ({"wire-search": {"searched": 0}}, 1)
    progress = train(Run(broken.path))
    assert progress.finished
    assert progress.phases["wire-search"]["written"]
    assert_same(straight.load_last()[0], broken.load_last()[0])
    assert_same(straight.load_machine(), broken.load_machine())
    assert without_times(straight.metrics()) == without_times(broken.metrics())


def test_a_search_ends_with_the_time(searching, tmp_path):
    """Though it would go on for hours."""
    endless = WireSearch(updates=5, error=1.0, tables=10**9, examples=32)
    hopeless = dataclasses.replace(
        searching,
        task=Permutation(),
        training=dataclasses.replace(searching.training, phases=(endless,)),
    )
    run = Run.create(tmp_path / "x", hopeless)
    (progress,) = train_members([run], seconds=0.0)
    assert progress.step == 5
    assert not progress.finished
    assert not progress.phases["wire-search"]["searched"]


def test_a_search_that_the_time_ended_is_finished_on_resuming(searching, tmp_path):
    """However short the time is again: or such a run would never get on."""
    run = Run.create(tmp_path / "x", searching)
    for step, searched in ((5, False), (10, False), (10, True)):
        (progress,) = train_members([Run(run.path)], seconds=0.0)
        notes = progress.phases.get("wire-search", {})
        assert (progress.step, bool(notes.get("searched"))) == (step, searched)


def test_members_of_a_population_search_as_they_would_alone(searching, batch, tmp_path):
    alone = Run.create(tmp_path / "x", searching.with_seed(1))
    train(alone)
    runs = create_population(tmp_path / "y", searching, 2)
    train_members(runs)
    mine, theirs = (
        run_wiring(machine.config, read_wiring(machine), batch.memories, batch.steps)
        for machine in (alone.load_machine(), runs[1].load_machine())
    )
    for one, other in zip(mine, theirs, strict=True):
        np.testing.assert_array_equal(one, other)


def as_schema_2(run, config):
    """Write a run's last checkpoint and its configuration as before there were phases."""
    state, progress, line, metrics, _ = run.load_last()
    tensors = dict(zip(leaf_names(state), jax.tree.leaves(state), strict=True))
    tensors["settings.entropy_bonus"] = tensors.pop("settings.objective.entropy_bonus")
    told = dataclasses.asdict(progress)
    phases = told.pop("phases")
    notes, exam = phases.get("wire-search", {}), phases.get("exam", {})
    told["failed_tests"], told["waits"] = exam.get("failed", 0), exam.get("waits", 0)
    told["searched"] = bool(notes.get("searched"))
    told["rewired"] = bool(notes.get("written"))
    write_json(run.path / "config.json", sealed(config))
    record = {"progress": told, "line": line, "metrics": dataclasses.asdict(metrics)}
    path = run.path / "checkpoints" / "last.safetensors"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoints, "SCHEMA", 2)
        checkpoints.save_checkpoint(path, tensors, record, Run(run.path).tie)


def test_before_schema_4_progress_itself_told_of_exams(tmp_path):
    new = Progress(phases={"wire-search": {"searched": 1}, "exam": {"failed": 2, "waits": 1}})
    told = dataclasses.asdict(new)
    del told["phases"]["exam"]
    old = {"progress": told | {"failed_tests": 2, "waits": 1}}
    assert last_record(old, 3, tmp_path).progress == new
    unexamined = {"progress": told | {"failed_tests": 0, "waits": 0}}
    phases = last_record(unexamined, 3, tmp_path).progress.phases
    assert phases == {"wire-search": {"searched": 1}}
    with pytest.raises(CheckpointError, match="is damaged: its record is none"):
        last_record(old, 4, tmp_path)


@pytest.fixture(scope="module")
def examined(searching, with_training, tmp_path_factory):
    """An experiment with all phases of NRAMs, and a run of it without a break."""
    config = with_training(
        searching,
        solved=SolvedConfig(sequences=20, bits=0.0),
        phases=(
            Exam(largest=6, examples=20),
            *searching.training.phases,
            Restart(rules=((15, 0.1),)),
        ),
    )
    run = Run.create(tmp_path_factory.mktemp("examined") / "x", config)
    train(run)
    return config, run


@pytest.mark.parametrize("told", [5, 10])
def test_a_run_from_before_there_were_phases_goes_on(
    examined, tmp_path, as_before_6, assert_same, without_times, told
):
    """Interrupted in a search, and after wires were written but too unsure to end."""

    def report(progress, _line):
        if progress.step == told:
            os.kill(os.getpid(), signal.SIGTERM)

    config, straight = examined
    broken = Run.create(tmp_path / "y", config)
    progress = train(broken, report)
    notes = {"searched": 0} if told == 5 else {"searched": 1, "written": 1}
    assert progress.phases == {"wire-search": notes}
    as_schema_2(broken, as_before_6(config))
    old = Run(broken.path)
    assert old.experiment == config
    assert old.load_progress().phases == ({} if told == 5 else {"wire-search": notes})
    train(old)
    assert_same(straight.load_last().state, old.load_last().state)
    assert without_times(straight.metrics()) == without_times(old.metrics())
