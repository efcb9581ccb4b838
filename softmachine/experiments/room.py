"""Refusing trainings that would not fit into memory."""

from __future__ import annotations

import equinox as eqx
import jax

from softmachine.core.errors import SoftmachineError
from softmachine.core.room import check_room, size_of
from softmachine.experiments.experiment import Experiment
from softmachine.experiments.state import first_state
from softmachine.machines.machine import Cell
from softmachine.running.room import held


def check_training(experiment: Experiment, members: int = 1) -> None:
    """Raise SoftmachineError if there is not memory enough to train ``members`` members.

    The estimate is low: what no training can do without. That is the state of each member,
    once more for its next one, and for one batch the examples and the states of a machine
    that are kept for the way back. So it does if the task has no examples as large as the
    curriculum's largest.
    """
    training, task = experiment.training, experiment.task
    largest = training.curriculum.largest
    try:
        task.check_size(largest, largest)
    except ValueError as error:
        raise SoftmachineError(f"training curriculum.largest: {error}") from error
    steps = task.steps(largest)

    def needed() -> int:
        state = size_of(lambda: first_state(experiment))
        example = size_of(lambda: task.sample(jax.random.key(0), largest, max_size=largest))
        machine = eqx.filter_eval_shape(experiment.build_machine)
        kept = training.keep.states(steps) if isinstance(machine, Cell) else 1
        kept *= size_of(lambda: held(experiment.build_machine(), task, largest))
        return 2 * members * state + training.batch * (example + kept)

    what = f"training {members:,} members" if members > 1 else "this training"
    check_room(
        needed, steps, f"{what}, with batches of {training.batch:,} up to size {largest:,},"
    )
