"""Settings that may differ between the members of a population, and how they are drawn."""

from __future__ import annotations

import dataclasses
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from softmachine.core.choices import Positive, check_fields

Interval = tuple[Positive, Positive]


class Settings(NamedTuple):
    """Hyper-parameters that a member may have for itself."""

    learning_rate: Float[Array, ""]
    gradient_noise: Float[Array, ""]
    settling: Int[Array, ""]
    """Validations since the first without a mistake, itself included; 0 before."""
    objective: dict[str, Float[Array, ""]]
    """What the objective has drawn; see `Objective.draw`."""

    @property
    def late(self) -> Float[Array, "..."]:
        """1 once validation found no mistake in this attempt, else 0."""
        return (self.settling > 0).astype(jnp.float32)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Search:
    """Intervals from which each member, at each of its attempts, draws its settings.

    The logarithm is uniform. None: the experiment's own value, for all members.
    """

    learning_rate: Interval | None = None
    gradient_noise: Interval | None = None

    def __post_init__(self) -> None:
        """Check the intervals."""
        check_fields(self)
        for field in dataclasses.fields(self):
            check_interval(getattr(self, field.name), f"search {field.name}")

    def draw(self, key: PRNGKeyArray, own: Settings) -> Settings:
        """Return settings drawn for one attempt; ``own`` where there is no interval."""
        drawn = {
            field.name: draw_between(jax.random.fold_in(key, i), interval)
            for i, field in enumerate(dataclasses.fields(self))
            if (interval := getattr(self, field.name)) is not None
        }
        return own._replace(**drawn)


OF_OBJECTIVE = 2
"""The branch of an attempt's key that its objective draws from; `Search` has those before."""


def check_interval(interval: Interval | None, name: str) -> None:
    """Raise ValueError, with the name, unless an interval's ends are in their order."""
    if interval is not None and interval[0] > interval[1]:
        raise ValueError(f"{name} must be (low, high), not {interval}")


def draw_between(key: PRNGKeyArray, interval: Interval) -> Float[Array, ""]:
    """Return a number from an interval, its logarithm uniform."""
    low, high = map(math.log, interval)
    return jnp.exp(low + (high - low) * jax.random.uniform(key))
