"""Verification of a program learned from examples: tests on the lines of the user's file.

The program computes with unbounded integers, its machine modulo the number of cells. So the two
are compared in memories many times larger than the lines need.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from softmachine.core.capabilities import HardForm
from softmachine.programs.languages.c import c_code
from softmachine.programs.languages.python import python_code
from softmachine.programs.program import Program
from softmachine.programs.running import ProgramFunction, load_c, load_python, shortened
from softmachine.programs.verification import Check, Verification, run_machine
from softmachine.synthesis.held_out import SUMMARY, check_lines
from softmachine.tasks.memories.given import Given

ROOMY = 16
"""The size of the memories in which program and machine are compared, as a multiple of the
number of cells that a line needs."""
MOST_CELLS = 4_096
"""The largest number of cells of these memories, unless the line itself needs more."""
RANDOM = 1_000
"""The number of random lists: lines with other numbers, up to one more than the largest."""


def verify_lines(
    machine: HardForm, task: Given, program: Program, *, seed: int = 0, count: int = RANDOM
) -> Verification:
    """Test a program on the examples it was learned from, and on random lists like them.

    Arguments:
        machine: the machine that the program was extracted from.
        task: the examples.
        program: the program.
        seed: the seed of the random lists.
        count: the number of random lists.
    """
    run = load_python(python_code(program, SUMMARY, []))
    lines = [list(x.before) for x in task.part_examples("training")]
    lines += [list(x.before) for x in task.part_examples("test")]
    lists = [*lines, *_random_lists(lines, np.random.default_rng(seed), count)]
    with tempfile.TemporaryDirectory() as directory:
        native = load_c(c_code(program, SUMMARY, []), Path(directory))
        checks = [*_right(task, run, "Python")]
        if native is None:
            checks.append(Check("skipped", "the C program: there is no C compiler", 0))
        else:
            checks += [*_right(task, native, "C"), _same_in_c(run, native, lists)]
    checks.append(_same_as_machine(machine, task, run, lists))
    return Verification(tuple(checks))


def _right(task: Given, run: ProgramFunction, language: str) -> Iterator[Check]:
    """Yield a check on the training examples, and one on the held-out examples."""
    report = check_lines(task, run)
    for name, (right, there), held_out in (
        ("trained on", report.trained, False),
        ("held out", report.held_out, True),
    ):
        if not there:
            continue
        what, wrong = f"right in {language} on the examples {name}", None
        if right < there:
            wrong = f"{there - right:,} of {there:,} are wrong"
            if report.mistake and report.mistake.held_out == held_out:
                wrong += f"; {report.mistake}"
        yield Check("tested", what, there, wrong)


def _random_lists(
    lines: Sequence[list[int]], rng: np.random.Generator, count: int
) -> list[list[int]]:
    """Return random lists, each as long as some line; half keep the zeros of that line."""
    found = []
    largest = max(map(max, lines)) + 1
    for i in range(count):
        line = np.array(lines[int(rng.integers(len(lines)))])
        cells = rng.integers(0, largest + 1, len(line))
        found.append(np.where((line == 0) & bool(i % 2), 0, cells).tolist())
    return found


def _same_in_c(
    run: ProgramFunction, native: ProgramFunction, lists: Sequence[list[int]]
) -> Check:
    what = "the C program is equal to the Python program on examples and other lists"
    for cells in lists:
        expected, found = run(cells), _attempt(native, cells)
        if found != expected:
            in_c = found if isinstance(found, str) else shortened(found)
            given, right = shortened(cells), shortened(expected)
            return Check("tested", what, 0, f"for {given} Python gives {right}, C {in_c}")
    return Check("tested", what, len(lists))


def _same_as_machine(
    machine: HardForm, task: Given, run: ProgramFunction, lists: Sequence[list[int]]
) -> Check:
    """Compare program and hard machine in large memories of two sizes."""
    what = "equal to the hard machine in memories with room, on examples and other lists"
    compared = 0
    for more in (0, 1):
        answers, memories, steps = [], [], []
        for cells in lists:
            laid_out, answer = task.lay_out(cells), run(cells)
            room = max(len(laid_out.memory), max(map(abs, answer)))
            room = max(len(laid_out.memory), min(ROOMY * room, MOST_CELLS)) + more
            if 2 * max(map(abs, answer)) >= room:
                continue  # modulo the number of cells it would be another number
            answers.append((cells, answer))
            memories.append(cells + [0] * (room - len(cells)))
            steps.append(laid_out.steps)
        compared += len(answers)
        after = run_machine(machine, memories, steps) if answers else []
        for (cells, found), memory, left in zip(answers, memories, after, strict=True):
            expected = left[: len(cells)]
            if [value % len(memory) for value in found] != expected:
                given, mine, right = map(shortened, (cells, found, expected))
                wrong = f"for {given} it gives {mine}, the machine {right}"
                return Check("tested", what, 0, wrong)
    return Check("tested", what, compared)


def _attempt(run: ProgramFunction, cells: list[int]) -> list[int] | str:
    try:
        return run(cells)
    except ValueError as error:
        return str(error)
