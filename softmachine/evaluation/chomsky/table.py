"""The table of the Chomsky hierarchy as data: every machine on every task, run or not."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import softmachine
from softmachine.core.errors import SoftmachineError
from softmachine.core.files import parse_json, sealed, unsealed, write_json
from softmachine.evaluation.chomsky.cells import SOLVED, check_settings, row_of, runs_of
from softmachine.evaluation.chomsky.curves import curve_of
from softmachine.evaluation.chomsky.kept import NOTHING, SCHEMA, Kept, Row
from softmachine.evaluation.chomsky.published import FROM_MEMORY, PUBLISHED
from softmachine.evaluation.chomsky.scores import LENGTHS, LengthScores, blind_scores
from softmachine.experiments.curricula import OneSize
from softmachine.experiments.experiment import Experiment
from softmachine.experiments.serialization import experiment_to_json
from softmachine.tasks.languages.strings import StringTask


class Place(NamedTuple):
    """Where in the table a recipe stands."""

    machine: str
    task: str


def build_table(
    folder: Path,
    recipes: Mapping[Place, Experiment],
    *,
    strings: int = 8,
    kept: Kept = NOTHING,
    longest: int = 0,
    report: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Return the table of the runs in a folder, JSON-compatible; score what is not yet.

    Seeds that have no run there are as an earlier table has them.

    Arguments:
        folder: where `softmachine.evaluation.chomsky.cells` has put runs.
        recipes: the experiment of each cell, task by task.
        strings: how many strings of each length are scored.
        kept: what is taken over of an earlier table (`softmachine.evaluation.chomsky.kept`).
        longest: of the best run of each solved cell also the curve up to so many letters
            (`softmachine.evaluation.chomsky.curves`).
        report: called with a line of text before something that takes long.

    Raises:
        SoftmachineError: a run cannot be read, or has other settings than its recipe.
    """
    found = {
        place: _rows(folder, experiment, strings, kept, longest, report)
        for place, experiment in recipes.items()
    }
    pace = seconds_per_step(found, recipes)
    tasks = {
        place.task: experiment.task for place, experiment in recipes.items() if found[place]
    }
    return {
        "schema": SCHEMA,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "softmachine": softmachine.__version__,
        "lengths": [LENGTHS[0], LENGTHS[-1]],
        "strings": strings,
        "solved": SOLVED,
        "blind": {
            name: kept.blind.get(name) or _blind(folder, name, task, report)._asdict()
            for name, task in tasks.items()
        },
        "cells": [
            _cell(place, experiment, found[place], pace.get(place.machine))
            for place, experiment in recipes.items()
        ],
    }


def _rows(
    folder: Path,
    experiment: Experiment,
    strings: int,
    kept: Kept,
    longest: int,
    report: Callable[[str], None],
) -> list[Row]:
    """Return the rows of a cell by seed: of the runs in the folder, and of those kept.

    The best one of the folder has a curve, if it is solved, up to ``longest`` at least.
    """
    runs = runs_of(folder, experiment.recipe)
    for run in runs:
        check_settings(run, experiment)
    rows = [row_of(run, strings, report) for run in runs]
    scored = [i for i, row in enumerate(rows) if row["scores"]]
    if scored:
        best = max(scored, key=lambda i: rows[i]["scores"]["accuracy"])
        if rows[best]["scores"]["accuracy"] >= SOLVED:
            curve = curve_of(runs[best], longest, report)
            rows[best] |= {} if curve is None else {"curve": curve}
    # What is finished elsewhere stands until it is finished here.
    ended = {row["seed"]: row for row in rows if row["finished"]}
    others = {row["seed"]: row for row in kept.rows.get(experiment.recipe, [])}
    of_seeds = {row["seed"]: row for row in rows} | others | ended
    return [of_seeds[seed] for seed in sorted(of_seeds)]


def _cell(
    place: Place, experiment: Experiment, rows: Sequence[Row], pace: float | None
) -> dict[str, Any]:
    """Return a cell: its runs and what they come to, or how long one would take."""
    training = experiment.training
    updates = training.last_update
    expected = None if pace is None else pace * steps_of(experiment, updates)
    return {
        **place._asdict(),
        "recipe": experiment.recipe,
        **({"experiment": experiment_to_json(experiment)} if rows else {}),
        "published": PUBLISHED.get(place),
        "from_memory": place in FROM_MEMORY,
        "updates": updates,
        "expected_seconds": None if expected is None else round(expected, 1),
        "runs": list(rows),
        **summary([row for row in rows if row["finished"]]),
    }


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """Return what finished runs of a cell come to; scores of those that have some.

    ``best`` is the run whose score is highest; a run that failed is tried, and not solved.
    """
    scored = [row["scores"] for row in rows if row["scores"] is not None]
    if not scored:
        return {"tried": len(rows), "solved": 0, "exact": 0, "best": None, "mean": None}
    best = max(scored, key=lambda scores: (scores["accuracy"], scores["perfect"]))
    return {
        "tried": len(rows),
        "solved": sum(scores["accuracy"] >= SOLVED for scores in scored),
        "exact": sum(scores["perfect"] == 1 for scores in scored),
        "best": best,
        "mean": float(np.mean([scores["accuracy"] for scores in scored])),
    }


def seconds_per_step(
    found: Mapping[Place, Sequence[Row]], recipes: Mapping[Place, Experiment]
) -> dict[str, float]:
    """Return the processor's seconds of an update for each step of it, by machine, where known.

    Those of its run that took most steps. All that belongs to training is included:
    compilation, validation.
    """
    most: dict[str, tuple[float, float]] = {}
    for place, rows in found.items():
        for row in rows:
            if row["processor_seconds"] is None:
                continue
            taken = (steps_of(recipes[place], row["updates"]), row["processor_seconds"])
            most[place.machine] = max(most.get(place.machine, taken), taken)
    return {machine: seconds / steps for machine, (steps, seconds) in most.items() if steps}


def steps_of(experiment: Experiment, updates: int) -> float:
    """Return how many steps the examples have of so many first updates, on average over sizes.

    A batch counts as one example. The first lengths are short ones, if lengths rise.
    """
    sizes = experiment.training.curriculum
    assert isinstance(sizes, OneSize)
    steps = [int(experiment.task.steps(x)) for x in range(sizes.smallest, sizes.largest + 1)]
    means = np.cumsum(steps) / np.arange(1, len(steps) + 1)
    rising = jnp.arange(min(updates, sizes.over))
    levels = [int(level) for level in jax.vmap(sizes.level)(rising)] if len(rising) else []
    total = sum(means[level - sizes.smallest] for level in levels)
    return float(total + (updates - len(levels)) * means[-1])


def _blind(folder: Path, name: str, task: Any, report: Callable[[str], None]) -> LengthScores:
    """Return a task's blind scores, from the folder if they are there."""
    path = folder / "blind" / f"{name}.json"
    task = task.held_out(larger=True)
    assert isinstance(task, StringTask)
    if path.exists():
        try:
            known = unsealed(parse_json(path.read_bytes()))
            if known.pop("task", None) == repr(task):
                return LengthScores(**known)
        except (OSError, ValueError, TypeError) as error:
            raise SoftmachineError(f"{path} cannot be read, {error}: delete it") from error
    report(f"counting what answers to {name} are most common")
    scores = blind_scores(task)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, sealed({"task": repr(task), **scores._asdict()}))
    return scores
