"""How a program does on examples that somebody gave and that it was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

from softmachine.machines.nram import NRAM
from softmachine.machines.nram_wiring import read_wiring
from softmachine.programs.program import build_program
from softmachine.programs.python_code import python_code
from softmachine.programs.repair import Change, program_table, repair
from softmachine.programs.running import Run, load_python
from softmachine.tasks.examples import GivenExample
from softmachine.tasks.given import Given
from softmachine.training.wire_search import draw_batch

MENDED = 40
"""Examples of each size that guide a repair."""


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
    def right(self) -> int:
        """How many runs are right, in memories of both sizes together."""
        return sum(size.right + size.right_with_spare for size in self.sizes)


class Found(NamedTuple):
    """A program and what became of its test."""

    name: str
    """The member it comes from."""
    code: str
    report: HeldOutReport


def write_program(
    machine: NRAM, task: Given, name: str, changes: Sequence[Change] = ()
) -> Found:
    """Return a machine's program in Python, tested on the examples held out.

    ``changes`` are made to its wires first. Raises SoftmachineError if no program can be made
    of the machine.
    """
    wired = program_table(machine, changes)
    program = build_program(wired, task.step_rule())
    trained = len(task.part_examples("training"))
    sizes = task.sizes
    notes = [
        f"Learned from {trained} examples of sizes {sizes[0]} to {sizes[-1]} by {name}.",
        "The memory has as many cells as there are numbers: each is 0 to n - 1. What the "
        "examples do not score may be overwritten.",
    ]
    if changes:
        notes.append(f"Wires changed after training: {len(changes)}.")
    code = python_code(program, "Do what examples showed.", notes)
    return Found(name, code, check_held_out(task, load_python(code)))


def mend_program(machine: NRAM, task: Given, name: str) -> Found:
    """Return the program of a machine some of whose wires are changed to fit the examples.

    Those held out and larger than what was trained on are not looked at for that. Raises
    SoftmachineError if no program can be made of the machine.
    """
    sizes = np.tile(task.sizes, MENDED)
    batch = draw_batch(task, jax.random.key(0), sizes, task.sizes[-1])
    found = repair(machine, read_wiring(machine), batch)
    return write_program(machine, task, name, found.changes)


def check_held_out(task: Given, run: Run) -> HeldOutReport:
    """Run all examples of a task's test, each in two memories of different size."""
    rows: dict[int, list[int]] = {}
    mistakes: list[Mistake] = []
    for example in task.part_examples("test"):
        counts = rows.setdefault(example.size, [0, 0, 0])
        counts[0] += 1
        for factor in (1, 2):
            spare = factor * example.memory - len(example.before)
            memory = [*example.before, *[0] * spare]
            answer = run(list(memory))
            if _is_right(example, answer):
                counts[factor] += 1
            else:
                mistakes.append(Mistake(example, memory, answer))
    trained = {example.size for example in task.part_examples("training")}
    sizes = [
        SizeReport(size, count, tight, spare, size in trained)
        for size, (count, tight, spare) in sorted(rows.items())
    ]
    mistakes.sort(key=lambda mistake: len(mistake.memory))
    return HeldOutReport(sizes, mistakes[0] if mistakes else None)


def _is_right(example: GivenExample, answer: list[int]) -> bool:
    """Return whether all scored cells hold what they should."""
    cells = zip(example.after, answer, example.scored, strict=False)
    return all(value == found for value, found, counts in cells if counts)
