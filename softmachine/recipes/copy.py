"""Recipes of the copy task: an NTM with two controllers, and an LSTM."""

from __future__ import annotations

from softmachine.experiments.curricula import Uniform
from softmachine.experiments.experiment import Experiment
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.recipes.tuned import lstm, ntm, training, transformer
from softmachine.tasks.sequences.copy import Copy
from softmachine.training.phases import Restart

SIZES = Uniform(smallest=1, largest=20)


def ntm_copy() -> Experiment:
    """NTM, LSTM controller: reproduce a sequence of 1 to 20 vectors."""
    return Experiment(
        recipe="ntm-copy",
        task=Copy(),
        machine=ntm(ControllerConfig(kind="lstm", hidden=100)),
        training=training(SIZES, 40_000, restart=Restart(rules=((14_000, 5.0),))),
    )


def ntm_ff_copy() -> Experiment:
    """NTM, feed-forward controller: reproduce a sequence of 1 to 20 vectors."""
    return Experiment(
        recipe="ntm-ff-copy",
        task=Copy(),
        machine=ntm(
            ControllerConfig(kind="feedforward", hidden=100),
            key_activation="tanh",
            add_activation="tanh",
        ),
        # Half of the seeds are right after 4,000 updates; the others would stay at a plateau.
        training=training(
            SIZES, 60_000, learning_rate=2e-3, restart=Restart(rules=((6_000, 0.5),))
        ),
    )


def lstm_copy() -> Experiment:
    """Baseline, 3 LSTM layers of 128: reproduce a sequence of 1 to 20 vectors."""
    return Experiment(
        recipe="lstm-copy",
        task=Copy(),
        machine=lstm(layers=3, hidden=128),
        training=training(SIZES, 100_000, batch=16, memory_rows=(), validate_every=10_000),
    )


def transformer_copy() -> Experiment:
    """Transformer encoder, relative positions: reproduce a sequence of 1 to 20 vectors."""
    return Experiment(
        recipe="transformer-copy",
        task=Copy(),
        machine=transformer("relative"),
        training=training(
            SIZES, 400_000, batch=32, clip_norm=1.0, memory_rows=(), validate_every=16_000
        ),
    )
