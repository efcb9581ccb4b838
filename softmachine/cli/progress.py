"""Live progress of a training: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from softmachine.training.experiment import Experiment
from softmachine.training.trainer import Progress as TrainingProgress

PLAIN_SECONDS = 10.0
"""Least time between plain lines."""


class ProgressDisplay:
    """Shows a run's metrics as they come; a context manager."""

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
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
                self._experiment.recipe, total=training.max_sequences, status="compiling"
            )
        else:
            print(f"{self._experiment.recipe}, seed {training.seed}: compiling", flush=True)
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the terminal as it was."""
        if self._bar is not None:
            self._bar.stop()

    def report(self, progress: TrainingProgress, line: dict[str, Any]) -> None:
        """Show one line of metrics."""
        error = self._experiment.task.output.error
        wrong, bits = line[f"validation_{error}"], line["validation_bits"]
        rate = line["sequences_per_second"]
        if self._bar is not None and self._task is not None:
            status = (
                f"step {progress.step:,}  {bits:.2f} bits  {wrong:.2f} wrong  {rate:,.0f} seq/s"
            )
            self._bar.update(self._task, completed=progress.sequences, status=status)
            return
        now = time.monotonic()
        if now - self._printed < PLAIN_SECONDS and not progress.finished:
            return
        self._printed = now
        left = (self._experiment.training.max_sequences - progress.sequences) / max(rate, 1e-9)
        print(
            f"step {progress.step:>7,}  sequences {progress.sequences:>8,}  "
            f"bits {bits:8.3f}  wrong {wrong:8.3f}  {rate:6,.0f}/s  "
            f"at most {left:4.0f} s left",
            flush=True,
        )
