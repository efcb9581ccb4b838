"""Training on workers: the same bits as in one process, whoever works and whoever fails."""

import collections
import dataclasses
import errno
import os
import signal
from concurrent.futures import BrokenExecutor, Executor, Future

import pytest

from softmachine.core.errors import (
    CheckpointError,
    RunError,
    SoftmachineError,
    SoftmachineWarning,
)
from softmachine.experiments.population import create_population
from softmachine.experiments.runs import Note, Run
from softmachine.tasks.registry import TASKS
from softmachine.tasks.sequences.copy import Copy
from softmachine.training import validation
from softmachine.training.trainer import train_members
from softmachine.training.workers import schedule
from softmachine.training.workers.identity import difference, identity
from softmachine.training.workers.schedule import train_on_workers
from softmachine.training.workers.unit import advance, group_size, unit_of
from softmachine.training.workers.workers import ProcessWorkers


class Inline(Executor):
    """Does what it is given at once; ``fate`` may say otherwise: raise, or return False."""

    def __init__(self, name="inline", fate=lambda _name, _unit: True):
        self.name, self.fate = name, fate

    def submit(self, fn, /, unit):
        future = Future()
        try:
            if self.fate(self.name, unit):
                future.set_result(fn(unit))
        except BaseException as error:
            future.set_exception(error)
        return future


class Some:
    """Workers by name, who may change while they work."""

    def __init__(self, *names, fate=lambda _name, _unit: True, change=lambda _workers: None):
        self.executors = {name: Inline(name, fate) for name in names}
        self.change, self.dropped = change, []

    def present(self):
        self.change(self)
        return dict(self.executors)

    def drop(self, name):
        self.dropped.append(name)

    def close(self):
        pass


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(schedule, "TICK", 0.01)


@pytest.fixture(scope="module")
def plain(experiment, tmp_path_factory):
    """Three members, trained by one worker that does not fail: the runs."""
    runs = create_population(tmp_path_factory.mktemp("plain") / "runs", experiment, 3)
    train_on_workers(runs, Some("one"))
    return runs


@pytest.fixture
def same(assert_same, without_times):
    """Compare two populations: states, best machines, metrics, progress, files."""

    def compare(ones, others):
        for one, other in zip(ones, others, strict=True):
            assert_same(one.load_last().state, other.load_last().state)
            assert_same(one.load_machine(), other.load_machine())
            assert without_times(one.metrics()) == without_times(other.metrics())
            files = [sorted(x.name for x in run.path.rglob("*")) for run in (one, other)]
            assert files[0] == files[1]
            numbers = [dataclasses.asdict(run.load_progress()) for run in (one, other)]
            for progress in numbers:
                progress.pop("phases")
                for name in [name for name in progress if "seconds" in name]:
                    del progress[name]
            assert numbers[0] == numbers[1]

    return compare


def test_a_disk_that_is_full_at_the_start_is_told_in_a_sentence(
    experiment, tmp_path, monkeypatch
):
    """Metrics from before there was a checkpoint are dropped, which writes them anew."""
    runs = create_population(tmp_path / "runs", experiment, 2)

    def full(self):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))

    monkeypatch.setattr(Run, "restore_start", full)
    with pytest.raises(RunError, match=r"cannot write to .*seed-0: No space left on device"):
        train_on_workers(runs, Some("one"))


def test_it_is_what_one_process_makes_of_them(experiment, plain, assert_close, tmp_path):
    """On two devices; there programs are others, which may round otherwise."""
    runs = create_population(tmp_path / "runs", experiment, 3)
    train_members(runs)
    for one, other in zip(plain, runs, strict=True):
        assert_close(one.load_last().state, other.load_last().state)


def test_a_killed_process_costs_nothing_but_time(experiment, plain, same, tmp_path):
    """Two processes; one is killed by the system as soon as something has come back."""
    runs, workers, tallies, killed = [], ProcessWorkers(2), [], []
    runs = create_population(tmp_path / "runs", experiment, 3)

    def report(_place, _progress, _line):
        if not killed and (pids := workers.pids()):
            killed.append(max(pids.values()))
            os.kill(killed[0], signal.SIGKILL)

    try:
        train_on_workers(
            runs,
            workers,
            report,
            watch=tallies.append,
        )
    finally:
        workers.close()
    assert killed
    assert tallies[-1].lost == 1
    same(plain, runs)


def test_packed_members_do_not_depend_on_who_is_beside_them(
    nram_experiment, with_training, same, tmp_path, monkeypatch
):
    """In groups of two, as many as a core computes together; once one by one in theirs.

    Two are validated, too: by themselves, larger machines had other last bits in their errors.
    """
    judged, score_together = set(), validation.score_together
    monkeypatch.setattr(
        validation, "score_together", lambda m, *x: judged.add(len(m)) or score_together(m, *x)
    )
    batch = {"batch": 64, "max_sequences": 384, "validate_every": 128, "checkpoint_every": 128}
    experiment = with_training(nram_experiment, **batch)
    assert group_size(experiment, 4) == 2
    one, other = (create_population(tmp_path / name, experiment, 4) for name in ("a", "b"))
    train_on_workers(one, Some("one"))
    failed = []

    def fate(_name, unit):
        if len(unit["members"]) == 2 and len(failed) < 4:
            failed.append(unit)
            raise BrokenExecutor
        return True

    train_on_workers(other, Some("one", "two", "three", fate=fate))
    assert len(failed) == 4
    same(one, other)
    assert judged == {2}


def test_a_member_that_ends_its_worker_is_left_out_alone(experiment, plain, same, tmp_path):
    runs = create_population(tmp_path / "runs", experiment, 3)
    tallies = []

    def fate(_name, unit):
        if any(member["seed"] == 1 for member in unit["members"]):
            raise BrokenExecutor
        return True

    workers = Some("one", "two", fate=fate)
    progress = train_on_workers(runs, workers, watch=tallies.append)
    assert [bool(member.failed) for member in progress] == [False, True, False]
    assert "tried 3 times" in progress[1].failed
    assert len(workers.dropped) == 3
    same([plain[0], plain[2]], [runs[0], runs[2]])
    assert train_on_workers(runs, Some("one"))[1].finished  # resumed, it is tried again
    same(plain, runs)


def test_nobody_is_left_out_while_workers_are_lost_whatever_they_have(
    experiment, plain, same, tmp_path
):
    """All first units are lost four times, as where machines are taken back again and again."""
    runs = create_population(tmp_path / "runs", experiment, 3)
    tried = collections.Counter()

    def fate(_name, unit):
        what = tuple(member["seed"] for member in unit["members"])
        tried[what] += 1
        if tried[what] <= 4 and all(member["last"] is None for member in unit["members"]):
            raise BrokenExecutor
        return True

    progress = train_on_workers(runs, Some("one", "two", fate=fate))
    assert not any(member.failed for member in progress)
    assert max(tried.values()) > 4
    same(plain, runs)


def test_who_hangs_is_not_waited_for(experiment, plain, same, tmp_path):
    """What never answers is given to another; the worker gets nothing else."""
    runs = create_population(tmp_path / "runs", experiment, 3)
    asked = []

    def fate(name, _unit):
        asked.append(name)
        return name != "hanging"

    tallies = []
    workers = Some("hanging", "sound", fate=fate)
    train_on_workers(runs, workers, watch=tallies.append, patience=0.05)
    assert asked.count("hanging") == 1
    assert tallies[-1].repeated == 1
    same(plain, runs)


def test_workers_come_and_go(experiment, plain, same, tmp_path):
    """One that goes with work in hand, one that comes when there is nobody."""
    runs = create_population(tmp_path / "runs", experiment, 3)
    looks = []

    def change(workers):
        looks.append(1)
        if len(looks) == 4:
            workers.executors = {}
        if len(looks) == 8:
            workers.executors = {"late": Inline("late")}

    tallies = []
    workers = Some("early", fate=lambda name, _: name == "late", change=change)
    progress = train_on_workers(runs, workers, watch=tallies.append)
    assert all(member.finished and not member.failed for member in progress)
    assert (tallies[-1].lost, tallies[-1].repeated, tallies[-1].workers) == (1, 1, 1)
    same(plain, runs)


def test_another_version_is_refused_by_name(experiment, plain, same, tmp_path):
    runs = create_population(tmp_path / "runs", experiment, 3)

    def fate(name, unit):
        if name == "old":  # as if the process that asks were newer
            unit["versions"] = {**unit["versions"], "jax": "99"}
        return True

    ours = identity()["jax"]
    message = f"the worker old is left out: it has jax {ours} where this one has 99"
    with pytest.warns(SoftmachineWarning, match=message):
        train_on_workers(runs, Some("old", "new", fate=fate))
    same(plain, runs)
    more = create_population(tmp_path / "more", experiment, 2)
    with (
        pytest.warns(SoftmachineWarning, match="old is left out"),
        pytest.raises(SoftmachineError, match="no worker is left"),
    ):
        train_on_workers(more, Some("old", fate=fate))


def test_versions_are_told_apart():
    assert difference({"a": "1", "b": "2"}, {"a": "1", "b": "2"}) is None
    assert difference({"a": "1"}, {"a": "1", "b": "2"}) == "b none where this one has 2"


def test_enough_counts_members_of_all_workers(experiment, with_training, tmp_path):
    runs = create_population(tmp_path / "runs", with_training(experiment, solved=None), 4)
    seen = []

    def enough(solved):
        seen.append(solved)
        return len(seen) > 2

    progress = train_on_workers(runs, Some("one", "two"), enough=enough)
    assert all(member.finished for member in progress)
    assert min(member.step for member in progress) < 40
    assert all(run.load_progress().finished for run in runs)


def test_what_ends_the_scheduler_leaves_runs_to_resume(experiment, plain, same, tmp_path):
    """After some units nobody can reach the workers; what is saved goes on on others."""
    runs = create_population(tmp_path / "runs", experiment, 3)
    looks = []

    def change(_workers):
        looks.append(1)
        if len(looks) == 6:
            raise SoftmachineError("it does not answer any more")

    with pytest.raises(SoftmachineError, match="does not answer"):
        train_on_workers(runs, Some("one", change=change))
    begun = [run.load_progress() for run in runs]
    assert any(progress is not None and not progress.finished for progress in begun)
    assert all(member.finished for member in train_on_workers(runs, Some("other")))
    same(plain, runs)


def test_time_ends_it_as_if_interrupted(experiment, plain, same, tmp_path):
    runs = create_population(tmp_path / "runs", experiment, 3)
    progress = train_on_workers(runs, Some("one"), seconds=1e-9)
    assert not any(member.finished for member in progress)
    train_on_workers(runs, Some("one"))
    same(plain, runs)


def test_an_error_in_a_unit_is_told(experiment, tmp_path):
    runs = create_population(tmp_path / "runs", experiment, 2)

    def fate(_name, _unit):
        raise OSError("No space left on device")

    progress = train_on_workers(runs, Some("one", fate=fate))
    for member in progress:
        assert "OSError: No space left on device" in member.failed


def test_a_worker_without_a_module_is_refused(experiment, plain, same, tmp_path):
    """It fails at once, and so would be asked again before others are free."""
    runs = create_population(tmp_path / "runs", experiment, 3)

    def fate(name, _unit):
        if name == "bare":
            raise ModuleNotFoundError("No module named 'softmachine'")
        return True

    with pytest.warns(SoftmachineWarning, match="worker bare is left out: No module named"):
        train_on_workers(runs, Some("bare", "sound", fate=fate))
    same(plain, runs)


@dataclasses.dataclass(frozen=True, kw_only=True)
class OwnCopy(Copy):
    """A task of a person's own."""


def test_modules_of_one_s_own_go_with_a_unit(experiment, tmp_path, monkeypatch):
    monkeypatch.setattr(TASKS, "_registered", {**TASKS._registered, "own-copy": OwnCopy})
    assert unit_of(create_population(tmp_path / "a", experiment, 1), 2, 1).modules == ()
    experiment = dataclasses.replace(experiment, task=OwnCopy(width=3))
    unit = unit_of(create_population(tmp_path / "b", experiment, 1), 2, 1)
    assert unit.modules == (__name__,)
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        advance(dataclasses.replace(unit, modules=("no_such_module",)))


def test_notes_of_another_run_are_refused(plain):
    data = plain[0].last_bytes()
    with pytest.raises(CheckpointError, match="another experiment"):
        plain[1].take(Note("checkpoint", "best", data))
    with pytest.raises(CheckpointError, match="no name of a checkpoint"):
        plain[0].take(Note("checkpoint", "../../config", data))
