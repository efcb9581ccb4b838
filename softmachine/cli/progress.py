"""Live progress of a training: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
)
from rich.progress_bar import ProgressBar
from rich.text import Text

from softmachine.cli.waiting import (
    Elapsed,
    Said,
    answer_interrupt,
    answered_signals,
    clock,
    on_terminal,
)
from softmachine.experiments.experiment import Experiment
from softmachine.experiments.progress import Progress as TrainingProgress
from softmachine.experiments.runs import Run
from softmachine.training.workers.workers import Tally

PLAIN_SECONDS = 10.0
"""Least time between plain lines."""


class Bar(ProgressColumn):
    """A short bar, where there is room for it beside what is said."""

    WIDTH = 8

    def render(self, task: Task) -> ProgressBar | Text:
        """Return it, or nothing."""
        others = (task.description, task.fields["status"], Elapsed().render(task).plain)
        spinner = 2
        room = Console().width - spinner - sum(len(text) + 1 for text in others)
        return BarColumn(self.WIDTH).render(task) if room >= self.WIDTH else Text()


class ProgressDisplay:
    """Shows the metrics of a run, or of a population's runs; a context manager.

    While it is open Ctrl-C is answered at once, and pressed again ends the process.
    """

    def __init__(self, runs: Sequence[Run], again: str) -> None:
        """Show runs; ``again`` is the command that continues them."""
        self._experiment: Experiment = runs[0].experiment
        self._again = again
        self._members = len(runs)
        self._progress: dict[int, TrainingProgress] = {}
        self._lines: dict[int, dict[str, Any]] = {}
        self._timed: set[int] = set()
        self._console = Console()
        self._begin = time.monotonic()
        self._printed = -PLAIN_SECONDS
        self._tally: Tally | None = None
        self._stack = contextlib.ExitStack()
        self._bar: Progress | None = None
        self._task = TaskID(0)

    def __enter__(self) -> ProgressDisplay:
        """Start; compilation comes before the first report."""
        training = self._experiment.training
        self._begin = time.monotonic()
        if on_terminal():
            self._bar = Progress(
                SpinnerColumn(finished_text=" "),
                TextColumn("{task.description}"),
                Bar(),
                Said("status"),
                Elapsed(),
                console=self._console,
            )
            self._task = self._bar.add_task(
                self._experiment.recipe,
                total=training.max_sequences * self._members,
                status="compiling",
            )
            self._stack.enter_context(self._bar)
        else:
            seeds = f"seed {training.seed}"
            if self._members > 1:
                seeds = f"{self._members} members"
            print(f"{self._experiment.recipe}, {seeds}: compiling", flush=True)
        last = f"Ended at once. Continue from the last checkpoint with: {self._again}"
        self._stack.enter_context(answered_signals(answer_interrupt, last=last))
        return self

    def __exit__(self, *_: object) -> None:
        """Say how it ended, and leave the terminal as it was."""
        over = len(self._progress) == self._members and not self._training()
        if self._bar is not None and self._lines:
            status = self._ended() if over else self._status()
            self._bar.update(self._task, status=status, end=None)
            if over:
                self._bar.update(self._task, total=self._done(), completed=self._done())
        elif over and self._lines:
            print(f"{self._done():>10,} sequences  {self._ended()}", flush=True)
        self._stack.close()

    def report(self, member: int, progress: TrainingProgress, line: dict[str, Any]) -> None:
        """Show one line of metrics of one member."""
        if member in self._lines:
            self._timed.add(member)  # the first line's rate has compilation in it
        self._progress[member], self._lines[member] = progress, line
        now, rate = time.monotonic(), self._rate()
        left = None if rate is None else self._left() / max(rate, 1e-9)
        if self._bar is not None:
            self._bar.update(
                self._task,
                completed=self._done(),
                status=self._status(),
                end=None if left is None else now - self._begin + left,
            )
            return
        last = len(self._progress) == self._members and not self._training()
        if now - self._printed < PLAIN_SECONDS or last:
            return  # the end has a line of its own
        self._printed = now
        status = self._status()
        if left is not None:
            status += f"  <{clock(left)} left"
        print(f"{self._done():>10,} sequences  {status}", flush=True)

    def watch(self, tally: Tally) -> None:
        """Show who works, from now on."""
        self._tally = tally
        waiting = "" if tally.workers else tally.words()
        if self._bar is None:
            if waiting:
                print(waiting, flush=True)
            return
        begun = self._status() if self._lines else "compiling"
        self._bar.update(self._task, status=waiting or begun)

    def _working(self) -> str:
        """Return how many work, and what was lost; nothing if nobody but this process does."""
        return "" if self._tally is None else f"{self._tally.words()}  "

    def _training(self) -> list[int]:
        return [i for i, progress in self._progress.items() if not progress.finished]

    def _done(self) -> int:
        return sum(progress.sequences for progress in self._progress.values())

    def _left(self) -> int:
        """Return how many sequences there may still be."""
        most = self._experiment.training.max_sequences
        unknown = self._members - len(self._progress)
        return most * unknown + sum(
            most - self._progress[i].sequences for i in self._training()
        )

    def _rate(self) -> float | None:
        """Return the sequences per second of all, as far as the rates of some are known."""
        members = self._training() or list(self._lines)
        timed = self._timed.intersection(members)
        rates = [self._lines[i]["sequences_per_second"] for i in timed]
        return sum(rates) * len(members) / len(timed) if timed else None

    def _status(self) -> str:
        """Return how good the machines are now, and the best that was."""
        errors, label = self._errors(), self._experiment.task.error.split("_")[0]
        known = self._rate()
        rate = "" if known is None else f"  {known:,.0f}/s"
        if self._members > 1:
            working = self._working()
            error = f"{statistics.median(errors):.3g} {label} (median)"
            return f"{self._solved()}{working}{error}{rate}"
        bits = self._lines[0]["validation_bits"]
        best = self._progress[0].best_error
        return f"{bits:.3g} bits  {errors[0]:.3g} {label} (best {best:.3g}){rate}"

    def _ended(self) -> str:
        """Return a line on the kept parameters: the best validation's, not the last's."""
        label = self._experiment.task.error.split("_")[0]
        if self._members > 1:
            return f"{self._solved()}{statistics.median(self._errors()):.3g} {label} (median)"
        progress = self._progress[0]
        if progress.failed:
            return "failed"
        last, best = self._errors()[0], progress.best_error
        if last > best:
            return f"{last:.3g} {label} at the end, {best:.3g} kept"
        return f"{best:.3g} {label}"

    def _errors(self) -> list[float]:
        name = f"validation_{self._experiment.task.error}"
        return [line[name] for line in self._lines.values()]

    def _solved(self) -> str:
        """Return how many members are solved; nothing where nothing is said to be solved."""
        if self._experiment.training.solved is None:
            return ""
        solved = sum(p.solved_sequences is not None for p in self._progress.values())
        return f"{solved} of {self._members} solved  "
