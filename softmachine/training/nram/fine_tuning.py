"""Fine-tuning of NRAMs whose soft form is right and whose hard form is not yet."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import jax.numpy as jnp

from softmachine.experiments.experiment import Experiment
from softmachine.experiments.runs import Run
from softmachine.experiments.state import first_state, machine_of
from softmachine.machines.machine import split_trainable
from softmachine.machines.nram.nram import NRAM
from softmachine.training.members import MemberStates
from softmachine.training.nram.objective import NRAMLoss

LEARNING_RATE = 1e-3
ENTROPY_PENALTY = 0.1


def fine_tune(runs: Sequence[Run], updates: int) -> list[NRAM]:
    """Return the best machines of a population's runs after more updates.

    There is no gradient noise, and undecided choices cost ten times what they cost late in
    the recipes' own training: what is nearly decided is to become so without breaking. The
    runs themselves are left as they are.
    """
    experiment = _late(runs[0].experiment)
    step = experiment.training.last_update  # for all: later than any that a member has seen
    states = []
    for run in runs:
        machine, _ = run.load_best()
        state = first_state(experiment.with_seed(run.experiment.training.seed), step=step)
        settings = state.settings._replace(
            learning_rate=jnp.asarray(LEARNING_RATE, jnp.float32),
            gradient_noise=jnp.zeros((), jnp.float32),
            settling=jnp.ones((), jnp.int32),
        )
        parameters, _ = split_trainable(machine)
        states.append(state.at(parameters)._replace(settings=settings))
    members = MemberStates(experiment, states)
    members.advance(range(len(runs)), step + updates)
    machines = [machine_of(members.of(i), experiment) for i in range(len(runs))]
    return [machine for machine in machines if isinstance(machine, NRAM)]


def _late(experiment: Experiment) -> Experiment:
    """Return the experiment with other rates."""
    training = experiment.training
    assert isinstance(training.objective, NRAMLoss)
    training = dataclasses.replace(
        training,
        objective=dataclasses.replace(training.objective, late_entropy_penalty=ENTROPY_PENALTY),
        optimizer=dataclasses.replace(training.optimizer, learning_rate=LEARNING_RATE),
    )
    return dataclasses.replace(experiment, training=training)
