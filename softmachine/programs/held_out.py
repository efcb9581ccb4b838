"""How a program does on examples that somebody gave and that it was not trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from softmachine.machines.nram import NRAM
from softmachine.programs.wiring import read_wiring, run_wiring
from softmachine.tasks.examples import GivenExample
from softmachine.tasks.given import Given

Run = Callable[[Sequence[list[int]], Sequence[GivenExample]], Sequence[Sequence[int]]]
"""``(memories, examples) -> memories afterwards``."""


class SizeReport(NamedTuple):
    """The examples of one size."""

    size: int
    examples: int
    right: int
    """In the smallest memory that holds the example."""
    right_with_spare: int
    """In a memory twice as large."""
    trained: bool
    """Whether other examples of this size were trained on."""


class Mistake(NamedTuple):
    """An example that came out wrong."""

    example: GivenExample
    memory: list[int]
    """What was handed over."""
    answer: list[int]


class HeldOutReport(NamedTuple):
    """The outcome by size, smallest first, and the first mistake."""

    sizes: list[SizeReport]
    mistake: Mistake | None

    @property
    def right(self) -> bool:
        """Whether every example is right in memories of both sizes."""
        return self.mistake is None

    @property
    def share(self) -> float:
        """The share of the runs that are right."""
        runs = sum(2 * size.examples for size in self.sizes)
        return sum(size.right + size.right_with_spare for size in self.sizes) / runs


def check_held_out(task: Given, run: Run) -> HeldOutReport:
    """Run all examples of a task's test, each in two memories of different size."""
    examples = task.part_examples("test")
    trained = {example.size for example in task.part_examples("training")}
    right: list[list[bool]] = []
    mistakes: list[Mistake] = []
    for factor in (1, 2):
        memories = [[*x.before, *[0] * (factor * x.memory - len(x.before))] for x in examples]
        answers = run([list(memory) for memory in memories], examples)
        right.append([_is_right(*pair) for pair in zip(examples, answers, strict=True)])
        mistakes += [
            Mistake(example, memory, list(answer))
            for example, memory, answer, good in zip(
                examples, memories, answers, right[-1], strict=True
            )
            if not good
        ]
    rows = []
    for size in sorted({x.size for x in examples}):
        these = [i for i, x in enumerate(examples) if x.size == size]
        counts = [sum(good[i] for i in these) for good in right]
        rows.append(SizeReport(size, len(these), counts[0], counts[1], size in trained))
    mistakes.sort(key=lambda m: (len(m.memory), m.example.line))
    return HeldOutReport(rows, mistakes[0] if mistakes else None)


def _is_right(example: GivenExample, answer: Sequence[int]) -> bool:
    """Return whether all scored cells hold what they should."""
    cells = zip(example.after, answer, example.scored, strict=False)
    return all(value == found for value, found, counts in cells if counts)


def machine_runner(machine: NRAM, task: Given) -> Run:
    """Return what runs a machine made hard, for as many steps as the task says."""
    table = read_wiring(machine)

    def run(memories: Sequence[list[int]], examples: Sequence[GivenExample]):
        values = np.array([len(memory) for memory in memories])
        padded = np.zeros((len(memories), values.max()), np.int64)
        for row, memory in zip(padded, memories, strict=True):
            row[: len(memory)] = memory
        steps = np.array([task.steps(example.size) for example in examples])
        after = run_wiring(machine.config, table, padded, steps, values=values).memories
        return [row[:cells].tolist() for row, cells in zip(after, values, strict=True)]

    return run
