"""Bits: channels of zeros and ones; a machine's outputs are their logits."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from softmachine.core.example import Example
from softmachine.core.pytrees import PyTree
from softmachine.core.rendering import Rows, render_rows
from softmachine.core.specs.spec import Fields, Metrics, Spec, channels, tape


@dataclasses.dataclass(frozen=True)
class Bits(Spec):
    """``channels`` bits; outputs are logits, positive for 1.

    Metrics, each a sum over one sequence: ``bits``, the cross-entropy in base 2 (the NTM
    paper's "bits per sequence"); ``wrong_bits``, thresholded errors; ``perfect``, 1 for a
    sequence without any. Inputs may have channels with other numbers among the bits.
    """

    channels: int = 1

    error: ClassVar[str] = "wrong_bits"
    editor: ClassVar[Literal["bits", "cells"]] = "bits"
    unit: ClassVar[str] = "channels"

    @property
    def width(self) -> int:
        """How many bits."""
        return self.channels

    def loss(self, outputs: Float[Array, "steps width"], example: Example) -> Float[Array, ""]:
        """Return the cross-entropy of the scored bits, in nats per sequence."""
        losses = optax.sigmoid_binary_cross_entropy(outputs, example.targets)
        return jnp.sum(losses * example.mask)

    def metrics(self, outputs: Float[Array, "steps width"], example: Example) -> Metrics:
        """Return the metrics of one sequence."""
        wrong = ((outputs > 0) != (example.targets > 0.5)) * example.mask
        wrong_bits = jnp.sum(wrong)
        return {
            "bits": self.loss(outputs, example) / math.log(2),
            "wrong_bits": wrong_bits,
            "perfect": (wrong_bits == 0).astype(outputs.dtype),
        }

    def decide(self, outputs: PyTree) -> PyTree:
        """Return outputs as hard 0 or 1."""
        return (outputs > 0).astype(jnp.int32)

    def shades(
        self, outputs: Float[Array, "steps width"], example: Example
    ) -> Float[np.ndarray, "steps width"]:
        """Return how likely each bit is a 1."""
        return np.asarray(jax.nn.sigmoid(jnp.asarray(outputs))) * np.asarray(example.mask)

    def worst(self, example: Example) -> Float[Array, ""]:
        """Return how many bits are scored."""
        return jnp.broadcast_to(example.mask, example.targets.shape).sum()

    def read(self, value: Any, most: int) -> Float[np.ndarray, "steps width"]:
        """Return rows of numbers, one for each step, one number for each channel."""
        return channels(value, self.width, most)

    def seen(self, inputs: np.ndarray, labels: Sequence[str]) -> Fields:
        """Return the inputs."""
        kind = "bits" if np.isin(inputs, (0, 1)).all() else "matrix"
        return [
            (tape("inputs", kind, "input channel", "What the machine saw.", labels), inputs)
        ]

    def said(
        self, outputs: Float[Array, "steps width"], example: Example, labels: Sequence[str]
    ) -> Fields:
        """Return targets, where they count, logits, and where these are wrong."""
        targets = np.asarray(example.targets)
        mask = np.broadcast_to(np.asarray(example.mask) > 0, targets.shape)
        wrong = (np.asarray(self.decide(outputs)) != targets) & mask
        axis = "output channel"
        return [
            (tape("targets", "bits", axis, "What it should have said.", labels), targets),
            (tape("mask", "bits", axis, "Where that counts.", labels), mask),
            (tape("outputs", "logits", axis, "What it said.", labels), np.asarray(outputs)),
            (tape("wrong", "bits", axis, "Where it was wrong.", labels), wrong),
        ]

    def render(
        self,
        inputs: Sequence[Rows],
        example: Example,
        outputs: Float[Array, "steps width"] | None,
        groups: Sequence[tuple[str, int]],
    ) -> str:
        """Return input rows, then the targets and, if any, the outputs decided, as text.

        ``groups`` gives, for each group of target channels, its name and its width. Wrong
        output bits are marked ``x``; what is not scored is not shown.
        """
        steps = int(example.steps)
        scored = np.asarray(example.mask)[:steps].max(axis=1) > 0
        target = np.asarray(example.targets)[:steps]
        decided = None if outputs is None else (np.asarray(outputs)[:steps] > 0).astype(int)
        blocks = list(inputs)
        first = 0
        for name, width in groups:
            group = slice(first, first + width)
            blocks.append(Rows(name, target[:, group], scored))
            if decided is not None:
                wrong = decided[:, group] != target[:, group]
                blocks.append(Rows("output", decided[:, group], scored, wrong))
            first += width
        return render_rows(blocks)
