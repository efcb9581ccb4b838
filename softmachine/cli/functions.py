"""What ``synthesize`` does with examples of a function, as people have them."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.syntax import Syntax

from softmachine.cli.waiting import clock, on_terminal
from softmachine.core.errors import SoftmachineError
from softmachine.core.files import replacing
from softmachine.synthesis.finding import Progress
from softmachine.synthesis.reading import holds_memories, read_pairs, read_text
from softmachine.synthesis.whole import (
    Begun,
    Options,
    Synthesis,
    begin,
    find,
    finish,
    why_nothing,
)

Layout = Literal["auto", "function", "memory"]
"""What examples are of; ``auto``: that is told from the file."""
SECONDS = 5.0
"""Least time between lines of progress."""


def is_of_function(path: Path, layout: Layout) -> bool:
    """Return whether a file's examples are of a function, and not of memories.

    ``layout``: what somebody says they are; see `holds_memories` where nobody does.
    """
    if layout == "auto":
        return path.suffix.lower() in (".csv", ".tsv") or not holds_memories(read_text(path))
    return layout == "function"


def find_function(path: Path, run: Path | None, options: Options, since: float) -> None:
    """Look for a function, print it and write it; exits with status 1 if there is none.

    Arguments:
        path: the file of examples.
        run: the directory to write to.
        options: how it is looked for.
        since: when the command began.
    """
    given = read_pairs(path)
    try:
        begun = begin(given, options)
    except ValueError as error:
        raise SoftmachineError(f"{path}, {error}") from error
    print("\n".join(begun.words()), flush=True)
    directory = run or Path("runs") / f"synthesize-{path.stem}"
    left = options._replace(minutes=max(options.minutes - (time.monotonic() - since) / 60, 0.0))
    try:
        right, wrong = find(begun, left, _Display(since).report, _say)
    except KeyboardInterrupt:
        print("\nInterrupted: nothing was written. The same command begins again.")
        sys.exit(130)
    if not right:
        print(f"{clock(time.monotonic() - since):>6}  {why_nothing(begun, wrong, options)}.")
        sys.exit(1)
    found = finish(begun, right)
    _write(directory, found)
    print(f"{clock(time.monotonic() - since):>6}  found {directory / 'program.py'}:\n")
    _show(found.python)
    print(found.report)
    print(f"Written: {directory}/program.py, program.c, program.json, report.txt.")
    if found.question is not None:
        print(_line_to_add(begun, found))


def _say(text: str) -> None:
    print(f"        {text}", flush=True)


class _Display:
    """Says now and then how far the search is."""

    def __init__(self, since: float) -> None:
        self._since = self._printed = since

    def report(self, progress: Progress) -> None:
        """Print a line, if the last one was some time ago."""
        now = time.monotonic()
        if now - self._printed < SECONDS:
            return
        self._printed = now
        best = "nothing yet" if not progress.attempts else f"{progress.best:.1%} of cells wrong"
        print(
            f"{clock(now - self._since):>6}  {progress.attempts} searches ended, "
            f"{progress.tables:,} tables of wires; closest: {best}",
            flush=True,
        )


def _write(directory: Path, found: Synthesis) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    texts = {
        "program.py": found.python,
        "program.c": found.c,
        "program.json": found.json,
        "report.txt": found.report + "\n",
    }
    for name, text in texts.items():
        with replacing(directory / name) as temporary:
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
    return f"To decide, add this line with the right answer in place of the ?: {line}"
