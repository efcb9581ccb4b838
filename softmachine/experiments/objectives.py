"""What training minimises, where that is more than the task's own loss."""

from __future__ import annotations

import abc
import dataclasses
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from softmachine.core.choices import Bounds, NonNegative, check_fields
from softmachine.core.registry import Registry
from softmachine.core.specs.cells import Cells
from softmachine.experiments.settings import Settings
from softmachine.tasks.task import Example, Task


class Objective(abc.ABC):
    """What training minimises; a frozen keyword-only dataclass."""

    entropy_bonus: float = 0.0
    """Weight of a bonus for undecided choices at an attempt's first update."""

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
class NRAMLoss(Objective):
    """Negative log-likelihood of the scored cells, less a bonus for undecided choices.

    The bonus keeps choices open until it is known which are right: a weight, falling
    exponentially, times the sum of the entropies of all choices of a step, averaged over
    the steps. Source: Kurach et al. 2016 (arXiv 1511.06392), sections 3.3 and 4.1.
    """

    entropy_bonus: NonNegative = 0.02
    """Weight of the bonus at an attempt's first update."""
    entropy_decay: Annotated[float, Bounds(above=0, most=1)] = 0.999
    """The weight's factor per update."""
    per_cell: bool = True
    """Divide the likelihood by the number of scored cells."""
    late_entropy_penalty: NonNegative = 0.0
    """Takes the place of the bonus, with the opposite sign, once validation finds no
    mistake, and counts the entropy of stopping, too: a machine that stops one time in fifty
    is right on short inputs and stops too early on long ones."""
    mixture: bool = False
    """See `Cells`."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_fields(self)

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
        del task
        likelihood = Cells(mixture=self.mixture).loss(outputs, example)
        if self.per_cell:
            likelihood = likelihood / jnp.maximum(jnp.sum(example.mask, axis=0), 1)
        time = jnp.arange(len(outputs.entropy))
        during = time.reshape(-1, *[1] * example.steps.ndim) < example.steps
        entropy = jnp.sum(outputs.entropy * during, axis=0) / example.steps
        bonus = settings.entropy_bonus * self.entropy_decay ** age.astype(jnp.float32)
        stop = jax.nn.sigmoid(outputs.stop)
        undecided = -stop * jax.nn.log_sigmoid(outputs.stop)
        undecided -= (1 - stop) * jax.nn.log_sigmoid(-outputs.stop)
        stopping = jnp.sum(undecided * during, axis=0) / example.steps
        penalty = self.late_entropy_penalty * (entropy + stopping)
        return likelihood + jnp.where(settings.late > 0, penalty, -bonus * entropy)


OBJECTIVES: Registry[type[Objective]] = Registry(
    "objective",
    "softmachine.experiments",
    {"task": "objectives:TaskLoss", "nram": "objectives:NRAMLoss"},
)
"""Objectives by the names that files have."""
