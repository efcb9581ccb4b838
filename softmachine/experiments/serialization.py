"""Experiments as JSON and back."""

from __future__ import annotations

import copy
import inspect
import reprlib
from collections.abc import Callable
from typing import Any

import cattrs

from softmachine.core.errors import RunError, SoftmachineError
from softmachine.core.registry import Registry
from softmachine.core.strict_json import explain, strict_converter
from softmachine.experiments.curricula import CURRICULA, Curriculum
from softmachine.experiments.experiment import Experiment
from softmachine.experiments.objectives import OBJECTIVES, Objective
from softmachine.experiments.phases import PHASES, Phase
from softmachine.machines.machine import MachineConfig
from softmachine.machines.registry import MACHINES
from softmachine.tasks.one_shot.images import IMAGES, ImageSource
from softmachine.tasks.registry import TASKS
from softmachine.tasks.task import Task

SCHEMA = 9
"""Version of the JSON; raised when a field changes its meaning, its name or its default."""


KIND = "kind_of"
"""Where the JSON of a field that may be of several types names the type."""


def _from_2(experiment: dict[str, Any]) -> dict[str, Any]:
    """Say what all machines of schema 2 did: clip logits at 30, and add nothing to norms."""
    machine = experiment["machine"]
    if machine[KIND] == "NRAMConfig":
        machine["logit_clip"] = 30.0
    if machine[KIND] == "NTMConfig":
        machine["similarity_epsilon"] = 0.0
    return experiment


def _from_3(experiment: dict[str, Any]) -> dict[str, Any]:
    """Leave out options that are gone; ValueError if one of them was used."""
    machine, training = experiment["machine"], experiment["training"]
    late = {"sharpening": 1.0, "gumbel_noise": 0.0, "straight_through": False}
    _without(training, "late", late)
    objective = training.get("objective", {})
    if objective.get(KIND) == "NRAMLoss":
        _without(objective, "late_value_penalty", 0.0)
        _without(objective, "floor", 1e-6)
    if machine[KIND] == "NRAMConfig":
        _without(machine, "renormalize", True)
        _without(machine, "temperature", 1.0)
    else:
        _without(machine.get("controller", {}), "candidate_activation", "tanh")
    return experiment


def _without(values: dict[str, Any], name: str, usual: Any) -> None:
    """Take a field out, if it is there; ValueError if it is not as usual."""
    found = values.pop(name, usual)
    if found != usual:
        raise ValueError(f"{name} {found} is no option any more")


MACHINE_NAMES = {"NTMConfig": "ntm", "NRAMConfig": "nram", "RecurrentConfig": "recurrent"}
TASK_NAMES = {
    "Copy": "copy",
    "RepeatCopy": "repeat-copy",
    "AssociativeRecall": "associative-recall",
    "NGrams": "ngrams",
    "PrioritySort": "priority-sort",
    "Access": "memory-access",
    "Increment": "memory-increment",
    "MemoryCopy": "memory-copy",
    "Reverse": "memory-reverse",
    "Swap": "memory-swap",
    "Permutation": "memory-permutation",
    "Merge": "memory-merge",
    "ListK": "list-k",
    "ListSearch": "list-search",
    "WalkBST": "walk-bst",
    "ReverseString": "reverse-string",
    "Given": "given",
}
TRAINING_NAMES = {
    "Uniform": "uniform",
    "Growing": "growing",
    "Rising": "rising",
    "TaskLoss": "task",
    "NRAMLoss": "nram",
}
"""Names of classes, which stood in files before schema 5, and what they are registered as."""


def _from_4(experiment: dict[str, Any]) -> dict[str, Any]:
    """Say by registered names what kinds of machine, task and training there are."""
    machine, task, training = (experiment[name] for name in ("machine", "task", "training"))
    machine[KIND] = MACHINE_NAMES[machine[KIND]]
    task[KIND] = TASK_NAMES[task[KIND]]
    for part in (training.get("curriculum", {}), training.get("objective", {})):
        if KIND in part:
            part[KIND] = TRAINING_NAMES[part[KIND]]
    return experiment


def _from_5(experiment: dict[str, Any]) -> dict[str, Any]:
    """Make phases of what were fields of training, and the bonus's interval the objective's.

    ValueError if an option is used that is gone.
    """
    training = experiment["training"]
    optimizer = training.get("optimizer", {})
    _without(optimizer, "betas", [0.9, 0.999])
    if optimizer.get("schedule") == "linear":
        raise ValueError("schedule 'linear' is no option any more")
    solved = training.get("solved")
    exam = solved.pop("test", None) if solved else None
    search = training.pop("wire_search", None)
    validations, rules = training.pop("settle", None), training.pop("restarts", [])
    parts = {
        "exam": exam,
        "wire-search": search,
        "settle": None if validations is None else {"validations": validations},
        "restart": {"rules": [[rule["updates"], rule["error"]] for rule in rules]}
        if rules
        else None,
    }
    training["phases"] = [
        {**fields, KIND: name} for name, fields in parts.items() if fields is not None
    ]
    interval = training.get("search", {}).pop("entropy_bonus", None)
    if training.get("objective", {}).get(KIND) == "nram":
        training["objective"]["entropy_bonus_range"] = interval
    return experiment


def _from_6(experiment: dict[str, Any]) -> dict[str, Any]:
    """Leave out the warm-up of the learning rate; ValueError if there was one."""
    _without(experiment["training"].get("optimizer", {}), "warmup_steps", 0)
    return experiment


def _from_7(experiment: dict[str, Any]) -> dict[str, Any]:
    """Leave out the bound of the sharpening exponent; ValueError if there was one."""
    if experiment["machine"][KIND] == "ntm":
        _without(experiment["machine"], "max_sharpening", None)
    return experiment


def _from_8(experiment: dict[str, Any]) -> dict[str, Any]:
    """Leave out options of one-shot learning; ValueError if one of them was used."""
    if experiment["task"][KIND] == "one-shot":
        _without(experiment["task"], "queries", 1)
    _without(experiment["machine"].get("controller", {}), "convolutions", None)
    return experiment


UPGRADES: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {
    2: _from_2,
    3: _from_3,
    4: _from_4,
    5: _from_5,
    6: _from_6,
    7: _from_7,
    8: _from_8,
}
"""For each older schema that can still be read, what turns its experiment into one of the next.

An upgrade spells out what its version did where the next one does something else, so that an
old run goes on as it began. It gets plain JSON values, and may change them in place. Whoever
raises `SCHEMA` to n + 1 adds ``UPGRADES[n]``.
"""

NAMED: list[tuple[type, Registry[Any]]] = [
    (Task, TASKS),
    (MachineConfig, MACHINES),
    (Curriculum, CURRICULA),
    (Objective, OBJECTIVES),
    (Phase, PHASES),
    (ImageSource, IMAGES),
]
"""Types of fields that may be of several kinds, and where their names are looked up."""


def experiment_to_json(experiment: Experiment) -> dict[str, Any]:
    """Return an experiment as JSON-compatible values.

    Raises SoftmachineError if its task or machine has no registered name.
    """
    return {"schema": SCHEMA, "experiment": _converter().unstructure(experiment)}


def experiment_from_json(value: Any, source: str) -> Experiment:
    """Return the experiment; raise RunError, naming ``source``, if it is not one."""
    if not isinstance(value, dict) or "experiment" not in value:
        raise RunError(f"{source} does not hold an experiment")
    schema = value.get("schema")
    readable = [*UPGRADES, SCHEMA]
    if isinstance(schema, bool) or schema not in readable:
        raise RunError(
            f"{source} has schema {reprlib.repr(schema)}; this version of softmachine reads "
            f"schema {' and '.join(map(str, readable))}"
        )
    message = f"{source} holds no valid experiment"
    return structure(_upgraded(value["experiment"], schema, message), Experiment, message)


def _upgraded(experiment: Any, schema: int, message: str) -> Any:
    """Return the JSON of an experiment of today's schema."""
    experiment, version = copy.deepcopy(experiment), schema
    try:
        for version in range(schema, SCHEMA):
            experiment = UPGRADES[version](experiment)
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        reason: Any = error
        if isinstance(error, KeyError):
            reason = f"missing field or unknown kind {error}"
        elif not isinstance(error, ValueError):
            reason = f"a field has not the type that it has in schema {version}"
        raise RunError(f"{message}: schema {schema} cannot be upgraded: {reason}") from error
    return experiment


def task_to_json(task: Task) -> dict[str, Any]:
    """Return a task as JSON-compatible values."""
    return _converter().unstructure(task, Task)


def task_from_json(value: Any, source: str) -> Task:
    """Return the task; raise RunError, naming ``source``, if it is not one."""
    return structure(value, Task, f"{source} is no valid task")


def structure(
    value: Any, kind: Any, message: str, error_type: type[SoftmachineError] = RunError
) -> Any:
    """Return JSON values as a dataclass; raise an error that begins with ``message``."""
    try:
        return _converter().structure(value, kind)
    except RecursionError:
        raise error_type(f"{message}: it is nested too deep") from None
    except Exception as error:
        reasons = "; ".join(cattrs.transform_error(error, format_exception=_explain))
        raise error_type(f"{message}: {reasons}") from error


def _explain(error: BaseException, expected: Any) -> str:
    if isinstance(error, KeyError):
        return f"missing field or unknown kind {error}"
    return explain(error, expected)


def _converter() -> cattrs.Converter:
    converter = strict_converter()
    for base, registry in NAMED:
        _by_name(converter, base, registry)
    return converter


def _by_name(converter: cattrs.Converter, base: type, registry: Registry[Any]) -> None:
    """Let fields of a type hold any registered class of it, named in the JSON.

    So may fields of an abstract type derived from it, such as that of a family of tasks.
    """

    def has_kinds(kind: Any) -> bool:
        derived = isinstance(kind, type) and issubclass(kind, base)
        return kind is base or (derived and inspect.isabstract(kind))

    def unstructure(value: Any) -> dict[str, Any]:
        fields = converter.unstructure(value, type(value))
        return fields | {KIND: registry.name_of(type(value))}

    def restore(value: Any, _: type) -> Any:
        if not isinstance(value, dict) or not isinstance(value.get(KIND), str):
            raise ValueError(f"a {registry.what} names its kind under {KIND!r}")
        kind = registry.find(value[KIND])
        fields = {name: x for name, x in value.items() if name != KIND}
        return converter.structure(fields, kind)

    converter.register_unstructure_hook_func(has_kinds, unstructure)
    converter.register_structure_hook_func(has_kinds, restore)
