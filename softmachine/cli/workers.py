"""Workers as the command line names them: a number of processes, or a cluster's address."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

from softmachine.core.errors import SoftmachineError
from softmachine.experiments.experiment import Experiment
from softmachine.training.workers.dask_workers import DaskWorkers
from softmachine.training.workers.workers import ProcessWorkers, Workers

MOST_PROCESSES = 1_000
"""The largest number of processes on one machine."""


@contextlib.contextmanager
def opened(named: str | None, experiment: Experiment) -> Iterator[Workers | None]:
    """Yield the workers that ``--workers`` names, and let go of them at the end.

    None stands for none: this process trains. Processes import the modules that the
    experiment's task and machine are from; a cluster's workers have to have them. Raises
    SoftmachineError for what is neither a number of processes nor the address of a scheduler
    that answers.
    """
    if named is None:
        yield None
        return
    workers = _open(named, experiment)
    try:
        yield workers
    finally:
        workers.close()


def _open(named: str, experiment: Experiment) -> Workers:
    if "://" in named:
        return DaskWorkers(named)
    if not named.isascii() or not named.isdigit() or not 1 <= int(named) <= MOST_PROCESSES:
        raise SoftmachineError(
            f"--workers must be a number of processes, 1 to {MOST_PROCESSES:,}, or the address "
            f"of a Dask scheduler, such as tcp://host:8786; not {named!r}"
        )
    return ProcessWorkers(int(named), sorted(own_modules(experiment)))


def own_modules(value: Any) -> set[str]:
    """Return the modules, but this package's, of the dataclasses that a value is made of."""
    if isinstance(value, (list, tuple)):
        return {name for each in value for name in own_modules(each)}
    if not dataclasses.is_dataclass(value):
        return set()
    name = type(value).__module__
    own = set() if name.partition(".")[0] in ("softmachine", "__main__") else {name}
    fields = [getattr(value, field.name) for field in dataclasses.fields(value)]
    return own | own_modules(fields)
