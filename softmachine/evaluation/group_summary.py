"""Statistics of runs that differ in their seed: success rate, costs, quantiles of scores."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from softmachine.evaluation.paper import machine_kind
from softmachine.evaluation.published_scores import Number
from softmachine.experiments.experiment import Experiment
from softmachine.running.statistics import quantiles, wilson_interval
from softmachine.tasks.published import PaperTest


def summary_of(rows: Sequence[dict[str, Any]], experiment: Experiment) -> dict[str, Any]:
    """Return counts and quantiles over the runs of a group."""
    finished = [row for row in rows if row["finished"]]
    solved = [row for row in rows if row["solved"]]
    judged = experiment.training.solved is not None
    failed = [row for row in finished if not row["solved"]]
    device_hours = sum(row["device_seconds"] for row in rows) / 3600
    return {
        "tried": len(rows),
        "finished": len(finished),
        "solved": len(solved) if judged else None,
        "attempts": sum(row["attempts"] for row in rows),
        "failed": len(failed) if judged else None,
        "interval": list(wilson_interval(len(solved), len(rows))) if judged else None,
        "to_solve": {
            name: spread([row[f"solved_{name}"] for row in solved])
            for name in ("sequences", "seconds", "device_seconds")
        },
        "sequences": spread([row["sequences"] for row in rows]),
        "validation": {
            "error": spread([row["best_error"] for row in finished]),
            "bits": spread([row["best_bits"] for row in finished]),
        },
        "afterwards": _afterwards(solved),
        "device_hours": device_hours,
        "device_hours_per_seed": device_hours / len(rows),
    }


def _afterwards(solved: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Return how many solved runs had later mistakes or ended worse; None if not known."""
    known = [(row["best_error"], row["afterwards"]) for row in solved if row["afterwards"]]
    if not known:
        return None
    return {
        "mistaken": sum(found["mistaken"] > 0 for _, found in known),
        "worst": max(found["worst"] for _, found in known),
        "ended_worse": sum(found["end"] > best for best, found in known),
        "worst_end": max(found["end"] for _, found in known),
    }


def test_summary(
    test: PaperTest,
    scores: Sequence[dict[str, Number | None] | None],
    rows: Sequence[dict[str, Any]],
    experiment: Experiment,
    best_seed: int | None,
) -> dict[str, Any]:
    """Return quantiles of one test's scores over the tested runs, and the paper's score.

    ``reported`` are those of the metric that the paper reports, ``error`` those of the task's.
    """
    tested = [score for score, row in zip(scores, rows, strict=True) if row["tested"]]
    best = next(
        (s for s, row in zip(scores, rows, strict=True) if row["seed"] == best_seed), None
    )
    paper = test.published.get(machine_kind(experiment.machine))
    names = {"reported": test.metric, "error": experiment.task.error}
    if experiment.task.examined:
        names["hard_error"] = "hard_error"
    return {
        "name": test.name,
        "size": test.size,
        "metric": test.metric,
        "share": test.metric in experiment.task.shares,
        "paper": None if paper is None else dataclasses.asdict(paper),
        "finding": test.finding,
        "seeds": sum(score is not None for score in tested),
    } | {
        key: {
            "spread": spread([None if s is None else s.get(name) for s in tested]),
            "best_member": best and best.get(name),
        }
        for key, name in names.items()
    }


def best_seed(rows: Sequence[dict[str, Any]]) -> int | None:
    """Return the seed of the finished run that validated best, regardless of test scores."""
    scored = [row for row in rows if row["finished"] and row["best_error"] is not None]
    if not scored:
        return None
    return min(scored, key=merit)["seed"]


def merit(record: dict[str, Any]) -> tuple[bool, float, float]:
    """Return a key that is smallest for the best run: solved, then error, then cross-entropy.

    ``record``: a row of the ledger, or a run's progress.
    """
    return record["solved_sequences"] is None, record["best_error"], record["best_bits"]


def spread(values: Sequence[Number | None]) -> dict[str, Number] | None:
    """Return quantiles; None if there are no values or one of them is missing."""
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return None
    return quantiles(known)._asdict()
