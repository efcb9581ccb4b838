"""The progress of a run: counters, best scores and times, saved in every checkpoint."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

from softmachine.core import frames
from softmachine.core.errors import CheckpointError
from softmachine.experiments.serialization import structure


@dataclasses.dataclass
class Progress:
    """How far a run is; saved in every checkpoint."""

    step: int = 0
    """Updates done."""
    sequences: int = 0
    """Training sequences seen."""
    seconds: float = 0.0
    """Wall-clock time of training, validation and compilation included, of all sessions;
    in a population, that of all members together."""
    device_seconds: float = 0.0
    """``seconds`` times the number of devices that trained, shared among the members that
    were being trained."""
    skipped: int = 0
    best_error: float = math.inf
    best_bits: float = math.inf
    best_sequences: int = 0
    solved_sequences: int | None = None
    """When validation first found no more than the allowed errors."""
    solved_seconds: float | None = None
    solved_device_seconds: float | None = None
    attempts: int = 1
    """How often this member has begun."""
    attempt_error: float = math.inf
    """The best error of the attempt under way."""
    phases: dict[str, dict[str, int]] = dataclasses.field(default_factory=dict)
    """Of the attempt under way: what each phase, by its name, has noted."""
    finished: bool = False
    """Solved, out of sequences, or failed: nothing left to do."""
    failed: str | None = None
    """Why training cannot go on; such a run can be resumed from its last checkpoint."""

    def _repr_html_(self) -> str:
        """Return a table of how far it is and how good it was at best, for notebooks."""
        row = {
            "sequences": self.sequences,
            "solved after": self.solved_sequences,
            "best error": self.best_error,
            "best bits": self.best_bits,
            "seconds": self.seconds,
            "ended": self.failed or ("yes" if self.finished else "no"),
        }
        return frames.to_html([row])


@dataclasses.dataclass(frozen=True, kw_only=True)
class Extent:
    """The beginning of a file, as it was when a checkpoint was written."""

    bytes: int
    sha256: str


@dataclasses.dataclass(kw_only=True)
class LastRecord:
    """What a run's last checkpoint says besides the state."""

    progress: Progress
    line: dict[str, Any] | None = None
    """The metrics of the last validation; None before the first one, or in an old file."""
    metrics: Extent | None = None
    """What came before that line in ``metrics.jsonl``; None: not known, in an old file."""


def last_record(value: dict[str, Any], schema: int, path: Path) -> LastRecord:
    """Return a checkpoint's record, typed.

    Before schema 2 the record was the progress alone: nothing ties the metrics to it. Before
    schema 3 progress itself told of one phase, the search for wires, and before schema 4 of
    another, the exam. Raises CheckpointError if it is no such record.
    """
    whole = {"progress": value} if schema < 2 else dict(value)
    progress = whole.get("progress")
    if schema < 3 and isinstance(progress, dict):
        progress = dict(progress)
        names = {"searched": "searched", "rewired": "written"}
        notes = {new: 1 for old, new in names.items() if progress.pop(old, False)}
        whole["progress"] = progress | ({"phases": {"wire-search": notes}} if notes else {})
    if schema < 4 and isinstance(progress := whole.get("progress"), dict):
        progress = dict(progress)
        names = {"failed_tests": "failed", "waits": "waits"}
        notes = {new: n for old, new in names.items() if (n := progress.pop(old, 0))}
        phases = progress.get("phases", {})
        if notes and isinstance(phases, dict):
            progress["phases"] = phases | {"exam": notes}
        whole["progress"] = progress
    message = f"{path} is damaged: its record is none"
    return structure(whole, LastRecord, message, CheckpointError)
