"""A program that was found: written, run on the lines of its file, printed."""

from __future__ import annotations

import shlex
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from softmachine.cli.folding import folded
from softmachine.cli.searching import written
from softmachine.cli.waiting import working
from softmachine.core.errors import SoftmachineError
from softmachine.core.files import replacing
from softmachine.programs.notes import per_cent, share
from softmachine.programs.running import load_c, load_python
from softmachine.synthesis.held_out import LinesReport, SynthesizedProgram, check_lines
from softmachine.tasks.memories.given import Given


def present(
    directory: Path, task: Given, programs: list[SynthesizedProgram], *, mended: bool = False
) -> None:
    """Print the shortest of the programs that are right most often, its test, what to do next.

    The files are written first; what is told is what came of running these files. ``mended``:
    wires were changed on the way, so that what is on disk is not the machine of the program.
    Raises SoftmachineError, at the end, if Python and C do not give the same.
    """
    if not programs:
        raise SoftmachineError(f"no member of {directory} has a program that can be written")
    best = min(programs, key=lambda found: (-found.report.right, len(found.code)))
    path = directory / "program.py"
    _write(path, best.code)
    with working("testing"):
        report = check_lines(task, load_python(path.read_text(encoding="utf-8")))
    print(f"{best.name} found a program, {path}:\n")
    print(best.code)
    _print_report(report)
    with working("testing the program in C"):
        told = _in_c(directory / "program.c", task, best, report)
    print(folded(told))
    if not mended:
        machine = shlex.quote(str(directory / best.name))
        print(f"Next: softmachine program {machine} --verify")
        print(f"      softmachine trace {machine} --out run.trace")
        print(f"      softmachine view {machine}")


def _write(path: Path, text: str) -> None:
    with written(path.parent), replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _in_c(path: Path, task: Given, found: SynthesizedProgram, python: LinesReport) -> str:
    """Write the program in C, run what was written, and return what came of it.

    ``python``: what came of the program in Python. Raises SoftmachineError if the one in C is
    not right as often.
    """
    try:
        _write(path, found.in_c(task))
    except SoftmachineError as error:
        return f"In C there is none: {error}"
    with tempfile.TemporaryDirectory() as directory:
        run = load_c(path.read_text(encoding="utf-8"), Path(directory))
        if run is None:
            return f"The same in C, {path}, was not run: there is no C compiler."
        report = check_lines(task, run)
    text = f"right on {share(report.trained)} trained on"
    text += f", {share(report.held_out)} held out" if report.held_out[1] else ""
    if report.sizes != python.sizes:
        first = f"; first mistake, {report.mistake}" if report.mistake else ""
        raise SoftmachineError(f"WRONG in C, {path}, not as in Python: {text}{first}")
    return f"The same in C, {path}: {text}."


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
        print(folded(f"First mistake, {report.mistake}"))


def _columns(count: int, right: int) -> tuple[str, str]:
    """Return how many examples there are, and the share that is right."""
    return (f"{count:,}", f"{per_cent(right, count)} %") if count else ("-", "-")
