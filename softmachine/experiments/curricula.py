"""Curricula: which sizes to train on, as data."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from softmachine.core.choices import (
    LARGEST_INT,
    Bounds,
    Count,
    Decay,
    NonNegative,
    Share,
    check_fields,
)
from softmachine.core.registry import Registry


class Curriculum(abc.ABC):
    """Draws the sizes to train on; a frozen keyword-only dataclass.

    It has a range of sizes, and a state that pure functions inside a compiled loop pass on.
    """

    smallest: int
    """No size below this is drawn."""
    largest: int
    """No size above this is drawn."""

    @abc.abstractmethod
    def init(self) -> PyTree:
        """Return the state before the first update."""

    @abc.abstractmethod
    def sample(self, state: Any, key: PRNGKeyArray, count: int) -> Int[Array, " count"]:
        """Draw the sizes of a batch; example i's depends on (key, i) alone."""

    @abc.abstractmethod
    def update(self, state: Any, error: Float[Array, ""]) -> PyTree:
        """Return the state after an update with this error, the mean over its batch."""

    def report(self, state: Any) -> dict[str, Any]:
        """Return numbers about a state for the metrics: none, where it never changes."""
        del state
        return {}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Uniform(Curriculum):
    """Sizes uniform in ``smallest .. largest``."""

    smallest: Count = 1
    largest: Count = 20

    def __post_init__(self) -> None:
        """Check the range."""
        _check_range(self)

    def init(self) -> tuple[()]:
        """Return the curriculum's own state: none."""
        return ()

    def sample(self, state: tuple[()], key: PRNGKeyArray, count: int) -> Int[Array, " count"]:
        """Draw the sizes of a batch; example i's depends on (key, i) alone."""
        del state
        return _for_each_example(
            lambda key: jax.random.randint(key, (), self.smallest, self.largest + 1), key, count
        )

    def update(self, state: tuple[()], error: Float[Array, ""]) -> tuple[()]:
        """Return the state after an update: there is nothing to learn."""
        del error
        return state


@dataclasses.dataclass(frozen=True, kw_only=True)
class OneSize(Curriculum):
    """One size for all examples of a batch, uniform in ``smallest .. level``.

    No example waits for a longer one: on streams an update takes half the time of a batch of
    mixed sizes. The level is ``largest``, or rises to it evenly over the first updates.
    """

    smallest: Count = 1
    largest: Count = 20
    over: Annotated[int, Bounds(least=0, most=LARGEST_INT)] = 0
    """Updates until the level has risen from ``smallest`` to ``largest``."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        _check_range(self)

    def init(self) -> Int[Array, ""] | tuple[()]:
        """Return the number of updates taken, 0; nothing if the level never rises."""
        return jnp.zeros((), jnp.int32) if self.over else ()

    def level(self, updates: Int[Array, ""]) -> Int[Array, ""]:
        """Return the largest size drawn after ``updates`` updates."""
        share = jnp.minimum(updates / self.over, 1.0)
        risen = jnp.floor(share * (self.largest - self.smallest) + 1e-3)
        return self.smallest + risen.astype(jnp.int32)

    def sample(
        self, state: Int[Array, ""] | tuple[()], key: PRNGKeyArray, count: int
    ) -> Int[Array, " count"]:
        """Draw the size of a batch, as many times as it has examples."""
        level = self.largest if isinstance(state, tuple) else self.level(state)
        return jnp.full(count, jax.random.randint(key, (), self.smallest, level + 1))

    def update(
        self, state: Int[Array, ""] | tuple[()], error: Float[Array, ""]
    ) -> Int[Array, ""] | tuple[()]:
        """Return the number of updates after one more."""
        del error
        return () if isinstance(state, tuple) else state + 1

    def report(self, state: Int[Array, ""] | tuple[()]) -> dict[str, int]:
        """Return the level, if it rises."""
        return {} if isinstance(state, tuple) else {"level": int(self.level(state))}


class GrowingState(NamedTuple):
    """What ``Growing`` remembers."""

    level: Int[Array, ""]
    error: Float[Array, ""]
    """Running mean since the last rise; infinite before its first value."""
    waited: Int[Array, ""]
    """Updates since the last rise."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Growing(Curriculum):
    """Sizes around a level that rises when errors become rare.

    The level starts at ``start`` and rises by ``rise`` whenever the running mean of the
    task's error per example falls below ``threshold``, at most every ``patience`` updates.
    All examples of a batch count: with sizes beyond the level among them, choose a threshold
    that can be met in spite of these.

    ``forward`` and ``back`` are the probabilities that an example looks beyond the level, or
    back; all other examples have the level itself as their size. So published curricula are:

    ==================== ======== ===== ========== =======================================
    source               forward  back  overshoot  its name
    ==================== ======== ===== ========== =======================================
    (the default)        0        1     0
    Zaremba 2014         0        0     0          naive
    Zaremba 2014         share    0     0          combined; the share is not published
    Collier 2018         0        0.1   0          look back
    Collier 2018         0.2      0     0          look back and forward
    Kurach 2016 (NRAM)   0.1      0.25  0.5
    Santoro 2016         0        0     0          one more class every 10,000 episodes
    ==================== ======== ===== ========== =======================================

    With a threshold that is always met, such as 1e9, the level rises every ``patience``
    updates whatever the machine has learned: that is the last row.

    Sources: Zaremba and Sutskever, Learning to execute, arXiv 1410.4615 (its level rises when
    learning makes no more progress, not below a threshold); the code published with Collier
    and Beel, arXiv 1807.08518; Kurach, Andrychowicz and Sutskever, arXiv 1511.06392, which
    does not say whether the overshoot starts from 0, as here, or from 1; Santoro et al.,
    arXiv 1605.06065.
    """

    smallest: Count = 1
    largest: Count = 20
    start: Count = 2
    rise: Count = 1
    threshold: NonNegative = 1.0
    patience: Count = 100
    forward: Share = 0.0
    """Share of the examples with sizes uniform in ``smallest .. largest``."""
    back: Share = 1.0
    """Share of the examples with sizes uniform in ``smallest .. level``."""
    overshoot: Decay = 0.0
    """Examples other than ``forward`` see a level higher by e, but never above ``largest``;
    e is drawn for each with P(e = n) = (1 - overshoot) overshootⁿ."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        _check_range(self)
        if not self.smallest <= self.start <= self.largest:
            raise ValueError(
                f"curriculum start must be in {self.smallest}..{self.largest}, not {self.start}"
            )
        if self.forward + self.back > 1:
            raise ValueError(
                f"curriculum forward and back must be shares of one whole, not {self.forward} "
                f"and {self.back}"
            )

    def init(self) -> GrowingState:
        """Return the state before the first update."""
        return GrowingState(
            level=jnp.asarray(self.start, jnp.int32),
            error=jnp.asarray(jnp.inf, jnp.float32),
            waited=jnp.zeros((), jnp.int32),
        )

    def sample(
        self, state: GrowingState, key: PRNGKeyArray, count: int
    ) -> Int[Array, " count"]:
        """Draw the sizes of a batch; example i's depends on (key, i) alone."""

        def draw(key):
            kind_key, overshoot_key, size_key = jax.random.split(key, 3)
            kind = jax.random.uniform(kind_key)
            beyond = jax.random.geometric(overshoot_key, 1 - self.overshoot) - 1
            level = jnp.minimum(state.level + beyond, self.largest)
            top = jnp.where(kind < self.forward, self.largest, level)
            spread = jax.random.randint(size_key, (), self.smallest, top + 1)
            return jnp.where(kind < self.forward + self.back, spread, top)

        return _for_each_example(draw, key, count)

    def update(self, state: GrowingState, error: Float[Array, ""]) -> GrowingState:
        """Return the state after an update with this error, the mean over its batch."""
        known = jnp.where(jnp.isfinite(state.error), state.error, error)
        mean = known + (error - known) / self.patience
        waited = state.waited + 1
        rises = (mean < self.threshold) & (waited >= self.patience)
        return GrowingState(
            level=jnp.minimum(state.level + self.rise * rises, self.largest),
            error=jnp.where(rises, jnp.inf, mean),
            waited=jnp.where(rises, 0, waited),
        )

    def report(self, state: GrowingState) -> dict[str, int]:
        """Return the level."""
        return {"level": int(state.level)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rising(Curriculum):
    """Sizes around a level that rises with time, whatever the machine has learned.

    The level rises from ``smallest`` to ``largest`` by the same factor in every update, and
    arrives after ``over`` updates. Sizes are uniform in ``back * level .. level``.
    """

    smallest: Count = 1
    largest: Count = 20
    over: Count = 100_000
    """Updates until the level is ``largest``."""
    back: Share = 0.5
    """Smallest size of an example as a share of the level."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        _check_range(self)

    def init(self) -> Int[Array, ""]:
        """Return the number of updates taken: 0."""
        return jnp.zeros((), jnp.int32)

    def level(self, updates: Int[Array, ""]) -> Int[Array, ""]:
        """Return the largest size drawn after ``updates`` updates."""
        share = jnp.minimum(updates / self.over, 1.0)
        # The float32 power may fall just short of a whole number.
        exact = self.smallest * (self.largest / self.smallest) ** share
        return jnp.floor(exact + 1e-3).astype(jnp.int32)

    def sample(
        self, state: Int[Array, ""], key: PRNGKeyArray, count: int
    ) -> Int[Array, " count"]:
        """Draw the sizes of a batch; example i's depends on (key, i) alone."""
        level = self.level(state)
        lowest = jnp.ceil(self.back * level).astype(jnp.int32)
        lowest = jnp.maximum(lowest, self.smallest)
        return _for_each_example(
            lambda key: jax.random.randint(key, (), lowest, level + 1), key, count
        )

    def update(self, state: Int[Array, ""], error: Float[Array, ""]) -> Int[Array, ""]:
        """Return the number of updates after one more."""
        del error
        return state + 1

    def report(self, state: Int[Array, ""]) -> dict[str, int]:
        """Return the level."""
        return {"level": int(self.level(state))}


CURRICULA: Registry[type[Curriculum]] = Registry(
    "curriculum",
    "softmachine.curricula",
    {
        "uniform": "curricula:Uniform",
        "one-size": "curricula:OneSize",
        "growing": "curricula:Growing",
        "rising": "curricula:Rising",
    },
    package="softmachine.experiments",
    base="softmachine.experiments.curricula:Curriculum",
)
"""Curricula by the names that files have."""


def _for_each_example(
    draw: Callable[[PRNGKeyArray], Int[Array, ""]], key: PRNGKeyArray, count: int
) -> Int[Array, " count"]:
    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(count))
    return jax.vmap(draw)(keys)


def _check_range(curriculum: Curriculum) -> None:
    """Raise ValueError if a number is out of bounds, or the smallest size is not that."""
    check_fields(curriculum)
    smallest, largest = curriculum.smallest, curriculum.largest
    if smallest > largest:
        raise ValueError(f"curriculum needs smallest <= largest, not {smallest} and {largest}")
