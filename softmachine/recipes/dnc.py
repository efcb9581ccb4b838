"""Recipes of the Differentiable Neural Computer: memory that is freed, found and followed."""

from __future__ import annotations

import dataclasses
from typing import Any

from softmachine.experiments.curricula import Growing, Uniform
from softmachine.experiments.experiment import Experiment, TrainingConfig
from softmachine.experiments.optimizers import OptimizerConfig
from softmachine.machines.dnc.dnc import DNC_PRESETS, DNCConfig
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.recipes.tuned import training
from softmachine.tasks.languages.babi import BAbI
from softmachine.tasks.sequences.copy_reuse import CopyReuse
from softmachine.tasks.sequences.graphs import GraphTraversal
from softmachine.tasks.sequences.key_value import KeyValue
from softmachine.tasks.sequences.repeat_copy import RepeatCopy


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


def dnc_repeat_copy() -> Experiment:
    """DNC, the sizes of the authors' example: output 1 to 2 vectors 1 to 2 times."""
    return Experiment(
        recipe="dnc-repeat-copy",
        task=RepeatCopy(width=4, repeats=(1, 2)),
        machine=dnc("reference"),
        training=training(Uniform(smallest=1, largest=2), 80_000, batch=4, memory_rows=()),
    )


def dnc_key_value() -> Experiment:
    """DNC with the fixes of 2019: answer keys with values, and values with keys.

    2 to 16 pairs; masks let a head look for one half of what a row holds.
    """
    return Experiment(
        recipe="dnc-key-value",
        task=KeyValue(two_way=True),
        machine=dnc("mds", memory_columns=32),
        training=training(Uniform(smallest=2, largest=16), 400_000, batch=8, memory_rows=()),
    )


def dnc_babi() -> Experiment:
    """DNC with the fixes of 2019: all 20 tasks of bAbI at once, from a folder of yours.

    Sizes as DNC1 of Graves et al. 2016, updates as in Csordas & Schmidhuber 2019: RMSProp 1e-4,
    momentum 0.9, batch 2. Not run to its end so far: the data do not come with the package.
    """
    rates = OptimizerConfig(
        kind="graves-rmsprop", learning_rate=1e-4, decay=0.99, momentum=0.9, clip_norm=10.0
    )
    return Experiment(
        recipe="dnc-babi",
        task=BAbI(),
        machine=dnc(
            "mds",
            controller=ControllerConfig(hidden=256),
            memory_rows=256,
            memory_columns=64,
            read_heads=4,
        ),
        training=TrainingConfig(
            batch=2,
            max_sequences=1_000_000,
            optimizer=rates,
            curriculum=Uniform(smallest=1, largest=20),
            keep_every=None,
            solved=None,
            validate_every=10_000,
            checkpoint_every=50_000,
        ),
    )


def dnc_graph() -> Experiment:
    """DNC with the fixes of 2019: walk 1 to 5 edges of a random graph of up to 15 nodes.

    The first six lessons of the paper, with labels of two digits in place of three. The next
    lesson comes when few triples are wrong.
    """
    lessons = Growing(smallest=1, largest=6, start=1, threshold=0.2, back=0.1)
    return Experiment(
        recipe="dnc-graph",
        task=GraphTraversal(),
        machine=dnc(
            "mds",
            controller=ControllerConfig(hidden=128),
            memory_rows=64,
            memory_columns=32,
            read_heads=2,
        ),
        training=training(lessons, 1_000_000, batch=16, memory_rows=(), validate_every=20_000),
    )
