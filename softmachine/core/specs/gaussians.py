"""Gaussians: a real number per step; a machine outputs the mean and log variance of it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from softmachine.core.example import Example
from softmachine.core.pytrees import PyTree
from softmachine.core.specs.spec import Fields, Metrics, Ratio, Spec, channel_field, channels

MOST_LOG_VARIANCE = 10.0
"""Log variances lie between minus and plus this: standard deviations between 0.007 and 148."""
INTERVAL = 1.96
"""Standard deviations on each side of the mean, within which 95 % of a normal lies."""


def log_density(
    values: Float[Array, "*shape"],
    means: Float[Array, "*shape"],
    log_variances: Float[Array, "*shape"],
) -> Float[Array, "*shape"]:
    """Return the log density of normal distributions at values, in nats.

    >>> [round(float(x), 6) for x in log_density(jnp.array([0.3]), jnp.zeros(1), jnp.zeros(1))]
    [-0.963939]
    """
    squares = jnp.square(values - means) * jnp.exp(-log_variances)
    return -0.5 * (math.log(2 * math.pi) + log_variances + squares)


@dataclasses.dataclass(frozen=True)
class Gaussians(Spec):
    """A real number per step, of about unit size; outputs are a normal distribution of it.

    Outputs have shape (steps, 2): the mean m as it is, and a number a of which the log variance
    is ``10 tanh(a / 10)``. So small ones are taken as they are, and no variance is below 4.5e-5
    or above 22,000: an output that is far too sure costs much, but its loss and gradient stay
    finite. Targets are float32, shape (steps,); the mask has the same shape.

    Metrics of one sequence: ``bits``, the negative log density in base 2, which is below 0
    where the density is above 1; ``log_likelihood``, the log density in nats per scored point;
    ``squared_error`` of the mean, per point; ``covered``, the share of points within 1.96
    standard deviations of the mean: 95 percent, of a machine that knows how sure it is.
    """

    error: ClassVar[str] = "squared_error"
    shares: ClassVar[tuple[str, ...]] = ("covered",)
    editor: ClassVar[Literal["bits", "cells"]] = "bits"
    unit: ClassVar[str] = "numbers"
    decisions: ClassVar[bool] = False

    @property
    def width(self) -> int:
        """Two: mean and log variance."""
        return 2

    def means(self, outputs: Float[Array, "*shape 2"]) -> Float[Array, "*shape"]:
        """Return the means."""
        return outputs[..., 0]

    def log_variances(self, outputs: Float[Array, "*shape 2"]) -> Float[Array, "*shape"]:
        """Return the log variances, between -10 and 10."""
        return MOST_LOG_VARIANCE * jnp.tanh(outputs[..., 1] / MOST_LOG_VARIANCE)

    def telling(
        self, means: Float[Array, "*shape"], variances: Float[Array, "*shape"]
    ) -> Float[Array, "*shape 2"]:
        """Return the outputs that tell these means and variances.

        >>> told = Gaussians().telling(jnp.array([0.5]), jnp.array([0.04]))
        >>> Gaussians().output_texts(told)
        ['0.50 ± 0.20']
        """
        spreads = MOST_LOG_VARIANCE * jnp.arctanh(jnp.log(variances) / MOST_LOG_VARIANCE)
        return jnp.stack([means, spreads], axis=-1)

    def log_densities(
        self, outputs: Float[Array, "steps 2"], example: Example
    ) -> Float[Array, " steps"]:
        """Return the log density of each target, in nats, scored or not."""
        return log_density(example.targets, self.means(outputs), self.log_variances(outputs))

    def loss(self, outputs: Float[Array, "steps 2"], example: Example) -> Float[Array, ""]:
        """Return the negative log density, summed over scored steps, in nats."""
        return -jnp.sum(self.log_densities(outputs, example) * example.mask)

    def metrics(self, outputs: Float[Array, "steps 2"], example: Example) -> Metrics:
        """Return ``bits``, ``log_likelihood``, ``squared_error`` and ``covered``."""
        loss, scored = self.loss(outputs, example), jnp.sum(example.mask)
        squares = jnp.square(example.targets - self.means(outputs)) * example.mask
        missed = jnp.sum(jnp.where(self.wrong(outputs, example), example.mask, 0))
        return {
            "bits": loss / math.log(2),
            "log_likelihood": Ratio(-loss, scored),
            "squared_error": Ratio(jnp.sum(squares), scored),
            "covered": Ratio(scored - missed, scored),
        }

    def decide(self, outputs: PyTree) -> Float[Array, "..."]:
        """Return the mean: the most likely value."""
        return self.means(outputs)

    def wrong(self, outputs: PyTree, example: Example) -> Bool[Array, " steps"]:
        """Return where scored targets lie outside of the 95 % interval, as one in 20 should."""
        deviations = jnp.exp(0.5 * self.log_variances(outputs))
        outside = jnp.abs(example.targets - self.means(outputs)) > INTERVAL * deviations
        return outside & self.scored(example)

    def input_texts(self, inputs: np.ndarray) -> list[str]:
        """Return the number of each step."""
        return [f"{row[0]:.2f}" for row in inputs]

    def output_texts(self, outputs: PyTree) -> list[str]:
        """Return the mean and the standard deviation of each step."""
        return [f"{mean:.2f} ± {deviation:.2f}" for mean, deviation in self._told(outputs)]

    def probabilities(
        self, outputs: Float[Array, "steps 2"], example: Example
    ) -> Float[np.ndarray, "steps 2"]:
        """Return mean and standard deviation in place of probabilities; 0 where not scored."""
        return self._told(outputs) * np.asarray(example.mask)[:, None]

    def worst_error(self, example: Example) -> Float[Array, ""]:
        """Return infinity: a squared error has no upper bound."""
        del example
        return jnp.asarray(jnp.inf, jnp.float32)

    def parse(self, value: Any, most: int) -> Float[np.ndarray, "steps 1"]:
        """Return an array from one list of one number per step; ValueError otherwise."""
        return channels(value, 1, most)

    def unscored(
        self, steps: int
    ) -> tuple[Float[np.ndarray, " steps"], Float[np.ndarray, " steps"]]:
        """Return targets and mask of ``steps`` steps that are not scored: zeros."""
        return np.zeros(steps, np.float32), np.zeros(steps, np.float32)

    def input_fields(self, inputs: np.ndarray, labels: Sequence[str]) -> Fields:
        """Return the numbers as one field."""
        field = channel_field("inputs", "vector", "input channel", "The number given.", labels)
        return [(field, inputs)]

    def output_fields(
        self, outputs: Float[Array, "steps 2"], example: Example, labels: Sequence[str]
    ) -> Fields:
        """Return the fields targets, mask, outputs (mean, standard deviation) and wrong."""
        del labels  # of mean and log variance
        wrong = np.asarray(self.wrong(jnp.asarray(outputs), example))
        told = ("mean", "standard deviation")
        shown = "The mean and the standard deviation."
        target, number = "target channel", ("value",)
        outside = "Where the value is outside of the interval that has 95 percent."
        return [
            (
                channel_field("targets", "vector", target, "The value that is due.", number),
                np.asarray(example.targets)[:, None],
            ),
            (
                channel_field("mask", "bits", target, "Where targets are scored.", number),
                np.asarray(example.mask)[:, None] > 0,
            ),
            (
                channel_field("outputs", "vector", "output channel", shown, told),
                self._told(outputs),
            ),
            (channel_field("wrong", "bits", target, outside, number), wrong[:, None]),
        ]

    def _told(self, outputs: Any) -> Float[np.ndarray, "steps 2"]:
        """Return mean and standard deviation of each step."""
        outputs = jnp.asarray(outputs)
        deviations = jnp.exp(0.5 * self.log_variances(outputs))
        return np.stack([np.asarray(self.means(outputs)), np.asarray(deviations)], axis=-1)
