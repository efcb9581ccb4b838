"""What the page needs to know to train a machine by itself, in `viewer-ui/src/learning`.

It has derivatives of one machine alone, the NTM of recipe ``ntm-copy``, of any size, and one
optimiser, Adam with gradients clipped by their norm and a rate that falls along a cosine.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from softmachine.core.errors import SoftmachineError
from softmachine.experiments.curricula import Uniform
from softmachine.experiments.experiment import Experiment
from softmachine.machines.ntm.ntm import NTMConfig
from softmachine.recipes import get_recipe
from softmachine.tasks.sequences.copy import Copy

RECIPE = "ntm-copy"


def page_training(experiment: Experiment) -> dict[str, Any]:
    """Return how the page trains a machine, JSON-compatible.

    Raises SoftmachineError if the experiment differs from recipe ``ntm-copy`` in more than
    sizes, learning rate, clipping and how long it is trained.
    """
    known, machine, training = get_recipe(RECIPE), experiment.machine, experiment.training
    optimizer, curriculum = training.optimizer, training.curriculum
    if (
        not isinstance(experiment.task, Copy)
        or not isinstance(curriculum, Uniform)
        or not isinstance(machine, NTMConfig)
        or machine != _resized(known.machine, machine)
        or training.batch != known.training.batch
        or optimizer != _resized(known.training.optimizer, optimizer)
        or optimizer.decay_steps is None
        or optimizer.clip_norm is None
    ):
        raise SoftmachineError(
            f"the page trains machines as recipe {RECIPE} does, but for sizes, learning rate "
            f"and clipping; {experiment.recipe} differs in more"
        )
    return {
        "width": experiment.task.width,
        "smallest": curriculum.smallest,
        "largest": curriculum.largest,
        "memory_rows": list(training.memory_rows or (machine.memory_rows,)),
        "learning_rate": optimizer.learning_rate,
        "decay_steps": optimizer.decay_steps,
        "clip_norm": optimizer.clip_norm,
    }


FREE = {
    "memory_rows", "memory_columns", "shifts", "initial_memory_range", "head_clip",
    "learning_rate", "decay_steps", "clip_norm",
}  # fmt: skip
"""What may differ."""


def _resized(known: Any, other: Any) -> Any:
    """Return a known configuration with the `FREE` fields of another, and its hidden units."""
    fields = {field.name for field in dataclasses.fields(known)}
    changes = {name: getattr(other, name) for name in fields & FREE}
    if "controller" in fields:
        hidden = other.controller.hidden
        changes["controller"] = dataclasses.replace(known.controller, hidden=hidden)
    return dataclasses.replace(known, **changes)
