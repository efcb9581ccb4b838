"""Did updates become slower? Two checkouts of this project, measured in turn.

Usage: ``python benchmarks/against.py OLD [NEW]``. Round after round, each checkout's own
``throughput.py`` and ``population.py`` run with that checkout's package, the old one first in
odd rounds and second in even ones. A ratio is the old time over the new, of the medians over
all rounds: below 1 the new commit is slower. Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from softmachine.experiments.environment import describe_environment

HERE = Path(__file__).resolve().parent
POPULATIONS = {"ntm-copy": (10, 100), "nram-copy": (32, 40)}
"""Recipes of `population.py`, with their members and their updates a repetition."""


def throughput(checkout: Path, python: str) -> dict[str, list[float]]:
    """Return milliseconds per update of one NTM, each repetition of each batch size."""
    report = run(
        checkout, python, "throughput.py", "--contenders", "softmachine", "--seconds", "1.5"
    )
    return {
        f"one ntm, batch {entry['workload']['batch']}": [
            1e3 * x["seconds"] / x["updates"] for x in entry["repetitions"]
        ]
        for entry in report["comparison"]
    }


def population(checkout: Path, python: str, recipe: str) -> dict[str, list[float]]:
    """Return milliseconds per update of one member and of all, each repetition."""
    members, updates = POPULATIONS[recipe]
    report = run(
        checkout, python, "population.py", "--recipe", recipe,
        "--members", str(members), "--updates", str(updates),
    )  # fmt: skip
    return {
        f"{recipe}, {number} members": [1e3 * x for x in seconds]
        for number, seconds in report["seconds_per_update"].items()
    }


def run(checkout: Path, python: str, script: str, *arguments: str) -> dict[str, Any]:
    """Run a checkout's benchmark with that checkout's package; return what it wrote."""
    with tempfile.TemporaryDirectory() as directory:
        result = Path(directory) / "result.json"
        command = [python, str(checkout / "benchmarks" / script), *arguments]
        done = subprocess.run(
            [*command, "--json", str(result)],
            env=os.environ | {"PYTHONPATH": str(checkout)},
            cwd=directory,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            sys.exit(f"against.py: {script} of {checkout} failed: {last}")
        return json.loads(result.read_text())


def measure(sides: dict[str, Path], python: str, rounds: int) -> dict[str, dict[str, list]]:
    """Return, for each measure, the milliseconds of either side over all rounds."""
    measures: dict[str, dict[str, list]] = {}
    for number in range(rounds):
        order = list(sides) if number % 2 == 0 else list(sides)[::-1]
        for what in ("throughput", *POPULATIONS):
            for side in order:
                print(f"round {number + 1} of {rounds}: {what}, {side}", file=sys.stderr)
                if what == "throughput":
                    times = throughput(sides[side], python)
                else:
                    times = population(sides[side], python, what)
                for name, values in times.items():
                    kept = measures.setdefault(name, {side: [] for side in sides})
                    kept[side] += values
    return measures


def main() -> int:
    """Measure, print; the exit status is 1 if a ratio is below the limit."""
    parser = argparse.ArgumentParser(prog="against.py", description=__doc__.splitlines()[0])
    parser.add_argument("old", type=Path, help="checkout to compare with")
    parser.add_argument("new", type=Path, nargs="?", default=HERE.parent)
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("--least", type=float, default=0.97, metavar="RATIO")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    sides = {"old": options.old.resolve(), "new": options.new.resolve()}
    for checkout in sides.values():
        if not (checkout / "benchmarks" / "throughput.py").is_file():
            parser.error(f"{checkout} is no checkout of this project")
    measures = measure(sides, sys.executable, options.rounds)
    slower = 0
    print(f"{'milliseconds per update':<26}{'old':>9}{'new':>9}{'old / new':>11}")
    for name, times in measures.items():
        old, new = (statistics.median(times[side]) for side in ("old", "new"))
        slower += old / new < options.least
        print(f"{name:<26}{old:>9.3f}{new:>9.3f}{old / new:>11.3f}")
    if options.json is not None:
        result = {"environment": describe_environment(), "milliseconds": measures}
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    return int(slower > 0)


if __name__ == "__main__":
    sys.exit(main())
