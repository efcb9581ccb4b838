"""Settings that may differ between the members of a population, and how they are drawn."""

from __future__ import annotations

import dataclasses
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from softmachine.core.choices import Count, NonNegative, Positive, check_fields

Interval = tuple[Positive, Positive]


class Settings(NamedTuple):
    """What one member trains with."""

    learning_rate: Float[Array, ""]
    gradient_noise: Float[Array, ""]
    entropy_bonus: Float[Array, ""]
    settling: Int[Array, ""]
    """Validations of this attempt from the first without a mistake on."""

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
    entropy_bonus: Interval | None = None

    def __post_init__(self) -> None:
        """Check the intervals."""
        check_fields(self)
        for field in dataclasses.fields(self):
            interval = getattr(self, field.name)
            if interval is not None and interval[0] > interval[1]:
                raise ValueError(f"search {field.name} must be (low, high), not {interval}")

    def draw(self, key: PRNGKeyArray, own: Settings) -> Settings:
        """Return settings drawn for one attempt; ``own`` where there is no interval."""
        drawn = {}
        for i, field in enumerate(dataclasses.fields(self)):
            interval = getattr(self, field.name)
            if interval is not None:
                low, high = map(math.log, interval)
                share = jax.random.uniform(jax.random.fold_in(key, i))
                drawn[field.name] = jnp.exp(low + (high - low) * share)
        return own._replace(**drawn)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Restart:
    """When a member that learns nothing starts anew, with fresh parameters and settings.

    A rule for each member alone, so that a member of a population still does what it would
    do by itself: an attempt ends when its best validation error so far is above ``error``
    after ``updates`` updates. Several such rules narrow down on the promising ones, as
    successive halving does.
    """

    updates: Count
    error: NonNegative

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_fields(self)
