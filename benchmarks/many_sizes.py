"""What a process that lives long takes: memory maps and memory, machine after machine.

Usage: ``python benchmarks/many_sizes.py --machines 50 --sizes 20``. Every machine, NTMs and
NRAMs in turn, no two of one make, is traced at every size and scored at every fifth. Linux
gives a process 65,530 memory maps and ends it when it needs more, so what counts is that
neither number rises with the machines. Untrained machines do: a program is as large.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import jax

from softmachine.core import compiling
from softmachine.machines.machine import Machine
from softmachine.machines.nram.nram import NRAMConfig, NRAMControllerConfig
from softmachine.machines.ntm.ntm import NTMConfig
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.running.generalization import evaluate
from softmachine.tasks.memories.arrays import Access
from softmachine.tasks.sequences.copy import Copy
from softmachine.tasks.task import Task
from softmachine.traces.making import trace


def build(number: int) -> tuple[Machine, Task]:
    """Return a machine unlike all others, and its task."""
    key = jax.random.key(number)
    if number % 2:
        controller = NRAMControllerConfig(hidden=8 + number)
        return NRAMConfig(registers=3, controller=controller).build(key=key), Access()
    task = Copy(width=4)
    config = NTMConfig(
        controller=ControllerConfig(hidden=20 + number), memory_rows=32, memory_columns=8
    )
    return config.build(task.input_size, task.output_size, key=key), task


def megabytes() -> int:
    """Return how much memory this process has; 0 where that is not to be found out."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) // 1024


def main() -> None:
    """Print both numbers after every machine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--machines", type=int, default=50)
    parser.add_argument("--sizes", type=int, default=20)
    options = parser.parse_args()
    print(f"{'machines':>8}  {'memory maps':>11}  {'MB':>6}")
    for number in range(options.machines):
        machine, task = build(number)
        for size in range(1, options.sizes + 1):
            trace(machine, task, size)
            if size % 5 == 0:
                evaluate(machine, task, [size], sequences=16)
        maps = compiling.memory_maps()
        print(f"{number + 1:>8}  {maps:>11,}  {megabytes():>6,}", flush=True)


if __name__ == "__main__":
    main()
