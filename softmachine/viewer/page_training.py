"""What the page needs to know to train a machine by itself, in `viewer-ui/src/learning`.

It has derivatives of one machine alone, the NTM of recipe ``ntm-copy``, of any size, and one
optimiser, Adam with gradients clipped by their norm and a rate that falls along a cosine.
"""

from __future__ import annotations

from typing import Any

from softmachine.core.errors import SoftmachineError
from softmachine.experiments.experiment import Experiment
from softmachine.experiments.serialization import KIND, experiment_to_json

KNOWN = {
    "task": {KIND: "copy"},
    "machine": {
        KIND: "ntm",
        "controller": {"kind": "lstm", "kinds": [], "layers": 1},
        "read_heads": 1,
        "write_heads": 1,
        "order": "read-write",
        "write_composition": "erase-then-add",
        "feed_reads": True,
        "output_from": "controller+reads",
        "key_activation": "linear",
        "add_activation": "linear",
        "sharpening_smoothing": 0.0,
        "initial_memory": "constant",
        "initial_weightings": "first-row",
        "initial_reads": "zeros",
        "wrap": True,
        "sharpening_factor": 1.0,
        "hard": False,
    },
    "training": {
        "batch": 1,
        "curriculum": {KIND: "uniform"},
        "optimizer": {
            "kind": "adam",
            "schedule": "cosine",
            "epsilon": 1e-8,
            "clip_value": None,
        },
        "objective": {KIND: "task"},
        "gradient_noise": 0.0,
        "averaging": 0.0,
    },
}
"""What an experiment has to have, as its JSON says it."""


def page_training(experiment: Experiment) -> dict[str, Any]:
    """Return how the page trains a machine, JSON-compatible.

    Raises SoftmachineError, with the field, for an experiment that the page cannot do: it takes
    recipe ``ntm-copy`` with other sizes, learning rate, clipping, and time to train.
    """
    told = experiment_to_json(experiment)["experiment"]
    _check(told, KNOWN, "")
    training = told["training"]
    optimizer, curriculum = training["optimizer"], training["curriculum"]
    if optimizer["clip_norm"] is None:
        raise SoftmachineError("the page clips gradients: training.optimizer.clip_norm is None")
    own = told["machine"]["memory_rows"]
    rows = training["memory_rows"] or [own]
    if rows[-1] != own:
        raise SoftmachineError(
            f"the page tests with the last of training.memory_rows, which has to be {own}, the "
            f"machine's own, not {rows[-1]}"
        )
    return {
        "width": told["task"]["width"],
        "smallest": curriculum["smallest"],
        "largest": curriculum["largest"],
        "memory_rows": rows,
        "learning_rate": optimizer["learning_rate"],
        "decay_steps": optimizer["decay_steps"],
        "clip_norm": optimizer["clip_norm"],
    }


def _check(told: dict[str, Any], known: dict[str, Any], where: str) -> None:
    for name, wanted in known.items():
        found = told.get(name)
        if isinstance(wanted, dict) and isinstance(found, dict):
            _check(found, wanted, f"{where}{name}.")
        elif found != wanted:
            raise SoftmachineError(
                f"the page trains machines such as that of recipe ntm-copy: {where}{name} has "
                f"to be {wanted!r}, not {found!r}"
            )
