"""Tasks on a random-access machine whose every operation is a call: one trace teaches each.

Kurach et al. 2016 (arXiv 1511.06392) have the same three for NRAMs, which learn from inputs
and outputs: `softmachine.tasks.memories.arrays`.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterable, Mapping
from typing import ClassVar, Literal

from softmachine.core.choices import Count, Share
from softmachine.tasks.registry import task
from softmachine.tasks.traced import ram
from softmachine.tasks.traced.environment import Environment
from softmachine.tasks.traced.task import TracedProblems
from softmachine.tasks.traced.tasks import OfNumbers


@dataclasses.dataclass(frozen=True, kw_only=True)
class _OnMemory(OfNumbers):
    """A task on an array in a memory."""

    problems: Count = 1
    arrays: Literal["paper", "any"] = "paper"
    """Whether arrays are, as in the paper, of one number or more, none of them 0; or any."""

    mistaken: Share = 0.1
    """How likely each register is shown in training as 0 if it is not, and the other way. So a
    core learns from few calls what does not matter."""

    memories: ClassVar[type[ram.Increment | ram.Copy]]
    smallest_problem: ClassVar[int] = 1

    @property
    def _smallest(self) -> int:
        return 1 if self.arrays == "paper" else 0

    def training_problems(self, rng: random.Random) -> Iterable[tuple[ram.Memory]]:
        """Return one memory that shows most of the calls there are, then random ones."""
        yield (self.memories.teaching,)
        for _ in range(self.problems - 1):
            yield self.random_problem(4, rng)

    def proving_problems(self) -> Iterable[tuple[ram.Memory]]:
        """Return memories whose calls are all that can occur."""
        return ((x,) for x in self.memories.proving_memories(self._smallest))

    def held_out(self, *, larger: bool = False) -> TracedProblems:
        """Return the task of the calls held out, shown as they are."""
        return dataclasses.replace(super().held_out(larger=larger), mistaken=0.0)

    def random_problem(self, size: int, rng: random.Random) -> tuple[ram.Memory]:
        """Return a memory with ``size`` numbers to work on."""
        return (self.memories.random_memory(size, rng, self._smallest),)


@task("ram-increment")
@dataclasses.dataclass(frozen=True, kw_only=True)
class RAMIncrement(_OnMemory):
    """Add 1 to every number of an array, up to the first 0.

    >>> RAMIncrement().pose(((2, 1, 0, 0),)).expected()
    (3, 2, 0, 0)
    """

    memories: ClassVar = ram.Increment
    forms: ClassVar[Mapping[str, type[Environment]]] = {"recursive": ram.Increment}
    problem_form: ClassVar[str] = "numbers from 1 on, then zeros, such as 2 1 0 0"

    @property
    def domain(self) -> str:
        """Which memories these are."""
        least = "one number or more" if self._smallest else "any length"
        return (
            f"every array of {least} with two zeros or more behind it, whose largest number is "
            "less than the last that the memory can hold"
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class _FromOnePlaceToAnother(_OnMemory):
    problem_form: ClassVar[str] = (
        "where the free cells begin, numbers, and as many zeros or more: 3 2 1 0 0"
    )

    @property
    def domain(self) -> str:
        """Which memories these are."""
        zeros = "from 1 on" if self._smallest else "from 0 on"
        return f"every array of one number or more, {zeros}, with as much room behind it"


@task("ram-copy")
@dataclasses.dataclass(frozen=True, kw_only=True)
class RAMCopy(_FromOnePlaceToAnother):
    """Copy an array to behind itself.

    >>> RAMCopy().pose(((3, 2, 1, 0, 0),)).expected()
    (3, 2, 1, 2, 1)
    """

    memories: ClassVar = ram.Copy
    forms: ClassVar[Mapping[str, type[Environment]]] = {"recursive": ram.Copy}


@task("ram-reverse")
@dataclasses.dataclass(frozen=True, kw_only=True)
class RAMReverse(_FromOnePlaceToAnother):
    """Copy an array to behind itself, in reverse order.

    >>> RAMReverse().pose(((3, 2, 1, 0, 0),)).expected()
    (3, 2, 1, 1, 2)
    """

    memories: ClassVar = ram.Reverse
    forms: ClassVar[Mapping[str, type[Environment]]] = {"recursive": ram.Reverse}
