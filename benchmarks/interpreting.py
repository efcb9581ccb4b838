"""Steps of programmer-interpreters per second, many runs side by side.

Usage: ``python benchmarks/interpreting.py --help``. Machines of the zoo run their programs on
random problems until all have ended; what is counted are steps of the core, timed with all that
environments and stacks of calls take. The runs of a first, untimed repetition compile.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from throughput import positive, surroundings, write_json

from softmachine.machines.machine import Cell
from softmachine.running.interpreter import Interpreter
from softmachine.tasks.traced.task import TracedTask
from softmachine.zoo import models

LANES = 1024
"""Runs side by side."""


def measure(name: str, size: int, problems: int, repetitions: int) -> dict[str, Any]:
    """Return what the runs of one machine of the zoo took."""
    model = models.open_model(name)
    task = model.experiment.task
    assert isinstance(task, TracedTask)
    assert isinstance(model.machine, Cell)
    (kind, part) = next(iter(task.parts.items()))
    interpreter = Interpreter(model.machine, task.interface)
    main = task.interface.program(kind, part.environment.main)

    def run() -> tuple[float, int, int]:
        rng = random.Random(size)
        posed = [part.pose(part.draw_problem(size, rng)) for _ in range(problems)]
        adapted = [task.interface.adapted(kind, environment) for environment in posed]
        began = time.perf_counter()
        runs = interpreter.run(adapted, main, lanes=LANES)
        seconds = time.perf_counter() - began
        ended = [run.failure is None for run in runs]
        right = sum(end and x.right() for end, x in zip(ended, posed, strict=True))
        return seconds, sum(run.steps for run in runs), right

    timed = [run() for _ in range(repetitions + 1)][1:]
    seconds, (steps, right) = [x for x, _, _ in timed], timed[0][1:]
    return {
        "machine": name,
        "size": size,
        "problems": problems,
        "right": right,
        "steps": steps,
        "seconds": seconds,
        "steps_per_second": steps / statistics.median(seconds),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure machines of the zoo, print a table, and write what was found if asked to."""
    parser = argparse.ArgumentParser(description="Steps of programmer-interpreters per second.")
    parser.add_argument("--machines", nargs="+", default=None, metavar="NAME")
    parser.add_argument("--size", type=positive, default=20)
    parser.add_argument("--problems", type=positive, default=1024)
    parser.add_argument("--repetitions", type=positive, default=5)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    names = options.machines or [name for name in models.names() if name.startswith("npi-")]
    before = surroundings()
    records = []
    print("machine                      right      steps   steps/second (slowest .. fastest)")
    for name in names:
        record = measure(name, options.size, options.problems, options.repetitions)
        records.append(record)
        low, high = (record["steps"] / f(record["seconds"]) for f in (max, min))
        right = f"{record['right']}/{record['problems']}"
        print(
            f"{name:<24}{right:>10}{record['steps']:>11,}"
            f"{record['steps_per_second']:>15,.0f} ({low:,.0f} .. {high:,.0f})",
            flush=True,
        )
    if options.json:
        write_json(options.json, {"surroundings": before, "results": records})


if __name__ == "__main__":
    main()
