"""Population directories: one run per member.

population.json        the members' directories, one per seed
seed-0/, seed-1/, ...  their runs
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
SCHEMA = 2
"""Version of the index: 1 had no checksum."""


def create_population(path: str | Path, experiment: Experiment, members: int) -> list[Run]:
    """Make a directory with a run for each of so many seeds, counted from the experiment's.

    Raises RunError if the directory exists and is not empty, or cannot be written, and
    ValueError for a seed too large.
    """
    path = Path(path)
    if members < 1:
        raise RunError(f"a population needs at least 1 member, not {members}")
    first = experiment.training.seed
    experiment.with_seed(first + members - 1)  # refused before a million others are made
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
    """Whether a directory holds a population."""
    return os.path.isfile(Path(path) / INDEX)


def open_population(path: str | Path) -> list[Run]:
    """Return the members' runs; RunError if there is no whole population at the path."""
    path = Path(path)
    if not is_population(path):
        raise RunError(f"{path} is no population: it has no {INDEX}")
    index = path / INDEX
    try:
        names = _member_names(unsealed(parse_json(index.read_bytes())))
    except OSError as error:
        raise RunError(f"{index} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise RunError(f"{index} cannot be read: {error}") from error
    return [Run(path / name) for name in names]


def _member_names(value: dict[str, Any]) -> list[str]:
    """Return the members' names; ValueError unless they are different names of directories."""
    if value.get("schema") not in range(1, SCHEMA + 1):
        raise ValueError(
            f"it has schema {value.get('schema')!r}, this softmachine reads {SCHEMA}"
        )
    names = value.get("members")
    if not isinstance(names, list) or not names:
        raise ValueError("it names no members")
    for name in names:
        if not isinstance(name, str) or not re.fullmatch(r"[\w-][\w.-]*", name):
            raise ValueError(f"{name!r} is no name of a member")
        if names.count(name) > 1:
            raise ValueError(f"it names {name} twice")
    return names
