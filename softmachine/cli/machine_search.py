"""The part of ``softmachine synthesize`` that trains machines, where no loop was found."""

from __future__ import annotations

import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from softmachine.cli.presenting import present
from softmachine.cli.waiting import clock, working
from softmachine.core.errors import SoftmachineError, with_article
from softmachine.core.time_limit import TimeIsOverError, TimeLimit
from softmachine.experiments.progress import Progress
from softmachine.experiments.runs import Run
from softmachine.machines.nram.nram import NRAM, NRAMConfig
from softmachine.programs.reachable import explore
from softmachine.programs.repair import program_table
from softmachine.synthesis.advice import for_memories
from softmachine.synthesis.held_out import SynthesizedProgram, mend_program, write_program
from softmachine.tasks.memories.given import Given
from softmachine.training.interruptions import exit_status, heard
from softmachine.training.trainer import train_members
from softmachine.training.workers.schedule import train_on_workers
from softmachine.training.workers.workers import Tally, Workers

SECONDS = 10.0
"""Least time between lines of progress."""
RESERVED, MENDED = 0.05, 30.0
"""The share of the time, and at most so many seconds, that training leaves at the end."""


def train_machines(
    directory: Path,
    runs: list[Run],
    task: Given,
    enough: int,
    begin: float,
    limit: TimeLimit,
    workers: Workers | None = None,
) -> None:
    """Train until members are right, and print a program; exits with status 1 without one.

    Arguments:
        directory: of the population.
        runs: its members, new or to be continued.
        task: the examples.
        enough: how many members have to find a program.
        begin: when the command began, by `time.monotonic`.
        limit: when to end.
        workers: who trains; this process by default.
    """
    display = LevelDisplay(task, len(runs), begin)
    programs = Programs(runs, task, enough)
    last = "Ended at once. The same command continues from the last checkpoint."
    begun, before = [run.load_progress() for run in runs], heard()
    if not all(progress is not None and progress.finished for progress in begun):
        print(f"{clock(time.monotonic() - begin):>6}  compiling", flush=True)
    with working("training", limit=limit.end - begin, since=begin, last=last):
        left = limit.earlier(min(MENDED, RESERVED * (limit.end - begin))).left()
        if workers is None:
            progress = train_members(runs, display.report, seconds=left, enough=programs.enough)
        else:
            progress = train_on_workers(
                runs,
                workers,
                display.report,
                seconds=left,
                enough=programs.enough,
                watch=display.watch,
            )
    ended = all(member.finished for member in progress)
    if not ended and heard() > before:
        print("Interrupted. The same command continues.")
        sys.exit(exit_status())
    solved = [i for i, member in enumerate(progress) if member.solved_sequences is not None]
    if solved:
        present(directory, task, programs.of(solved))
        return
    promising = [i for i, member in enumerate(progress) if member.best_error == 0]
    with working("changing wires of members that are right but for being made hard"):
        mended = [*_mended([runs[i] for i in promising], task, limit)]
    if any(found.report.mistake is None for found in mended):
        print("No member is right when made hard; changed wires made one so.")
        present(directory, task, mended, mended=True)
        return
    _advise(directory, task, _gates(runs[0]), progress, display)
    sys.exit(1)


class LevelDisplay:
    """Says how many members make no mistake up to which size."""

    def __init__(self, task: Given, members: int, begin: float) -> None:
        self._sizes = task.sizes
        self._members = members
        self._progress: dict[int, Progress] = {}
        self._levels: dict[int, int] = {}
        self._reports: Counter[int] = Counter()
        self._printed = self._begin = begin
        self._working = ""
        self.rounds = 0
        """How often all members that are trained have reported."""

    def watch(self, tally: Tally) -> None:
        """Show who works, from now on."""
        self._working = f"; {tally.words()}"
        if not tally.workers:
            passed = clock(time.monotonic() - self._begin)
            print(f"{passed:>6}  {tally.words()}", flush=True)

    def report(self, member: int, progress: Progress, line: dict[str, Any]) -> None:
        """Take up one member's validation; print a line when all have reported."""
        self._progress[member] = progress
        self._levels[member] = self._solved(line["validation_level"])
        self._reports[member] += 1
        going = [i for i, known in self._progress.items() if not known.finished]
        rounds = min(self._reports[i] for i in going or self._progress)
        if len(self._progress) < self._members or rounds <= self.rounds:
            return
        now, self.rounds = time.monotonic(), rounds
        solved = self.solved()
        if now - self._printed < SECONDS and not solved:
            return
        self._printed = now
        passed = clock(now - self._begin)
        print(f"{passed:>6}  {line['step']:>6,} updates  {self}{self._working}", flush=True)

    def __str__(self) -> str:
        """Return the members at each level, and how many are right when made hard."""
        counts = Counter(self._levels.values())
        levels = ", ".join(
            f"{counts[level]} up to size {level}" if level else f"{counts[level]} at none"
            for level in sorted(counts)
        )
        return f"no mistake: {levels}; programs: {self.solved()} of {self._members}"

    def largest(self) -> int:
        """Return the largest size up to which a member makes no mistake; 0: none."""
        return max(self._levels.values(), default=0)

    def solved(self) -> int:
        """Return how many members are right when made hard, larger examples included."""
        return sum(p.solved_sequences is not None for p in self._progress.values())

    def _solved(self, level: int) -> int:
        """Return the largest existing example size up to a level; 0 if none."""
        return max((size for size in self._sizes if size <= level), default=0)


class Programs:
    """The programs of members, written when they are asked for, each once."""

    def __init__(self, runs: list[Run], task: Given, enough: int) -> None:
        self._runs, self._task, self._enough = runs, task, enough
        self._found: dict[int, SynthesizedProgram | None] = {}
        self._states: dict[int, int] = {}

    def enough(self, solved: list[int]) -> bool:
        """Return whether there are programs enough that make no mistake on any example."""
        right = [found for found in self.of(solved) if found.report.mistake is None]
        return len(right) >= self._enough

    def of(self, solved: list[int]) -> list[SynthesizedProgram]:
        """Return the programs of some members, until enough make no mistake on any example.

        Those with few states come first: their programs are short, and soon written.
        """
        programs: list[SynthesizedProgram] = []
        right = 0
        for i in sorted(solved, key=lambda i: (self._count_states(i), i)):
            if right == self._enough:
                break
            if i not in self._found:
                self._found[i] = _make(write_program, self._runs[i], self._task)
            found = self._found[i]
            if found is not None:
                programs.append(found)
                right += found.report.mistake is None
        return programs

    def _count_states(self, member: int) -> int:
        """Return how many states a solved member can be in, before any are merged."""
        if member not in self._states:
            machine = _machine(self._runs[member])
            try:
                table = program_table(machine, ())
                reached = explore(table, machine.config.registers, self._task.step_rule())
            except SoftmachineError:  # writing the program will say why
                return 0
            self._states[member] = len(reached.circuits)
        return self._states[member]


def _mended(runs: Sequence[Run], task: Given, limit: TimeLimit) -> Iterator[SynthesizedProgram]:
    """Yield the programs of members after changes of wires, as long as there is time."""
    for run in runs:
        try:
            found = _make(partial(mend_program, limit=limit), run, task)
        except TimeIsOverError:
            print("No time is left to change wires of members that are right but for that.")
            return
        if found is not None:
            yield found


def _make(
    make: Callable[[NRAM, Given, str], SynthesizedProgram], run: Run, task: Given
) -> SynthesizedProgram | None:
    """Return a member's program; say if it has none that can be written."""
    try:
        return make(_machine(run), task, run.path.name)
    except SoftmachineError as error:
        print(f"{run.path.name} has no program: {error}")
        return None


def _machine(run: Run) -> NRAM:
    """Return a member's machine; SoftmachineError for another than the search trains."""
    machine = run.load_machine()
    if not isinstance(machine, NRAM):
        raise SoftmachineError(
            f"{run.path} holds {with_article(type(machine).__name__)}, not an NRAM"
        )
    return machine


def _advise(
    directory: Path,
    task: Given,
    gates: Sequence[str],
    progress: list[Progress],
    display: LevelDisplay,
) -> None:
    """Say how far it came, and what else could be tried."""
    best = min(member.best_error for member in progress)
    print(f"No program yet; {display}.")
    if display.rounds < 2:
        step = max(member.step for member in progress)
        print(f"The time, compilation included, was over after {step:,} updates.")
    if best < math.inf:
        print(f"The best member has {best:.1%} of the cells wrong in validation.")
    helps = for_memories(
        task,
        gates,
        validations=display.rounds,
        best_error=best,
        right_to=display.largest(),
    )
    print(f"The same command goes on with {directory}. What may help: {'; '.join(helps)}.")


def _gates(run: Run) -> tuple[str, ...]:
    """Return the gates that a member has."""
    config = run.experiment.machine
    assert isinstance(config, NRAMConfig)
    return config.gates
