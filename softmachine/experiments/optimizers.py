"""Optimisers: Optax's Adam, the RMSProp of Graves 2013, AdaMax that clips; gradient noise."""

from __future__ import annotations

import dataclasses
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
import optax.contrib
from jax.flatten_util import ravel_pytree
from jaxtyping import PyTree

from softmachine.core.choices import Count, Decay, NonNegative, Positive, check_fields


class GravesState(NamedTuple):
    """The state of `graves_rmsprop`: pytrees of the shape of the parameters."""

    squares: PyTree
    """n: the moving average of the squared gradient."""
    means: PyTree
    """m: the moving average of the gradient."""
    steps: PyTree
    """The last step, without the learning rate."""


def graves_rmsprop(
    learning_rate: optax.ScalarOrSchedule,
    decay: float = 0.95,
    momentum: float = 0.9,
    epsilon: float = 1e-4,
) -> optax.GradientTransformation:
    """Return the RMSProp of Graves 2013: steps divided by the gradient's running deviation.

    With gradient g: ``n = decay n + (1 - decay) g²``, ``m = decay m + (1 - decay) g``,
    ``step = momentum step - learning_rate g / sqrt(n - m² + epsilon)``. Unlike in most
    libraries, m² is subtracted, and ``epsilon`` is inside the root. With a schedule, the
    current learning rate multiplies the whole step, past gradients included, as in Optax's own
    momentum. Source: Graves 2013 (arXiv 1308.0850), section 4.2, Eq. 38 to 41.
    """

    def init(params):
        # Three separate arrays: training donates them, and a buffer can be donated only once.
        return GravesState(*(optax.tree.zeros_like(params) for _ in range(3)))

    def update(updates, state, params=None):
        del params
        gradients = updates
        squares = jax.tree.map(
            lambda n, g: decay * n + (1 - decay) * jnp.square(g), state.squares, gradients
        )
        means = jax.tree.map(lambda m, g: decay * m + (1 - decay) * g, state.means, gradients)
        # A variance is never negative, but in float32 the difference may be below -epsilon.
        variances = jax.tree.map(lambda n, m: jnp.maximum(n - jnp.square(m), 0), squares, means)
        steps = jax.tree.map(
            lambda d, g, variance: momentum * d - g / jnp.sqrt(variance + epsilon),
            state.steps,
            gradients,
            variances,
        )
        return steps, GravesState(squares, means, steps)

    return optax.chain(optax.GradientTransformation(init, update), _scale(learning_rate))


class ClippedAdaMaxState(NamedTuple):
    """The state of `clipped_adamax`; pytrees of the shape of the parameters."""

    updates: jnp.ndarray
    """Updates done."""
    means: PyTree
    """m: the moving average of the gradient."""
    norms: PyTree
    """v: the largest gradient of late, in absolute value."""


def clipped_adamax(
    learning_rate: optax.ScalarOrSchedule,
    *,
    second_decay: float | None = None,
    decay: float = 0.9,
    clip: float = 1.2,
    clip_floor: float = 1e-4,
    epsilon: float = 1e-8,
) -> optax.GradientTransformation:
    """Return AdaMax that clips each gradient relative to the largest of late.

    With gradient g, and v of the update before: ``g = clip(g, ±(clip v + clip_floor))``,
    ``m = decay m + (1 - decay) g``, ``v = max(b v, |g|)``,
    ``step = -learning_rate m / (v + epsilon)``; there is no correction of the first means. So a
    single gradient changes v by no more than a fifth, and from 0 it takes some updates to grow.

    ``second_decay`` is b; None: ``1 - max(0.0005, 0.01 * 0.5**(t / 2000))`` at update t.

    Sources: AdaMax of Kingma & Ba 2015 (arXiv 1412.6980), algorithm 2; clipping and decay: the
    code published with Freivalds & Liepins 2017 (arXiv 1702.08727).
    """

    def init(params):
        # Two arrays, not one twice: training donates them.
        zeros = (optax.tree.zeros_like(params) for _ in range(2))
        return ClippedAdaMaxState(jnp.zeros((), jnp.int32), *zeros)

    def update(updates, state, params=None):
        del params
        rest = jnp.maximum(0.0005, 0.01 * 0.5 ** (state.updates / 2000))
        b = 1 - rest if second_decay is None else second_decay

        def clipped(g, v):
            bound = clip * v + clip_floor
            return jnp.clip(g, -bound, bound)

        gradients = jax.tree.map(clipped, updates, state.norms)
        means = jax.tree.map(lambda m, g: decay * m + (1 - decay) * g, state.means, gradients)
        norms = jax.tree.map(
            lambda v, g: jnp.maximum(jnp.asarray(b, v.dtype) * v, jnp.abs(g)),
            state.norms,
            gradients,
        )
        steps = jax.tree.map(lambda m, v: -m / (v + epsilon), means, norms)
        return steps, ClippedAdaMaxState(state.updates + 1, means, norms)

    return optax.chain(optax.GradientTransformation(init, update), _scale(learning_rate))


def gradient_noise() -> optax.GradientTransformationExtraArgs:
    """Return a transformation that adds Gaussian noise to the gradient.

    Its ``update`` takes two more arguments: the random key ``noise_key``, and ``deviation``,
    the standard deviation.
    """

    def init(params):
        del params
        return optax.EmptyState()

    def update(updates, state, params=None, **extra):
        del params
        # One draw for all: drawing for a single bias takes almost as long as for everything.
        flat, unravel = ravel_pytree(updates)
        noise = jax.random.normal(extra["noise_key"], flat.shape, flat.dtype)
        # Without barriers, XLA would recompute the noise for each of its consumers.
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
    """The optimiser, its learning rate schedule, and gradient clipping."""

    kind: Literal["adam", "adamw", "graves-rmsprop", "clipped-adamax"] = "adam"
    """The optimiser."""
    learning_rate: Positive = 1e-3
    """The learning rate, before the schedule."""
    schedule: Literal["constant", "cosine", "plateau"] = "constant"
    """How the learning rate falls: not at all; to 0 over ``decay_steps`` updates; or by three
    tenths, down to a sixtieth, whenever the mean loss of ``decay_steps`` updates was no better
    than the best before it twice in a row."""
    decay_steps: Count | None = None
    """The number of updates until the learning rate is 0, or over which losses are averaged."""
    epsilon: Positive = 1e-8
    """Added to what Adam divides by."""
    weight_decay: NonNegative = 0.0
    """Decoupled weight decay, for AdamW."""
    decay: Decay = 0.95
    """Decay rate of the moving averages, for Graves's RMSProp."""
    momentum: Decay = 0.9
    """Momentum, for Graves's RMSProp."""
    clip_norm: Positive | None = 10.0
    """The largest global norm of the gradient; None for no clipping."""
    clip_value: Positive | None = None
    """The largest absolute value of a gradient component, applied before ``clip_norm``."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_fields(self)
        if self.schedule != "constant" and self.decay_steps is None:
            raise ValueError(f"schedule {self.schedule!r} needs decay_steps, a positive number")

    def build(self, *, noise: bool = False) -> optax.GradientTransformationExtraArgs:
        """Return the Optax chain: clipping, `gradient_noise` if ``noise``, the optimiser."""
        rate = self._rate()
        chain = []
        if self.clip_value is not None:
            chain.append(optax.clip(self.clip_value))
        if self.clip_norm is not None:
            chain.append(optax.clip_by_global_norm(self.clip_norm))
        if noise:
            chain.append(gradient_noise())
        if self.kind == "adam":
            chain.append(optax.adam(rate, eps=self.epsilon))
        elif self.kind == "adamw":
            chain.append(optax.adamw(rate, eps=self.epsilon, weight_decay=self.weight_decay))
        elif self.kind == "clipped-adamax":
            chain.append(clipped_adamax(rate))
        else:
            chain.append(graves_rmsprop(rate, self.decay, self.momentum))
        if self.schedule == "plateau":
            assert self.decay_steps is not None
            chain.append(
                optax.contrib.reduce_on_plateau(
                    factor=0.7,
                    patience=2,
                    rtol=1e-6,  # must be above 0
                    accumulation_size=self.decay_steps,
                    min_scale=1 / 60,
                )
            )
        return optax.chain(*chain)

    def _rate(self) -> optax.ScalarOrSchedule:
        if self.decay_steps is None or self.schedule != "cosine":
            return self.learning_rate
        return optax.cosine_decay_schedule(self.learning_rate, self.decay_steps)
