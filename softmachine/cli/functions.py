"""What ``synthesize`` does with examples of a function, as people have them."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.syntax import Syntax

from softmachine.cli.folding import folded
from softmachine.cli.searching import LoopDisplay, SearchState, written
from softmachine.cli.waiting import clock, on_terminal, working
from softmachine.cli.workers import continued, opened
from softmachine.core.errors import SoftmachineError
from softmachine.core.files import digest, replacing
from softmachine.core.time_limit import TimeLimit
from softmachine.experiments.population import is_population
from softmachine.synthesis.finding import search_options
from softmachine.synthesis.reading import holds_memories, read_pairs
from softmachine.synthesis.whole import (
    Begun,
    Options,
    Synthesis,
    begin,
    find,
    finish,
    why_nothing,
)
from softmachine.training.interruptions import exit_status, interruptions

Layout = Literal["auto", "function", "memory"]
"""What examples are of; ``auto``: that is told from the file."""


def is_of_function(path: Path, text: str, layout: Layout) -> bool:
    """Return whether a file's examples are of a function, and not of memories.

    ``text`` is what it holds. ``layout``: what somebody says they are; see `holds_memories`
    where nobody does.
    """
    if layout == "auto":
        return path.suffix.lower() in (".csv", ".tsv") or not holds_memories(text)
    return layout == "function"


def find_function(
    path: Path,
    text: str,
    run: Path | None,
    options: Options,
    since: float,
    workers: str | None = None,
) -> None:
    """Look for a function, print it and write it; exits with status 1 if there is none.

    The same command goes on where an earlier one ended, or tells again what it found. Raises
    SoftmachineError, when all is written, if the text in C does not give what that in Python
    gives.

    Arguments:
        path: the file of examples.
        text: what it holds.
        run: the directory to write to.
        options: how it is looked for.
        since: when the command began.
        workers: who searches, as `softmachine.cli.workers.opened` has it; this process by
            default.
    """
    with working("reading"):
        given = read_pairs(path, text)
        try:
            begun = begin(given, options)
        except ValueError as error:
            raise SoftmachineError(f"{path}, {error}") from error
    print(folded("\n".join(begun.words())), flush=True)
    directory = run or Path("runs") / f"synthesize-{path.stem}"
    _check_directory(directory, options)
    seconds = 60 * options.minutes
    limit = TimeLimit(since + seconds)
    state = SearchState(directory, identity(begun, options))
    display = LoopDisplay(since)
    last = "Interrupted. The same command continues."
    with (
        opened(workers) as given_workers,
        continued(workers),
        working("searching", limit=seconds, since=since, last=last, presses=1),
        interruptions() as interrupted,
    ):
        found = find(
            begun, options, state.totals, display.report, display.say, state.keep,
            interrupted.is_set, limit, given_workers, display.watch,
        )  # fmt: skip
    if interrupted.is_set():
        print("Interrupted. The same command continues.")
        sys.exit(exit_status())
    if not found.right:
        told = why_nothing(begun, found, options)
        passed = f"{clock(time.monotonic() - since):>6}  "
        earlier = directory / "program.py"
        stale = f" {earlier} is of an earlier command." if earlier.exists() else ""
        print(folded(f"{passed}{told}; the same command goes on.{stale}", len(passed)))
        sys.exit(1)
    with working("testing"):
        function = finish(begun, found.right, limit)
    _write(directory, function)
    print(f"{clock(time.monotonic() - since):>6}  found {directory / 'program.py'}:\n")
    _show(function.python)
    print(folded(function.report))
    print(f"Written to {directory}: program.py, program.c, program.json, report.txt")
    if function.question is not None:
        print(_line_to_add(begun, function))
    if function.wrong_in_c is not None:
        raise SoftmachineError(f"{directory / 'program.c'} is not right: {function.wrong_in_c}")


def _check_directory(directory: Path, options: Options) -> None:
    """Raise SoftmachineError, before anything is searched, if nothing can be written there."""
    search_options((), options.seed, options.registers, options.gates)
    if is_population(directory) or (directory / "config.json").exists():
        raise SoftmachineError(
            f"{directory} holds machines of another command: choose another directory with "
            "--run"
        )
    with written(directory), tempfile.TemporaryFile(dir=directory):
        pass


def identity(begun: Begun, options: Options) -> str:
    """Return what a search depends on, apart from its time."""
    pairs = [(pair.inputs, pair.output) for pair in begun.given.pairs]
    layouts = [str(problem.layout) for problem in begun.problems]
    return digest([pairs, layouts, options._replace(minutes=0.0)])


def _write(directory: Path, found: Synthesis) -> None:
    texts = {
        "program.py": found.python,
        "program.c": found.c,
        "program.json": found.json,
        "report.txt": found.report + "\n",
    }
    for name, text in texts.items():
        with written(directory), replacing(directory / name) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _show(text: str) -> None:
    if not on_terminal():
        print(text)
        return
    coloured = Syntax("", "python", theme="ansi_dark").highlight(text)
    Console().print(coloured, soft_wrap=True)


def _line_to_add(begun: Begun, found: Synthesis) -> str:
    """Return the line that a person may complete and add to the file."""
    assert found.question is not None
    line = begun.given.line_of(found.question.asked.inputs)
    return f"To decide, add this line with the right answer in place of the ?:\n{line}"
