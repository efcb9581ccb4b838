"""Regression in episodes: a function never seen before, from its values at a few places."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from softmachine.core.choices import Bounds, Positive, check_fields
from softmachine.core.specs.gaussians import Gaussians
from softmachine.core.specs.inputs import Reals
from softmachine.core.specs.spec import Metrics, Ratio, Stream
from softmachine.tasks.one_shot.gaussian_process import Kernel
from softmachine.tasks.registry import task
from softmachine.tasks.task import Answer, ByInstance, Example, SequenceTask

REPORTED = (1, 2, 5, 10, 20)
"""The points whose gap is reported, besides all of them and the last one."""
LEAST_NOISE = 0.01
"""The least noise, in amplitudes: with less, single precision would not do."""


@task("gp-regression")
@dataclasses.dataclass(frozen=True, kw_only=True)
class GPRegression(SequenceTask):
    """Predict a function's value at a place from its values at the places before.

    An episode of size n has n places, drawn uniformly and all different, and the values there
    of a function drawn anew from a Gaussian process, with noise. The input of step t is place t
    and the value of place t - 1; wanted is a normal distribution of the value at place t.
    Source: Santoro et al. 2016 (arXiv 1605.06065), whose constants are not published.

    The limit is the process itself, conditioned on the same points. ``gap`` is how much larger
    its log density is, in nats per point: of all points, of the last one (``gap_last``), and of
    point 1, 2, 5, ... (``gap_5``); ``excess_bits`` is that in bits per sequence.
    ``gp_log_likelihood`` and ``gp_squared_error`` are what the limit reaches itself.

    >>> task = GPRegression()
    >>> example = task.sample(jax.random.key(0), 4, max_size=6)
    >>> [*map(tuple, (example.inputs.shape, example.targets.shape))], int(example.steps)
    ([(6, 2), (6,)], 4)

    Whoever tells the limit itself is 0 nats away from it:

    >>> float(task.metrics(task.limit(example), example)["gap"].total)
    0.0
    """

    dimensions: Annotated[int, Bounds(least=1, most=3)] = 1
    """How many numbers a place has."""
    length: Annotated[float, Bounds(least=0.001)] = 1.0
    """How far apart places are whose values have little to do with each other: the kernel's
    length scale."""
    amplitude: Annotated[float, Bounds(above=0, most=100)] = 1.0
    """The standard deviation of a function's values."""
    noise: Annotated[float, Bounds(least=0.01, most=100)] = 0.1
    """The standard deviation of what is added to each value; at least a hundredth of the
    amplitude."""
    extent: Positive = 2.0
    """Places lie between minus and plus this, each way."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_fields(self)
        if self.noise < LEAST_NOISE * self.amplitude:
            raise ValueError(
                f"GPRegression.noise must be at least {LEAST_NOISE:g} amplitudes, here "
                f"{LEAST_NOISE * self.amplitude:g}; not {self.noise:g}"
            )

    @property
    def inputs(self) -> Stream[Reals]:
        """A place, then the value of the place before."""
        return Stream(Reals(self.dimensions + 1))

    @property
    def outputs(self) -> Stream[Gaussians]:
        """A normal distribution of the value."""
        return Stream(Gaussians())

    @property
    def input_labels(self) -> list[str]:
        """A label for each number of a place, and for the value before."""
        places = (
            ["x"] if self.dimensions == 1 else [f"x{i + 1}" for i in range(self.dimensions)]
        )
        return [*places, "value before"]

    @property
    def output_labels(self) -> list[str]:
        """Labels of the two outputs."""
        return ["mean", "log variance"]

    @property
    def error(self) -> str:
        """``excess_bits``: bits per sequence above those of the process itself."""
        return "excess_bits"

    @property
    def kernel(self) -> Kernel:
        """The Gaussian process that functions are drawn from."""
        return Kernel(self.length, self.amplitude, self.noise)

    def worst_errors(self, sizes: Sequence[int]) -> None:
        """Return None: a log density has no lower bound."""
        del sizes

    def by_instance(self, size: int) -> ByInstance:
        """Return the gap at some points, and at the last one."""
        numbers = tuple(number for number in REPORTED if number < size)
        return ByInstance(
            numbers=(*numbers, size),
            metrics=(*(f"gap_{number}" for number in numbers), "gap_last"),
            level=0.0,
            level_name="exact Gaussian process",
            over="point",
            shown="nats below the exact Gaussian process",
            shares=False,
        )

    def steps(self, size: Any) -> Any:
        """Return ``size``: one step per point."""
        return size

    def items(self, size: int) -> int:
        """Return 1: how many points tell a function depends on its length, not on the size."""
        del size
        return 1

    def bucket(self, size: int) -> int:
        """Return ``size``: padding would cost as much as the episode."""
        return size

    def sample(
        self, key: PRNGKeyArray, size: Int[Array, ""] | int, *, max_size: int
    ) -> Example:
        """Draw places, and the values of a function there.

        Inputs are float32, shape (steps, dimensions + 1); targets and mask have shape (steps,).
        """
        self.check_size(size, max_size)
        place_key, value_key = jax.random.split(key)
        places = self.extent * distinct(place_key, max_size, self.dimensions)
        values = self.kernel.draw(
            places, jax.random.normal(value_key, (max_size,), jnp.float32)
        )
        mask = (jnp.arange(max_size) < size).astype(jnp.float32)
        targets = values * mask
        before = jnp.concatenate([jnp.zeros_like(targets[:1]), targets[:-1]])
        inputs = jnp.concatenate([places, before[:, None]], axis=1) * mask[:, None]
        return Example(inputs, targets, mask, jnp.asarray(size, jnp.int32))

    def answer(self, inputs: Float[np.ndarray, "steps width"]) -> Answer | None:
        """Return targets and mask for the inputs of a whole episode.

        The value at the last place is unknown, and not scored.
        """
        if inputs[0, -1]:
            return None
        targets = np.zeros(len(inputs), np.float32)
        mask = np.ones(len(inputs), np.float32)
        targets[:-1], mask[-1] = inputs[1:, -1], 0
        return targets, mask

    def limit(self, example: Example) -> Float[Array, "steps 2"]:
        """Return the outputs that tell what the process itself predicts."""
        places = example.inputs[:, : self.dimensions]
        means, variances = self.kernel.one_by_one(places, example.targets, example.mask)
        return self.outputs.spec.telling(means, variances)

    def metrics(self, outputs: Float[Array, "steps 2"], example: Example) -> Metrics:
        """Return the metrics of a prediction, the same of the limit, and how far it is."""
        spec, mask, limit = self.outputs.spec, example.mask, self.limit(example)
        gaps = spec.log_densities(limit, example) - spec.log_densities(outputs, example)
        gaps = gaps * mask
        points = jnp.cumsum(mask)

        def at(point):
            here = jnp.where(points == point, mask, 0)
            return Ratio(jnp.sum(gaps * here), jnp.sum(here))

        best = spec.metrics(limit, example)
        return spec.metrics(outputs, example) | {
            "excess_bits": jnp.sum(gaps) / math.log(2),
            "gap": Ratio(jnp.sum(gaps), jnp.sum(mask)),
            **{f"gap_{number}": at(number) for number in REPORTED},
            "gap_last": at(jnp.sum(mask)),
            "gp_log_likelihood": best["log_likelihood"],
            "gp_squared_error": best["squared_error"],
        }

    def predict(
        self,
        seen: Float[Array, "n dimensions"],
        values: Float[Array, " n"],
        asked: Float[Array, "m dimensions"],
    ) -> tuple[Float[Array, " m"], Float[Array, " m"]]:
        """Return what is best to predict at other places: means and variances of values."""
        return self.kernel.given(seen, values, asked)

    def render(self, example: Example, outputs: Float[Array, "steps 2"] | None = None) -> str:
        """Return a line per point: its place, its value, what was said and what is best."""
        steps = int(example.steps)
        spec, places = self.outputs.spec, np.asarray(example.inputs)[:steps, :-1]
        columns = [
            ("place", [" ".join(f"{x:.2f}" for x in place) for place in places]),
            ("value", [f"{x:.2f}" for x in np.asarray(example.targets)[:steps].tolist()]),
        ]
        if outputs is not None:
            columns.append(("output", spec.output_texts(outputs)[:steps]))
        columns.append(("best", spec.output_texts(self.limit(example))[:steps]))
        widths = [max(map(len, (name, *texts))) for name, texts in columns]
        rows = [
            [name for name, _ in columns],
            *zip(*(texts for _, texts in columns), strict=True),
        ]
        return "\n".join(
            "  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True))
            for row in rows
        )


def distinct(
    key: PRNGKeyArray, count: int, dimensions: int
) -> Float[Array, "count dimensions"]:
    """Draw places uniformly from [-1, 1) each way, no two of them with a number in common.

    Of 2^23 numbers, as many as single precision has there, two of 50 would be the same once in
    7,000 times. So the lowest digits, which matter to nothing else, are made different.
    """
    low = (count - 1).bit_length()
    high_key, low_key = jax.random.split(key)
    high = jax.random.randint(high_key, (count, dimensions), 0, 2 ** (23 - low), jnp.int32)
    digits = jnp.tile(jnp.arange(2**low, dtype=jnp.int32)[:, None], (1, dimensions))
    digits = jax.random.permutation(low_key, digits, axis=0, independent=True)[:count]
    return (high * 2**low + digits).astype(jnp.float32) * 2.0**-22 - 1
