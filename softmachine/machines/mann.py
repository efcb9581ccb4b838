"""The memory-augmented network of one-shot learning (Santoro et al. 2016, arXiv 1605.06065).

A controller and an external memory whose rows are addressed by content alone, and written
where the head has just read or where nothing was read or written for longest: least recently
used access (LRUA). The paper leaves several choices open, and no public code follows it in all
of them. Each is a field of `MANNConfig`; `MANN_PRESETS` bundles the choices of one source.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import Annotated, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, Shaped

from softmachine.core.choices import Bounds, Count, Few, Positive, check_fields
from softmachine.core.fields import Field
from softmachine.core.pytrees import PyTree
from softmachine.machines.machine import STOPPED, Cell, Clock, MachineConfig
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.machines.parts.layers import ACTIVATIONS, Controller
from softmachine.machines.parts.linear import Linear, LoopLinear, glorot
from softmachine.machines.parts.products import combine_rows, match_rows, spread
from softmachine.machines.registry import machine

FIRST_KEY_STRENGTH = 10.0
"""What a learned key strength begins near; from 1 on, machines take twice as long to begin to
learn."""
FIRST_MEMORY = 1e-6
"""What every cell of the memory holds before the first step."""


class MANNState(NamedTuple):
    """One example's state: what the paper gives an index t - 1."""

    controller: PyTree
    memory: Float[Array, "columns rows"]
    """M; a row of the paper is a column here."""
    read_weights: Float[Array, "heads rows"]
    """w^r, of each head."""
    usage: Float[Array, " rows"]
    """w^u, which no gradient passes."""
    reads: Float[Array, "heads columns"]
    """r, of each head."""


class HeadParameters(NamedTuple):
    """What the controller tells the heads in one step."""

    keys: Float[Array, "heads columns"]
    """k: what is looked for, and by default what is written."""
    gates: Float[Array, " heads"]
    """sigma(alpha): to write where the head read last (1), or to a least used row (0)."""
    key_strengths: Float[Array, " heads"]
    """Multiplies similarities; 1 in the paper."""
    adds: Float[Array, "heads columns"]
    """What is written."""


@machine("mann")
@dataclasses.dataclass(frozen=True, kw_only=True)
class MANNConfig(MachineConfig):
    """Sizes of a MANN, and every choice on which paper and public code differ."""

    controller: ControllerConfig = ControllerConfig(hidden=200)
    memory_rows: Count = 128
    memory_columns: Count = 40
    heads: Few = 4
    """Read heads, and as many write heads: number i writes with the weights that number i
    read with."""
    written: Literal["key", "add"] = "key"
    """The head's key, as in the paper, or a vector of the controller's own."""
    least_used: Literal["shared", "own"] = "shared"
    """Which rows count as least used: for all heads those ``heads`` rows with the smallest
    usage, as in the paper, or for head i alone the row with the i-th smallest."""
    ties: Literal["rank", "all"] = "rank"
    """Of rows with the same usage the first count as less used (``rank``), or all that do not
    exceed the n-th smallest are marked, as the equation has it: nearly all rows at the start.
    ``all`` is for ``shared`` rows."""
    erased: Literal["one", "all"] = "one"
    """Rows that are set to zero before the writing: the least used one, or the ``heads`` least
    used."""
    order: Literal["write-read", "address-write-read"] = "write-read"
    """Keys are compared with the memory just written, or with the one before; read is the
    memory just written."""
    usage_decay: Annotated[float, Bounds(least=0, most=1)] = 0.99
    """Gamma: how much of the usage stays from step to step."""
    key_strength: Positive | None = 1.0
    """Multiplies similarities before the softmax; None: a value of the controller for each head
    and step, 10 at first. With 1, as in the paper, no row of 128 can get more than 5.5 percent
    of a head's attention."""
    similarity_smoothing: Positive = 1e-8
    """Added to the product of the squared norms of key and row, under the root. Rows of zeros,
    and with 1e-8 the rows of the first memory, are like no key."""
    key_activation: Literal["linear", "tanh"] = "tanh"
    add_activation: Literal["linear", "tanh"] = "tanh"
    """Of vectors of the controller's own: nothing, if keys are written."""

    def __post_init__(self) -> None:
        """Check sizes and choices."""
        check_fields(self)
        if self.heads > self.memory_rows:
            raise ValueError(
                f"MANN heads ({self.heads}) must not exceed memory_rows ({self.memory_rows})"
            )
        if self.ties == "all" and self.least_used == "own":
            raise ValueError(
                "MANN ties='all' marks rows for all heads: take least_used='shared', or "
                "ties='rank'"
            )

    @property
    def published_as(self) -> str:
        """What the paper would call the machine: ``mann-lstm``, ``mann-ff``."""
        return f"mann-{self.controller.published_as}"

    def build(self, input_size: int, output_size: int, *, key: PRNGKeyArray) -> MANN:
        """Return a machine for inputs and outputs of the given widths."""
        controller_key, heads_key, output_key = jax.random.split(key, 3)
        feedback = self.heads * self.memory_columns
        controller = self.controller.build(input_size, feedback, key=controller_key)
        sizes = head_value_sizes(self)
        bias = [jnp.zeros(sizes[0] + sizes[1]), jnp.full(sizes[2], FIRST_KEY_STRENGTH - 1)]
        bias = jnp.concatenate([*bias, jnp.zeros(sizes[3])])
        features = controller.output_size + feedback
        return MANN(
            controller=controller,
            head_layer=LoopLinear(
                glorot(controller.output_size, len(bias), key=heads_key), bias
            ),
            output=Linear(
                glorot(features, output_size, key=output_key), jnp.zeros(output_size)
            ),
            config=self,
        )


def head_value_sizes(config: MANNConfig) -> tuple[int, ...]:
    """Return how many values the controller gives to keys, gates, strengths and adds."""
    vectors = config.heads * config.memory_columns
    strengths = config.heads if config.key_strength is None else 0
    return (vectors, config.heads, strengths, vectors if config.written == "add" else 0)


def address(
    memory: Float[Array, "columns rows"],
    keys: Float[Array, "heads columns"],
    key_strengths: Float[Array, " heads"],
    smoothing: float = 1e-8,
) -> Float[Array, "heads rows"]:
    """Return the read weights: where each head finds what is like its key.

    ``K(k, M(i)) = k . M(i) / (|k| |M(i)|)``;
    ``w^r(i) = exp(K(k, M(i))) / sum over j of exp(K(k, M(j)))``.

    ``smoothing`` is added under the root of the two squared norms' product.
    """
    squares = jnp.sum(jnp.square(keys), axis=1)[:, None] * jnp.sum(jnp.square(memory), axis=0)
    similarity = match_rows(keys, memory) * jax.lax.rsqrt(squares + smoothing)
    return jax.nn.softmax(key_strengths[:, None] * similarity, axis=-1)


def rank_by_usage(usage: Float[Array, " rows"], count: int) -> Float[Array, "count rows"]:
    """Return the ``count`` least used rows, one-hot, the least used first.

    Of rows with the same usage the one with the lower index comes first. No gradient.
    """
    places = jnp.arange(len(usage))
    left, ranked = jax.lax.stop_gradient(usage), []
    for _ in range(count):
        # The first of the smallest: what argmin gives, in two sums that are vectorised.
        least = jnp.where(left == jnp.min(left), places, len(usage))
        row = places == jnp.min(least)
        ranked.append(row)
        left = jnp.where(row, jnp.inf, left)
    return jnp.stack(ranked).astype(usage.dtype)


def least_used_weights(
    usage: Float[Array, " rows"], ranked: Float[Array, "heads rows"], config: MANNConfig
) -> Float[Array, "heads rows"]:
    """Return w^lu, of each head: 1 for the rows that count as least used, else 0.

    ``w^lu(i) = 1 if w^u(i) <= m(w^u, n) else 0``, where ``m(v, n)`` is the n-th smallest
    number of v and n the number of heads. ``ranked`` are those n rows.
    """
    if config.least_used == "own":
        return ranked
    marked = jnp.sum(ranked, axis=0)
    if config.ties == "all":
        largest = jnp.max(jnp.where(marked > 0, usage, -jnp.inf))
        marked = (usage <= largest).astype(usage.dtype)
    return jnp.broadcast_to(jax.lax.stop_gradient(marked), ranked.shape)


class MANN(Cell):
    """A memory-augmented neural network; `MANNConfig` says which."""

    controller: Controller
    head_layer: LoopLinear
    output: Linear
    config: MANNConfig = eqx.field(static=True)

    @property
    def memory_rows(self) -> int:
        """How many rows the memory has."""
        return self.config.memory_rows

    def with_memory_rows(self, rows: int) -> MANN:
        """Return the same parameters in a machine with another number of rows."""
        config = dataclasses.replace(self.config, memory_rows=rows)
        return dataclasses.replace(self, config=config)

    def init_state(
        self, inputs: PyTree = None, *, key: PRNGKeyArray | None = None
    ) -> MANNState:
        """Return the state before the first step; neither argument is looked at.

        All rows of the memory are the same; row 0 counts as read and used.
        """
        del inputs, key
        config, dtype = self.config, self.head_layer.weight.dtype
        first_row = jax.nn.one_hot(0, config.memory_rows, dtype=dtype)
        return MANNState(
            controller=self.controller.init_state(),
            memory=jnp.full((config.memory_columns, config.memory_rows), FIRST_MEMORY, dtype),
            read_weights=jnp.tile(first_row, (config.heads, 1)),
            usage=first_row,
            reads=jnp.zeros((config.heads, config.memory_columns), dtype),
        )

    def input_shape(self) -> tuple[str, int]:
        """Return the shape of one example's inputs."""
        return ("steps", self.controller.input_size)

    def encode(self, inputs: Shaped[Array, "... inputs"]) -> Float[Array, "... layers width"]:
        """Return the inputs' share of the controller, in the type of the parameters."""
        return self.controller.project(jnp.asarray(inputs, self.head_layer.weight.dtype))

    def advance(
        self, state: MANNState, encoded: Float[Array, "layers width"], clock: Clock = STOPPED
    ) -> tuple[MANNState, Float[Array, " features"]]:
        """Take one step: controller, least used rows, write, read, usage."""
        del clock
        controller, hidden = self.controller(state.controller, encoded, state.reads.reshape(-1))
        memory, read_weights, usage, reads = self.access(self.head_parameters(hidden), state)
        features = jnp.concatenate([hidden, reads.reshape(-1)])
        return MANNState(controller, memory, read_weights, usage, reads), features

    def access(self, parameters: HeadParameters, state: MANNState) -> tuple[Array, ...]:
        """Write and read: return memory, read weights, usage and reads.

        ``w^w_t = sigma(alpha) w^r_{t-1} + (1 - sigma(alpha)) w^lu_{t-1}``;
        ``M_t(i) = M_{t-1}(i) + w^w_t(i) k_t``, the least used rows set to zero before;
        ``r_t = sum over i of w^r_t(i) M_t(i)``.
        """
        write_weights, erased = self._write_weights(parameters, state)
        memory = state.memory * (1 - erased) + spread(parameters.adds, write_weights)
        compared = memory if self.config.order == "write-read" else state.memory
        read_weights = address(
            compared,
            parameters.keys,
            parameters.key_strengths,
            self.config.similarity_smoothing,
        )
        usage = self._usage(state.usage, read_weights, write_weights)
        return memory, read_weights, usage, combine_rows(read_weights, memory)

    def head_parameters(self, hidden: Float[Array, " hidden"]) -> HeadParameters:
        """Map the controller's output to the parameters of all heads."""
        config = self.config
        shape = (config.heads, config.memory_columns)
        ends = list(itertools.accumulate(head_value_sizes(config)[:-1]))
        keys, gates, strengths, adds = jnp.split(self.head_layer(hidden), ends)
        keys = ACTIVATIONS[config.key_activation](keys).reshape(shape)
        if config.key_strength is None:
            strengths = 1 + jax.nn.softplus(strengths)
        else:
            strengths = jnp.full(config.heads, config.key_strength, keys.dtype)
        if config.written == "add":
            adds = ACTIVATIONS[config.add_activation](adds).reshape(shape)
        else:
            adds = keys
        return HeadParameters(keys, jax.nn.sigmoid(gates), strengths, adds)

    def decode(self, features: Float[Array, "... features"]) -> Float[Array, "... outputs"]:
        """Return output logits: one linear layer of the controller's output and the reads."""
        return self.output(features)

    def trace_fields(self) -> tuple[Field, ...]:
        """Declare the memory, its usage, and what each head does."""
        heads = {"head": [f"head {i + 1}" for i in range(self.config.heads)]}

        def of_heads(name, kind, axes, description, **more):
            return Field(name, kind, ("head", *axes), "heads", description, heads, **more)

        def weights(name, does, description):
            does = (does,) * self.config.heads
            return of_heads(name, "weighting", ("row",), description, does=does)

        return (
            Field("memory", "matrix", ("row", "column"), "memory", "What each row holds."),
            Field("usage", "vector", ("row",), "memory", "How much a row was used of late."),
            weights("read_weights", "read", "Where a head reads."),
            weights("write_weights", "write", "Where a head writes."),
            of_heads("gates", "probability", (), "Where it read (1) or the least used (0)."),
            of_heads("key_strengths", "scalar", (), "How much similarity decides."),
            of_heads("keys", "vector", ("column",), "What content is looked for.", aside=True),
            of_heads("reads", "vector", ("column",), "What was read."),
        )

    def observe_state(self, state: MANNState) -> dict[str, Array]:
        """Return the memory, a row per row, usage, read weights and reads."""
        return {
            "memory": state.memory.T,
            "usage": state.usage,
            "read_weights": state.read_weights,
            "reads": state.reads,
        }

    def observe_step(
        self, state: MANNState, encoded: Float[Array, "layers width"], clock: Clock = STOPPED
    ) -> dict[str, Array]:
        """Return where the heads write, and what the controller tells them."""
        del clock
        _, hidden = self.controller(state.controller, encoded, state.reads.reshape(-1))
        parameters = self.head_parameters(hidden)
        return {
            "write_weights": self._write_weights(parameters, state)[0],
            "gates": parameters.gates,
            "key_strengths": parameters.key_strengths,
            "keys": parameters.keys,
        }

    def _write_weights(
        self, parameters: HeadParameters, state: MANNState
    ) -> tuple[Float[Array, "heads rows"], Float[Array, " rows"]]:
        """Return w^w of each head, and 1 for the rows that are erased before, else 0."""
        ranked = rank_by_usage(state.usage, self.config.heads)
        least_used = least_used_weights(state.usage, ranked, self.config)
        gates = parameters.gates[:, None]
        weights = gates * state.read_weights + (1 - gates) * least_used
        return weights, ranked[0] if self.config.erased == "one" else jnp.sum(ranked, axis=0)

    def _usage(
        self,
        usage: Float[Array, " rows"],
        read_weights: Float[Array, "heads rows"],
        write_weights: Float[Array, "heads rows"],
    ) -> Float[Array, " rows"]:
        """Return ``w^u_t = gamma w^u_{t-1} + w^r_t + w^w_t``, over all heads; no gradient."""
        new = jnp.sum(read_weights, axis=0) + jnp.sum(write_weights, axis=0)
        return jax.lax.stop_gradient(self.config.usage_decay * usage + new)


MANN_PRESETS: dict[str, MANNConfig] = {
    # The equations read literally.
    "santoro": MANNConfig(ties="all"),
    # tristandeleu/ntm-one-shot, to which other public code comes closest.
    "public": MANNConfig(written="add", least_used="own", usage_decay=0.95),
}
"""Configurations by the name of their source."""
