"""Recipes of the priority sort task."""

from __future__ import annotations

from softmachine.machines.controllers import ControllerConfig
from softmachine.machines.ntm import NTMConfig
from softmachine.recipes.tuned import lstm, ntm, training
from softmachine.tasks.priority_sort import PrioritySort
from softmachine.training.curricula import Uniform
from softmachine.training.experiment import Experiment, TrainingConfig

SIZES = Uniform(smallest=16, largest=16)


def ntm_sort() -> Experiment:
    """NTM, LSTM controller: say the 16 highest of 20 vectors in the order of priority."""
    return Experiment(
        recipe="ntm-sort",
        task=PrioritySort(),
        machine=_machine(ControllerConfig(kind="lstm", hidden=100)),
        training=_training(400_000),
    )


def ntm_ff_sort() -> Experiment:
    """NTM, feed-forward controller: say the 16 highest of 20 vectors in order."""
    return Experiment(
        recipe="ntm-ff-sort",
        task=PrioritySort(),
        machine=_machine(ControllerConfig(kind="feedforward", hidden=200)),
        training=_training(400_000),
    )


def lstm_sort() -> Experiment:
    """Baseline, 3 LSTM layers of 128: say the 16 highest of 20 vectors in order."""
    return Experiment(
        recipe="lstm-sort",
        task=PrioritySort(),
        machine=lstm(layers=3, hidden=128),
        training=_training(100_000, batch=16, clip_norm=10.0),
    )


def _machine(controller: ControllerConfig) -> NTMConfig:
    # Rows that differ from the start: a priority can become a place among them.
    return ntm(
        controller,
        read_heads=4,
        write_heads=4,
        key_activation="tanh",
        add_activation="tanh",
        initial_memory="learned",
        initial_memory_range=(-1.0, 1.0),
        initial_weightings="learned",
    )


def _training(sequences: int, batch: int = 1, clip_norm: float = 1.0) -> TrainingConfig:
    return training(
        SIZES,
        sequences,
        batch=batch,
        clip_norm=clip_norm,
        memory_rows=(),
        solvable=False,
        validate_every=10_000,
    )
