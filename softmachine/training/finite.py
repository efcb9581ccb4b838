"""Phases of tasks with finitely many examples: all of them can be asked for."""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from softmachine.core.capabilities import Finite
from softmachine.core.choices import Count, Positive, check_fields
from softmachine.core.specs.spec import each
from softmachine.experiments.experiment import Experiment
from softmachine.experiments.phases import Phase
from softmachine.running.scoring import score_examples
from softmachine.tasks.task import Task
from softmachine.training.member import Member


@dataclasses.dataclass(frozen=True, kw_only=True)
class SampleByError(Phase):
    """Examples that a member gets wrong are drawn more often than others.

    After every validation all training examples are asked for. Source: the adaptive curriculum
    of Reed & de Freitas 2016 (arXiv 1511.06279), which draws programs by their errors; here it
    is their single calls.
    """

    factor: Positive = 30.0
    """How many times as likely they are as they would be."""

    def __post_init__(self) -> None:
        """Check the number."""
        check_fields(self)

    def check(self, experiment: Experiment) -> None:
        """Raise ValueError for tasks whose examples are not finitely many."""
        _check_finite(experiment.task, "sample-by-error")

    def due(self, member: Member) -> bool:
        """Return true: every validation is followed by it."""
        del member
        return True

    def apply(self, member: Member, ended: Bool[np.ndarray, "1"]) -> bool:
        """Set the priorities for the updates up to the next validation."""
        del ended
        task = member.experiment.task
        assert isinstance(task, Finite)
        wrong = errors_of_all(member, task) > 0
        first = task.first_priorities()
        priorities = jnp.where(wrong, self.factor * first, first)
        member.state = member.state._replace(priorities=priorities)
        return False


@dataclasses.dataclass(frozen=True, kw_only=True)
class AllExamples(Phase):
    """To count as solved, a member has to make no mistake on any of the held-out examples.

    Of traced calls these are all that can occur, so that it is then right on every input. After
    n failures, n validations pass before the next attempt, and no more than ``patience``.
    """

    patience: Count = 10

    def __post_init__(self) -> None:
        """Check the number."""
        check_fields(self)

    @property
    def requirement(self) -> str:
        """Say which examples."""
        return (
            "no mistake on any example held out (of recursive programs, all calls that can "
            "occur)"
        )

    def check(self, experiment: Experiment) -> None:
        """Raise ValueError for tasks whose held-out examples are not finitely many."""
        _check_finite(experiment.task.held_out(), "all-examples")

    def verdict(self, member: Member) -> bool:
        """Return whether there is none, unless it is too early to try; report how many."""
        notes = member.notes(self)
        if (
            notes.get("waits", 0)
            and member.progress.step < member.experiment.training.last_update
        ):
            member.remember(self, waits=notes["waits"] - 1)
            return False
        wrong = float((errors_of_all(member, member.experiment.task.held_out()) > 0).sum())
        member.report({"wrong_held_out": wrong})
        if wrong:
            failed = notes.get("failed", 0) + 1
            member.remember(self, failed=failed, waits=min(failed, self.patience))
        return not wrong


def errors_of_all(member: Member, task: Task) -> Float[np.ndarray, " examples"]:
    """Return the error of a member's machine on each example of a finite task."""
    assert isinstance(task, Finite)
    metrics = score_examples(member.machine(), task, task.examples(), task.steps(task.smallest))
    return np.asarray(each(metrics[task.error]))


def _check_finite(task: Task, phase: str) -> None:
    if not isinstance(task, Finite):
        raise ValueError(
            f"phase {phase} needs a task of finitely many examples, not {type(task).__name__}"
        )
