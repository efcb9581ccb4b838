"""Run directories: everything one training writes, and how to find it again.

config.json            the resolved experiment
environment.json       versions, commit, hardware, date
metrics.jsonl          one line per validation
checkpoints/last...    where to resume
checkpoints/best...    the parameters that validated best
checkpoints/after-...  the parameters after 1, 2, 4, 8, ... validations
results/               evaluations as JSON
figures/
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
from jaxtyping import PyTree

from softmachine.core import frames
from softmachine.core.errors import CheckpointError, RunError
from softmachine.core.files import digest, parse_json, sealed, write_json
from softmachine.experiments.checkpoints import (
    SCHEMA,
    WITHOUT_TIES,
    Record,
    load_checkpoint,
    read_encoded,
    read_record,
    save_checkpoint,
    with_record,
    write_checkpoint,
)
from softmachine.experiments.directories import (
    creating,
    is_begun,
    locked,
    no_config,
    read_sealed,
)
from softmachine.experiments.environment import describe_environment
from softmachine.experiments.experiment import Experiment
from softmachine.experiments.metrics import MetricsFile, is_line
from softmachine.experiments.progress import Extent, Progress, last_record
from softmachine.experiments.serialization import experiment_from_json, experiment_to_json
from softmachine.experiments.state import TrainState, first_state, upgrade_state
from softmachine.machines.machine import Machine, split_trainable

NOTHING = Extent(bytes=0, sha256=hashlib.sha256().hexdigest())
"""The extent of metrics before the first validation."""


def save_machine(
    path: Path,
    parameters: PyTree,
    buffers: PyTree,
    record: dict[str, Any],
    experiment: str,
) -> None:
    """Write a machine's arrays as a checkpoint; ``experiment`` is a digest."""
    save_checkpoint(path, {"parameters": parameters, "buffers": buffers}, record, experiment)


def load_machine(path: Path, experiment: Experiment, tie: str) -> tuple[Machine, Record]:
    """Read the machine of an experiment from a checkpoint; return it and the record.

    ``tie`` is the digest of the experiment as it is written beside the checkpoint.
    """

    def parts():
        parameters, rest = split_trainable(experiment.build_machine())
        buffers, static = eqx.partition(rest, eqx.is_array)
        return {"parameters": parameters, "buffers": buffers}, static

    # Shapes alone: to draw parameters takes longer than to read the file.
    like, static = eqx.filter_eval_shape(parts)
    arrays, record = load_checkpoint(path, like, tie)
    return eqx.combine(arrays["parameters"], arrays["buffers"], static), record


class LastCheckpoint(NamedTuple):
    """What training resumes from."""

    state: TrainState
    progress: Progress
    line: dict[str, Any] | None
    """The metrics of the last validation, if there was one."""
    metrics: Extent | None
    """What comes before that line in the metrics; None: an old file does not know."""
    schema: int
    """Version of the file."""


def first_checkpoint(experiment: Experiment) -> LastCheckpoint:
    """Return the first training state, and progress zero."""
    return LastCheckpoint(first_state(experiment), Progress(), None, NOTHING, SCHEMA)


def last_checkpoint(state: TrainState, found: Record, path: Path) -> LastCheckpoint:
    """Return what training resumes from, of a state and the record beside it."""
    record = last_record(found.value, found.schema, path)
    if found.schema == WITHOUT_TIES and record.progress.step != int(state.step):
        raise CheckpointError(
            f"{path} is damaged: its record tells of {record.progress.step} updates, "
            f"its state of {int(state.step)}"
        )
    return LastCheckpoint(state, record.progress, record.line, record.metrics, found.schema)


class Note(NamedTuple):
    """One thing that a copy of a run, trained elsewhere, has noted; see `Run.take`."""

    kind: str
    """``line``, ``checkpoint`` or ``failure``."""
    text: str
    """A metrics line as JSON, the name of a checkpoint, or why training failed."""
    data: bytes = b""
    """The checkpoint's file."""


class Run:
    """A run directory.

    Make a new one with `Run.create`, open one with ``Run(path)``; the second raises
    RunError if there is no readable run at the path.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        config = self.path / "config.json"
        if not os.path.exists(self.path):  # also of a name that no file can have
            raise RunError(f"{self.path} does not exist: it is no run directory")
        if not os.path.isfile(config):
            raise RunError(
                f"{self.path} was not made to its end: give the command once more that began it"
                if is_begun(self.path)
                else f"{self.path} is no run directory: {no_config(self.path)}"
            )
        value = read_sealed(
            config, "restore it, or begin a new run for a configuration of its own"
        )
        self.experiment: Experiment = experiment_from_json(value, str(config))
        self.tie = digest(value)
        """What ties checkpoints to the configuration: its digest."""

    @classmethod
    def create(cls, path: str | Path, experiment: Experiment) -> Run:
        """Create a run directory; one left incomplete by a crash is replaced.

        Raises RunError if there is anything else, if it cannot be written, or if a part of the
        experiment does not come with the package.
        """
        path, config = Path(path), sealed(experiment_to_json(experiment))
        with creating(path, "config.json"):
            for name in ("checkpoints", "results", "figures"):
                (path / name).mkdir()
            write_json(path / "environment.json", sealed(describe_environment()))
            write_json(path / "config.json", config)
        return cls(path)

    def __repr__(self) -> str:
        """Return where it is and what it trains."""
        experiment = self.experiment
        return f"<Run {str(self.path)!r}: {experiment.recipe}, seed {experiment.training.seed}>"

    def _repr_html_(self) -> str:
        """Return a table of what it trains and how far it is, for notebooks."""
        experiment, progress = self.experiment, self.load_progress()
        row: dict[str, Any] = {
            "recipe": experiment.recipe,
            "task": type(experiment.task).__name__,
            "machine": type(experiment.machine).__name__.removesuffix("Config"),
            "seed": experiment.training.seed,
        }
        if progress is not None:
            row |= {
                "sequences": progress.sequences,
                "solved after": progress.solved_sequences,
                f"best {experiment.task.error}": progress.best_error,
                "ended": "yes" if progress.finished else "no",
            }
        return frames.to_html([row], str(self.path))

    def to_frame(self) -> Any:
        """Return the metrics as a pandas DataFrame; SoftmachineError without pandas."""
        return frames.to_frame(self.metrics())

    @property
    def figures(self) -> Path:
        """Where figures go."""
        return self.path / "figures"

    def locked(self) -> AbstractContextManager[None]:
        """Hold the run for writing; RunError if another process holds it."""
        return locked(self.path)

    def save_last(
        self, state: TrainState, progress: Progress, line: dict[str, Any] | None = None
    ) -> None:
        """Write the checkpoint from which training resumes.

        ``line`` holds the metrics of the last validation.
        """
        self._save_last(
            LastCheckpoint(state, progress, line, self._metrics.extent(line), SCHEMA)
        )

    def save_failure(self, reason: str) -> None:
        """Write into the last checkpoint, whose state is sound, why training ended."""
        self._end(failed=reason)

    def save_end(self) -> None:
        """Write into the last checkpoint that training is at its end."""
        self._end()

    def _end(self, **changes: Any) -> None:
        last = self.load_last() if self.has_last() else self.first()
        progress = dataclasses.replace(last.progress, finished=True, **changes)
        self._save_last(last._replace(progress=progress))

    def last_bytes(self) -> bytes | None:
        """Return the file of the checkpoint from which training resumes, if there is one."""
        return self._checkpoint("last").read_bytes() if self.has_last() else None

    def take(self, note: Note) -> None:
        """Write what a copy of this run, trained elsewhere, has noted.

        Raises CheckpointError for a checkpoint of another run, or under a name that none has.
        """
        if note.kind == "line":
            self.append_metrics(parse_json(note.text))
        elif note.kind == "failure":
            self.save_failure(note.text)
        elif re.fullmatch(r"best|last|after-\d{10,}", note.text):
            path, change = self._checkpoint(note.text), {}
            if note.text == "last":
                line = read_encoded(note.data, self.tie, path).value["line"]
                change = {"metrics": dataclasses.asdict(self._metrics.extent(line))}
            # Read and written anew: what is of another run, or damaged, is refused.
            write_checkpoint(path, with_record(note.data, change, self.tie, path))
        else:
            raise CheckpointError(f"{note.text!r} is no name of a checkpoint of {self.path}")

    def first(self) -> LastCheckpoint:
        """Return the first training state, and progress zero."""
        return first_checkpoint(self.experiment)

    def load_last(self) -> LastCheckpoint:
        """Read the checkpoint from which training resumes."""
        path = self._checkpoint("last")
        like = jax.eval_shape(lambda: first_state(self.experiment))
        state, found = load_checkpoint(path, like, self.tie, upgrade_state)
        last = last_checkpoint(state, found, path)
        if last.schema == WITHOUT_TIES:
            last = last._replace(line=self._metrics.line_at(last.progress.step))
        return last

    def load_progress(self) -> Progress | None:
        """Return the progress at the last checkpoint, or None if there is none yet."""
        path = self._checkpoint("last")
        if not self.has_last():
            return None
        found = read_record(path, self.tie)
        return last_record(found.value, found.schema, path).progress

    def environment(self) -> dict[str, Any]:
        """Return where and with what this run was begun."""
        path = self.path / "environment.json"
        if not path.exists():
            return {}
        return read_sealed(path, "delete it to go on without")

    def has_last(self) -> bool:
        """Whether there is a checkpoint to resume from."""
        return self._checkpoint("last").exists()

    def has_machine(self) -> bool:
        """Whether there is a machine: one that was validated."""
        return self._checkpoint("best").exists()

    def save_best(self, state: TrainState, record: dict[str, Any]) -> None:
        """Write the machine that validated best so far."""
        path = self._checkpoint("best")
        save_machine(path, state.judged, state.buffers, record, self.tie)

    def load_machine(self) -> Machine:
        """Return the machine that validated best."""
        return self.load_best()[0]

    def load_best(self) -> tuple[Machine, dict[str, Any]]:
        """Return the machine that validated best, and the metrics line of then."""
        if not self.has_machine():
            raise RunError(f"{self.path} has no checkpoint yet: train it longer")
        return self._load_machine(self._checkpoint("best"))

    def save_snapshot(self, state: TrainState, record: dict[str, Any]) -> None:
        """Write the machine as it is now, so that its training can be looked at."""
        path = self._checkpoint(f"after-{record['sequences']:010d}")
        save_machine(path, state.judged, state.buffers, record, self.tie)

    def snapshots(self) -> dict[str, Callable[[], Machine]]:
        """Return what loads the machine as it was along the training, oldest first.

        By what to call it: ``after 2,000 sequences``, ..., and last the one that validated
        best, ``best``.
        """

        def loader(path: Path) -> Callable[[], Machine]:
            return lambda: self._load_machine(path)[0]

        found = sorted((self.path / "checkpoints").glob("after-*.safetensors"))
        numbers = [path.stem.removeprefix("after-") for path in found]
        named = {
            f"after {int(number):,} sequences": loader(path)
            for number, path in zip(numbers, found, strict=True)
            if number.isdigit()
        }
        return named | {"best": self.load_machine}

    def append_metrics(self, line: dict[str, Any]) -> None:
        """Add a line to ``metrics.jsonl``."""
        self._metrics.append(line)

    def metrics(self) -> list[dict[str, Any]]:
        """Return the lines of ``metrics.jsonl``, oldest first.

        A warning tells of lines that cannot be read, and of a file that is not what the last
        checkpoint knows.
        """
        extent = line = None
        if self.has_last():
            path = self._checkpoint("last")
            found = read_record(path, self.tie)
            record = last_record(found.value, found.schema, path)
            extent, line = record.metrics, record.line
        return self._metrics.lines(extent, line)

    def restore_metrics(self, last: LastCheckpoint, *, with_line: bool) -> bool:
        """Bring the metrics to where the last checkpoint was written, its own line or not.

        Returns whether they were damaged; then they are kept under another name.
        """
        line = last.line if with_line else None
        return self._metrics.restore(last.progress.step, last.metrics, line)

    def restore_start(self) -> None:
        """Drop metrics that were written before there was a checkpoint."""
        self._metrics.restore(0, NOTHING, None)

    def save_result(self, name: str, value: Any) -> Path:
        """Write ``results/<name>.json`` and return its path."""
        path = self.path / "results" / f"{name}.json"
        try:
            path.parent.mkdir(exist_ok=True)
            write_json(path, sealed(value) if isinstance(value, dict) else value)
        except OSError as error:
            raise RunError(f"cannot write to {path}: {error.strerror}") from error
        return path

    def load_result(self, name: str) -> Any | None:
        """Return what ``results/<name>.json`` holds, or None."""
        path = self.path / "results" / f"{name}.json"
        if not path.exists():
            return None
        return read_sealed(path, "delete it, and make it anew")

    @property
    def _metrics(self) -> MetricsFile:
        names = ("bits", self.experiment.task.error)
        return MetricsFile(
            self.path / "metrics.jsonl", [f"validation_{name}" for name in names]
        )

    def _save_last(self, last: LastCheckpoint) -> None:
        extent = last.metrics
        record = {
            "progress": dataclasses.asdict(last.progress),
            "line": last.line,
            "metrics": None if extent is None else dataclasses.asdict(extent),
        }
        save_checkpoint(self._checkpoint("last"), last.state, record, self.tie)

    def _load_machine(self, path: Path) -> tuple[Machine, dict[str, Any]]:
        machine, record = load_machine(path, self.experiment, self.tie)
        if not is_line(record.value):
            raise CheckpointError(f"{path} is damaged: its record holds no metrics")
        return machine, record.value

    def _checkpoint(self, name: str) -> Path:
        return self.path / "checkpoints" / f"{name}.safetensors"
