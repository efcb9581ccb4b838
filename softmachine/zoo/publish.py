"""Publishing: write the machine of a finished run as a model of the zoo."""

from __future__ import annotations

import contextlib
import json
import math
import re
from pathlib import Path
from typing import Any

import equinox as eqx
import jax

from softmachine.core.errors import SoftmachineError
from softmachine.core.files import digest, replacing
from softmachine.experiments.commands import training_commands
from softmachine.experiments.experiment import Experiment, SolvedConfig
from softmachine.experiments.population import is_population, open_population
from softmachine.experiments.runs import Run, save_machine
from softmachine.experiments.serialization import experiment_to_json
from softmachine.machines.machine import Machine, parameter_count, split_trainable
from softmachine.recipes.registry import RECIPES, note_on_recipe
from softmachine.zoo.card import render_card
from softmachine.zoo.models import HOME, SCHEMA, ZooModel, names, open_model, sha256

MAX_BYTES = 1_000_000
"""The largest size of a model's weights, in bytes."""

KINDS = ("json", "md", "safetensors")
"""The endings of a model's files."""

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
"""Valid names of models."""


def publish(
    run: Run, name: str, tests: list[dict[str, Any]], directory: Path | None = None
) -> list[Path]:
    """Write a run's best machine, by validation, with its card; return the files.

    An older model of that name is replaced. A reader finds the old model or the new one; after
    a crash between the files, `open_model` reports a checksum that does not match.

    Arguments:
        run: a finished run.
        name: the model's name, lower-case words joined by hyphens.
        tests: rows of scores, each with a name under ``test`` and with measured values:
            ``{"test": "size 120", "sequences": 1000, "wrong_bits": 0.25}``. The card states
            limits by those that have the task's error metric.
        directory: where to write, by default the directory of the package's models.

    Raises:
        SoftmachineError: the name or a row is not as above; the run is unfinished, was
            never validated, or lacks its environment; a file would be too large or cannot
            be written.
        CheckpointError: a checkpoint of the run is damaged.
    """
    if not NAME.fullmatch(name):
        raise SoftmachineError(
            f"{name!r} is not a name for a model: take lower-case words joined by hyphens, "
            "for instance ntm-copy"
        )
    for row in tests:
        _check_row(row)
    machine, card = _describe(run, name)
    directory = HOME if directory is None else directory
    try:
        directory.mkdir(parents=True, exist_ok=True)
        _write(directory, run.experiment, machine, card | {"tests": tests})
    except OSError as error:
        raise SoftmachineError(f"cannot write to {directory}: {error.strerror}") from error
    return [directory / f"{name}.{kind}" for kind in KINDS]


def check_room(machine: Machine, name: str) -> None:
    """Raise SoftmachineError if a machine's parameters alone would be too large a file."""
    parameters, _ = split_trainable(machine)
    size = sum(leaf.nbytes for leaf in jax.tree.leaves(parameters))
    _check_size(size, name, parameter_count(machine))


def _check_size(size: int, name: str, parameters: int) -> None:
    if size > MAX_BYTES:
        raise SoftmachineError(
            f"{name} would take {size:,} bytes, the zoo allows {MAX_BYTES:,} a file: this "
            f"machine has {parameters:,} parameters"
        )


def rewrite(directory: Path = HOME) -> None:
    """Write every model again in today's layout; parameters and scores do not change.

    To be run after a change of the rendering of cards or of the schema of experiments.

    Raises SoftmachineError or CheckpointError if a model cannot be read.
    """
    for name in names(directory):
        model = open_model(name, directory)
        card = model.card | ({"note": note} if (note := _note(model.experiment)) else {})
        write_model(directory, model._replace(card=card))


def write_model(directory: Path, model: ZooModel) -> None:
    """Write a model's files into a directory; OSError if that is impossible."""
    _write(directory, model.experiment, model.machine, model.card)


def _describe(run: Run, name: str) -> tuple[Machine, dict[str, Any]]:
    """Return the machine to publish and its card, without tests, size and checksum."""
    experiment, progress, environment = run.experiment, run.load_progress(), run.environment()
    if progress is None or not progress.finished:
        raise SoftmachineError(
            f"{run.path} is not finished: continue it with 'softmachine resume {run.path}'"
        )
    if not environment:
        raise SoftmachineError(
            f"{run.path} has no environment.json, so that a card could not say with what it "
            "was trained: train it again"
        )
    machine, record = run.load_best()
    prefix = "validation_"
    scores = {k.removeprefix(prefix): x for k, x in record.items() if k.startswith(prefix)}
    scores.pop("level", None)  # one number for all examples, not a mean over them
    _check_row({"test": f"the validation of {run.path}"} | scores)
    commands = training_commands(experiment, [experiment.training.seed], RECIPES)
    return machine, {
        "name": name,
        "task": (type(experiment.task).__doc__ or "").partition("\n")[0],
        "error": experiment.task.error,
        "recipe": experiment.recipe,
        **({"note": note} if (note := _note(experiment)) else {}),
        "command": commands[0] if commands else None,
        "seed": experiment.training.seed,
        "population": _members(run.path.resolve()),
        **environment,
        "training": {
            "sequences": progress.sequences,
            "seconds": round(progress.seconds, 1),
            "device_seconds": round(progress.device_seconds, 1),
            "solved_sequences": progress.solved_sequences,
            "best_sequences": record["sequences"],
            "skipped": progress.skipped,
            "rewired": bool(progress.phases.get("wire-search", {}).get("written")),
        },
        "validation": scores,
        "validation_sequences": (experiment.training.solved or SolvedConfig()).sequences,
        "parameters": parameter_count(machine),
    }


def _note(experiment: Experiment) -> str:
    """Return what the recipe says of task and machine, if these are what it has today."""
    if experiment.recipe not in RECIPES:
        return ""
    today = RECIPES[experiment.recipe]()
    same = (today.task, today.machine) == (experiment.task, experiment.machine)
    return note_on_recipe(experiment.recipe) if same else ""


def _members(path: Path) -> int | None:
    """Return how many members the population has that a run is one of; None if it is not."""
    if not is_population(path.parent):
        return None
    members = open_population(path.parent)
    return len(members) if path in (member.path for member in members) else None


def _write(
    directory: Path, experiment: Experiment, machine: Machine, card: dict[str, Any]
) -> None:
    """Write all files under temporary names, then rename them, the JSON last."""
    parameters, rest = split_trainable(machine)
    with contextlib.ExitStack() as stack:
        description, text, weights = (
            stack.enter_context(replacing(directory / f"{card['name']}.{kind}"))
            for kind in KINDS
        )
        buffers = eqx.filter(rest, eqx.is_array)
        written = experiment_to_json(experiment)
        record = {"model": card["name"]}
        save_machine(weights, parameters, buffers, record, digest(written))
        size = weights.stat().st_size
        _check_size(size, card["name"], card["parameters"])
        value = {
            "schema": SCHEMA,
            "experiment": written,
            "card": card | {"bytes": size, "sha256": sha256(weights)},
        }
        whole = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        description.write_text(whole, encoding="utf-8")
        text.write_text(render_card(json.loads(whole)), encoding="utf-8")


def _check_row(row: dict[str, Any]) -> None:
    if not isinstance(row.get("test"), str) or not row["test"]:
        raise SoftmachineError(f"a row of scores must have a name under 'test': {row}")
    for name, value in row.items():
        if value is not None and not isinstance(value, (str, int, float)):
            raise SoftmachineError(
                f"{name!r} of {row['test']} is neither a number nor text: {value!r}"
            )
        if isinstance(value, float) and not math.isfinite(value):
            raise SoftmachineError(f"{name!r} of {row['test']} is not finite: {value}")
