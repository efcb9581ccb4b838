"""Drawing examples, running a machine on them, scoring its outputs."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Float, Int, Key, PRNGKeyArray

from softmachine.machines.loop import run_batch
from softmachine.machines.machine import Machine
from softmachine.tasks.task import Task

BATCH = 64
"""Examples that each device scores at once."""

Metrics = dict[str, Float[Array, " batch"]]


class Scores(NamedTuple):
    """What a machine made of a batch."""

    losses: Float[Array, " batch"]
    metrics: dict[str, Float[Array, " batch"]]
    steps: Int[Array, " batch"]
    """How many steps each example takes."""


Scorer = Callable[[Machine, PRNGKeyArray, Int[Array, " batch"]], Metrics]


def score_batch(
    machine: Machine,
    task: Task,
    keys: Key[Array, " batch"],
    sizes: Int[Array, " batch"],
    max_size: int,
    *,
    in_step: str | None = None,
) -> Scores:
    """Draw one example per key and size, run the machine, return losses and metrics.

    ``in_step`` names a vmapped axis whose batches all take as many steps as the longest
    example among them: a loop of a different length for each would cost far more.
    """
    example_keys, machine_keys = jax.vmap(jax.random.split, out_axes=1)(keys)
    examples = jax.vmap(lambda key, size: task.sample(key, size, max_size=max_size))(
        example_keys, sizes
    )
    longest = jnp.max(examples.steps)
    outputs = run_batch(
        machine,
        examples.inputs,
        steps=longest if in_step is None else jax.lax.pmax(longest, in_step),
        max_steps=task.steps(max_size),
        keys=machine_keys,
    )
    losses = jax.vmap(task.output.loss)(outputs, examples)
    return Scores(losses, jax.vmap(task.metrics)(outputs, examples), examples.steps)


@lru_cache(maxsize=32)
def build_scorer(task: Task, max_size: int) -> Scorer:
    """Return ``(machine, key, sizes) -> metrics``, one value per size given.

    Compiled once for all sizes up to ``max_size``, and for all machines of one make, however
    often this is called with the same arguments. The examples are spread over all
    local devices. What is drawn for example i depends on (key, i) alone.
    """
    devices = jax.local_devices()
    mesh = Mesh(devices, ("batch",))
    split, whole = PartitionSpec("batch"), PartitionSpec()
    everywhere = NamedSharding(mesh, whole)

    @eqx.filter_jit
    def score(machine, keys, sizes):
        arrays, static = eqx.partition(machine, eqx.is_array)

        def local(arrays, keys, sizes):
            machine = eqx.combine(arrays, static)
            return score_batch(machine, task, keys, sizes, max_size).metrics

        return jax.shard_map(
            local,
            mesh=mesh,
            in_specs=(whole, split, split),
            out_specs=split,
            check_vma=False,
        )(arrays, keys, sizes)

    def scorer(machine: Machine, key: PRNGKeyArray, sizes: Int[Array, " batch"]) -> Metrics:
        count = len(sizes)
        machine = jax.tree.map(
            lambda x: jax.device_put(x, everywhere) if eqx.is_array(x) else x, machine
        )
        block = BATCH * len(devices)
        padded = -(-count // block) * block
        keys = jax.vmap(partial(jax.random.fold_in, key))(jnp.arange(padded))
        sizes = jnp.pad(jnp.asarray(sizes), (0, padded - count), constant_values=1)
        blocks = [
            score(machine, keys[i : i + block], sizes[i : i + block])
            for i in range(0, padded, block)
        ]
        return jax.tree.map(lambda *xs: jnp.concatenate(xs)[:count], *blocks)

    return scorer
