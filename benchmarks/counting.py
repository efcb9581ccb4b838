"""How far trained Stack-RNNs count: the test of Joulin & Mikolov 2015, and far beyond.

    python -m benchmarks.counting POPULATION ...

For each member, hard and soft: of the sizes n = 2..59, how many are right, on strings each from
a fresh state, and on one stream of 200 strings in a row (as in the paper: one slip spoils the
rest); and whether all strings of size 1,000 are right.
"""

from __future__ import annotations

import dataclasses
import sys

import equinox as eqx
import jax
import jax.numpy as jnp

from softmachine.cli.sources import open_trained
from softmachine.running.generalization import with_test_options
from softmachine.running.loop import run_batch
from softmachine.tasks.languages.streams import StreamTask
from softmachine.tasks.task import sample_batch

SIZES = range(2, 60)
FAR = 1000
ROWS = 200
"""Cells of a stack up to size 59, as in the published code."""


@eqx.filter_jit
def right(machine, task, examples, max_steps):
    """Return for each example whether no scored symbol is wrong."""
    outputs = run_batch(
        machine, examples.inputs, steps=jnp.max(examples.steps), max_steps=max_steps
    )
    return jax.vmap(task.metrics)(outputs, examples)["perfect"] == 1


def sizes_right(machine, task, sizes, each):
    """Return of how many sizes all ``each`` examples are right."""
    largest, found = max(sizes), jnp.ones(len(sizes), bool)
    for number in range(each):
        keys = jax.random.split(jax.random.key(number), len(sizes))
        examples = sample_batch(task, keys, jnp.asarray(sizes), largest)
        found &= right(machine, task, examples, task.steps(largest))
    return int(found.sum())


def main(sources: list[str]) -> None:
    """Print a line for each member and form."""
    for source in sources:
        for member in open_trained(source):
            task = member.experiment.task.held_out(larger=True)
            assert isinstance(task, StreamTask)
            one = dataclasses.replace(task, strings=1)
            stream = dataclasses.replace(task, strings=200)
            each = 20 if "m" in getattr(task, "language", "") else 1  # else all are the same
            for hard in (True, False):
                machine = with_test_options(member.machine, hard=hard, memory_rows=ROWS)
                far = with_test_options(machine, memory_rows=FAR + 100)
                print(
                    f"{member.experiment.recipe} {member.name} {'hard' if hard else 'soft'}: "
                    f"{sizes_right(machine, one, SIZES, each)} of {len(SIZES)} sizes fresh, "
                    f"{sizes_right(machine, stream, SIZES, 1)} in a stream; "
                    f"{sizes_right(far, one, [FAR] * each, 1)} of {each} at {FAR:,}",
                    flush=True,
                )


if __name__ == "__main__":
    main(sys.argv[1:])
