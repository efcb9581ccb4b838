"""Controllers of an NRAM: networks that see which registers are 0 (the paper's section 4.1).

Their layers map the first axis. Any other axes, such as a batch or all patterns of zeros, come
after it and are carried along.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from softmachine.core.choices import Count, check_fields
from softmachine.machines.parts.linear import glorot


@dataclasses.dataclass(frozen=True, kw_only=True)
class NRAMControllerConfig:
    """The kind and the size of a controller."""

    kind: Literal["mlp", "lstm", "gru"] = "mlp"
    """``mlp``: two hidden ReLU layers. ``lstm``, ``gru``: one, then a recurrent layer."""
    hidden: Count = 64
    """Units of each layer."""

    def __post_init__(self) -> None:
        """Check the size."""
        check_fields(self)


class Dense(eqx.Module):
    """An affine map ``y = W x + b`` of the first axis."""

    weight: Float[Array, "outputs inputs"]
    bias: Float[Array, " outputs"]

    def __call__(self, x: Float[Array, "inputs ..."]) -> Float[Array, "outputs ..."]:
        """Map ``x``."""
        return self.weight @ x + self.bias.reshape(-1, *[1] * (x.ndim - 1))


def dense(inputs: int, outputs: int, *, key: PRNGKeyArray) -> Dense:
    """Return a layer with a weight drawn at random and no bias."""
    return Dense(glorot(inputs, outputs, key=key), jnp.zeros(outputs))


class MLP(eqx.Module):
    """Two hidden ReLU layers, without a state."""

    first: Dense
    second: Dense

    def init_state(self, batch: tuple[int, ...] = ()) -> tuple[()]:
        """Return the empty state."""
        del batch
        return ()

    def __call__(
        self, state: tuple[()], zeros: Float[Array, "registers ..."]
    ) -> tuple[tuple[()], Float[Array, "hidden ..."]]:
        """Return the second layer's activations."""
        return state, jax.nn.relu(self.second(jax.nn.relu(self.first(zeros))))


class RecurrentController(eqx.Module):
    """One hidden ReLU layer, then a layer of LSTM or GRU units.

    The gates of an LSTM stand in the order input, forget, output, candidate; those of a GRU in
    the order reset, update, candidate.
    """

    first: Dense
    below: Dense
    recurrent: Dense
    kind: str = eqx.field(static=True)

    def init_state(self, batch: tuple[int, ...] = ()) -> Float[Array, "parts hidden *batch"]:
        """Return zeros: the hidden state and, for an LSTM, its cell state."""
        hidden = self.first.bias.shape[-1]
        parts = 2 if self.kind == "lstm" else 1
        return jnp.zeros((parts, hidden, *batch), self.first.bias.dtype)

    def __call__(
        self,
        state: Float[Array, "parts hidden *batch"],
        zeros: Float[Array, "registers ..."],
    ) -> tuple[Float[Array, "parts hidden *batch"], Float[Array, "hidden ..."]]:
        """Take one step; return the next state and the hidden state."""
        outside = self.below(jax.nn.relu(self.first(zeros)))
        inside = self.recurrent(state[0])
        if self.kind == "lstm":
            input_, forget, output, candidate = jnp.split(outside + inside, 4)
            cells = jax.nn.sigmoid(forget) * state[1]
            cells = cells + jax.nn.sigmoid(input_) * jnp.tanh(candidate)
            hidden = jax.nn.sigmoid(output) * jnp.tanh(cells)
            return jnp.stack([hidden, cells]), hidden
        reset, update, candidate = jnp.split(outside, 3)
        reset_inside, update_inside, candidate_inside = jnp.split(inside, 3)
        reset = jax.nn.sigmoid(reset + reset_inside)
        update = jax.nn.sigmoid(update + update_inside)
        candidate = jnp.tanh(candidate + reset * candidate_inside)
        hidden = (1 - update) * candidate + update * state[0]
        return hidden[None], hidden


def build_controller(
    config: NRAMControllerConfig, registers: int, *, key: PRNGKeyArray
) -> MLP | RecurrentController:
    """Return a controller; that of an LSTM has an initial forget-gate bias of 1."""
    hidden = config.hidden
    first_key, second_key, third_key = jax.random.split(key, 3)
    first = dense(registers, hidden, key=first_key)
    if config.kind == "mlp":
        return MLP(first, dense(hidden, hidden, key=second_key))
    gates = {"lstm": 4, "gru": 3}[config.kind] * hidden
    below = dense(hidden, gates, key=second_key)
    if config.kind == "lstm":
        bias = below.bias.at[hidden : 2 * hidden].set(1.0)
        below = Dense(below.weight, bias)
    return RecurrentController(first, below, dense(hidden, gates, key=third_key), config.kind)
