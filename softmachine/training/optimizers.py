"""Optimisers: what Optax offers, and the RMSProp of Graves 2013."""

from __future__ import annotations

import dataclasses
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Int, PyTree

from softmachine.choices import check_choices


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


class SpikesState(NamedTuple):
    """Gradients so far, and the running mean of their norms, which begins at zero."""

    updates: Int[Array, ""]
    norm: Float[Array, ""]


def clip_spikes(most: float, decay: float = 0.99) -> optax.GradientTransformation:
    """Clip gradients to ``most`` times the mean norm of recent ones, weighted by ``decay``.

    What goes into the mean is clipped already, so that one spike raises it by little, and
    gradients that stay large are let through after some updates. The first one that is not
    zero sets the scale. Close to AutoClip, which takes a percentile of all norms so far
    (Seetharaman et al. 2020, arXiv 2007.14469).

    Arguments:
        most: above 1, or nothing would ever grow.
        decay: the share of the mean that is left after one more gradient.
    """

    def init(params):
        del params
        return SpikesState(jnp.zeros((), jnp.int32), jnp.zeros(()))

    def update(updates, state, params=None):
        del params
        norm = optax.tree.norm(updates)
        mean = state.norm / jnp.maximum(1 - decay**state.updates, 1 - decay)
        limit = jnp.where(mean > 0, most * mean, norm)
        scale = jnp.where(norm > limit, limit / norm, 1.0)
        clipped = jax.tree.map(lambda g: g * scale, updates)
        mean = decay * state.norm + (1 - decay) * norm * scale
        return clipped, SpikesState(state.updates + 1, mean)

    return optax.GradientTransformation(init, update)


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
    learning_rate: float = 1e-3
    schedule: Literal["constant", "cosine", "linear"] = "constant"
    """Decay to zero over ``decay_steps`` updates after the warm-up, or none."""
    decay_steps: int | None = None
    warmup_steps: int = 0
    """Updates of linear rise from zero."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Adam and AdamW."""
    weight_decay: float = 0.0
    """AdamW."""
    decay: float = 0.95
    """Graves's RMSProp."""
    momentum: float = 0.9
    """Graves's RMSProp."""
    clip_norm: float | None = 10.0
    """Largest global norm of the gradient."""
    clip_value: float | None = None
    """Largest absolute value of a gradient component; applied before ``clip_norm``."""
    clip_spikes: float | None = None
    """Largest global norm of the gradient as a multiple of the mean of recent ones, see
    `clip_spikes`; applied after ``clip_norm``. A solved machine's gradients are so small that
    Adam, which divides by their size, turns a single large one into steps that undo what
    was learned."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_choices(self)
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate must be positive, not {self.learning_rate}")
        if self.schedule != "constant" and (self.decay_steps or 0) < 1:
            raise ValueError(f"schedule {self.schedule!r} needs decay_steps, a positive number")
        if self.warmup_steps < 0:
            raise ValueError(f"warmup_steps must be at least 0, not {self.warmup_steps}")
        for name in ("clip_norm", "clip_value"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be positive or None, not {value}")
        if self.clip_spikes is not None and not self.clip_spikes > 1:
            raise ValueError(f"clip_spikes must be above 1 or None, not {self.clip_spikes}")

    def build(self, *, noise: bool = False) -> optax.GradientTransformationExtraArgs:
        """Return the whole chain: clipping, with ``noise`` `gradient_noise`, steps."""
        rate = self._rate()
        chain = []
        if self.clip_value is not None:
            chain.append(optax.clip(self.clip_value))
        if self.clip_norm is not None:
            chain.append(optax.clip_by_global_norm(self.clip_norm))
        if self.clip_spikes is not None:
            chain.append(clip_spikes(self.clip_spikes))
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
