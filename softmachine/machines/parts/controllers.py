"""Controllers: the trainable networks inside a machine.

A controller sees, at each step, the input ``x`` and a feedback vector (what the machine
read from its memory). The share of ``x`` is a separate function, `project`, because it
can be computed for all steps at once.
"""

from __future__ import annotations

import abc
import dataclasses
import itertools
from collections.abc import Callable
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from softmachine.core.choices import Count, Few, check_fields
from softmachine.core.pytrees import PyTree
from softmachine.machines.parts.linear import Linear, LoopLinear, glorot

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "linear": lambda x: x,
    "relu": jax.nn.relu,
    "sigmoid": jax.nn.sigmoid,
    "tanh": jnp.tanh,
}

GATE_STRETCH = 0.3
"""How far a `Counter`'s sigmoids reach beyond 0 and 1 before they are cut. With 0.5 many are
cut from the start, and get no gradient."""
CELL_GAIN = 5.0
"""A `Counter`'s factor inside the output tanh: ``h = o tanh(5 c)``."""


class Controller(eqx.Module):
    """A stack of layers; every layer sees the input and the feedback."""

    output_size: eqx.AbstractVar[int]

    @property
    @abc.abstractmethod
    def input_size(self) -> int:
        """The number of input channels, feedback not counted."""

    @abc.abstractmethod
    def init_state(self) -> PyTree:
        """Return the (learned) state before the first step."""

    @abc.abstractmethod
    def project(self, x: Float[Array, "... inputs"]) -> Float[Array, "... layers width"]:
        """Return the input's share of all layers, over any leading axes."""

    @abc.abstractmethod
    def __call__(
        self,
        state: PyTree,
        projected: Float[Array, "layers width"],
        feedback: Float[Array, " feedback"],
    ) -> tuple[PyTree, Float[Array, " outputs"]]:
        """Take one step; return the next state and the outputs of all layers, joined."""


def _by_layer(x: Float[Array, "... values"], layers: int) -> Float[Array, "... layers width"]:
    """Return values split by layer, on an axis of their own."""
    return x.reshape(*x.shape[:-1], layers, x.shape[-1] // layers)


class LSTM(Controller):
    """Stacked LSTM: each layer sees the input and the layer below; no peepholes.

    Learned initial hidden and cell states. Gates are packed as input, forget, output,
    candidate. Source: Graves 2013 (arXiv 1308.0850), section 2, without peepholes.
    """

    from_input: Linear
    recurrent: tuple[LoopLinear, ...]
    initial: Float[Array, "2 layers hidden"]
    output_size: int = eqx.field(static=True)

    @property
    def input_size(self) -> int:
        """The number of input channels."""
        return self.from_input.weight.shape[1]

    def init_state(self) -> Float[Array, "2 layers hidden"]:
        """Return the initial hidden states and cell states, stacked."""
        return self.initial

    def project(self, x: Float[Array, "... inputs"]) -> Float[Array, "... layers width"]:
        """Return the input's share of gates and candidates, bias included."""
        return _by_layer(self.from_input(x), len(self.recurrent))

    def __call__(
        self,
        state: Float[Array, "2 layers hidden"],
        projected: Float[Array, "layers width"],
        feedback: Float[Array, " feedback"],
    ) -> tuple[Float[Array, "2 layers hidden"], Float[Array, " outputs"]]:
        """Take one step through all layers."""
        outputs, cells = [], []
        for i, layer in enumerate(self.recurrent):
            seen = jnp.concatenate([feedback, *outputs[-1:], state[0, i]])
            all_four = projected[i] + layer(seen)
            gates, candidate = jnp.split(all_four, [3 * state.shape[-1]])
            input_, forget, output = jnp.split(jax.nn.sigmoid(gates), 3)
            cells.append(forget * state[1, i] + input_ * jnp.tanh(candidate))
            outputs.append(output * jnp.tanh(cells[-1]))
        next_state = jnp.stack([jnp.stack(outputs), jnp.stack(cells)])
        return next_state, jnp.concatenate(outputs)


class Counter(Controller):
    """Stacked LSTM with hard gates and linear candidates, which counts beyond trained lengths.

    Three changes make what a cell gains at an event the same for a small count and for a
    large one. A candidate is linear in the input and sees nothing else, so that a number
    enters as it is; gates see everything but the input, so that they do not depend on that
    number. Gates are stretched sigmoids, and reach 0 and 1: a closed cell neither takes in
    nor loses anything. Cells are shown through a steep tanh, so that a controller sees
    whether a count is over, and hardly how large it is.

    Learned initial hidden and cell states. Gates are packed as input, forget, output.
    """

    from_input: Linear
    recurrent: tuple[LoopLinear, ...]
    initial: Float[Array, "2 layers hidden"]
    output_size: int = eqx.field(static=True)

    @property
    def input_size(self) -> int:
        """The number of input channels."""
        return self.from_input.weight.shape[1]

    def init_state(self) -> Float[Array, "2 layers hidden"]:
        """Return the initial hidden states and cell states, stacked."""
        return self.initial

    def project(self, x: Float[Array, "... inputs"]) -> Float[Array, "... layers width"]:
        """Return the candidates of all layers."""
        return _by_layer(self.from_input(x), len(self.recurrent))

    def __call__(
        self,
        state: Float[Array, "2 layers hidden"],
        projected: Float[Array, "layers width"],
        feedback: Float[Array, " feedback"],
    ) -> tuple[Float[Array, "2 layers hidden"], Float[Array, " outputs"]]:
        """Take one step through all layers."""
        outputs, cells = [], []
        for i, layer in enumerate(self.recurrent):
            seen = jnp.concatenate([feedback, *outputs[-1:], state[0, i]])
            input_, forget, output = jnp.split(stretched_sigmoid(layer(seen)), 3)
            cells.append(forget * state[1, i] + input_ * projected[i])
            outputs.append(output * jnp.tanh(CELL_GAIN * cells[-1]))
        next_state = jnp.stack([jnp.stack(outputs), jnp.stack(cells)])
        return next_state, jnp.concatenate(outputs)


def stretched_sigmoid(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Return a sigmoid stretched about 1/2 to reach 0 and 1, at about ±1.5, and cut there."""
    return jnp.clip((1 + 2 * GATE_STRETCH) * jax.nn.sigmoid(x) - GATE_STRETCH, 0, 1)


class GRU(Controller):
    """Stacked GRU: each layer sees the input and the layer below.

    Learned initial hidden state. Gates are packed as reset, update, candidate. Source: Cho
    et al. 2014 (arXiv 1406.1078), with the reset gate applied after the matrix product.
    """

    from_input: Linear
    from_below: tuple[LoopLinear, ...]
    recurrent: tuple[LoopLinear, ...]
    initial: Float[Array, "layers hidden"]
    output_size: int = eqx.field(static=True)

    @property
    def input_size(self) -> int:
        """The number of input channels."""
        return self.from_input.weight.shape[1]

    def init_state(self) -> Float[Array, "layers hidden"]:
        """Return the initial hidden states."""
        return self.initial

    def project(self, x: Float[Array, "... inputs"]) -> Float[Array, "... layers width"]:
        """Return the input's share of the gates, bias included."""
        return _by_layer(self.from_input(x), len(self.recurrent))

    def __call__(
        self,
        state: Float[Array, "layers hidden"],
        projected: Float[Array, "layers width"],
        feedback: Float[Array, " feedback"],
    ) -> tuple[Float[Array, "layers hidden"], Float[Array, " outputs"]]:
        """Take one step through all layers."""
        hidden = state.shape[-1]
        outputs = []
        for i, (below, recurrent) in enumerate(
            zip(self.from_below, self.recurrent, strict=True)
        ):
            seen = jnp.concatenate([feedback, *outputs[-1:]])
            outside = projected[i] + below(seen)
            inside = recurrent(state[i])
            gates = jax.nn.sigmoid(outside[: 2 * hidden] + inside[: 2 * hidden])
            reset, update = jnp.split(gates, 2)
            candidate = jnp.tanh(outside[2 * hidden :] + reset * inside[2 * hidden :])
            outputs.append((1 - update) * candidate + update * state[i])
        return jnp.stack(outputs), jnp.concatenate(outputs)


class FeedForward(Controller):
    """Stacked dense layers without a state; each sees the input and the layer below."""

    from_input: Linear
    from_below: tuple[LoopLinear, ...]
    activation: str = eqx.field(static=True)
    output_size: int = eqx.field(static=True)

    @property
    def input_size(self) -> int:
        """The number of input channels."""
        return self.from_input.weight.shape[1]

    def init_state(self) -> tuple[()]:
        """Return the empty state."""
        return ()

    def project(self, x: Float[Array, "... inputs"]) -> Float[Array, "... layers width"]:
        """Return the input's share of all layers, bias included."""
        return _by_layer(self.from_input(x), len(self.from_below))

    def __call__(
        self,
        state: tuple[()],
        projected: Float[Array, "layers width"],
        feedback: Float[Array, " feedback"],
    ) -> tuple[tuple[()], Float[Array, " outputs"]]:
        """Take one step through all layers."""
        outputs = []
        for i, layer in enumerate(self.from_below):
            seen = jnp.concatenate([feedback, *outputs[-1:]])
            outputs.append(ACTIVATIONS[self.activation](projected[i] + layer(seen)))
        return state, jnp.concatenate(outputs)


OneKind = LSTM | Counter | GRU | FeedForward


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


Kind = Literal["lstm", "counter", "gru", "feedforward"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ControllerConfig:
    """The kind and the size of a controller."""

    kind: Kind = "lstm"
    """``counter``: an LSTM whose cells count evenly; see `Counter`."""
    kinds: tuple[Kind, ...] = ()
    """Of layers of different kinds the kind of each, the first one first; in place of ``kind``
    and ``layers``."""
    hidden: Count = 100
    """Units per layer."""
    layers: Few = 1
    forget_bias: float = 1.0
    """LSTM and counter only: initial bias of the forget gate."""
    activation: Literal["tanh", "relu", "sigmoid"] = "tanh"
    """Feed-forward only."""

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
        gates = {"lstm": 4, "counter": 4, "gru": 3, "feedforward": 1}[self.kind] * hidden
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
            recurrent=tuple(
                LoopLinear(jnp.concatenate(pair, axis=1), None)
                for pair in zip(feedback_or_below, recurrent, strict=True)
            ),
            initial=jnp.zeros((2, layers, hidden)),
            output_size=layers * hidden,
        )
