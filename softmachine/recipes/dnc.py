"""Recipes of the Differentiable Neural Computer: tasks in which memory has to be freed."""

from __future__ import annotations

import dataclasses
from typing import Any

from softmachine.experiments.curricula import Uniform
from softmachine.experiments.experiment import Experiment
from softmachine.machines.dnc.dnc import DNC_PRESETS, DNCConfig
from softmachine.recipes.tuned import training
from softmachine.tasks.sequences.copy_reuse import CopyReuse


def dnc(preset: str, **choices: Any) -> DNCConfig:
    """Return the configuration of a preset; ``choices`` override its settings.

    Norms are smoothed: as printed, empty rows give gradients of up to 1e7.
    """
    settings = {"similarity_smoothing": 1e-6, "similarity_epsilon": 0.0}
    return dataclasses.replace(DNC_PRESETS[preset], **(settings | choices))


def dnc_copy_reuse() -> Experiment:
    """DNC with the fixes of 2019: copy 1 to 8 patterns in a memory with room for one.

    Patterns have 2 to 14 vectors, the memory 16 rows, as in Csordas & Schmidhuber 2019.
    """
    return Experiment(
        recipe="dnc-copy-reuse",
        task=CopyReuse(),
        machine=dnc("mds"),
        training=training(Uniform(smallest=1, largest=8), 160_000, batch=4, memory_rows=()),
    )
