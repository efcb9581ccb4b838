"""Live progress of a training: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import statistics
import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from softmachine.training.experiment import Experiment
from softmachine.training.progress import Progress as TrainingProgress

PLAIN_SECONDS = 10.0
"""Least time between plain lines."""


class ProgressDisplay:
    """Shows the metrics of a run, or of a population's runs; a context manager."""

    def __init__(self, experiment: Experiment, members: int = 1) -> None:
        self._experiment = experiment
        self._members = members
        self._progress: dict[int, TrainingProgress] = {}
        self._lines: dict[int, dict[str, Any]] = {}
        self._console = Console()
        self._printed = -PLAIN_SECONDS
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> ProgressDisplay:
        """Start; compilation comes before the first report."""
        training = self._experiment.training
        if self._console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=12),
                TextColumn("{task.fields[status]}"),
                TimeRemainingColumn(compact=True),
                console=self._console,
            )
            self._bar.start()
            self._task = self._bar.add_task(
                self._experiment.recipe,
                total=training.max_sequences * self._members,
                status="compiling",
            )
        else:
            seeds = f"seed {training.seed}"
            if self._members > 1:
                seeds = f"{self._members} members"
            print(f"{self._experiment.recipe}, {seeds}: compiling", flush=True)
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the terminal as it was."""
        if self._bar is not None:
            self._bar.stop()

    def report(self, member: int, progress: TrainingProgress, line: dict[str, Any]) -> None:
        """Show one line of metrics of one member."""
        self._progress[member], self._lines[member] = progress, line
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=self._done(), status=self._status())
            return
        now = time.monotonic()
        last = len(self._progress) == self._members and not self._training()
        if now - self._printed < PLAIN_SECONDS and not last:
            return
        self._printed = now
        left = self._left() / max(self._rate(), 1e-9)
        print(
            f"{self._done():>10,} sequences  {self._status()}  <{left:.0f} s left",
            flush=True,
        )

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

    def _rate(self) -> float:
        lines = [self._lines[i] for i in self._training()] or list(self._lines.values())
        return sum(line["sequences_per_second"] for line in lines)

    def _status(self) -> str:
        name = f"validation_{self._experiment.task.error}"
        label = self._experiment.task.error.split("_")[0]
        bits = [line["validation_bits"] for line in self._lines.values()]
        errors = [line[name] for line in self._lines.values()]
        rate = f"{self._rate():,.0f}/s"
        if self._members == 1:
            return f"{bits[0]:.2f} bits  {errors[0]:.2f} {label}  {rate}"
        solved = sum(p.solved_sequences is not None for p in self._progress.values())
        return (
            f"solved {solved}/{self._members}  {statistics.median(bits):.2f} bits  "
            f"{statistics.median(errors):.2f} {label}  {rate}"
        )
