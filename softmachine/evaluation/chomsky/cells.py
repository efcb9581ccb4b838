"""The cells of the table: one machine on one task, runs of a recipe that differ in their seed.

    FOLDER/RECIPE/seed-0, seed-1, ...

Each is an ordinary run, which other commands take too. A run that is finished stays as it is.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from softmachine.core.errors import SoftmachineError
from softmachine.evaluation.chomsky.scores import score_lengths
from softmachine.experiments.checkpoints import read_record
from softmachine.experiments.experiment import Experiment
from softmachine.experiments.progress import Progress
from softmachine.experiments.runs import Run
from softmachine.running.generalization import with_test_options
from softmachine.tasks.languages.strings import StringTask
from softmachine.training.trainer import train_members
from softmachine.training.workers.schedule import train_on_workers
from softmachine.training.workers.workers import Workers

RESULT = "lengths"
"""Name of the result in which a run keeps its scores."""
PROCESSOR = "processor"
"""Name of the result in which a run keeps the processor's seconds that its training took."""
SOLVED = 0.9
"""The share of right letters from which the paper calls a task solved."""


def runs_of(folder: Path, recipe: str) -> list[Run]:
    """Return the runs of a recipe that there are, by seed."""
    found = (folder / recipe).glob("seed-*/config.json")
    runs = [Run(config.parent) for config in found]
    return sorted(runs, key=lambda run: run.experiment.training.seed)


def train_cell(
    folder: Path,
    experiment: Experiment,
    seeds: Sequence[int],
    report: Callable[[Run, Progress], None],
    workers: Workers | None = None,
) -> bool:
    """Train what is not finished of some seeds of an experiment; return whether all are now.

    Arguments:
        folder: of the table.
        experiment: for seeds that have no run yet; runs that were begun keep their own.
        seeds: the seeds.
        report: called after each validation.
        workers: who trains them, as in `train_on_workers`; None: this process. Of a training on
            workers it is not known how long their processors took.

    Raises:
        SoftmachineError: a directory cannot be written or read, has other settings, another
            process trains it, or nobody reaches the workers any more.
    """
    groups: dict[Experiment, list[Run]] = {}
    for seed in seeds:
        path = folder / experiment.recipe / f"seed-{seed}"
        begun = os.path.exists(path / "config.json")
        run = Run(path) if begun else Run.create(path, experiment.with_seed(seed))
        check_settings(run, experiment)
        if not (run.load_progress() or Progress()).finished:
            groups.setdefault(run.experiment.with_seed(0), []).append(run)
    return all(_train(runs, report, workers) for runs in groups.values())


def settings(experiment: Experiment) -> Experiment:
    """Return what all runs of a cell have in common: all but seed and number of updates."""
    return with_updates(experiment.with_seed(0), 1)


def check_settings(run: Run, experiment: Experiment) -> None:
    """Raise SoftmachineError if a run's settings are not those that its recipe has now."""
    if settings(run.experiment) != settings(experiment):
        raise SoftmachineError(
            f"{run.path} has other settings than the recipe {experiment.recipe} has now: "
            "delete it, or give another folder"
        )


def _train(
    runs: Sequence[Run], report: Callable[[Run, Progress], None], workers: Workers | None
) -> bool:
    """Train runs, and note in each the processor's time, by their shares of the updates."""

    def tell(place: int, now: Progress, _line: object) -> None:
        report(runs[place], now)

    if workers is not None:
        return all(member.finished for member in train_on_workers(runs, workers, tell))
    before = [_updates(run) for run in runs]
    spent = [
        _processor_seconds(run, then) if then else 0.0
        for run, then in zip(runs, before, strict=True)
    ]
    begin = time.process_time()
    progress = train_members(runs, tell)
    seconds = time.process_time() - begin
    done = [now.step - then for now, then in zip(progress, before, strict=True)]
    for run, known, updates in zip(runs, spent, done, strict=True):
        if known is not None:
            total = known + seconds * updates / max(1, sum(done))
            found = {"seconds": round(total, 2), "updates": _updates(run)}
            run.save_result(PROCESSOR, found)
    return all(member.finished for member in progress)


def _updates(run: Run) -> int:
    """Return the number of updates at a run's last checkpoint."""
    return (run.load_progress() or Progress()).step


def _processor_seconds(run: Run, updates: int) -> float | None:
    """Return what so many updates of a run took the processor; None if that is not known.

    Nobody counted those made on workers, nor those of a process that was killed.
    """
    known = run.load_result(PROCESSOR) or {}
    return known.get("seconds") if known.get("updates", updates) == updates else None


def score_run(run: Run, strings: int, report: Callable[[str], None]) -> dict[str, Any] | None:
    """Return a run's scores, from its results if they are there; None before a validation.

    ``accuracy`` and ``perfect`` as in `score_lengths`; if the first is at least `SOLVED`, and
    the machine has a hard form, also ``hard_accuracy`` and ``hard_perfect``.
    """
    checkpoint = run.path / "checkpoints" / "best.safetensors"
    if not checkpoint.exists():
        return None
    record = read_record(checkpoint, run.tie).value
    fingerprint = {"checkpoint": record, "strings": strings}
    known = run.load_result(RESULT)
    if isinstance(known, dict) and known.get("fingerprint") == fingerprint:
        return known["scores"]
    report(f"testing {run.path}")
    machine, task = run.load_machine(), run.experiment.task.held_out(larger=True)
    if not isinstance(task, StringTask):
        raise SoftmachineError(f"{run.path} is of no task on strings")
    scores = score_lengths(machine, task, strings=strings)._asdict()
    options = run.experiment.machine.test_options
    if scores["accuracy"] >= SOLVED and hasattr(options, "hard"):
        hard = score_lengths(with_test_options(machine, hard=True), task, strings=strings)
        scores |= {f"hard_{name}": value for name, value in hard._asdict().items()}
    with contextlib.suppress(SoftmachineError):  # of a read-only run they are computed anew
        run.save_result(RESULT, {"fingerprint": fingerprint, "scores": scores})
    return scores


def row_of(run: Run, strings: int, report: Callable[[str], None]) -> dict[str, Any]:
    """Return what the table says of a run; scores of finished ones alone."""
    progress, training = run.load_progress() or Progress(), run.experiment.training
    scores = score_run(run, strings, report) if progress.finished else None
    where = run.environment()
    return {
        "seed": training.seed,
        "finished": progress.finished,
        "failed": progress.failed,
        "updates": progress.step,
        "most_updates": training.last_update,
        "batch": training.batch,
        "seconds": round(progress.device_seconds, 1),
        "processor_seconds": _processor_seconds(run, progress.step),
        "right": progress.solved_sequences is not None,
        "scores": scores,
        **{name: where.get(name) for name in ("date", "softmachine", "hardware")},
    }


def with_updates(experiment: Experiment, updates: int | None) -> Experiment:
    """Return an experiment with at most so many updates; None: as many as it has."""
    if updates is None:
        return experiment
    training = experiment.training
    training = dataclasses.replace(training, max_sequences=updates * training.batch)
    return dataclasses.replace(experiment, training=training)
