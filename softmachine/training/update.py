"""The compiled heart of training: many updates in one program, on all devices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Float, Int, PyTree

from softmachine.evaluation.scoring import score_batch
from softmachine.machines.machine import split_trainable
from softmachine.training.experiment import Experiment


class Fault(NamedTuple):
    """The first update whose loss or gradient was not finite."""

    step: Int[Array, ""]
    """-1 while there was none."""
    loss: Float[Array, ""]
    gradient_norms: Float[Array, " leaves"]
    """Norm of each parameter's gradient, in the order of ``jax.tree.leaves``."""


class TrainState(NamedTuple):
    """All that changes during training; a checkpoint holds nothing else."""

    parameters: PyTree
    """The trainable half of the machine."""
    optimizer: PyTree
    curriculum: PyTree
    step: Int[Array, ""]
    """Updates done."""
    skipped: Int[Array, ""]
    """Updates left out because loss or gradient was not finite."""
    fault: Fault


TrainChunk = Callable[[TrainState, int], tuple[TrainState, dict[str, Array]]]


def first_state(experiment: Experiment) -> TrainState:
    """Return the state before the first update."""
    parameters, _ = split_trainable(experiment.build_machine())
    leaves = len(jax.tree.leaves(parameters))
    return TrainState(
        parameters=parameters,
        optimizer=experiment.training.optimizer.build().init(parameters),
        curriculum=experiment.training.curriculum.init(),
        step=jnp.zeros((), jnp.int32),
        skipped=jnp.zeros((), jnp.int32),
        fault=Fault(jnp.full((), -1, jnp.int32), jnp.zeros(()), jnp.zeros(leaves)),
    )


def build_train_chunk(experiment: Experiment, devices: Sequence[Any]) -> TrainChunk:
    """Compile-on-first-use ``(state, end) -> (state, sums)``: train up to update ``end``.

    The batch is divided evenly over the devices. What is drawn for example i of update t
    depends on (seed, t, i) alone. ``sums`` holds each metric summed over the chunk's
    updates, and under ``updates`` their number.
    """
    training, task = experiment.training, experiment.task
    if training.batch % len(devices):
        raise ValueError(
            f"batch {training.batch} cannot be divided over {len(devices)} devices"
        )
    local = training.batch // len(devices)
    optimizer, curriculum = training.optimizer.build(), training.curriculum
    _, static = split_trainable(experiment.build_machine())
    seed_key = jax.random.fold_in(jax.random.key(training.seed), 1)

    def draw(state):
        key, memory_key = jax.random.split(jax.random.fold_in(seed_key, state.step))
        first = jax.lax.axis_index("batch") * local
        keys = jax.vmap(jax.random.fold_in, (None, 0))(key, first + jnp.arange(local))
        size_keys, keys = jax.vmap(jax.random.split, out_axes=1)(keys)
        sizes = jax.vmap(curriculum.sample, (None, 0))(state.curriculum, size_keys)
        return memory_key, keys, sizes

    memories = max(1, len(training.memory_rows))

    def loss_of(parameters, memory, keys, sizes):
        machines = experiment.machines_for_updates(eqx.combine(parameters, static))
        losses, metrics = score_batch(machines[memory], task, keys, sizes, curriculum.largest)
        return jnp.mean(losses), jax.tree.map(jnp.mean, metrics)

    def gradients_with(memory, parameters, keys, sizes):
        gradient = jax.value_and_grad(loss_of, has_aux=True)
        return gradient(parameters, memory, keys, sizes)

    def update(state):
        key, keys, sizes = draw(state)
        memory = jax.random.randint(key, (), 0, memories)
        branches = [partial(gradients_with, i) for i in range(memories)]
        result = jax.lax.switch(memory, branches, state.parameters, keys, sizes)
        (loss, metrics), gradients = jax.lax.pmean(result, "batch")
        norms = jnp.stack([jnp.linalg.norm(g.ravel()) for g in jax.tree.leaves(gradients)])
        gradient_norm = jnp.linalg.norm(norms)
        finite = jnp.isfinite(loss) & jnp.isfinite(gradient_norm)

        def apply(state):
            steps, opt = optimizer.update(gradients, state.optimizer, state.parameters)
            return state._replace(
                parameters=optax.apply_updates(state.parameters, steps),
                optimizer=opt,
                curriculum=curriculum.update(state.curriculum, metrics[task.output.error]),
            )

        def leave_out(state):
            first = state.fault.step < 0
            fault = Fault(state.step, loss, norms)
            fault = jax.tree.map(
                lambda new, old: jnp.where(first, new, old), fault, state.fault
            )
            return state._replace(skipped=state.skipped + 1, fault=fault)

        state = jax.lax.cond(finite, apply, leave_out, state)
        report = metrics | {"loss": loss, "gradient_norm": gradient_norm}
        report = jax.tree.map(lambda x: jnp.where(finite, x, 0.0), report)
        return state._replace(step=state.step + 1), report | {"updates": finite * 1.0}

    def chunk(state, end):
        def goes_on(carry):
            stopped = (carry[0].fault.step >= 0) & (training.on_nonfinite == "stop")
            return (carry[0].step < end) & ~stopped

        def body(carry):
            state, sums = carry
            state, report = update(state)
            return state, jax.tree.map(jnp.add, sums, report)

        sums = jax.tree.map(jnp.zeros_like, jax.eval_shape(lambda s: update(s)[1], state))
        return jax.lax.while_loop(goes_on, body, (state, sums))

    mesh = Mesh(devices, ("batch",))
    replicated = PartitionSpec()
    mapped = jax.shard_map(
        chunk, mesh=mesh, in_specs=replicated, out_specs=replicated, check_vma=False
    )
    return jax.jit(mapped, donate_argnums=0)
