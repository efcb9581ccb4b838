"""Workers of a Dask cluster: processes on any machines that a scheduler knows."""

from __future__ import annotations

import contextlib
import importlib
import logging
import math
import time
import warnings
from collections.abc import Mapping
from concurrent.futures import Executor
from typing import Any

from softmachine.core.errors import SoftmachineError, WorkersError
from softmachine.training.workers.remote import reached

SECONDS = 15
"""How long a scheduler may take to answer."""
REFRESH = 1.0
"""Seconds between two questions to a scheduler which workers it has."""


class DaskWorkers:
    """The workers of a Dask scheduler, as they come and go.

    Which worker does what is decided here, not by the scheduler, so that it is known which unit
    was lost with which worker, whatever the scheduler's own rules for failures are.
    """

    def __init__(self, address: str, **security: Any) -> None:
        """Connect to a scheduler, such as ``tcp://host:8786``.

        ``security`` goes to `distributed.Client`: certificates, unless Dask's own configuration
        has them. Raises SoftmachineError without Dask, if nobody answers there, or if who
        answers does not have this package.
        """
        try:
            distributed = importlib.import_module("distributed")
        except ImportError:
            raise SoftmachineError(
                "workers of a cluster need the package distributed, which is not installed: "
                "pip install 'softmachine[cluster]'"
            ) from None
        # Units of large machines are some megabytes; they are meant to be.
        warnings.filterwarnings("ignore", message="Sending large graph")
        for name in ("tornado.application", "distributed.client"):
            logging.getLogger(name).addFilter(_tells_more)
        self.address = address
        self._executors: dict[str, Executor] = {}
        self._asked = -math.inf
        try:
            if address.startswith(("tcp://", "tls://")):
                # Client.__del__ prints an error if its constructor has raised this.
                distributed.comm.parse_host_port(address.partition("://")[2])
            self._client = distributed.Client(
                address, timeout=SECONDS, set_as_default=False, **security
            )
        except (OSError, ValueError, TypeError, RuntimeError) as error:
            raise SoftmachineError(
                f"no scheduler of Dask answers at {address!r}: {_told(error)}. An address is "
                "such as tcp://host:8786"
            ) from error
        try:
            # It reads what is meant for workers; a unit would only fail, and fail again.
            self._client.run_on_scheduler(reached)
        except Exception as error:  # Dask hands on whatever there was
            self.close()
            raise SoftmachineError(
                f"the scheduler at {address} cannot read what is sent to it: {_told(error)}. "
                "It needs softmachine as workers do"
            ) from error

    def present(self) -> Mapping[str, Executor]:
        """Return the workers that the scheduler has now, by their addresses.

        It is asked every `REFRESH` seconds: its answer grows with the number of workers.
        """
        if time.monotonic() - self._asked < REFRESH:
            return self._executors
        try:
            found = self._client.scheduler_info(n_workers=-1)["workers"]
        except Exception as error:  # Dask has many for one that is gone
            raise WorkersError(self._gone(error)) from error
        if self._client.status != "running":
            raise WorkersError(self._gone(None))
        self._executors = {
            name: self._executors.get(name)
            or self._client.get_executor(
                workers=[name], allow_other_workers=False, pure=False, retries=0
            )
            for name in found
        }
        self._asked = time.monotonic()
        return self._executors

    def drop(self, name: str) -> None:
        """Do nothing: a worker is the scheduler's, and its nanny's."""

    def close(self) -> None:
        """Part from the scheduler, which forgets what was asked of it."""
        with contextlib.suppress(Exception):
            self._client.close(timeout=SECONDS)

    def _gone(self, error: Exception | None) -> str:
        # What a scheduler that is gone is said to have is empty: a KeyError tells nothing.
        why = "" if error is None or isinstance(error, KeyError) else f": {_told(error)}"
        return f"the scheduler at {self.address} does not answer any more{why}"


def _tells_more(record: logging.LogRecord) -> bool:
    """Return whether a log record says something else than that a scheduler is gone.

    That is told in a sentence, by who asked it; Dask would add its traceback.
    """
    error = record.exc_info[1] if record.exc_info else None
    if type(error).__name__ == "CommClosedError":
        return False
    return not record.getMessage().startswith("Failed to reconnect to scheduler")


def _told(error: Exception) -> str:
    """Return the first line of an error, or its kind if it says nothing."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__
