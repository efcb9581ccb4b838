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

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import equinox as eqx
import filelock
from jaxtyping import PyTree

from softmachine.errors import RunError
from softmachine.files import replacing, write_json
from softmachine.machines.machine import Machine, split_trainable
from softmachine.training.checkpoints import load_checkpoint, read_record, save_checkpoint
from softmachine.training.environment import describe_environment
from softmachine.training.experiment import Experiment
from softmachine.training.serialization import experiment_from_json, experiment_to_json
from softmachine.training.update import TrainState, first_state


def save_machine(
    path: Path, parameters: PyTree, buffers: PyTree, record: dict[str, Any]
) -> None:
    """Write a machine's arrays as a checkpoint."""
    save_checkpoint(path, {"parameters": parameters, "buffers": buffers}, record)


def load_machine(path: Path, experiment: Experiment) -> tuple[Machine, dict[str, Any]]:
    """Read the machine of an experiment from a checkpoint; return it and the record."""
    parameters, rest = split_trainable(experiment.build_machine())
    buffers, static = eqx.partition(rest, eqx.is_array)
    arrays, record = load_checkpoint(path, {"parameters": parameters, "buffers": buffers})
    return eqx.combine(arrays["parameters"], arrays["buffers"], static), record


class Run:
    """A run directory.

    Make a new one with `Run.create`, open one with ``Run(path)``; the second raises
    RunError if there is no readable run at the path.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        config = self.path / "config.json"
        if not self.path.exists():
            raise RunError(f"{self.path} does not exist: it is no run directory")
        if not config.is_file():
            raise RunError(f"{self.path} is no run directory: it has no config.json")
        try:
            value = json.loads(config.read_text())
        except (OSError, ValueError) as error:
            raise RunError(f"{config} cannot be read: {error}") from error
        self.experiment: Experiment = experiment_from_json(value, str(config))

    @classmethod
    def create(cls, path: str | Path, experiment: Experiment) -> Run:
        """Make a run directory that does not exist yet (or is empty)."""
        path, config = Path(path), experiment_to_json(experiment)
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise RunError(
                f"{path} already exists: choose another directory, or continue it with "
                f"'softmachine resume {path}'"
            )
        try:
            for name in ("checkpoints", "results", "figures"):
                (path / name).mkdir(parents=True, exist_ok=True)
            write_json(path / "environment.json", describe_environment())
            write_json(path / "config.json", config)
        except OSError as error:
            raise RunError(f"cannot write to {path}: {error.strerror}") from error
        return cls(path)

    @property
    def figures(self) -> Path:
        """Where figures go."""
        return self.path / "figures"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run for writing; RunError if another process holds it.

        The operating system drops the lock with the process, however that ends.
        """
        lock = filelock.FileLock(self.path / ".lock", timeout=0)
        try:
            lock.acquire()
        except filelock.Timeout:
            raise RunError(f"{self.path} is being written by another process") from None
        except OSError as error:
            raise RunError(f"cannot write to {self.path}: {error.strerror}") from error
        try:
            yield
        finally:
            lock.release()

    def save_last(self, state: TrainState, progress: dict[str, Any]) -> None:
        """Write the checkpoint from which training resumes."""
        save_checkpoint(self._checkpoint("last"), state, progress)

    def load_last(self) -> tuple[TrainState, dict[str, Any]]:
        """Read the checkpoint from which training resumes."""
        return load_checkpoint(self._checkpoint("last"), first_state(self.experiment))

    def load_progress(self) -> dict[str, Any] | None:
        """Return the progress at the last checkpoint, or None if there is none yet."""
        return read_record(self._checkpoint("last")) if self.has_last() else None

    def environment(self) -> dict[str, Any]:
        """Return where and with what this run was begun."""
        path = self.path / "environment.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def has_last(self) -> bool:
        """Whether there is a checkpoint to resume from."""
        return self._checkpoint("last").exists()

    def save_best(self, state: TrainState, record: dict[str, Any]) -> None:
        """Write the machine that validated best so far."""
        save_machine(self._checkpoint("best"), state.parameters, state.buffers, record)

    def load_machine(self) -> Machine:
        """Return the machine that validated best."""
        return self.load_best()[0]

    def load_best(self) -> tuple[Machine, dict[str, Any]]:
        """Return the machine that validated best, and the metrics line of then."""
        path = self._checkpoint("best")
        if not path.exists():
            raise RunError(f"{self.path} has no checkpoint yet: train it longer")
        return load_machine(path, self.experiment)

    def save_snapshot(self, state: TrainState, record: dict[str, Any]) -> None:
        """Write the machine as it is now, so that its training can be looked at."""
        path = self._checkpoint(f"after-{record['sequences']:010d}")
        save_machine(path, state.parameters, state.buffers, record)

    def snapshots(self) -> dict[str, Callable[[], Machine]]:
        """Return what loads the machine as it was along the training, oldest first.

        By what to call it: ``after 2,000 sequences``, ..., and last the one that validated
        best, ``best``.
        """

        def loader(path: Path) -> Callable[[], Machine]:
            return lambda: load_machine(path, self.experiment)[0]

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
        with open(self._metrics, "a") as file:
            file.write(json.dumps(line) + "\n")

    def metrics(self) -> list[dict[str, Any]]:
        """Return the whole lines of ``metrics.jsonl``, oldest first."""
        if not self._metrics.exists():
            return []
        lines = []
        for line in self._metrics.read_text().splitlines():
            # A killed process may leave the beginning of a line.
            with contextlib.suppress(ValueError):
                lines.append(json.loads(line))
        return lines

    def drop_metrics_after(self, step: int) -> None:
        """Forget metrics of updates that a resumed run will do again."""
        kept = [line for line in self.metrics() if line["step"] <= step]
        with replacing(self._metrics) as temporary:
            temporary.write_text("".join(json.dumps(line) + "\n" for line in kept))

    def save_result(self, name: str, value: Any) -> Path:
        """Write ``results/<name>.json`` and return its path."""
        path = self.path / "results" / f"{name}.json"
        try:
            path.parent.mkdir(exist_ok=True)
            write_json(path, value)
        except OSError as error:
            raise RunError(f"cannot write to {path}: {error.strerror}") from error
        return path

    def load_result(self, name: str) -> Any | None:
        """Return what ``results/<name>.json`` holds, or None."""
        path = self.path / "results" / f"{name}.json"
        return json.loads(path.read_text()) if path.exists() else None

    @property
    def _metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    def _checkpoint(self, name: str) -> Path:
        return self.path / "checkpoints" / f"{name}.safetensors"
