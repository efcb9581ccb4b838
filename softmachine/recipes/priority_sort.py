"""Recipes of the priority sort task.

Machines learn a selection sort: find the vector of highest priority by content, output it,
remove it. Training begins with the single highest of five vectors; the number of outputs rises
with time.
"""

from __future__ import annotations

from softmachine.experiments.curricula import Rising
from softmachine.experiments.experiment import Experiment, TrainingConfig
from softmachine.machines.ntm.ntm import NTMConfig
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.recipes.tuned import lstm, ntm, training
from softmachine.tasks.sequences.priority_sort import PrioritySort


def ntm_sort() -> Experiment:
    """NTM, LSTM controller: output the 16 highest of 20 vectors in the order of priority."""
    return Experiment(
        recipe="ntm-sort",
        task=PrioritySort(),
        machine=_machine(ControllerConfig(kind="lstm", hidden=100)),
        training=_training(2_000_000, batch=4),
    )


def ntm_ff_sort() -> Experiment:
    """NTM, feed-forward controller: output the 16 highest of 20 vectors in order."""
    return Experiment(
        recipe="ntm-ff-sort",
        task=PrioritySort(),
        machine=_machine(ControllerConfig(kind="feedforward", hidden=100)),
        training=_training(2_000_000, batch=4),
    )


def lstm_sort() -> Experiment:
    """Baseline, 3 LSTM layers of 128: output the 16 highest of 20 vectors in order."""
    return Experiment(
        recipe="lstm-sort",
        task=PrioritySort(),
        machine=lstm(layers=3, hidden=128),
        training=_training(2_000_000, batch=16),
    )


def _machine(controller: ControllerConfig) -> NTMConfig:
    # Without smoothing, rows that are nearly 0 have similarity gradients in the millions.
    return ntm(
        controller,
        key_activation="tanh",
        add_activation="tanh",
        similarity_smoothing=1e-3,
    )


def _training(sequences: int, batch: int) -> TrainingConfig:
    updates = sequences // batch
    return training(
        Rising(smallest=1, largest=16, over=updates * 3 // 5),
        sequences,
        batch=batch,
        clip_norm=1.0,
        memory_rows=(),
        solvable=False,
        validate_every=40_000,
    )
