"""Controllers built of layers: of one kind, or of several."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from softmachine.core.choices import Count, Few, check_fields
from softmachine.core.pytrees import PyTree
from softmachine.machines.parts.layers import (
    GRU,
    LSTM,
    Controller,
    Counter,
    Elman,
    FeedForward,
)
from softmachine.machines.parts.linear import Linear, LoopLinear, glorot

OneKind = LSTM | Counter | GRU | Elman | FeedForward


class Mixed(Controller):
    """Layers of several kinds, each a controller of one layer.

    Every layer sees the input, the feedback and the layer below.
    """

    parts: tuple[OneKind, ...]
    output_size: int = eqx.field(static=True)

    @property
    def input_size(self) -> int:
        """The number of input channels."""
        return self.parts[0].input_size

    def init_state(self) -> tuple[PyTree, ...]:
        """Return the first state of each layer."""
        return tuple(part.init_state() for part in self.parts)

    def project(self, x: Float[Array, "... inputs"]) -> Float[Array, "... 1 width"]:
        """Return the input's share of all layers, of any widths, one after the other."""
        return jnp.concatenate([part.project(x) for part in self.parts], axis=-1)

    def __call__(
        self,
        state: tuple[PyTree, ...],
        projected: Float[Array, "1 width"],
        feedback: Float[Array, " feedback"],
    ) -> tuple[tuple[PyTree, ...], Float[Array, " outputs"]]:
        """Take one step through all layers."""
        widths = [len(part.from_input.weight) for part in self.parts]
        shares = jnp.split(projected, list(itertools.accumulate(widths[:-1])), axis=1)
        states, outputs = [], []
        for part, own, share in zip(self.parts, state, shares, strict=True):
            seen = jnp.concatenate([feedback, *outputs[-1:]])
            own, output = part(own, share, seen)
            states.append(own)
            outputs.append(output)
        return tuple(states), jnp.concatenate(outputs)


Kind = Literal["lstm", "counter", "gru", "rnn", "feedforward"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ControllerConfig:
    """The kind and the size of a controller."""

    kind: Kind = "lstm"
    """``counter``: an LSTM whose cells count evenly; see `Counter`. ``rnn``: see `Elman`."""
    kinds: tuple[Kind, ...] = ()
    """Of layers of different kinds the kind of each, the first one first; in place of ``kind``
    and ``layers``."""
    hidden: Count = 100
    """Units per layer."""
    layers: Few = 1
    forget_bias: float = 1.0
    """LSTM and counter only: initial bias of the forget gate."""
    activation: Literal["tanh", "relu", "sigmoid"] = "tanh"
    """Feed-forward and ``rnn`` only."""

    def __post_init__(self) -> None:
        """Check the sizes."""
        check_fields(self)
        if self.kinds and (self.kind, self.layers) != ("lstm", 1):
            raise ValueError(
                f"controller kinds={self.kinds} says the kind of each layer: leave out kind "
                "and layers"
            )

    @property
    def published_as(self) -> str:
        """What papers call it: ``lstm``, ``ff``; of several kinds ``ff+lstm``."""
        return "+".join(self.kinds or (self.kind,)).replace("feedforward", "ff")

    def build(self, inputs: int, feedback: int, *, key: PRNGKeyArray) -> Controller:
        """Return a controller for ``inputs`` input and ``feedback`` feedback channels.

        Layers are drawn as if the input, the feedback and the recurrent part shared one
        Glorot-uniform matrix; biases and initial states start at zero.
        """
        if not self.kinds:
            return self._of_one_kind(inputs, feedback, key)
        keys, parts = jax.random.split(key, len(self.kinds)), []
        for i, (kind, layer_key) in enumerate(zip(self.kinds, keys, strict=True)):
            layer = dataclasses.replace(self, kind=kind, kinds=())
            below = self.hidden if i else 0
            parts.append(layer._of_one_kind(inputs, feedback + below, layer_key))
        return Mixed(parts=tuple(parts), output_size=len(parts) * self.hidden)

    def _of_one_kind(self, inputs: int, feedback: int, key: PRNGKeyArray) -> OneKind:
        hidden, layers = self.hidden, self.layers
        gates = {"lstm": 4, "counter": 4, "gru": 3}.get(self.kind, 1) * hidden
        from_input, feedback_or_below, recurrent = [], [], []
        for i, layer_key in enumerate(jax.random.split(key, layers)):
            below = feedback + (hidden if i else 0)
            own = 0 if self.kind == "feedforward" else hidden
            whole = glorot(inputs + below + own, gates, key=layer_key)
            from_input.append(whole[:, :inputs])
            feedback_or_below.append(whole[:, inputs : inputs + below])
            recurrent.append(whole[:, inputs + below :])
        bias = jnp.zeros((layers, gates))
        if self.kind in ("lstm", "counter"):
            bias = bias.at[:, hidden : 2 * hidden].set(self.forget_bias)
        if self.kind == "counter":
            inside = zip(feedback_or_below, recurrent, strict=True)
            joined = [jnp.concatenate(pair, axis=1)[: 3 * hidden] for pair in inside]
            candidates = jnp.concatenate([weight[3 * hidden :] for weight in from_input])
            return Counter(
                from_input=Linear(candidates, jnp.zeros(layers * hidden)),
                recurrent=tuple(
                    LoopLinear(weight, bias[i, : 3 * hidden]) for i, weight in enumerate(joined)
                ),
                initial=jnp.zeros((2, layers, hidden)),
                output_size=layers * hidden,
            )
        projection = Linear(jnp.concatenate(from_input), bias.reshape(-1))
        below_layers = tuple(LoopLinear(weight, None) for weight in feedback_or_below)
        if self.kind == "feedforward":
            return FeedForward(
                from_input=projection,
                from_below=below_layers,
                activation=self.activation,
                output_size=layers * hidden,
            )
        joined = tuple(
            LoopLinear(jnp.concatenate(pair, axis=1), None)
            for pair in zip(feedback_or_below, recurrent, strict=True)
        )
        if self.kind == "rnn":
            return Elman(
                from_input=projection,
                recurrent=joined,
                initial=jnp.zeros((layers, hidden)),
                activation=self.activation,
                output_size=layers * hidden,
            )
        if self.kind == "gru":
            return GRU(
                from_input=projection,
                from_below=below_layers,
                recurrent=tuple(LoopLinear(weight, None) for weight in recurrent),
                initial=jnp.zeros((layers, hidden)),
                output_size=layers * hidden,
            )
        return LSTM(
            from_input=projection,
            recurrent=joined,
            initial=jnp.zeros((2, layers, hidden)),
            output_size=layers * hidden,
        )
