"""Programs that learned from given examples: what they say of themselves, and whether it is so.

All figures come from running a program's text on the lines of the person's own file, as they
stand there; compared are the cells that a line scores.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from softmachine.machines.nram.nram import NRAM
from softmachine.programs.build import build_program
from softmachine.programs.c_code import c_code
from softmachine.programs.notes import examples_note, steps_note, variables_note
from softmachine.programs.program import Program
from softmachine.programs.python_code import Call, python_code
from softmachine.programs.repair import Change, program_table, repair
from softmachine.programs.running import Run, load_c, load_python
from softmachine.programs.signs import goes_below_zero
from softmachine.tasks.memories.examples import GivenExample
from softmachine.tasks.memories.given import Given
from softmachine.wiring.search import draw_batch
from softmachine.wiring.table import read_wiring

MENDED = 40
"""Examples of each size that guide a repair."""
SUMMARY = "What a machine does that learned from examples."
"""The first line of each program."""


class SizeReport(NamedTuple):
    """The examples of one size."""

    size: int
    trained: int
    """How many were trained on."""
    trained_right: int
    held_out: int
    held_out_right: int


class Mistake(NamedTuple):
    """An example that came out wrong."""

    example: GivenExample
    answer: list[int] | str
    """What the program gave, or the error that it raised."""

    def __str__(self) -> str:
        """Return an account of it; unscored cells of what is wanted are dots."""
        example = self.example
        cells = zip(example.after, example.scored, strict=True)
        wanted = ", ".join(str(value) if counts else "." for value, counts in cells)
        return f"line {example.line}: {list(example.before)} should become [{wanted}], " + (
            f"but: {self.answer}" if isinstance(self.answer, str) else f"not {self.answer}"
        )


class LinesReport(NamedTuple):
    """The outcome by size, smallest first, and the first mistake."""

    sizes: list[SizeReport]
    mistake: Mistake | None

    @property
    def trained(self) -> tuple[int, int]:
        """How many examples that were trained on are right, and how many there are."""
        rows = self.sizes
        return sum(row.trained_right for row in rows), sum(row.trained for row in rows)

    @property
    def held_out(self) -> tuple[int, int]:
        """How many examples that were held out are right, and how many there are."""
        rows = self.sizes
        return sum(row.held_out_right for row in rows), sum(row.held_out for row in rows)

    @property
    def right(self) -> int:
        """How many examples are right."""
        return self.trained[0] + self.held_out[0]


class Told(NamedTuple):
    """What a program's text says besides the program."""

    notes: list[str]
    call: Call | None
    """An example that it does right, if there is one."""
    report: LinesReport


class Found(NamedTuple):
    """A program and what became of its test."""

    name: str
    """The member it comes from."""
    program: Program
    changes: int
    """How many wires were changed after training."""
    code: str
    """In Python."""
    report: LinesReport

    def in_c(self, task: Given) -> str:
        """Return it in C; its figures are those of the C program."""
        told = tell(self.program, task, self.name, changes=self.changes, to="c")
        return c_code(self.program, SUMMARY, told.notes)


def write_program(
    machine: NRAM, task: Given, name: str, changes: Sequence[Change] = ()
) -> Found:
    """Return a machine's program in Python, tested on all examples.

    ``changes`` are made to its wires first. Raises SoftmachineError if no program can be made
    of the machine.
    """
    built = build_program(program_table(machine, changes), task.step_rule())
    program = built._replace(unbounded=task.unbounded)
    told = tell(program, task, name, changes=len(changes))
    code = python_code(program, SUMMARY, told.notes, told.call)
    return Found(name, program, len(changes), code, told.report)


def mend_program(machine: NRAM, task: Given, name: str) -> Found:
    """Return the program of a machine some of whose wires are changed to fit the examples.

    Those held out and larger than what was trained on are not looked at for that. Raises
    SoftmachineError if no program can be made of the machine.
    """
    sizes = np.tile(task.sizes, MENDED)
    batch = draw_batch(task, jax.random.key(0), sizes, task.sizes[-1])
    found = repair(machine, read_wiring(machine), batch)
    return write_program(machine, task, name, found.changes)


def tell(
    program: Program, task: Given, origin: str, *, changes: int = 0, to: str = "python"
) -> Told:
    """Run a program on all examples and return what it is to say of itself.

    Arguments:
        program: the program.
        task: the examples it was learned from.
        origin: what it comes from, for its notes.
        changes: how many wires were changed after training.
        to: the language whose text is run, ``python`` or ``c``; of others, and of C without a
            compiler, it is the Python, and the notes say so.

    Raises:
        SoftmachineError: the program cannot be written in that language.
    """
    run, what = load_python(python_code(program, SUMMARY, [])), ""
    with tempfile.TemporaryDirectory() as directory:
        native = None
        if to == "c":
            native = load_c(c_code(program, SUMMARY, []), Path(directory))
        if native is None and to != "python":
            what = " (run in Python)"
        run = native or run
        report, call = check_lines(task, run), _shortest_right(task, run)
    notes = [
        examples_note(origin, task, report.trained, report.held_out, what),
        "A list is taken as it stands in an example, and comes back as long as it is; behind "
        "it there are zeros. Cells that the examples do not score may hold anything afterwards."
        + (
            " In a machine -1 is the largest number, whatever the size of its memory."
            if goes_below_zero(program)
            else ""
        ),
        steps_note(program.steps, program.counts_steps),
        variables_note(program),
    ]
    if call is not None and to != "python":
        notes.insert(2, f"For {list(call.cells)} it gives {list(call.answer)}.")
    if changes:
        notes.append(f"Wires changed after training: {changes}.")
    return Told(notes, call, report)


def check_lines(task: Given, run: Run) -> LinesReport:
    """Run a program on all examples, each as it stands in the file."""
    rows: dict[int, list[int]] = {}
    mistakes: list[Mistake] = []
    for held_out, example in _examples(task):
        counts = rows.setdefault(example.size, [0, 0, 0, 0])
        counts[2 * held_out] += 1
        answer = _answer(run, example)
        if isinstance(answer, list) and example.is_right(answer):
            counts[2 * held_out + 1] += 1
        else:
            mistakes.append(Mistake(example, answer))
    sizes = [SizeReport(size, *counts) for size, counts in sorted(rows.items())]
    mistakes.sort(key=lambda mistake: (len(mistake.example.before), mistake.example.line))
    return LinesReport(sizes, mistakes[0] if mistakes else None)


def _examples(task: Given) -> Iterator[tuple[bool, GivenExample]]:
    """Yield all examples, and whether they were held out."""
    for example in task.part_examples("training"):
        yield False, example
    for example in task.part_examples("test"):
        yield True, example


def _answer(run: Run, example: GivenExample) -> list[int] | str:
    """Return what a program gives, as long as the example, or why it gives nothing."""
    try:
        answer = run(list(example.before))
    except Exception as error:  # whatever it is, it is a mistake
        return f"{type(error).__name__}: {error}"
    if len(answer) != len(example.before):
        return f"{len(answer)} cells came back"
    return answer


def _shortest_right(task: Given, run: Run) -> Call | None:
    """Return an example that comes out right: one held out, of several cells, and all right."""
    best, least = None, None
    for held_out, example in _examples(task):
        answer = _answer(run, example)
        if isinstance(answer, str) or not example.is_right(answer):
            continue
        odd = answer != list(example.after)
        plain = len(set(example.before)) < 4
        cost = (odd, not held_out, plain, len(str(answer)), example.line)
        if least is None or cost < least:
            best, least = Call(example.before, answer), cost
    return best
