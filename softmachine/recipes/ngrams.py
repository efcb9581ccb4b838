"""Recipes of the dynamic N-grams task: an NTM with two controllers, and an LSTM."""

from __future__ import annotations

from typing import Any

from softmachine.experiments.curricula import Uniform
from softmachine.experiments.experiment import Experiment, TrainingConfig
from softmachine.machines.ntm.ntm import NTMConfig
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.recipes.tuned import lstm, ntm, training
from softmachine.tasks.sequences.ngrams import NGrams

SIZES = Uniform(smallest=200, largest=200)


def ntm_ngrams() -> Experiment:
    """NTM, LSTM controller: predict bits from what followed the same five bits."""
    return Experiment(
        recipe="ntm-ngrams",
        task=NGrams(),
        machine=_machine(ControllerConfig(kind="lstm", hidden=100)),
        training=_training(150_000),
    )


def ntm_ff_ngrams() -> Experiment:
    """NTM, feed-forward controller: predict bits from what followed the same five bits."""
    return Experiment(
        recipe="ntm-ff-ngrams",
        task=NGrams(),
        # Some gradients overflow otherwise, and a few still do: those are left out.
        machine=_machine(
            ControllerConfig(kind="feedforward", hidden=100), similarity_smoothing=1e-3
        ),
        training=_training(150_000, on_nonfinite="skip"),
    )


def lstm_ngrams() -> Experiment:
    """Baseline, 3 LSTM layers of 128: predict bits from what followed the same five bits."""
    return Experiment(
        recipe="lstm-ngrams",
        task=NGrams(),
        machine=lstm(layers=3, hidden=128),
        training=_training(150_000, batch=16),
    )


def _machine(controller: ControllerConfig, **choices: Any) -> NTMConfig:
    # Each context needs a row of its own: rows that differ from the start can be told apart.
    return ntm(
        controller, initial_memory="learned", initial_memory_range=(-0.3, 0.3), **choices
    )


def _training(sequences: int, batch: int = 4, **choices: Any) -> TrainingConfig:
    return training(
        SIZES,
        sequences,
        batch=batch,
        memory_rows=(),
        solvable=False,
        validate_every=5_000,
        **choices,
    )
