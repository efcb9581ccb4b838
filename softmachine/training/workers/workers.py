"""Who does units of work: workers, each an executor that does one at a time."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing.connection import wait
from typing import Protocol, runtime_checkable

from softmachine.core.errors import show_notes


@runtime_checkable
class Workers(Protocol):
    """Some workers, of whom some may come and go."""

    def present(self) -> Mapping[str, Executor]:
        """Return those that are there now, by their names.

        Each is given one call at a time. Raises WorkersError if nobody can tell any more.
        """
        ...

    def drop(self, name: str) -> None:
        """Take note that a worker is broken, or hangs; another one may come in its place."""
        ...

    def close(self) -> None:
        """Let go of them. What they are doing is lost."""
        ...


@dataclasses.dataclass
class Tally:
    """Who works, and what was lost."""

    workers: int = 0
    """Workers that are there now, those refused left out."""
    lost: int = 0
    """Workers that have gone."""
    repeated: int = 0
    """Units of work that were given out again."""
    refused: dict[str, str] = dataclasses.field(default_factory=dict)
    """Workers that are given no work, by name, and why."""

    def words(self) -> str:
        """Return how many work, and what was lost."""
        if not self.workers:
            return "no worker is there: waiting for one"
        found = {"lost": self.lost, "repeated": self.repeated}
        parts = [f"{number} {name}" for name, number in found.items() if number]
        return ", ".join([f"{self.workers} worker{'s' * (self.workers != 1)}", *parts])


class ThreadWorkers:
    """Threads of this process, for work that lets go of Python's lock."""

    def __init__(self, count: int) -> None:
        self._pools = {f"thread {i + 1}": ThreadPoolExecutor(1) for i in range(count)}
        self._dropped: list[ThreadPoolExecutor] = []

    def present(self) -> Mapping[str, Executor]:
        """Return the threads, by a number each."""
        return dict(self._pools)

    def drop(self, name: str) -> None:
        """Give a thread nothing more to do; nothing can end it."""
        if pool := self._pools.pop(name, None):
            pool.shutdown(wait=False, cancel_futures=True)
            self._dropped.append(pool)

    def close(self) -> None:
        """Wait for what the threads are doing."""
        for pool in (*self._pools.values(), *self._dropped):
            pool.shutdown(cancel_futures=True)


class ProcessWorkers:
    """Processes of this machine, one device each; one that ends is replaced by another."""

    def __init__(self, count: int) -> None:
        self._numbers = itertools.count(1)
        self._pools: dict[str, ProcessPoolExecutor] = {}
        self._pids: dict[str, Future[int]] = {}
        for _ in range(count):
            self._begin()

    def present(self) -> Mapping[str, Executor]:
        """Return the processes, by a number each."""
        return dict(self._pools)

    def pids(self) -> dict[str, int]:
        """Return the numbers of those processes that have started, as the system knows them."""
        return {name: pid.result() for name, pid in self._pids.items() if _worked(pid)}

    def drop(self, name: str) -> None:
        """End a process, whatever it does, and start another."""
        self._end(name)
        self._begin()

    def close(self) -> None:
        """End all processes."""
        for name in [*self._pools]:
            self._end(name)

    def _begin(self) -> None:
        name = f"process {next(self._numbers)}"
        # Spawned: a process with JAX in it cannot be forked.
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(1, mp_context=context, initializer=_prepare)
        self._pools[name], self._pids[name] = pool, pool.submit(os.getpid)

    def _end(self, name: str) -> None:
        pool, pid = self._pools.pop(name), self._pids.pop(name)
        if _worked(pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid.result(), signal.SIGKILL)
        pool.shutdown(wait=False, cancel_futures=True)


def _worked(future: Future[int]) -> bool:
    return future.done() and not future.cancelled() and future.exception() is None


def _prepare() -> None:
    """Set up a worker's process: one device, notes in a line each, and no life of its own."""
    # Ctrl-C is the parent's to answer, from the first moment on: importing takes seconds.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    show_notes(lambda text: print(f"softmachine: note: {text}", file=sys.stderr))
    import jax

    jax.config.update("jax_num_cpu_devices", 1)
    parent = multiprocessing.parent_process()
    if parent is not None:
        sentinel = parent.sentinel
        threading.Thread(target=lambda: wait([sentinel]) and os._exit(1), daemon=True).start()
