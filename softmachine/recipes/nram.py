"""Recipes of the Neural Random-Access Machine: the ten tasks of its paper.

Trained as populations: a member that learns nothing begins again with fresh parameters, and
a member is solved once it makes no mistake on sizes up to 50, soft and hard.
"""

from __future__ import annotations

import math
from typing import Any

from softmachine.machines.nram import NRAMConfig
from softmachine.tasks.memory_arrays import (
    Access,
    Increment,
    MemoryCopy,
    Merge,
    Permutation,
    Reverse,
    Swap,
)
from softmachine.tasks.memory_lists import ListK, ListSearch
from softmachine.tasks.memory_trees import WalkBST
from softmachine.training.curricula import Curriculum, Uniform
from softmachine.training.experiment import (
    Experiment,
    MemoryTaskConfig,
    SolvedConfig,
    SolvedTest,
    TrainingConfig,
)
from softmachine.training.objectives import NRAMLoss
from softmachine.training.optimizers import OptimizerConfig
from softmachine.training.search import Restart, Search

BATCH = 32


def nram_access() -> Experiment:
    """NRAM: say what a pointer points to."""
    return _experiment("nram-access", Access(), Uniform(smallest=1, largest=6))


def nram_increment() -> Experiment:
    """NRAM: add one to every element of an array."""
    return _experiment("nram-increment", Increment(), Uniform(smallest=1, largest=6))


def nram_copy() -> Experiment:
    """NRAM: copy an array to where a pointer points."""
    return _experiment("nram-copy", MemoryCopy(), Uniform(smallest=1, largest=6))


def nram_reverse() -> Experiment:
    """NRAM: copy an array backwards."""
    return _experiment("nram-reverse", Reverse(), Uniform(smallest=1, largest=6))


def nram_swap() -> Experiment:
    """NRAM: swap two elements of an array."""
    return _experiment("nram-swap", Swap(), Uniform(smallest=2, largest=6))


def nram_permutation() -> Experiment:
    """NRAM: permute an array."""
    return _experiment("nram-permutation", Permutation(), Uniform(smallest=1, largest=5))


def nram_list_k() -> Experiment:
    """NRAM: say the k-th element of a linked list."""
    return _experiment("nram-list-k", ListK(), Uniform(smallest=1, largest=6))


def nram_list_search() -> Experiment:
    """NRAM: find the first node of a linked list that holds a value."""
    return _experiment("nram-list-search", ListSearch(), Uniform(smallest=1, largest=5))


def nram_merge() -> Experiment:
    """NRAM: merge two sorted arrays."""
    return _experiment("nram-merge", Merge(), Uniform(smallest=2, largest=6))


def nram_walk_bst() -> Experiment:
    """NRAM: follow directions through a binary search tree."""
    return _experiment("nram-walk-bst", WalkBST(), Uniform(smallest=1, largest=5))


def _experiment(
    name: str,
    task: MemoryTaskConfig,
    curriculum: Curriculum,
    *,
    updates: int = 10_000,
    learning_rate: float = 3e-3,
    **machine: Any,
) -> Experiment:
    return Experiment(
        recipe=name,
        task=task,
        machine=NRAMConfig(**machine),
        training=TrainingConfig(
            batch=BATCH,
            max_sequences=updates * BATCH,
            optimizer=OptimizerConfig(learning_rate=learning_rate, clip_norm=1.0),
            curriculum=curriculum,
            objective=NRAMLoss(entropy_bonus=0.05, entropy_decay=0.998),
            gradient_noise=0.005,
            search=Search(entropy_bonus=(0.01, 0.2)),
            restarts=(Restart(updates=1_000, error=0.3), Restart(updates=3_000, error=0.05)),
            solved=SolvedConfig(sequences=128, bits=math.inf, test=SolvedTest()),
            validate_every=100 * BATCH,
            checkpoint_every=500 * BATCH,
        ),
    )
