"""Population directories: an index, and one run directory per member.

population.json        the index: the names of the members' directories
seed-0/, seed-1/, ...  the members' runs, named by their seeds
search/                of ``softmachine synthesize``: the machine that a search found, as a run
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from softmachine.core.errors import RunError
from softmachine.core.files import parse_json, sealed, unsealed, write_json
from softmachine.experiments.directories import creating
from softmachine.experiments.experiment import Experiment
from softmachine.experiments.runs import Run
from softmachine.experiments.serialization import experiment_to_json

INDEX = "population.json"
"""The file name of the index."""
SCHEMA = 2
"""The version of the index's layout; version 1 had no checksum."""
FOUND = "search"
"""The directory, beside the members, of a machine that a search found instead of training."""


def create_population(path: str | Path, experiment: Experiment, members: int) -> list[Run]:
    """Create a directory with ``members`` runs, whose seeds count up from the experiment's.

    Returns the runs. Raises RunError if the directory exists and is not empty, or cannot be
    written; ValueError if a seed would be too large.
    """
    path = Path(path)
    if members < 1:
        raise RunError(f"a population needs at least 1 member, not {members}")
    first = experiment.training.seed
    experiment.with_seed(
        first + members - 1
    )  # checks the largest seed before any run is created
    experiment_to_json(experiment)
    names = [f"seed-{seed}" for seed in range(first, first + members)]
    with creating(path, INDEX):
        runs = [
            Run.create(path / name, experiment.with_seed(first + i))
            for i, name in enumerate(names)
        ]
        write_json(path / INDEX, sealed({"schema": SCHEMA, "members": names}))
    return runs


def is_population(path: str | Path) -> bool:
    """Return whether a directory holds a population: whether it has an index."""
    return os.path.isfile(Path(path) / INDEX)


def open_population(path: str | Path) -> list[Run]:
    """Return the members' runs; RunError if there is no readable population at the path."""
    path = Path(path)
    if not is_population(path):
        raise RunError(f"{path} is not a population: it has no {INDEX}")
    index = path / INDEX
    try:
        names = _member_names(unsealed(parse_json(index.read_bytes())))
    except OSError as error:
        raise RunError(f"{index} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise RunError(f"{index} cannot be read: {error}") from error
    return [Run(path / name) for name in names]


def found_by_search(path: str | Path) -> Run | None:
    """Return the machine that a search found for a population, if one did.

    Its members may then never have been trained.
    """
    run = Path(path) / FOUND
    if not is_population(path) or not os.path.isfile(run / "config.json"):
        return None
    found = Run(run)
    return found if found.has_machine() else None


def in_place_of(run: Run) -> Run | None:
    """Return the machine that a search found so that this member never had to be trained."""
    if run.has_machine() or run.has_last():
        return None
    return found_by_search(run.path.parent)


def _member_names(value: dict[str, Any]) -> list[str]:
    """Return the members' names; ValueError unless they are distinct directory names."""
    if value.get("schema") not in range(1, SCHEMA + 1):
        raise ValueError(
            f"it has schema {value.get('schema')!r}, this softmachine reads {SCHEMA}"
        )
    names = value.get("members")
    if not isinstance(names, list) or not names:
        raise ValueError("it names no members")
    for name in names:
        if not isinstance(name, str) or not re.fullmatch(r"[\w-][\w.-]*", name):
            raise ValueError(f"{name!r} is not a name of a member")
        if names.count(name) > 1:
            raise ValueError(f"it names {name} twice")
    return names
