"""Scores over many lengths, as Delétang et al. 2023 (arXiv 2207.02098) have them.

The score is the mean, over lengths, of the share of letters that are right; beside it stands
the share of answers that are right as a whole. The paper takes all lengths from 41 to 500, 512
strings of each. So do we, with few strings of each: their mean is surer than that of as many
strings of few lengths. Lengths that are padded alike (`Task.bucket`) share a compiled program.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from softmachine.core.specs.spec import Metric, mean
from softmachine.machines.machine import Machine
from softmachine.running.generalization import with_room_for
from softmachine.running.room import check_running
from softmachine.running.scoring import BATCH, build_scorer
from softmachine.tasks.languages.strings import StringTask

LENGTHS = range(41, 501)
"""The paper's test."""


class LengthScores(NamedTuple):
    """Means over lengths, between 0 and 1."""

    accuracy: float
    """The share of letters that are right: the paper's score."""
    perfect: float
    """The share of answers without a wrong letter."""


def score_lengths(
    machine: Machine,
    task: StringTask,
    *,
    lengths: Sequence[int] = LENGTHS,
    strings: int = 8,
    seed: int = 0,
) -> LengthScores:
    """Score a machine on fresh strings of each length, in a memory with room for them.

    Arguments:
        machine: the machine.
        task: draws the strings; the form that is for tests (`Task.held_out`).
        lengths: the lengths, rising.
        strings: how many of each.
        seed: fixes the strings: those of the lengths that share a program.

    Raises:
        SoftmachineError: the machine, or a memory of that size, is too large to be run.
    """
    accuracy, perfect = [], []
    for most, group in itertools.groupby(lengths, task.bucket):
        together = [*group]
        able = with_room_for(machine, task, together[-1])
        count = len(together) * strings
        check_running(able, task, together[-1], count, BATCH * len(jax.local_devices()))
        key = jax.random.fold_in(jax.random.key(seed), most)
        metrics = build_scorer(task, most)(able, key, jnp.repeat(jnp.array(together), strings))
        accuracy.append(_by_length(metrics["accuracy"], strings))
        perfect.append(_by_length(metrics["perfect"], strings))
    return LengthScores(*(float(np.mean(np.concatenate(x))) for x in (accuracy, perfect)))


def blind_scores(
    task: StringTask, lengths: Sequence[int] = tuple(LENGTHS[::20])
) -> LengthScores:
    """Return the scores of the best answers that know the length of a string and no more."""
    found = [task.blind(length) for length in lengths]
    means = [
        float(np.mean([mean(metrics[name]) for metrics in found]))
        for name in ("blind_accuracy", "blind_perfect")
    ]
    return LengthScores(*means)


def _by_length(metric: Metric, strings: int) -> Float[np.ndarray, " lengths"]:
    """Return means over each length's letters or strings."""
    grouped = jax.tree.map(lambda x: jnp.reshape(x, (-1, strings)), metric)
    return np.asarray(jax.vmap(mean)(grouped))
