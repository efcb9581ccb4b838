"""The command that looks for a program behind given examples."""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from softmachine.cli.sources import user_errors
from softmachine.errors import SoftmachineError
from softmachine.files import replacing
from softmachine.machines.nram import NRAM, NRAMConfig
from softmachine.programs.held_out import (
    Found,
    LinesReport,
    check_lines,
    mend_program,
    write_program,
)
from softmachine.programs.notes import per_cent, share
from softmachine.programs.running import load_c, load_python
from softmachine.recipes.synthesis import begin_or_continue, synthesis
from softmachine.tasks.examples import GivenExample, read_examples
from softmachine.tasks.given import Given
from softmachine.training.devices import use_all_cores
from softmachine.training.progress import Progress
from softmachine.training.runs import Run
from softmachine.training.trainer import train_members

SECONDS = 10.0
"""Least time between lines of progress."""


class Options(NamedTuple):
    """What may be chosen; see ``softmachine synthesize --help``."""

    seed: int
    members: int
    enough: int
    memory: int
    steps_per_size: int
    registers: int
    gates: tuple[str, ...]


def synthesize(path: Path, run: Path | None, minutes: float, options: Options) -> None:
    """Train until members are right, or the time is over; print the program.

    Exits with status 1 without a program, 130 after an interruption.
    """
    read = read_examples(path)
    with user_errors(f"{path}, "):
        task = Given(
            examples=_on_their_lines(read.examples),
            memory=options.memory,
            steps_per_size=options.steps_per_size,
        )
    with user_errors():
        experiment = synthesis(
            task,
            NRAMConfig(registers=options.registers, gates=options.gates),
            seed=options.seed,
            enough=options.enough,
        )
        if not minutes > 0:
            raise ValueError(f"--minutes must be above 0, not {minutes}")
    use_all_cores()
    directory = run or Path("runs") / f"synthesize-{path.stem}"
    with user_errors():
        runs = begin_or_continue(directory, experiment, options.members)
    print(_summary(task, read.repeated), flush=True)
    display = LevelDisplay(task, len(runs))
    begin = time.monotonic()
    mistaken: dict[int, bool] = {}

    def enough(solved: list[int]) -> bool:
        """Return whether there are programs enough that make no mistake on any example."""
        for i in solved:
            if i not in mistaken:
                programs = _each(write_program, [runs[i]], task)
                mistaken[i] = not programs or programs[0].report.mistake is not None
        return sum(not mistaken[i] for i in solved) >= options.enough

    progress = train_members(runs, display.report, seconds=60 * minutes, enough=enough)
    ended = all(member.finished for member in progress)
    if not ended and time.monotonic() - begin < 60 * minutes:
        print("Interrupted. The same command continues.")
        sys.exit(130)
    solved = [i for i, member in enumerate(progress) if member.solved_sequences is not None]
    if solved:
        _present(directory, task, _each(write_program, [runs[i] for i in solved], task))
        return
    promising = [i for i, member in enumerate(progress) if member.best_error == 0]
    programs = _each(mend_program, [runs[i] for i in promising], task)
    if any(found.report.mistake is None for found in programs):
        print("No member is right when made hard; changed wires made one so.")
        _present(directory, task, programs)
        return
    _advise(directory, progress, display)
    sys.exit(1)


def _on_their_lines(examples: Sequence[GivenExample]) -> str:
    """Return the examples as text again, so that errors name the lines of the file."""
    lines = [""] * examples[-1].line
    for example in examples:
        lines[example.line - 1] = example.to_json()
    return "\n".join(lines)


FEW = 20
"""Fewer examples to train on are few."""


def _summary(task: Given, repeated: int) -> str:
    """Return what there is to learn from, and what makes it slow or doubtful."""
    trained, validated, tested = (
        len(task.part_examples(part)) for part in ("training", "validation", "test")
    )
    sizes, cells = task.sizes, task.cells(task.sizes[-1])
    numbers = max(
        max(*x.before, *x.wanted)
        for part in ("training", "validation")
        for x in task.part_examples(part)
    )
    lines = [
        f"{trained} examples to train on (sizes {sizes[0]} to {sizes[-1]}), {validated} of "
        f"these sizes and {tested - validated} larger ones held out."
    ]
    if repeated:
        stand = "1 line says" if repeated == 1 else f"{repeated:,} lines say"
        lines += [f"{stand} what an earlier one says: each example counts once."]
    if numbers + 1 >= cells:
        lines += [
            f"Your largest number is {numbers}, so that memories need {cells} cells; smaller "
            "numbers are faster."
        ]
    else:
        lines += [f"Memories of {cells} cells hold them."]
    if trained < FEW:
        lines += ["These are few: what suits them may not be what you mean."]
    if not task.tells_size:
        lines += [
            "The sizes do not follow from the inputs (no array that ends with 0, no cell holds "
            "them): programs take the number of cells for it."
        ]
    return "\n".join(lines)


class LevelDisplay:
    """Says how many members make no mistake up to which size."""

    def __init__(self, task: Given, members: int) -> None:
        self._sizes = task.sizes
        self._members = members
        self._progress: dict[int, Progress] = {}
        self._levels: dict[int, int] = {}
        self._printed = self._begin = time.monotonic()

    def report(self, member: int, progress: Progress, line: dict[str, Any]) -> None:
        """Take up one member's validation; print a line when all have reported."""
        self._progress[member] = progress
        self._levels[member] = self._solved(line["validation_level"])
        now = time.monotonic()
        if member < max(self._progress) or len(self._progress) < self._members:
            return
        solved = self.solved()
        if now - self._printed < SECONDS and not solved:
            return
        self._printed = now
        minutes, seconds = divmod(round(now - self._begin), 60)
        print(f"{minutes:3}:{seconds:02}  {line['step']:>6,} updates  {self}", flush=True)

    def __str__(self) -> str:
        """Return the members at each level, and how many are right when made hard."""
        counts = Counter(self._levels.values())
        levels = ", ".join(
            f"{counts[level]} up to size {level}" if level else f"{counts[level]} at none"
            for level in sorted(counts)
        )
        return f"no mistake: {levels}; programs: {self.solved()} of {self._members}"

    def solved(self) -> int:
        """Return how many members are right when made hard, larger examples included."""
        return sum(p.solved_sequences is not None for p in self._progress.values())

    def _solved(self, level: int) -> int:
        """Return the largest size that there is up to a level, or 0."""
        return max((size for size in self._sizes if size <= level), default=0)


def _each(
    make: Callable[[NRAM, Given, str], Found], runs: list[Run], task: Given
) -> list[Found]:
    """Return the members' programs; say which have none that can be written."""
    programs = []
    for run in runs:
        machine = run.load_machine()
        assert isinstance(machine, NRAM)
        try:
            programs.append(make(machine, task, run.path.name))
        except SoftmachineError as error:
            print(f"{run.path.name} has no program: {error}")
    return programs


def _present(directory: Path, task: Given, programs: list[Found]) -> None:
    """Print the shortest of the programs that are right most often, and its test.

    The files are written first; what is told is what came of running these files.
    """
    if not programs:
        raise SoftmachineError(f"no member of {directory} has a program that can be written")
    best = min(programs, key=lambda found: (-found.report.right, len(found.code)))
    path = directory / "program.py"
    _write(path, best.code)
    report = check_lines(task, load_python(path.read_text(encoding="utf-8")))
    print(f"{best.name} found a program, {path}:\n")
    print(best.code)
    _print_report(report)
    print(_in_c(directory / "program.c", task, best))


def _write(path: Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _in_c(path: Path, task: Given, found: Found) -> str:
    """Write the program in C, run what was written, and return what came of it."""
    try:
        _write(path, found.in_c(task))
    except SoftmachineError as error:
        return f"In C there is none: {error}"
    with tempfile.TemporaryDirectory() as directory:
        run = load_c(path.read_text(encoding="utf-8"), Path(directory))
        if run is None:
            return f"The same in C, {path}, was not run: there is no C compiler."
        report = check_lines(task, run)
    return (
        f"The same in C, {path}: right on {share(report.trained)} trained on, "
        f"{share(report.held_out)} held out."
    )


def _print_report(report: LinesReport) -> None:
    """Print the outcome by size and the first mistake."""
    table = Table(title="The program, run on the lines of the file")
    for name in ("size", "trained on", "right", "held out", "right"):
        table.add_column(name, justify="right")
    for row in report.sizes:
        table.add_row(
            str(row.size),
            *_columns(row.trained, row.trained_right),
            *_columns(row.held_out, row.held_out_right),
        )
    Console().print(table)
    if report.mistake is not None:
        print(f"First mistake, {report.mistake}")


def _columns(count: int, right: int) -> tuple[str, str]:
    """Return how many examples there are, and the share that is right."""
    return (f"{count:,}", f"{per_cent(right, count)} %") if count else ("-", "-")


def _advise(directory: Path, progress: list[Progress], display: LevelDisplay) -> None:
    """Say how far it came, and what else could be tried."""
    best = min(member.best_error for member in progress)
    print(f"No program yet; {display}.")
    print(f"The best member has {best:.1%} of the cells wrong in validation.")
    print(f"The same command goes on with {directory}. What else may help: more examples,")
    print("--steps-per-size 2, the --gates that are needed alone, another --seed.")
