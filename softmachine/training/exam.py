"""The phase in which a member is tested on hard cases and larger sizes before it is solved."""

from __future__ import annotations

import dataclasses

import jax
import numpy as np

from softmachine.core.capabilities import HardForm
from softmachine.core.choices import Count, check_fields
from softmachine.core.errors import SoftmachineError, with_article
from softmachine.core.randomness import Branch, branch_key
from softmachine.experiments.experiment import Experiment
from softmachine.experiments.phases import Phase
from softmachine.running.judging import judge
from softmachine.tasks.memories.exams import draw_batch, draw_exam
from softmachine.training.member import Member


@dataclasses.dataclass(frozen=True, kw_only=True)
class Exam(Phase):
    """To count as solved, a member has to make no mistake on larger examples, hard and soft.

    Hard: with every distribution replaced by its argmax. The examples are random ones, in the
    memory for the largest, and the task's adversarial cases. An exam takes as long as many
    updates: after n failures, n validations pass before the next. Its notes tell how
    many failed, and how many validations are to pass still.
    """

    largest: Count = 50
    """Sizes are uniform from the curriculum's smallest up to this."""
    examples: Count = 1000
    """How many random ones there are."""
    soft: bool = True
    """Whether the machine as it is must make no mistake either."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_fields(self)

    def check(self, experiment: Experiment) -> None:
        """Raise ValueError for tasks without an exam, and sizes below those trained on."""
        task, smallest = experiment.task, experiment.training.curriculum.smallest
        if not task.examined:
            raise ValueError(f"phase exam needs a task that has one, not {type(task).__name__}")
        if self.largest < smallest:
            raise ValueError(
                f"phase exam largest must be at least {smallest}, the smallest size trained "
                f"on; not {self.largest}"
            )

    def verdict(self, member: Member) -> bool:
        """Return whether there is no mistake, unless it is too early to try; report errors."""
        waits = member.notes(self).get("waits", 0)
        if waits and member.progress.step < member.experiment.training.last_update:
            member.remember(self, waits=waits - 1)
            return False
        errors = self._errors(member)
        member.report(errors)
        passed = not any(errors.values())
        if not passed:
            failed = self.failures(member) + 1
            member.remember(self, failed=failed, waits=failed)
        return passed

    def failures(self, member: Member) -> int:
        """Return how often, in this attempt, an exam found a mistake and validation none."""
        return member.notes(self).get("failed", 0)

    def hurry(self, member: Member) -> None:
        """Have the next exam not put off."""
        if member.notes(self).get("waits"):
            member.remember(self, waits=0)

    def _errors(self, member: Member) -> dict[str, float]:
        """Return the errors, soft and hard.

        The soft error is left out, as one, where the hard machine makes mistakes.
        """
        experiment, step = member.experiment, member.progress.step
        seed, smallest = experiment.training.seed, experiment.training.curriculum.smallest
        key = jax.random.fold_in(branch_key(seed, Branch.EXAM), step)
        sizes = jax.random.randint(key, (self.examples,), smallest, self.largest + 1)
        task, machine = experiment.task.held_out(larger=True), member.machine()
        if not isinstance(machine, HardForm):
            raise SoftmachineError(
                f"{with_article(type(machine).__name__)} has no hard form, which phase "
                "exam examines"
            )
        random = draw_batch(task, key, np.asarray(sizes), self.largest)
        exam = draw_exam(task, [seed, step], self.largest)
        examples = random.followed_by(exam.batch)
        verdict = judge(machine, task, examples, self.largest, soft=self.soft)
        return {"tested_hard": verdict.hard, "tested_soft": verdict.soft}
