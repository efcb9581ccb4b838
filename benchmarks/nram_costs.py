"""What an NRAM costs: against memory cells, steps, gates, registers, and members.

Usage: ``python benchmarks/nram_costs.py --json FILE``. All but the last: one machine, 128
examples, one device, forward and backward, one of the sizes at a time away from the middle
one (13 cells, 8 steps, the paper's 14 gates, 5 registers). Members: whole updates of the recipe
``nram-copy``, on all cores. Everything is measured in turn, several times.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from population import COMPILE_UPDATES, build, matrix_product_rate

from softmachine.core import compiling
from softmachine.experiments.environment import describe_environment
from softmachine.machines.machine import split_trainable
from softmachine.machines.nram.gates import PAPER_GATES
from softmachine.machines.nram.nram import NRAMConfig
from softmachine.machines.nram.packed import PackedNRAM
from softmachine.running.devices import use_all_cores
from softmachine.running.loop import run_batch

TURNS = 10
"""Gradients, or updates, between two looks at the clock."""
MIDDLE = {"cells": 13, "steps": 8, "gates": 14, "registers": 5}
VARIED = {
    "cells": (7, 13, 26, 52),
    "steps": (4, 8, 16, 32),
    "gates": (14, 28, 42),
    "registers": (3, 5, 10, 20),
}
MEMBERS = (1, 2, 4, 8, 16, 32, 64)


def gradients(cells: int, steps: int, gates: int, registers: int) -> Callable[[], None]:
    """Return what takes `TURNS` gradients of a machine of these sizes, compiled."""
    names = PAPER_GATES * (gates // len(PAPER_GATES))
    machine = NRAMConfig(registers=registers, gates=names).build(key=jax.random.key(0))
    parameters, rest = split_trainable(machine)
    rng = np.random.default_rng(0)
    memories = jnp.asarray(rng.integers(0, cells, (PackedNRAM.cached_examples, cells)))
    probe = jnp.asarray(rng.normal(size=(steps, cells, cells, 1)), jnp.float32)

    def loss(parameters):
        machine = eqx.combine(parameters, rest)
        outputs = run_batch(machine, memories, steps=steps, max_steps=steps, batch_axis=-1)
        return jnp.mean(probe * outputs.memory) + 1e-3 * jnp.mean(outputs.entropy)

    def descend(_, parameters):
        bars = jax.grad(loss)(parameters)
        return jax.tree.map(lambda x, bar: x - 1e-3 * bar, parameters, bars)

    run = compiling.filter_jit(lambda start: jax.lax.fori_loop(0, TURNS, descend, start))

    def measured() -> None:
        jax.block_until_ready(run(parameters))

    measured()
    return measured


def updates(members: int) -> Callable[[], None]:
    """Return what takes `TURNS` updates of a population, compiled."""
    states, done = build("nram-copy", members), COMPILE_UPDATES

    def measured() -> None:
        nonlocal done
        done += TURNS
        states.advance(range(members), done)

    return measured


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=5, metavar="N")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    cores = use_all_cores()
    sides = {
        (name, value): gradients(**{**MIDDLE, name: value})
        for name, values in VARIED.items()
        for value in values
    }
    sides |= {("members", count): updates(count) for count in MEMBERS}
    seconds: dict[tuple[str, int], list[float]] = {side: [] for side in sides}
    for _ in range(options.repetitions):
        for side, measured in sides.items():
            begin = time.perf_counter()
            measured()
            seconds[side].append((time.perf_counter() - begin) / TURNS)
    medians = {side: statistics.median(times) for side, times in seconds.items()}
    for name in [*VARIED, "members"]:
        row = [f"{side[1]}: {1e3 * x:.1f}" for side, x in medians.items() if side[0] == name]
        print(f"{name:10} " + "  ".join(row) + "  (ms)")
    rate = matrix_product_rate()
    print(f"{cores} devices; 2,048 x 2,048 float32 matrix product: {rate:.0f} GFLOP/s")
    if options.json is not None:
        result = {
            "environment": describe_environment(),
            "examples": PackedNRAM.cached_examples,
            "middle": MIDDLE,
            "seconds": {f"{name} {value}": times for (name, value), times in seconds.items()},
            "matrix_product_gflops": rate,
        }
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
