"""Experiments as JSON and back."""

from __future__ import annotations

from typing import Any

import cattrs
from cattrs.strategies import configure_tagged_union

from softmachine.errors import RunError
from softmachine.training.curricula import Curriculum
from softmachine.training.experiment import Experiment, MachineConfig, TaskConfig
from softmachine.training.objectives import Objective

SCHEMA = 2
"""Version of the JSON; raised when a field changes its meaning or its name."""


def experiment_to_json(experiment: Experiment) -> dict[str, Any]:
    """Return an experiment as JSON-compatible values."""
    return {"schema": SCHEMA, "experiment": _converter().unstructure(experiment)}


def experiment_from_json(value: Any, source: str) -> Experiment:
    """Return the experiment; raise RunError, naming ``source``, if it is not one."""
    if not isinstance(value, dict) or "experiment" not in value:
        raise RunError(f"{source} does not hold an experiment")
    if value.get("schema") != SCHEMA:
        raise RunError(
            f"{source} has schema {value.get('schema')!r}; this version of softmachine reads "
            f"schema {SCHEMA}"
        )
    return _structure(value["experiment"], Experiment, f"{source} holds no valid experiment")


def task_to_json(task: TaskConfig) -> dict[str, Any]:
    """Return a task as JSON-compatible values."""
    return _converter().unstructure(task, TaskConfig)


def task_from_json(value: Any, source: str) -> TaskConfig:
    """Return the task; raise RunError, naming ``source``, if it is not one."""
    return _structure(value, TaskConfig, f"{source} is no valid task")


def _structure(value: Any, kind: Any, message: str) -> Any:
    try:
        return _converter().structure(value, kind)
    except Exception as error:
        reasons = "; ".join(cattrs.transform_error(error, format_exception=_explain))
        raise RunError(f"{message}: {reasons}") from error


def _explain(error: BaseException, expected: Any) -> str:
    if isinstance(error, KeyError):
        return f"missing field or unknown kind {error}"
    if isinstance(error, ValueError):
        return str(error)
    return cattrs.v.format_exception(error, expected)


def _exact(value: Any, kind: type) -> Any:
    """Return a value of the type; ValueError rather than 3 for 3.7, "3" or True."""
    accepted = (int, float) if kind is float else kind
    if isinstance(value, bool) != (kind is bool) or not isinstance(value, accepted):
        raise ValueError(f"expected {kind.__name__}, not {value!r}")
    return kind(value)


def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True)
    for kind in (bool, int, float, str):
        converter.register_structure_hook(kind, _exact)
    for union in (TaskConfig, MachineConfig, Curriculum, Objective):
        configure_tagged_union(union, converter, tag_name="kind_of")
    return converter
