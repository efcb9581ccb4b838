"""Cells: a memory of integers, handed over whole and handed back.

Outputs are a distribution for every cell after every step, and when to stop.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Real

from softmachine.core import compiling
from softmachine.core.example import Example
from softmachine.core.fields import Field
from softmachine.core.pytrees import PyTree
from softmachine.core.rendering import render_columns
from softmachine.core.specs.spec import Fields, Metrics, Spec, numbers
from softmachine.core.sums import weighted_sum


class MemoryOutputs(NamedTuple):
    """What is scored: the memory after every step, and when the machine would stop.

    A machine's own outputs may have more fields.
    """

    memory: Float[Array, "steps cells values *batch"]
    stop: Float[Array, "steps *batch"]
    """Logits of stopping after the step."""


def stop_probabilities(
    stop: Float[Array, "steps *batch"], steps: Int[Array, "*batch"]
) -> Float[Array, "steps *batch"]:
    """Return the probability that the machine stops after each step.

    The willingness to stop is the sigmoid of ``stop``; after ``steps`` steps, if it did not
    before, the machine is stopped. Sums to 1. Source: Kurach et al. 2016 (arXiv
    1511.06392), section 3.3.
    """
    time = jnp.arange(len(stop)).reshape(-1, *[1] * (stop.ndim - 1))
    go_on = jnp.where(time < steps - 1, jax.nn.log_sigmoid(-stop), 0.0)
    # Shifted, not subtracted again: large sums would leave their rounding errors behind.
    reached = jnp.concatenate([jnp.zeros_like(go_on[:1]), jnp.cumsum(go_on, axis=0)[:-1]])
    willing = jnp.where(time < steps - 1, jax.nn.log_sigmoid(stop), 0.0)
    return jnp.where(time < steps, jnp.exp(reached + willing), 0.0)


@dataclasses.dataclass(frozen=True)
class Cells(Spec):
    """Target integers for some cells of the memory; outputs have `MemoryOutputs`' fields.

    Outputs and examples may have one more axis, last, of a batch; so have results then.

    Metrics of one example: ``wrong_cells``, the share of the scored cells whose most likely
    value is wrong, in the memories after each step averaged by the probability of stopping
    there; ``perfect``, 1 for none; ``bits``, the loss in base 2.
    """

    floor: float = 1e-6
    """Probabilities count as at least this much in logarithms (section 4.1)."""
    mixture: bool = False
    """The likelihood of the averaged memory (footnote 4) instead of the average, over the
    steps at which the machine may stop, of the likelihoods."""

    error: ClassVar[str] = "wrong_cells"
    shares: ClassVar[tuple[str, ...]] = (
        "perfect",
        "agreement",
        "wrong_cells",
        "soft_error",
        "hard_error",
    )
    editor: ClassVar[Literal["bits", "cells"]] = "cells"
    unit: ClassVar[str] = "cells"

    def loss(self, outputs: PyTree, example: Example) -> Float[Array, "*batch"]:
        """Return the expected negative log-likelihood of the scored cells, in nats.

        Source: Kurach et al. 2016, section 3.3, Eq. 4: the sum over the steps t of p_t times
        the sum over scored cells of -log Mem[cell, target].
        """
        stops = stop_probabilities(outputs.stop, example.steps)
        correct = _probabilities(outputs.memory, example.targets)
        if self.mixture:
            correct = jnp.sum(stops[:, None] * correct, axis=0)
            return -jnp.sum(example.mask * jnp.log(jnp.maximum(correct, self.floor)), axis=0)
        logs = jnp.log(jnp.maximum(correct, self.floor))
        return -jnp.sum(stops[:, None] * example.mask * logs, axis=(0, 1))

    def metrics(self, outputs: PyTree, example: Example) -> Metrics:
        """Return the metrics."""
        errors = self.score(self.answer(outputs, example), example)
        return {**errors, "bits": self.loss(outputs, example) / math.log(2)}

    def answer(self, outputs: PyTree, example: Example) -> Int[Array, "cells *batch"]:
        """Return the most likely values of the memory as the machine leaves it."""
        stops = stop_probabilities(outputs.stop, example.steps)
        average = weighted_sum(stops[:, None, None], outputs.memory)
        # Behind a barrier, or XLA would compute it for every comparison.
        return jnp.argmax(jax.lax.optimization_barrier(average), axis=1)

    def score(
        self, memory: Int[Array, "cells *batch"], example: Example
    ) -> dict[str, Float[Array, "*batch"]]:
        """Return the errors of a memory of integers."""
        wrong = jnp.sum((memory != example.targets) * example.mask, axis=0)
        share = wrong / jnp.maximum(jnp.sum(example.mask, axis=0), 1)
        return {"wrong_cells": share, "perfect": (wrong == 0).astype(jnp.float32)}

    def decide(self, outputs: PyTree) -> PyTree:
        """Return outputs as integers: the most likely value of each cell at each step."""
        return jnp.argmax(outputs.memory, axis=2)

    def worst(self, example: Example) -> Float[Array, ""]:
        """Return 1: errors are shares."""
        del example
        return jnp.ones(())

    def read(self, value: Any, most: int) -> Real[np.ndarray, " cells"]:
        """Return a list of numbers, each below ``most``; the task says what it can lay out."""
        cells = numbers(value, 1, most)
        if cells.dtype.kind == "i" and cells.max() >= most:  # before there is room for it
            raise ValueError(
                f"cells hold numbers below {most:,}, the most cells that are recorded"
            )
        return cells

    def seen(self, inputs: np.ndarray, labels: Sequence[str]) -> Fields:
        """Return the memory before."""
        return [(_memory("inputs", "integer", "The memory before.", labels), inputs)]

    def said(self, outputs: PyTree, example: Example, labels: Sequence[str]) -> Fields:
        """Return the memory wanted, which cells count, the answer, and when it was given."""
        targets, mask = np.asarray(example.targets), np.asarray(example.mask) > 0
        answer, stops = map(np.asarray, _left(self, outputs, example))
        wrong = (answer != targets) & mask
        end = "The memory when the machine stopped."
        return [
            (_memory("targets", "integer", "The memory wanted.", labels), targets),
            (_memory("mask", "bits", "Which cells are scored.", labels), mask),
            (_memory("answer", "integer", end, labels), answer),
            (_memory("wrong", "bits", "Scored cells with a wrong answer.", labels), wrong),
            (Field("stop", "probability", ("step",), "stop", "Where it stopped."), stops),
        ]

    def render(self, example: Example, answer: Any, labels: Sequence[str]) -> str:
        """Return the cells, what they are, what they held and what they should hold, as text.

        ``answer`` is a memory of integers, shape (M,), or None. Cells that are not scored have
        no target; wrong values are marked ``!``.
        """
        before = np.asarray(example.inputs)
        scored = np.asarray(example.mask) > 0
        target = np.asarray(example.targets)
        rows = {
            "cell": [str(i) for i in range(len(before))],
            "": list(labels),
            "input": [str(value) for value in before],
            "target": [str(v) if s else "." for v, s in zip(target, scored, strict=True)],
        }
        if answer is not None:
            wrong = (np.asarray(answer) != target) & scored
            rows["output"] = [
                f"{v}!" if bad else str(v)
                for v, bad in zip(np.asarray(answer).tolist(), wrong, strict=True)
            ]
        return render_columns(rows)


def _memory(name: str, kind: Any, description: str, labels: Sequence[str]) -> Field:
    return Field(name, kind, ("cell",), "memory", description, {"cell": labels})


@partial(compiling.filter_jit, tuned=False)
def _left(cells: Cells, outputs, example):
    """Return the memory that a machine leaves, and the probabilities of stopping."""
    return cells.answer(outputs, example), stop_probabilities(outputs.stop, example.steps)


@jax.custom_vjp
def _probabilities(
    memory: Float[Array, "steps cells values *batch"], targets: Int[Array, "cells *batch"]
) -> Float[Array, "steps cells *batch"]:
    """Return how likely each cell held its target after each step."""
    correct = jnp.take_along_axis(memory, targets[None, :, None], axis=2)[:, :, 0]
    return jax.lax.optimization_barrier(correct)  # as in `Cells.answer`


def _probabilities_forward(memory, targets):
    return _probabilities(memory, targets), (targets, jnp.arange(memory.shape[2]))


def _probabilities_back(saved, bar):
    # Written in one pass; the gather's own gradient is a scatter, one number at a time.
    targets, values = saved
    right = targets[:, None] == values.reshape(-1, *[1] * (targets.ndim - 1))
    bar, right = jax.lax.optimization_barrier((bar, right))
    return jnp.where(right, bar[:, :, None], 0), None


_probabilities.defvjp(_probabilities_forward, _probabilities_back)
