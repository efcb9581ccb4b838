"""Recipes of the programmer-interpreter: programs learned from traces, and proved."""

from __future__ import annotations

from softmachine.experiments.curricula import Uniform
from softmachine.experiments.experiment import Experiment, SolvedConfig, TrainingConfig
from softmachine.experiments.optimizers import OptimizerConfig
from softmachine.machines.npi import npi_for
from softmachine.tasks.traced.task import TracedTask
from softmachine.tasks.traced.tasks import (
    Addition,
    BubbleSort,
    QuickSort,
    Several,
    TopologicalSort,
)
from softmachine.training.finite import AllExamples, SampleByError

BATCH = 64
"""Calls of an update."""
BETWEEN = 100
"""Updates from one validation to the next, when it is asked anew which calls are wrong."""


def npi_addition() -> Experiment:
    """NPI, two LSTM layers: add equally long numbers of any length, from 200 traces."""
    return _proved("npi-addition", Addition())


def npi_bubble_sort() -> Experiment:
    """NPI, two LSTM layers: sort by exchanging neighbours, from the traces of six rows."""
    return _proved("npi-bubble-sort", BubbleSort())


def npi_quicksort() -> Experiment:
    """NPI, two LSTM layers: sort by parting in two, from the traces of four rows."""
    return _proved("npi-quicksort", QuickSort())


def npi_topological_sort() -> Experiment:
    """NPI, two LSTM layers: put a graph in order, from the traces of six graphs."""
    return _proved("npi-topological-sort", TopologicalSort())


def npi_several() -> Experiment:
    """NPI, two LSTM layers: all four in one core, from the traces of each."""
    return _proved("npi-several", Several())


def _proved(name: str, task: TracedTask) -> Experiment:
    """Return a training until a core is right on all calls that can occur."""
    updates = 6_000
    return Experiment(
        recipe=name,
        task=task,
        machine=npi_for(task.interface.calls),
        training=TrainingConfig(
            batch=BATCH,
            max_sequences=updates * BATCH,
            optimizer=OptimizerConfig(
                kind="adamw",
                learning_rate=4e-3,
                weight_decay=0.1,
                schedule="cosine",
                decay_steps=updates,
                clip_norm=1.0,
            ),
            curriculum=Uniform(smallest=1, largest=1),
            solved=SolvedConfig(bits=None),
            validate_every=BETWEEN * BATCH,
            checkpoint_every=10 * BETWEEN * BATCH,
            phases=(SampleByError(factor=100.0), AllExamples()),
        ),
    )
