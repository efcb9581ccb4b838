"""Layers of one kind: the simplest controllers, trainable networks inside a machine.

A controller sees, at each step, the input ``x`` and a feedback vector (what the machine
read from its memory). The share of ``x`` is a separate function, `project`, because it
can be computed for all steps at once.
"""

from __future__ import annotations

import abc
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from softmachine.core.pytrees import PyTree
from softmachine.machines.parts.linear import Linear, LoopLinear

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


class Elman(Controller):
    """Stacked simple recurrent layers: each sees the input, the layer below and itself.

    Learned initial states. Source: Elman 1990, Finding structure in time, with any activation.
    """

    from_input: Linear
    recurrent: tuple[LoopLinear, ...]
    initial: Float[Array, "layers hidden"]
    activation: str = eqx.field(static=True)
    output_size: int = eqx.field(static=True)

    @property
    def input_size(self) -> int:
        """The number of input channels."""
        return self.from_input.weight.shape[1]

    def init_state(self) -> Float[Array, "layers hidden"]:
        """Return the initial hidden states."""
        return self.initial

    def project(self, x: Float[Array, "... inputs"]) -> Float[Array, "... layers width"]:
        """Return the input's share of all layers, bias included."""
        return _by_layer(self.from_input(x), len(self.recurrent))

    def __call__(
        self,
        state: Float[Array, "layers hidden"],
        projected: Float[Array, "layers width"],
        feedback: Float[Array, " feedback"],
    ) -> tuple[Float[Array, "layers hidden"], Float[Array, " outputs"]]:
        """Take one step through all layers."""
        outputs = []
        for i, layer in enumerate(self.recurrent):
            seen = jnp.concatenate([feedback, *outputs[-1:], state[i]])
            outputs.append(ACTIVATIONS[self.activation](projected[i] + layer(seen)))
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
