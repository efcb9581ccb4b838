"""Cells: a memory of integers, given whole before the first step and read after the last.

A machine outputs a distribution over values for every cell after every step, and the logits of
stopping there. Source: Kurach et al. 2016 (arXiv 1511.06392), section 3.3.
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
from softmachine.core.choices import Positive, check_fields
from softmachine.core.example import Example
from softmachine.core.fields import STOPPING, Field
from softmachine.core.pytrees import PyTree
from softmachine.core.rendering import render_columns
from softmachine.core.specs.spec import Fields, Metrics, Spec, numbers
from softmachine.core.sums import weighted_sum


class MemoryOutputs(NamedTuple):
    """The outputs of a memory machine: its memory and its stop logits after every step.

    The outputs of a machine may have more fields than these.
    """

    memory: Float[Array, "steps cells values *batch"]
    """For each cell after each step, the distribution over its M possible values."""
    stop: Float[Array, "steps *batch"]
    """The logit of stopping after each step, if the machine has not stopped before."""


def stop_probabilities(
    stop: Float[Array, "steps *batch"], steps: Int[Array, "*batch"]
) -> Float[Array, "steps *batch"]:
    """Return the probability p_t that the machine stops after step t.

    With f_t the sigmoid of ``stop`` at step t, ``p_t = f_t (1 - f_1) ... (1 - f_{t-1})``. At
    the last step, T = ``steps``, the machine is stopped if it has not stopped before:
    ``p_T = (1 - f_1) ... (1 - f_{T-1})``. The p_t sum to 1; steps after T have 0. Source:
    Kurach et al. 2016 (arXiv 1511.06392), section 3.3.
    """
    time = jnp.arange(len(stop)).reshape(-1, *[1] * (stop.ndim - 1))
    go_on = jnp.where(time < steps - 1, jax.nn.log_sigmoid(-stop), 0.0)
    # An exclusive cumulative sum by shifting. Subtracting go_on from the inclusive sum would
    # leave the rounding errors of large sums behind.
    reached = jnp.concatenate([jnp.zeros_like(go_on[:1]), jnp.cumsum(go_on, axis=0)[:-1]])
    willing = jnp.where(time < steps - 1, jax.nn.log_sigmoid(stop), 0.0)
    return jnp.where(time < steps, jnp.exp(reached + willing), 0.0)


@dataclasses.dataclass(frozen=True)
class Cells(Spec):
    """A memory of M cells that hold integers in 0..M-1; outputs are `MemoryOutputs`.

    Outputs and examples may have a batch as their last axis; results have that axis then, too.

    Metrics of one example: ``wrong_cells``, the fraction of the scored cells whose most likely
    value is wrong in the final memory, which is the average of the memories after each step,
    weighted by the probability of stopping there; ``perfect``, 1 if no scored cell is wrong,
    else 0; ``bits``, the loss in base 2.
    """

    floor: Positive = 1e-6
    """The lower bound on probabilities inside logarithms (Kurach et al. 2016, section 4.1)."""
    mixture: bool = False
    """Whether the loss is the negative log-likelihood of the average memory (footnote 4),
    instead of the average over stopping steps of the negative log-likelihood (Eq. 4)."""

    error: ClassVar[str] = "wrong_cells"
    shares: ClassVar[tuple[str, ...]] = (
        "perfect",
        "agreement",
        "wrong_cells",
        "soft_error",
        "hard_error",
    )
    counted: ClassVar[str] = "examples"
    editor: ClassVar[Literal["bits", "cells"]] = "cells"
    unit: ClassVar[str] = "cells"
    after_every_step: ClassVar[bool] = True
    takes_batches: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Check the number."""
        check_fields(self)

    def loss(self, outputs: PyTree, example: Example) -> Float[Array, "*batch"]:
        """Return the expected negative log-likelihood of the scored cells, in nats.

        ``- sum_t p_t sum_i log M_t[i, y_i]``, over steps t and scored cells i with targets
        y_i. Source: Kurach et al. 2016, section 3.3, Eq. 4.
        """
        stops = stop_probabilities(outputs.stop, example.steps)
        correct = _target_probabilities(outputs.memory, example.targets)
        if self.mixture:
            correct = jnp.sum(stops[:, None] * correct, axis=0)
            return -jnp.sum(example.mask * jnp.log(jnp.maximum(correct, self.floor)), axis=0)
        logs = jnp.log(jnp.maximum(correct, self.floor))
        return -jnp.sum(stops[:, None] * example.mask * logs, axis=(0, 1))

    def metrics(self, outputs: PyTree, example: Example) -> Metrics:
        """Return ``wrong_cells``, ``perfect`` and ``bits`` of one example."""
        errors = self.score(self.answer(outputs, example), example)
        return {**errors, "bits": self.loss(outputs, example) / math.log(2)}

    def answer(self, outputs: PyTree, example: Example) -> Int[Array, "cells *batch"]:
        """Return the most likely value of each cell in the final memory.

        The final memory is the average of the memories after each step, weighted by the
        probability of stopping there.
        """
        stops = stop_probabilities(outputs.stop, example.steps)
        average = weighted_sum(stops[:, None, None], outputs.memory)
        # Without the barrier, XLA would recompute the average for every comparison.
        return jnp.argmax(jax.lax.optimization_barrier(average), axis=1)

    def score(
        self, memory: Int[Array, "cells *batch"], example: Example
    ) -> dict[str, Float[Array, "*batch"]]:
        """Return ``wrong_cells`` and ``perfect`` of a memory of integers."""
        wrong = jnp.sum(jnp.where(memory != example.targets, example.mask, 0), axis=0)
        share = wrong / jnp.maximum(jnp.sum(example.mask, axis=0), 1)
        return {"wrong_cells": share, "perfect": (wrong == 0).astype(jnp.float32)}

    def columns(self, means: dict[str, float]) -> dict[str, float]:
        """Return mean metrics; if the machine was also made hard, its own error is ``soft``."""
        if "hard_error" not in means:
            return means
        first = {"soft_error": means[self.error]}
        first |= {name: means[name] for name in ("hard_error", "agreement", "perfect")}
        return first | {name: x for name, x in means.items() if name != self.error}

    def decide(self, outputs: PyTree) -> PyTree:
        """Return the most likely value of each cell after each step: shape (steps, cells)."""
        return jnp.argmax(outputs.memory, axis=2)

    def worst_error(self, example: Example) -> Float[Array, ""]:
        """Return 1: the error is a fraction of the scored cells."""
        del example
        return jnp.ones(())

    def parse(self, value: Any, most: int) -> Real[np.ndarray, " cells"]:
        """Return an array from a list of numbers, integers below ``most``.

        Raises ValueError for anything else. The task checks the rest: `MemoryTask.lay_out`.
        """
        cells = numbers(value, 1, most)
        if (
            cells.dtype.kind == "i" and cells.max() >= most
        ):  # before a memory of that size is allocated
            raise ValueError(
                f"cells must hold numbers below {most:,}, the largest number of cells recorded"
            )
        return cells

    def input_fields(self, inputs: np.ndarray, labels: Sequence[str]) -> Fields:
        """Return the initial memory as one field."""
        return [(_memory("inputs", "integer", "The initial memory.", labels), inputs)]

    def output_fields(self, outputs: PyTree, example: Example, labels: Sequence[str]) -> Fields:
        """Return the fields targets, mask, answer, wrong and stop (probabilities p_t)."""
        targets, mask = np.asarray(example.targets), np.asarray(example.mask) > 0
        answer, stops = map(np.asarray, _final_memory(self, outputs, example))
        wrong = (answer != targets) & mask
        end = "The final memory, where the machine stopped."
        return [
            (_memory("targets", "integer", "The target memory.", labels), targets),
            (_memory("mask", "bits", "Which cells are scored.", labels), mask),
            (_memory("answer", "integer", end, labels), answer),
            (_memory("wrong", "bits", "Scored cells with a wrong answer.", labels), wrong),
            (
                Field(
                    "stop",
                    "probability",
                    ("step",),
                    STOPPING,
                    "The probability of stopping after each step.",
                ),
                stops,
            ),
        ]

    def render(self, example: Example, answer: Any, labels: Sequence[str]) -> str:
        """Return an example as text: a column per cell, with label, input and target.

        Arguments:
            example: the example.
            answer: the machine's memory of integers, shape (M,), or None to show no output.
            labels: the label of each cell.

        Cells that are not scored show a dot as their target; wrong values are marked ``!``.
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
def _final_memory(cells: Cells, outputs, example):
    """Return the most likely final memory, and the probability of stopping at each step."""
    return cells.answer(outputs, example), stop_probabilities(outputs.stop, example.steps)


@jax.custom_vjp
def _target_probabilities(
    memory: Float[Array, "steps cells values *batch"], targets: Int[Array, "cells *batch"]
) -> Float[Array, "steps cells *batch"]:
    """Return the probability that each cell holds its target after each step."""
    correct = jnp.take_along_axis(memory, targets[None, :, None], axis=2)[:, :, 0]
    return jax.lax.optimization_barrier(correct)  # as in `Cells.answer`


def _target_probabilities_forward(memory, targets):
    return _target_probabilities(memory, targets), (targets, jnp.arange(memory.shape[2]))


def _target_probabilities_backward(saved, bar):
    # One vectorised comparison per entry. JAX's own gradient of a gather is a scatter, which
    # XLA on CPU performs one number at a time.
    targets, values = saved
    right = targets[:, None] == values.reshape(-1, *[1] * (targets.ndim - 1))
    bar, right = jax.lax.optimization_barrier((bar, right))
    return jnp.where(right, bar[:, :, None], 0), None


_target_probabilities.defvjp(_target_probabilities_forward, _target_probabilities_backward)
