"""Workers as the command line names them: a number of processes, or a cluster's address."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from softmachine.core.errors import SoftmachineError, WorkersError
from softmachine.training.workers.dask_workers import DaskWorkers
from softmachine.training.workers.workers import ProcessWorkers, Workers

MOST_PROCESSES = 1_000
"""The largest number of processes on one machine."""


@contextlib.contextmanager
def opened(named: str | None) -> Iterator[Workers | None]:
    """Yield the workers that ``--workers`` names, and let go of them at the end.

    None stands for none: this process trains. Raises SoftmachineError for what is neither a
    number of processes nor the address of a scheduler that answers.
    """
    if named is None:
        yield None
        return
    workers = _open(named)
    try:
        yield workers
    finally:
        workers.close()


@contextlib.contextmanager
def continued(named: str | None) -> Iterator[None]:
    """Say that the same command goes on, if there are no workers any more."""
    try:
        yield
    except WorkersError:
        if named is not None:
            print("The same command continues, with the same workers or with others.")
        raise


def _open(named: str) -> Workers:
    if "://" in named:
        return DaskWorkers(named)
    if not named.isascii() or not named.isdigit() or not 1 <= int(named) <= MOST_PROCESSES:
        raise SoftmachineError(
            f"--workers must be a number of processes, 1 to {MOST_PROCESSES:,}, or the address "
            f"of a Dask scheduler, such as tcp://host:8786; not {named!r}"
        )
    return ProcessWorkers(int(named))
