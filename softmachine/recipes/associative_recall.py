"""Recipes of the associative recall task: an NTM with two controllers, and an LSTM."""

from __future__ import annotations

from softmachine.experiments.curricula import Uniform
from softmachine.experiments.experiment import Experiment
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.recipes.tuned import lstm, ntm, training
from softmachine.tasks.sequences.associative_recall import AssociativeRecall
from softmachine.training.phases import Restart

SIZES = Uniform(smallest=2, largest=6)


def ntm_recall() -> Experiment:
    """NTM, LSTM controller: output the item after a queried one, out of 2 to 6."""
    return Experiment(
        recipe="ntm-recall",
        task=AssociativeRecall(),
        machine=ntm(ControllerConfig(kind="lstm", hidden=100)),
        # At 1e-3 a third of the seeds learn the items without their order, and stay there.
        training=training(SIZES, 120_000, batch=2, learning_rate=5e-4),
    )


def ntm_ff_recall() -> Experiment:
    """NTM, feed-forward controller: output the item after a queried one, out of 2 to 6."""
    return Experiment(
        recipe="ntm-ff-recall",
        task=AssociativeRecall(),
        machine=ntm(ControllerConfig(kind="feedforward", hidden=100), read_heads=2),
        # A third of the seeds stays at a plateau; half of those leave it from another start.
        training=training(
            SIZES, 120_000, batch=2, clip_norm=1.0, restart=Restart(rules=((8_000, 1.0),))
        ),
    )


def lstm_recall() -> Experiment:
    """Baseline, 3 LSTM layers of 128: output the item after a queried one, out of 2 to 6."""
    return Experiment(
        recipe="lstm-recall",
        task=AssociativeRecall(),
        machine=lstm(layers=3, hidden=128),
        training=training(SIZES, 1_000_000, batch=16, memory_rows=(), validate_every=10_000),
    )
