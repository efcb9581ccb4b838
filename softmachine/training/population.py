"""Population directories: one run per member.

population.json        the members' directories, one per seed
seed-0/, seed-1/, ...  their runs
"""

from __future__ import annotations

import json
from pathlib import Path

from softmachine.errors import RunError
from softmachine.files import write_json
from softmachine.training.experiment import Experiment
from softmachine.training.runs import Run

INDEX = "population.json"


def create_population(path: str | Path, experiment: Experiment, members: int) -> list[Run]:
    """Make a directory with a run for each of so many seeds, counted from the experiment's.

    Raises RunError if the directory exists and is not empty, or cannot be written, and
    ValueError for a seed too large.
    """
    path = Path(path)
    if members < 1:
        raise RunError(f"a population needs at least 1 member, not {members}")
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise RunError(
            f"{path} already exists: choose another directory, or continue it with "
            f"'softmachine resume {path}'"
        )
    first = experiment.training.seed
    experiments = {
        f"seed-{seed}": experiment.with_seed(seed) for seed in range(first, first + members)
    }
    try:
        path.mkdir(parents=True, exist_ok=True)
        runs = [Run.create(path / name, member) for name, member in experiments.items()]
        write_json(path / INDEX, {"schema": 1, "members": list(experiments)})
    except OSError as error:
        raise RunError(f"cannot write to {path}: {error.strerror}") from error
    return runs


def is_population(path: str | Path) -> bool:
    """Whether a directory holds a population."""
    return (Path(path) / INDEX).is_file()


def open_population(path: str | Path) -> list[Run]:
    """Return the members' runs; RunError if there is no whole population at the path."""
    path = Path(path)
    index = path / INDEX
    if not index.is_file():
        raise RunError(f"{path} is no population: it has no {INDEX}")
    try:
        names = json.loads(index.read_text())["members"]
        if not names:
            raise ValueError("it names no members")
        return [Run(path / str(name)) for name in names]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{index} cannot be read: {error}") from error
