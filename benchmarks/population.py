"""What a population costs: updates of N members together against one member alone.

Usage: ``python benchmarks/population.py --recipe nram-copy --members 32 --json FILE``. Both
train the recipe (``ntm-copy`` by default) with one JAX device per core, in turn, several
times; every member draws its own sizes. The ratio is the time of an update of all members
over that of one alone. The rate of NumPy's matrix product, measured in the same run, says
how fast the machine was.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np

from softmachine.experiments.environment import describe_environment
from softmachine.experiments.state import first_state
from softmachine.recipes import get_recipe
from softmachine.running.devices import use_all_cores
from softmachine.training.members import MemberStates

COMPILE_UPDATES = 4


def build(recipe: str, members: int) -> MemberStates:
    """Return members at their first update, the program compiled."""
    experiment = get_recipe(recipe)
    states = MemberStates(
        experiment, [first_state(experiment.with_seed(seed)) for seed in range(members)]
    )
    states.advance(range(members), COMPILE_UPDATES)
    return states


def matrix_product_rate(size: int = 2048, repetitions: int = 5) -> float:
    """Return the best rate of a float32 matrix product on all cores, in GFLOP/s."""
    a = np.ones((size, size), np.float32)
    seconds = []
    for _ in range(repetitions):
        begin = time.perf_counter()
        a @ a
        seconds.append(time.perf_counter() - begin)
    return 2e-9 * size**3 / min(seconds)


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--recipe", default="ntm-copy")
    parser.add_argument("--members", type=int, default=10, metavar="N")
    parser.add_argument("--updates", type=int, default=400, metavar="N")
    parser.add_argument("--repetitions", type=int, default=5, metavar="N")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    cores = use_all_cores()
    sides = {members: build(options.recipe, members) for members in (1, options.members)}
    seconds: dict[int, list[float]] = {members: [] for members in sides}
    for repetition in range(1, options.repetitions + 1):
        end = COMPILE_UPDATES + repetition * options.updates
        for members, states in sides.items():
            begin = time.perf_counter()
            states.advance(range(members), end)
            seconds[members].append((time.perf_counter() - begin) / options.updates)
    medians = {members: statistics.median(times) for members, times in seconds.items()}
    ratio = medians[options.members] / medians[1]
    for members, median in medians.items():
        print(f"{members:3} members: {1e3 * median:.3f} ms per update of all")
    rate = matrix_product_rate()
    print(f"2,048 x 2,048 float32 matrix product: {rate:.0f} GFLOP/s")
    print(f"{options.members} members cost {ratio:.2f} times one member on {cores} devices")
    if options.json is not None:
        result = {
            "environment": describe_environment(),
            "recipe": options.recipe,
            "updates": options.updates,
            "seconds_per_update": {str(members): times for members, times in seconds.items()},
            "ratio_of_medians": ratio,
            "matrix_product_gflops": rate,
        }
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
