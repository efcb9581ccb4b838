"""Drawing examples, running a machine on them, scoring its outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Float, Int, Key, PRNGKeyArray

from softmachine.core import compiling
from softmachine.core.capabilities import HardForm
from softmachine.core.pytrees import PyTree
from softmachine.core.specs.cells import Cells
from softmachine.core.specs.spec import Metrics
from softmachine.machines.machine import Machine
from softmachine.machines.packed import packed_form
from softmachine.running.devices import local_devices
from softmachine.running.keeping import ALL_STATES, Keep
from softmachine.running.loop import run_batch, run_examples
from softmachine.tasks.task import Example, Task, draw

BATCH = 64
"""Examples that each device scores at once."""
TOGETHER = 4
"""The most members that each device scores at once, in a packed form."""


class Scores(NamedTuple):
    """Losses and metrics of a machine on a batch, per example."""

    losses: Float[Array, " batch"]
    """With the machine's penalties, if it has any."""
    metrics: Metrics


Loss = Callable[[PyTree, Example, PyTree], Float[Array, "*batch"]]
Scorer = Callable[[Machine, PRNGKeyArray, Int[Array, " batch"]], Metrics]


def score_batch(
    machine: Machine,
    task: Task,
    keys: Key[Array, " batch"],
    sizes: Int[Array, " batch"],
    max_size: int,
    *,
    loss: Loss | None = None,
    context: PyTree = None,
    data: PyTree = None,
    priorities: Float[Array, " examples"] | None = None,
    in_step: str | None = None,
    training: bool = False,
    keep: Keep = ALL_STATES,
) -> Scores:
    """Draw one example per key and size, run the machine, return losses and metrics.

    ``loss`` takes one example's outputs, the example, and its part of ``context``, a pytree
    whose leaves begin with the batch; without it, losses are the task's own. That of a
    machine with a packed form takes a batch's, each array with the batch last.

    ``data`` are the task's `Task.data`, if it has some; ``priorities`` are those of a `Finite`
    task, if they are not its own.

    ``in_step`` names a vmapped axis whose batches all take as many steps as the longest
    example among them: a loop of a different length for each would cost far more.

    ``training`` is the machine's mode, ``keep`` what is kept for gradients; see `run_batch`.
    """
    examples, machine_keys = _draw(task, keys, sizes, max_size, data, priorities)
    longest = jnp.max(examples.steps)
    packed = packed_form(type(machine)) is not None
    if packed and not task.output.takes_batches:
        raise ValueError(
            f"{type(machine).__name__} has a packed form, whose outputs have the batch last; "
            f"{type(task.output).__name__} score one example at a time (Spec.takes_batches)"
        )
    outputs, penalties = run_examples(
        machine,
        examples.inputs,
        steps=longest if in_step is None else jax.lax.pmax(longest, in_step),
        max_steps=task.steps(max_size),
        lengths=examples.steps,
        keys=machine_keys,
        batch_axis=-1 if packed else 0,
        last=task.outputs.last,
        training=training,
        keep=keep,
    )
    arguments = (outputs, examples) if loss is None else (outputs, examples, context)
    score, measure = loss or task.output.loss, task.metrics
    if packed:
        # With the batch where it is: moved to the front, all of the memory would be copied.
        arguments = (outputs, _batch_last(examples), *arguments[2:])
    else:
        score, measure = jax.vmap(score), jax.vmap(measure)
    losses = sum(penalties.values(), score(*arguments))
    return Scores(losses, measure(*arguments[:2]))


def _draw(
    task: Task,
    keys: Key[Array, " batch"],
    sizes: Int[Array, " batch"],
    max_size: int,
    data: PyTree = None,
    priorities: Float[Array, " examples"] | None = None,
) -> tuple[Example, Key[Array, " batch"]]:
    """Return an example per key and size, and a key for each example's machine."""
    example_keys, machine_keys = jax.vmap(jax.random.split, out_axes=1)(keys)
    examples = jax.vmap(lambda key, size: draw(task, key, size, max_size, data, priorities))(
        example_keys, sizes
    )
    return examples, machine_keys


def _batch_last(examples: Example) -> Example:
    return jax.tree.map(lambda x: jnp.moveaxis(x, 0, -1), examples)


def build_scorer(task: Task, max_size: int, *, and_hard: bool = False) -> Scorer:
    """Return ``(machine, key, sizes) -> metrics``, one value per size given.

    ``and_hard``: those of `score_soft_and_hard`, for a machine with a `HardForm`.

    Compiled once for all sizes up to ``max_size`` and all machines of one structure, however
    often this is called with the same arguments. The examples are spread over all local
    devices. What is drawn for example i depends on (key, i) alone.
    """
    data = task.data()

    def scorer(machine: Machine, key: PRNGKeyArray, sizes: Int[Array, " batch"]) -> Metrics:
        keys = jax.vmap(partial(jax.random.fold_in, key))(jnp.arange(len(sizes)))
        whole, arrays = (machine, data), (keys, jnp.asarray(sizes))
        return _in_blocks(_score, whole, arrays, task, max_size, and_hard)

    return scorer


def score_examples(
    machine: Machine | HardForm, task: Task, examples: Example, max_steps: int
) -> Metrics:
    """Return the metrics of given examples, one value for each.

    They have a leading axis, and take at most ``max_steps`` steps; those of memories stand in
    memories of one size, and each size is a program of its own.
    """
    return _in_blocks(_score_examples, machine, (examples,), task, max_steps)


def _in_blocks(
    score: Callable[..., Metrics], whole: PyTree, arrays: Any, *known: Any
) -> Metrics:
    """Return what a function of a machine and some examples gives for any number of them.

    ``whole`` is what each device has all of: the machine.
    """
    devices = tuple(local_devices())
    everywhere = NamedSharding(Mesh(devices, ("batch",)), PartitionSpec())
    whole = jax.tree.map(
        lambda x: jax.device_put(x, everywhere) if eqx.is_array(x) else x, whole
    )
    count = len(jax.tree.leaves(arrays)[0])
    # The last block is filled up with examples of the first. Few examples, which may be long,
    # are filled up to a power of two, so that there are few programs.
    each = -(-count // len(devices))
    block = min(BATCH, 1 << max(each - 1, 0).bit_length()) * len(devices)
    places = np.arange(-(-count // block) * block) % count
    blocks = [
        score(whole, *jax.tree.map(lambda x, some=some: x[some], arrays), *known, devices)
        for some in np.split(places, len(places) // block)
    ]
    # By way of the host: arrays that lie on several devices would be put together by a program
    # of all devices, which XLA on CPU ends, and the process, if one waits for long.
    blocks = jax.device_get(blocks)
    return jax.tree.map(lambda *xs: jnp.asarray(np.concatenate(xs)[:count]), *blocks)


@compiling.filter_jit
def _score(whole, keys, sizes, task, max_size, and_hard, devices):
    """Score a block of examples, spread over devices."""

    def local(whole, keys, sizes):
        machine, data = whole
        if and_hard:
            return score_soft_and_hard(machine, task, keys, sizes, max_size)
        return score_batch(machine, task, keys, sizes, max_size, data=data).metrics

    return _spread(local, whole, (keys, sizes), devices)


@compiling.filter_jit
def _score_examples(machine, examples, task, max_steps, devices):
    """Score a block of given examples, spread over devices."""

    def local(machine, examples):
        packed = packed_form(type(machine)) is not None
        outputs = run_batch(
            machine,
            examples.inputs,
            steps=jnp.max(examples.steps),
            max_steps=max_steps,
            lengths=examples.steps,
            batch_axis=-1 if packed else 0,
            last=task.outputs.last,
        )
        if packed:
            return task.metrics(outputs, _batch_last(examples))
        return jax.vmap(task.metrics)(outputs, examples)

    return _spread(local, machine, (examples,), devices)


def _spread(local, whole, arrays, devices):
    """Run a function of a pytree and some arrays, these spread over devices."""
    shared, static = eqx.partition(whole, eqx.is_array)
    split = PartitionSpec("batch")
    return jax.shard_map(
        lambda shared, *arrays: local(eqx.combine(shared, static), *arrays),
        mesh=Mesh(devices, ("batch",)),
        in_specs=(PartitionSpec(), *[split] * len(arrays)),
        out_specs=split,
        check_vma=False,
    )(shared, *arrays)


def score_together(
    machines: Sequence[Machine],
    task: Task,
    keys: Sequence[PRNGKeyArray],
    sizes: Sequence[Int[Array, " batch"]],
    max_size: int,
) -> list[Metrics]:
    """Return what `build_scorer` gives for each of several machines, in one computation.

    The machines must have a packed form and one structure, and have as many sizes each.
    """
    devices = local_devices()[: len(machines)]
    each = -(-len(machines) // len(devices))
    padded = [*range(len(machines)), *[0] * (each * len(devices) - len(machines))]
    split = NamedSharding(Mesh(devices, ("member",)), PartitionSpec("member"))
    stacked = jax.tree.map(
        lambda *xs: (
            jax.device_put(np.stack([np.asarray(xs[i]) for i in padded]), split)
            if eqx.is_array(xs[0])
            else xs[0]
        ),
        *machines,
    )
    stacked_keys = jax.device_put(jnp.stack([keys[i] for i in padded]), split)
    stacked_sizes = jax.device_put(jnp.stack([sizes[i] for i in padded]), split)
    metrics = _score_together(
        stacked, stacked_keys, stacked_sizes, task, max_size, tuple(devices)
    )
    metrics = jax.device_get(metrics)
    return [jax.tree.map(lambda x, i=i: x[i], metrics) for i in range(len(machines))]


@compiling.filter_jit
def _score_together(machines, keys, sizes, task, max_size, devices):
    split = PartitionSpec("member")
    arrays, static = eqx.partition(machines, eqx.is_array)
    form = packed_form(type(machines))
    assert form is not None

    def local(arrays, keys, sizes):
        # Some members at a time, and as many examples of each however many there are: what a
        # product of matrices gives depends, in its last bits, on how many rows it has.
        members = len(sizes)
        group = max(n for n in range(1, TOGETHER + 1) if members % n == 0)
        groups = jax.tree.map(
            lambda x: x.reshape(members // group, group, *x.shape[1:]), (arrays, keys, sizes)
        )
        metrics = jax.lax.map(lambda drawn: of_group(*drawn), groups)
        return jax.tree.map(lambda x: x.reshape(members, *x.shape[2:]), metrics)

    def of_group(arrays, keys, sizes):
        members, count = sizes.shape
        keys = jax.vmap(
            lambda key: jax.vmap(partial(jax.random.fold_in, key))(jnp.arange(count))
        )(keys)
        # A few of each member's examples at a time: all of them would need much memory.
        some = min(count, BATCH)
        if devices[0].platform == "cpu":
            some = min(some, max(1, form.cached_examples // TOGETHER))
        blocks = -(-count // some)
        pad = blocks * some - count
        keys = jnp.concatenate([keys, keys[:, :pad]], axis=1)
        sizes = jnp.concatenate([sizes, sizes[:, :pad]], axis=1)

        def block(x):
            x = x.reshape(members, blocks, some)
            return jnp.swapaxes(x, 0, 1).reshape(blocks, members * some)

        metrics = jax.lax.map(
            lambda drawn: (
                (
                    score_batch(eqx.combine(arrays, static), task, drawn[0], drawn[1], max_size)
                ).metrics
            ),
            (block(keys), block(sizes)),
        )

        def unblock(x):
            x = jnp.swapaxes(x.reshape(blocks, members, some), 0, 1)
            return x.reshape(members, blocks * some)[:, :count]

        return jax.tree.map(unblock, metrics)

    return jax.shard_map(
        local,
        mesh=Mesh(devices, ("member",)),
        in_specs=(split, split, split),
        out_specs=split,
        check_vma=False,
    )(arrays, keys, sizes)


def score_soft_and_hard(
    machine: HardForm,
    task: Task,
    keys: Key[Array, " batch"],
    sizes: Int[Array, " batch"],
    max_size: int,
) -> Metrics:
    """Return metrics of a machine as it is and made hard, on the same examples of a memory.

    ``agreement`` is the share of the scored cells in which both end with the same value.
    """
    examples, _ = _draw(task, keys, sizes, max_size)
    outputs = run_batch(
        cast("Machine", machine),
        examples.inputs,
        steps=jnp.max(examples.steps),
        max_steps=task.steps(max_size),
        batch_axis=-1,
    )
    hard = machine.run_hard(examples.inputs, examples.steps)
    cells = cast("Cells", task.output)  # hard forms are of memories
    errors = jax.vmap(cells.score)(hard, examples)
    last = _batch_last(examples)
    same = cells.answer(outputs, last) == hard.T
    same = jnp.sum(jnp.where(same, last.mask, 0), axis=0)
    return {
        **task.metrics(outputs, last),
        "hard_error": errors[task.error],
        "agreement": same / jnp.maximum(jnp.sum(examples.mask, axis=1), 1),
    }
