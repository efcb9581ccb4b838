"""How fast a program runs that was taken out of a machine, in C and Python, and the machine.

Usage: ``python benchmarks/programs.py --json FILE``. Copies arrays with the program of
``zoo:nram-copy``: the C and the Python at all sizes, the hard and the soft machine at those
that they can do in reasonable time and memory. A soft step costs the square of the number of
cells. Times are the best of several; compiling is not in them.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import equinox as eqx
import jax
import numpy as np

from softmachine import zoo
from softmachine.experiments.environment import describe_environment
from softmachine.machines.nram.hard import run_hard
from softmachine.programs.extraction import extract
from softmachine.programs.languages.c import c_code
from softmachine.programs.languages.python import python_code
from softmachine.programs.running import load_c, load_python
from softmachine.running.loop import run_batch

SIZES = (10, 100, 10_000, 1_000_000)
MOST_SOFT, MOST_HARD = 100, 10_000


def best(run: Callable[[], object], repetitions: int = 5) -> float:
    """Return the shortest time that a call takes, in seconds."""
    seconds = []
    for _ in range(repetitions):
        begin = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - begin)
    return min(seconds)


def time_in_c(library: Path, memory: np.ndarray) -> float:
    """Return the time of the C function alone."""
    function = ctypes.CDLL(str(library)).run
    function.argtypes = [ctypes.POINTER(ctypes.c_int64), ctypes.c_size_t]

    def run():
        pointer = cells.ctypes.data_as(ctypes.POINTER(ctypes.c_int64))
        assert function(pointer, len(cells)) == 0

    times = []
    for _ in range(5):
        cells = memory.copy()
        times.append(best(run, 1))
    return min(times)


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    model = zoo.open_model("nram-copy")
    task, machine = model.experiment.task, model.machine
    program = extract(machine, task)
    in_python = load_python(python_code(program, "Copy.", []))
    hard = eqx.filter_jit(run_hard)
    rows = []
    with tempfile.TemporaryDirectory() as directory:
        if load_c(c_code(program, "Copy.", []), Path(directory)) is None:
            raise SystemExit("this benchmark needs a C compiler")
        for size in SIZES:
            example = task.sample(jax.random.key(0), size, max_size=size)
            memory = np.asarray(example.inputs, np.int64)
            cells = memory.tolist()
            row = {"size": size, "cells": len(cells)}
            row["c"] = time_in_c(Path(directory) / "program.so", memory)
            row["python"] = best(lambda cells=cells: in_python(cells))
            if size <= MOST_HARD:
                jax.block_until_ready(hard(machine, example.inputs, example.steps))
                row["hard"] = best(
                    lambda e=example: jax.block_until_ready(hard(machine, e.inputs, e.steps))
                )
            if size <= MOST_SOFT:
                steps = int(example.steps)
                soft = eqx.filter_jit(
                    lambda m, x, steps=steps: run_batch(m, x, steps=steps, max_steps=steps)
                )
                jax.block_until_ready(soft(machine, example.inputs[None]))
                row["soft"] = best(
                    lambda e=example, f=soft: jax.block_until_ready(f(machine, e.inputs[None]))
                )
                row["c_is_faster_than_soft"] = row["soft"] / row["c"]
            rows.append(row)
            print(
                ", ".join(
                    f"{k} {v:.3g}" if isinstance(v, float) else f"{k} {v:,}"
                    for k, v in row.items()
                ),
                flush=True,
            )
    if options.json is not None:
        result = {"seconds": rows, "environment": describe_environment()}
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
