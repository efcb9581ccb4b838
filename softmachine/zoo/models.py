"""Opening the models of the zoo."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

from softmachine.core.errors import CheckpointError, SoftmachineError, close_names
from softmachine.core.files import digest, parse_json
from softmachine.experiments.experiment import Experiment
from softmachine.experiments.runs import load_machine
from softmachine.experiments.serialization import experiment_from_json
from softmachine.machines.machine import Machine

HOME = Path(__file__).parent
"""Where the models that come with the package are."""

SCHEMA = 1
"""Version of the JSON around experiment and card."""


class ZooModel(NamedTuple):
    """A trained machine with all that is known about it."""

    name: str
    experiment: Experiment
    """What it was trained with; its recipe may have changed since."""
    machine: Machine
    card: dict[str, Any]
    """How it was made and what it scored, JSON-compatible."""

    def __repr__(self) -> str:
        """Return what it is in a line; its parts hold thousands of numbers."""
        task, machine = type(self.experiment.task).__name__, type(self.machine).__name__
        size = f"{self.card['parameters']:,} parameters"
        return f"<ZooModel {self.name!r}: {machine}, {task}, {size}>"


def names(directory: Path = HOME) -> list[str]:
    """Return the names of all models, sorted."""
    return sorted(path.stem for path in directory.glob("*.json"))


def load(name: str, directory: Path = HOME) -> Machine:
    """Return a trained machine; raises what `open_model` raises."""
    return open_model(name, directory).machine


def open_model(name: str, directory: Path = HOME) -> ZooModel:
    """Return a model.

    Arguments:
        name: one of `names`.
        directory: where its files are, by default among those of the package.

    Raises:
        SoftmachineError: there is no such model, or its JSON cannot be read.
        CheckpointError: its weights are missing, damaged, or not those of its card.
    """
    value, experiment = _described(name, directory)
    weights = directory / f"{name}.safetensors"
    machine, _ = load_machine(weights, experiment, digest(value["experiment"]))
    found, expected = sha256(weights), value["card"].get("sha256")
    if found != expected:
        raise CheckpointError(
            f"{weights} is damaged or not the file of its card: its SHA-256 is {found}, the "
            f"card says {expected}"
        )
    return ZooModel(name, experiment, machine, value["card"])


def experiment_of(name: str, directory: Path = HOME) -> Experiment:
    """Return what a model was trained with, without its weights.

    Raises SoftmachineError as `open_model` does.
    """
    return _described(name, directory)[1]


def _described(name: str, directory: Path) -> tuple[dict[str, Any], Experiment]:
    known = names(directory)
    if name not in known:
        where = "'softmachine zoo' lists them"
        if directory != HOME:
            where = f"there are {', '.join(known)} in {directory}"
        if not known:
            where = f"there is none in {directory}"
        raise SoftmachineError(f"unknown model {name!r}: {where}{close_names(name, known)}")
    value = read_model(directory / f"{name}.json")
    return value, experiment_from_json(value["experiment"], str(directory / f"{name}.json"))


def read_model(path: Path) -> dict[str, Any]:
    """Return what a model's JSON holds; SoftmachineError if it is not such a file."""
    try:
        value = parse_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SoftmachineError(f"{path} cannot be read: {error}") from error
    if not isinstance(value, dict) or not isinstance(value.get("card"), dict):
        raise SoftmachineError(f"{path} is no model of the zoo: it holds no card")
    if value.get("schema") != SCHEMA:
        raise SoftmachineError(
            f"{path} has zoo schema {value.get('schema')!r}; this softmachine reads {SCHEMA}"
        )
    if "experiment" not in value:
        raise SoftmachineError(f"{path} is no model of the zoo: it holds no experiment")
    return value


def sha256(path: Path) -> str:
    """Return a file's SHA-256, as ``sha256sum`` prints it."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
