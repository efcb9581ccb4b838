"""Training runs: reproducible, resumable, honest about what went wrong."""

import dataclasses
import os
import signal
import subprocess
import sys

import jax
import numpy as np
import pytest

from softmachine.core.errors import CheckpointError, NonFiniteError, RunError
from softmachine.experiments.curricula import Growing, Uniform
from softmachine.experiments.experiment import SolvedConfig
from softmachine.experiments.optimizers import OptimizerConfig
from softmachine.experiments.runs import Run
from softmachine.tasks.one_shot.episodes import Episodes
from softmachine.tasks.one_shot.glyphs import Glyphs
from softmachine.training import trainer
from softmachine.training.phases import Settle
from softmachine.training.trainer import train


def interrupt_at(step):
    def report(progress, _line):
        if progress.step == step:
            os.kill(os.getpid(), signal.SIGTERM)

    return report


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"curriculum": Growing(largest=4, start=1, threshold=10.0, patience=3)},
        {"optimizer": OptimizerConfig(kind="graves-rmsprop", learning_rate=1e-3)},
    ],
    ids=["uniform", "growing", "graves"],
)
def test_interrupted_and_resumed_equals_straight(
    experiment, with_training, tmp_path, changes, assert_same, without_times
):
    experiment = with_training(experiment, **changes)
    straight, broken = (Run.create(tmp_path / name, experiment) for name in ("a", "b"))
    assert train(straight).finished
    stopped = train(broken, interrupt_at(step=15))
    assert not stopped.finished
    assert 15 < stopped.step < 40
    assert train(Run(broken.path)).finished
    assert_same(straight.load_last()[0], broken.load_last()[0])
    assert_same(straight.load_machine(), broken.load_machine())
    assert without_times(straight.metrics()) == without_times(broken.metrics())


def test_a_ratio_of_nothing_is_null_in_the_metrics(experiment, with_training, tmp_path):
    """In four images there is no fifth of a class."""
    experiment = dataclasses.replace(
        with_training(
            experiment,
            max_sequences=60,
            curriculum=Uniform(smallest=2, largest=2),
            solved=SolvedConfig(sequences=8),
        ),
        task=Episodes(
            source=Glyphs(train_classes=3, test_classes=2, drawings=2),
            side=4,
            per_class=2,
            names=2,
        ),
    )
    run = Run.create(tmp_path / "it", experiment)
    assert not train(run, interrupt_at(step=5)).finished
    again = Run(run.path)
    assert train(again).finished
    lines = again.metrics()
    assert len(lines) == 3
    assert {line["validation_instance_5"] for line in lines} == {None}
    assert None not in {line["validation_instance_1"] for line in lines}


def test_same_seed_same_result_other_seed_other_result(
    experiment, with_training, tmp_path, without_times
):
    experiment = with_training(experiment, max_sequences=40)
    other = with_training(experiment, seed=1)
    runs = [
        Run.create(tmp_path / name, e)
        for name, e in (("a", experiment), ("b", experiment), ("c", other))
    ]
    for run in runs:
        train(run)
    a, b, c = (without_times(run.metrics()) for run in runs)
    assert a == b
    assert a != c


def test_stops_when_solved_and_remembers_when(experiment, with_training, tmp_path):
    easy = SolvedConfig(sequences=20, error=100.0, bits=100.0)
    run = Run.create(tmp_path / "run", with_training(experiment, solved=easy))
    progress = train(run)
    assert progress.finished
    assert progress.sequences == progress.solved_sequences == 20
    again = train(Run(run.path))
    assert again == progress


def test_solved_with_too_many_bits_trains_on(experiment, with_training, tmp_path):
    strict = SolvedConfig(sequences=20, error=100.0, bits=0.0)
    progress = train(Run.create(tmp_path / "run", with_training(experiment, solved=strict)))
    assert progress.solved_sequences == 20
    assert progress.sequences == 160


def test_a_solved_run_settles_and_ends(experiment, with_training, tmp_path):
    strict = SolvedConfig(sequences=20, error=100.0, bits=0.0)
    config = with_training(experiment, solved=strict, phases=(Settle(validations=4),))
    run = Run.create(tmp_path / "run", config)
    progress = train(run)
    assert (progress.finished, progress.solved_sequences, progress.sequences) == (True, 20, 80)
    assert int(run.load_last()[0].settings.settling) == 4


def scripted(monkeypatch, found):
    """Let validation find these wrong bits, one after another."""

    def scores(states):
        wrong = [float(found[int(state.step) // 5 - 1]) for state in states]
        return [
            {"validation_wrong_bits": w, "validation_bits": 1 + w, "validation_level": 1}
            for w in wrong
        ]

    monkeypatch.setattr(trainer, "build_validation", lambda _: scores)


def test_what_was_right_stays_right(
    experiment, with_training, tmp_path, monkeypatch, assert_same
):
    config = with_training(
        experiment, solved=SolvedConfig(bits=0.0), phases=(Settle(validations=4),)
    )
    straight, broken, at_best = (Run.create(tmp_path / n, config) for n in ("a", "b", "c"))
    scripted(monkeypatch, [2, 9, 0, 9, 0, 9])
    progress = train(straight)
    # Four validations from the first right one on, though two of them found mistakes.
    assert (progress.solved_sequences, progress.sequences) == (60, 120)
    train(at_best, interrupt_at(step=10))  # ends after the next validation
    best, last = at_best.load_last().state, straight.load_last().state
    assert (int(best.step), int(last.step)) == (15, 30)
    assert_same(last.parameters, best.parameters)
    assert_same(last.optimizer, best.optimizer)
    # What is right, with no fewer bits, is not what one goes back to; an interruption between
    # changes nothing.
    train(broken, interrupt_at(step=15))
    assert_same(broken.load_last().state.parameters, best.parameters)
    train(Run(broken.path))
    assert_same(broken.load_last().state, last)
    # What would have been, had training not gone back.
    scripted(monkeypatch, [2, 9, 0, 0, 0, 0])
    other = Run.create(tmp_path / "d", config)
    train(other)
    assert not np.array_equal(
        jax.tree.leaves(other.load_last().state.parameters)[0],
        jax.tree.leaves(last.parameters)[0],
    )


def test_settling_needs_to_know_what_a_mistake_is(experiment, with_training):
    with pytest.raises(ValueError, match="phase settle needs training solved"):
        with_training(experiment, solved=None, phases=(Settle(validations=4),))


def test_best_checkpoint_is_the_one_that_validated_best(experiment, tmp_path):
    run = Run.create(tmp_path / "run", experiment)
    progress = train(run)
    best = min(run.metrics(), key=lambda m: (m["validation_wrong_bits"], m["validation_bits"]))
    assert progress.best_sequences == best["sequences"]
    assert progress.best_bits == best["validation_bits"]


def exploding(experiment, with_training, **changes):
    # Each update makes every parameter a million million times as large.
    wild = OptimizerConfig(kind="adamw", learning_rate=1e6, weight_decay=1e6, clip_norm=None)
    return with_training(experiment, optimizer=wild, **changes)


def test_non_finite_gradient_stops_with_an_account(experiment, with_training, tmp_path):
    run = Run.create(tmp_path / "run", exploding(experiment, with_training))
    with pytest.raises(
        NonFiniteError, match=r"^update \d+: loss .*(gradient|not finite)"
    ) as failure:
        train(run)
    record = run.load_progress()
    assert record.failed == str(failure.value)
    assert record.step == int(run.load_last()[0].step)


def test_non_finite_gradients_can_be_skipped(experiment, with_training, tmp_path):
    config = exploding(experiment, with_training, on_nonfinite="skip")
    run = Run.create(tmp_path / "run", config)
    progress = train(run)
    assert progress.finished
    assert 0 < progress.skipped < 40
    state = run.load_last().state
    assert int(state.skipped) == progress.skipped
    assert 0 < int(state.fault.step) < 40
    for leaf in jax.tree.leaves(state.parameters):
        assert np.isfinite(leaf).all()


def test_a_run_being_written_is_refused(experiment, tmp_path):
    run = Run.create(tmp_path / "run", experiment)
    with run.locked(), pytest.raises(RunError, match="being written by another process"):
        train(Run(run.path))


def test_checkpoints_that_cannot_be_used_are_named(experiment, with_training, tmp_path):
    run = Run.create(tmp_path / "run", with_training(experiment, max_sequences=20))
    train(run)
    last = run.path / "checkpoints" / "last.safetensors"
    good = last.read_bytes()

    last.write_bytes(good[: len(good) // 2])
    with pytest.raises(CheckpointError, match=r"last\.safetensors is damaged"):
        run.load_last()

    flipped = bytearray(good)
    flipped[-1] ^= 1
    last.write_bytes(flipped)
    with pytest.raises(CheckpointError, match="does not match its checksum"):
        run.load_last()

    last.write_bytes(b"not a checkpoint at all")
    with pytest.raises(CheckpointError, match="damaged or no safetensors file"):
        run.load_last()

    best = run.path / "checkpoints" / "best.safetensors"
    last.write_bytes(best.read_bytes())
    with pytest.raises(CheckpointError, match="belongs to another experiment: it lacks"):
        run.load_last()

    last.write_bytes(good)
    larger = dataclasses.replace(experiment.machine, memory_columns=6)
    other = Run.create(tmp_path / "other", dataclasses.replace(experiment, machine=larger))
    (other.path / "checkpoints" / "last.safetensors").write_bytes(good)
    with pytest.raises(CheckpointError, match="another experiment than the one beside it"):
        other.load_last()


def test_foreign_safetensors_file_is_named(experiment, tmp_path):
    from safetensors.numpy import save_file

    run = Run.create(tmp_path / "run", experiment)
    save_file({"x": np.zeros(3)}, run.path / "checkpoints" / "last.safetensors")
    with pytest.raises(CheckpointError, match="no softmachine checkpoint"):
        train(run)


DIE_IN_THE_SECOND_CHECKPOINT = """
import os, sys
from softmachine.experiments.runs import Run
from softmachine.training.trainer import train

replace, seen = os.replace, []

def dying_replace(source, target):
    if str(target).endswith("last.safetensors"):
        seen.append(target)
        if len(seen) == 2:
            os.truncate(source, 100)
            os._exit(9)
    replace(source, target)

os.replace = dying_replace
train(Run(sys.argv[1]))
"""


def test_killed_while_writing_a_checkpoint_it_resumes(
    experiment, tmp_path, assert_same, without_times
):
    straight, broken = (Run.create(tmp_path / name, experiment) for name in ("a", "b"))
    command = [sys.executable, "-c", DIE_IN_THE_SECOND_CHECKPOINT, str(broken.path)]
    assert subprocess.run(command, check=False).returncode == 9
    state = broken.load_last().state
    assert int(state.step) == 10
    # Metrics of updates after that checkpoint exist, half a line of them too.
    with open(broken.path / "metrics.jsonl", "a") as file:
        file.write('{"step": 25, "sequ')
    train(straight)
    train(Run(broken.path))
    assert_same(straight.load_last()[0], broken.load_last()[0])
    assert without_times(straight.metrics()) == without_times(broken.metrics())
