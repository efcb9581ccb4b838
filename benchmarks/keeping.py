"""What it costs to keep fewer states for gradients: time, against keeping all; and memory.

Usage: ``python benchmarks/keeping.py --json FILE``. The gradient of an NTM with 1 MiB of
memory, keeping all states, every few, and as many as steps have a root, in turn, several times,
where all of them fit; then the memory that XLA plans for 1,000 steps of 16 examples, which is
not run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp

from softmachine.core import compiling
from softmachine.experiments.environment import describe_environment
from softmachine.machines.machine import split_trainable
from softmachine.machines.ntm.ntm import NTMConfig
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.running.keeping import ALL_STATES, EveryKth, Keep, SquareRoot
from softmachine.running.loop import run_batch

CHANNELS = 8
KEPT: dict[str, Keep] = {"all": ALL_STATES, "every 8th": EveryKth(8), "root": SquareRoot()}


def compiled_gradient(keep: Keep, steps: int, batch: int):
    """Return the compiled gradient of a machine with 1 MiB of memory, and its parameters."""
    config = NTMConfig(
        controller=ControllerConfig(hidden=100), memory_rows=4096, memory_columns=64
    )
    machine = config.build(CHANNELS, CHANNELS, key=jax.random.key(0))
    parameters, static = split_trainable(machine)

    def loss(parameters, inputs):
        machine = eqx.combine(parameters, static)
        return jnp.sum(run_batch(machine, inputs, steps=steps, max_steps=steps, keep=keep))

    inputs = jax.ShapeDtypeStruct((batch, steps, CHANNELS), jnp.float32)
    gradient = jax.jit(jax.grad(loss), compiler_options=compiling.options())
    return gradient.lower(parameters, inputs).compile(), parameters


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=100, metavar="N")
    parser.add_argument("--batch", type=int, default=4, metavar="N")
    parser.add_argument("--repetitions", type=int, default=5, metavar="N")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    inputs = jnp.ones((options.batch, options.steps, CHANNELS))
    sides = {
        name: compiled_gradient(keep, options.steps, options.batch)
        for name, keep in KEPT.items()
    }
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(1 + options.repetitions):
        for name, (gradient, parameters) in sides.items():
            begin = time.perf_counter()
            jax.block_until_ready(gradient(parameters, inputs))
            seconds[name].append(time.perf_counter() - begin)
    rows = {}
    for name, keep in KEPT.items():
        times = seconds[name][1:]
        ratios = [t / s for t, s in zip(times, seconds["all"][1:], strict=True)]
        long, _ = compiled_gradient(keep, 1000, 16)
        rows[name] = {
            "seconds": statistics.median(times),
            "times_all": statistics.median(ratios),
            "mib": sides[name][0].memory_analysis().temp_size_in_bytes / 2**20,
            "gib_of_1000_steps": long.memory_analysis().temp_size_in_bytes / 2**30,
        }
        print(
            f"{name:10} {rows[name]['seconds']:.2f} s, {rows[name]['times_all']:.2f} times "
            f"all; {rows[name]['mib']:,.0f} MiB; 1,000 steps of 16: "
            f"{rows[name]['gib_of_1000_steps']:.2f} GiB"
        )
    if options.json:
        report = {"environment": describe_environment(), "rows": rows}
        options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
