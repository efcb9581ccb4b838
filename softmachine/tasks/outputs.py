"""Output kinds: what a task's targets are, and how outputs are scored against them.

The kind fixes loss and errors once for all tasks that share it.
"""

from __future__ import annotations

import dataclasses
import math
from typing import ClassVar

import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PyTree

from softmachine.tasks.task import Example


@dataclasses.dataclass(frozen=True)
class Bits:
    """Binary targets; a machine's outputs are logits, positive for 1.

    Metrics, each a sum over one sequence: ``bits``, the cross-entropy in base 2 (the NTM
    paper's "bits per sequence"); ``wrong_bits``, thresholded errors; ``perfect``, 1 for a
    sequence without any.
    """

    error: ClassVar[str] = "wrong_bits"

    def loss(self, outputs: Float[Array, "steps width"], example: Example) -> Float[Array, ""]:
        """Return the cross-entropy of the scored bits, in nats per sequence."""
        losses = optax.sigmoid_binary_cross_entropy(outputs, example.targets)
        return jnp.sum(losses * example.mask)

    def metrics(
        self, outputs: Float[Array, "steps width"], example: Example
    ) -> dict[str, Float[Array, ""]]:
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
