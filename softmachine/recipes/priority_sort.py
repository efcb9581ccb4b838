"""Recipes of the priority sort task."""

from __future__ import annotations

from softmachine.machines.controllers import ControllerConfig
from softmachine.recipes.tuned import lstm, ntm, training
from softmachine.tasks.priority_sort import PrioritySort
from softmachine.training.curricula import Uniform
from softmachine.training.experiment import Experiment

SIZES = Uniform(smallest=20, largest=20)


def ntm_sort() -> Experiment:
    """NTM, LSTM controller: say the 16 highest of 20 vectors in the order of priority."""
    return Experiment(
        recipe="ntm-sort",
        task=PrioritySort(),
        machine=ntm(
            ControllerConfig(kind="lstm", hidden=100),
            read_heads=2,
            write_heads=2,
            initial_memory="learned",
            initial_memory_range=(-0.3, 0.3),
        ),
        training=training(SIZES, 400_000, batch=4, memory_rows=(), solvable=False),
    )


def lstm_sort() -> Experiment:
    """Baseline, 3 LSTM layers of 128: say the 16 highest of 20 vectors in order."""
    return Experiment(
        recipe="lstm-sort",
        task=PrioritySort(),
        machine=lstm(layers=3, hidden=128),
        training=training(
            SIZES, 400_000, batch=16, memory_rows=(), solvable=False, validate_every=10_000
        ),
    )
