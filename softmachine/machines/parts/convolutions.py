"""Convolutions over an image that is part of each step's input, before a controller."""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import Annotated

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from softmachine.core.choices import Bounds, Count, check_fields
from softmachine.machines.parts.linear import Linear

KERNEL = 3
"""Pixels that a filter sees, each way."""
STRIDE = 2
"""How far apart the places are at which filters are applied."""


class Convolutions(eqx.Module):
    """Layers of 3 x 3 filters at every second place, each followed by max(0, x).

    The image is the first ``side`` squared channels of an input, row after row. Each layer
    halves the sides, rounding up; outside of an image there is paper (0). The whole input goes
    on unchanged, after the features.
    """

    filters: tuple[Linear, ...]
    """Per layer, from (3 x 3 x channels before) to the layer's channels."""
    side: int = eqx.field(static=True)

    def __call__(self, x: Float[Array, "... inputs"]) -> Float[Array, "... outputs"]:
        """Return the features of the image, then the whole input."""
        image = x[..., : self.side**2].reshape(*x.shape[:-1], self.side, self.side, 1)
        for layer in self.filters:
            image = jax.nn.relu(layer(_neighbourhoods(image)))
        features = image.reshape(*x.shape[:-1], -1)
        return jnp.concatenate([features, x], axis=-1)


def _neighbourhoods(
    image: Float[Array, "... side side channels"],
) -> Float[Array, "... half half seen"]:
    """Return what a filter sees at every second place: 3 x 3 pixels of all channels.

    A place's own pixel is in the middle. Slices, since JAX's convolutions are slow on CPUs.
    """
    half = -(-image.shape[-3] // STRIDE)
    around = [(0, 0)] * (image.ndim - 3) + [(1, 1), (1, 1), (0, 0)]
    padded = jnp.pad(image, around)
    last = STRIDE * (half - 1) + 1
    seen = [
        padded[..., i : i + last : STRIDE, j : j + last : STRIDE, :]
        for i, j in itertools.product(range(KERNEL), repeat=2)
    ]
    return jnp.concatenate(seen, axis=-1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConvolutionsConfig:
    """Layers of convolutions before a controller, for inputs that begin with an image."""

    side: Annotated[int, Bounds(least=2, most=105)] = 20
    """Pixels of the image each way."""
    channels: tuple[Count, ...] = (16, 32, 64)
    """Filters of each layer, the first one first."""

    def __post_init__(self) -> None:
        """Check the sizes."""
        check_fields(self)
        if not self.channels:
            raise ValueError("convolutions need channels: at least those of one layer")

    def features(self, inputs: int) -> int:
        """Return how many channels come out for so many going in."""
        if inputs < self.side**2:
            raise ValueError(
                f"convolutions of an image with side {self.side} need {self.side**2} inputs, "
                f"there are {inputs}"
            )
        last = self.side
        for _ in self.channels:
            last = -(-last // STRIDE)
        return last**2 * self.channels[-1] + inputs

    def build(self, *, key: PRNGKeyArray) -> Convolutions:
        """Return filters, drawn uniformly from ±sqrt(6 / inputs); biases start at zero.

        So features vary as much as the pixels do. Source: He et al. 2015 (arXiv 1502.01852),
        Eq. 10.
        """
        filters = []
        for i, (before, after) in enumerate(itertools.pairwise((1, *self.channels))):
            seen = KERNEL**2 * before
            layer_key, shape = jax.random.fold_in(key, i), (after, seen)
            bound = math.sqrt(6 / seen)
            weight = jax.random.uniform(layer_key, shape, minval=-bound, maxval=bound)
            filters.append(Linear(weight, jnp.zeros(after)))
        return Convolutions(filters=tuple(filters), side=self.side)
