"""The Neural GPU (Kaiser & Sutskever 2016, arXiv 1511.08228): gated convolutions of a plane.

A plane of a few rows and a place for each symbol, each a vector of maps, is changed by the same
gated convolutions in every step; there are as many steps as symbols. Where the paper and two
public codes of its authors differ, the choice is a field of `NeuralGPUConfig`;
`NEURAL_GPU_PRESETS` bundles the choices of one source.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, Shaped

from softmachine.core.choices import Count, Decay, Few, NonNegative, Positive, check_fields
from softmachine.core.fields import Field
from softmachine.core.specs.spec import Stream, Whole
from softmachine.core.specs.symbols import Symbols
from softmachine.machines.machine import (
    STOPPED,
    Buffer,
    Clock,
    MachineConfig,
    Penalties,
)
from softmachine.machines.parts.convolutions import convolve_plane, dropout
from softmachine.machines.registry import machine
from softmachine.machines.sequence_cell import SequenceCell

EMBEDDING = 1.7
"""Embeddings are drawn from minus this to this."""

Plane = Float[Array, "rows places maps"]


@machine("neural-gpu")
@dataclasses.dataclass(frozen=True, kw_only=True)
class NeuralGPUConfig(MachineConfig):
    """Sizes of a Neural GPU, and every choice on which the paper and its codes differ."""

    maps: Count = 24
    """m: channels of each place."""
    rows: Few = 4
    """w: rows of the plane; the symbols come in the first, outputs are read there."""
    layers: Few = 2
    """l: CGRUs of a step, one after the other."""
    sets: Few = 6
    """r: sets of the CGRUs' parameters; step t takes set t mod r (parameter relaxation)."""
    pull: NonNegative = 0.0005
    """Weight of the squared distances between the sets, at first; phase ``relaxation`` raises
    it. They are added to an example's loss: in the paper to its mean (objective ``mean``)."""
    cutoff: bool = True
    """Whether gates reach 0 and 1: sigmoids are stretched by 1.2 and cut."""
    embedding: Literal["linear", "tanh", "tanh-mixed"] = "linear"
    """A symbol's embedding as it is (paper), through a tanh (code of 2017), or then through a
    layer of each place (code of 2016)."""
    padding: Literal["learned", "zero"] = "learned"
    """The embedding of the first letter, which is padding: like all others, or always 0."""
    gate_bias: float = 1.0
    """What biases of both gates begin as; with 1 most of the state is kept."""
    kernels: Literal["uniform", "orthogonal"] = "uniform"
    """How kernels are drawn: uniform with a variance of 1 / inputs, or orthogonal."""
    kernel_scale: Positive = 1.8
    """Multiplies the kernels that are drawn."""
    dropout: Decay = 0.09
    """Dropout rate of the whole plane before each step, in training."""
    dropout_length: Count | None = None
    """Length up to which the rate is that; beyond, it falls with 1 / length. None: the same
    for all lengths."""

    works = "on a whole sequence of symbols, with symbols at the same places as outputs"

    def __post_init__(self) -> None:
        """Check the sizes."""
        check_fields(self)

    def fits(self, inputs: Stream[Any] | Whole[Any], outputs: Stream[Any] | Whole[Any]) -> bool:
        """Return whether both are symbols, one in every step."""
        return all(x.per_step and isinstance(x.spec, Symbols) for x in (inputs, outputs))

    def build(self, input_size: int, output_size: int, *, key: PRNGKeyArray) -> NeuralGPU:
        """Return a machine for inputs and outputs of the given widths; all sets begin equal."""
        keys, m = jax.random.split(key, 6), self.maps

        def stacked(kernel: Float[Array, "..."]) -> Float[Array, "..."]:
            return jnp.broadcast_to(kernel, (self.sets, *kernel.shape)).copy()

        reset, gate, candidate = (self._kernels(key) for key in keys[:3])
        bound = EMBEDDING
        mixed = None
        if self.embedding == "tanh-mixed":
            mixed = _uniform((m, m), m, key=keys[5])
        return NeuralGPU(
            embedding=jax.random.uniform(keys[3], (input_size, m), minval=-bound, maxval=bound),
            mixed=mixed,
            gates=stacked(jnp.concatenate([reset, gate], axis=-1)),
            gate_biases=jnp.full((self.sets, self.layers, 2 * m), self.gate_bias),
            candidates=stacked(candidate),
            candidate_biases=jnp.zeros((self.sets, self.layers, m)),
            output=_uniform((m, output_size), m, key=keys[4]),
            pull=Buffer(jnp.asarray(self.pull, jnp.float32)),
            tied=Buffer(jnp.asarray(self.sets == 1)),
            config=self,
        )

    def _kernels(self, key: PRNGKeyArray) -> Float[Array, "layers 3 3 maps maps"]:
        shape, inputs = (self.layers, 3, 3, self.maps, self.maps), 9 * self.maps
        if self.kernels == "uniform":
            return self.kernel_scale * _uniform(shape, inputs, key=key)
        draw = jax.nn.initializers.orthogonal(self.kernel_scale)
        drawn = [draw(key, (inputs, self.maps)) for key in jax.random.split(key, self.layers)]
        return jnp.stack(drawn).reshape(shape)


def _uniform(shape: tuple[int, ...], inputs: int, *, key: PRNGKeyArray) -> Float[Array, "..."]:
    """Return numbers uniform around 0, of variance 1 / inputs."""
    bound = math.sqrt(3 / inputs)
    return jax.random.uniform(key, shape, minval=-bound, maxval=bound)


class NeuralGPUState(NamedTuple):
    """One example's state."""

    plane: Plane
    """s, the mental image; zero at places that the example does not have."""
    real: Bool[Array, " places"]
    """Which places the example has."""
    owed: Float[Array, ""]
    """The penalty of the sets' distances, until the first step pays it."""


class Features(NamedTuple):
    """What is read of one step."""

    row: Float[Array, "places maps"]
    """The first row."""
    paid: Float[Array, "..."]


class NeuralGPU(SequenceCell):
    """A Neural GPU: see the module's docstring."""

    embedding: Float[Array, "letters maps"]
    """E."""
    mixed: Float[Array, "maps maps"] | None
    """A layer of each place, for ``tanh-mixed`` embeddings."""
    gates: Float[Array, "sets layers 3 3 maps gates"]
    """U'' of the reset gates and U' of the update gates, side by side."""
    gate_biases: Float[Array, "sets layers gates"]
    """B'' and B'."""
    candidates: Float[Array, "sets layers 3 3 maps maps"]
    """U."""
    candidate_biases: Float[Array, "sets layers maps"]
    """B."""
    output: Float[Array, "maps answers"]
    """O."""
    pull: Buffer
    """The weight of the squared distances between the sets."""
    tied: Buffer
    """Whether the sets are one from now on: phase ``relaxation`` says when."""
    config: NeuralGPUConfig = eqx.field(static=True)

    def input_shape(self) -> tuple[str, int]:
        """Return the shape of one example's inputs."""
        return ("steps", len(self.embedding))

    def init_state(
        self,
        inputs: Shaped[Array, "places letters"],
        *,
        key: PRNGKeyArray | None = None,
        steps: Int[Array, ""] | int | None = None,
        training: bool = False,
    ) -> NeuralGPUState:
        """Return the plane: embeddings of the symbols in its first row, zeros in the others."""
        del key, training
        places, rows = len(inputs), self.config.rows
        real = jnp.arange(places) < (places if steps is None else steps)
        row = jnp.where(real[:, None], self.embedded(inputs), 0)
        none = jnp.zeros((rows - 1, *row.shape), row.dtype)
        return NeuralGPUState(
            jnp.concatenate([row[None], none]),
            real,
            (self.pull() * self.distance()).astype(row.dtype),
        )

    def embedded(self, inputs: Shaped[Array, "places letters"]) -> Float[Array, "places maps"]:
        """Return the embeddings of symbols, given one-hot."""
        embedding = self.embedding
        if self.config.padding == "zero":
            embedding = embedding.at[0].set(0)
        row = jnp.asarray(inputs, embedding.dtype) @ embedding
        if self.config.embedding == "linear":
            return row
        row = jnp.tanh(row)
        return row if self.mixed is None else row @ self.mixed

    def distance(self) -> Float[Array, ""]:
        """Return the sum of the squared distances of the sets from their mean."""
        return sum(
            (jnp.sum(jnp.square(x - jnp.mean(x, axis=0))) for x in self.relaxed()),
            start=jnp.zeros((), self.output.dtype),
        )

    def relaxed(self) -> tuple[Any, ...]:
        """Return the arrays that have a set for each of some steps, as their first axis."""
        return self.gates, self.gate_biases, self.candidates, self.candidate_biases

    def advance(
        self, state: NeuralGPUState, encoded: None = None, clock: Clock = STOPPED
    ) -> tuple[NeuralGPUState, Features]:
        """Take one step: s_{t+1} = CGRU_l(... CGRU_1(s_t)), of set t mod r.

        Raises ValueError if dropout needs a key and the clock has none, or there are several
        sets and the clock has no number.
        """
        del encoded
        plane = state.plane
        if clock.training and self.config.dropout:
            plane = dropout(plane, self._rate(state.real), clock.key)
        for layer in range(self.config.layers):
            gate, _, candidate = self.cgru(plane, layer, clock)
            plane = gate * plane + (1 - gate) * candidate
            plane = jnp.where(state.real[:, None], plane, jnp.zeros((), plane.dtype))
        after = NeuralGPUState(plane, state.real, jnp.zeros_like(state.owed))
        return after, Features(plane[0], state.owed)

    def cgru(self, s: Plane, layer: int, clock: Clock) -> tuple[Plane, Plane, Plane]:
        """Return gate g, reset r and candidate of CGRU(s) = g s + (1 - g) candidate.

        g = sig(U' * s + B'), r = sig(U'' * s + B''), candidate = tanh(U * (r s) + B).
        """
        now = clock.step % self.config.sets if self.config.sets > 1 else 0
        kernels, biases, kernel, bias = (x[now, layer] for x in self.relaxed())
        sums = convolve_plane(s, kernels) + biases
        gates = cut_sigmoid(sums) if self.config.cutoff else jax.nn.sigmoid(sums)
        reset, gate = jnp.split(gates, 2, axis=-1)
        return gate, reset, jnp.tanh(convolve_plane(reset * s, kernel) + bias)

    def _rate(self, real: Bool[Array, " places"]) -> Float[Array, ""] | float:
        """Return the dropout rate for an example of this length."""
        if self.config.dropout_length is None:
            return self.config.dropout
        length = jnp.maximum(jnp.sum(real), 1)
        return self.config.dropout * jnp.minimum(1.0, self.config.dropout_length / length)

    def decode(self, features: Features) -> Float[Array, "... places letters"]:
        """Return output logits at all places: O s[0, k]."""
        return features.row @ self.output

    def penalties(self, features: Features) -> Penalties:
        """Return the pull between the sets, in the first step of an example."""
        return {"relaxation": features.paid}

    def trace_fields(self) -> tuple[Field, ...]:
        """Declare the plane as a picture for each row, and the first layer's gates."""
        axes = ("row", "place", "map")

        def gate(name, description):
            return Field(name, "matrix", axes, "gates", description, aside=True)

        return (
            Field("plane", "matrix", axes, "state", "What each place holds."),
            gate("reset", "How much of the state the first layer's candidate is made of."),
            gate("update", "Where the first layer keeps the state (1) or replaces it (0)."),
        )

    def observe_state(self, state: NeuralGPUState) -> dict[str, Array]:
        """Return the plane."""
        return {"plane": state.plane}

    def observe_step(
        self, state: NeuralGPUState, encoded: None = None, clock: Clock = STOPPED
    ) -> dict[str, Array]:
        """Return the first layer's gates, 0 at places that the example does not have."""
        del encoded
        gate, reset, _ = self.cgru(state.plane, 0, clock)
        none = jnp.zeros((), gate.dtype)
        real = state.real[:, None]
        return {"reset": jnp.where(real, reset, none), "update": jnp.where(real, gate, none)}


def cut_sigmoid(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """Return clip(1.2 sigmoid(x) - 0.1, 0, 1), of no slope where it is cut."""
    return jnp.clip(1.2 * jax.nn.sigmoid(x) - 0.1, 0, 1)


NEURAL_GPU_PRESETS: dict[str, NeuralGPUConfig] = {
    # The text; gate biases, which it does not give, are those of the codes.
    "paper": NeuralGPUConfig(),
    # tensorflow/models, neural_gpu, of 2016.
    "code-2016": NeuralGPUConfig(
        maps=128, embedding="tanh-mixed", padding="zero", dropout=0.15, dropout_length=8
    ),
    # openai/ecprice-neural-gpu, with the kernels that tensorflow/models has had since.
    "code-2017": NeuralGPUConfig(
        sets=1,
        embedding="tanh",
        kernels="orthogonal",
        kernel_scale=1.44,
        dropout=0.15,
        dropout_length=8,
    ),
}
"""The choices of a text or a code each; ``code-2017`` is a mix of two, as its comment says.

In both codes a place is also kept where the target has a symbol and the input has none. Here an
example's declared length says which places it has, so that nothing tells where answers end."""
