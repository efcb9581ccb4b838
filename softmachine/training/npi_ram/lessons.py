"""Lessons: traces of some programs, for a core that is to learn another from examples alone."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Annotated, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from softmachine.core import compiling
from softmachine.core.choices import Bounds, Count, NonNegative, Positive, Share, check_fields
from softmachine.core.example import Example
from softmachine.core.randomness import Branch, branch_key
from softmachine.experiments.experiment import Experiment
from softmachine.experiments.objectives import Objective
from softmachine.experiments.phases import Phase
from softmachine.experiments.settings import Settings
from softmachine.machines.machine import split_trainable
from softmachine.machines.npi import NPI
from softmachine.machines.npi_ram import NPIRAM, NPIRAMConfig
from softmachine.tasks.task import Task
from softmachine.tasks.traced.interface import Interface
from softmachine.tasks.traced.ram_tasks import RAMCopy, RAMIncrement
from softmachine.tasks.traced.task import TracedProblems
from softmachine.tasks.traced.tracing import Calls
from softmachine.training.member import Member

LONGEST = 10
"""Steps to which calls are padded, so that all of them are one program."""
TOGETHER = 32
"""Calls, likewise: their number is a multiple of this."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExamplesAndLessons(Objective):
    """The likelihood of right answers, and beside it that of lessons: nothing is forgotten."""

    weight: NonNegative = 0.3
    """The weight of the lessons of phase ``lessons``: their loss, the mean of all calls."""
    entropy_bonus: NonNegative = 0.02
    """Weight of a bonus for undecided choices, at an attempt's first update: the sum of the
    entropies of all that is decided in a step of the task, averaged over these."""
    entropy_decay: Annotated[float, Bounds(above=0, most=1)] = 0.998
    """That weight's factor per update."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_fields(self)

    def check(self, experiment: Experiment) -> None:
        """Raise ValueError for other machines, or without lessons."""
        if not isinstance(experiment.machine, NPIRAMConfig):
            raise ValueError("objective examples-and-lessons needs an npi-ram")
        if experiment.training.phase(Lessons) is None:
            raise ValueError("objective examples-and-lessons needs phase lessons")

    def loss(
        self,
        task: Task,
        outputs: Any,
        example: Example,
        settings: Settings,
        age: Int[Array, "*batch"],
    ) -> Float[Array, "*batch"]:
        """Return the loss of one example."""
        del settings
        cells = jnp.maximum(jnp.sum(example.mask), 1)
        likelihood = task.output.loss(outputs, example) / cells
        during = jnp.arange(len(outputs.entropy)) < example.steps
        entropy = jnp.sum(outputs.entropy * during) / example.steps
        bonus = self.entropy_bonus * self.entropy_decay ** age.astype(jnp.float32)
        return likelihood - bonus * entropy

    def of_machine(self, machine: Any, experiment: Experiment) -> Float[Array, ""]:
        """Return the loss of the lessons."""
        lessons = experiment.training.phase(Lessons)
        assert lessons is not None
        if not self.weight:
            return jnp.zeros(())
        calls = as_examples(lessons.interface, lessons.calls())
        return self.weight * loss_of_calls(machine.core, lessons.interface, calls)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Lessons(Phase):
    """After the first validation of an attempt the core is taught by traces.

    Those of one or more tasks; the task that is trained for is in none of them. Its programs
    may begin as guesses: as those of another task, whose calls are taught under their names,
    too. That is all that is said of them.
    """

    tasks: tuple[TracedProblems, ...] = (RAMIncrement(), RAMCopy())
    """Whose traces."""
    guesses: tuple[tuple[str, str], ...] = (("COPY", "REVERSE"), ("COPY_LOOP", "REVERSE_LOOP"))
    """Pairs of a program of these tasks and one that begins like it."""
    updates: Count = 1_500
    """Updates on all calls at once."""
    learning_rate: Positive = 6e-3
    """Of Adam, at first; it falls to 0."""
    mistaken: Share = 0.1
    """How likely each register is shown as 0 if it is not, and the other way."""

    def __post_init__(self) -> None:
        """Check the numbers, and that all tasks have the same programs."""
        check_fields(self)
        if not self.tasks:
            raise ValueError("phase lessons needs one task or more")
        calls = [task.interface.calls for task in self.tasks]
        if any(other != calls[0] for other in calls):
            raise ValueError("the tasks of phase lessons must have the same programs")
        unknown = {x for pair in self.guesses for x in pair} - {*calls[0].programs}
        if unknown:
            raise ValueError(
                f"phase lessons: there is no program {', '.join(sorted(unknown))}; there are "
                f"{', '.join(calls[0].programs)}"
            )

    def check(self, experiment: Experiment) -> None:
        """Raise ValueError for other machines, and those with other programs."""
        machine, calls = experiment.machine, self.interface.calls
        if not isinstance(machine, NPIRAMConfig):
            raise ValueError("phase lessons needs an npi-ram")
        sizes = len(calls.programs), tuple(map(len, calls.arguments))
        if sizes != (machine.programs, machine.arguments):
            raise ValueError(
                f"the lessons have {sizes[0]} programs and arguments of {sizes[1]} values, the "
                f"npi-ram {machine.programs} and {machine.arguments}"
            )

    @property
    def interface(self) -> Interface:
        """What a core sees and decides."""
        return self.tasks[0].interface

    def calls(self) -> Calls:
        """Return the distinct calls of all tasks; all have the same numbers of programs."""
        calls: Calls = {}
        for task in self.tasks:
            for traced in task.traced_calls().values():
                calls |= traced
        return calls

    def guessed(self) -> Calls:
        """Return the calls of programs that begin like others."""
        number = self.interface.calls.programs.index
        names = {number(own): number(guess) for own, guess in self.guesses}
        return {
            ((names[key[0]], *key[1:]), seen): tuple(
                (end, names.get(called, called), *own) for end, called, *own in decisions
            )
            for (key, seen), decisions in self.calls().items()
            if key[0] in names
        }

    def due(self, member: Member) -> bool:
        """Return whether the core is not taught yet."""
        return not member.progress.finished and not member.notes(self).get("taught")

    def apply(self, member: Member, ended: Bool[np.ndarray, "1"]) -> bool:
        """Teach the core."""
        del ended
        machine = member.machine()
        assert isinstance(machine, NPIRAM)
        calls = self.calls() | self.guessed()
        key = branch_key(member.experiment.training.seed, Branch.PARAMETERS)
        core = self.teach(machine.core, calls, jax.random.fold_in(key, member.progress.step))
        member.change(dataclasses.replace(machine, core=core))
        member.remember(self, taught=1)
        return False

    def teach(self, core: NPI, calls: Calls, key: PRNGKeyArray) -> NPI:
        """Return a core that has learned some calls."""
        examples = as_examples(self.interface, calls)
        settings = jnp.array([self.updates, self.learning_rate, self.mistaken])
        return _taught(core, self.interface, examples, settings, key)


def as_examples(interface: Interface, calls: Calls) -> Example:
    """Return calls as arrays; what is too many has no steps. Raises ValueError for longer ones.

    Inputs are indices of `Interface.seen`.
    """
    if any(len(seen) > LONGEST for _, seen in calls):
        raise ValueError(f"calls of more than {LONGEST} steps are not learned")
    [kind] = interface.kinds
    count = -(-len(calls) // TOGETHER) * TOGETHER
    places = np.full((count, LONGEST, len(interface.seen.names)), -1, np.int32)
    targets = np.zeros((count, LONGEST, 2 + len(interface.calls.arguments)), np.int32)
    steps = np.zeros(count, np.int32)
    for i, ((key, seen), decided) in enumerate(calls.items()):
        steps[i] = len(seen)
        places[i, : len(seen)] = interface.rows(kind, key, seen)
        targets[i, : len(seen)] = decided
    mask = (np.arange(LONGEST) < steps[:, None]).astype(np.float32)
    return Example(*map(jnp.asarray, (places, targets, mask, steps)))


def loss_of_calls(core: NPI, interface: Interface, calls: Example) -> Float[Array, ""]:
    """Return the mean loss of calls laid out by `as_examples`."""
    outputs = jax.vmap(core)(interface.seen.one_hot(calls.inputs))
    losses = jax.vmap(interface.calls.loss)(outputs, calls)
    return jnp.sum(losses) / jnp.sum(calls.steps > 0)


@partial(compiling.filter_jit, tuned=False)
def _taught(core, interface, calls, settings, key):
    updates, rate, mistaken = settings
    parameters, static = split_trainable(core)
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.scale_by_adam())
    observed = calls.inputs[..., : interface.observed]

    def update(number, carry):
        parameters, state = carry
        wrong = jax.random.bernoulli(
            jax.random.fold_in(key, number), mistaken, observed.shape
        ) & (observed >= 0)
        shown = calls.inputs.at[..., : interface.observed].set(observed ^ wrong)
        noisy = calls._replace(inputs=shown)
        gradient = jax.grad(lambda x: loss_of_calls(eqx.combine(x, static), interface, noisy))(
            parameters
        )
        steps, state = optimizer.update(gradient, state)
        # It falls to nothing, so that the last updates undo the noise of those before.
        share = rate * (1 - number / updates)
        return jax.tree.map(lambda x, y: x - share * y, parameters, steps), state

    begin = parameters, optimizer.init(parameters)
    learned, _ = jax.lax.fori_loop(0, updates.astype(int), update, begin)
    return eqx.combine(learned, static)
