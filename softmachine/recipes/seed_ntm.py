"""Recipes of the NTM of the blog "Neural Turing Machines" (2017): writes first, small memory.

The machine is the preset ``seed``; training is that of the other recipes, since the blog does
not say how it trained.
"""

from __future__ import annotations

from softmachine.experiments.curricula import Rising, Uniform
from softmachine.experiments.experiment import Experiment
from softmachine.machines.ntm.presets import NTM_PRESETS
from softmachine.recipes.tuned import training
from softmachine.tasks.sequences.associative_recall import AssociativeRecall
from softmachine.tasks.sequences.copy import Copy
from softmachine.tasks.sequences.priority_sort import PrioritySort


def ntm_seed_copy() -> Experiment:
    """NTM of the blog: reproduce a sequence of 1 to 20 vectors."""
    return Experiment(
        recipe="ntm-seed-copy",
        task=Copy(),
        machine=NTM_PRESETS["seed"],
        training=training(Uniform(smallest=1, largest=20), 100_000, memory_rows=()),
    )


def ntm_seed_recall() -> Experiment:
    """NTM of the blog: output the item after a queried one, out of 2 to 6."""
    return _recall("ntm-seed-recall", AssociativeRecall())


def ntm_seed_recall_previous() -> Experiment:
    """NTM of the blog, its own recall: output the item before a queried one, out of 2 to 6."""
    return _recall("ntm-seed-recall-previous", AssociativeRecall(recalled="previous"))


def ntm_seed_sort() -> Experiment:
    """NTM of the blog: output the 16 highest of 20 vectors in the order of priority."""
    sequences, batch = 500_000, 4
    return Experiment(
        recipe="ntm-seed-sort",
        task=PrioritySort(),
        machine=NTM_PRESETS["seed"],
        training=training(
            Rising(smallest=1, largest=16, over=sequences // batch * 3 // 5),
            sequences,
            batch=batch,
            clip_norm=1.0,
            memory_rows=(),
            solvable=False,
            validate_every=20_000,
        ),
    )


def _recall(name: str, task: AssociativeRecall) -> Experiment:
    return Experiment(
        recipe=name,
        task=task,
        machine=NTM_PRESETS["seed"],
        training=training(
            Uniform(smallest=2, largest=6),
            200_000,
            batch=2,
            learning_rate=5e-4,
            memory_rows=(),
        ),
    )
