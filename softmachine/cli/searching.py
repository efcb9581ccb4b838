"""How far a search of loops is: on the screen, and in a file for the next command to go on."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from softmachine.cli.folding import folded
from softmachine.cli.waiting import clock
from softmachine.core.errors import SoftmachineError
from softmachine.core.files import parse_json, sealed, unsealed, write_json
from softmachine.synthesis.search.search import Totals
from softmachine.training.workers.workers import Tally

FIRST, LATER = 2.0, 10.0
"""Seconds until the first line of progress, and between others."""


class SearchState:
    """The totals of a search, in a file of its directory."""

    def __init__(self, directory: Path, of: str = "") -> None:
        """Read the totals of earlier searches; none if there is no file, or one of another.

        Arguments:
            directory: where the file is, which need not exist.
            of: what is searched, such as a digest of examples and options.
        """
        self._path, self._of, self.totals = directory / "search.json", of, Totals()
        try:
            value = unsealed(parse_json(self._path.read_bytes()))
            if value.pop("of", "") == of and _are_totals(value):
                self.totals = Totals(**value)
        except (OSError, ValueError, TypeError):
            pass

    def keep(self, totals: Totals) -> None:
        """Write totals for the next search to go on with."""
        of = {"of": self._of} if self._of else {}
        with written(self._path.parent):
            write_json(self._path, sealed(totals._asdict() | of))


def _are_totals(value: dict[str, Any]) -> bool:
    """Return whether these can be the totals of a search; early files have no checksum."""
    whole = ("attempts", "tried", "runs")
    return all(
        isinstance(x, int if key in whole else int | float) and 0 <= x < 2**63
        for key, x in value.items()
    )


@contextlib.contextmanager
def written(directory: Path) -> Iterator[None]:
    """Make a directory for what is written to it; SoftmachineError if that cannot be done."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise SoftmachineError(
            f"{directory} cannot be written to: {error.strerror}; choose another directory "
            "with --run"
        ) from error


class LoopDisplay:
    """Says how far a search is: soon, and then every few seconds."""

    def __init__(self, begin: float) -> None:
        self._begin, self._due = begin, time.monotonic() + FIRST
        self.refused = 0
        """Loops that were right on all examples trained on, but not on others."""
        self._working = ""

    def watch(self, tally: Tally) -> None:
        """Show who works, from now on."""
        self._working = f"; {tally.words()}"
        if not tally.workers:
            self.say(tally.words())

    def report(self, totals: Totals) -> bool:
        """Print a line if it is time; return whether it was."""
        due = time.monotonic() >= self._due
        if due:
            self.line(totals)
        return due

    def say(self, text: str) -> None:
        """Print what happens besides."""
        passed = f"{clock(time.monotonic() - self._begin):>6}  "
        print(folded(passed + text, len(passed)), flush=True)

    def line(self, totals: Totals) -> None:
        """Print a line."""
        self._due = time.monotonic() + LATER
        passed = f"{clock(time.monotonic() - self._begin):>6}  "
        if not totals.attempts:
            print(f"{passed}searching loops", flush=True)
            return
        speed = totals.runs / max(totals.seconds, 1e-9) / 1e6
        refused = f"; {self.refused} right on small examples alone" if self.refused else ""
        told = (
            f"{passed}{totals.tried:>11,} loops tried, {totals.attempts:,} attempts; the best "
            f"has {totals.error:.1%} of the cells wrong{refused} ({speed:.1f} million runs a "
            f"second and core{self._working})"
        )
        print(folded(told, len(passed)), flush=True)
