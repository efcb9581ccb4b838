"""Bits: binary channels; a machine outputs their logits."""

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

from softmachine.core.choices import Count, check_fields
from softmachine.core.example import Example
from softmachine.core.pytrees import PyTree
from softmachine.core.rendering import Rows, render_rows
from softmachine.core.specs.spec import Fields, Metrics, Spec, channel_field, channels


@dataclasses.dataclass(frozen=True)
class Bits(Spec):
    """Binary vectors with ``channels`` bits per step; outputs are logits.

    Metrics of one sequence: ``bits``, the cross-entropy in base 2 (the NTM paper's "bits per
    sequence"); ``wrong_bits``, the number of scored bits whose logit has the wrong sign;
    ``perfect``, 1 if there is no wrong bit, else 0. As inputs, some channels may hold real
    numbers instead of bits.
    """

    channels: Count = 1

    error: ClassVar[str] = "wrong_bits"
    editor: ClassVar[Literal["bits", "cells"]] = "bits"
    unit: ClassVar[str] = "channels"

    def __post_init__(self) -> None:
        """Check the number."""
        check_fields(self)

    @property
    def width(self) -> int:
        """The number of channels."""
        return self.channels

    def loss(self, outputs: Float[Array, "steps width"], example: Example) -> Float[Array, ""]:
        """Return the cross-entropy of logits and targets, summed over scored bits, in nats."""
        losses = optax.sigmoid_binary_cross_entropy(outputs, example.targets)
        return jnp.sum(losses * example.mask)

    def metrics(self, outputs: Float[Array, "steps width"], example: Example) -> Metrics:
        """Return ``bits``, ``wrong_bits`` and ``perfect`` of one sequence."""
        wrong = self.wrong(outputs, example)
        wrong_bits = jnp.sum(jnp.where(wrong, example.mask, 0))
        return {
            "bits": self.loss(outputs, example) / math.log(2),
            "wrong_bits": wrong_bits,
            "perfect": (wrong_bits == 0).astype(outputs.dtype),
        }

    def decide(self, outputs: PyTree) -> PyTree:
        """Return 1 for a positive logit, else 0; int32, same shape."""
        return (outputs > 0).astype(jnp.int32)

    def input_texts(self, inputs: np.ndarray) -> list[str]:
        """Return a character per channel: 1, a dot for 0; other numbers stand by themselves."""
        known = {0.0: ".", 1.0: "1"}
        return ["".join(known.get(x, f" {x:.2g} ") for x in row) for row in inputs.tolist()]

    def output_texts(self, outputs: PyTree) -> list[str]:
        """Return the decided bits, 0 or 1, a character per channel."""
        return ["".join(map(str, row)) for row in np.asarray(self.decide(outputs)).tolist()]

    def probabilities(
        self, outputs: Float[Array, "steps width"], example: Example
    ) -> Float[np.ndarray, "steps width"]:
        """Return the probability that each bit is 1; 0 where not scored."""
        return np.asarray(jax.nn.sigmoid(jnp.asarray(outputs))) * np.asarray(example.mask)

    def worst_error(self, example: Example) -> Float[Array, ""]:
        """Return the number of scored bits."""
        return jnp.broadcast_to(example.mask, example.targets.shape).sum()

    def parse(self, value: Any, most: int) -> Float[np.ndarray, "steps width"]:
        """Return an array from one list of numbers per step, one number per channel."""
        return channels(value, self.width, most)

    def input_fields(self, inputs: np.ndarray, labels: Sequence[str]) -> Fields:
        """Return the inputs as one field, of bits if they hold only 0 and 1."""
        kind = "bits" if np.isin(inputs, (0, 1)).all() else "matrix"
        return [
            (
                channel_field(
                    "inputs", kind, "input channel", "The inputs, one vector per step.", labels
                ),
                inputs,
            )
        ]

    def output_fields(
        self, outputs: Float[Array, "steps width"], example: Example, labels: Sequence[str]
    ) -> Fields:
        """Return the fields targets, mask, outputs (logits) and wrong."""
        targets, mask = np.asarray(example.targets), np.asarray(self.scored(example))
        wrong = np.asarray(self.wrong(outputs, example))
        axis = "output channel"
        return [
            (channel_field("targets", "bits", axis, "The target bits.", labels), targets),
            (channel_field("mask", "bits", axis, "Where targets are scored.", labels), mask),
            (
                channel_field(
                    "outputs", "logits", axis, "The logits of the output bits.", labels
                ),
                np.asarray(outputs),
            ),
            (
                channel_field(
                    "wrong", "bits", axis, "Scored bits with a wrong output.", labels
                ),
                wrong,
            ),
        ]

    def render(
        self,
        inputs: Sequence[Rows],
        example: Example,
        outputs: Float[Array, "steps width"] | None,
        groups: Sequence[tuple[str, int]] = (),
    ) -> str:
        """Return an example as text: input rows, target rows, and rows of output bits.

        Arguments:
            inputs: the rows of the inputs.
            example: the example.
            outputs: the machine's logits, or None to show no outputs.
            groups: for each group of target channels its name and its number of channels; one
                group of all by default.

        Wrong output bits are shown as ``x``, steps that are not scored as dots.
        """
        steps = int(example.steps)
        scored = np.asarray(self.scored(example))[:steps].any(axis=1)
        target = np.asarray(example.targets)[:steps]
        decided = None if outputs is None else np.asarray(self.decide(outputs))[:steps]
        blocks = list(inputs)
        first = 0
        for name, width in groups or [("target", self.width)]:
            group = slice(first, first + width)
            blocks.append(Rows(name, target[:, group], scored))
            if decided is not None:
                wrong = decided[:, group] != target[:, group]
                blocks.append(Rows("output", decided[:, group], scored, wrong))
            first += width
        return render_rows(blocks)
