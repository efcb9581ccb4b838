"""Phases: what happens to a member besides its updates, and when."""

from __future__ import annotations

from typing import Any, ClassVar

from jaxtyping import PyTree

from softmachine.core.registry import Registry


class Phase:
    """A part of training besides the updates: when it is due, what it does to a member.

    Subclasses are frozen keyword-only dataclasses, registered in `PHASES`; they say no more
    than what they need of the methods below. An experiment lists its phases, each kind at most
    once. From one validation to the next the trainer asks them, in that order:

    1. in each update, within the compiled program: `steps`;
    2. of a member in which validation found no mistake: `verdict`;
    3. those that are `interruptible`, if `due`: `apply`;
    4. the others, once metrics and checkpoints of the best machine are written, likewise.

    Where annotations say ``Any``, an experiment is a
    `softmachine.experiments.experiment.Experiment`, a state a
    `softmachine.experiments.state.TrainState`, and a member a
    `softmachine.training.member.Member`. All that decides has to be in the member's state, its
    progress (`Member.remember` for what a phase has to remember) and its last line of metrics,
    which are in its checkpoint: so a run that is resumed does what an unbroken one does.
    """

    interruptible: ClassVar[bool] = False
    """Whether `apply` may take long. Then it is done for all members side by side, in threads,
    and has to return soon after its flag was raised; `due` has to stay true until it is done,
    since that is how a resumed run knows that it was interrupted."""
    gives_up: ClassVar[bool] = False
    """Whether it ends attempts; metrics then count them."""
    keeps: ClassVar[bool] = False
    """Whether it goes back to parameters that `Member.keep` has put aside."""

    @property
    def requirement(self) -> str:
        """What it asks of a member for being solved, in words, such as "no mistake on ..."."""
        return ""

    def check(self, experiment: Any) -> None:
        """Raise ValueError if an experiment's task, machine or training cannot have it."""
        del experiment

    def steps(self, steps: PyTree, state: Any) -> PyTree:
        """Return what an update adds to the parameters, given what the optimiser would add.

        Traced, for one member; ``state`` is its state before the update.
        """
        del state
        return steps

    def verdict(self, member: Any) -> bool | None:
        """Return whether a member that validated without a mistake counts as solved.

        None: this phase has nothing to say. True makes it the best yet, whatever validated
        better before. What is found may be added to the metrics (`Member.report`).
        """
        del member

    def due(self, member: Any) -> bool:
        """Return whether it is time to apply it to a member, after a validation."""
        del member
        return False

    def apply(self, member: Any, ended: Any) -> bool:
        """Apply the phase; return whether the member must be validated again.

        ``ended`` is an array of one boolean, which another thread may set: time to end.
        """
        del member, ended
        return False


PHASES: Registry[type[Phase]] = Registry(
    "phase",
    "softmachine.phases",
    {
        "all-examples": "finite:AllExamples",
        "exam": "exam:Exam",
        "restart": "phases:Restart",
        "sample-by-error": "finite:SampleByError",
        "settle": "phases:Settle",
        "larger": "larger:Larger",
        "saturation": "neural_gpu.saturation:Saturation",
        "relaxation": "neural_gpu.relaxation:Relaxation",
        "wire-search": "nram.wire_search:WireSearch",
        "cooling": "nram.cooling:Cooling",
        "lessons": "npi_ram.lessons:Lessons",
        "program-search": "npi_ram.program_search:ProgramSearch",
    },
    package="softmachine.training",
    base="softmachine.experiments.phases:Phase",
)
"""Phases by the names that files and the command line have."""
