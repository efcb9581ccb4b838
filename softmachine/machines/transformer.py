"""The encoder of a Transformer (Vaswani et al. 2017, arXiv 1706.03762), which has no steps.

It sees all inputs at once, before and behind: layers of attention and of a small network for
each position. How positions are told apart is a choice, since lengths beyond those trained on
depend on it. Sizes are those of Delétang et al. 2023 (arXiv 2207.02098), appendix A.2.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Annotated, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, Shaped

from softmachine.core.choices import Bounds, Count, Few, check_fields
from softmachine.core.fields import Field
from softmachine.machines.machine import Machine, MachineConfig, Outcome
from softmachine.machines.parts.linear import Linear
from softmachine.machines.parts.positions import alibi, by_distance, rotate, sinusoids
from softmachine.machines.registry import machine

Positions = Literal["none", "sinusoidal", "sinusoidal-from-end", "relative", "rotary", "alibi"]
Hidden = Float[Array, "steps width"]


@machine("transformer")
@dataclasses.dataclass(frozen=True, kw_only=True)
class TransformerConfig(MachineConfig):
    """Sizes of an encoder, and choices on which papers differ."""

    layers: Few = 5
    width: Count = 64
    """Channels between layers."""
    heads: Few = 8
    """Of attention; they share the width."""
    feedforward: Count = 256
    """Hidden units of the network for each position."""
    positions: Positions = "sinusoidal"
    """How positions are told apart. ``none``: not at all. ``sinusoidal``: waves added to the
    inputs, counted from 0 (Vaswani et al. 2017). ``sinusoidal-from-end``: counted down to 1 at
    the last step (code of Delétang et al. 2023). ``relative``: attention to content and to
    distance, with learned biases (Transformer-XL: Dai et al. 2019, arXiv 1901.02860).
    ``rotary``: queries and keys turned (RoFormer: Su et al. 2021, arXiv 2104.09864). ``alibi``:
    the further, the less (Press et al. 2022, arXiv 2108.12409)."""
    norm: Literal["post", "pre"] = "post"
    """Whether sums are normalised after each part (Vaswani et al. 2017), or what goes into each
    part, and at the end all of it (Xiong et al. 2020, arXiv 2002.04745)."""
    dropout: Annotated[float, Bounds(least=0, below=1)] = 0.1
    """Dropout rate, in training: on what attention and feed-forward networks add, and on inputs
    to which sinusoidal positions are added."""

    def __post_init__(self) -> None:
        """Check the sizes."""
        check_fields(self)
        if self.width % self.heads:
            raise ValueError(
                f"transformer width must be a multiple of its {self.heads} heads, not "
                f"{self.width}"
            )
        if self.positions == "rotary" and self.head_width % 2:
            raise ValueError(
                f"rotary positions turn pairs of channels: transformer heads must be of even "
                f"width, not {self.head_width}"
            )
        if self.positions in ("sinusoidal", "sinusoidal-from-end", "relative") and (
            self.width % 2
        ):
            raise ValueError(
                f"{self.positions} positions are sines and cosines: transformer width must be "
                f"even, not {self.width}"
            )

    @property
    def head_width(self) -> int:
        """Channels of one head."""
        return self.width // self.heads

    def build(self, input_size: int, output_size: int, *, key: PRNGKeyArray) -> Transformer:
        """Return an encoder for inputs and outputs of the given widths."""
        first, last, *keys = jax.random.split(key, 2 + self.layers)
        return Transformer(
            embedding=truncated_normal(0.02, (self.width, input_size), key=first),
            blocks=tuple(self._block(key) for key in keys),
            final_norm=eqx.nn.LayerNorm(self.width) if self.norm == "pre" else None,
            output=dense(self.width, output_size, key=last),
            config=self,
        )

    def _block(self, key: PRNGKeyArray) -> Block:
        keys = jax.random.split(key, 8)
        width, per_head = self.width, (self.heads, self.head_width)
        spread, distances = width**-0.5, None
        if self.positions == "relative":
            distances = Distances(
                weight=truncated_normal(spread, (width, width), key=keys[2]),
                content_bias=0.02 * jax.random.normal(keys[3], per_head),
                distance_bias=0.02 * jax.random.normal(keys[4], per_head),
            )
        return Block(
            attention=Attention(
                queries_keys_values=truncated_normal(spread, (3, width, width), key=keys[0]),
                output=truncated_normal(spread, (width, width), key=keys[1]),
                distances=distances,
                config=self,
            ),
            attention_norm=eqx.nn.LayerNorm(width),
            hidden=dense(width, self.feedforward, key=keys[5]),
            output=dense(self.feedforward, width, key=keys[6]),
            output_norm=eqx.nn.LayerNorm(width),
        )


class Distances(eqx.Module):
    """Attention logits from content and relative position (Transformer-XL).

    Source: Dai et al. 2019, section 3.3.
    """

    weight: Float[Array, "width width"]
    """W_{k,R}."""
    content_bias: Float[Array, "heads channels"]
    """u."""
    distance_bias: Float[Array, "heads channels"]
    """v."""

    def __call__(
        self, q: Float[Array, "steps heads channels"], k: Float[Array, "steps heads channels"]
    ) -> Float[Array, "heads steps steps"]:
        """Return the logits of content and distance together, r being the waves of a distance.

        A_ij = q_i k_j + q_i W_{k,R} r_{i-j} + u k_j + v W_{k,R} r_{i-j}.
        """
        steps, (heads, channels) = len(q), q.shape[1:]
        r = sinusoids(jnp.arange(steps - 1, -steps, -1), heads * channels, q.dtype)
        far = (r @ self.weight.T).reshape(-1, heads, channels)
        content = jnp.einsum("ihd,jhd->hij", q + self.content_bias, k)
        distance = jnp.einsum("ihd,jhd->hij", q + self.distance_bias, far)
        return content + by_distance(distance)


class Attention(eqx.Module):
    """Multi-head attention of every step to all steps, without biases.

    Source: Vaswani et al. 2017, section 3.2.
    """

    queries_keys_values: Float[Array, "3 width width"]
    output: Float[Array, "width width"]
    distances: Distances | None
    """Relative positions only."""
    config: TransformerConfig = eqx.field(static=True)

    def __call__(
        self, x: Hidden, real: Bool[Array, " steps"]
    ) -> tuple[Hidden, Float[Array, "heads steps steps"]]:
        """Return the outputs, and the weights with which each step attends to each.

        Attention(Q, K, V) = softmax(Q K^T / sqrt(d)) V; steps that are not ``real``, padding,
        get no weight.
        """
        config = self.config
        q, k, v = (
            (x @ weight.T).reshape(len(x), config.heads, -1)
            for weight in self.queries_keys_values
        )
        if config.positions == "rotary":
            q, k = rotate(q), rotate(k)
        relative = self.distances
        logits = jnp.einsum("ihd,jhd->hij", q, k) if relative is None else relative(q, k)
        logits /= math.sqrt(config.head_width)
        if config.positions == "alibi":
            logits += alibi(len(x), config.heads, x.dtype)
        logits = jnp.where(real, logits, jnp.finfo(x.dtype).min)
        weights = jax.nn.softmax(logits, axis=-1)
        seen = jnp.einsum("hij,jhd->ihd", weights, v).reshape(x.shape)
        return seen @ self.output.T, weights


class Block(eqx.Module):
    """One layer: attention, then a feed-forward network, each with a residual connection."""

    attention: Attention
    attention_norm: eqx.nn.LayerNorm
    hidden: Linear
    output: Linear
    output_norm: eqx.nn.LayerNorm

    def feed_forward(self, x: Hidden) -> Hidden:
        """FFN(x) = max(0, x W_1 + b_1) W_2 + b_2 (Vaswani et al. 2017, section 3.3)."""
        return self.output(jax.nn.relu(self.hidden(x)))


class Transformer(Machine):
    """The encoder of a Transformer, with a linear output at every step."""

    embedding: Float[Array, "width inputs"]
    blocks: tuple[Block, ...]
    final_norm: eqx.nn.LayerNorm | None
    """Pre-norm only."""
    output: Linear
    config: TransformerConfig = eqx.field(static=True)

    def input_shape(self) -> tuple[str, int]:
        """Return the shape of one example's inputs."""
        return ("steps", self.embedding.shape[1])

    def run(
        self,
        inputs: Shaped[Array, "steps inputs"],
        *,
        steps: Int[Array, ""] | int | None = None,
        key: PRNGKeyArray | None = None,
        training: bool = False,
    ) -> Outcome:
        """Return output logits of all steps, those of the padding included.

        Raises ValueError if dropout needs a key and there is none.
        """
        if not len(inputs):  # nothing to attend to
            nothing = jnp.zeros((0, self.config.width), self.embedding.dtype)
            return Outcome(self.output(nothing), {})
        drop: Callable[[Hidden], Hidden] = _no_dropout
        if training and self.config.dropout:
            if key is None:
                raise ValueError("dropout draws at random: give this Transformer a key")
            drop = Dropout(self.config.dropout, key)
        hidden, _ = self._encode(inputs, len(inputs) if steps is None else steps, drop)
        return Outcome(self.output(hidden), {})

    def trace_fields(self) -> tuple[Field, ...]:
        """Declare the attention of each layer."""
        heads = [f"head {i + 1}" for i in range(self.config.heads)]
        return tuple(
            Field(
                name,
                "weighting",
                ("head", "seen step"),
                "attention",
                "How much a step attends to each step.",
                {"head": heads},
            )
            for name in self._layer_names
        )

    def observe_run(
        self, inputs: Shaped[Array, "steps inputs"], *, steps: Int[Array, ""] | int
    ) -> dict[str, Array]:
        """Return how much every step attends to each, in each layer."""
        _, attention = self._encode(inputs, steps, _no_dropout)
        return {
            name: jnp.swapaxes(weights, 0, 1)
            for name, weights in zip(self._layer_names, attention, strict=True)
        }

    @property
    def _layer_names(self) -> list[str]:
        return [f"layer {i + 1}" for i in range(len(self.blocks))]

    def _encode(
        self,
        inputs: Shaped[Array, "steps inputs"],
        steps: Int[Array, ""] | int,
        drop: Callable[[Hidden], Hidden],
    ) -> tuple[Hidden, list[Float[Array, "heads steps steps"]]]:
        """Return the last layer's output at each step, and all layers' attention weights."""
        places, post = jnp.arange(len(inputs)), self.config.norm == "post"
        real = places < steps
        x = jnp.asarray(inputs, self.embedding.dtype) @ self.embedding.T
        x *= math.sqrt(self.config.width)
        if self.config.positions.startswith("sinusoidal"):
            counted = places if self.config.positions == "sinusoidal" else steps - places
            x = drop(x + sinusoids(counted, self.config.width, x.dtype))
        attention = []
        for block in self.blocks:
            first, second = jax.vmap(block.attention_norm), jax.vmap(block.output_norm)
            read, weights = block.attention(x if post else first(x), real)
            attention.append(weights)
            x = first(x + drop(read)) if post else x + drop(read)
            added = drop(block.feed_forward(x if post else second(x)))
            x = second(x + added) if post else x + added
        return x if self.final_norm is None else jax.vmap(self.final_norm)(x), attention


def _no_dropout(x: Hidden) -> Hidden:
    return x


class Dropout:
    """Inverted dropout: zeroes a random share of entries, and scales up the rest.

    Each call of a run draws anew.

    Source: Srivastava et al. 2014, with the division in training instead of tests.
    """

    def __init__(self, rate: float, key: PRNGKeyArray) -> None:
        """Begin with the first call of a run."""
        self._rate, self._key, self._calls = rate, key, 0

    def __call__(self, x: Hidden) -> Hidden:
        """Return ``x`` with some entries zero, the others divided by the share kept."""
        self._calls += 1
        key = jax.random.fold_in(self._key, self._calls)
        kept = jax.random.bernoulli(key, 1 - self._rate, x.shape)
        return jnp.where(kept, x / (1 - self._rate), 0)


def truncated_normal(
    deviation: float, shape: tuple[int, ...], *, key: PRNGKeyArray
) -> Float[Array, "..."]:
    """Return numbers of a normal distribution cut off at two of its deviations."""
    return deviation * jax.random.truncated_normal(key, -2, 2, shape)


def dense(inputs: int, outputs: int, *, key: PRNGKeyArray) -> Linear:
    """Return a layer drawn with a deviation of 1 / sqrt(inputs), and no bias yet."""
    weight = truncated_normal(inputs**-0.5, (outputs, inputs), key=key)
    return Linear(weight, jnp.zeros(outputs))
