"""Training updates as one compiled program: many updates of many members, on all devices.

From the outside in, the program is nested like this:

- `build_train_chunk`: ``shard_map`` over a mesh of devices with two axes, ``member`` and
  ``batch``, of which one has length 1. A population has its members divided over the devices,
  which then never wait for each other; a run alone has its batch divided, and its gradients are
  summed over the devices (``psum``) in every update.
- on each device ``lax.map`` over groups of members, one group after another: a CPU core is
  fastest with as many examples as fit into its caches. Within a group members are in lockstep,
  by ``vmap`` or as one larger batch.
- `_Updates.run`: a ``while_loop`` over updates, as many as there are until the next validation,
  so that Python, and a copy from the device, come between validations and not between updates.
- `_Updates.update`: draw sizes and examples, get losses and gradients, take a step.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cached_property, partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Bool, Int

from softmachine.core import compiling
from softmachine.core.pytrees import PyTree
from softmachine.core.randomness import Branch, branch_key
from softmachine.core.specs.spec import Metric, each
from softmachine.experiments.experiment import Experiment
from softmachine.experiments.state import Fault, TrainState, machine_class, machine_of
from softmachine.machines.packed import packed_form
from softmachine.running.devices import MemberLayout
from softmachine.running.scoring import score_batch

TrainChunk = Callable[
    [TrainState, Int[Array, " members"]], tuple[TrainState, dict[str, Metric]]
]


def build_train_chunk(experiment: Experiment, layout: MemberLayout) -> TrainChunk:
    """Return what takes all members through their updates up to the next validation.

    That is ``(states, ends) -> (states, sums)``, compiled when it is first called. States and
    results have a leading axis of members; ``ends`` holds, for each, the number of the update
    before which it stops. Members that take updates in the same call must stand at the same
    step. What is drawn for example i of update t depends on (seed, t, i) alone, so that a
    member does what it would do without the others. ``sums`` holds each metric summed over the
    call's updates, of a `Ratio` totals and counts; under ``updates`` their number. The states
    that are given must not be used afterwards: the new ones take their place in memory.

    Raises ValueError if the batch cannot be divided over the devices.
    """
    alone = layout.members == 1
    shape = (1, len(layout.devices)) if alone else (len(layout.devices), 1)
    if experiment.training.batch % shape[1]:
        raise ValueError(
            f"batch {experiment.training.batch} cannot be divided over {shape[1]} devices"
        )
    compiling.make_room()
    lockstep = layout.together > 1

    def chunk(states, ends, data):
        updates = _Updates(experiment, shards=shape[1], lockstep=lockstep, data=data)
        if not updates.lockstep:
            # Not vmap: a loop of its own for each member takes no more turns than that needs,
            # and what it works on stays in the core's cache.
            return jax.lax.map(lambda member: updates.run(*member), (states, ends))
        # One after another, since all members at once would not fit into the cache.
        group = jax.vmap(updates.run, axis_name="member")
        groups = jax.tree.map(
            lambda x: x.reshape(-1, layout.together, *x.shape[1:]), (states, ends)
        )
        results = jax.lax.map(lambda members: group(*members), groups)
        return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), results)

    members, everywhere = PartitionSpec("member"), PartitionSpec()
    mapped = jax.shard_map(
        chunk,
        mesh=_mesh(layout),
        in_specs=(members, members, everywhere),
        out_specs=members,
        # Unchecked: every loop inside would need annotations of what differs between shards.
        check_vma=False,
    )
    # Donated: otherwise each call would hold parameters and moments twice, and copy them.
    compiled = jax.jit(mapped, donate_argnums=0, compiler_options=compiling.options())
    data = jax.device_put(experiment.task.data(), NamedSharding(_mesh(layout), everywhere))
    return lambda states, ends: compiled(states, ends, data)


def members_sharding(layout: MemberLayout) -> NamedSharding:
    """Return how arrays with a leading axis of members lie on the devices."""
    return NamedSharding(_mesh(layout), PartitionSpec("member"))


def _mesh(layout: MemberLayout) -> Mesh:
    shape = (1, -1) if layout.members == 1 else (-1, 1)
    devices = np.array(layout.devices, dtype=object).reshape(shape)
    return Mesh(devices, ("member", "batch"))


@dataclasses.dataclass(frozen=True)
class _Updates:
    """The updates of one member, on one of the shards of its batch."""

    experiment: Experiment
    shards: int
    """Devices that share the batch."""
    lockstep: bool
    """Whether this runs under a vmap over axis ``member``."""
    data: PyTree
    """The task's `Task.data`."""

    def run(self, state: TrainState, end: Int[Array, ""]) -> tuple[TrainState, dict]:
        """Take updates up to ``end``; sum up what they report.

        A member whose loss was not finite takes no more of them, if training is to stop there.
        """
        stops = self.experiment.training.on_nonfinite == "stop"
        # Traced once, for what it reports, and written out in the loop. Not the method itself:
        # `jit` would ask for the hash of all that this object holds, traced data among it.
        update = jax.jit(lambda state, live: self.update(state, live), inline=True)

        def goes_on(carry):
            state, _ = carry
            return (state.step < end) & ~((state.fault.step >= 0) & stops)

        def body(carry):
            state, sums = carry
            state, report = update(state, goes_on(carry))
            return state, jax.tree.map(jnp.add, sums, report)

        # Sums and not lists: how many updates there are is known at run time alone.
        report = jax.eval_shape(lambda state: update(state, state.step < end)[1], state)
        sums = jax.tree.map(jnp.zeros_like, report)
        return jax.lax.while_loop(goes_on, body, (state, sums))

    def update(
        self, state: TrainState, live: Bool[Array, ""] | bool
    ) -> tuple[TrainState, dict[str, Metric]]:
        """Take one update, or note why not.

        ``live`` is False for a member that has stopped and waits for others in lockstep.
        """
        keys, sizes = self._draw(state)
        if self.packed_gradient is None:
            step = self._common_step(state, live)
            losses_of = partial(self._losses, state, step, keys, sizes)
            (loss, metrics), gradients = jax.value_and_grad(losses_of, has_aux=True)(
                state.parameters
            )
        else:
            (loss, metrics), gradients = self.packed_gradient(state, keys, sizes)
        # Losses and gradients of a shard are its part of the batch's, metrics are its own.
        loss, gradients, metrics = *self._sum((loss, gradients)), self._mean(metrics)
        # Norms by parameter, so that a fault can say which one's gradient was not finite.
        norms = jnp.stack([jnp.linalg.norm(g.ravel()) for g in jax.tree.leaves(gradients)])
        gradient_norm = jnp.linalg.norm(norms)
        finite = jnp.isfinite(loss) & jnp.isfinite(gradient_norm)

        def descend(state):
            parameters, optimizer = self._descend(state, gradients, loss, metrics)
            averages = self._averages(state, parameters)
            error = each(metrics[self.experiment.task.error])
            curriculum = self.experiment.training.curriculum.update(state.curriculum, error)
            return state._replace(
                parameters=parameters,
                optimizer=optimizer,
                curriculum=curriculum,
                averages=averages,
            )

        def skip(state):
            first = state.fault.step < 0
            fault = Fault(state.step, loss, norms)
            fault = jax.tree.map(
                lambda new, old: jnp.where(first, new, old), fault, state.fault
            )
            return state._replace(skipped=state.skipped + 1, fault=fault)

        # Not applied: NaN would be in all parameters, and in the optimiser's moments for good.
        state = jax.lax.cond(finite, descend, skip, state)
        report = metrics | {"loss": loss, "gradient_norm": gradient_norm}
        report = jax.tree.map(lambda x: jnp.where(finite, x, 0.0), report)
        return state._replace(step=state.step + 1), report | {
            "updates": finite.astype(jnp.float32)
        }

    def _draw(self, state):
        """Return this shard's example keys and the whole batch's sizes.

        Every shard draws all sizes, and each example's key from its place in the whole batch,
        so that how many devices there are changes nothing that is drawn.
        """
        training = self.experiment.training
        key = branch_key(state.seed, Branch.UPDATES)
        size_key, key = jax.random.split(jax.random.fold_in(key, state.step))
        sizes = training.curriculum.sample(state.curriculum, size_key, training.batch)
        local = training.batch // self.shards
        first = jax.lax.axis_index("batch") * local
        keys = jax.vmap(partial(jax.random.fold_in, key))(first + jnp.arange(local))
        return keys, sizes

    def _common_step(self, state, live):
        """Return the update at which all live members of a group in lockstep stand.

        It chooses the number of memory rows (`Experiment.machines_for_updates`) by a
        ``switch``. With one number for all, ``vmap`` computes the branch that is chosen; with
        a number for each member it would compute all branches, and select. A member that has
        ended stands elsewhere, and is not asked.
        """
        if not self.lockstep:
            return state.step
        return jax.lax.pmax(jnp.where(live, state.step, 0), "member")

    def _losses(self, state, step, keys, sizes, parameters):
        """Return this shard's part of the batch's mean loss; its mean metrics.

        A part of the mean, not a mean of the shard's own, or what clips gradients inside the
        machine would see other ones the more shards there are.
        """
        local = len(keys)
        mine = jax.lax.dynamic_slice_in_dim(sizes, jax.lax.axis_index("batch") * local, local)
        machine = machine_of(state.at(parameters), self.experiment)
        context = jax.tree.map(
            lambda x: jnp.broadcast_to(x, (local,)), (state.settings, state.step - state.began)
        )
        machines = self.experiment.machines_for_updates(machine)

        def score(machine):
            return score_batch(
                machine,
                self.experiment.task,
                keys,
                mine,
                self.experiment.training.curriculum.largest,
                loss=self._objective,
                context=context,
                data=self.data,
                priorities=state.priorities,
                training=True,
                keep=self.experiment.training.keep,
                in_step="member" if self.lockstep else None,
            )

        branches = [partial(score, machine) for machine in machines]
        scores = jax.lax.switch(step % len(machines), branches)
        means = jax.tree.map(jnp.mean, scores.metrics)
        loss = jnp.mean(scores.losses) + self._of_machine(machine)
        return loss / self.shards, means

    def _of_machine(self, machine):
        return self.experiment.training.objective.of_machine(machine, self.experiment)

    def _objective(self, outputs, example, context):
        settings, age = context
        training = self.experiment.training
        return training.objective.loss(self.experiment.task, outputs, example, settings, age)

    @cached_property
    def packed_gradient(self) -> Callable | None:
        """Return what gives the gradients of members in lockstep, computed as one larger batch.

        ``(state, keys, sizes) -> ((loss, metrics), gradients)``, for one member, as
        `jax.value_and_grad` of `_losses`. A packed machine (`softmachine.machines.packed`)
        takes the examples of all members side by side, each with its own member's weights:
        fewer and larger operations than ``vmap`` makes, which adds an axis to every array in a
        place of its own choice. All of `update` is under a ``vmap`` over members; it is left
        here by ``custom_vmap``, which gives one function a rule of its own that gets the
        arrays of all members at once. None for machines without a packed form, and out of
        lockstep.
        """
        if not self.lockstep or packed_form(machine_class(self.experiment)) is None:
            return None

        def of_members(states, keys, sizes):
            # The gradient of the members' sum: a member's loss is of its own weights alone, so
            # that its part of it is the gradient of its loss.
            total = partial(self._losses_of_members, states, keys, sizes)
            (_, outcome), gradients = jax.value_and_grad(total, has_aux=True)(states.parameters)
            return outcome, gradients

        @jax.custom_batching.custom_vmap
        def gradient(*member):  # without a vmap: a group of one
            members = jax.tree.map(lambda x: x[None], member)
            return jax.tree.map(lambda x: x[0], of_members(*members))

        @gradient.def_vmap
        def rule(members, batched, *arguments):
            # What is the same for all members comes without their axis.
            arguments = jax.tree.map(
                lambda x, has: x if has else jnp.broadcast_to(x, (members, *jnp.shape(x))),
                arguments,
                tuple(batched),
            )
            result = of_members(*arguments)
            return result, jax.tree.map(lambda _: True, result)

        return gradient

    def _losses_of_members(self, states, keys, sizes, parameters):
        """Return the sum of the members' losses, and what `_losses` gives, of each."""
        members, batch = sizes.shape
        context = jax.tree.map(
            lambda x: jnp.repeat(x, batch), (states.settings, states.step - states.began)
        )
        machine = machine_of(states.at(parameters), self.experiment)
        (machine,) = self.experiment.machines_for_updates(machine)
        keys = keys.reshape(-1)
        scores = score_batch(
            machine,
            self.experiment.task,
            keys,
            sizes.reshape(-1),
            self.experiment.training.curriculum.largest,
            loss=self._objective,
            context=context,
            data=self.data,
            training=True,
            keep=self.experiment.training.keep,
        )
        losses, metrics = jax.tree.map(
            lambda x: x.reshape(members, batch), (scores.losses, scores.metrics)
        )
        means = jax.tree.map(lambda x: jnp.mean(x, axis=1), (losses, metrics))
        means = (means[0] + eqx.filter_vmap(self._of_machine)(machine), means[1])
        return jnp.sum(means[0]), means

    def _descend(self, state, gradients, loss, metrics):
        """Return the parameters after a step of the optimiser, and its state."""
        training = self.experiment.training
        optimizer = training.optimizer.build(noise=training.noisy)
        extra = {"value": loss} if training.optimizer.schedule == "plateau" else {}
        if training.noisy:
            key = branch_key(state.seed, Branch.NOISE)
            age = (state.step - state.began).astype(jnp.float32)
            extra["noise_key"] = jax.random.fold_in(key, state.step)
            extra["deviation"] = state.settings.gradient_noise * (1 + age) ** -0.275
            if training.noise_by_error:
                extra["deviation"] *= 1 - metrics["perfect"]
        steps, moments = optimizer.update(gradients, state.optimizer, state.parameters, **extra)
        if training.search.learning_rate is not None:
            # The optimiser is one for all members; its steps are proportional to the rate.
            factor = state.settings.learning_rate / training.optimizer.learning_rate
            steps = jax.tree.map(lambda x: x * factor, steps)
        for phase in training.phases:
            steps = phase.steps(steps, state)
        return optax.apply_updates(state.parameters, steps), moments

    def _averages(self, state, parameters):
        """Return the running averages of the parameters, if they are taken."""
        decay = self.experiment.training.averaging
        return (
            jax.tree.map(
                lambda mean, x: decay * mean + (1 - decay) * x, state.averages, parameters
            )
            if decay
            else None
        )

    def _sum(self, tree):
        return jax.lax.psum(tree, "batch") if self.shards > 1 else tree

    def _mean(self, tree):
        return jax.lax.pmean(tree, "batch") if self.shards > 1 else tree
