"""The part of ``softmachine synthesize`` that searches loops, before any machine is trained."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from softmachine.cli.searching import LoopDisplay, SearchState
from softmachine.cli.waiting import working
from softmachine.core.time_limit import TimeIsOverError, TimeLimit
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
    limit: TimeLimit,
) -> Outcome:
    """Search for a loop that is right on all examples; print how far it is.

    Arguments:
        directory: of the population; totals go to ``search.json``, the machine to ``search``.
        task: the examples.
        seed: of all draws.
        registers: how many the machine may have.
        gates: those that it may have.
        begin: when the command began, by `time.monotonic`.
        limit: when to end.
    """
    if (directory / NAME).is_dir():
        return _again(directory, task)
    tasks = variants(task)
    fixed = task.step_rule().of == "nothing"
    kind = Variant(fixed, not task.steps_per_size)
    options = Options(seed, registers, gates, threads(), (kind,) * len(tasks))
    if limit.over() or not can_search(options):
        return Outcome(None, task)
    batches = [as_batch(each, seed) for each in tasks]
    if any(len(batch.steps) == 0 for batch in batches):
        return Outcome(None, task)
    state = SearchState(directory)
    display = LoopDisplay(begin)
    found: list[tuple[Attempt, SynthesizedProgram]] = []
    again: list[Totals] = []
    now = [state.totals]

    def accept(attempt: Attempt) -> bool:
        before, now[0] = now[0], now[0].after(attempt)
        program = None
        if attempt.loop is not None:
            state.keep((again or [before])[0])
            try:
                program = write(task, attempt, limit)
            except TimeIsOverError:
                again.append(before)  # the next search begins with it
                return True
        if program is not None and program.report.mistake is None:
            again.append(before)
        if program is not None and program.report.mistake is None:
            found.append((attempt, program))
        elif program is not None:
            display.refused += 1
        if not found:
            return False
        return is_enough(found[0][0].plan.number, attempt.plan.number)

    def report(totals: Totals) -> None:
        if display.report(totals) and not again:
            state.keep(totals)

    last = "Interrupted. The same command continues."
    most = limit.end - begin
    with (
        working("searching", limit=most, since=begin, last=last, presses=1),
        interruptions() as interrupted,
    ):
        totals = search(
            batches, options, state.totals, limit.left(), accept, report, interrupted.is_set
        )
    display.line(totals)
    state.keep(again[0] if again else totals)
    if interrupted.is_set() or not found:
        return Outcome(None, task, interrupted.is_set())
    for attempt, program in sorted(found, key=_size):
        made = make(task, attempt)
        if made is not None:
            save(directory / NAME, made, seed)
            state.keep(totals)
            return Outcome(program, made.task)
    state.keep(totals)
    return Outcome(None, task)


def _size(found: tuple[Attempt, SynthesizedProgram]) -> tuple[int, int]:
    """Return how large a program is: its states, and the instructions of its loop."""
    attempt, program = found
    assert attempt.loop is not None
    return len(program.program.states), len(attempt.loop.instructions)


def _again(directory: Path, task: Given) -> Outcome:
    """Return what an earlier search found."""
    found = load(directory / NAME, task)
    return Outcome(write_program(found.machine, found.task, NAME), found.task)
