"""Curricula: which sizes to train on, as data."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree


@dataclasses.dataclass(frozen=True, kw_only=True)
class Uniform:
    """Sizes uniform in ``smallest .. largest``."""

    smallest: int = 1
    largest: int = 20

    def __post_init__(self) -> None:
        """Check the range."""
        _check_range(self.smallest, self.largest)

    def init(self) -> PyTree:
        """Return the curriculum's own state: none."""
        return ()

    def sample(self, state: PyTree, key: PRNGKeyArray) -> Int[Array, ""]:
        """Draw one example's size."""
        del state
        return jax.random.randint(key, (), self.smallest, self.largest + 1)

    def update(self, state: PyTree, error: Float[Array, ""]) -> PyTree:
        """Return the state after an update whose batch had this mean error."""
        del error
        return state


@dataclasses.dataclass(frozen=True, kw_only=True)
class Growing:
    """Sizes uniform in ``smallest .. level``; the level rises when errors become rare.

    It starts at ``start`` and rises by ``rise`` whenever the running mean of the task's
    error per example falls below ``threshold``, at most every ``patience`` updates.
    """

    smallest: int = 1
    largest: int = 20
    start: int = 2
    rise: int = 1
    threshold: float = 1.0
    patience: int = 100

    def __post_init__(self) -> None:
        """Check the range."""
        _check_range(self.smallest, self.largest)
        if not self.smallest <= self.start <= self.largest:
            raise ValueError(
                f"curriculum start must be in {self.smallest}..{self.largest}, not {self.start}"
            )
        if self.rise < 1 or self.patience < 1:
            raise ValueError("curriculum rise and patience must be at least 1")

    def init(self) -> PyTree:
        """Return level, running mean error, updates since the last rise."""
        return {
            "level": jnp.asarray(self.start),
            "error": jnp.asarray(jnp.inf),
            "waited": jnp.asarray(0),
        }

    def sample(self, state: PyTree, key: PRNGKeyArray) -> Int[Array, ""]:
        """Draw one example's size."""
        return jax.random.randint(key, (), self.smallest, state["level"] + 1)

    def update(self, state: PyTree, error: Float[Array, ""]) -> PyTree:
        """Return the state after an update whose batch had this mean error."""
        known = jnp.where(jnp.isfinite(state["error"]), state["error"], error)
        mean = known + (error - known) / self.patience
        waited = state["waited"] + 1
        rises = (mean < self.threshold) & (waited >= self.patience)
        level = jnp.minimum(state["level"] + self.rise * rises, self.largest)
        return {
            "level": level,
            "error": jnp.where(rises, jnp.inf, mean),
            "waited": jnp.where(rises, 0, waited),
        }


Curriculum = Uniform | Growing


def _check_range(smallest: int, largest: int) -> None:
    if not 1 <= smallest <= largest:
        raise ValueError(
            f"curriculum needs 1 <= smallest <= largest, not {smallest} and {largest}"
        )
