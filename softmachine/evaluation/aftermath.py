"""What happened to runs after they were solved: whether later training spoilt them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from softmachine.experiments.experiment import Experiment
from softmachine.experiments.progress import Progress
from softmachine.training.phases import Settle


@dataclasses.dataclass(frozen=True, kw_only=True)
class Aftermath:
    """The validations of a run after the one that solved it."""

    mistaken: int
    """How many of them exceeded the error that the criterion allows."""
    worst: float
    """The largest of these errors, per sequence; 0 if there was none."""
    end: float
    """The validation error of the parameters at the end of training."""


def aftermath(
    experiment: Experiment, progress: Progress, metrics: Sequence[Mapping[str, Any]]
) -> Aftermath | None:
    """Return what happened to a run after it was solved; None if it has no metrics.

    A run that was never solved has no mistaken validations, only an end.

    Arguments:
        experiment: what was trained.
        progress: how far its training came.
        metrics: the lines of the run's metrics, one for each validation.
    """
    if not metrics:
        return None
    training, name = experiment.training, f"validation_{experiment.task.error}"
    end, mistaken = metrics[-1][name], []
    if training.solved is not None and progress.solved_sequences is not None:
        after = [m[name] for m in metrics if m["sequences"] > progress.solved_sequences]
        mistaken = [error for error in after if error > training.solved.error]
        if training.phase(Settle) is not None and end > training.solved.error:
            end = progress.best_error  # training went back
    return Aftermath(mistaken=len(mistaken), worst=max(mistaken, default=0.0), end=end)


def describe_aftermath(
    experiment: Experiment, progress: Progress, metrics: Sequence[Mapping[str, Any]]
) -> str | None:
    """Describe in words whether later training spoilt a run that was solved.

    Arguments are those of `aftermath`.

    Returns:
        That the last parameters are worse than those kept, as in "the last parameters are
        worse (28 wrong bits after 40,000 sequences); kept: those of 18,000 sequences, 0 wrong
        bits"; or that training went back, as in "2 later validations found mistakes (at worst
        28 wrong bits); training went back to what was right". None if neither happened.
    """
    found = aftermath(experiment, progress, metrics)
    if found is None or not found.mistaken:
        return None
    assert experiment.training.solved is not None
    label = experiment.task.error.replace("_", " ")
    if experiment.training.phase(Settle) is not None:
        validations = "validation" if found.mistaken == 1 else "validations"
        return (
            f"{found.mistaken} later {validations} found mistakes (at worst {found.worst:.3g} "
            f"{label}); training went back to what was right"
        )
    if found.end <= max(experiment.training.solved.error, progress.best_error):
        return None
    return (
        f"the last parameters are worse ({found.end:.3g} {label} after "
        f"{progress.sequences:,} sequences); kept: those of {progress.best_sequences:,} "
        f"sequences, {progress.best_error:.3g} {label}"
    )
