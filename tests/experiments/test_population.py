"""Populations: many members as one program, each as if it were alone."""

import dataclasses
import json
import os
import shutil
import signal

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.core.errors import RunError
from softmachine.experiments.experiment import SolvedConfig
from softmachine.experiments.population import (
    create_population,
    is_population,
    open_population,
)
from softmachine.experiments.progress import Progress
from softmachine.experiments.runs import Run
from softmachine.experiments.state import first_state
from softmachine.machines.nram.packed import PackedNRAM
from softmachine.running.devices import layout_for
from softmachine.training import members as members_module
from softmachine.training.members import MemberStates
from softmachine.training.trainer import train, train_members

MEMBERS = 3
"""One more than there are devices."""


@pytest.fixture(scope="module")
def small(experiment, with_training):
    """Three stretches of five updates; a memory that is drawn per seed and never trained."""
    machine = dataclasses.replace(
        experiment.machine, initial_memory="random", initial_memory_range=(-0.5, 0.5)
    )
    config = dataclasses.replace(experiment, machine=machine)
    return with_training(config, max_sequences=60, checkpoint_every=20)


@pytest.fixture(scope="module")
def straight(small, tmp_path_factory):
    """A population that was trained without a break, and the progress of its members."""
    runs = create_population(tmp_path_factory.mktemp("straight") / "x", small, MEMBERS)
    return runs, train_members(runs)


@pytest.fixture(scope="module")
def interrupted(small, tmp_path_factory):
    """A population that was told to end when its second member reported the first time."""
    path = tmp_path_factory.mktemp("interrupted") / "x"

    def report(member, progress, _line):
        if member == 1 and progress.step == 5:
            os.kill(os.getpid(), signal.SIGTERM)

    progress = train_members(create_population(path, small, MEMBERS), report)
    assert [member.finished for member in progress] == [False] * MEMBERS
    assert [member.step for member in progress] == [10] * MEMBERS
    return path


def untimed(progress):
    times = ("seconds", "device_seconds", "solved_seconds", "solved_device_seconds")
    return {k: v for k, v in dataclasses.asdict(progress).items() if k not in times}


@pytest.fixture(scope="module")
def assert_same_runs(assert_same, without_times):
    """What two trainings have left is equal bit for bit."""

    def compare(ours, theirs):
        for a, b in zip(ours, theirs, strict=True):
            assert_same(a.load_last()[0], b.load_last()[0])
            assert_same(a.load_machine(), b.load_machine())
            assert without_times(a.metrics()) == without_times(b.metrics())

    return compare


# Members and their like alone


def assert_near(ours, theirs):
    """Two dictionaries are equal but for rounding."""
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        exact = value is None or isinstance(value, str)
        assert theirs[name] == (value if exact else pytest.approx(value, rel=1e-3)), name


def assert_alike(alone, progress, run, together, assert_close, without_times):
    """A run alone and a member ended alike, up to rounding."""
    assert_near(untimed(progress), untimed(together))
    assert_close(alone.load_last()[0], run.load_last()[0])
    assert_close(alone.load_machine(), run.load_machine())
    lines = zip(*map(without_times, (alone.metrics(), run.metrics())), strict=True)
    for ours, theirs in lines:
        assert_near(ours, theirs)


def test_a_member_becomes_what_its_seed_becomes_alone(
    small, straight, tmp_path, assert_same, assert_close, without_times
):
    """Three members on two devices; alone, the batch is divided over both."""
    runs, members = straight
    buffers = []
    for i in (0, 2):
        alone = Run.create(tmp_path / str(i), small.with_seed(i))
        progress = train(alone)
        assert progress.step == 15
        assert_alike(alone, progress, runs[i], members[i], assert_close, without_times)
        buffers.append(runs[i].load_last()[0].buffers)
        assert_same(buffers[-1], first_state(small.with_seed(i)).buffers)
    first, other = (jax.tree.leaves(x)[0] for x in buffers)
    assert not np.array_equal(first, other)


def test_members_take_the_memories_in_turn_as_alone(
    experiment, with_training, tmp_path, assert_close, without_times
):
    config = with_training(experiment, memory_rows=(4, 8), max_sequences=20)
    runs = create_population(tmp_path / "x", config, 2)
    together = train_members(runs)
    alone = Run.create(tmp_path / "alone", config.with_seed(1))
    progress = train(alone)
    assert_alike(alone, progress, runs[1], together[1], assert_close, without_times)


def test_time_is_shared_among_members(straight):
    _, members = straight
    for member in members:
        assert member.seconds == pytest.approx(members[0].seconds)
        assert member.device_seconds == pytest.approx(member.seconds * 2 / MEMBERS)


# Members that end on their own


def test_a_member_ends_when_it_is_solved_and_others_go_on(
    small, straight, with_training, tmp_path, without_times
):
    """The criterion lies between the first validation of the best member and the others."""
    runs, _ = straight
    errors = [run.metrics()[0]["validation_wrong_bits"] for run in runs]
    first, second = sorted(errors)[:2]
    assert first < second
    early = errors.index(first)
    solved = SolvedConfig(sequences=20, error=(first + second) / 2, bits=1e6)
    config = with_training(small, solved=solved, max_sequences=40)
    reports = []
    members = create_population(tmp_path / "x", config, MEMBERS)
    progress = train_members(members, lambda i, p, _line: reports.append((i, p.step)))
    assert progress[early].solved_sequences == progress[early].sequences == 20
    assert all(member.finished for member in progress)
    others = [i for i in range(MEMBERS) if i != early]
    assert [step for i, step in reports if i == early] == [5]
    for i in others:
        assert [step for j, step in reports if j == i] == [5, 10]
    for i, run in enumerate(members):
        same = without_times(runs[i].metrics())[: 1 if i == early else 2]
        assert without_times(run.metrics()) == same
    assert int(members[early].load_last()[0].step) == 5


def test_a_member_that_fails_does_not_stop_the_others(
    small, straight, tmp_path, assert_same, assert_same_runs
):
    runs = create_population(tmp_path / "x", small, MEMBERS)
    healthy = first_state(runs[1].experiment)
    broken = jax.tree.map(lambda x: jnp.full_like(x, jnp.nan), healthy.parameters)
    broken = healthy._replace(parameters=broken)
    runs[1].save_last(broken, Progress())
    reports = []
    progress = train_members(runs, lambda i, p, _line: reports.append((i, p.failed)))
    assert [bool(member.failed) for member in progress] == [False, True, False]
    assert all(member.finished for member in progress)
    assert progress[1].failed.startswith("update 0: loss nan; gradients not finite: ")
    assert [failed for i, failed in reports if i == 1] == [progress[1].failed]
    assert_same_runs(
        [runs[i] for i in (0, 2)],
        [straight[0][i] for i in (0, 2)],
    )
    # It stands where it stood and says why; it can be tried again, with the same result.
    assert_same(runs[1].load_last()[0], broken)
    assert runs[1].load_progress().failed == progress[1].failed
    assert runs[1].metrics() == []
    reports.clear()
    assert train_members(runs, lambda i, p, _: reports.append((i, p.step)))[1].failed
    assert [i for i, _ in reports] == [1]


# Interruption, crash, resumption


def test_interrupted_and_resumed_equals_straight(interrupted, straight, assert_same_runs):
    path = interrupted.with_name("resumed")
    shutil.copytree(interrupted, path)
    progress = train_members(open_population(path))
    assert [untimed(p) for p in progress] == [untimed(p) for p in straight[1]]
    assert_same_runs(open_population(path), straight[0])


def test_members_behind_catch_up(interrupted, straight, assert_same_runs):
    """A crash may come after some members' checkpoints and before those of others."""
    path = interrupted.with_name("crashed")
    shutil.copytree(interrupted, path)
    (path / "seed-1" / "checkpoints" / "last.safetensors").unlink()
    reports = []
    train_members(open_population(path), lambda i, p, _line: reports.append((i, p.step)))
    assert reports == [(1, 5), (1, 10), (0, 15), (1, 15), (2, 15)]
    assert_same_runs(open_population(path), straight[0])


def test_a_finished_population_is_left_alone(straight):
    runs, progress = straight
    before = [run.path.joinpath("metrics.jsonl").read_bytes() for run in runs]
    assert train_members(runs, lambda *_: pytest.fail("trained on")) == progress
    assert [run.path.joinpath("metrics.jsonl").read_bytes() for run in runs] == before


def test_members_of_different_experiments_are_refused(experiment, with_training, tmp_path):
    runs = [
        Run.create(tmp_path / "a", experiment),
        Run.create(tmp_path / "b", with_training(experiment, batch=2, seed=1)),
    ]
    with pytest.raises(RunError, match=r"/b and .*/a differ in more than their seed"):
        train_members(runs)


def test_a_population_with_one_run_being_written_is_refused(experiment, tmp_path):
    runs = create_population(tmp_path / "x", experiment, 2)
    with (
        runs[1].locked(),
        pytest.raises(RunError, match="seed-1 is being written by another process"),
    ):
        train_members(open_population(tmp_path / "x"))


# Directories


def test_a_population_has_a_run_for_each_seed(experiment, tmp_path):
    path = tmp_path / "x"
    create_population(path, experiment.with_seed(7), 3)
    assert json.loads((path / "population.json").read_text())["members"] == [
        "seed-7",
        "seed-8",
        "seed-9",
    ]
    assert is_population(path)
    assert not is_population(path / "seed-7")
    runs = open_population(path)
    assert [run.path for run in runs] == [path / f"seed-{seed}" for seed in (7, 8, 9)]
    assert [run.experiment for run in runs] == [experiment.with_seed(i) for i in (7, 8, 9)]


def test_a_directory_in_use_is_not_overwritten(experiment, tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "thesis.txt").write_text("years of work")
    with pytest.raises(RunError, match="already exists"):
        create_population(tmp_path / "x", experiment, 2)
    assert [path.name for path in (tmp_path / "x").iterdir()] == ["thesis.txt"]


def test_a_population_of_nobody_is_refused(experiment, tmp_path):
    with pytest.raises(RunError, match="at least 1 member, not 0"):
        create_population(tmp_path / "x", experiment, 0)
    assert not (tmp_path / "x").exists()


def test_seeds_beyond_the_last_are_refused_before_anything_is_written(experiment, tmp_path):
    with pytest.raises(ValueError, match="seed must be at most 2147483647"):
        create_population(tmp_path / "x", experiment.with_seed(2**31 - 1), 2)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (None, r"is not a population: it has no population\.json"),
        ("{", r"population\.json cannot be read"),
        ("[]", r"population\.json cannot be read"),
        ("{}", r"population\.json cannot be read: it has schema None"),
        ('{"schema": 1, "members": 3}', r"population\.json cannot be read"),
        ('{"schema": 1, "members": []}', r"population\.json cannot be read: .* no members"),
        ('{"schema": 1, "members": ["seed-9"]}', "seed-9 does not exist"),
    ],
)
def test_damaged_populations_are_explained(tmp_path, index, message):
    if index is not None:
        (tmp_path / "population.json").write_text(index)
    with pytest.raises(RunError, match=message):
        open_population(tmp_path)


# Who is on which device


@pytest.fixture
def spread(experiment, nram_experiment, monkeypatch):
    """Member states whose updates only note which slots of which device they are for."""
    calls = []

    def build(_experiment, layout):
        def chunk(states, ends):
            calls.append(np.asarray(ends).reshape(len(layout.devices), -1))
            return states, {"updates": jnp.asarray(ends, jnp.float32)}

        return chunk

    monkeypatch.setattr(members_module, "build_train_chunk", build)

    def make(count, packed=False):
        chosen = nram_experiment if packed else experiment
        first = first_state(chosen)
        states = [first._replace(seed=jnp.asarray(i, jnp.int32)) for i in range(count)]
        return MemberStates(chosen, states), calls

    return make


@pytest.mark.parametrize("count", [2, 3, 6, 7])
def test_members_still_training_are_dealt_out_evenly(spread, count):
    states, calls = spread(count)
    assert states.devices == 2
    rng = np.random.default_rng(count)
    live = list(range(count))
    while live:
        sums = states.advance(live, end=4)
        assert sums == {i: {"updates": 4.0} for i in live}
        busy = (calls[-1] > 0).sum(axis=1)
        assert busy.sum() == len(live)
        assert busy.max() - busy.min() <= 1
        assert [int(states.of(i).seed) for i in range(count)] == list(range(count))
        live.remove(rng.choice(live))


def test_no_device_waits_for_another_to_look_at_a_member(spread):
    """XLA on CPU ends the process if one keeps another waiting for 40 seconds."""
    states, _ = spread(4)
    for member in (0, 3):
        state = states.of(member)
        assert int(state.seed) == member
        assert all(len(leaf.sharding.device_set) == 1 for leaf in jax.tree.leaves(state))
    states.replace(3, states.of(0))
    assert [int(states.of(i).seed) for i in range(4)] == [0, 1, 2, 0]


def test_members_still_training_are_gathered_in_few_groups(spread, monkeypatch):
    """Eight on two devices, in pairs; one of each pair waits, so pairs are made anew."""
    monkeypatch.setattr(PackedNRAM, "cached_examples", 8)  # two batches
    states, calls = spread(8, packed=True)
    states.advance(range(8), end=1)
    assert np.all(calls[-1] == 1)
    live = range(0, 8, 2)
    states.advance(live, end=2)
    pairs = (calls[-1] > 0).reshape(2, 2, 2)
    assert pairs.sum() == 4
    assert pairs.any(axis=2).sum(axis=1).tolist() == [1, 1]
    assert [int(states.of(i).seed) for i in range(8)] == list(range(8))


@pytest.mark.parametrize(
    ("members", "batch", "cached", "expected"),
    [
        (32, 32, 128, (32, 4)),
        (10, 32, 128, (10, 1)),  # five on each device: no smaller groups but of one
        (12, 4, 128, (12, 6)),
        (5, 4, 128, (6, 3)),
        (4, 200, 128, (4, 1)),
        (32, 32, 0, (32, 1)),
        (1, 32, 128, (1, 1)),
    ],
)
def test_groups_fit_into_the_cache_of_a_core(members, batch, cached, expected):
    layout = layout_for(members, batch, cached_examples=cached)
    assert (layout.members, layout.together) == expected
    assert len(layout.devices) == 2


def test_members_that_stop_one_by_one_on_one_device_make_room(spread):
    """Of six, those of the first device end first: the others are spread over both."""
    states, calls = spread(6)
    states.advance(range(6), end=1)
    assert (calls[-1] > 0).sum(axis=1).tolist() == [3, 3]
    states.advance(range(3, 6), end=2)
    assert sorted((calls[-1] > 0).sum(axis=1)) == [1, 2]
    assert [int(states.of(i).seed) for i in range(6)] == list(range(6))
