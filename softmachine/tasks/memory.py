"""Tasks of random-access machines: a memory of integers is handed over, and handed back."""

from __future__ import annotations

import abc
import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, PyTree

from softmachine.core.sums import weighted_sum
from softmachine.tasks.memories.adversarial import Cases, Room
from softmachine.tasks.steps import StepRule
from softmachine.tasks.task import Answer, Example, Task


class MemoryOutputs(NamedTuple):
    """What is scored: the memory after every step, and when the machine would stop.

    A machine's own outputs may have more fields.
    """

    memory: Float[Array, "steps cells values *batch"]
    stop: Float[Array, "steps *batch"]
    """Logits of stopping after the step."""


def stop_probabilities(
    stop: Float[Array, "steps *batch"], steps: Int[Array, "*batch"]
) -> Float[Array, "steps *batch"]:
    """Return the probability that the machine stops after each step.

    The willingness to stop is the sigmoid of ``stop``; after ``steps`` steps, if it did not
    before, the machine is stopped. Sums to 1. Source: Kurach et al. 2016 (arXiv
    1511.06392), section 3.3.
    """
    time = jnp.arange(len(stop)).reshape(-1, *[1] * (stop.ndim - 1))
    go_on = jnp.where(time < steps - 1, jax.nn.log_sigmoid(-stop), 0.0)
    # Shifted, not subtracted again: large sums would leave their rounding errors behind.
    reached = jnp.concatenate([jnp.zeros_like(go_on[:1]), jnp.cumsum(go_on, axis=0)[:-1]])
    willing = jnp.where(time < steps - 1, jax.nn.log_sigmoid(stop), 0.0)
    return jnp.where(time < steps, jnp.exp(reached + willing), 0.0)


@dataclasses.dataclass(frozen=True)
class MemoryCells:
    """Target integers for some cells of the memory; outputs have `MemoryOutputs`' fields.

    Outputs and examples may have one more axis, last, of a batch; so have results then.

    Metrics of one example: ``wrong_cells``, the share of the scored cells whose most likely
    value is wrong, in the memories after each step averaged by the probability of stopping
    there; ``perfect``, 1 for none; ``bits``, the loss in base 2.
    """

    floor: float = 1e-6
    """Probabilities count as at least this much in logarithms (section 4.1)."""
    mixture: bool = False
    """The likelihood of the averaged memory (footnote 4) instead of the average, over the
    steps at which the machine may stop, of the likelihoods."""

    error: ClassVar[str] = "wrong_cells"

    def loss(self, outputs: PyTree, example: Example) -> Float[Array, "*batch"]:
        """Return the expected negative log-likelihood of the scored cells, in nats.

        Source: Kurach et al. 2016, section 3.3, Eq. 4: the sum over the steps t of p_t times
        the sum over scored cells of -log Mem[cell, target].
        """
        stops = stop_probabilities(outputs.stop, example.steps)
        correct = _probabilities(outputs.memory, example.targets)
        if self.mixture:
            correct = jnp.sum(stops[:, None] * correct, axis=0)
            return -jnp.sum(example.mask * jnp.log(jnp.maximum(correct, self.floor)), axis=0)
        logs = jnp.log(jnp.maximum(correct, self.floor))
        return -jnp.sum(stops[:, None] * example.mask * logs, axis=(0, 1))

    def metrics(self, outputs: PyTree, example: Example) -> dict[str, Float[Array, "*batch"]]:
        """Return the metrics."""
        return self.score(self.answer(outputs, example), example) | {
            "bits": self.loss(outputs, example) / math.log(2)
        }

    def answer(self, outputs: PyTree, example: Example) -> Int[Array, "cells *batch"]:
        """Return the most likely values of the memory as the machine leaves it."""
        stops = stop_probabilities(outputs.stop, example.steps)
        average = weighted_sum(stops[:, None, None], outputs.memory)
        # Behind a barrier, or XLA would compute it for every comparison.
        return jnp.argmax(jax.lax.optimization_barrier(average), axis=1)

    def score(
        self, memory: Int[Array, "cells *batch"], example: Example
    ) -> dict[str, Float[Array, "*batch"]]:
        """Return the errors of a memory of integers."""
        wrong = jnp.sum((memory != example.targets) * example.mask, axis=0)
        share = wrong / jnp.maximum(jnp.sum(example.mask, axis=0), 1)
        return {"wrong_cells": share, "perfect": (wrong == 0).astype(jnp.float32)}

    def decide(self, outputs: PyTree) -> PyTree:
        """Return outputs as integers: the most likely value of each cell at each step."""
        return jnp.argmax(outputs.memory, axis=2)


@jax.custom_vjp
def _probabilities(
    memory: Float[Array, "steps cells values *batch"], targets: Int[Array, "cells *batch"]
) -> Float[Array, "steps cells *batch"]:
    """Return how likely each cell held its target after each step."""
    correct = jnp.take_along_axis(memory, targets[None, :, None], axis=2)[:, :, 0]
    return jax.lax.optimization_barrier(correct)  # as in `MemoryCells.answer`


def _probabilities_forward(memory, targets):
    return _probabilities(memory, targets), (targets, jnp.arange(memory.shape[2]))


def _probabilities_back(saved, bar):
    # Written in one pass; the gather's own gradient is a scatter, one number at a time.
    targets, values = saved
    right = targets[:, None] == values.reshape(-1, *[1] * (targets.ndim - 1))
    bar, right = jax.lax.optimization_barrier((bar, right))
    return jnp.where(right, bar[:, :, None], 0), None


_probabilities.defvjp(_probabilities_forward, _probabilities_back)


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

    output = MemoryCells()
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

    def worst_errors(self, sizes: Sequence[int]) -> list[float]:
        """Return ones: errors are shares."""
        return [1.0 for _ in sizes]

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
        before = np.asarray(example.inputs)
        scored = np.asarray(example.mask) > 0
        target = np.asarray(example.targets)
        rows = {
            "cell": [str(i) for i in range(len(before))],
            "": self.labels(before.tolist()),
            "input": [str(value) for value in before],
            "target": [str(v) if s else "." for v, s in zip(target, scored, strict=True)],
        }
        if outputs is not None:
            wrong = (np.asarray(outputs) != target) & scored
            rows["output"] = [
                f"{v}!" if bad else str(v)
                for v, bad in zip(np.asarray(outputs).tolist(), wrong, strict=True)
            ]
        return _columns(rows)


def fill(memory: Sequence[int], cells: int) -> list[int]:
    """Return a memory with zeros after it, so that it has so many cells."""
    if len(memory) > cells:
        raise ValueError(f"a memory of {cells} cells does not hold {list(memory)}")
    return [*memory, *[0] * (cells - len(memory))]


def _columns(rows: dict[str, list[str]], width: int = 80) -> str:
    """Return rows of equally wide columns, broken into blocks that fit the width.

    A row that would be blank in a block is left out there: a blank line ends the block.
    """
    widest = max(len(text) for texts in rows.values() for text in texts) + 1
    head = max(map(len, rows)) + 1
    each = max(1, (width - head) // widest)
    count = len(next(iter(rows.values())))
    blocks = []
    for first in range(0, count, each):
        lines = [
            name.ljust(head) + "".join(t.rjust(widest) for t in texts[first : first + each])
            for name, texts in rows.items()
        ]
        blocks.append("\n".join(line.rstrip() for line in lines if line.strip()))
    return "\n\n".join(blocks)
