"""A small experiment that trains in a second or two."""

import dataclasses

import pytest

from softmachine.machines.controllers import ControllerConfig
from softmachine.machines.ntm import NTMConfig
from softmachine.tasks.copy import Copy
from softmachine.training.curricula import Uniform
from softmachine.training.experiment import Experiment, SolvedConfig, TrainingConfig
from softmachine.training.optimizers import OptimizerConfig


@pytest.fixture
def experiment() -> Experiment:
    return Experiment(
        recipe="small",
        task=Copy(width=3),
        machine=NTMConfig(
            controller=ControllerConfig(hidden=12),
            memory_rows=8,
            memory_columns=5,
            initial_weightings="first-row",
        ),
        training=TrainingConfig(
            batch=4,
            max_sequences=160,
            optimizer=OptimizerConfig(learning_rate=3e-3),
            curriculum=Uniform(smallest=1, largest=4),
            solved=SolvedConfig(sequences=20),
            validate_every=20,
            checkpoint_every=40,
        ),
    )


@pytest.fixture
def with_training():
    """Replace fields of an experiment's training."""

    def replace(experiment: Experiment, **fields) -> Experiment:
        training = dataclasses.replace(experiment.training, **fields)
        return dataclasses.replace(experiment, training=training)

    return replace
