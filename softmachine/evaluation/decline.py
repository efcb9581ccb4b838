"""Runs that were solved and then became worse: what was kept, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from softmachine.training.experiment import Experiment
from softmachine.training.progress import Progress


def decline(
    experiment: Experiment, progress: Progress, metrics: Sequence[Mapping[str, Any]]
) -> str | None:
    """Say that the last parameters of a solved run are worse than those that were kept.

    Arguments:
        experiment: what was trained.
        progress: how its training ended.
        metrics: the lines of the run's metrics.

    Returns:
        Two clauses, as in "the last parameters are worse (28 wrong bits after 40,000
        sequences); kept: those of 18,000 sequences, 0 wrong bits"; None if the run was never
        solved, or its last parameters would still count as solved.
    """
    solved = experiment.training.solved
    if solved is None or progress.solved_sequences is None or not metrics:
        return None
    if experiment.training.settle is not None:
        return None  # it went back to those that were kept
    last = metrics[-1][f"validation_{experiment.task.error}"]
    if last <= max(solved.error, progress.best_error):
        return None
    label = experiment.task.error.replace("_", " ")
    return (
        f"the last parameters are worse ({last:.3g} {label} after {progress.sequences:,} "
        f"sequences); kept: those of {progress.best_sequences:,} sequences, "
        f"{progress.best_error:.3g} {label}"
    )
