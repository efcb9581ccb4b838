"""The phase in which the programs that a core lacks are searched, and taught to it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

import jax
import numpy as np
from jaxtyping import Bool

from softmachine.core.choices import Count, check_fields
from softmachine.core.randomness import Branch, branch_key
from softmachine.experiments.experiment import Experiment
from softmachine.experiments.phases import Phase
from softmachine.machines.npi import NPI
from softmachine.machines.npi_ram import NOTHING, NPIRAM, NPIRAMConfig
from softmachine.tasks.memories.exams import draw_batch
from softmachine.tasks.traced.interface import Interface
from softmachine.tasks.traced.tracing import Calls, Decision, Observation
from softmachine.training.member import Member
from softmachine.training.npi_ram.lessons import LONGEST, Lessons, decisions_of
from softmachine.training.npi_ram.search import Problem, limit, run, search, share_right


@dataclasses.dataclass(frozen=True, kw_only=True)
class ProgramSearch(Phase):
    """When the search for programs begins, how long it takes, and what counts as solved.

    A core that makes no mistake in validation has to make none on larger examples either, run
    by its most likely decisions, on integers. If gradients do not find one, operations of its
    programs are changed until all examples of the search are right
    (`softmachine.training.npi_ram.search`). The calls of what was found are taught to the core,
    with the lessons; nothing but inputs and outputs says what is right.
    """

    interruptible: ClassVar[bool] = True
    gives_up: ClassVar[bool] = True

    updates: Count = 200
    """The search begins after this many updates of an attempt without a solution."""
    depth: Count = 5
    """How many operations are changed at most."""
    width: Count = 40
    """How many programs are kept after each change, of which all neighbours are tried."""
    examples: Count = 12
    """Of all sizes trained on."""
    largest: Count = 50
    """The largest size of the examples by which a member counts as solved."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_fields(self)

    def check(self, experiment: Experiment) -> None:
        """Raise ValueError for other machines and tasks, and without lessons."""
        if not isinstance(experiment.machine, NPIRAMConfig):
            raise ValueError("phase program-search needs an npi-ram")
        if experiment.training.phase(Lessons) is None:
            raise ValueError("phase program-search needs phase lessons")

    def verdict(self, member: Member) -> bool:
        """Return whether the decided core makes no mistake on larger examples; report them."""
        decided, machine = _decided(member), member.experiment.machine
        assert isinstance(machine, NPIRAMConfig)
        wrong = 0
        for problem in self._problems(member, self.largest):
            out = run(decided, machine.main, {}, problem, machine.registers, limit(problem))
            wrong += share_right(out, problem) < 1
        member.report({"tested_hard": wrong / self.examples})
        return not wrong

    def due(self, member: Member) -> bool:
        """Return whether it is time to search, or what was found does not do."""
        if member.progress.finished or member.age < self.updates:
            return False
        return not member.notes(self).get("searched") or self._failed(member)

    def _failed(self, member: Member) -> bool:
        """Return whether after a search there is still a mistake: nothing else would help."""
        return bool(member.notes(self).get("searched"))

    def apply(self, member: Member, ended: Bool[np.ndarray, "1"]) -> bool:
        """Search programs; return whether they were found and learned.

        A search that was interrupted counts as none.
        """
        if self._failed(member):
            member.give_up()
            return False
        experiment, machine = member.experiment, member.machine()
        assert isinstance(machine, NPIRAM)
        config, decided = machine.config, _decided(member)
        problems = self._problems(member, experiment.training.curriculum.largest)
        found = search(
            decided,
            config.main,
            problems,
            registers=config.registers,
            depth=self.depth,
            width=self.width,
            stop=lambda: bool(ended[0]),
        )
        if ended[0]:
            return False
        member.remember(self, searched=1)
        member.report({"programs_tried": found.tried, "share_found": found.share})
        if found.share < 1:
            return False
        calls: Calls = {}
        for problem in [*problems, *self._problems(member, self.largest)]:
            out = run(
                decided, config.main, found.edits, problem, config.registers, limit(problem)
            )
            calls |= out.calls
        if any(len(seen) > LONGEST for _, seen in calls):
            return False
        member.take(dataclasses.replace(machine, core=self._taught(member, machine, calls)))
        return True

    def _taught(self, member: Member, machine: NPIRAM, calls: Calls) -> NPI:
        lessons = member.experiment.training.phase(Lessons)
        assert lessons is not None
        changed = {key[0] for key, _ in calls}
        known = {x: y for x, y in lessons.calls().items() if x[0][0] not in changed}
        key = branch_key(member.experiment.training.seed, Branch.PARAMETERS)
        key = jax.random.fold_in(key, member.progress.step)
        return lessons.teach(machine.core, known | calls, key)

    def _problems(self, member: Member, largest: int) -> list[Problem]:
        """Return examples of sizes up to one, in memories that fit and in larger ones."""
        training, task = member.experiment.training, member.experiment.task
        smallest, problems = training.curriculum.smallest, []
        sizes = np.linspace(smallest, largest, self.examples).round().astype(int)
        for half, room in ((sizes[::2], 0), (sizes[1::2], 1)):
            key = branch_key(training.seed, Branch.EXAM)
            key = jax.random.fold_in(key, 2 * member.progress.step + room)
            batch = draw_batch(task.held_out(larger=True), key, half, largest + room)
            for memory, targets, scored in zip(*batch[:3], strict=True):
                wanted = {int(i): int(targets[i]) for i in np.flatnonzero(scored)}
                problems.append(Problem(memory.tolist(), wanted))
        return problems


class _Decided:
    """What a core decides, each asked for once."""

    def __init__(self, core: NPI, interface: Interface) -> None:
        self._core, self._interface = core, interface
        self._known: dict[tuple[int, tuple[Observation, ...]], Decision] = {}

    def __call__(self, program: int, seen: tuple[Observation, ...]) -> Decision:
        """Return it; calls that last too long do nothing more."""
        if len(seen) > LONGEST:
            return (0, NOTHING, *[-1] * len(self._interface.calls.arguments))
        if (program, seen) not in self._known:
            self._ask(program, seen)
        return self._known[program, seen]

    def _ask(self, program: int, seen: Sequence[Observation]) -> None:
        [kind] = self._interface.kinds
        none = [-1] * len(self._interface.calls.arguments)
        row = self._interface.rows(kind, (program, *none), seen)
        [steps] = decisions_of(self._core, self._interface, [row])
        for i, step in enumerate(steps):
            self._known[program, tuple(seen[: i + 1])] = step


def _decided(member: Member) -> _Decided:
    machine, lessons = member.machine(), member.experiment.training.phase(Lessons)
    assert isinstance(machine, NPIRAM)
    assert lessons is not None
    return _Decided(machine.core, lessons.interface)
