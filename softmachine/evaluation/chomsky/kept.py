"""What an earlier table says of runs that are not in the folder: so one grows over machines."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from softmachine.core.errors import SoftmachineError
from softmachine.core.files import parse_json
from softmachine.evaluation.chomsky.cells import settings
from softmachine.evaluation.chomsky.scores import LENGTHS
from softmachine.experiments.experiment import Experiment
from softmachine.experiments.serialization import experiment_from_json

SCHEMA = 2
"""Version of the table's JSON."""
Row = dict[str, Any]
OF_ROWS = frozenset(
    [
        "seed",
        "finished",
        "failed",
        "right",
        "updates",
        "most_updates",
        "seconds",
        "processor_seconds",
        "scores",
    ]
)
"""What the table says of each run."""


class Kept(NamedTuple):
    """What is taken over of an earlier table."""

    rows: dict[str, list[Row]]
    """Finished runs by recipe, of recipes whose settings are the same today."""
    blind: dict[str, dict[str, float]]
    """Blind scores by task, of these recipes' tasks."""

    def done(self, recipe: str, updates: int) -> set[int]:
        """Return the seeds of a recipe that need not be trained for so many updates.

        Those that are right, failed, or were given as many updates at least.
        """
        return {
            row["seed"]
            for row in self.rows.get(recipe, [])
            if row["right"] or row["failed"] or row["most_updates"] >= updates
        }


NOTHING = Kept({}, {})


def read_kept(
    path: Path, recipes: Mapping[Any, Experiment], *, strings: int
) -> tuple[Kept, list[str]]:
    """Return what a table's JSON says of finished runs, and the recipes changed since then.

    Runs of a recipe that has other settings now are left out: one table has one setting for
    each cell. Nothing is taken over if there is no such file.

    Arguments:
        path: the JSON.
        recipes: the experiments of today's table.
        strings: how many strings of each length score a run; the table's have to be as many.

    Raises:
        SoftmachineError: it cannot be read, is of another version, or has other scores.
    """
    if not path.exists():
        return NOTHING, []
    table = _read(path, strings)
    today = {experiment.recipe: experiment for experiment in recipes.values()}
    kept, changed = Kept({}, {}), []
    for cell in table["cells"]:
        rows = [row for row in cell["runs"] if row["finished"]]
        recipe = today.get(cell["recipe"])
        if not rows or recipe is None:
            continue
        before = experiment_from_json(cell["experiment"], str(path))
        if settings(before) != settings(recipe):
            changed.append(cell["recipe"])
            continue
        kept.rows[cell["recipe"]] = rows
        if cell["task"] in table["blind"]:
            kept.blind[cell["task"]] = table["blind"][cell["task"]]
    return kept, changed


def _read(path: Path, strings: int) -> dict[str, Any]:
    """Return the table in a file, with all that is asked of it."""
    remedy = "give another page with --out, or delete it"
    try:
        table = parse_json(path.read_bytes())
        if table["schema"] != SCHEMA:
            raise SoftmachineError(
                f"{path} is of schema {table['schema']}, not {SCHEMA}: {remedy}"
            )
        lengths, others = table["lengths"], table["strings"]
        for cell in table["cells"]:
            needed = {"task", "recipe", *(["experiment"] if cell["runs"] else [])}
            if not needed <= cell.keys():
                raise ValueError(f"a cell lacks one of {', '.join(sorted(needed))}")
            if not all(row.keys() >= OF_ROWS for row in cell["runs"]):
                raise ValueError(f"a run lacks one of {', '.join(sorted(OF_ROWS))}")
        if not isinstance(table["blind"], dict):
            raise ValueError("its blind scores are no object")
    except OSError as error:
        raise SoftmachineError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SoftmachineError(
            f"{path} is not the JSON of such a table, {error}: {remedy}"
        ) from error
    if others != strings or lengths != [LENGTHS[0], LENGTHS[-1]]:
        raise SoftmachineError(
            f"the runs in {path} are scored on {others} strings of each length from "
            f"{lengths[0]} to {lengths[-1]}: give --strings {others}, or another --out"
        )
    return table
