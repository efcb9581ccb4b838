"""Optimisers: what Optax offers, and the RMSProp of Graves 2013."""

from __future__ import annotations

import dataclasses
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.flatten_util import ravel_pytree
from jaxtyping import PyTree

from softmachine.core.choices import Count, Decay, Natural, NonNegative, Positive, check_fields


class GravesState(NamedTuple):
    """Running means of squared gradients, of gradients, and the last step."""

    squares: PyTree
    means: PyTree
    steps: PyTree


def graves_rmsprop(
    learning_rate: optax.ScalarOrSchedule,
    decay: float = 0.95,
    momentum: float = 0.9,
    epsilon: float = 1e-4,
) -> optax.GradientTransformation:
    """RMSProp with the variance under the root, as in Graves 2013 (Eq. 38 to 41).

    With gradient g: ``n = decay n + (1 - decay) g²``, ``m = decay m + (1 - decay) g``,
    ``step = momentum step - learning_rate g / sqrt(n - m² + epsilon)``. Unlike library
    versions, ``epsilon`` stands inside the root. Under a schedule today's learning rate
    multiplies the whole step, past gradients included, as with Optax's own momentum.
    Source: arXiv 1308.0850, section 4.2.
    """

    def init(params):
        # Three arrays, not one thrice: a training loop donates them.
        return GravesState(*(optax.tree.zeros_like(params) for _ in range(3)))

    def update(updates, state, params=None):
        del params
        gradients = updates
        squares = jax.tree.map(
            lambda n, g: decay * n + (1 - decay) * jnp.square(g), state.squares, gradients
        )
        means = jax.tree.map(lambda m, g: decay * m + (1 - decay) * g, state.means, gradients)
        # No variance is negative, but in float32 the difference can be, by more than epsilon.
        variances = jax.tree.map(lambda n, m: jnp.maximum(n - jnp.square(m), 0), squares, means)
        steps = jax.tree.map(
            lambda d, g, variance: momentum * d - g / jnp.sqrt(variance + epsilon),
            state.steps,
            gradients,
            variances,
        )
        return steps, GravesState(squares, means, steps)

    return optax.chain(optax.GradientTransformation(init, update), _scale(learning_rate))


def gradient_noise() -> optax.GradientTransformationExtraArgs:
    """Add Gaussian noise; ``update`` takes a ``noise_key`` and the ``deviation``."""

    def init(params):
        del params
        return optax.EmptyState()

    def update(updates, state, params=None, **extra):
        del params
        # All in one: to draw for a bias alone takes almost as long as for everything.
        flat, unravel = ravel_pytree(updates)
        noise = jax.random.normal(extra["noise_key"], flat.shape, flat.dtype)
        # Behind barriers, or XLA would compute it again for everything it goes into.
        flat, noise = jax.lax.optimization_barrier((flat, noise))
        noisy = jax.lax.optimization_barrier(flat + extra["deviation"] * noise)
        return unravel(noisy), state

    return optax.GradientTransformationExtraArgs(init, update)


def _scale(learning_rate: optax.ScalarOrSchedule) -> optax.GradientTransformation:
    if callable(learning_rate):
        return optax.scale_by_schedule(learning_rate)
    return optax.scale(learning_rate)


@dataclasses.dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """Which optimiser, and how gradients are clipped before it."""

    kind: Literal["adam", "adamw", "graves-rmsprop"] = "adam"
    learning_rate: Positive = 1e-3
    schedule: Literal["constant", "cosine", "linear"] = "constant"
    """Decay to zero over ``decay_steps`` updates after the warm-up, or none."""
    decay_steps: Count | None = None
    warmup_steps: Natural = 0
    """Updates of linear rise from zero."""
    betas: tuple[Decay, Decay] = (0.9, 0.999)
    """Adam and AdamW."""
    weight_decay: NonNegative = 0.0
    """AdamW."""
    decay: Decay = 0.95
    """Graves's RMSProp."""
    momentum: Decay = 0.9
    """Graves's RMSProp."""
    clip_norm: Positive | None = 10.0
    """Largest global norm of the gradient."""
    clip_value: Positive | None = None
    """Largest absolute value of a gradient component; applied before ``clip_norm``."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_fields(self)
        if self.schedule != "constant" and self.decay_steps is None:
            raise ValueError(f"schedule {self.schedule!r} needs decay_steps, a positive number")

    def build(self, *, noise: bool = False) -> optax.GradientTransformationExtraArgs:
        """Return the whole chain: clipping, with ``noise`` `gradient_noise`, steps."""
        rate = self._rate()
        chain = []
        if self.clip_value is not None:
            chain.append(optax.clip(self.clip_value))
        if self.clip_norm is not None:
            chain.append(optax.clip_by_global_norm(self.clip_norm))
        if noise:
            chain.append(gradient_noise())
        if self.kind == "adam":
            chain.append(optax.adam(rate, *self.betas))
        elif self.kind == "adamw":
            chain.append(optax.adamw(rate, *self.betas, weight_decay=self.weight_decay))
        else:
            chain.append(graves_rmsprop(rate, self.decay, self.momentum))
        return optax.chain(*chain)

    def _rate(self) -> optax.ScalarOrSchedule:
        if self.schedule == "constant" and not self.warmup_steps:
            return self.learning_rate
        if self.decay_steps is None or self.schedule == "constant":
            after = optax.constant_schedule(self.learning_rate)
        elif self.schedule == "cosine":
            after = optax.cosine_decay_schedule(self.learning_rate, self.decay_steps)
        else:
            after = optax.linear_schedule(self.learning_rate, 0.0, self.decay_steps)
        warmup = optax.linear_schedule(0.0, self.learning_rate, max(self.warmup_steps, 1))
        return optax.join_schedules([warmup, after], [self.warmup_steps])
