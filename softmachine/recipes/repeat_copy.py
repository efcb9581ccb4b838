"""Recipes of the repeat copy task: an NTM with three controllers, and an LSTM."""

from __future__ import annotations

from softmachine.experiments.curricula import Uniform
from softmachine.experiments.experiment import Experiment
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.recipes.tuned import lstm, ntm, training
from softmachine.tasks.sequences.repeat_copy import RepeatCopy

SIZES = Uniform(smallest=1, largest=10)


def ntm_repeat_copy() -> Experiment:
    """NTM, an LSTM that counts in equal steps: output 1 to 10 vectors 1 to 10 times.

    For generalisation to more repeats than in training. Unlike the paper, the number of
    repeats is an input with standard deviation 5.7 instead of 1, it has noise of up to 0.4
    repeats in training, and the controller's cells count in equal steps.
    ``ntm-lstm-repeat-copy`` has the paper's own task and controller.
    """
    # The larger scale and the noise separate successive counts in a cell, and make them
    # equally far apart.
    return Experiment(
        recipe="ntm-repeat-copy",
        task=RepeatCopy(normalized_over=(5, 6), noise=0.4),
        machine=ntm(ControllerConfig(kind="counter", hidden=100)),
        training=training(SIZES, 80_000),
    )


def ntm_lstm_repeat_copy() -> Experiment:
    """NTM, LSTM controller, the paper's task: output 1 to 10 vectors 1 to 10 times."""
    return Experiment(
        recipe="ntm-lstm-repeat-copy",
        task=RepeatCopy(),
        machine=ntm(ControllerConfig(kind="lstm", hidden=100)),
        training=training(SIZES, 80_000),
    )


def ntm_ff_repeat_copy() -> Experiment:
    """NTM, feed-forward controller: output 1 to 10 vectors 1 to 10 times."""
    return Experiment(
        recipe="ntm-ff-repeat-copy",
        task=RepeatCopy(),
        machine=ntm(ControllerConfig(kind="feedforward", hidden=100)),
        training=training(SIZES, 200_000),
    )


def lstm_repeat_copy() -> Experiment:
    """Baseline, 3 LSTM layers of 128: output 1 to 10 vectors 1 to 10 times."""
    return Experiment(
        recipe="lstm-repeat-copy",
        task=RepeatCopy(),
        machine=lstm(layers=3, hidden=128),
        training=training(SIZES, 200_000, batch=16, memory_rows=(), validate_every=10_000),
    )
