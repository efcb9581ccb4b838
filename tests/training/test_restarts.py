"""Members that begin again, members that are tested, populations that have had enough."""

import dataclasses
import functools
import math
import os
import shutil
import signal

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.experiments.experiment import SolvedConfig
from softmachine.experiments.optimizers import OptimizerConfig
from softmachine.experiments.population import create_population, open_population
from softmachine.experiments.progress import Progress
from softmachine.experiments.runs import Run
from softmachine.experiments.settings import Search
from softmachine.experiments.state import first_state
from softmachine.running.judging import Verdict
from softmachine.tasks.memories.arrays import Access
from softmachine.tasks.memories.exams import draw_exam
from softmachine.training import exam, trainer
from softmachine.training import members as members_module
from softmachine.training.exam import Exam
from softmachine.training.nram import wire_search
from softmachine.training.nram.objective import NRAMLoss
from softmachine.training.nram.wire_search import WireSearch
from softmachine.training.phases import Restart
from softmachine.training.trainer import train, train_members

# Real updates: six stretches of five, attempts of ten


@pytest.fixture(scope="module")
def restless(nram_experiment, with_training):
    """No attempt of so few updates is without a mistake."""
    return with_training(nram_experiment, phases=(Restart(rules=((10, 0.0),)),))


@pytest.fixture(scope="module")
def straight(restless, tmp_path_factory):
    """A population that was trained without a break, its progress, and all its checkpoints."""
    runs = create_population(tmp_path_factory.mktemp("straight") / "x", restless, 3)
    saved = {}
    with pytest.MonkeyPatch.context() as patch:

        def save_last(run, state, progress, line):
            kept = state, dataclasses.replace(progress)
            saved[run.experiment.training.seed, int(state.step)] = kept
            save(run, state, progress, line)

        save = Run.save_last
        patch.setattr(Run, "save_last", save_last)
        progress = train_members(runs)
    return runs, progress, saved


def test_attempts_begin_with_fresh_parameters_and_settings(restless, straight, assert_same):
    runs, progress, saved = straight
    for seed, (run, member) in enumerate(zip(runs, progress, strict=True)):
        assert member.attempts == 3
        assert [line["attempt"] for line in run.metrics()] == [0, 0, 1, 1, 2, 2]
        assert [line["step"] for line in run.metrics()] == [5, 10, 15, 20, 25, 30]
        for attempt in (1, 2):
            state, record = saved[seed, 10 * attempt]
            begun = first_state(restless.with_seed(seed), attempt, 10 * attempt)
            assert_same(state, begun)
            assert record.attempts == attempt + 1
            assert record.attempt_error == math.inf
        last = run.load_last().state
        assert (int(last.attempt), int(last.began), int(last.step)) == (2, 20, 30)
        assert_drawn(last.settings, restless.with_seed(seed).settings(2))


def test_the_last_stretch_ends_a_run_without_another_attempt(straight):
    runs, progress, _ = straight
    for run, member in zip(runs, progress, strict=True):
        assert member.finished
        error = min(line["validation_wrong_cells"] for line in run.metrics()[-2:])
        assert member.attempt_error == error > 0


def untimed(progress):
    """Return all that is known of a progress but its times."""
    known = {k: v for k, v in dataclasses.asdict(progress).items() if v is not None}
    for phase, notes in known.pop("phases").items():
        known |= {f"{phase} {name}": note for name, note in notes.items()}
    return {k: v for k, v in known.items() if not k.endswith("seconds")}


def test_a_member_restarts_as_it_would_alone(
    restless, straight, tmp_path, assert_close, without_times
):
    """Alone, the batch is divided over two devices."""
    runs, members, _ = straight
    alone = Run.create(tmp_path / "alone", restless.with_seed(2))
    progress = train(alone)
    assert untimed(progress) == pytest.approx(untimed(members[2]), rel=1e-3)
    assert_close(alone.load_last()[0], runs[2].load_last()[0])
    assert_close(alone.load_machine(), runs[2].load_machine())
    lines = map(without_times, (alone.metrics(), runs[2].metrics()))
    for ours, theirs in zip(*lines, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("told", [5, 10])
def test_interrupted_and_resumed_equals_straight(
    restless, straight, tmp_path, assert_same, without_times, told
):
    """Ended just after a restart, and in the middle of an attempt."""
    path = tmp_path / "x"

    def report(member, progress, _line):
        if member == 1 and progress.step == told:
            os.kill(os.getpid(), signal.SIGTERM)

    stopped = train_members(create_population(path, restless, 3), report)
    assert [member.step for member in stopped] == [told + 5] * 3
    assert [member.attempts for member in stopped] == [2] * 3
    progress = train_members(open_population(path))
    runs, members, _ = straight
    assert [untimed(p) for p in progress] == [untimed(p) for p in members]
    for ours, theirs in zip(open_population(path), runs, strict=True):
        assert_same(ours.load_last()[0], theirs.load_last()[0])
        assert_same(ours.load_machine(), theirs.load_machine())
        assert without_times(ours.metrics()) == without_times(theirs.metrics())
    shutil.rmtree(path)


# Made-up updates: all parameters become 1000 seed + updates. Made-up scores.


@pytest.fixture
def scripted(monkeypatch):
    """Give validations and tests the errors of a script: by seed, at 5, 10, ... updates."""
    script = {"errors": {}, "bits": {}, "hard": {}, "soft": {}, "tested": []}

    def build(_experiment, layout):
        assert layout.members > 1

        def chunk(states, ends):
            live = ends > states.step

            values = 1000.0 * states.seed + ends

            def replace(x):
                here = (len(live), *[1] * (x.ndim - 1))
                return jnp.where(live.reshape(here), values.reshape(here), x)

            states = states._replace(
                parameters=jax.tree.map(replace, states.parameters),
                step=jnp.where(live, ends, states.step),
                skipped=states.skipped + live,
            )
            return states, {"updates": live * 1.0, "loss": live * 2.0}

        return chunk

    def look_up(kind, seed, step, default=0.0):
        values = script[kind].get(seed, [])
        return values[step // 5 - 1] if values else default

    def build_validation(_experiment):
        def validate(states):
            return [
                {
                    "validation_wrong_cells": look_up("errors", int(s.seed), int(s.step)),
                    "validation_bits": look_up("bits", int(s.seed), int(s.step), 0.5),
                }
                for s in states
            ]

        return validate

    def judge(machine, task, batch, largest, *, soft):
        seed, step = divmod(value_in(machine), 1000)
        script["tested"].append((task, len(batch.steps), largest, soft))
        hard = look_up("hard", seed, step)
        return Verdict(hard, 1.0 if hard else look_up("soft", seed, step))

    monkeypatch.setattr(members_module, "build_train_chunk", build)
    monkeypatch.setattr(trainer, "build_validation", build_validation)
    monkeypatch.setattr(exam, "judge", judge)
    return script


@pytest.fixture
def population(nram_experiment, with_training, tmp_path):
    """Train as many made-up members as the script has errors for."""

    def trained(script, *phases, solved=None, until=None, report=None, **training):
        solved = SolvedConfig(sequences=20, bits=None, **(solved or {}))
        config = with_training(nram_experiment, solved=solved, phases=phases, **training)
        runs = create_population(tmp_path / "x", config, len(script["errors"]))
        return runs, train_members(runs, report, enough=until)

    return trained


def assert_drawn(ours, expected):
    """Hold settings against those that an attempt draws, less how far it is.

    They are drawn by a compiled program, which may round differently.
    """
    ours, expected = (x._replace(settling=0) for x in (ours, expected))
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-6), ours, expected)


def value_in(machine):
    (value,) = np.unique(machine.output.weight)
    return int(value)


def kept(run):
    """Return after how many updates the best machine was kept."""
    return value_in(run.load_machine()) % 1000


def test_an_attempt_ends_when_its_best_error_is_above_a_rule_s(scripted, population):
    """Only once it is old enough, by any of the rules; others go on."""
    scripted["errors"] = {
        0: [0.6, 0.6, 0.4, 0.4, 0.3, 0.3],  # too bad for the first rule, just as old
        1: [0.6, 0.4, 0.9, 0.1, 0.9, 0.9],  # its best is good enough for both
        2: [0.5, 0.9, 0.9, 0.3, 0.9, 0.4],  # just good enough for the first alone
    }
    runs, progress = population(scripted, Restart(rules=((10, 0.5), (20, 0.2))))
    attempts = [[line["attempt"] for line in run.metrics()] for run in runs]
    assert attempts == [[0, 0, 1, 1, 1, 1], [0] * 6, [0, 0, 0, 0, 1, 1]]
    assert [member.attempts for member in progress] == [2, 1, 2]
    assert [member.attempt_error for member in progress] == [0.3, 0.1, 0.4]
    began = [int(run.load_last()[0].began) for run in runs]
    assert began == [10, 0, 20]


def test_the_machine_kept_is_the_best_of_all_attempts(scripted, population):
    """Also if its attempt ended right there, and a fresh one has taken its place."""
    scripted["errors"] = {
        0: [0.7, 0.6, 0.9, 0.9, 0.8, 0.8],
        1: [0.9, 0.9, 0.9, 0.5, 0.9, 0.8],
        2: [0.9, 0.9, 0.9, 0.9, 0.9, 0.4],
    }
    runs, progress = population(scripted, Restart(rules=((10, 0.3),)))
    assert [member.attempts for member in progress] == [3, 3, 3]
    assert [kept(run) for run in runs] == [10, 20, 30]
    assert [member.best_error for member in progress] == [0.6, 0.5, 0.4]
    assert [member.best_sequences for member in progress] == [40, 80, 120]
    assert [run.load_best()[1]["step"] for run in runs] == [10, 20, 30]


def test_updates_left_out_are_counted_over_all_attempts(scripted, population):
    scripted["errors"] = {0: [0.9] * 6, 1: [0.1] * 6}
    runs, progress = population(scripted, Restart(rules=((10, 0.3),)))
    assert [member.attempts for member in progress] == [3, 1]
    assert [member.skipped for member in progress] == [6, 6]
    assert [line["skipped"] for line in runs[0].metrics()] == [1, 2, 3, 4, 5, 6]


EXAM = Exam(largest=12, examples=200)


def found_by_tests(run):
    """Return what the tests of a run found, hard and soft, by the number of updates."""
    return {
        line["step"]: (pytest.approx(line["tested_hard"]), pytest.approx(line["tested_soft"]))
        for line in run.metrics()
        if "tested_hard" in line
    }


def test_solved_is_who_passes_the_test_soft_and_hard(scripted, population):
    scripted["errors"] = {seed: [0.1] + [0.0] * 5 for seed in range(5)}
    scripted["hard"] = {1: [0.2] * 6, 3: [0.2] * 3 + [0.0] * 3}
    scripted["soft"] = {2: [0.3] * 6, 4: [0.3] * 3 + [0.0] * 3}
    runs, progress = population(scripted, EXAM)
    assert [member.solved_sequences for member in progress] == [40, None, None, 80, 80]
    assert [member.sequences for member in progress] == [40, 120, 120, 80, 80]
    assert all(member.finished for member in progress)
    assert progress[0].solved_seconds == pytest.approx(progress[0].seconds)
    assert [found_by_tests(run) for run in runs] == [
        {10: (0, 0)},
        {10: (0.2, 1), 20: (0.2, 1), 30: (0.2, 1)},
        {10: (0, 0.3), 20: (0, 0.3), 30: (0, 0.3)},
        {10: (0.2, 1), 20: (0, 0)},
        {10: (0, 0.3), 20: (0, 0)},
    ]
    adversarial = len(draw_exam(Access(), 0, 12).trials)
    for task, examples, largest, soft in scripted["tested"]:
        assert (task, largest, soft) == (Access(), 12, True)
        assert examples == pytest.approx(200 + adversarial, rel=0.1)


def test_after_each_failure_more_validations_pass_before_the_next_test(scripted, population):
    """Of those without a mistake; a new attempt counts anew. The last is tested anyway."""
    scripted["errors"] = {
        0: [0.0] * 14,
        1: [0.0, 0.1, 0.1, 0.0, 0.0, *[0.0] * 9],
        2: [0.0, 0.0, 0.0, 0.1, 0.0, 0.0, 0.0, *[0.0] * 7],
    }
    scripted["hard"] = {seed: [0.5] * 14 for seed in range(3)}
    restart = Restart(rules=((20, 0.05),))
    runs, progress = population(scripted, EXAM, restart, max_sequences=14 * 20)
    assert [list(found_by_tests(run)) for run in runs] == [
        [5, 15, 30, 50, 70],
        [5, 25, 40, 60, 70],
        [5, 15, 35, 55, 70],
    ]
    assert [member.phases["exam"] for member in progress] == [{"failed": 5, "waits": 5}] * 3
    assert [run.load_progress().phases["exam"]["waits"] for run in runs] == [5, 5, 5]


def test_a_new_attempt_is_tested_at_once(scripted, population):
    """An error that the criterion allows may be too large for a restart rule."""
    scripted["errors"] = {0: [0.1] * 6, 1: [0.0] * 6}
    scripted["hard"] = {0: [0.5] * 6, 1: [0.5] * 6}
    restart = Restart(rules=((20, 0.05),))
    runs, progress = population(scripted, EXAM, restart, solved=dict(error=0.1))
    assert [member.attempts for member in progress] == [2, 1]
    assert [list(found_by_tests(run)) for run in runs] == [[5, 15, 25, 30], [5, 15, 30]]
    assert [member.phases["exam"]["failed"] for member in progress] == [2, 3]


def test_the_machine_kept_is_one_that_passed_the_test(scripted, population):
    """Though others without a mistake in validation had fewer bits."""
    scripted["errors"] = {0: [0.0] * 6, 1: [0.0] * 6}
    scripted["bits"] = {0: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], 1: [0.6, 0.5, 0.4, 0.3, 0.2, 0.1]}
    scripted["hard"] = {0: [0.5, 0.5, 0.0, 0.0, 0.0, 0.0], 1: [0.5] * 6}
    runs, progress = population(scripted, EXAM)
    assert [kept(run) for run in runs] == [15, 30]
    assert progress[0].best_bits == 0.3


def test_late_is_who_validates_without_a_mistake(scripted, population):
    """Solved or not; until the attempt ends."""
    scripted["errors"] = {
        0: [0.0, 0.5, 0.5, 0.5, 0.5, 0.5],
        1: [0.5] * 6,
        2: [0.1, 0.0, 0.2, 0.2, 0.2, 0.2],
    }
    scripted["hard"] = {seed: [0.5] * 6 for seed in range(3)}
    late = {}
    restart = Restart(rules=((10, 0.3),))
    save = Run.save_last

    def save_last(run, state, progress, line):
        late[run.experiment.training.seed, int(state.step)] = float(state.settings.late)
        save(run, state, progress, line)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "save_last", save_last)
        runs, progress = population(scripted, EXAM, restart, checkpoint_every=20)
    assert [member.attempts for member in progress] == [1, 3, 1]
    steps = range(5, 35, 5)
    assert [late[0, step] for step in steps] == [1] * 6
    assert [late[1, step] for step in steps] == [0] * 6
    assert [late[2, step] for step in steps] == [0] + [1] * 5
    for run in runs:
        attempt = int(run.load_last()[0].attempt)
        ours = run.load_last()[0].settings
        expected = run.experiment.settings(attempt)
        assert_drawn(ours, expected)


def test_a_new_attempt_is_not_late(scripted, population):
    """If the criterion allows some errors, a rule may still ask for fewer."""
    scripted["errors"] = {0: [0.0] * 6, 1: [0.5] * 4 + [0.9] * 2}
    scripted["hard"] = {0: [0.5] * 6, 1: [0.5] * 6}
    restart = Restart(rules=((20, 0.4),))
    runs, progress = population(scripted, EXAM, restart, solved=dict(error=0.5))
    assert [member.attempts for member in progress] == [1, 2]
    lates = [float(run.load_last()[0].settings.late) for run in runs]
    assert lates == [1, 0]


@pytest.mark.parametrize("enough", [None, 1, 2])
def test_a_population_ends_when_enough_are_solved(scripted, population, enough):
    scripted["errors"] = {
        0: [0.5, 0.4, 0.0, 0.0, 0.0, 0.0],
        1: [0.5, 0.0, 0.0, 0.0, 0.0, 0.0],
        2: [0.6, 0.3, 0.2, 0.3, 0.3, 0.3],
    }
    runs, progress = population(scripted, enough=enough)
    steps = {None: [15, 10, 30], 1: [10, 10, 10], 2: [15, 10, 15]}[enough]
    assert [member.step for member in progress] == steps
    assert all(member.finished for member in progress)
    solved = [60 if enough != 1 else None, 40, None]
    assert [member.solved_sequences for member in progress] == solved
    for run, member, step in zip(runs, progress, steps, strict=True):
        state, record = run.load_last()[:2]
        assert int(state.step) == step
        assert record == member
        assert kept(run) == min(step, 15)
    assert train_members(runs, lambda *_: pytest.fail("trained on")) == progress


def test_the_caller_may_say_which_solved_members_are_enough(scripted, population):
    scripted["errors"] = {0: [0.0] * 6, 1: [0.5, 0.5, 0.0, 0.0, 0.0, 0.0], 2: [0.5] * 6}
    asked = []

    def until(solved):
        asked.append(solved)
        return 1 in solved

    _, progress = population(scripted, until=until, enough=1)
    assert [member.step for member in progress] == [5, 15, 15]
    assert asked == [[0], [0], [0, 1]]


@pytest.mark.parametrize("ended", [False, True])
def test_a_program_that_is_found_and_fails_its_test_is_a_dead_end(
    scripted, population, monkeypatch, ended
):
    """As it makes no mistake in validation, no rule for restarts would ever end it.

    Also where training was ended right there, and resumed.
    """

    def report(member, progress, _line):
        if ended and (member, progress.step) == (2, 10):
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(wire_search, "with_searched_wires", lambda machine, *_: machine)
    scripted["errors"] = {
        0: [0.5, 0.5, 0.0, 0.5, 0.5, 0.5],
        1: [0.5] * 6,
        2: [0.5, 0.0, 0.5, 0.5, 0.5, 0.5],  # not found by a search
    }
    scripted["hard"] = {seed: [0.2] * 6 for seed in range(3)}
    search = WireSearch(updates=10, error=1.0)
    runs, progress = population(scripted, EXAM, search, report=report)
    if ended:
        assert [member.step for member in progress] == [15] * 3
        progress = train_members([Run(run.path) for run in runs])
    assert [member.attempts for member in progress] == [2, 1, 1]
    assert [int(run.load_last()[0].began) for run in runs] == [15, 0, 0]


def test_settings_and_attempt_are_in_the_checkpoint(scripted, population):
    scripted["errors"] = {0: [0.5] * 6, 1: [0.0, *[0.5] * 5]}
    scripted["hard"] = {1: [0.5] * 6}
    runs, _ = population(scripted, EXAM, Restart(rules=((20, 0.4),)))
    for run, attempt, late in zip(runs, (1, 0), (0, 1), strict=True):
        state, record = Run(run.path).load_last()[:2]
        assert (int(state.attempt), float(state.settings.late)) == (attempt, late)
        assert_drawn(state.settings, run.experiment.settings(attempt))
        assert record.attempts == attempt + 1


# A machine that needs no training


def test_a_machine_that_is_right_is_solved_at_once(
    nram_experiment, with_training, access_machine, tmp_path
):
    """After one update that changes next to nothing, validated and tested for real."""
    config = with_training(
        nram_experiment,
        optimizer=OptimizerConfig(learning_rate=1e-9),
        search=Search(),
        objective=NRAMLoss(late_entropy_penalty=0.01),
        gradient_noise=0.0,
        validate_every=4,
        solved=SolvedConfig(sequences=20, bits=1e-3),
        phases=(Exam(largest=9, examples=20),),
    )
    run = Run.create(tmp_path / "run", config)
    state = first_state(config)
    parameters = jax.tree.map(
        lambda x, y: x.astype(y.dtype),
        *map(jax.tree.leaves, (access_machine, state.parameters)),
    )
    parameters = jax.tree.unflatten(jax.tree.structure(state.parameters), parameters)
    run.save_last(state._replace(parameters=parameters), Progress())
    progress = train(run)
    assert (progress.step, progress.solved_sequences, progress.finished) == (1, 4, True)
    (line,) = run.metrics()
    assert (line["tested_hard"], line["tested_soft"]) == (0, 0)
    assert (line["validation_wrong_cells"], line["validation_perfect"]) == (0, 1)
    assert float(run.load_last()[0].settings.late) == 1
