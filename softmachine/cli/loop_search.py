"""The part of ``softmachine synthesize`` that searches loops, before any machine is trained."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple

from softmachine.cli.waiting import clock, working
from softmachine.core.files import parse_json, sealed, unsealed, write_json
from softmachine.synthesis.held_out import SynthesizedProgram, write_program
from softmachine.synthesis.search.given import (
    NAME,
    as_batch,
    load,
    make,
    save,
    variants,
    write,
)
from softmachine.synthesis.search.search import (
    Attempt,
    Options,
    Totals,
    can_search,
    search,
)
from softmachine.tasks.memories.given import Given
from softmachine.training.interruptions import interruptions

FIRST, LATER = 2.0, 10.0
"""Seconds until the first line of progress, and between others."""
MOST_REGISTERS = 3
MORE = 4
"""Once a program is found, so many more attempts may find a shorter one, and one for every four
that it took."""


class Outcome(NamedTuple):
    """What a search has ended with."""

    program: SynthesizedProgram | None
    task: Given
    """The task with the number of steps that the program takes."""
    interrupted: bool = False


def search_loops(
    directory: Path,
    task: Given,
    seed: int,
    registers: int,
    gates: tuple[str, ...],
    begin: float,
    seconds: float,
) -> Outcome:
    """Search for a loop that is right on all examples; print how far it is.

    Arguments:
        directory: of the population; totals go to ``search.json``, the machine to ``search``.
        task: the examples.
        seed: of all draws.
        registers: how many the machine may have.
        gates: those that it may have.
        begin: when the command began, by `time.monotonic`.
        seconds: how long to search at most.
    """
    if (directory / NAME).is_dir():
        return _again(directory, task)
    tasks = variants(task)
    fixed = task.step_rule().of == "nothing"
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    options = Options(
        seed,
        min(registers, MOST_REGISTERS),
        gates,
        threads,
        len(tasks),
        fixed,
        not task.steps_per_size,
    )
    if seconds <= 0 or not can_search(options):
        return Outcome(None, task)
    batches = [as_batch(each, seed) for each in tasks]
    if any(len(batch.steps) == 0 for batch in batches):
        return Outcome(None, task)
    totals = _load(directory)
    display = _Display(begin, totals)
    found: list[tuple[Attempt, SynthesizedProgram]] = []

    def accept(attempt: Attempt) -> bool:
        program = None if attempt.loop is None else write(task, attempt)
        if program is not None and program.report.mistake is None:
            found.append((attempt, program))
        elif program is not None:
            display.refused += 1
        if not found:
            return False
        first = found[0][0].plan.number
        return attempt.plan.number >= first + MORE + first // 4

    last = "Ended at once. The same command continues."
    limit = time.monotonic() - begin + seconds
    with (
        working("searching", limit=limit, since=begin, last=last),
        interruptions() as interrupted,
    ):
        totals = search(
            batches, options, totals, seconds, accept, display.report, interrupted.is_set
        )
    display.line(totals)
    write_json(directory / f"{NAME}.json", sealed(totals._asdict()))
    for attempt, program in sorted(found, key=_size):
        made = make(task, attempt)
        if made is not None:
            save(directory / NAME, made, seed)
            return Outcome(program, made.task)
    return Outcome(None, task, interrupted.is_set())


def _size(found: tuple[Attempt, SynthesizedProgram]) -> tuple[int, int]:
    """Return how large a program is: its states, and the instructions of its loop."""
    attempt, program = found
    assert attempt.loop is not None
    return len(program.program.states), len(attempt.loop.instructions)


def _again(directory: Path, task: Given) -> Outcome:
    """Return what an earlier search found."""
    found = load(directory / NAME, task)
    return Outcome(write_program(found.machine, found.task, NAME), found.task)


def _load(directory: Path) -> Totals:
    """Return the totals of earlier searches; none if there is no file, or another's."""
    try:
        value = unsealed(parse_json((directory / f"{NAME}.json").read_bytes()))
        return Totals(**value)
    except (OSError, ValueError, TypeError):
        return Totals()


class _Display:
    """Says how far a search is: soon, and then every few seconds."""

    def __init__(self, begin: float, totals: Totals) -> None:
        self._begin, self._due, self._said = begin, time.monotonic() + FIRST, totals
        self.refused = 0
        """Loops that were right on all examples trained on, but not on others."""

    def report(self, totals: Totals) -> None:
        """Print a line if it is time."""
        if time.monotonic() >= self._due:
            self.line(totals)

    def line(self, totals: Totals) -> None:
        """Print a line."""
        self._due = time.monotonic() + LATER
        passed = f"{clock(time.monotonic() - self._begin):>6}  "
        if not totals.attempts:
            print(f"{passed}searching loops", flush=True)
            return
        speed = totals.runs / max(totals.seconds, 1e-9) / 1e6
        refused = f"; {self.refused} right on small examples alone" if self.refused else ""
        print(
            f"{passed}{totals.tried:>11,} loops tried, {totals.attempts:,} attempts; the best "
            f"has {totals.error:.1%} of the cells wrong{refused} ({speed:.1f} million runs a "
            "second and core)",
            flush=True,
        )
