"""What a step in C saves in an update of an NTM, and in its compilation.

Usage: ``python benchmarks/native_steps.py --json FILE``. Trains the recipe ``ntm-copy`` some
seconds long on one core, with steps in C (``SOFTMACHINE_NATIVE=on``) and without, each in a
process of its own, in turn, and prints the medians: the fastest update of each process, and the
seconds to the end of the first updates, compilation included, without any cache.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from softmachine.core import native
from softmachine.experiments.environment import describe_environment
from softmachine.experiments.state import first_state
from softmachine.recipes import get_recipe
from softmachine.running.devices import one_device
from softmachine.training.members import MemberStates

HERE = Path(__file__)


def measure(batch: int, seconds: float, *, rows: bool) -> dict[str, float]:
    """Return seconds to the end of the first updates, and milliseconds of an update.

    With ``rows``, updates take memories of 32 and of 128 rows in turn, as the recipe does; else
    of 128.
    """
    experiment = get_recipe("ntm-copy")
    training = dataclasses.replace(experiment.training, batch=batch)
    if not rows:
        training = dataclasses.replace(training, memory_rows=())
    experiment = dataclasses.replace(experiment, training=training)
    begin = time.perf_counter()
    with one_device():
        states = MemberStates(experiment, [first_state(experiment)])
    done, updates, times = 2, 2, []
    states.advance(range(1), done)
    first = time.perf_counter() - begin
    while sum(times) < seconds:
        begin = time.perf_counter()
        states.advance(range(1), done := done + updates)
        times.append(time.perf_counter() - begin)
        if times[-1] < seconds / 4:  # memory that is new to the process costs once a call
            updates, times = 2 * updates, []
    return {"first, s": first, "update, ms": 1e3 * min(times) / updates}


def in_process(batch: int, seconds: float, *, rows: bool, with_c: bool) -> dict[str, float]:
    """Return what `measure` does, of a process of its own."""
    environment = os.environ | {native.VARIABLE: "on" if with_c else "off"}
    command = [sys.executable, str(HERE), "--measure", str(batch), "--seconds", str(seconds)]
    command += ["--rows"] if rows else []
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def main() -> None:
    """Parse, measure in turn, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 16, 64, 256])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="for each measurement")
    parser.add_argument("--rows", action="store_true", help="32 and 128 rows in turn")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure is not None:
        print(json.dumps(measure(options.measure, options.seconds, rows=options.rows)))
        return
    os.environ[native.VARIABLE] = "on"
    if native.use().compiler is None:
        parser.error(f"there are no steps in C here: {native.use().version}")
    in_process(1, 0.1, rows=False, with_c=True)  # compiles the C
    rows: list[dict[str, Any]] = []
    print("32 and 128 rows in turn" if options.rows else "128 rows")
    print(f"{'batch':>5} {'update, ms':>21} {'':>7} {'first updates, s':>17}")
    print(f"{'':>5} {'JAX':>10} {'C':>10} {'ratio':>7} {'JAX':>8} {'C':>8}", flush=True)
    for batch in options.batches:
        found: dict[bool, list[dict[str, float]]] = {False: [], True: []}
        for _ in range(options.rounds):
            for with_c, results in found.items():
                results.append(
                    in_process(batch, options.seconds, rows=options.rows, with_c=with_c)
                )
        row: dict[str, Any] = {"batch": batch, "rounds": found}
        for name in ("update, ms", "first, s"):
            for with_c, results in found.items():
                middle = statistics.median(result[name] for result in results)
                row[f"{name}, {'C' if with_c else 'JAX'}"] = middle
        ratios = [
            old["update, ms"] / new["update, ms"]
            for old, new in zip(found[False], found[True], strict=True)
        ]
        row["ratio"] = statistics.median(ratios)
        rows.append(row)
        print(
            f"{batch:>5} {row['update, ms, JAX']:>10.3f} {row['update, ms, C']:>10.3f} "
            f"{row['ratio']:>7.2f} {row['first, s, JAX']:>8.1f} {row['first, s, C']:>8.1f}",
            flush=True,
        )
    if options.json is not None:
        found = {"environment": describe_environment(), "in turn": options.rows, "rows": rows}
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
