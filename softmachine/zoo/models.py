"""Access to the models of the zoo: list names, open a model, load its machine."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

from softmachine.core.errors import CheckpointError, SoftmachineError, close_names
from softmachine.core.files import digest, parse_json
from softmachine.core.frames import to_html
from softmachine.experiments.experiment import Experiment
from softmachine.experiments.runs import load_machine
from softmachine.experiments.serialization import experiment_from_json
from softmachine.machines.machine import Machine

HOME = Path(__file__).parent
"""The directory of the models that come with the package."""

SCHEMA = 1
"""The version of the layout of a model's JSON file."""


class ZooModel(NamedTuple):
    """A trained machine, with its experiment and its model card."""

    name: str
    experiment: Experiment
    """The experiment that trained it; the recipe of that name may have changed since."""
    machine: Machine
    """The trained machine."""
    card: dict[str, Any]
    """Provenance and scores, as a JSON value."""

    def __repr__(self) -> str:
        """Return a one-line summary, without the thousands of parameters."""
        task, machine = type(self.experiment.task).__name__, type(self.machine).__name__
        size = f"{self.card['parameters']:,} parameters"
        return f"<ZooModel {self.name!r}: {machine}, {task}, {size}>"

    def _repr_html_(self) -> str:
        """Return its scores as a table, for notebooks."""
        return to_html(self.card["tests"], repr(self)[1:-1])


def names(directory: Path = HOME) -> list[str]:
    """Return the names of all models in a directory, sorted."""
    return sorted(path.stem for path in directory.glob("*.json"))


def load(name: str, directory: Path = HOME) -> Machine:
    """Return the trained machine of a model; raises what `open_model` raises."""
    return open_model(name, directory).machine


def open_model(name: str, directory: Path = HOME) -> ZooModel:
    """Return a model of the zoo.

    Arguments:
        name: one of `names`.
        directory: the directory of its files, by default that of the package.

    Raises:
        SoftmachineError: there is no such model, or its JSON cannot be read.
        CheckpointError: its weights are missing, damaged, or do not match its card.
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
    """Return the content of a model's JSON file; SoftmachineError if it is not one."""
    try:
        value = parse_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SoftmachineError(f"{path} cannot be read: {error}") from error
    if not isinstance(value, dict) or not isinstance(value.get("card"), dict):
        raise SoftmachineError(f"{path} is not a model of the zoo: it holds no card")
    if value.get("schema") != SCHEMA:
        raise SoftmachineError(
            f"{path} has zoo schema {value.get('schema')!r}; this softmachine reads {SCHEMA}"
        )
    if "experiment" not in value:
        raise SoftmachineError(f"{path} is not a model of the zoo: it holds no experiment")
    return value


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal as ``sha256sum`` prints it."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
