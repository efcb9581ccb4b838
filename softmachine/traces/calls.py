"""The part of a trace that tells a run of programs: call after call, and what these acted on.

What was observed, called and said is given by numbers of values in tables. Of the environment's
picture only what changes is kept.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from softmachine.core.errors import TraceError

Numbers = tuple[int, ...]
Likely = tuple[tuple[int, float], ...]
"""Numbers of choices, each with its probability."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class RowChange:
    """What changes in one row of a picture."""

    row: int
    length: int
    """The cells of the row from now on."""
    first: int
    """The first cell that changes."""
    cells: tuple[str, ...]
    """That cell, and those after it, from now on."""
    pointers: Mapping[str, int] | None = None
    """All pointers on the row, each with its cell; None if they stay."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class CallStep:
    """One step of a core: what it saw, and what it decided."""

    depth: int
    """How many calls wait for this one to end."""
    call: Numbers
    """The program that runs, and its arguments."""
    seen: Numbers
    """For each observed variable its value."""
    ends: bool
    """Whether the call ends with this step."""
    calls: Numbers
    """The program that is called, and its arguments; program 0 is to call nothing."""
    end: float
    """How likely it was to end."""
    likely: tuple[Likely, ...]
    """The most likely programs, the most likely first; then values of each argument taken."""
    changes: tuple[RowChange, ...]
    """How the picture differs from that of the step before."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class CallRun:
    """A run of programs on one problem."""

    kind: str
    """The kind of environment."""
    problem: str
    """The problem, as a person can write it."""
    programs: tuple[str, ...]
    primitives: tuple[bool, ...]
    """For each program whether it is a primitive."""
    arguments: tuple[tuple[str, ...], ...]
    """For each place of an argument the values that it can have."""
    observed: tuple[str, ...]
    """The variables that are observed."""
    values: tuple[tuple[str, ...], ...]
    """For each of them the values that it can have."""
    rows: tuple[str, ...]
    """The names of the picture's rows."""
    steps: tuple[CallStep, ...]
    after: tuple[RowChange, ...]
    """How the picture differs after the last step from that before it."""
    failure: str | None
    """Why the run did not end by itself; None if it did."""
    result: str
    expected: str
    right: bool
    """Whether it ended by itself with the right result."""
    differs: int | None
    """The first step, from 1, that decides other than the program as it is written does."""
    ending: str
    """How it ended and why, in words."""

    def told(self, call: Sequence[int]) -> str:
        """Return a call in words, such as ``MOVE HERE LEFT``."""
        program, *arguments = call
        values = [place[i] for place, i in zip(self.arguments, arguments, strict=False)]
        return " ".join([self.programs[program], *values])

    def pictures(self) -> Iterator[list[tuple[str, list[str], dict[str, int]]]]:
        """Return the picture before each step, and that after the last.

        Each has for each row its name, its cells, and the cells that pointers are on.
        """
        cells: list[list[str]] = [[] for _ in self.rows]
        pointers: list[dict[str, int]] = [{} for _ in self.rows]
        for changes in (*(step.changes for step in self.steps), self.after):
            for change in changes:
                row, end = cells[change.row], change.first + len(change.cells)
                row[change.first : end] = change.cells
                del row[change.length :]
                if change.pointers is not None:
                    pointers[change.row] = dict(change.pointers)
            yield [
                (name, [*row], at)
                for name, row, at in zip(self.rows, cells, pointers, strict=True)
            ]


def check_calls(run: CallRun, length: int) -> None:
    """Raise TraceError for a run that contradicts itself.

    ``length``: how many steps it has.
    """
    programs, rows = len(run.programs), [0] * len(run.rows)
    if len(run.steps) != length or len(run.primitives) != programs or not programs:
        raise TraceError(f"its calls must have {length} steps, and say what is a primitive")
    if len(run.values) != len(run.observed):
        raise TraceError("its calls must have values for each observed variable")
    if run.differs is not None and not 1 <= run.differs <= length:
        raise TraceError(f"its calls differ from what is written in a step from 1 to {length}")
    places = [programs, *map(len, run.arguments)]
    deepest = 0
    for step in run.steps:
        seen = len(step.seen) == len(run.observed) and _within(step.seen, map(len, run.values))
        chosen = all(
            _within([i for i, _ in likely], [size] * len(likely)) and likely
            for likely, size in zip(step.likely, places, strict=False)
        )
        called = all(x and _within(x, places) for x in (step.call, step.calls))
        if not (seen and called and chosen and 1 <= len(step.likely) <= len(places)):
            raise TraceError("a step of its calls has a value that is in none of the tables")
        if not 0 <= step.depth <= deepest:
            raise TraceError("a step of its calls is deeper than its caller allows")
        deepest = step.depth + 1
        _follow(step.changes, rows)
    _follow(run.after, rows)


def _within(numbers: Sequence[int], sizes: Iterator[int] | Sequence[int]) -> bool:
    """Return whether each number is one of a table of its size."""
    known = [*sizes]
    return len(numbers) <= len(known) and all(
        0 <= number < size for number, size in zip(numbers, known, strict=False)
    )


def _follow(changes: Sequence[RowChange], rows: list[int]) -> None:
    """Change the lengths of rows; TraceError if a change does not fit them."""
    for change in changes:
        if not 0 <= change.row < len(rows):
            raise TraceError("a change in its calls is of a row that is not there")
        end = change.first + len(change.cells)
        fits = 0 <= change.first <= rows[change.row] and end <= change.length
        if not fits or (end < change.length and change.length > rows[change.row]):
            raise TraceError(f"a change of row {change.row + 1} does not fit its cells")
        rows[change.row] = change.length
