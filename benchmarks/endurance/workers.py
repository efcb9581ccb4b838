"""Processes that run commands: one for each, to be killed, or one for many, to save time."""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import signal
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

START = multiprocessing.get_context("forkserver")
PATIENCE = 300.0
"""Seconds after which a case counts as one that never ends."""


class Ended(NamedTuple):
    """How a command ended, and what it printed."""

    status: int | str
    """An exit status, or what became of the process: ``hangs``, ``crashes``."""
    out: str = ""
    err: str = ""


def command(arguments: list[str], directory: Path | str) -> Ended:
    """Run a command line in this process."""
    from softmachine.cli.main import main

    out, err = io.StringIO(), io.StringIO()
    before = os.getcwd()
    os.chdir(directory)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main(arguments)
        status: int | str = 0
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else int(bool(stop.code))
    except BaseException:  # what the command line let through is what is looked for
        status = "traceback"
        err.write(traceback.format_exc())
    finally:
        os.chdir(before)
    return Ended(status, out.getvalue(), err.getvalue())


# One process for many


def _serve(work: Callable[[Any], Any], pipe: Connection) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what XLA and others have to say
    while True:
        try:
            case = pipe.recv()
        except EOFError:
            return
        pipe.send(work(case))


class _Worker:
    def __init__(self, work: Callable[[Any], Any]) -> None:
        self.work = work
        self.start()

    def start(self) -> None:
        self.pipe, theirs = START.Pipe()
        self.process = START.Process(target=_serve, args=(self.work, theirs), daemon=True)
        self.process.start()
        theirs.close()

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


def in_workers(
    work: Callable[[Any], Any], cases: Iterable[Any], processes: int
) -> Iterator[tuple[Any, Any]]:
    """Give every case with what ``work`` makes of it, or with an `Ended` of a dead process.

    A process that crashes, or works on a case for longer than `PATIENCE`, is replaced.
    """
    left = iter(cases)
    workers = [_Worker(work) for _ in range(processes)]
    busy: dict[_Worker, tuple[Any, float]] = {}
    try:
        while True:
            for worker in workers:
                if worker not in busy and (case := next(left, None)) is not None:
                    worker.pipe.send(case)
                    busy[worker] = case, time.monotonic()
            if not busy:
                return
            ready = multiprocessing.connection.wait([w.pipe for w in busy], timeout=5)
            for worker, (case, begin) in list(busy.items()):
                found: Any = None
                if worker.pipe in ready:
                    try:
                        found = worker.pipe.recv()
                    except (EOFError, ConnectionError):
                        found = Ended("crashes")
                elif time.monotonic() - begin > PATIENCE:
                    found = Ended("hangs")
                if found is None:
                    continue
                del busy[worker]
                if isinstance(found, Ended) and found.status in ("crashes", "hangs"):
                    worker.end()
                    worker.start()
                yield case, found
    finally:
        for worker in workers:
            worker.end()


# One process for one


def _run(work: Callable[..., Any], arguments: tuple[Any, ...], log: str) -> None:
    with open(log, "ab", buffering=0) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        work(*arguments)


def start(work: Callable[..., Any], *arguments: Any, log: Path) -> Any:
    """Begin to run a function in a process of its own, which writes to a log."""
    process = START.Process(target=_run, args=(work, arguments, str(log)), daemon=True)
    process.start()
    return process


def kill(process: Any) -> bool:
    """Kill a process; return whether that is what it died of."""
    if process.is_alive():
        os.kill(process.pid, signal.SIGKILL)
    process.join()
    return process.exitcode == -signal.SIGKILL
