"""Workers of a Dask cluster: two processes, as a person starts them, one of which is killed."""

import functools
import logging
import math
import os
import pickle
import signal
import socket
import subprocess
import sys
import time

import pytest

from softmachine.core.errors import SoftmachineError
from softmachine.experiments.population import create_population
from softmachine.synthesis.finding import search_options
from softmachine.synthesis.search.search import Totals, _make_in_time, search
from softmachine.synthesis.taking import take
from softmachine.synthesis.whole import Options, begin
from softmachine.training.workers import remote
from softmachine.training.workers.dask_workers import DaskWorkers, _tells_more
from softmachine.training.workers.identity import identity
from softmachine.training.workers.schedule import train_on_workers

pytest.importorskip("distributed")


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture
def cluster(tmp_path):
    """A scheduler and two workers with no nanny: the address, and the workers' processes."""
    address = f"tcp://127.0.0.1:{free_port()}"
    here = ["--host", "127.0.0.1", "--no-dashboard", "--dashboard-address", "127.0.0.1:0"]
    port = address.rpartition(":")[2]
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", port, *here]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--no-nanny"]
    worker += [*here, "--nthreads", "1", "--local-directory", str(tmp_path)]
    with (tmp_path / "log").open("wb") as log:
        processes = [
            subprocess.Popen(command, stdout=log, stderr=log)
            for command in (command, worker, worker)
        ]
        try:
            yield address, processes
        finally:
            for process in processes:
                process.kill()
                process.wait()


def connected(address):
    """Wait until a scheduler and two workers are there."""
    workers = None
    for _ in range(120):
        try:
            workers = workers or DaskWorkers(address)
            if len(workers.present()) == 2:
                return workers
        except SoftmachineError:
            pass
        time.sleep(1)
    raise AssertionError("no cluster came up")


def searched():
    """Return examples and options of a search."""
    pairs = [(["d", "e"], "e"), (["a", "b", "c"], "b"), (["x", "y"], "y")]
    options = Options()
    begun = begin(take(pairs), options)
    found = search_options(begun.problems, 0, options.registers, options.gates)
    return [problem.batch for problem in begun.problems], found


def withdraw_an_attempt(workers):
    """Ask for an attempt that takes an hour, and for it no more: its worker is free again."""
    make = pickle.dumps(functools.partial(_make_in_time, *searched()))
    executor = next(iter(workers.present().values()))
    future = executor.submit(remote.call, make, identity(), (1_000_000, 3_600.0))
    while not future.running() and not any(workers._client.processing().values()):
        time.sleep(0.1)
    time.sleep(2.0)  # it is under way now
    future.cancel()
    assert executor.submit(remote.reached).result(timeout=600)


def attempts(workers):
    """Search a little; return the first three attempts, but for the time they took."""
    made = []

    def accept(attempt):
        made.append(attempt._replace(seconds=0.0))
        return len(made) == 3

    never = (lambda _: None, lambda: False)
    search(*searched(), Totals(), 600.0, accept, *never, workers)
    return made


def test_a_search_a_killed_worker_and_a_killed_scheduler(
    experiment, tmp_path, cluster, assert_same, without_times, one_process
):
    address, processes = cluster
    # Three groups: one is left when both workers have done theirs.
    alone, shared = (create_population(tmp_path / name, experiment, 6) for name in ("a", "b"))
    train_on_workers(alone, one_process)
    workers, tallies, lines = connected(address), [], []

    def report(_place, _progress, _line):
        lines.append(1)
        if len(lines) == 1:
            os.kill(processes[1].pid, signal.SIGKILL)
            while len(workers._client.scheduler_info(n_workers=-1)["workers"]) == 2:
                time.sleep(0.1)
            workers._asked = -math.inf  # it is seen at the next look, not a second later

    def watch(tally):
        # Only then: what a scheduler knew of its workers ends with it.
        tallies.append(tally)
        if tally.lost:
            os.kill(processes[0].pid, signal.SIGKILL)

    try:
        assert attempts(workers) == attempts(None)
        withdraw_an_attempt(workers)
        with pytest.raises(SoftmachineError, match=f"scheduler at {address} does not answer"):
            train_on_workers(shared, workers, report, watch=watch)
    finally:
        workers.close()
    assert tallies[-1].lost == 1
    assert not all(run.has_last() and run.load_progress().finished for run in shared)
    train_on_workers(shared, one_process)
    for one, other in zip(alone, shared, strict=True):
        assert_same(one.load_last().state, other.load_last().state)
        assert without_times(one.metrics()) == without_times(other.metrics())


def test_that_a_scheduler_is_gone_is_told_once():
    """In a sentence, not by Dask's log with tracebacks; what else that says stays."""
    reconnect = "Failed to reconnect to scheduler after 15.00 seconds, closing client"
    closed = type("CommClosedError", (OSError,), {})("Stream is closed")
    for message, error, said in (
        ("Exception in callback", closed, False),
        (reconnect, None, False),
        ("Exception in callback", ValueError("x"), True),
        ("Something else", None, True),
    ):
        told = None if error is None else (type(error), error, None)
        record = logging.LogRecord("distributed.client", 40, "it", 1, message, (), told)
        assert _tells_more(record) == said


def test_nobody_at_an_address(monkeypatch):
    monkeypatch.setattr("softmachine.training.workers.dask_workers.SECONDS", 1)
    with pytest.raises(SoftmachineError, match="no scheduler of Dask answers at 'tcp://127"):
        DaskWorkers(f"tcp://127.0.0.1:{free_port()}")
    with pytest.raises(
        SoftmachineError, match="no scheduler of Dask answers at 'nonsense://x'"
    ):
        DaskWorkers("nonsense://x")
    # No client is begun, which would fail when it goes.
    for address in ("tcp://", "tcp://host", "tcp://host:x"):
        with pytest.raises(
            SoftmachineError, match=f"no scheduler of Dask answers at '{address}'"
        ):
            DaskWorkers(address)
