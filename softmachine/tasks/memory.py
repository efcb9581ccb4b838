"""The base of memory tasks: an initial memory of integers in, a final memory out."""

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
from softmachine.tasks.memories.adversarial import Cases, Sampler
from softmachine.tasks.published import PaperTest, table_1_tests
from softmachine.tasks.steps import StepRule
from softmachine.tasks.task import Answer, Example, Layout, Task

MemorySample = tuple[Int[Array, " cells"], Int[Array, " cells"], Bool[Array, " cells"]]
"""Initial memory, target memory (anything in cells that are not scored), and scored cells."""


class LaidOut(NamedTuple):
    """A person's own list, prepared as the initial memory of a machine."""

    memory: list[int]
    """The list, padded with zeros to the number of cells that the answer may need."""
    steps: int
    """The largest number of machine steps."""
    length: int
    """The length of the person's list: the first ``length`` cells of the final memory are the
    answer."""


class Trial(NamedTuple):
    """One example of an adversarial case."""

    case: str
    """The name of the case."""
    capacity: str
    """How large the memory is, in words, such as ``with one spare cell``."""
    size: int
    memory: list[int]
    """The initial memory."""
    targets: list[int]
    """The target memory."""
    scored: list[bool]
    """Which cells are scored."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class MemoryTask(Task):
    """A task on a memory of M cells that hold integers in 0..M-1; some cells are scored.

    Examples hold the initial memory (``inputs``, int32, shape (M,)), the target memory
    (``targets``, the same shape; equal to the initial memory in cells that are not scored) and
    the scored cells (``mask``). M is ``cells(max_size)``, the same for all sizes of a bucket.
    NULL, which ends arrays and marks missing pointers, is 0.

    A subclass gives the number of `cells` and `steps`, the `labels` of the cells, a random
    example (`_draw`), the answer to any memory (`_solve`), and hard cases
    (`adversarial_cases`).
    """

    examined = True
    table_1: ClassVar[tuple[int, str, str, str] | None] = None
    """The task's row in Table 1 of the NRAM paper: the largest size trained on, the error at
    that size, and the verdicts on generalisation and on the hard machine."""
    unbounded: ClassVar[bool] = False
    """Whether an answer may hold larger numbers than its input has cells.

    A machine is then given extra zeros after the input, and the extracted program works on
    unbounded integers and a growing memory."""
    addresses: ClassVar[frozenset[str]] = frozenset()
    """Labels of the cells that hold the address of another cell, or 0 (NULL)."""

    @abc.abstractmethod
    def steps(self, size: Any) -> Any:
        """Return the largest number of machine steps for a size, which may be traced."""

    @abc.abstractmethod
    def cells(self, size: int) -> int:
        """Return the number of cells M of a memory for examples up to a size.

        Examples of all smaller sizes fit too, with all their integers in 0..M-1.
        """

    @property
    def inputs(self) -> Whole[Cells]:
        """The initial memory, given whole before the first step."""
        return Whole(Cells())

    @property
    def outputs(self) -> Last[Cells]:
        """The final memory, read after the last step."""
        return Last(self.output)

    @property
    def output(self) -> Cells:
        """The spec of the final memory."""
        return Cells()

    def worst_errors(self, sizes: Sequence[int]) -> list[float]:
        """Return a 1 for each size: the error is a fraction of the scored cells."""
        return [1.0 for _ in sizes]

    def input_length(self, size: int) -> int:
        """Return the number of cells for a size."""
        return self.cells(size)

    def bucket(self, size: int) -> int:
        """Return the size itself: the number of cells is part of an example."""
        return size

    def layout(self, inputs: np.ndarray) -> Layout:
        """Return the labels of the cells, and the cells that hold addresses."""
        memory = inputs.tolist()
        labels = self.labels(memory)
        return Layout(labels, labels, tuple(self.pointers(memory)))

    def own_example(self, value: Any, most: int) -> Example:
        """Return an example made from a person's own list, which `lay_out` makes a memory."""
        laid_out = self.lay_out(self.inputs.spec.parse(value, most).tolist())
        if len(laid_out.memory) > most:
            raise ValueError(
                f"these inputs need {len(laid_out.memory):,} cells, for their numbers and for "
                f"those of the answer; at most {most:,} are recorded"
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
        """Return the tests of Table 1 of the NRAM paper; none for a task without a row."""
        return [] if self.table_1 is None else table_1_tests(self, *self.table_1)

    def step_rule(self) -> StepRule:
        """Return the rule that computes the number of steps from an initial memory alone.

        By default it takes the largest size that fits into the memory, and gives that size the
        number of steps of `steps`. Raises ValueError if steps or cells are not affine in the
        size.
        """
        factor, offset = self._grows(self.steps)
        if not factor:
            return StepRule("nothing", 0, offset)
        divisor, place = self._grows(self.cells)
        return StepRule("length", factor, offset, place, divisor)

    def lay_out(self, cells: Any) -> LaidOut:
        """Return the initial memory, and the number of steps, for a person's own list.

        By default the list is the memory, and `step_rule` gives the steps. Raises ValueError
        unless the list is a valid memory: M integers in 0..M-1, with M at least that of the
        smallest example.
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
        """Return the step rule of a task whose memory holds the number ``size + more``."""
        factor, offset = self._grows(self.steps)
        return StepRule(of, factor, offset - factor * more, place)

    def _grows(self, count: Callable[[int], int]) -> tuple[int, int]:
        """Return a and b if ``count(size) == a * size + b``, else raise ValueError."""
        sizes = [self.smallest + i for i in (0, 1, 2, 9)]
        factor = count(sizes[1]) - count(sizes[0])
        offset = count(sizes[0]) - factor * sizes[0]
        if any(count(size) != factor * size + offset for size in sizes):
            raise ValueError(
                f"{type(self).__name__} has steps or cells that do not grow linearly"
            )
        return factor, offset

    @abc.abstractmethod
    def _draw(
        self, key: PRNGKeyArray, size: Int[Array, ""], max_size: int, cells: int
    ) -> MemorySample:
        """Draw one example: initial memory, target memory, and scored cells.

        Arguments:
            key: the random key.
            size: the size, int32; may be traced, so that no shape may depend on it.
            max_size: the largest size of the bucket.
            cells: M, which is ``cells(max_size)``.
        """

    @abc.abstractmethod
    def labels(self, memory: Sequence[int]) -> list[str]:
        """Return a short label for each cell of an initial memory.

        Such as ``p``, ``A3``, ``next``, ``left``; an empty string for an unused cell.
        """

    def answer(self, inputs: Int[np.ndarray, " cells"]) -> Answer | None:
        """Return target memory and mask for any initial memory of this task.

        None if the memory is not laid out as this task lays it out.
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
        """Return the first scored cell and the target values from that cell on, or None.

        None if the memory is not laid out as this task lays it out.
        """
        del memory

    @abc.abstractmethod
    def adversarial_cases(self) -> Cases:
        """Return, by name, the cases that a machine has to answer to count as an algorithm.

        One of them, ``random``, has the distribution of `_draw`.
        """

    def outside_cases(self) -> Cases:
        """Return, by name, inputs outside the task's definition, such as an empty list.

        They have no right answer and are not scored; reports say what a program does on them.
        """
        return {}

    def trials(
        self, rng: np.random.Generator, sizes: Sequence[int], largest: int, repeats: int
    ) -> Iterator[Trial]:
        """Yield distinct examples of every adversarial case.

        Each size comes in memories of three capacities: the smallest that fits, one cell more,
        and the one for ``largest``.

        Arguments:
            rng: the random generator.
            sizes: the sizes to draw.
            largest: the size that the largest memory is for.
            repeats: the number of draws per case, size and capacity; duplicates are dropped.

        Raises:
            ValueError: a case gives a memory that is not laid out as this task lays it out.
        """
        seen = set()
        for size in sizes:
            tight = self.cells(size)
            capacities = {
                "in the smallest memory": tight,
                "with one spare cell": tight + 1,
                f"with room for {largest:,}": self.cells(largest),
            }
            for (capacity, cells), (name, case) in itertools.product(
                capacities.items(), self.adversarial_cases().items()
            ):
                for _ in range(repeats):
                    memory = fill(case(Sampler(size, cells, rng)), cells)
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
                    yield Trial(
                        name, capacity, size, memory, targets.tolist(), (mask > 0).tolist()
                    )

    def pointers(self, memory: Sequence[int]) -> list[int]:
        """Return the indices of the cells of an initial memory that hold addresses."""
        labels = self.labels(memory)
        return [cell for cell, label in enumerate(labels) if label in self.addresses]

    def sample(
        self, key: PRNGKeyArray, size: Int[Array, ""] | int, *, max_size: int
    ) -> Example:
        """Draw an example of a size in a memory for ``max_size``; jittable.

        Returns inputs and targets, int32, shape (M,); the mask, float32, shape (M,); and
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
        """Return an example as text: a column per cell, with label, input and target.

        ``outputs`` is a memory of integers, shape (M,), or None. Cells that are not scored
        show a dot as their target; wrong values are marked ``!``.
        """
        labels = self.labels(np.asarray(example.inputs).tolist())
        return self.output.render(example, outputs, labels)


def fill(memory: Sequence[int], cells: int) -> list[int]:
    """Return a memory padded with zeros to ``cells`` cells; ValueError if it is longer."""
    if len(memory) > cells:
        raise ValueError(f"a memory of {cells} cells does not hold {list(memory)}")
    return [*memory, *[0] * (cells - len(memory))]
