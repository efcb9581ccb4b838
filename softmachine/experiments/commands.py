"""From an experiment back to the command that trains it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from softmachine.experiments.experiment import Experiment
from softmachine.experiments.serialization import KIND, experiment_to_json

Recipes = Mapping[str, Callable[[], Experiment]]

SYNTHESIS = "synthesize"
"""The recipe's name in runs of ``softmachine synthesize``, of a person's own examples."""
ABSENT = "absent"
"""What a difference shows for a field that one side does not have."""


class Difference(NamedTuple):
    """A field in which an experiment is not what its recipe builds today."""

    field: str
    run: Any
    recipe: Any


def differences(experiment: Experiment, recipes: Recipes) -> list[Difference] | None:
    """Return where an experiment differs from its recipe, seeds aside.

    None if there is no such recipe.
    """
    if experiment.recipe not in recipes:
        return None
    ours = _fields(experiment_to_json(experiment.with_seed(0))["experiment"])
    today = recipes[experiment.recipe]().with_seed(0)
    theirs = _fields(experiment_to_json(today)["experiment"])
    return [
        Difference(name, ours.get(name, ABSENT), theirs.get(name, ABSENT))
        for name in sorted(ours.keys() | theirs.keys())
        if ours.get(name, ABSENT) != theirs.get(name, ABSENT)
    ]


def training_commands(
    experiment: Experiment, seeds: Sequence[int], recipes: Recipes
) -> list[str] | None:
    """Return the commands that train these seeds, one for each unbroken range of them.

    They name every field in which the experiment differs from its recipe. None if there is
    no such recipe, or if a part is of another kind, or there are other phases, which no option
    can change.
    """
    changes = differences(experiment, recipes)
    if changes is None or any(
        ABSENT in (change.run, change.recipe) or change.field.endswith(KIND)
        for change in changes
    ):
        return None
    options = [word for change in changes for word in _option(change.field, change.run)]
    commands = []
    for first, last in unbroken_ranges(seeds):
        command = ["softmachine", "train", experiment.recipe]
        if last > first:
            command += ["--members", str(last - first + 1)]
        if first or last == first:
            command += ["--seed", str(first)]
        commands.append(shlex.join(command + options))
    return commands


def _fields(value: Any, prefix: str = "") -> dict[str, Any]:
    """Return the leaves of nested dictionaries by their dotted names.

    Parts that stand in a list, such as phases, are named by their kinds.
    """
    if isinstance(value, (list, tuple)) and any(isinstance(part, dict) for part in value):
        kinds = [part[KIND] for part in value]
        value = {**dict(zip(kinds, value, strict=True)), KIND: kinds}
    if not isinstance(value, dict):
        return {prefix: list(value) if isinstance(value, tuple) else value}
    return {
        name: leaf
        for key, inner in value.items()
        for name, leaf in _fields(inner, f"{prefix}.{key}" if prefix else key).items()
    }


def _option(field: str, value: Any) -> list[str]:
    """Return a field's option on the command line."""
    *parents, name = field.replace("_", "-").split(".")
    if isinstance(value, bool):
        name = name if value else f"no-{name}"
        return ["--" + ".".join([*parents, name])]
    return ["--" + ".".join([*parents, name]), *map(str, _flat(value))]


def _flat(value: Any) -> list[Any]:
    """Return what stands in nested lists, or the one value."""
    if isinstance(value, (list, tuple)):
        return [x for part in value for x in _flat(part)]
    return [value]


def unbroken_ranges(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Return the first and last of each unbroken range of growing numbers."""
    ranges: list[tuple[int, int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], number)
        else:
            ranges.append((number, number))
    return ranges
