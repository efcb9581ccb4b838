"""Tests of programs learned from examples, on training and held-out examples, and their notes.

All figures come from running a program's text on the lines of the user's file, unpadded, and
comparing the cells that the line scores.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from softmachine.core.time_limit import NEVER, TimeLimit
from softmachine.machines.nram.nram import NRAM
from softmachine.programs.build import build_program
from softmachine.programs.languages.c import c_code
from softmachine.programs.languages.python import Call, python_code
from softmachine.programs.notes import examples_note, steps_note, variables_note
from softmachine.programs.program import Program
from softmachine.programs.reachable import TransitionTable
from softmachine.programs.repair import Change, program_table, repair
from softmachine.programs.running import ProgramFunction, load_c, load_python, shortened
from softmachine.programs.signs import goes_below_zero
from softmachine.tasks.memories.examples import GivenExample
from softmachine.tasks.memories.exams import draw_batch
from softmachine.tasks.memories.given import Given
from softmachine.wiring.table import read_wiring

MENDED = 40
"""The number of examples of each size that guide a repair."""
SUMMARY = "The program of a machine that learned from examples."
"""The first line of the docstring of every program."""


class SizeReport(NamedTuple):
    """How many examples of one size a program answers correctly."""

    size: int
    trained: int
    """The number of training examples."""
    trained_right: int
    """The number of them answered correctly."""
    held_out: int
    """The number of held-out examples."""
    held_out_right: int
    """The number of them answered correctly."""


class Mistake(NamedTuple):
    """An example with a wrong answer."""

    example: GivenExample
    answer: list[int] | str
    """The program's answer, or the error that it raised."""
    held_out: bool = False
    """Whether the example was held out of training."""

    def __str__(self) -> str:
        """Return a sentence with input, target and answer; cells not scored are dots."""
        example = self.example
        cells = zip(example.after, example.scored, strict=True)
        wanted = shortened([value if counts else "." for value, counts in cells])
        given, answer = shortened(example.before), self.answer
        told = f"but: {answer}" if isinstance(answer, str) else f"not {shortened(answer)}"
        return f"line {example.line}: {given} should become {wanted}, {told}"


class LinesReport(NamedTuple):
    """The outcome of a test on all examples: counts by size, and the first mistake."""

    sizes: list[SizeReport]
    """The counts of each size, smallest first."""
    mistake: Mistake | None
    """The mistake on the shortest example, if there is any mistake."""

    @property
    def trained(self) -> tuple[int, int]:
        """The number of training examples answered correctly, and their total."""
        rows = self.sizes
        return sum(row.trained_right for row in rows), sum(row.trained for row in rows)

    @property
    def held_out(self) -> tuple[int, int]:
        """The number of held-out examples answered correctly, and their total."""
        rows = self.sizes
        return sum(row.held_out_right for row in rows), sum(row.held_out for row in rows)

    @property
    def right(self) -> int:
        """The number of examples answered correctly."""
        return self.trained[0] + self.held_out[0]


class Description(NamedTuple):
    """What the docstring of a program says about it."""

    notes: list[str]
    """Paragraphs."""
    call: Call | None
    """An example that the program answers correctly, if there is one."""
    report: LinesReport
    """The test that the figures in the notes come from."""


class SynthesizedProgram(NamedTuple):
    """A program learned from examples, with the outcome of its test."""

    name: str
    """The name of the population member it comes from."""
    program: Program
    changes: int
    """The number of wires changed after training."""
    code: str
    """The program's text in Python."""
    report: LinesReport

    def in_c(self, task: Given) -> str:
        """Return the program's text in C; its notes hold the test of the C program."""
        description = describe(self.program, task, self.name, changes=self.changes, to="c")
        return c_code(self.program, SUMMARY, description.notes)


def write_program(
    machine: NRAM,
    task: Given,
    name: str,
    changes: Sequence[Change] = (),
    limit: TimeLimit = NEVER,
) -> SynthesizedProgram:
    """Return a machine's program in Python, tested on all examples.

    Arguments:
        machine: the machine.
        task: the examples.
        name: where the program comes from.
        changes: applied to the machine's wires first.
        limit: when the test has to end.

    Raises:
        SoftmachineError: no program can be extracted from the machine.
        TimeIsOverError: there is no time for the test.
    """
    return write_table(program_table(machine, changes), task, name, len(changes), limit)


def write_table(
    table: TransitionTable,
    task: Given,
    name: str,
    changes: int = 0,
    limit: TimeLimit = NEVER,
) -> SynthesizedProgram:
    """Return the program of a machine with these transitions; see `write_program`.

    ``changes``: how many wires were changed after training.
    """
    built = build_program(table, task.step_rule())
    program = built._replace(unbounded=task.unbounded)
    description = describe(program, task, name, changes=changes, limit=limit)
    code = python_code(program, SUMMARY, description.notes, description.call)
    return SynthesizedProgram(name, program, changes, code, description.report)


def mend_program(
    machine: NRAM, task: Given, name: str, limit: TimeLimit = NEVER
) -> SynthesizedProgram:
    """Return the program of a machine after a repair of its wires on the training examples.

    Held-out examples play no part in the repair. Raises SoftmachineError if no program can be
    extracted from the machine, TimeIsOverError if that does not end by the limit.
    """
    sizes = np.tile(task.sizes, MENDED)
    batch = draw_batch(task, jax.random.key(0), sizes, task.sizes[-1])
    found = repair(machine, read_wiring(machine), batch, limit=limit)
    return write_program(machine, task, name, found.changes, limit)


def describe(
    program: Program,
    task: Given,
    origin: str,
    *,
    changes: int = 0,
    to: str = "python",
    limit: TimeLimit = NEVER,
) -> Description:
    """Test a program on all examples, and return the notes for its docstring.

    Arguments:
        program: the program.
        task: the examples it was learned from.
        origin: where the program comes from, for its notes.
        changes: the number of wires changed after training.
        to: the language of the text that is run. For languages other than ``python`` and
            ``c``, and for C without a compiler, the Python text is run and the notes say so.
        limit: when that has to end.

    Raises:
        SoftmachineError: the program cannot be written in that language.
        TimeIsOverError: there is no time for the test.
    """
    run, what = load_python(python_code(program, SUMMARY, []), limit), ""
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
    return Description(notes, call, report)


def check_lines(task: Given, run: ProgramFunction) -> LinesReport:
    """Run a program on all examples, unpadded, and count the correct answers.

    Where zeros may follow, an example counts as correct if it is so with as many zeros behind
    it, too.
    """
    rows: dict[int, list[int]] = {}
    mistakes: list[Mistake] = []
    longer = task.zeros_may_follow
    for held_out, example in _examples(task):
        counts = rows.setdefault(example.size, [0, 0, 0, 0])
        counts[2 * held_out] += 1
        mistake = _mistake(run, example)
        if mistake is None and longer:
            mistake = _mistake(run, example.with_zeros(len(example.before)))
        if mistake is None:
            counts[2 * held_out + 1] += 1
        else:
            mistakes.append(mistake._replace(held_out=held_out))
    sizes = [SizeReport(size, *counts) for size, counts in sorted(rows.items())]
    mistakes.sort(key=lambda mistake: (len(mistake.example.before), mistake.example.line))
    return LinesReport(sizes, mistakes[0] if mistakes else None)


def _examples(task: Given) -> Iterator[tuple[bool, GivenExample]]:
    """Yield all examples, each with whether it was held out of training."""
    trained = task.part_examples("training")
    for example in trained:
        yield False, example
    for example in task.part_examples("test"):
        if example not in trained:
            yield True, example


def _mistake(run: ProgramFunction, example: GivenExample) -> Mistake | None:
    answer = _answer(run, example)
    right = isinstance(answer, list) and example.is_right(answer)
    return None if right else Mistake(example, answer)


def _answer(run: ProgramFunction, example: GivenExample) -> list[int] | str:
    """Return a program's answer to an example, or a message that says why there is none."""
    try:
        answer = run(list(example.before))
    except Exception as error:  # any error counts as a mistake
        return f"{type(error).__name__}: {error}"
    if len(answer) != len(example.before):
        return f"{len(answer)} cells came back"
    return answer


def _shortest_right(task: Given, run: ProgramFunction) -> Call | None:
    """Return the most instructive example with a correct answer; None if there is none.

    Preferred are answers right in all cells, also those not scored; held-out examples; inputs
    with at least four distinct values; short ones.
    """
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
