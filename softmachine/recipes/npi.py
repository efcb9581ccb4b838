"""Recipes of the programmer-interpreter: programs learned from traces, and proved."""

from __future__ import annotations

from softmachine.experiments.curricula import Uniform
from softmachine.experiments.experiment import Experiment, SolvedConfig, TrainingConfig
from softmachine.experiments.optimizers import OptimizerConfig
from softmachine.machines.npi import npi_for
from softmachine.machines.npi_ram import NPIRAMConfig
from softmachine.tasks.memories.arrays import Reverse
from softmachine.tasks.traced.ram_tasks import RAMCopy, RAMIncrement, RAMReverse
from softmachine.tasks.traced.task import TracedTask
from softmachine.tasks.traced.tasks import (
    Addition,
    BubbleSort,
    QuickSort,
    Several,
    TopologicalSort,
)
from softmachine.training.finite import AllExamples, SampleByError
from softmachine.training.npi_ram.lessons import ExamplesAndLessons, Lessons
from softmachine.training.npi_ram.program_search import ProgramSearch

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


def npi_ram_increment() -> Experiment:
    """NPI, one LSTM layer: add 1 to numbers on a random-access machine, from one trace."""
    return _proved("npi-ram-increment", RAMIncrement(), few=True)


def npi_ram_copy() -> Experiment:
    """NPI, one LSTM layer: copy numbers on a random-access machine, from one trace."""
    return _proved("npi-ram-copy", RAMCopy(), few=True)


def npi_ram_reverse() -> Experiment:
    """NPI, one LSTM layer: reverse numbers on a random-access machine, from one trace."""
    return _proved("npi-ram-reverse", RAMReverse(), few=True)


def npi_ram_transfer() -> Experiment:
    """NPI on a soft memory: reverse from answers alone, after traces of increment and copy."""
    interface = RAMReverse().interface
    batch, between = 16, 20
    return Experiment(
        recipe="npi-ram-transfer",
        task=Reverse(),
        machine=NPIRAMConfig(
            programs=len(interface.calls.programs),
            main=interface.program("reverse", "REVERSE"),
            width=32,
        ),
        training=TrainingConfig(
            batch=batch,
            max_sequences=1_000 * batch,
            optimizer=OptimizerConfig(learning_rate=3e-3, clip_norm=1.0),
            curriculum=Uniform(smallest=1, largest=3),
            objective=ExamplesAndLessons(),
            solved=SolvedConfig(sequences=64, bits=None),
            validate_every=between * batch,
            checkpoint_every=10 * between * batch,
            phases=(Lessons(), ProgramSearch(updates=between)),
        ),
    )


def npi_several() -> Experiment:
    """NPI, two LSTM layers: all four in one core, from the traces of each."""
    return _proved("npi-several", Several())


def _proved(name: str, task: TracedTask, *, few: bool = False) -> Experiment:
    """Return a training until a core is right on all calls that can occur.

    ``few``: of a handful of calls, which it asks for sooner and draws fewer of at a time.
    """
    updates, batch, between = (2_000, 16, 50) if few else (6_000, BATCH, BETWEEN)
    return Experiment(
        recipe=name,
        task=task,
        machine=npi_for(task.interface.calls, layers=1 if few else 2),
        training=TrainingConfig(
            batch=batch,
            max_sequences=updates * batch,
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
            validate_every=between * batch,
            checkpoint_every=10 * between * batch,
            phases=(SampleByError(factor=100.0), AllExamples()),
        ),
    )
