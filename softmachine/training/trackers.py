"""Trackers: where metrics go besides the run's own file, through one small protocol.

A tracker is told when a run begins, what each validation finds, and when the run ends::

    class Printed:
        def begin(self, run): ...
        def log(self, run, sequences, metrics): ...
        def end(self, run, progress): ...

    sm.train(run, trackers=[Printed()])

Those of `TRACKERS` hand it on to packages that are not installed with this one. What a
tracker cannot do never ends a training: it is warned of once, and the tracker is left out.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import math
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from softmachine.core.errors import SoftmachineError, SoftmachineWarning
from softmachine.experiments.progress import Progress
from softmachine.experiments.runs import Run
from softmachine.experiments.serialization import experiment_to_json

PROJECT = "softmachine"
"""What runs are filed under where a tracker asks for a project."""


@runtime_checkable
class Tracker(Protocol):
    """What is told of runs while they are trained; of several, of each by itself."""

    def begin(self, run: Run) -> None:
        """Take note that a run begins, or goes on."""
        ...

    def log(self, run: Run, sequences: int, metrics: Mapping[str, float]) -> None:
        """Take note of what a validation has found, after so many training sequences."""
        ...

    def end(self, run: Run, progress: Progress) -> None:
        """Take note that a run has ended, or was interrupted."""
        ...


class TensorBoard:
    """Writes event files into the run, below ``tensorboard``: ``tensorboard --logdir runs``."""

    def __init__(self) -> None:
        self._package = _package("tensorboardX", "tensorboard")
        self._writers: dict[Path, Any] = {}

    def begin(self, run: Run) -> None:
        """Open the run's event file."""
        writer = self._package.SummaryWriter(str(run.path / "tensorboard"))
        writer.add_text("config", f"```json\n{json.dumps(_config(run), indent=1)}\n```")
        self._writers[run.path] = writer

    def log(self, run: Run, sequences: int, metrics: Mapping[str, float]) -> None:
        """Write a scalar for each metric."""
        for name, value in metrics.items():
            self._writers[run.path].add_scalar(name, value, sequences)

    def end(self, run: Run, progress: Progress) -> None:
        """Close the file."""
        del progress
        self._writers.pop(run.path).close()


class Trackio:
    """Files runs with trackio, on this computer; ``trackio show`` draws them."""

    def __init__(self) -> None:
        self._package = _package("trackio")
        self._runs: dict[Path, Any] = {}

    def begin(self, run: Run) -> None:
        """Begin a run of trackio's."""
        self._runs[run.path] = self._package.init(
            PROJECT, name=_name(run), config=_config(run), resume="allow", embed=False
        )

    def log(self, run: Run, sequences: int, metrics: Mapping[str, float]) -> None:
        """Log the metrics."""
        self._runs[run.path].log(dict(metrics), step=sequences)

    def end(self, run: Run, progress: Progress) -> None:
        """End trackio's run."""
        del progress
        self._runs.pop(run.path).finish()


class WandB:
    """Logs to Weights & Biases, or into the run while ``WANDB_MODE`` is ``offline``."""

    def __init__(self) -> None:
        self._package = _package("wandb")
        self._runs: dict[Path, Any] = {}

    def begin(self, run: Run) -> None:
        """Begin a run of W&B's."""
        self._runs[run.path] = self._package.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            name=_name(run),
            config=_config(run),
            dir=str(run.path),
            reinit="create_new",
        )

    def log(self, run: Run, sequences: int, metrics: Mapping[str, float]) -> None:
        """Log the metrics."""
        self._runs[run.path].log(dict(metrics), step=sequences)

    def end(self, run: Run, progress: Progress) -> None:
        """End W&B's run, as failed if it is."""
        self._runs.pop(run.path).finish(exit_code=1 if progress.failed else 0)


class MLflow:
    """Logs to MLflow's tracking URI, a local store unless ``MLFLOW_TRACKING_URI`` says else."""

    def __init__(self) -> None:
        self._client = _package("mlflow").MlflowClient()
        self._runs: dict[Path, str] = {}

    def begin(self, run: Run) -> None:
        """Begin a run of MLflow's, with the configuration as parameters."""
        found = self._client.get_experiment_by_name(PROJECT)
        where = found.experiment_id if found else self._client.create_experiment(PROJECT)
        made = self._client.create_run(where, run_name=_name(run))
        self._runs[run.path] = made.info.run_id
        for name, value in _flat(_config(run)):
            self._client.log_param(made.info.run_id, name, value)

    def log(self, run: Run, sequences: int, metrics: Mapping[str, float]) -> None:
        """Log the metrics."""
        for name, value in metrics.items():
            self._client.log_metric(self._runs[run.path], name, value, step=sequences)

    def end(self, run: Run, progress: Progress) -> None:
        """End MLflow's run, as failed or interrupted if it is."""
        status = "FAILED" if progress.failed else "FINISHED" if progress.finished else "KILLED"
        self._client.set_terminated(self._runs.pop(run.path), status)


TRACKERS: dict[str, Callable[[], Tracker]] = {
    "tensorboard": TensorBoard,
    "trackio": Trackio,
    "wandb": WandB,
    "mlflow": MLflow,
}
"""Trackers by the names of their extras, as in ``pip install 'softmachine[wandb]'``."""


def find_tracker(name: str) -> Tracker:
    """Return a new tracker; SoftmachineError if its package is not installed."""
    if name not in TRACKERS:
        raise SoftmachineError(f"unknown tracker {name!r}: there are {', '.join(TRACKERS)}")
    return TRACKERS[name]()


@contextlib.contextmanager
def tracking(
    runs: Sequence[Run], trackers: Sequence[Tracker | str]
) -> Iterator[Callable[[int, dict[str, Any]], None]]:
    """Tell trackers that runs begin and end; what is yielded tells them of a validation.

    It takes the run's place among the runs, and the metrics line.
    """
    left = [find_tracker(x) if isinstance(x, str) else x for x in trackers]

    def tell(what: Callable[[Tracker], None]) -> None:
        for tracker in [*left]:
            try:
                what(tracker)
            except Exception as error:  # whatever another package does
                left.remove(tracker)
                warnings.warn(
                    f"the tracker {type(tracker).__name__} is left out from now on: "
                    f"{type(error).__name__}: {error}",
                    SoftmachineWarning,
                    stacklevel=4,
                )

    def log(place: int, line: dict[str, Any]) -> None:
        numbers = {
            name: float(value)
            for name, value in line.items()
            if isinstance(value, (int, float)) and math.isfinite(value)
        }
        tell(lambda tracker: tracker.log(runs[place], line["sequences"], numbers))

    for run in runs:
        tell(lambda tracker, run=run: tracker.begin(run))
    try:
        yield log
    finally:
        for run in runs:
            progress = run.load_progress() or Progress()
            tell(lambda tracker, run=run, progress=progress: tracker.end(run, progress))


def _package(name: str, extra: str | None = None) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise SoftmachineError(
            f"this tracker needs the package {name}, which is not installed: "
            f"pip install 'softmachine[{extra or name}]'"
        ) from None


def _name(run: Run) -> str:
    return f"{run.experiment.recipe}-{run.experiment.training.seed} {run.path.resolve().name}"


def _config(run: Run) -> dict[str, Any]:
    return experiment_to_json(run.experiment)["experiment"]


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Return the leaves of a JSON value with their paths, such as ``training.batch``."""
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    for name, part in parts:
        if isinstance(part, (dict, list)) and part:
            yield from _flat(part, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", part
