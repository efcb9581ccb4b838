"""Tasks of random-access machines: a memory of integers is handed over, and handed back."""

from __future__ import annotations

import abc
import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, PRNGKeyArray

from softmachine.core.specs.cells import Cells
from softmachine.core.specs.spec import Last, Whole
from softmachine.tasks.memories.adversarial import Cases, Room
from softmachine.tasks.published import PaperTest, table_1_tests
from softmachine.tasks.steps import StepRule
from softmachine.tasks.task import Answer, Example, Layout, Task

Drawn = tuple[Int[Array, " cells"], Int[Array, " cells"], Bool[Array, " cells"]]
"""The memory before, the memory wanted (anything where it does not matter), and which cells
are scored."""


class LaidOut(NamedTuple):
    """A person's own list as a machine takes it."""

    memory: list[int]
    """The list, and zeros behind it as far as there has to be room."""
    steps: int
    """How many steps the machine takes at most."""
    length: int
    """How many cells are the person's own: so many of the machine's memory are the answer."""


class Trial(NamedTuple):
    """An example of an adversarial case."""

    case: str
    room: str
    """What kind of memory it stands in, in words."""
    size: int
    memory: list[int]
    targets: list[int]
    scored: list[bool]


@dataclasses.dataclass(frozen=True, kw_only=True)
class MemoryTask(Task):
    """A memory of M cells with integers in 0..M-1; what some of the cells shall hold.

    Examples hold the memory before (``inputs``, integers, shape (M,)), the memory wanted
    (``targets``, the same; the input wherever it does not matter) and which cells are
    scored (``mask``). M is ``cells(max_size)``, the same for all sizes of a bucket. NULL,
    which ends arrays and marks missing pointers, is 0.

    A subclass says how many `cells` and steps there are, what the cells are called
    (`labels`), how one memory is drawn (`_draw`), which memory is wanted (`_solve`), and what
    is hard (`adversarial_cases`).
    """

    examined = True
    table_1: ClassVar[tuple[int, str, str, str] | None] = None
    """The task's row in the NRAM paper's Table 1: the largest size trained on, the error there,
    generalisation, and what making the machine hard did."""
    largest: ClassVar[int | None] = None
    """The largest size that can be drawn; None if there is no such limit."""
    unbounded: ClassVar[bool] = False
    """Whether a list need not have room for what comes out of it: a machine is given zeros
    behind it, and its program as many cells and numbers as large as it takes."""
    addresses: ClassVar[frozenset[str]] = frozenset()
    """Labels of cells that hold the address of another cell, or 0 for none."""

    @abc.abstractmethod
    def steps(self, size: Any) -> Any:
        """Return how many machine steps an example of a size takes; traced as the size is."""

    @abc.abstractmethod
    def cells(self, size: int) -> int:
        """Return how many cells an example of a size needs: M, if it is the largest size.

        All examples of sizes up to it fit, and hold nothing but integers in 0..M-1.
        """

    @property
    def inputs(self) -> Whole[Cells]:
        """The memory before."""
        return Whole(Cells())

    @property
    def outputs(self) -> Last[Cells]:
        """The memory afterwards."""
        return Last(self.output)

    @property
    def output(self) -> Cells:
        """Integers in cells."""
        return Cells()

    def worst_errors(self, sizes: Sequence[int]) -> list[float]:
        """Return ones: errors are shares."""
        return [1.0 for _ in sizes]

    def length(self, size: int) -> int:
        """Return the cells of an example."""
        return self.cells(size)

    def bucket(self, size: int) -> int:
        """Return the size: how many cells there are is part of an example."""
        return size

    def layout(self, inputs: np.ndarray) -> Layout:
        """Return what the cells are, before and afterwards, and which hold addresses."""
        memory = inputs.tolist()
        labels = self.labels(memory)
        return Layout(labels, labels, tuple(self.pointers(memory)))

    def own_example(self, value: Any, most: int) -> Example:
        """Return the example for a list that can be laid out, mostly the memory itself."""
        laid_out = self.lay_out(self.inputs.spec.read(value, most).tolist())
        if len(laid_out.memory) > most:
            raise ValueError(
                f"these inputs need {len(laid_out.memory):,} cells, for their numbers and what "
                f"may come out; at most {most:,} are recorded"
            )
        memory = np.asarray(laid_out.memory, np.int32)
        answer = self.answer(memory)
        targets, mask = (memory, np.zeros(len(memory))) if answer is None else answer
        return Example(
            jnp.asarray(memory),
            jnp.asarray(targets, jnp.int32),
            jnp.asarray(mask, jnp.float32),
            jnp.asarray(laid_out.steps, jnp.int32),
        )

    def published_tests(self) -> list[PaperTest]:
        """Return the sizes of the paper; none of a task that is not in it."""
        return [] if self.table_1 is None else table_1_tests(self, *self.table_1)

    def step_rule(self) -> StepRule:
        """Return how a memory alone tells how many steps a machine takes on it.

        For an example of the size that the memory tells, that is `steps`. Unless a task says
        otherwise the size is the largest that fits. Raises ValueError if steps or cells do
        not grow evenly with the size.
        """
        factor, offset = self._grows(self.steps)
        if not factor:
            return StepRule("nothing", 0, offset)
        divisor, place = self._grows(self.cells)
        return StepRule("length", factor, offset, place, divisor)

    def lay_out(self, cells: Any) -> LaidOut:
        """Return a list of a person's own as the memory that a machine is to be given.

        Unless a task says otherwise it is that memory itself, with as many steps as `step_rule`
        gives it. Raises ValueError unless it is one: integers from 0 on, each below their
        number, in no fewer cells than the smallest example has.
        """
        memory = np.asarray(cells)
        least = self.cells(self.smallest)
        if len(memory) < least:
            raise ValueError(
                f"a memory for this task has at least {least} cells, not {len(memory)}"
            )
        if memory.dtype.kind != "i" or memory.min() < 0 or memory.max() >= len(memory):
            raise ValueError(
                f"cells hold integers from 0 to {len(memory) - 1}, as there are {len(memory)} "
                "cells"
            )
        own = memory.tolist()
        return LaidOut(own, self.step_rule().steps(own), len(own))

    def _step_rule(self, of: Literal["cell", "array"], place: int, more: int = 0) -> StepRule:
        """Return the rule for a task whose memory holds its size, plus ``more``."""
        factor, offset = self._grows(self.steps)
        return StepRule(of, factor, offset - factor * more, place)

    def _grows(self, count: Callable[[int], int]) -> tuple[int, int]:
        """Return a and b of ``count(size) = a * size + b``."""
        sizes = [self.smallest + i for i in (0, 1, 2, 9)]
        factor = count(sizes[1]) - count(sizes[0])
        offset = count(sizes[0]) - factor * sizes[0]
        if any(count(size) != factor * size + offset for size in sizes):
            raise ValueError(f"{type(self).__name__} has steps or cells that grow unevenly")
        return factor, offset

    @abc.abstractmethod
    def _draw(
        self, key: PRNGKeyArray, size: Int[Array, ""], max_size: int, cells: int
    ) -> Drawn:
        """Draw the memories of one example; ``cells`` is ``cells(max_size)``.

        Integers are int32; the size may be traced, so that no shape may depend on it.
        """

    @abc.abstractmethod
    def labels(self, memory: Sequence[int]) -> list[str]:
        """Return what each cell of an example's first memory is, in a few letters.

        Such as ``p``, ``A3``, ``next``, ``left``; an empty string for a cell without a role.
        """

    def answer(self, inputs: Int[np.ndarray, " cells"]) -> Answer | None:
        """Return the memory wanted and which cells are scored, for any memory of this task.

        None if the memory is not laid out as this task has it.
        """
        found = self._solve(inputs)
        if found is None:
            return None
        targets, mask = inputs.copy(), np.zeros(len(inputs), np.float32)
        first, values = found
        if first + len(values) > len(inputs):
            return None
        targets[first : first + len(values)], mask[first : first + len(values)] = values, 1
        return targets, mask

    def _solve(
        self, memory: Int[np.ndarray, " cells"]
    ) -> tuple[int, Int[np.ndarray, " scored"]] | None:
        """Return the first scored cell, and what it and those after it shall hold."""
        del memory

    @abc.abstractmethod
    def adversarial_cases(self) -> Cases:
        """Return what a machine has to get right before it counts as an algorithm.

        By name; one of them, ``random``, is what `_draw` draws.
        """

    def outside_cases(self) -> Cases:
        """Return inputs that the task says nothing about, such as an empty list, by name.

        Nobody has to get them right; what programs do with them is told to those who ask.
        """
        return {}

    def trials(
        self, rng: np.random.Generator, sizes: Sequence[int], largest: int, repeats: int
    ) -> Iterator[Trial]:
        """Yield examples of every adversarial case, each different, ``repeats`` of a kind.

        Each size comes in the smallest memory that holds it, with one spare cell, and in the
        memory for ``largest``. Raises ValueError if a case gives a memory that is not laid out
        as the task has it.
        """
        seen = set()
        for size in sizes:
            tight = self.cells(size)
            rooms = {
                "in the smallest memory": tight,
                "with one spare cell": tight + 1,
                f"with room for {largest:,}": self.cells(largest),
            }
            for (room, cells), (name, case) in itertools.product(
                rooms.items(), self.adversarial_cases().items()
            ):
                for _ in range(repeats):
                    memory = fill(case(Room(size, cells, rng)), cells)
                    if (size, *memory) in seen:
                        continue
                    seen.add((size, *memory))
                    found = self.answer(np.array(memory))
                    if found is None:
                        raise ValueError(
                            f"{type(self).__name__} has no answer to its own case {name!r} of "
                            f"size {size} in {cells} cells: {memory}"
                        )
                    targets, mask = found
                    yield Trial(name, room, size, memory, targets.tolist(), (mask > 0).tolist())

    def pointers(self, memory: Sequence[int]) -> list[int]:
        """Return which cells of an example's first memory hold addresses of others."""
        labels = self.labels(memory)
        return [cell for cell, label in enumerate(labels) if label in self.addresses]

    def sample(
        self, key: PRNGKeyArray, size: Int[Array, ""] | int, *, max_size: int
    ) -> Example:
        """Draw an example of a size in a memory for ``max_size``; pure JAX, jittable.

        Returns the memories, int32, shape (M,); the mask, float32, shape (M,); and
        ``steps(size)``, int32. Raises ValueError if `check_size` does.
        """
        self.check_size(size, max_size)
        size = jnp.asarray(size, jnp.int32)
        inputs, targets, scored = self._draw(key, size, max_size, self.cells(max_size))
        return Example(
            inputs=inputs,
            targets=jnp.where(scored, targets, inputs),
            mask=scored.astype(jnp.float32),
            steps=jnp.asarray(self.steps(size), jnp.int32),
        )

    def render(self, example: Example, outputs: Any = None) -> str:
        """Return the cells, what they are, what they held and what they should hold.

        ``outputs`` is a memory of integers, shape (M,), or None. Cells that are not scored
        have no target; wrong values are marked ``!``.
        """
        labels = self.labels(np.asarray(example.inputs).tolist())
        return self.output.render(example, outputs, labels)


def fill(memory: Sequence[int], cells: int) -> list[int]:
    """Return a memory with zeros after it, so that it has so many cells."""
    if len(memory) > cells:
        raise ValueError(f"a memory of {cells} cells does not hold {list(memory)}")
    return [*memory, *[0] * (cells - len(memory))]
