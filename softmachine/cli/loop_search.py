"""The part of ``softmachine synthesize`` that searches loops, before any machine is trained."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

from softmachine.cli.searching import LoopDisplay, SearchState
from softmachine.cli.waiting import working
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
    Variant,
    can_search,
    is_enough,
    search,
    threads,
)
from softmachine.tasks.memories.given import Given
from softmachine.training.interruptions import interruptions


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
    kind = Variant(fixed, not task.steps_per_size)
    options = Options(seed, registers, gates, threads(), (kind,) * len(tasks))
    if seconds <= 0 or not can_search(options):
        return Outcome(None, task)
    batches = [as_batch(each, seed) for each in tasks]
    if any(len(batch.steps) == 0 for batch in batches):
        return Outcome(None, task)
    state = SearchState(directory)
    display = LoopDisplay(begin)
    found: list[tuple[Attempt, SynthesizedProgram]] = []

    def accept(attempt: Attempt) -> bool:
        program = None if attempt.loop is None else write(task, attempt)
        if program is not None and program.report.mistake is None:
            found.append((attempt, program))
        elif program is not None:
            display.refused += 1
        if not found:
            return False
        return is_enough(found[0][0].plan.number, attempt.plan.number)

    last = "Ended at once. The same command continues."
    limit = time.monotonic() - begin + seconds
    with (
        working("searching", limit=limit, since=begin, last=last),
        interruptions() as interrupted,
    ):
        totals = search(
            batches, options, state.totals, seconds, accept, display.report, interrupted.is_set
        )
    display.line(totals)
    state.keep(totals)
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
