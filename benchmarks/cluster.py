"""Training on workers: what failures cost, what a second worker brings, what scheduling costs.

Usage: ``python benchmarks/cluster.py {failures,speed,scheduling,all} --json FILE``; needs the
extra ``cluster``. All processes are on this machine.

- ``failures``: a population is trained by one worker, and again by workers of a Dask cluster
  of which random ones are killed (SIGKILL, ``--kills`` times); once the scheduler is, and the
  population is resumed on a new one. Both populations are compared bit for bit.
- ``speed``: the same population on one worker and on two, each on a core of its own, in turns.
- ``scheduling``: ``--many`` workers that compute nothing: each unit sleeps ``--sleep`` seconds
  and returns a checkpoint of the true size. Measured are the CPU times of Dask's scheduler and
  of the process that gives out the work, and the size of the checkpoints.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import psutil

from softmachine.core.errors import SoftmachineError
from softmachine.experiments.checkpoints import read_encoded, with_record
from softmachine.experiments.environment import describe_environment
from softmachine.experiments.experiment import Experiment
from softmachine.experiments.population import create_population
from softmachine.experiments.runs import Run
from softmachine.recipes import get_recipe
from softmachine.running.devices import use_all_cores
from softmachine.training.workers import schedule
from softmachine.training.workers.dask_workers import DaskWorkers
from softmachine.training.workers.schedule import train_on_workers
from softmachine.training.workers.workers import ProcessWorkers, Tally

IDLE_UNITS, IDLE_SECONDS = "SOFTMACHINE_BENCHMARK_UNITS", "SOFTMACHINE_BENCHMARK_SECONDS"
"""Environment variables that tell workers of the simulation what they are to do."""


MANY_MEMBERS = 1_000
"""So many members fill a group of any experiment."""


def idle(unit: dict[str, Any]) -> list[list[tuple[str, str, bytes]]]:
    """Do nothing, for a while; return checkpoints of members that are so much further."""
    time.sleep(float(os.environ[IDLE_SECONDS]))
    results = []
    for member in unit["members"]:
        path = Path("last")
        progress = read_encoded(member["last"], member["tie"], path).value["progress"]
        progress |= {
            "step": unit["until"],
            "finished": unit["until"] >= int(os.environ[IDLE_UNITS]),
        }
        last = with_record(member["last"], {"progress": progress}, member["tie"], path)
        line = {"step": unit["until"], "sequences": unit["until"]}
        results.append([("line", json.dumps(line), b""), ("checkpoint", "last", last)])
    return results


class Cluster:
    """A Dask scheduler and workers, as processes of their own."""

    def __init__(self, folder: Path, workers: int, environment: dict[str, str]) -> None:
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port = str(found.getsockname()[1])
        self.address = f"tcp://127.0.0.1:{port}"
        self._folder, self._environment = folder, os.environ | environment
        self.scheduler = self._start("scheduler", "--port", port)
        self.workers = [self.add() for _ in range(workers)]

    def add(self) -> subprocess.Popen:
        """Start another worker."""
        options = ["--nthreads", "1", "--no-nanny", "--local-directory", str(self._folder)]
        return self._start("worker", self.address, *options)

    def add_idle(self, count: int) -> None:
        """Start one process with many workers, which only wait."""
        code = (
            "import asyncio, sys, distributed\n"
            "async def main():\n"
            "    workers = [distributed.Worker(sys.argv[1], nthreads=1, dashboard=False,\n"
            "        host='127.0.0.1') for _ in range(int(sys.argv[2]))]\n"
            "    await asyncio.gather(*workers)\n"
            "    await asyncio.gather(*(worker.finished() for worker in workers))\n"
            "asyncio.run(main())\n"
        )
        command = [sys.executable, "-c", code, self.address, str(count)]
        self.workers.append(self._popen(command))

    def _start(self, what: str, *options: str) -> subprocess.Popen:
        module = f"distributed.cli.dask_{what}"
        local = ["--host", "127.0.0.1", "--no-dashboard", "--dashboard-address", "127.0.0.1:0"]
        return self._popen([sys.executable, "-m", module, *options, *local])

    def _popen(self, command: list[str]) -> subprocess.Popen:
        with (self._folder / "dask.log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, env=self._environment)

    def connect(self, count: int) -> DaskWorkers:
        """Return the workers once so many of them are there."""
        for _ in range(300):
            with contextlib.suppress(SoftmachineError):
                workers = DaskWorkers(self.address)
                while len(workers.present()) < count:
                    time.sleep(0.5)
                return workers
            time.sleep(0.5)
        raise SystemExit("the cluster did not come up")

    def close(self) -> None:
        """Kill all processes."""
        for process in (self.scheduler, *self.workers):
            process.kill()
            process.wait()


@contextlib.contextmanager
def cluster(workers: int, **environment: str) -> Iterator[Cluster]:
    """Start a cluster in a folder of its own, and end it."""
    folder = Path(tempfile.mkdtemp(prefix="softmachine-cluster-"))
    made = Cluster(folder, workers, environment)
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(folder, ignore_errors=True)


def sized(options: argparse.Namespace, updates: int) -> Experiment:
    """Return the recipe with so many updates, a checkpoint after each ``--unit`` of them."""
    experiment = get_recipe(options.recipe)
    batch = experiment.training.batch
    training = dataclasses.replace(
        experiment.training,
        max_sequences=updates * batch,
        validate_every=options.unit * batch,
        checkpoint_every=options.unit * batch,
        solved=None,
        phases=(),
    )
    return dataclasses.replace(experiment, training=training)


def differences(ones: list[Run], others: list[Run]) -> int:
    """Return how many members differ in a bit of their state or in a line of metrics."""

    def of(run: Run) -> Any:
        leaves = [np.asarray(x).tobytes() for x in jax.tree.leaves(run.load_last().state)]
        lines = [
            {name: x for name, x in line.items() if "second" not in name}
            for line in run.metrics()
        ]
        return leaves, lines

    return sum(of(one) != of(other) for one, other in zip(ones, others, strict=True))


class Killer(threading.Thread):
    """Kills a worker at random times, and starts another; once the scheduler, half way."""

    def __init__(self, made: Cluster, kills: int, apart: float, scheduler: bool) -> None:
        super().__init__(daemon=True)
        self.made, self.left, self.apart = made, kills, apart
        self.scheduler, self.killed, self.over = scheduler, 0, threading.Event()
        self.random = random.Random(0)

    def run(self) -> None:
        """Kill."""
        while self.left and not self.over.wait(self.random.uniform(0.5, 1.5) * self.apart):
            place = self.random.randrange(len(self.made.workers))
            self.made.workers[place].send_signal(signal.SIGKILL)
            self.made.workers[place].wait()
            self.left, self.killed = self.left - 1, self.killed + 1
            self.made.workers[place] = self.made.add()
        if self.scheduler and not self.over.is_set():
            self.made.scheduler.send_signal(signal.SIGKILL)


def measure_failures(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Train a population without and with failures; compare."""
    experiment = sized(options, options.updates)
    plain = create_population(folder / "plain", experiment, options.members)
    alone = ProcessWorkers(1)
    train_on_workers(plain, alone)
    alone.close()
    runs = create_population(folder / "failing", experiment, options.members)
    tallies: list[Tally] = []
    schedulers, killed, left = 0, 0, options.kills
    begin = time.monotonic()
    while not all((p := run.load_progress()) and p.finished for run in runs):
        with cluster(options.workers) as made:
            workers = made.connect(options.workers)
            half = left if schedulers else left // 2
            killer = Killer(made, half, options.apart, scheduler=not schedulers)
            killer.start()
            tallies.append(Tally())
            try:
                train_on_workers(runs, workers, watch=lambda x: tallies.__setitem__(-1, x))
            except SoftmachineError as error:
                print(error, flush=True)
                schedulers += 1
            killer.over.set()
            killer.join()
            killed, left = killed + killer.killed, left - killer.killed
            workers.close()
    return {
        "members": options.members,
        "updates": options.updates,
        "workers killed": killed,
        "schedulers killed": schedulers,
        "workers seen to go": sum(tally.lost for tally in tallies),
        "units repeated": sum(tally.repeated for tally in tallies),
        "members left out": sum(bool(run.load_progress().failed) for run in runs),
        "members that differ": differences(plain, runs),
        "seconds": round(time.monotonic() - begin, 1),
    }


def measure_speed(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Time the same population on one worker and on two, a core each."""
    experiment = sized(options, options.updates)
    cores = sorted(os.sched_getaffinity(0))[:2]
    members = 2 * schedule.group_size(experiment, MANY_MEMBERS)  # a group each
    seconds: dict[int, list[float]] = {1: [], 2: []}
    for repetition in range(options.repetitions):
        for count in (1, 2):
            runs = create_population(folder / f"{count}-{repetition}", experiment, members)
            workers = ProcessWorkers(count)
            # Both compile before the clock begins.
            warm = create_population(folder / f"warm-{count}-{repetition}", experiment, members)
            while len(workers.pids()) < count:
                time.sleep(0.2)
            for pid, core in zip(workers.pids().values(), cores, strict=False):
                for thread in psutil.Process(pid).threads():
                    os.sched_setaffinity(thread.id, {core})
            train_on_workers(warm, workers)
            begin = time.monotonic()
            train_on_workers(runs, workers)
            seconds[count].append(time.monotonic() - begin)
            workers.close()
            print(f"{count} workers: {seconds[count][-1]:.1f} s", flush=True)
    ratio = min(seconds[1]) / min(seconds[2])
    return {"members": members, "seconds": seconds, "two over one": round(ratio, 2)}


def measure_scheduling(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Give out units to many workers that only wait; measure CPU times."""
    experiment = sized(options, options.units)
    training = dataclasses.replace(
        experiment.training,
        checkpoint_every=experiment.training.batch,
        validate_every=experiment.training.batch,
    )
    experiment = dataclasses.replace(experiment, training=training)
    runs = create_population(folder / "many", experiment, options.many * 4)
    first = runs[0].first()
    for run in runs:
        run.save_last(first.state, first.progress)
    size = len(runs[0].last_bytes() or b"")
    place = str(Path(__file__).resolve().parent)
    path = os.pathsep.join([place, os.environ.get("PYTHONPATH", "")])
    schedule.do = idle
    given = {
        "PYTHONPATH": path,
        IDLE_SECONDS: str(options.sleep),
        IDLE_UNITS: str(options.units),
    }
    with cluster(0, **given) as made:
        made.add_idle(options.many)
        workers = made.connect(options.many)
        scheduler = psutil.Process(made.scheduler.pid)
        before, own, begin = cpu(scheduler), time.process_time(), time.monotonic()
        progress = train_on_workers(runs, workers)
        seconds = time.monotonic() - begin
        spent, ours = cpu(scheduler) - before, time.process_time() - own
        workers.close()
    done = sum(member.step for member in progress)  # fewer if it was interrupted
    units = done // schedule.group_size(experiment, len(runs))
    return {
        "workers": options.many,
        "units": units,
        "seconds per unit, idle": options.sleep,
        "bytes of a checkpoint": size,
        "seconds": round(seconds, 1),
        "units per second": round(units / seconds, 1),
        "scheduler, share of a core": round(spent / seconds, 3),
        "scheduler, CPU ms per unit": round(1e3 * spent / units, 2),
        "giver, share of a core": round(ours / seconds, 3),
        "giver, CPU ms per unit": round(1e3 * ours / units, 2),
    }


def cpu(process: psutil.Process) -> float:
    """Return the CPU seconds of a process."""
    times = process.cpu_times()
    return times.user + times.system


PARTS = {
    "failures": measure_failures,
    "speed": measure_speed,
    "scheduling": measure_scheduling,
}


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("part", choices=[*PARTS, "all"])
    parser.add_argument("--recipe", default="nram-access")
    parser.add_argument("--members", type=int, default=16, metavar="N")
    parser.add_argument("--updates", type=int, default=2_000, metavar="N")
    parser.add_argument("--unit", type=int, default=100, metavar="UPDATES")
    parser.add_argument("--workers", type=int, default=2, metavar="N")
    parser.add_argument("--kills", type=int, default=20, metavar="N")
    parser.add_argument("--apart", type=float, default=20.0, metavar="SECONDS")
    parser.add_argument("--repetitions", type=int, default=3, metavar="N")
    parser.add_argument("--many", type=int, default=64, metavar="N")
    parser.add_argument("--units", type=int, default=20, metavar="N", help="of each group")
    parser.add_argument("--sleep", type=float, default=10.0, metavar="SECONDS")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    use_all_cores()
    found: dict[str, Any] = {"environment": describe_environment()}
    for name in PARTS if options.part == "all" else [options.part]:
        with tempfile.TemporaryDirectory(prefix="softmachine-cluster-") as folder:
            found[name] = PARTS[name](options, Path(folder))
        print(json.dumps(found[name], indent=1), flush=True)
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
