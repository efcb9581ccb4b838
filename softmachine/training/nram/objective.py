"""What the training of an NRAM minimises."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from softmachine.core.choices import Bounds, NonNegative, check_fields
from softmachine.core.specs.cells import Cells
from softmachine.experiments.experiment import Experiment
from softmachine.experiments.objectives import Objective
from softmachine.experiments.settings import (
    Interval,
    Settings,
    check_interval,
    draw_between,
)
from softmachine.machines.nram.nram import NRAMConfig
from softmachine.tasks.task import Example, Task


@dataclasses.dataclass(frozen=True, kw_only=True)
class NRAMLoss(Objective):
    """Negative log-likelihood of the scored cells, less a bonus for undecided choices.

    The bonus keeps choices open until it is known which are right: a weight, falling
    exponentially, times the sum of the entropies of all choices of a step, averaged over
    the steps. Source: Kurach et al. 2016 (arXiv 1511.06392), sections 3.3 and 4.1.
    """

    entropy_bonus: NonNegative = 0.02
    """Weight of the bonus at an attempt's first update."""
    entropy_bonus_range: Interval | None = None
    """From it each member, at each of its attempts, draws that weight, its logarithm uniform;
    None: all have the same."""
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
        check_interval(self.entropy_bonus_range, "NRAMLoss.entropy_bonus_range")

    def check(self, experiment: Experiment) -> None:
        """Raise ValueError for other machines: they have no choices whose entropy there is."""
        if not isinstance(experiment.machine, NRAMConfig):
            raise ValueError("objective NRAMLoss needs an NRAM")

    def draw(self, key: PRNGKeyArray) -> dict[str, Float[Array, ""]]:
        """Return a member's weight of the bonus."""
        if self.entropy_bonus_range is not None:
            return {"entropy_bonus": draw_between(key, self.entropy_bonus_range)}
        return {"entropy_bonus": jnp.asarray(self.entropy_bonus, jnp.float32)}

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
        weight = settings.objective["entropy_bonus"]
        bonus = weight * self.entropy_decay ** age.astype(jnp.float32)
        stop = jax.nn.sigmoid(outputs.stop)
        undecided = -stop * jax.nn.log_sigmoid(outputs.stop)
        undecided -= (1 - stop) * jax.nn.log_sigmoid(-outputs.stop)
        stopping = jnp.sum(undecided * during, axis=0) / example.steps
        penalty = self.late_entropy_penalty * (entropy + stopping)
        return likelihood + jnp.where(settings.late > 0, penalty, -bonus * entropy)
