"""The experiment of program synthesis: train NRAMs on given examples until one is right."""

from __future__ import annotations

from pathlib import Path

from softmachine.core.errors import SoftmachineError
from softmachine.experiments.curricula import Uniform
from softmachine.experiments.experiment import Experiment, SolvedConfig, TrainingConfig
from softmachine.experiments.optimizers import OptimizerConfig
from softmachine.experiments.population import (
    create_population,
    is_population,
    open_population,
)
from softmachine.experiments.runs import Run
from softmachine.machines.nram.nram import NRAMConfig
from softmachine.tasks.memories.given import Given
from softmachine.training.exam import Exam
from softmachine.training.nram.objective import NRAMLoss
from softmachine.training.nram.wire_search import WireSearch
from softmachine.training.phases import Restart

NAME = "synthesize"
"""The recipe name of such experiments."""
BATCH = 32
"""Sequences per update."""


def synthesis(
    task: Given, machine: NRAMConfig, *, seed: int = 0, enough: int = 1
) -> Experiment:
    """Return an experiment whose members are solved once their hard form is right.

    Only the hard form is tested, since only it becomes the program.

    Arguments:
        task: the examples.
        machine: the configuration of the NRAM.
        seed: the seed of the first member.
        enough: the number of solved members at which training ends.
    """
    sizes = task.sizes
    return Experiment(
        recipe=NAME,
        task=task,
        machine=machine,
        training=TrainingConfig(
            seed=seed,
            batch=BATCH,
            max_sequences=100_000 * BATCH,
            optimizer=OptimizerConfig(learning_rate=3e-3, clip_norm=1.0),
            curriculum=Uniform(smallest=sizes[0], largest=sizes[-1]),
            objective=NRAMLoss(
                entropy_bonus_range=(0.01, 0.2), entropy_decay=0.998, late_entropy_penalty=0.01
            ),
            gradient_noise=0.005,
            solved=SolvedConfig(sequences=128, bits=None),
            phases=(
                Exam(largest=task.held_out(larger=True).sizes[-1], soft=False),
                WireSearch(updates=50, error=1.0, tables=100_000),
                Restart(rules=((500, 0.3), (1_500, 0.05))),
            ),
            validate_every=50 * BATCH,
            checkpoint_every=200 * BATCH,
            enough=enough,
        ),
    )


def begin_or_continue(path: Path, experiment: Experiment, members: int) -> list[Run]:
    """Return the runs of a population at ``path``, which is created if it does not exist.

    Raises SoftmachineError if there is one with another experiment or number of members.
    """
    if not is_population(path):
        return create_population(path, experiment, members)
    runs = open_population(path)
    if len(runs) != members or runs[0].experiment != experiment:
        raise SoftmachineError(
            f"{path} was begun with other examples or options: choose another directory with "
            "--run, or repeat its own to continue it"
        )
    return runs
