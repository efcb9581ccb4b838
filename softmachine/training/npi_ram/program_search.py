"""The phase in which the programs that a core lacks are searched, and taught to it."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

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
from softmachine.training.npi_ram.lessons import LONGEST, Lessons
from softmachine.training.npi_ram.search import Problem, limit, run, search, share_right


@dataclasses.dataclass(frozen=True, kw_only=True)
class ProgramSearch(Phase):
    """When the search for programs begins, how long it takes, and what counts as solved.

    A core that makes no mistake in validation has to make none on larger examples either, run
    by its most likely decisions, on integers. If gradients do not find one, the core has its
    lessons once more, and operations of its programs are changed until all examples of the
    search are right (`softmachine.training.npi_ram.search`). The calls of what was found are
    taught to the core, with the lessons; nothing but inputs and outputs says what is right.
    """

    interruptible: ClassVar[bool] = True
    gives_up: ClassVar[bool] = True

    updates: Count = 200
    """The search begins after this many updates of an attempt without a solution."""
    depth: Count = 5
    """How many operations are changed at most."""
    width: Count = 40
    """How many programs are kept after each change, of which all neighbours are tried."""
    examples: Count = 8
    """Of all sizes trained on."""
    largest: Count = 50
    """The largest size of the examples by which a member counts as solved."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_fields(self)

    @property
    def requirement(self) -> str:
        """Say how many examples the decided core is run on."""
        return (
            f"no mistake on {self.examples:,} of sizes up to {self.largest} with each choice "
            "made hard"
        )

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
        machine = self._reminded(member, machine)
        config, decided = machine.config, Decided(machine.core, _lessons(member).interface)
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

    def _reminded(self, member: Member, machine: NPIRAM) -> NPIRAM:
        """Return the machine after its lessons: what gradients unlearned is no start."""
        lessons = _lessons(member)
        key = branch_key(member.experiment.training.seed, Branch.PARAMETERS)
        core = lessons.teach(machine.core, lessons.calls() | lessons.guessed(), key)
        return dataclasses.replace(machine, core=core)

    def _taught(self, member: Member, machine: NPIRAM, calls: Calls) -> NPI:
        lessons = _lessons(member)
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


class Decided:
    """What a core decides in calls, each step asked for once.

    In NumPy: a search asks for many thousands of single steps, each of which would be a call of
    a compiled program. The numbers are those of `softmachine.machines.npi.NPI`.
    """

    def __init__(self, core: NPI, interface: Interface) -> None:
        self._core: Any = jax.tree.map(np.asarray, core)
        self._interface = interface
        zeros = np.asarray(core.init_state())
        self._begin = zeros[0, 0], zeros[1, 0]
        self._nothing = (0, NOTHING, *[-1] * len(interface.calls.arguments))
        self._known: dict[tuple[int, tuple[Observation, ...]], Decision] = {}
        self._states: dict[tuple[int, tuple[Observation, ...]], Any] = {}

    def __call__(self, program: int, seen: tuple[Observation, ...]) -> Decision:
        """Return it, by the program and all that was observed; nothing in calls too long."""
        if len(seen) > LONGEST:
            return self._nothing
        known = self._known.get((program, seen))
        return self._step(program, seen) if known is None else known

    def _step(self, program: int, seen: tuple[Observation, ...]) -> Decision:
        *earlier, last = seen
        before = self._begin
        if earlier:
            self(program, tuple(earlier))
            before = self._states[program, tuple(earlier)]
        core, calls = self._core, self._interface.calls
        shown = np.eye(2, dtype=np.float32)[list(last)].ravel()
        none = np.zeros(sum(map(len, calls.arguments)), np.float32)
        s = _layers(core.encoder, np.concatenate([shown, none]))
        x = _layers(core.fuse, np.concatenate([s, core.program_memory[program]]))
        hidden, cells = before
        [layer] = core.layers
        gates = layer.weight @ np.concatenate([x, hidden]) + layer.bias
        take, forget, candidate, output = np.split(gates, 4)
        cells = _sigmoid(forget) * cells + _sigmoid(take) * np.tanh(candidate)
        hidden = _sigmoid(output) * np.tanh(cells)
        self._states[program, seen] = hidden, cells
        called = int(np.argmax(core.key_memory @ _map(core.key, hidden)))
        heads = [int(np.argmax(_map(head, hidden))) for head in core.argument_heads]
        taken = calls.takes[called]
        arguments = (*heads[:taken], *[-1] * (len(heads) - taken))
        decided = (int(_map(core.end, hidden)[0] >= 0), called, *arguments)
        self._known[program, seen] = decided
        return decided


def _map(layer: Any, x: np.ndarray) -> np.ndarray:
    return layer.weight @ x + layer.bias


def _layers(layers: Any, x: np.ndarray) -> np.ndarray:
    return _map(layers[1], np.maximum(_map(layers[0], x), 0))


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(0.5 * x))


def _lessons(member: Member) -> Lessons:
    lessons = member.experiment.training.phase(Lessons)
    assert lessons is not None
    return lessons


def _decided(member: Member) -> Decided:
    machine = member.machine()
    assert isinstance(machine, NPIRAM)
    return Decided(machine.core, _lessons(member).interface)
