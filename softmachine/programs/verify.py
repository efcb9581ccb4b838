"""Is the program right? Proof by exhaustion where that is feasible, tests beyond it.

Five questions: does the program do what the hard machine does, for all small memories and for
many larger ones; is the C the same as the Python; does it solve the task on random examples;
on the hard ones of its exam; up to a million items? A program that is right only as long as
numbers are small fails the last; one that relies on spare cells, or on paths that are short,
fails the exam (`softmachine.tasks.memories.exams`), which is that of the machine's training.
"""

from __future__ import annotations

import functools
import itertools
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from softmachine.core import compiling
from softmachine.machines.nram.hard import run_hard_batch
from softmachine.machines.nram.nram import NRAM
from softmachine.programs.c_code import c_code
from softmachine.programs.outside import outside
from softmachine.programs.program import Program
from softmachine.programs.python_code import python_code
from softmachine.programs.running import Run, load_c, load_python
from softmachine.programs.values import LEAST_CELLS
from softmachine.tasks.memories.exams import Exam, draw_exam
from softmachine.tasks.memory import MemoryTask
from softmachine.tasks.steps import StepRule
from softmachine.tasks.task import Example, sample_batch

EXHAUSTIVE = 50_000
"""All memories of a size are tried if there are at most so many."""
INPUTS = 10_000
SIZES = (10, 100, 10_000, 1_000_000)
BOUNDS = (6, 50)
"""Random examples are of sizes up to these, as many for each."""
EXAMINED = 200
"""The largest size of the exam."""
BLOCK = 4096
"""Memories that the hard machine works on at once."""
MOST_SHOWN = 24
"""A counter-example is shown in full if it has at most so many cells."""


class Check(NamedTuple):
    """One thing that was looked at."""

    how: str
    """``proven``, ``tested``, ``skipped``, or ``outside``: neither right nor wrong."""
    what: str
    inputs: int
    counterexample: str | None = None

    def __str__(self) -> str:
        if self.how in ("skipped", "outside"):
            return f"{self.how}: {self.what}"
        count = f"{self.inputs:,} input{'' if self.inputs == 1 else 's'}"
        if self.counterexample is not None:
            return f"WRONG: {self.what}; {self.counterexample}"
        return f"{self.how}: {self.what} ({count})"


class Report(NamedTuple):
    """All that was looked at."""

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether there is no counter-example."""
        return all(check.counterexample is None for check in self.checks)

    def __str__(self) -> str:
        return "\n".join(map(str, self.checks))


def verify(
    machine: NRAM,
    task: MemoryTask,
    program: Program,
    *,
    seed: int = 0,
    inputs: int = INPUTS,
    sizes: Sequence[int] = SIZES,
    exhaustive: int = EXHAUSTIVE,
) -> Report:
    """Return what holds of a program.

    One whose states were observed on examples is compared with the machine on examples alone.

    Arguments:
        machine: the machine that the program comes from.
        task: what it was trained for.
        program: the program.
        seed: of all random inputs.
        inputs: how many random inputs to compare on, for each question.
        sizes: sizes of examples of the task, beyond the small ones.
        exhaustive: up to how many memories of one number of cells all are tried.
    """
    run = load_python(python_code(program, "A program.", []))
    examples = [
        _draw(task, jax.random.key(seed + i), -(-inputs // len(BOUNDS)), task.smallest, bound)
        for i, bound in enumerate(BOUNDS)
    ]
    exam = draw_exam(task, seed, EXAMINED)
    small = [] if program.observed else list(_all_memories(exhaustive))
    random = _random_memories(
        examples, np.random.default_rng(seed), inputs, anything=not program.observed
    )
    random += [trial.memory for trial in exam.distinct()]
    less, more = (f(map(len, random)) for f in (min, max))
    of = "examples in memories" if program.observed else "memories"
    same = functools.partial(_same_as_machine, machine, program.steps, run)
    checks = []
    if small:
        every = f"every memory of {LEAST_CELLS} to {len(small[-1])} cells"
        checks.append(same(small, how="proven", what=f"equal to the hard machine on {every}"))
    what = f"equal to the hard machine on {of} of {less} to {more} cells"
    checks.append(same(random, how="tested", what=what))
    with tempfile.TemporaryDirectory() as directory:
        native = load_c(c_code(program, "A program.", []), Path(directory))
        if native is None:
            checks.append(Check("skipped", "the C program: there is no C compiler", 0))
        else:
            checks.append(_same(run, native, [*small, *random]))
        checks.append(_solves_examples(task, run, examples))
        if exam.trials:
            checks.append(_solves_exam(task, run, exam))
        checks += _solves_large(task, run, native, seed, sizes)
    checks += [Check("outside", sentence, 0) for sentence in outside(task, run)]
    return Report(tuple(checks))


# Running the machine


def run_machine(
    machine: NRAM, memories: Sequence[list[int]], steps: Sequence[int]
) -> Iterator[list[int]]:
    """Yield the memories that the hard machine leaves, of memories of any sizes."""
    widest = max(map(len, memories))
    for first in range(0, len(memories), BLOCK):
        some = memories[first : first + BLOCK]
        padded = np.zeros((BLOCK, widest), np.int32)
        cells, given = np.full(BLOCK, widest, np.int32), np.zeros(BLOCK, np.int32)
        for row, memory in enumerate(some):
            padded[row, : len(memory)], cells[row] = memory, len(memory)
            given[row] = steps[first + row]
        after = np.asarray(_run_machine(machine, padded, given, cells))
        for row, memory in enumerate(some):
            yield after[row, : len(memory)].tolist()


@functools.partial(compiling.filter_jit, tuned=False)
def _run_machine(machine, memories, steps, cells):
    return run_hard_batch(
        machine, jnp.asarray(memories), jnp.asarray(steps), jnp.asarray(cells)
    ).memory


# The questions


def _all_memories(most: int) -> Iterable[list[int]]:
    """Yield all memories of so few cells that there are at most ``most`` of each size."""
    cells = LEAST_CELLS
    while cells**cells <= most:
        yield from map(list, itertools.product(range(cells), repeat=cells))
        cells += 1


def _random_memories(
    examples: Sequence[Example], rng: np.random.Generator, count: int, *, anything: bool
) -> list[list[int]]:
    """Return memories that are examples; if wanted half of them, the others anything."""
    kinds = 2 if anything else 1
    memories, each = [], -(-count // (kinds * len(examples)))
    for drawn in examples:
        inputs = np.asarray(drawn.inputs)[:each]
        memories += inputs.tolist()
        if anything:
            memories += rng.integers(0, inputs.shape[1], (each, inputs.shape[1])).tolist()
    return memories


def _draw(task, key, count, smallest, largest):
    """Draw examples with sizes from smallest to largest, in memories for the largest."""
    size_key, key = jax.random.split(key)
    sizes = jax.random.randint(size_key, (count,), smallest, largest + 1)
    return sample_batch(task, jax.random.split(key, count), sizes, largest)


def _same_as_machine(
    machine: NRAM,
    rule: StepRule,
    run: Run,
    memories: Sequence[list[int]],
    *,
    how: str,
    what: str,
) -> Check:
    """Compare a program and the hard machine."""
    steps = [rule.steps(memory) for memory in memories]
    after = run_machine(machine, memories, steps)
    for memory, expected in zip(memories, after, strict=True):
        found = _attempt(run, memory)
        if found != expected:
            return Check(how, what, 0, _difference(memory, expected, found, "the machine"))
    return Check(how, what, len(memories))


def _same(run: Run, native: Run, memories: Iterable[list[int]]) -> Check:
    """Compare the two programs."""
    what, count = "the C program is equal to the Python program", 0
    for memory in memories:
        expected, found = _attempt(run, memory), _attempt(native, memory)
        count += 1
        if found != expected:
            return Check("tested", what, count, _difference(memory, expected, found, "Python"))
    return Check("tested", what, count)


def _solves_examples(task: MemoryTask, run: Run, examples: Sequence[Example]) -> Check:
    """Compare with the task's own answers, small examples first."""
    wrong, count = None, 0
    for drawn in examples:
        rows = np.argsort(np.asarray(drawn.steps), kind="stable").tolist()
        wrong = wrong or _first_wrong(run, drawn, rows=rows)
        count += len(rows)
    bounds = " and ".join(f"{task.smallest} to {bound}" for bound in BOUNDS)
    what = f"solves random examples of {type(task).__name__} at sizes {bounds}, in memories "
    return Check("tested", what + "for the largest", count, wrong)


def _solves_exam(task: MemoryTask, run: Run, exam: Exam) -> Check:
    """Compare with the task's answers to its adversarial cases, smallest memories first."""
    trials, wrong, first = exam.distinct(), 0, None
    for trial in trials:
        found = _attempt(run, trial.memory)
        expected = [
            value if counts else -1
            for value, counts in zip(trial.targets, trial.scored, strict=True)
        ]
        if isinstance(found, list) and all(
            value in (-1, cell) for value, cell in zip(expected, found, strict=True)
        ):
            continue
        wrong += 1
        if first is None:
            how = _difference(trial.memory, expected, found, "the task")
            first = (
                f"{trial.case}, size {trial.size:,}, {trial.capacity} ({len(trial.memory):,} "
                f"cells): {how}"
            )
    what = f"solves the exam of {type(task).__name__} ({exam})"
    if first is not None:
        first = f"{wrong:,} of {len(trials):,} are wrong, the first: {first}"
    return Check("tested", what, len(trials), first)


def _solves_large(
    task: MemoryTask, run: Run, native: Run | None, seed: int, sizes: Sequence[int]
) -> Iterator[Check]:
    for size in sizes:
        count = max(1, min(100, 100_000 // size))
        what = f"solves random examples of {type(task).__name__} at size {size:,}"
        if task.largest is not None and size > task.largest:
            yield Check("skipped", f"{what}: the task draws no examples as large as that", 0)
            continue
        drawn = _draw(task, jax.random.key(seed), count, size, size)
        wrong = _first_wrong(run, drawn, rows=range(count), native=native)
        yield Check("tested", what, count, wrong)


def _first_wrong(
    run: Run, examples: Any, *, rows: Iterable[int], native: Run | None = None
) -> str | None:
    """Return an account of the first example that is answered wrongly."""
    inputs, targets, mask = (
        np.asarray(x) for x in (examples.inputs, examples.targets, examples.mask > 0)
    )
    for row in rows:
        memory = inputs[row].tolist()
        for name, program in (("", run), ("in C, ", native)):
            if program is None:
                continue
            found = _attempt(program, memory)
            right = isinstance(found, list) and np.array_equal(
                np.asarray(found)[mask[row]], targets[row][mask[row]]
            )
            if not right:
                expected = np.where(mask[row], targets[row], -1).tolist()
                return name + _difference(memory, expected, found, "the task")
    return None


def _attempt(run: Run, memory: list[int]) -> list[int] | str:
    """Return what a program gives, or the error that it raises."""
    try:
        return run(memory)
    except Exception as error:  # whatever it is, it is a counter-example
        return f"{type(error).__name__}: {error}"


def _difference(
    memory: list[int], expected: list[int] | str, found: list[int] | str, who: str
) -> str:
    """Return an account of a difference; -1 is expected where anything is right."""
    shown = str(memory) if len(memory) <= MOST_SHOWN else f"a memory of {len(memory):,} cells"
    if isinstance(found, str) or isinstance(expected, str):
        return f"for {shown} the program gives {found}, {who} {expected}"
    cell = next(
        i for i, (e, f) in enumerate(zip(expected, found, strict=True)) if e not in (-1, f)
    )
    return f"for {shown} cell {cell} becomes {found[cell]}, for {who} {expected[cell]}"
