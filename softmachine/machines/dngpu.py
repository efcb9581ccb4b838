"""The diagonal Neural GPU (Freivalds & Liepins 2017, arXiv 1702.08727): a step per symbol.

A row of places, each a vector of maps, changed by the same gated convolution in every step.
Beside the Neural GPU (Kaiser & Sutskever 2016, arXiv 1511.08228) it has non-linearities with
straight pieces, a cost of leaving them, and gates that move a third of the maps to either side.
The numbers are those of the code published with the paper (LUMII-Syslab/DNGPU).
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, Shaped

from softmachine.core.choices import Count, Decay, NonNegative, check_fields
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
from softmachine.machines.parts.convolutions import convolve, dropout, neighbours
from softmachine.machines.parts.linear import Linear, glorot
from softmachine.machines.registry import machine
from softmachine.machines.sequence_cell import SequenceCell

RESET, UPDATE = 0.5, 0.7
"""Added to what the two gates are made of; not trained. So a machine starts near the shift."""
TAPS = 3
"""Places that a convolution sees: one on each side, and the place itself."""

Maps = Float[Array, "places maps"]


@machine("dngpu")
@dataclasses.dataclass(frozen=True, kw_only=True)
class DNGPUConfig(MachineConfig):
    """Sizes of a diagonal Neural GPU, and what is done in training."""

    maps: Count = 48
    """Channels of each place."""
    dropout: Decay = 0.1
    """Dropout rate of the first state, and of the candidate in every step, in training."""
    noise: NonNegative = 0.0
    """The most that is added to each number of the state, or taken away, after every step in
    training: uniform. Not in the paper. States that drift with the length do not stand it;
    those that each step brings back to the ends of a non-linearity do."""
    saturation: NonNegative = 1e-3
    """Weight of the saturation cost, at first: phase ``saturation`` lowers it."""
    saturation_limit: NonNegative = 0.9
    """Sums of a larger absolute value cost something, before the non-linearities."""

    works = "on a whole sequence of symbols, with symbols at the same places as outputs"

    def __post_init__(self) -> None:
        """Check the sizes."""
        check_fields(self)

    def fits(self, inputs: Stream[Any] | Whole[Any], outputs: Stream[Any] | Whole[Any]) -> bool:
        """Return whether both are symbols, one in every step."""
        return all(x.per_step and isinstance(x.spec, Symbols) for x in (inputs, outputs))

    def build(self, input_size: int, output_size: int, *, key: PRNGKeyArray) -> DNGPU:
        """Return a machine for inputs and outputs of the given widths."""
        keys = jax.random.split(key, 5)
        m = self.maps
        reset, update, candidate = (_kernel(m, key=key) for key in keys[:3])
        return DNGPU(
            embedding=Linear(glorot(input_size, m, key=keys[3]), jnp.zeros(m)),
            gates=jnp.concatenate([reset, update], axis=-1),
            gate_biases=jnp.zeros(2 * m),
            candidate=candidate,
            candidate_bias=jnp.zeros(m),
            output=Linear(glorot(m, output_size, key=keys[4]), jnp.zeros(output_size)),
            saturation=Buffer(jnp.asarray(self.saturation, jnp.float32)),
            config=self,
        )


def _kernel(maps: int, *, key: PRNGKeyArray) -> Float[Array, "3 maps maps"]:
    """Return a kernel drawn as by Glorot & Bengio 2010: taps count as inputs and outputs."""
    bound = (6.0 / (2 * TAPS * maps)) ** 0.5
    return jax.random.uniform(key, (TAPS, maps, maps), minval=-bound, maxval=bound)


class DNGPUState(NamedTuple):
    """One example's state."""

    maps: Maps
    """s; zero at places that the example does not have."""
    real: Bool[Array, " places"]
    """Which places the example has."""
    first_excess: Float[Array, ""]
    """What the first state adds to the saturation cost; see `DNGPU.penalties`."""


class Features(NamedTuple):
    """What is read of one step."""

    maps: Maps
    cost: Float[Array, "..."]
    """The step's part of the saturation cost, without its weight."""


class DNGPU(SequenceCell):
    """A diagonal Neural GPU: see the module's docstring."""

    embedding: Linear
    gates: Float[Array, "3 maps gates"]
    """Kernels K_r and K_g, side by side."""
    gate_biases: Float[Array, " gates"]
    candidate: Float[Array, "3 maps maps"]
    """Kernel K_c."""
    candidate_bias: Float[Array, " maps"]
    output: Linear
    saturation: Buffer
    """The weight of the saturation cost."""
    config: DNGPUConfig = eqx.field(static=True)

    def input_shape(self) -> tuple[str, int]:
        """Return the shape of one example's inputs."""
        return ("steps", self.embedding.weight.shape[1])

    def init_state(
        self,
        inputs: Shaped[Array, "places inputs"],
        *,
        key: PRNGKeyArray | None = None,
        steps: Int[Array, ""] | int | None = None,
        training: bool = False,
    ) -> DNGPUState:
        """Return the state s = dropout(ht(E x + b)), a place for each symbol.

        Raises ValueError if dropout needs a key and there is none.
        """
        places = len(inputs)
        steps = jnp.asarray(places if steps is None else steps, jnp.int32)
        real = jnp.arange(places) < steps
        sums = self.embedding(jnp.asarray(inputs, self.candidate.dtype))
        maps = hard_tanh(sums)
        if training and self.config.dropout:
            if key is None:
                raise ValueError("dropout draws at random: give this DNGPU a key")
            maps = dropout(maps, self.config.dropout, key)
        return DNGPUState(self._masked(maps, real), real, self._excess(sums, real))

    def advance(
        self, state: DNGPUState, encoded: None = None, clock: Clock = STOPPED
    ) -> tuple[DNGPUState, Features]:
        """Take one step.

        r = hs(K_r * s + b_r + 0.5), g = hs(K_g * s + b_g + 0.7),
        c = dropout(ht(K_c * (r s) + b_c)), s' = g shift(s) + (1 - g) c.

        Source: the code published with the paper. Raises ValueError if dropout or noise need
        a key and the clock has none.
        """
        del encoded
        gate_sums, _, update, sums = self._parts(state.maps)
        candidate = hard_tanh(sums)
        if clock.training and self.config.dropout:
            candidate = dropout(candidate, self.config.dropout, clock.key)
        maps = update * shift(state.maps) + (1 - update) * candidate
        if clock.training and self.config.noise:
            maps = maps + self.config.noise * symmetric(clock.key, maps)
        maps = self._masked(maps, state.real)
        length = jnp.maximum(jnp.sum(state.real), 1).astype(maps.dtype)
        excess = self._excess(gate_sums, state.real) + self._excess(sums, state.real)
        # That of the first state counts in every step, as it does as often as there are steps.
        cost = (excess + state.first_excess) / length
        return state._replace(maps=maps), Features(maps, cost)

    def decode(self, features: Features) -> Float[Array, "... places outputs"]:
        """Return output logits at all places."""
        return self.output(features.maps)

    def penalties(self, features: Features) -> Penalties:
        """Return the saturation cost of each step.

        All steps together: the weight times the sum, over steps, places, maps and the sums
        before the three non-linearities, of what exceeds the limit in absolute value, and n
        times that of the first state; divided by the number of symbols n, as the loss is a sum
        over n places and the source divides both by n once more. Beside a loss that is a mean
        (objective ``mean``) the cost weighs n times as much as in the source.
        """
        return {"saturation": self.saturation() * features.cost}

    def trace_fields(self) -> tuple[Field, ...]:
        """Declare the state as a picture, and the gates."""
        axes = ("place", "map")

        def gate(name, description):
            return Field(name, "matrix", axes, "gates", description, aside=True)

        return (
            Field("maps", "matrix", axes, "state", "What each place holds, from -1 to 1."),
            gate("reset", "How much of the state the candidate is made of."),
            gate("update", "Where the state stays, or moves on (1), or is replaced (0)."),
        )

    def observe_state(self, state: DNGPUState) -> dict[str, Array]:
        """Return the maps of each place."""
        return {"maps": state.maps}

    def observe_step(
        self, state: DNGPUState, encoded: None = None, clock: Clock = STOPPED
    ) -> dict[str, Array]:
        """Return the gates r and g, 0 at places that the example does not have."""
        del encoded, clock
        reset, update = (self._masked(x, state.real) for x in self._parts(state.maps)[1:3])
        return {"reset": reset, "update": update}

    def _parts(self, s: Maps) -> tuple[Float[Array, "places gates"], Maps, Maps, Maps]:
        """Return what the gates are made of, r and g, and what the candidate is made of."""
        maps = self.config.maps
        offsets = jnp.repeat(jnp.asarray([RESET, UPDATE], s.dtype), maps)
        gate_sums = convolve(s, self.gates) + self.gate_biases + offsets
        reset, update = jnp.split(hard_sigmoid(gate_sums), 2, axis=-1)
        sums = convolve(reset * s, self.candidate) + self.candidate_bias
        return gate_sums, reset, update, sums

    def _excess(self, sums: Float[Array, "places _"], real: Bool[Array, " places"]):
        """Return the sum of relu(|x| - limit) over an example's places and all maps."""
        over = jax.nn.relu(
            jnp.abs(sums) - jnp.asarray(self.config.saturation_limit, sums.dtype)
        )
        return jnp.sum(self._masked(over, real))

    @staticmethod
    def _masked(x: Float[Array, "places _"], real: Bool[Array, " places"]):
        """Return zeros at places that the example does not have."""
        return jnp.where(real[:, None], x, jnp.zeros((), x.dtype))


def hard_sigmoid(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """Return clip(x / 2 + 1 / 2, 0, 1): of slope 1/2, where others use 1/5 or 1/6."""
    return jnp.clip(0.5 * x + 0.5, 0, 1)


def hard_tanh(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """Return clip(x, -1, 1)."""
    return jnp.clip(x, -1, 1)


def symmetric(key: PRNGKeyArray, s: Maps) -> Maps:
    """Return numbers between -1 and 1, as many as ``s`` has, all equally likely.

    They have sixteen random bits each, as to draw bits takes longest. From a branch of the key
    of their own: what else is drawn from it is the same with them and without.
    """
    bits = jax.random.bits(jax.random.fold_in(key, 1), s.shape, jnp.uint16)
    return (2 * bits.astype(s.dtype) + 1) / 65_536 - 1


def shift(s: Maps) -> Maps:
    """Return the state moved: a third of the maps comes from the left, one from the right.

    With k = floor(maps / 3): maps 0 .. m - 2k - 1 stay, the next k are those of the place to
    the left, the last k those of the place to the right; zero beyond the ends.
    """
    k = s.shape[-1] // 3
    stays = s.shape[-1] - 2 * k
    left, right = neighbours(s)
    return jnp.concatenate(
        [s[:, :stays], left[:, stays : stays + k], right[:, stays + k :]], axis=-1
    )
