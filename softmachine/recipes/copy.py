"""Recipes of the copy task."""

from __future__ import annotations

import dataclasses

from softmachine.machines.controllers import ControllerConfig
from softmachine.machines.ntm import NTMConfig
from softmachine.machines.recurrent import RecurrentConfig
from softmachine.tasks.copy import Copy
from softmachine.training.curricula import Uniform
from softmachine.training.experiment import Experiment, SolvedConfig, TrainingConfig
from softmachine.training.optimizers import OptimizerConfig


def ntm_copy() -> Experiment:
    """NTM with an LSTM controller learns to copy sequences of 1 to 20 vectors."""
    return Experiment(
        recipe="ntm-copy",
        task=Copy(width=8),
        machine=NTMConfig(
            controller=ControllerConfig(kind="lstm", hidden=100),
            memory_rows=128,
            memory_columns=20,
            order="read-write",
            initial_weightings="first-row",
        ),
        training=TrainingConfig(
            batch=1,
            max_sequences=40_000,
            # Longer than it takes to solve the task: the machine goes on to become sharp
            # enough for sequences six times longer.
            solved=SolvedConfig(bits=0.0),
            optimizer=OptimizerConfig(
                kind="adam",
                learning_rate=1e-3,
                schedule="cosine",
                decay_steps=40_000,
                clip_norm=10.0,
            ),
            curriculum=Uniform(smallest=1, largest=20),
            memory_rows=(32, 128),
        ),
    )


def ntm_ff_copy() -> Experiment:
    """NTM with a feed-forward controller; otherwise as ntm-copy."""
    base = ntm_copy()
    controller = ControllerConfig(kind="feedforward", hidden=100)
    return dataclasses.replace(
        base,
        recipe="ntm-ff-copy",
        machine=dataclasses.replace(base.machine, controller=controller),
    )


def lstm_copy() -> Experiment:
    """The paper's baseline, three LSTM layers of 256 and no memory."""
    base = ntm_copy()
    return dataclasses.replace(
        base,
        recipe="lstm-copy",
        machine=RecurrentConfig(controller=ControllerConfig(kind="lstm", hidden=256, layers=3)),
        training=TrainingConfig(
            batch=16,
            max_sequences=1_000_000,
            curriculum=base.training.curriculum,
            optimizer=OptimizerConfig(learning_rate=1e-3),
            validate_every=20_000,
            checkpoint_every=20_000,
        ),
    )
