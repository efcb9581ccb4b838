"""A machine's share of wrong cells in an exam, as it is and made hard.

Programs are judged by the same exams, in `softmachine.programs.verification`.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from softmachine.core import compiling
from softmachine.core.capabilities import HardForm
from softmachine.core.specs.spec import each
from softmachine.running.scoring import score_examples
from softmachine.tasks.memories.exams import Batch
from softmachine.tasks.task import Example, Task

BLOCK = 512
"""Memories that the hard machine works on at once."""
FIRST = 64
"""How many of the longest examples are tried first: most mistakes show there."""


class Verdict(NamedTuple):
    """Mean shares of wrong cells."""

    hard: float
    soft: float
    """Of the examples up to the first mistakes; 1 if the machine is not right when hard."""

    @property
    def right(self) -> bool:
        """Whether there is no mistake."""
        return self.hard == self.soft == 0


def judge(
    machine: HardForm, task: Task, batch: Batch, largest: int, *, soft: bool = True
) -> Verdict:
    """Return how a machine does on examples of sizes up to ``largest``.

    The soft machine, if it is asked for, is tried in memories of two sizes alone, since each
    is a program to be compiled: the smallest there is, and the one for ``largest``.
    """
    hard = _mean(hard_mistakes(machine, batch))
    if hard:
        return Verdict(hard, 1.0)
    roomy = task.input_length(largest)
    for cells in sorted({roomy, int(batch.cells.min(initial=roomy))}) if soft else []:
        part = batch.of_cells(cells)
        most = max(int(task.steps(largest)), int(part.steps.max(initial=0)))
        order = np.argsort(-part.steps, kind="stable")
        for some in (order[:FIRST], order[FIRST:]):
            wrong = _mean(soft_mistakes(machine, task, part.take(some), most))
            if wrong:
                return Verdict(hard, wrong)
    return Verdict(hard, 0.0)


def hard_mistakes(machine: HardForm, batch: Batch) -> Float[np.ndarray, " examples"]:
    """Return the share of wrong cells that the hard machine leaves in each example."""
    count, after = len(batch.steps), []
    for first in range(0, count, BLOCK):
        # The last block is filled up with others: all are one compiled program.
        block = batch.take(np.arange(first, first + BLOCK) % count)
        after.append(np.asarray(_run_hard(machine, block.memories, block.steps, block.cells)))
    return batch.wrong(np.concatenate(after)[:count]) if after else np.zeros(0)


@partial(compiling.filter_jit, tuned=False)
def _run_hard(machine, memories, steps, cells):
    return machine.run_hard(jnp.asarray(memories), jnp.asarray(steps), jnp.asarray(cells))


def soft_mistakes(
    machine: HardForm, task: Task, batch: Batch, max_steps: int
) -> Float[np.ndarray, " examples"]:
    """Return the share of wrong cells that the machine as it is leaves in each example.

    All memories must have as many cells as their arrays, and at most ``max_steps`` steps.
    """
    if not len(batch.steps):
        return np.zeros(0)
    mask, steps = batch.scored.astype(np.float32), jnp.asarray(batch.steps)
    examples = Example(batch.memories, batch.targets, mask, steps)
    return np.asarray(each(score_examples(machine, task, examples, max_steps)[task.error]))


def _mean(shares: Float[np.ndarray, " examples"]) -> float:
    """Return the mean; 0 if there are none."""
    return float(shares.mean()) if len(shares) else 0.0
