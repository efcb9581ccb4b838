"""The training state: parameters, optimiser, curriculum, counters."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree

from softmachine.core import compiling
from softmachine.core.capabilities import Finite
from softmachine.experiments.experiment import Experiment
from softmachine.experiments.settings import Settings
from softmachine.machines.machine import Machine, split_trainable


class Fault(NamedTuple):
    """The first update whose loss or gradient was not finite."""

    step: Int[Array, ""]
    """-1 while there was none."""
    loss: Float[Array, ""]
    gradient_norms: Float[Array, " leaves"]
    """Norm of each parameter's gradient, in the order of ``jax.tree.leaves``."""


class Weights(NamedTuple):
    """Parameters and the optimiser's state."""

    parameters: PyTree
    """The trainable half of the machine."""
    optimizer: PyTree
    averages: PyTree | None = None
    """Their running averages; see `TrainState.averages`."""


class TrainState(NamedTuple):
    """One member's training between two updates; a checkpoint holds nothing else."""

    parameters: PyTree
    """The trainable half of the machine."""
    buffers: PyTree
    """The machine's arrays that are not trained."""
    optimizer: PyTree
    curriculum: PyTree
    seed: Int[Array, ""]
    settings: Settings
    attempt: Int[Array, ""]
    """How often this member has started anew."""
    began: Int[Array, ""]
    """Updates done before this attempt."""
    step: Int[Array, ""]
    """Updates done."""
    skipped: Int[Array, ""]
    """Updates left out because loss or gradient was not finite."""
    fault: Fault
    priorities: Float[Array, " examples"] | None = None
    """How likely each example of a `softmachine.core.capabilities.Finite` task is to be drawn;
    None for other tasks."""
    kept: Weights | None = None
    """Where training goes back to, if it does; never on the devices that train."""
    averages: PyTree | None = None
    """Running averages of the parameters, if training takes them: what is judged and saved."""

    @property
    def judged(self) -> PyTree:
        """The parameters that are judged and saved: their averages, if there are some."""
        return self.parameters if self.averages is None else self.averages

    def at(self, parameters: PyTree) -> TrainState:
        """Return the state with other parameters, of which the averages begin anew."""
        averages = None if self.averages is None else parameters
        return self._replace(parameters=parameters, averages=averages)


def upgrade_state(
    tensors: dict[str, np.ndarray], names: Collection[str]
) -> dict[str, np.ndarray]:
    """Return a state's tensors, by their names, as this version has them.

    Until it counted validations, a state told only whether there had been one without a
    mistake. Until objectives had settings of their own, all members had a bonus. ``names`` are
    those that the state has today.
    """
    tensors, bonus = dict(tensors), "settings.objective.entropy_bonus"
    late = tensors.pop("settings.late", None)
    if late is not None:
        tensors["settings.settling"] = (late > 0).astype(np.int32)
    weight = tensors.pop("settings.entropy_bonus", None)
    if weight is not None and bonus in names:
        tensors[bonus] = weight
    return tensors


def first_state(experiment: Experiment, attempt: int = 0, step: int = 0) -> TrainState:
    """Return the state before the first update of an attempt, after ``step`` updates.

    One compiled program for all seeds, attempts and steps of an experiment.
    """
    seed, later, step_ = (
        None if number is None else jnp.asarray(np.int32(number))
        for number in (experiment.training.seed, attempt or None, step)
    )
    return _first_state(experiment.with_seed(0), seed, later, step_)


@partial(compiling.filter_jit, tuned=False)
def _first_state(
    experiment: Experiment,
    seed: Int[Array, ""],
    attempt: Int[Array, ""] | None,
    step: Int[Array, ""],
) -> TrainState:
    parameters, rest = split_trainable(experiment.build_machine(attempt, seed))
    leaves = len(jax.tree.leaves(parameters))
    task, training = experiment.task, experiment.training
    optimizer = training.optimizer.build(noise=training.noisy).init(parameters)
    averages = parameters if training.averaging else None
    count = jnp.zeros((), jnp.int32) if attempt is None else attempt
    return TrainState(
        parameters=parameters,
        buffers=eqx.filter(rest, eqx.is_array),
        optimizer=optimizer,
        curriculum=training.curriculum.init(),
        seed=seed,
        settings=experiment.settings(count, seed),
        attempt=count,
        began=step,
        step=step,
        skipped=jnp.zeros((), jnp.int32),
        fault=Fault(jnp.full((), -1, jnp.int32), jnp.zeros(()), jnp.zeros(leaves)),
        priorities=task.first_priorities() if isinstance(task, Finite) else None,
        kept=Weights(parameters, optimizer, averages)
        if any(phase.keeps for phase in training.phases)
        else None,
        averages=averages,
    )


def machine_class(experiment: Experiment) -> type[Machine]:
    """Return the class of an experiment's machine."""
    return type(eqx.filter_eval_shape(experiment.build_machine))


def machine_of(state: TrainState, experiment: Experiment) -> Machine:
    """Return the machine with a state's arrays in it: those that are judged."""
    shapes = eqx.filter_eval_shape(experiment.build_machine)
    static = eqx.filter(shapes, lambda x: isinstance(x, jax.ShapeDtypeStruct), inverse=True)
    return eqx.combine(state.judged, state.buffers, static)
