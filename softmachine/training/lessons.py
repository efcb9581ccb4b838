"""Training by lessons and by answers: traces of some programs, then inputs and outputs."""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from softmachine.core.choices import Bounds, Count, NonNegative, check_fields
from softmachine.core.example import Example
from softmachine.core.specs.cells import Cells
from softmachine.experiments.experiment import Experiment
from softmachine.experiments.objectives import Objective
from softmachine.experiments.settings import Settings
from softmachine.machines.npi_ram import NPIRAM, NPIRAMConfig
from softmachine.tasks.task import Task
from softmachine.tasks.traced.interface import Interface
from softmachine.tasks.traced.ram_tasks import RAMCopy, RAMIncrement
from softmachine.tasks.traced.task import TracedProblems

Guesses = tuple[tuple[str, str], ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class LessonsThenExamples(Objective):
    """At first the loss of some programs' traces, then that of a task's outputs, too.

    The task's own programs are in none of the lessons. They may begin as those of another
    task: as a guess, its traces are learned under their names, too, for as long as there are
    lessons alone.
    """

    lessons: tuple[TracedProblems, ...] = (RAMIncrement(), RAMCopy())
    """Whose traces; all with the programs of one environment."""
    guesses: Guesses = (("COPY", "REVERSE"), ("COPY_LOOP", "REVERSE_LOOP"))
    """Pairs of a program of the lessons and one of the task's that begins like it."""
    updates: Count = 300
    """How many updates there are lessons alone, at the beginning of an attempt."""
    weight: NonNegative = 0.3
    """The weight of the lessons after that, so that they are not forgotten."""
    entropy_bonus: NonNegative = 0.02
    """Weight of a bonus for undecided choices: the sum of the entropies of a core's step,
    averaged over steps; at the end of the lessons."""
    entropy_decay: Annotated[float, Bounds(above=0, most=1)] = 0.998
    """That weight's factor per update."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_fields(self)

    def check(self, experiment: Experiment) -> None:
        """Raise ValueError for other machines, and lessons in other programs than it has."""
        machine = experiment.machine
        if not isinstance(machine, NPIRAMConfig):
            raise ValueError("objective LessonsThenExamples needs an npi-ram")
        if not self.lessons:
            return
        calls = _interface(self.lessons).calls
        if (len(calls.programs), tuple(map(len, calls.arguments))) != (
            machine.programs,
            machine.arguments,
        ):
            raise ValueError(
                f"the lessons are in {len(calls.programs)} programs with arguments of "
                f"{tuple(map(len, calls.arguments))} values; the npi-ram has "
                f"{machine.programs} and {machine.arguments}"
            )
        unknown = {x for pair in self.guesses for x in pair} - set(calls.programs)
        if unknown:
            raise ValueError(f"there is no program {', '.join(sorted(unknown))} to guess")

    def loss(
        self,
        task: Task,
        outputs: Any,
        example: Example,
        settings: Settings,
        age: Int[Array, "*batch"],
    ) -> Float[Array, "*batch"]:
        """Return the loss of one example, 0 while there are lessons alone."""
        del task, settings
        likelihood = Cells().loss(outputs, example) / jnp.maximum(jnp.sum(example.mask), 1)
        during = jnp.arange(len(outputs.entropy)) < example.steps
        entropy = jnp.sum(outputs.entropy * during) / example.steps
        since = (age - self._alone).astype(jnp.float32)
        bonus = self.entropy_bonus * self.entropy_decay**since
        return jnp.where(since >= 0, likelihood - bonus * entropy, 0.0)

    @property
    def _alone(self) -> int:
        return self.updates if self.lessons else 0

    def of_machine(
        self, machine: NPIRAM, settings: Settings, age: Int[Array, ""]
    ) -> Float[Array, ""]:
        """Return the loss of the lessons' calls, the mean of all."""
        del settings
        if not self.lessons:
            return jnp.zeros(())
        alone = age < self._alone
        own, guessed = (_examples(self.lessons, x) for x in ((), self.guesses))
        loss = self.weight * _loss(machine, self.lessons, own)
        return jax.lax.cond(alone, lambda: _loss(machine, self.lessons, guessed), lambda: loss)


def _loss(machine: NPIRAM, lessons: tuple[TracedProblems, ...], calls: Example):
    outputs = jax.vmap(machine.core)(calls.inputs)
    return jnp.mean(jax.vmap(_interface(lessons).calls.loss)(outputs, calls))


def _interface(lessons: tuple[TracedProblems, ...]) -> Interface:
    """Return the numbers of programs; ValueError if lessons differ in them."""
    interface = lessons[0].interface
    if any(lesson.interface.calls != interface.calls for lesson in lessons):
        raise ValueError("all lessons must be in the same programs")
    return interface


@lru_cache(maxsize=16)
def _examples(lessons: tuple[TracedProblems, ...], guesses: Guesses) -> Example:
    """Return all distinct calls of the lessons, and those of guessed programs, as arrays."""
    interface, inputs, targets = _interface(lessons), [], []
    number = interface.calls.programs.index
    begun = {number(own): number(guess) for own, guess in guesses}
    for lesson in lessons:
        for kind, calls in lesson.traced_calls().items():
            for ((program, *arguments), seen), decided in calls.items():
                for names in ({}, begun) if program in begun else ({},):
                    key = (names.get(program, program), *arguments)
                    inputs.append(lesson.interface.rows(kind, key, seen))
                    targets.append(
                        [
                            (end, names.get(called, called), *own)
                            for end, called, *own in decided
                        ]
                    )
    longest = max(map(len, inputs))
    mask = np.arange(longest) < np.array([len(x) for x in inputs])[:, None]

    def padded(calls, filling):
        rows = [((0, longest - len(x)), (0, 0)) for x in calls]
        return np.array(
            [
                np.pad(x, row, constant_values=filling)
                for x, row in zip(calls, rows, strict=True)
            ]
        )

    with jax.ensure_compile_time_eval():
        seen = np.asarray(interface.seen.one_hot(jnp.asarray(padded(inputs, -1))))
    return Example(
        seen, padded(targets, 0), mask.astype(np.float32), mask.sum(axis=1).astype(np.int32)
    )
