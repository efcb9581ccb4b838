"""Recipes of regression in episodes: a MANN, and an LSTM, beside the exact Gaussian process."""

from __future__ import annotations

from softmachine.experiments.curricula import Uniform
from softmachine.experiments.experiment import Experiment
from softmachine.machines.machine import MachineConfig
from softmachine.recipes.one_shot import mann
from softmachine.recipes.tuned import lstm, training
from softmachine.tasks.one_shot.regression import GPRegression

POINTS = 50
"""Points of an episode."""


def mann_regression() -> Experiment:
    """MANN, LSTM controller: predict a new function's values, told each value late."""
    return _regression("mann-regression", mann())


def lstm_regression() -> Experiment:
    """LSTM: predict a new function's values, told each value late."""
    return _regression("lstm-regression", lstm(layers=1, hidden=200))


def _regression(name: str, machine: MachineConfig) -> Experiment:
    return Experiment(
        recipe=name,
        task=GPRegression(),
        machine=machine,
        training=training(
            Uniform(smallest=POINTS, largest=POINTS),
            60_000,
            batch=16,
            memory_rows=(),
            solvable=False,
            validate_every=4_000,
        ),
    )
