"""The phase in which a member is tested on larger sizes before it counts as solved."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

from softmachine.core.choices import Count, check_fields
from softmachine.core.randomness import Branch, branch_key
from softmachine.core.specs.spec import mean
from softmachine.experiments.experiment import Experiment
from softmachine.experiments.phases import Phase
from softmachine.running.generalization import with_room_for, with_test_options
from softmachine.running.scoring import build_scorer
from softmachine.training.member import Member


@dataclasses.dataclass(frozen=True, kw_only=True)
class Larger(Phase):
    """To count as solved, a member has to make no mistake on examples larger than it trains on.

    They are fresh at each validation. Sizes are tried from the smallest on, up to the first
    with a mistake. A member that is right on all it trains on is trained on until it is right
    on these as well.
    """

    sizes: tuple[Count, ...] = (101,)
    """Which sizes are tried."""
    sequences: Count = 128
    """How many of each."""
    hard: bool = False
    """Whether machines are tested with their test option of that name."""

    def __post_init__(self) -> None:
        """Check the sizes."""
        check_fields(self)

    @property
    def requirement(self) -> str:
        """Say how many of which sizes."""
        sizes = " and ".join(f"{size:,}" for size in sorted(self.sizes))
        several = "each of the sizes" if len(self.sizes) > 1 else "size"
        hard = ", made hard" if self.hard else ""
        return f"no mistake on {self.sequences:,} of {several} {sizes}{hard}"

    def check(self, experiment: Experiment) -> None:
        """Raise ValueError for no sizes, impossible ones, machines without a hard form."""
        task = experiment.task
        if not self.sizes or min(self.sizes) < task.smallest:
            raise ValueError(
                f"phase larger needs sizes from {task.smallest} on, not {self.sizes}"
            )
        for size in self.sizes:
            task.held_out(larger=True).check_size(size, size)
        machine = experiment.machine
        if self.hard and not hasattr(machine.test_options, "hard"):
            raise ValueError(
                f"phase larger hard needs a machine that can be made hard, not "
                f"{type(machine).__name__}"
            )

    def verdict(self, member: Member) -> bool:
        """Return whether there is no mistake; report the errors."""
        experiment = member.experiment
        task, machine = experiment.task.held_out(larger=True), member.machine()
        if self.hard:
            machine = with_test_options(machine, hard=True)
        key = branch_key(experiment.training.seed, Branch.EXAM)
        key = jax.random.fold_in(key, member.progress.step)
        for size in sorted(self.sizes):
            score = build_scorer(task, task.bucket(size))
            metrics = score(
                with_room_for(machine, task, size),
                jax.random.fold_in(key, size),
                jnp.full(self.sequences, size),
            )
            error = float(mean(metrics[task.error]))
            member.report({f"size_{size}_{task.error}": error})
            if error:
                return False
        return True
