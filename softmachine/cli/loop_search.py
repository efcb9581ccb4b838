"""The part of ``softmachine synthesize`` that searches loops, before any machine is trained."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from softmachine.cli.searching import LoopDisplay, SearchState
from softmachine.cli.waiting import working
from softmachine.core.time_limit import TimeIsOverError, TimeLimit
from softmachine.synthesis.held_out import SynthesizedProgram, write_program
from softmachine.synthesis.search.attempts import Attempt, Options, Variant, can_search
from softmachine.synthesis.search.given import (
    NAME,
    as_batch,
    is_saved,
    load,
    make,
    save,
    variants,
    write,
)
from softmachine.synthesis.search.search import Totals, is_enough, search, threads
from softmachine.tasks.memories.given import Given
from softmachine.training.interruptions import interruptions
from softmachine.training.workers.workers import Workers


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
    workers: Workers | None = None,
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
        workers: who searches; this process by default.
    """
    if is_saved(directory / NAME):
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
    trial = _Trial(task, SearchState(directory), LoopDisplay(begin), limit)
    last = "Interrupted. The same command continues."
    most = limit.end - begin
    with (
        working("searching", limit=most, since=begin, last=last, presses=1),
        interruptions() as interrupted,
    ):
        totals = search(
            batches, options, trial.now, limit.left(), trial.accept, trial.report,
            interrupted.is_set, workers, trial.display.watch,
        )  # fmt: skip
    trial.display.line(totals)
    trial.state.keep(trial.again or totals)
    if interrupted.is_set() or not trial.found:
        return Outcome(None, task, interrupted.is_set())
    for attempt, program in sorted(trial.found, key=_size):
        made = make(task, attempt)
        if made is not None:
            save(directory / NAME, made, seed)
            trial.state.keep(totals)
            return Outcome(program, made.task)
    trial.state.keep(totals)
    return Outcome(None, task)


class _Trial:
    """What a search finds, written as programs and run on all examples."""

    def __init__(
        self, task: Given, state: SearchState, display: LoopDisplay, limit: TimeLimit
    ) -> None:
        self.state, self.display = state, display
        self.now = state.totals
        self.again: Totals | None = None
        """Where the next search should begin, so that it finds again what this one found."""
        self.found: list[tuple[Attempt, SynthesizedProgram]] = []
        self._task, self._limit = task, limit

    def accept(self, attempt: Attempt) -> bool:
        """Take up an attempt; return whether the search may end."""
        before, self.now = self.now, self.now.after(attempt)
        if attempt.loop is not None:
            self.state.keep(self.again or before)
            try:
                program = write(self._task, attempt, self._limit)
            except TimeIsOverError:
                self.again = self.again or before
                return True
            if program is not None and program.report.mistake is None:
                self.again = self.again or before
                self.found.append((attempt, program))
            elif program is not None:
                self.display.refused += 1
        return bool(self.found) and is_enough(self.found[0][0].plan.number, attempt.plan.number)

    def report(self, totals: Totals) -> None:
        """Show how far it is, and keep it."""
        if self.display.report(totals) and self.again is None:
            self.state.keep(totals)


def _size(found: tuple[Attempt, SynthesizedProgram]) -> tuple[int, int]:
    """Return how large a program is: its states, and the instructions of its loop."""
    attempt, program = found
    assert attempt.loop is not None
    return len(program.program.states), len(attempt.loop.instructions)


def _again(directory: Path, task: Given) -> Outcome:
    """Return what an earlier search found."""
    found = load(directory / NAME, task)
    return Outcome(write_program(found.machine, found.task, NAME), found.task)
