"""Loss functions of training: the task's own, or one with terms of the machine's."""

from __future__ import annotations

import abc
import dataclasses
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from softmachine.core.registry import Registry
from softmachine.experiments.settings import Settings
from softmachine.tasks.task import Example, Task


class Objective(abc.ABC):
    """What training minimises; a frozen keyword-only dataclass, registered in `OBJECTIVES`."""

    def check(self, experiment: Any) -> None:
        """Raise ValueError if an `Experiment`'s task or machine cannot be trained so."""
        del experiment

    def draw(self, key: PRNGKeyArray) -> dict[str, Float[Array, ""]]:
        """Return the numbers that a member has in ``settings.objective``; none by default.

        Drawn at the beginning of each of its attempts.
        """
        del key
        return {}

    @abc.abstractmethod
    def loss(
        self,
        task: Task,
        outputs: Any,
        example: Example,
        settings: Settings,
        age: Int[Array, "*batch"],
    ) -> Float[Array, "*batch"]:
        """Return the loss, ``age`` updates into an attempt.

        Of one example, or, if all arguments have one more axis, last, of a batch.
        """

    def of_machine(self, machine: Any, experiment: Any) -> Float[Array, ""]:
        """Return what is added to the loss of a batch, of the machine alone; by default 0."""
        del machine, experiment
        return jnp.zeros(())


@dataclasses.dataclass(frozen=True, kw_only=True)
class TaskLoss(Objective):
    """The loss of the task's outputs."""

    def loss(
        self,
        task: Task,
        outputs: Any,
        example: Example,
        settings: Settings,
        age: Int[Array, "*batch"],
    ) -> Float[Array, "*batch"]:
        """Return the loss of one example, or of a batch."""
        del settings, age
        return task.output.loss(outputs, example)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeanLoss(Objective):
    """The loss of the task's outputs, divided by the number of targets that are scored.

    So a long example counts no more than a short one.
    """

    def check(self, experiment: Any) -> None:
        """Raise ValueError for outputs that are scored a batch at a time."""
        if experiment.task.output.takes_batches:
            raise ValueError(
                f"objective mean needs a task whose examples are scored one by one, not "
                f"{type(experiment.task).__name__}"
            )

    def loss(
        self,
        task: Task,
        outputs: Any,
        example: Example,
        settings: Settings,
        age: Int[Array, "*batch"],
    ) -> Float[Array, "*batch"]:
        """Return the loss of one example per scored target."""
        del settings, age
        loss = task.output.loss(outputs, example)
        scored = jnp.sum(task.output.scored(example), dtype=loss.dtype)
        return loss / jnp.maximum(scored, 1)


OBJECTIVES: Registry[type[Objective]] = Registry(
    "objective",
    "softmachine.objectives",
    {
        "task": "experiments.objectives:TaskLoss",
        "mean": "experiments.objectives:MeanLoss",
        "nram": "training.nram.objective:NRAMLoss",
        "examples-and-lessons": "training.npi_ram.lessons:ExamplesAndLessons",
    },
    package="softmachine",
    base="softmachine.experiments.objectives:Objective",
)
"""Objectives by the names that files have."""
