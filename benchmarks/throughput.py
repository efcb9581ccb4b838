"""Training throughput of NTMs on the copy task, side by side.

Usage: ``python benchmarks/throughput.py --help``. Every contender lives in a process of
its own (``worker.py``); this one only gives commands, takes turns and does the sums.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import datetime
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from worker import available_cores
from workload import AnyWork, Workload

from softmachine.experiments.environment import cpu_model

HERE = Path(__file__).resolve().parent
TORCH_CONTENDERS = ("torch", "torch-compiled")
PEER = "pytorch-ntm"
REFERENCE = "softmachine"
BUSY = 0.5
"""A load average from which on the machine counts as busy."""
NAMES = {
    "softmachine": "softmachine",
    "torch": "PyTorch, ours, eager",
    "torch-compiled": "PyTorch, ours, compiled",
    "pytorch-ntm": "pytorch-ntm",
    "mann": "softmachine",
    "torch-mann": "PyTorch, ours, eager",
    "torch-mann-compiled": "PyTorch, ours, compiled",
    "dnc": "softmachine",
    "pytorch-dnc": "pytorch-dnc",
    "stack-rnn": "softmachine",
    "chomsky": "the paper's own code",
}
SCALING_BASE = Workload(contender=REFERENCE)
SCALING_AXES = {
    "batch": (1, 4, 16, 64, 256),
    "length": (5, 10, 20, 40, 80),
    "memory_rows": (32, 64, 128, 256, 512),
    "memory_columns": (5, 10, 20, 40, 80),
}


class BenchmarkError(Exception):
    """Something that the user can put right; its text is one line."""


class Worker:
    """A contender's process, seen from here."""

    def __init__(self, workload: AnyWork) -> None:
        """Start it and wait until it is warm. Raises BenchmarkError if it fails."""
        self.workload = workload
        self.repetitions: list[dict[str, float]] = []
        self.peak_memory_mib = float("nan")
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by kill()
        self._process = subprocess.Popen(
            [sys.executable, HERE / "worker.py", json.dumps(dataclasses.asdict(workload))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        try:
            ready = self._receive()
        except BaseException:
            self.kill()
            raise
        self.facts = ready["facts"]
        self.first_update_seconds = ready["first_update_seconds"]

    def measure(self, seconds: float) -> None:
        """Have it train for about ``seconds``; keep what it says."""
        self._send(f"measure {seconds}")
        self.repetitions.append(self._receive())

    def stop(self) -> None:
        """Let it end, and learn how much memory it took."""
        self._send("stop")
        self.peak_memory_mib = self._receive()["peak_memory_mib"]
        self._process.wait()

    def kill(self) -> None:
        """End it in any case."""
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def _send(self, command: str) -> None:
        # A dead worker is noticed, and explained, when its reply is missing.
        with contextlib.suppress(BrokenPipeError):
            print(command, file=self._process.stdin, flush=True)

    def _receive(self) -> dict[str, Any]:
        line = self._process.stdout.readline()
        if line:
            return json.loads(line)
        self._errors.seek(0)
        last = (self._errors.read().strip().splitlines() or ["no message"])[-1]
        raise BenchmarkError(f"{NAMES[self.workload.contender]} failed: {last}")


def compare(
    workloads: Sequence[AnyWork], *, repetitions: int, seconds: float
) -> list[dict[str, Any]]:
    """Measure some workloads in turns, so that noise hits all of them alike.

    Returns one record per workload: the workload, what the contender says of itself, the
    medians and every repetition.
    """
    with contextlib.ExitStack() as stack:
        workers = []
        for workload in workloads:
            progress(f"starting {NAMES[workload.contender]}, batch {workload.batch}")
            workers.append(Worker(workload))
            stack.callback(workers[-1].kill)
        for i in range(repetitions):
            progress(f"repetition {i + 1} of {repetitions}")
            for worker in workers:
                worker.measure(seconds)
        for worker in workers:
            worker.stop()
    progress("")
    return [record(worker) for worker in workers]


def record(worker: Worker) -> dict[str, Any]:
    """Return what there is to say about a worker that has done its work."""
    rates = [x["updates"] / x["seconds"] for x in worker.repetitions]
    rate = statistics.median(rates)
    workload = dataclasses.asdict(worker.workload)
    batch = worker.workload.batch
    return {
        "workload": {k: v for k, v in workload.items() if k != "peer_path"},
        "facts": worker.facts,
        "sequences_per_second": rate * batch,
        "sequences_per_second_range": [min(rates) * batch, max(rates) * batch],
        "update_milliseconds": 1e3 / rate,
        "first_update_seconds": worker.first_update_seconds,
        "peak_memory_mib": worker.peak_memory_mib,
        "repetitions": worker.repetitions,
    }


def add_ratios(records: list[dict[str, Any]], name: str = REFERENCE) -> None:
    """Add to each record how many times faster softmachine was, if it took part.

    ``name``: the contender that is softmachine.
    """
    for reference in records:
        if reference["workload"]["contender"] == name:
            for other in records:
                ratio = reference["sequences_per_second"] / other["sequences_per_second"]
                other["softmachine_times_faster"] = ratio


def comparison_table(records: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of the first table, one batch size after the other."""
    yield "                            sequences/second          softmachine first upd.  peak"
    yield " batch contender              median (min .. max)     is faster         s   MiB"
    last_batch = None
    for entry in records:
        batch = entry["workload"]["batch"]
        low, high = entry["sequences_per_second_range"]
        ratio = entry.get("softmachine_times_faster")
        is_other = entry["workload"]["contender"] != REFERENCE and ratio is not None
        yield (
            f"{batch if batch != last_batch else '':>6} "
            f"{NAMES[entry['workload']['contender']]:<23}"
            f"{entry['sequences_per_second']:>6.0f} "
            f"{f'({low:.0f} .. {high:.0f})':<18}"
            f"{f'{ratio:.1f} x' if is_other else '':>9}"
            f"{entry['first_update_seconds']:>10.1f}"
            f"{entry['peak_memory_mib']:>6.0f}"
        )
        last_batch = batch


def scaling_table(records: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of the second table."""
    base = ", ".join(f"{axis} {getattr(SCALING_BASE, axis)}" for axis in SCALING_AXES)
    yield f"softmachine, milliseconds per update; the others stay at {base}".replace("_", " ")
    for entry in records:
        axis = entry["axis"]
        cost = entry["update_milliseconds"]
        value = entry["workload"][axis]
        yield f"  {axis.replace('_', ' '):<15}{value:>5}{cost:>10.2f} ms"


def progress(text: str) -> None:
    """Show what is going on, on a terminal only."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def surroundings() -> dict[str, Any]:
    """Return hardware, operating system, Python and date."""
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "cpu": cpu_model(),
        "cores": available_cores(),
        "load_before": os.getloadavg()[0],
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def positive(text: str) -> int:
    """Parse a count of at least one."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, not {text!r}")
    return int(text)


def duration(text: str) -> float:
    """Parse a number of seconds."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a positive number, not {text!r}")
    return seconds


def peer_path(text: str) -> str:
    """Parse ``pytorch-ntm=PATH``; return the path if there is a checkout."""
    name, separator, path = text.partition("=")
    if not separator or name != PEER:
        raise argparse.ArgumentTypeError(f"must be {PEER}=PATH, not {text!r}")
    if not (Path(path) / "ntm" / "aio.py").is_file():
        raise argparse.ArgumentTypeError(f"no checkout of {PEER} in {path!r}: no ntm/aio.py")
    return str(Path(path).resolve())


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line; exits with status 2 and one line if it makes no sense."""
    parser = argparse.ArgumentParser(
        description="Training throughput of NTMs on the copy task."
    )
    contenders = (REFERENCE, *TORCH_CONTENDERS)
    parser.add_argument(
        "--batches", type=positive, nargs="+", default=[1, 16, 64, 256], metavar="N",
        help="batch sizes to compare at (default: 1 16 64 256)",
    )  # fmt: skip
    parser.add_argument(
        "--contenders", nargs="+", choices=contenders, default=contenders, metavar="NAME",
        help=f"who takes part (default: {' '.join(contenders)})",
    )  # fmt: skip
    parser.add_argument(
        "--peer", type=peer_path, metavar=f"{PEER}=PATH",
        help="also measure a checkout of the public loudinthecloud/pytorch-ntm",
    )  # fmt: skip
    parser.add_argument(
        "--order", choices=("read-write", "address-write-read"), default="read-write",
        help="read the memory as it was before the step's write, or after (default: before)",
    )  # fmt: skip
    parser.add_argument(
        "--torch-threads", type=positive, metavar="N",
        help="threads of the PyTorch contenders (default: PyTorch's own choice)",
    )  # fmt: skip
    parser.add_argument("--repetitions", type=positive, default=5, metavar="N")
    parser.add_argument(
        "--seconds", type=duration, default=2.0, metavar="S",
        help="approximate length of one repetition (default: 2)",
    )  # fmt: skip
    parser.add_argument(
        "--scaling", action="store_true",
        help="also measure how softmachine's cost grows with each size",
    )  # fmt: skip
    parser.add_argument(
        "--check", action="store_true",
        help="only verify that softmachine and our PyTorch model compute the same",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything measured")
    parser.error = lambda message: fail(message)
    return parser.parse_args(arguments)


def fail(message: str) -> None:
    """Leave with one line on stderr."""
    print(f"throughput.py: {message}", file=sys.stderr)
    sys.exit(2)


def require_torch() -> None:
    """Raise BenchmarkError if PyTorch is missing."""
    if importlib.util.find_spec("torch") is None:
        raise BenchmarkError(
            "PyTorch is missing; install the benchmark extra: pip install -e '.[benchmark]'"
        )


def run_comparison(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Compare the contenders at every batch size."""
    results = []
    for batch in options.batches:
        workloads = [
            Workload(
                contender=name,
                batch=batch,
                order=options.order,
                torch_threads=options.torch_threads,
                peer_path=options.peer if name == PEER else None,
            )
            for name in (*options.contenders, *([PEER] if options.peer else []))
        ]
        records = compare(workloads, repetitions=options.repetitions, seconds=options.seconds)
        add_ratios(records)
        results += records
    return results


def run_scaling(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure softmachine alone, one size varied at a time."""
    results = []
    for axis, values in SCALING_AXES.items():
        workloads = [
            dataclasses.replace(SCALING_BASE, order=options.order, **{axis: value})
            for value in values
        ]
        records = compare(workloads, repetitions=options.repetitions, seconds=options.seconds)
        results += [{"axis": axis} | entry for entry in records]
    return results


def check() -> int:
    """Run the comparison of outputs and gradients; return its exit status."""
    return subprocess.run([sys.executable, HERE / "agreement.py"]).returncode


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, measure, print; return the exit status."""
    options = parse(arguments)
    try:
        if options.check or options.peer or set(options.contenders) & set(TORCH_CONTENDERS):
            require_torch()
        if options.check:
            return check()
        report = {"schema": 1, "surroundings": surroundings()}
        place = report["surroundings"]
        print(f"{place['cpu']}, {place['cores']} cores; Python {place['python']}")
        print(f"{options.order} order; load average at the start {place['load_before']:.1f}")
        if place["load_before"] > BUSY:
            print("The machine is busy: this hurts PyTorch most, do not quote the ratios.")
        print()
        report["comparison"] = run_comparison(options)
        print(*comparison_table(report["comparison"]), sep="\n")
        if options.scaling:
            report["scaling"] = run_scaling(options)
            print("", *scaling_table(report["scaling"]), sep="\n")
        if options.json:
            write_json(options.json, report)
    except (BenchmarkError, OSError) as error:
        fail(str(error))
    except KeyboardInterrupt:
        return 130
    return 0


def write_json(path: Path, report: dict[str, Any]) -> None:
    """Write the report; the file appears only when it is complete."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(report, indent=2) + "\n")
    os.replace(partial, path)


if __name__ == "__main__":
    sys.exit(main())
