"""Recipes of the reverse string task: an NTM and an LSTM."""

from __future__ import annotations

from softmachine.experiments.curricula import Uniform
from softmachine.experiments.experiment import Experiment
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.recipes.tuned import lstm, ntm, training, transformer
from softmachine.tasks.languages.reverse_string import ReverseString

SIZES = Uniform(smallest=1, largest=10)


def ntm_reverse_string() -> Experiment:
    """NTM, LSTM controller: reverse a string of 1 to 10 letters."""
    return Experiment(
        recipe="ntm-reverse-string",
        task=ReverseString(),
        machine=ntm(ControllerConfig(kind="lstm", hidden=64)),
        training=training(SIZES, 60_000),
    )


def lstm_reverse_string() -> Experiment:
    """Baseline, one LSTM layer of 128: reverse a string of 1 to 10 letters."""
    return Experiment(
        recipe="lstm-reverse-string",
        task=ReverseString(),
        machine=lstm(layers=1, hidden=128),
        training=training(SIZES, 100_000, batch=16, memory_rows=(), validate_every=5_000),
    )


def transformer_reverse_string() -> Experiment:
    """Transformer encoder, relative positions: reverse a string of 1 to 10 letters."""
    return Experiment(
        recipe="transformer-reverse-string",
        task=ReverseString(),
        machine=transformer("relative"),
        training=training(
            SIZES, 400_000, batch=32, clip_norm=1.0, memory_rows=(), validate_every=16_000
        ),
    )
