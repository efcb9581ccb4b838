"""How near to its limits a core trains: operations, bytes and time of an update.

Usage: ``python benchmarks/roofline.py --json FILE``. For the updates of an NTM and of an NRAM
(the recipes ``ntm-copy`` and ``nram-copy``) at several batch sizes, on one core, of one member;
an NRAM's is its share of as many members as a core computes together:

- operations: the floating-point operations of each step and of its gradient, as XLA counts them
  in the step as it is written, before it optimises; times the steps of the longest example
  that is computed together with it, on average over batches. What is computed again on the way
  back is not counted: it is not useful.
- bytes: the least that a loop over steps has to move: each state written once and read once on
  the way there, read once on the way back with its gradient written and read, and all weights
  read three times a step: forwards, again, backwards. What lies between is thought of as in
  registers.
- limits: this core's rates, measured in the same run: a float32 product of matrices through
  XLA, and copying arrays of 256 KiB, 4 MiB and 256 MiB, bytes read and written both counted. A
  batch is held against the rate of the smallest of these that holds its states and the weights.

The limit of an update is the longer of operations over rate and bytes over bandwidth; the share
is the limit over the time that it took.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from softmachine.core import compiling
from softmachine.experiments.curricula import Uniform
from softmachine.experiments.environment import describe_environment
from softmachine.experiments.experiment import Experiment
from softmachine.experiments.state import first_state, machine_class
from softmachine.machines.machine import Cell, Clock, split_trainable
from softmachine.machines.packed import packed_form
from softmachine.recipes import get_recipe
from softmachine.running.devices import one_device
from softmachine.training.members import MemberStates
from softmachine.training.workers.unit import group_size

COPIES = {"256 KiB": 1 << 18, "4 MiB": 1 << 22, "256 MiB": 1 << 28}
"""Sizes of arrays whose copying is measured."""


def best(call: Callable[[], Any], seconds: float = 0.5) -> float:
    """Return the shortest time of a call, in seconds."""
    call()
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or not times:
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return min(times)


def machine_rates() -> dict[str, float]:
    """Return this core's rates: GFLOP/s of a product, GB/s of copies by the size of arrays."""
    a = jnp.ones((512, 512))
    product = jax.jit(lambda a: a @ a, compiler_options=compiling.options())
    seconds = best(lambda: product(a).block_until_ready())
    rates = {"product, GFLOP/s": 2e-9 * 512**3 / seconds}
    for name, size in COPIES.items():
        source = np.ones(size // 8)  # a half of the size is read, the other written
        target = source.copy()[: size // 16]
        source = source[: size // 16]
        seconds = best(lambda source=source, target=target: np.copyto(target, source))
        rates[f"copy of {name}, GB/s"] = 2e-9 * source.nbytes / seconds
    return rates


def step_costs(experiment: Experiment) -> dict[str, float]:
    """Return operations of one step and its gradient, and sizes in bytes; for one example."""
    task = experiment.task
    largest = experiment.training.curriculum.largest
    example = task.sample(jax.random.key(0), largest, max_size=largest)
    machine = experiment.build_machine()
    assert isinstance(machine, Cell)
    key = jax.random.key(1)
    state = machine.init_state(example.inputs, key=key)
    encoded = machine.encode(example.inputs)
    if jax.tree.leaves(encoded):
        encoded = jax.tree.map(lambda x: x[0], encoded)
    parameters, rest = split_trainable(machine)

    def step(parameters, state):
        own = eqx.combine(parameters, rest)
        return own.advance(state, encoded, Clock(jnp.zeros((), jnp.int32), key))

    def both(parameters, state):
        (after, features), back = jax.vjp(step, parameters, state)
        return after, back((after, features))

    arrays = eqx.filter(state, eqx.is_inexact_array)
    counted = jax.jit(both).lower(parameters, state).cost_analysis()
    assert counted is not None, "XLA counts no operations here"
    return {
        "operations": float(counted["flops"]),
        "state": float(sum(x.nbytes for x in jax.tree.leaves(arrays))),
        "weights": float(sum(x.nbytes for x in jax.tree.leaves(parameters))),
    }


def measure(recipe: str, batch: int, rates: dict[str, float], seconds: float) -> dict[str, Any]:
    """Return what an update costs, is limited by, and takes, with one batch size."""
    experiment = get_recipe(recipe)
    training = dataclasses.replace(experiment.training, batch=batch)
    experiment = dataclasses.replace(experiment, training=training)
    costs, members = step_costs(experiment), members_of(experiment)
    steps = mean_steps(experiment, batch * members)
    operations = steps * batch * costs["operations"]
    moved = steps * (5 * batch * costs["state"] + 3 * costs["weights"])
    held = batch * costs["state"] + costs["weights"]
    level = next((name for name, size in COPIES.items() if held <= size), [*COPIES][-1])
    limits = {
        "product": operations / rates["product, GFLOP/s"] / 1e9,
        f"copy of {level}": moved / rates[f"copy of {level}, GB/s"] / 1e9,
    }
    binding = max(limits, key=lambda name: limits[name])
    took = update_seconds(experiment, members, seconds)
    return {
        "recipe": recipe,
        "batch": batch,
        "steps": steps,
        "MFLOP": operations / 1e6,
        "MB moved": moved / 1e6,
        "limited by": binding,
        "limit, ms": 1e3 * limits[binding],
        "took, ms": 1e3 * took,
        "share of the limit": limits[binding] / took,
        "GFLOP/s": operations / took / 1e9,
        "GB/s": moved / took / 1e9,
    }


def members_of(experiment: Experiment) -> int:
    """Return how many members a core computes together."""
    packed = packed_form(machine_class(experiment)) is not None
    return group_size(experiment, 1 << 20) if packed else 1


def mean_steps(experiment: Experiment, examples: int) -> float:
    """Return the steps of the longest of so many examples of uniform sizes, on average."""
    sizes = experiment.training.curriculum
    assert type(sizes) is Uniform
    count = sizes.largest - sizes.smallest + 1
    # All sizes are at most the k-th smallest with probability (k / count) ** examples.
    shares = np.diff((np.arange(count + 1) / count) ** examples)
    steps = [experiment.task.steps(size) for size in range(sizes.smallest, sizes.largest + 1)]
    return float(shares @ steps)


def update_seconds(experiment: Experiment, members: int, seconds: float) -> float:
    """Return the time of a member's update on one core, from what fits into so many seconds."""
    first = [first_state(experiment.with_seed(seed)) for seed in range(members)]
    with one_device():
        states = MemberStates(experiment, first)
    done, updates, times = 2, 2, []
    states.advance(range(members), done)
    while sum(times) < seconds:
        begin = time.perf_counter()
        states.advance(range(members), done := done + updates)
        times.append(time.perf_counter() - begin)
        if times[-1] < seconds / 20:
            updates, times = 2 * updates, []
    return min(times) / updates / members


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--recipes", nargs="+", default=["ntm-copy", "nram-copy"])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 16, 64, 256])
    parser.add_argument("--seconds", type=float, default=5.0, help="for each measurement")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    rates = machine_rates()
    for name, rate in rates.items():
        print(f"{name:>24} {rate:8.1f}", flush=True)
    rows = []
    for recipe in options.recipes:
        for batch in options.batches:
            rows.append(row := measure(recipe, batch, rates, options.seconds))
            numbers = ", ".join(
                f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"
                for name, value in row.items()
            )
            print(numbers, flush=True)
    if options.json is not None:
        found = {"environment": describe_environment(), "rates": rates, "rows": rows}
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
