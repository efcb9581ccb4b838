"""Phases for any machine: restarts, and a falling learning rate once all is right."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree
from numpy import ndarray

from softmachine.core.choices import Count, NonNegative, check_fields
from softmachine.experiments.experiment import Experiment
from softmachine.experiments.phases import Phase
from softmachine.experiments.state import TrainState
from softmachine.training.member import Member


@dataclasses.dataclass(frozen=True, kw_only=True)
class Restart(Phase):
    """A member that does not learn starts anew, with fresh parameters and settings.

    Rules for each member alone, so that a member of a population still does what it would
    do by itself. Several rules narrow down on the promising ones, as successive halving does.
    """

    gives_up: ClassVar[bool] = True

    rules: tuple[tuple[Count, NonNegative], ...]
    """Pairs (updates, error): an attempt ends if it has had that many updates and its best
    validation error is still above the error."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_fields(self)

    def due(self, member: Member) -> bool:
        """Return whether a rule says so."""
        return any(
            member.age >= updates and member.progress.attempt_error > error
            for updates, error in self.rules
        )

    def apply(self, member: Member, ended: Bool[ndarray, "1"]) -> bool:
        """Give this attempt up."""
        del ended
        member.give_up()
        return False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settle(Phase):
    """After the first validation without a mistake the learning rate falls until training ends.

    It falls with each validation, along a half cosine on top of the optimiser's schedule. Where
    a validation finds mistakes again, training goes back to the parameters that validated best,
    so that what was right stays right. Without this phase the schedule alone decides.
    """

    keeps: ClassVar[bool] = True

    validations: Count
    """How many validations there are, from the first that finds no mistake, until the end."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_fields(self)

    def check(self, experiment: Experiment) -> None:
        """Raise ValueError where nothing says what a mistake is."""
        if experiment.training.solved is None:
            raise ValueError("phase settle needs training solved, which says what a mistake is")

    def steps(self, steps: PyTree, state: TrainState) -> PyTree:
        """Return the steps at the share of the learning rate that is left."""
        share = self._share(state)
        return jax.tree.map(lambda x: x * share, steps)

    def _share(self, state: TrainState) -> Float[Array, ""]:
        passed = state.settings.settling / self.validations
        return 0.5 * (1 + jnp.cos(jnp.pi * jnp.minimum(passed, 1.0)))

    def due(self, member: Member) -> bool:
        """Return whether there was a validation without a mistake in this attempt."""
        return member.settling > 0

    def apply(self, member: Member, ended: Bool[ndarray, "1"]) -> bool:
        """Keep what is right, or go back to it; end the training if it is time."""
        del ended
        if not member.right:
            member.settle()
            member.go_back()
        elif member.settling == 1 or member.best:
            member.keep()
        if member.settling >= self.validations:
            member.finish()
        return False
