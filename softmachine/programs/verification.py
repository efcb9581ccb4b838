"""Verification of programs: bounded verification of small memories, tests beyond them.

Five questions. Is the program equivalent to the hard machine: on all small memories
(exhaustively, up to a bound on their number) and on many larger ones? Is the C program
equivalent to the Python one? Does it solve the task: on random examples, on the adversarial
ones of the task's exam, and on up to a million items? A program that is right only while
numbers are small fails the last; one that relies on spare cells or short paths fails the exam
(`softmachine.tasks.memories.exams`), the same one that the machine's training has to pass.
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
from softmachine.core.capabilities import HardForm
from softmachine.programs.languages.c import c_code
from softmachine.programs.languages.python import python_code
from softmachine.programs.outside import outside
from softmachine.programs.program import Program
from softmachine.programs.running import (
    MOST_SHOWN,
    ProgramFunction,
    load_c,
    load_python,
    shortened,
)
from softmachine.programs.values import LEAST_CELLS
from softmachine.tasks.memories.exams import Exam, draw_exam
from softmachine.tasks.memory import MemoryTask
from softmachine.tasks.steps import StepRule
from softmachine.tasks.task import Example, sample_batch

EXHAUSTIVE = 50_000
"""All memories with a given number of cells are tried if there are at most this many."""
INPUTS = 10_000
"""How many random inputs each question is tested on."""
LARGE_SIZES = (10, 100, 10_000, 1_000_000)
"""Sizes of random examples beyond the small ones."""
BOUNDS = (6, 50)
"""Sizes of small random examples are uniform up to each of these, half of them for each."""
LARGEST_EXAM_SIZE = 200
"""The largest size of the exam."""
BLOCK = 4096
"""How many memories the hard machine is run on at once."""


class Check(NamedTuple):
    """The answer to one question about a program."""

    how: str
    """``proven``, ``tested``, ``skipped``, or ``outside``: about invalid inputs, for which
    there is no right and wrong."""
    what: str
    """The property that was checked, as a phrase."""
    inputs: int
    """On how many inputs."""
    counterexample: str | None = None
    """An input for which the property fails, and how; None if none was found."""

    def __str__(self) -> str:
        if self.how in ("skipped", "outside"):
            return f"{self.how}: {self.what}"
        count = f"{self.inputs:,} input{'' if self.inputs == 1 else 's'}"
        if self.counterexample is not None:
            return f"WRONG: {self.what}; {self.counterexample}"
        return f"{self.how}: {self.what} ({count})"


class Verification(NamedTuple):
    """The result of verifying a program: all checks, in order."""

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether there is no counter-example."""
        return all(check.counterexample is None for check in self.checks)

    def __str__(self) -> str:
        return "\n".join(map(str, self.checks))


def verify(
    machine: HardForm,
    task: MemoryTask,
    program: Program,
    *,
    seed: int = 0,
    inputs: int = INPUTS,
    sizes: Sequence[int] = LARGE_SIZES,
    exhaustive: int = EXHAUSTIVE,
) -> Verification:
    """Verify a program: against the hard machine, in C, and on its task.

    A program whose states were observed on examples is compared with the machine on examples
    alone, and not on arbitrary memories.

    Arguments:
        machine: the machine that the program comes from.
        task: what it was trained for.
        program: the program.
        seed: of all random inputs.
        inputs: how many random inputs each question is tested on.
        sizes: sizes of examples of the task, beyond the small ones.
        exhaustive: all memories with a given number of cells are tried if there are at most
            this many.
    """
    run = load_python(python_code(program, "A program.", []))
    examples = [
        _draw(task, jax.random.key(seed + i), -(-inputs // len(BOUNDS)), task.smallest, bound)
        for i, bound in enumerate(BOUNDS)
    ]
    exam = draw_exam(task, seed, LARGEST_EXAM_SIZE)
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
    return Verification(tuple(checks))


# Running the machine


def run_machine(
    machine: HardForm, memories: Sequence[list[int]], steps: Sequence[int]
) -> Iterator[list[int]]:
    """Run the hard machine on memories of any sizes; yield what each becomes.

    ``steps``: how many steps each takes.
    """
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
    return machine.run_hard(jnp.asarray(memories), jnp.asarray(steps), jnp.asarray(cells))


# The questions


def _all_memories(most: int) -> Iterable[list[int]]:
    """Yield all memories with n cells, for every n for which there are at most ``most``."""
    cells = LEAST_CELLS
    while cells**cells <= most:
        yield from map(list, itertools.product(range(cells), repeat=cells))
        cells += 1


def _random_memories(
    examples: Sequence[Example], rng: np.random.Generator, count: int, *, anything: bool
) -> list[list[int]]:
    """Return memories of examples; with ``anything``, half of them are arbitrary instead."""
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
    machine: HardForm,
    rule: StepRule,
    run: ProgramFunction,
    memories: Sequence[list[int]],
    *,
    how: str,
    what: str,
) -> Check:
    """Compare a program with the hard machine, up to the first difference."""
    steps = [rule.steps(memory) for memory in memories]
    after = run_machine(machine, memories, steps)
    for memory, expected in zip(memories, after, strict=True):
        found = _attempt(run, memory)
        if found != expected:
            return Check(how, what, 0, _difference(memory, expected, found, "the machine"))
    return Check(how, what, len(memories))


def _same(
    run: ProgramFunction, native: ProgramFunction, memories: Iterable[list[int]]
) -> Check:
    """Compare the C program with the Python program, up to the first difference."""
    what, count = "the C program is equal to the Python program", 0
    for memory in memories:
        expected, found = _attempt(run, memory), _attempt(native, memory)
        count += 1
        if found != expected:
            return Check("tested", what, count, _difference(memory, expected, found, "Python"))
    return Check("tested", what, count)


def _solves_examples(
    task: MemoryTask, run: ProgramFunction, examples: Sequence[Example]
) -> Check:
    """Compare a program with the task's targets, small examples first."""
    wrong, count = None, 0
    for drawn in examples:
        rows = np.argsort(np.asarray(drawn.steps), kind="stable").tolist()
        wrong = wrong or _first_wrong(run, drawn, rows=rows)
        count += len(rows)
    bounds = " and ".join(f"{task.smallest} to {bound}" for bound in BOUNDS)
    what = f"solves random examples of {type(task).__name__} at sizes {bounds}, in memories "
    return Check("tested", what + "for the largest", count, wrong)


def _solves_exam(task: MemoryTask, run: ProgramFunction, exam: Exam) -> Check:
    """Compare a program with the targets of the task's exam, smallest memories first."""
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
    task: MemoryTask,
    run: ProgramFunction,
    native: ProgramFunction | None,
    seed: int,
    sizes: Sequence[int],
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
    run: ProgramFunction,
    examples: Any,
    *,
    rows: Iterable[int],
    native: ProgramFunction | None = None,
) -> str | None:
    """Describe the first example that a program gets wrong; None if there is none."""
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


def _attempt(run: ProgramFunction, memory: list[int]) -> list[int] | str:
    """Return what a program returns, or the error that it raises as a text."""
    try:
        return run(memory)
    except Exception as error:  # whatever it is, it is a counter-example
        return f"{type(error).__name__}: {error}"


def _difference(
    memory: list[int], expected: list[int] | str, found: list[int] | str, who: str
) -> str:
    """Describe a difference as a counter-example.

    Arguments:
        memory: the input.
        expected: the right cells, -1 where any value is right; or an error.
        found: what the program returned; or an error.
        who: where ``expected`` comes from, as a noun.
    """
    long = len(memory) > MOST_SHOWN
    shown = f"a memory of {len(memory):,} cells" if long else str(memory)
    if isinstance(found, str) or isinstance(expected, str):
        what, right = (x if isinstance(x, str) else shortened(x) for x in (found, expected))
        return f"for {shown} the program gives {what}, {who} {right}"
    cell = next(
        i for i, (e, f) in enumerate(zip(expected, found, strict=True)) if e not in (-1, f)
    )
    return f"for {shown} cell {cell} becomes {found[cell]}, for {who} {expected[cell]}"
