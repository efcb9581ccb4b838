"""Recipes of one-shot classification: a MANN, and machines with other memories or none."""

from __future__ import annotations

from typing import Any

from softmachine.experiments.curricula import Uniform
from softmachine.experiments.experiment import Experiment, TrainingConfig
from softmachine.machines.mann import MANNConfig
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.recipes.tuned import training
from softmachine.tasks.one_shot.episodes import Episodes


def mann_glyphs() -> Experiment:
    """MANN, LSTM controller: name drawn glyphs of five new classes, told each name late."""
    return Experiment(
        recipe="mann-glyphs",
        task=Episodes(),
        machine=mann(),
        training=_training(32_000),
    )


def mann(**choices: Any) -> MANNConfig:
    """Return a MANN that learns sooner than the paper's: its heads have key strengths."""
    settings = {
        "controller": ControllerConfig(kind="lstm", hidden=200),
        "written": "add",
        "least_used": "own",
        "usage_decay": 0.95,
        "key_strength": None,
    }
    return MANNConfig(**(settings | choices))


def _training(episodes: int, classes: int = 5) -> TrainingConfig:
    return training(
        Uniform(smallest=classes, largest=classes),
        episodes,
        batch=16,
        memory_rows=(),
        solvable=False,
        validate_every=2_000,
    )
