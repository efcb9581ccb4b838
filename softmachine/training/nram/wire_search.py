"""The phase in which the wires that an NRAM lacks are searched."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np
from jaxtyping import Bool

from softmachine.core.choices import Count, Positive, check_fields
from softmachine.experiments.experiment import Experiment
from softmachine.experiments.phases import Phase
from softmachine.experiments.settings import check_interval
from softmachine.machines.nram.nram import NRAM, NRAMConfig
from softmachine.training.exam import Exam
from softmachine.training.member import Member
from softmachine.wiring.search import HOT, draw_search_examples, with_searched_wires


@dataclasses.dataclass(frozen=True, kw_only=True)
class WireSearch(Phase):
    """When the search for the wires of a member's hard form begins, and how long it takes.

    Those that are found are written into its last layers; see `softmachine.wiring.search`. Its
    notes tell whether wires of the attempt under way were searched, and written.
    """

    interruptible: ClassVar[bool] = True
    gives_up: ClassVar[bool] = True

    updates: Count
    """The search begins after this many updates of an attempt without a solution..."""
    error: Positive
    """...if its best validation error is this at most."""
    tables: Count = 1_000_000
    """How many settings of all wires are tried."""
    hot: tuple[Positive, Positive] = HOT
    """Between these an attempt's first temperature is drawn, its logarithm uniformly. In shares
    of wrong cells: a change for the worse by this share is kept with probability 1/e."""
    examples: Count = 128
    """Examples, of all sizes trained on, that they are tried on, half of them adversarial; a
    program that is right on them has to be right on `CONFIRM_FACTOR` times as many, and on all
    adversarial cases up to twice the sizes trained on."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_fields(self)
        check_interval(self.hot, "WireSearch.hot")

    def check(self, experiment: Experiment) -> None:
        """Raise ValueError for machines that are no table of wires."""
        machine = experiment.machine
        if not isinstance(machine, NRAMConfig) or machine.controller.kind != "mlp":
            raise ValueError("phase wire-search needs an NRAM with an mlp controller")

    def due(self, member: Member) -> bool:
        """Return whether it is time to search, or what was found is a dead end."""
        if member.progress.finished:
            return False
        return self._lacks_wires(member) or self._fails(member)

    def _lacks_wires(self, member: Member) -> bool:
        late = member.age >= self.updates and not member.notes(self).get("searched")
        return late and 0 < member.progress.attempt_error <= self.error

    def _fails(self, member: Member) -> bool:
        """Return whether a program was found, but is right for the trained sizes alone.

        As it makes no mistake in validation, no other rule would end the attempt.
        """
        exam = member.experiment.training.phase(Exam)
        failed = exam is not None and exam.failures(member) > 0
        return failed and bool(member.notes(self).get("written"))

    def apply(self, member: Member, ended: Bool[np.ndarray, "1"]) -> bool:
        """Search wires; return whether they were found, the machine has them then.

        A search that was interrupted counts as none.
        """
        if self._fails(member):
            member.give_up()
            return False
        training = member.experiment.training
        machine, curriculum = member.machine(), training.curriculum
        assert isinstance(machine, NRAM)
        rng = np.random.default_rng([training.seed, member.progress.step])
        sizes = curriculum.smallest, curriculum.largest
        batch = draw_search_examples(member.experiment.task, self.examples, *sizes, rng)
        mended = with_searched_wires(
            machine, batch, rng, self.tables, self.examples, self.hot, ended
        )
        if mended is None:
            member.remember(self, searched=int(not ended[0]))
            return False
        member.remember(self, searched=1, written=1)
        member.take(mended)
        if exam := training.phase(Exam):
            exam.hurry(member)
        return True
