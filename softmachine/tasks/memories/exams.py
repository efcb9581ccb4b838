"""Exams: the examples that a machine or program has to answer to count as an algorithm.

One definition for the whole package: training's solved test, the verification of programs,
repair, the ledger and the tests of the zoo all draw their adversarial examples here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int, PRNGKeyArray

from softmachine.core.errors import SoftmachineError
from softmachine.tasks.memory import MemoryTask, Trial
from softmachine.tasks.steps import StepRule
from softmachine.tasks.task import Task, sample_batch

SMALL = 8
"""The number of smallest sizes that an exam covers without a gap."""
LARGER = (10, 15, 20, 30, 50)
"""The larger sizes that an exam covers, besides the largest one asked for."""
REPEATS = 2
"""The number of draws per adversarial case, size and memory capacity."""


class Batch(NamedTuple):
    """A batch of examples in memories of different sizes, padded to the widest memory."""

    memories: Int[np.ndarray, "examples widest"]
    """Initial memories."""
    targets: Int[np.ndarray, "examples widest"]
    scored: Bool[np.ndarray, "examples widest"]
    steps: Int[np.ndarray, " examples"]
    cells: Int[np.ndarray, " examples"]
    """The number of cells of each memory, without padding."""

    def take(self, which: Int[np.ndarray, " some"]) -> Batch:
        """Return the examples with these indices."""
        return Batch(*(array[which] for array in self))

    def of_cells(self, cells: int) -> Batch:
        """Return the examples whose memories have ``cells`` cells, without padding."""
        some = self.take(np.flatnonzero(self.cells == cells))
        memories, targets, scored = (x[:, :cells] for x in some[:3])
        return some._replace(memories=memories, targets=targets, scored=scored)

    def followed_by(self, other: Batch) -> Batch:
        """Return this batch concatenated with another one, padded to the wider of the two."""
        widest = max(len(self.memories[0]), len(other.memories[0]))
        pairs = []
        for mine, theirs in zip(self, other, strict=True):
            both = [
                np.pad(x, [(0, 0), (0, widest - x.shape[1])]) if x.ndim == 2 else x
                for x in (mine, theirs)
            ]
            pairs.append(np.concatenate(both))
        return Batch(*pairs)

    def wrong(
        self, memories: Int[np.ndarray, "examples widest"]
    ) -> Float[np.ndarray, " examples"]:
        """Return, for each final memory, the fraction of its scored cells that are wrong."""
        wrong = ((memories != self.targets) & self.scored).sum(axis=1)
        return wrong / np.maximum(self.scored.sum(axis=1), 1)


class Exam(NamedTuple):
    """An exam of a task: examples of its adversarial cases, smallest memories first."""

    batch: Batch
    trials: list[Trial]
    """The case, size and capacity that each example of the batch comes from."""

    def distinct(self) -> list[Trial]:
        """Return the trials without duplicates that differ in their number of steps only."""
        return [*{id(trial): trial for trial in self.trials}.values()]

    def __str__(self) -> str:
        """Return a summary: sizes, memory capacities, cases."""
        names, capacities = (
            ", ".join(dict.fromkeys(getattr(trial, name) for trial in self.trials))
            for name in ("case", "capacity")
        )
        sizes = _spans(sorted({trial.size for trial in self.trials}))
        return f"sizes {sizes}, each {capacities}: {names}"


def exam_sizes(smallest: int, largest: int) -> list[int]:
    """Return the sizes that an exam up to size ``largest`` covers.

    >>> exam_sizes(1, 20)
    [1, 2, 3, 4, 5, 6, 7, 8, 10, 15, 20]
    """
    small = range(smallest, min(smallest + SMALL, largest + 1))
    larger = [size for size in (*LARGER, largest) if smallest <= size <= largest]
    return sorted({*small, *larger})


def draw_exam(
    task: Task,
    seed: int | Sequence[int],
    largest: int,
    *,
    repeats: int = REPEATS,
) -> Exam:
    """Draw an exam: examples of all adversarial cases of a task, in small and large memories.

    An example has the number of steps that `MemoryTask.steps` gives its size. Extracted
    programs go by the task's step rule instead; where that gives another number, the example
    comes a second time with that number.

    Arguments:
        task: the task.
        seed: the seed of the random generator.
        largest: the largest size, which also determines the largest memory.
        repeats: the number of draws per case, size and memory capacity.

    Raises:
        SoftmachineError: the task has no exam.
    """
    task = _of_memories(task)
    sizes = exam_sizes(task.smallest, largest)
    trials = list(task.trials(np.random.default_rng(seed), sizes, largest, repeats))
    rule, doubled = _rule(task), []
    for trial in trials:
        own = int(task.steps(trial.size))
        ruled = own if rule is None else rule.steps(trial.memory)
        doubled += [(trial, steps) for steps in sorted({own, ruled})]
    doubled.sort(key=lambda pair: (len(pair[0].memory), pair[0].size))
    widest = max([task.cells(largest), *(len(trial.memory) for trial in trials)])

    def stack(rows: Iterable[Sequence[int]]) -> Int[np.ndarray, "examples widest"]:
        padded = np.zeros((len(doubled), widest), np.int32)
        for row, cells in zip(padded, rows, strict=True):
            row[: len(cells)] = cells
        return padded

    batch = Batch(
        stack(trial.memory for trial, _ in doubled),
        stack(trial.targets for trial, _ in doubled),
        stack(trial.scored for trial, _ in doubled).astype(bool),
        np.array([steps for _, steps in doubled], np.int32),
        np.array([len(trial.memory) for trial, _ in doubled], np.int32),
    )
    return Exam(batch, [trial for trial, _ in doubled])


def draw_batch(
    task: Task, key: PRNGKeyArray, sizes: Int[np.ndarray, " examples"], max_size: int
) -> Batch:
    """Return a random example of a memory task for each size, in the memory for ``max_size``.

    Raises SoftmachineError for another task.
    """
    task = _of_memories(task)
    keys = jax.random.split(key, len(sizes))
    examples = sample_batch(task, keys, jnp.asarray(sizes, jnp.int32), max_size)
    inputs, targets, mask, steps = map(np.asarray, examples)
    cells = np.full(len(sizes), inputs.shape[1], np.int32)
    return Batch(inputs, targets, mask > 0, steps, cells)


def _of_memories(task: Task) -> MemoryTask:
    """Return the task; SoftmachineError if it is none of memories, which alone have exams."""
    if not isinstance(task, MemoryTask):
        raise SoftmachineError(f"{type(task).__name__} is a task without memories, or an exam")
    return task


def _rule(task: MemoryTask) -> StepRule | None:
    """Return the step rule that programs of a task follow; None if it adds no other steps."""
    if task.unbounded:  # its programs are given lists without the padding
        return None
    try:
        return task.step_rule()
    except ValueError:
        return None


def _spans(sizes: Sequence[int]) -> str:
    """Return sizes as text, with runs of consecutive sizes as ranges.

    >>> _spans([1, 2, 3, 10, 12, 13])
    '1 to 3, 10, 12 to 13'
    """
    spans: list[list[int]] = []
    for size in sizes:
        if spans and spans[-1][-1] == size - 1:
            spans[-1].append(size)
        else:
            spans.append([size])
    return ", ".join(f"{s[0]} to {s[-1]}" if len(s) > 1 else f"{s[0]}" for s in spans)
