"""The Neural Turing Machine (Graves, Wayne & Danihelka 2014, arXiv 1410.5401).

The paper leaves several choices open and public code fills them differently. Each is a
field of `NTMConfig`; `NTM_PRESETS` bundles the choices of one source.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from typing import Annotated, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, Shaped

from softmachine.core.choices import Bounds, Count, Few, NonNegative, Positive, check_fields
from softmachine.core.fields import Field
from softmachine.core.pytrees import PyTree
from softmachine.machines.machine import STOPPED, Buffer, Cell, Clock, MachineConfig
from softmachine.machines.ntm.addressing import (
    NORM_SMOOTHING,
    content_weighting,
    harden,
    interpolate,
    sharpen,
    shift,
)
from softmachine.machines.parts.controllers import ACTIVATIONS, Controller, ControllerConfig
from softmachine.machines.parts.linear import Linear, LoopLinear, glorot
from softmachine.machines.parts.products import combine_rows, spread
from softmachine.machines.registry import machine

Activation = Literal["linear", "tanh", "relu", "sigmoid"]


class NTMState(NamedTuple):
    """One example's state. Heads are ordered read heads first, then write heads."""

    controller: PyTree
    memory: Float[Array, "columns rows"]
    weightings: Float[Array, "heads rows"]
    reads: Float[Array, "read_heads columns"]


class HeadParameters(NamedTuple):
    """What the controller tells the heads at one step (paper, section 3.3)."""

    keys: Float[Array, "heads columns"]
    key_strengths: Float[Array, " heads"]
    gates: Float[Array, " heads"]
    shifts: Float[Array, "heads shifts"]
    sharpenings: Float[Array, " heads"]
    erases: Float[Array, "write_heads columns"]
    adds: Float[Array, "write_heads columns"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class NTMTestOptions:
    """How the heads of a trained NTM attend."""

    hard: bool = False
    """Attend to the most likely row alone."""
    wrap: bool = True
    """Whether shifts go around the ends of the memory."""
    sharpening_factor: Positive = 1.0
    """Multiplies how strongly weightings are sharpened."""


@machine("ntm")
@dataclasses.dataclass(frozen=True, kw_only=True)
class NTMConfig(MachineConfig):
    """Sizes of an NTM, and every choice on which its public versions differ."""

    controller: ControllerConfig = ControllerConfig()
    memory_rows: Count = 128
    memory_columns: Count = 20
    read_heads: Few = 1
    write_heads: Few = 1
    shifts: Count = 3
    """How many neighbouring shifts a head chooses from; number ``shifts // 2`` stays."""
    order: Literal["write-read", "read-write", "address-write-read", "alternate"] = "write-read"
    """``write-read``: write heads address the old memory and write, then read heads
    address and read the new one. ``read-write``: all heads address the old memory, reads
    come from it. ``address-write-read``: all heads address the old memory, reads come
    from the new one. ``alternate``: first read head, first write head, second read head,
    ...; each addresses the memory as the head before left it."""
    write_composition: Literal["erase-then-add", "sequential"] = "erase-then-add"
    """Several write heads: all erases and then all adds, as the paper has it, or each
    head's erase and add in turn. ``alternate`` order implies the second."""
    feed_reads: bool = True
    """Whether the controller sees the previous reads."""
    output_from: Literal["controller+reads", "reads", "controller"] = "controller+reads"
    key_activation: Activation = "linear"
    add_activation: Activation = "linear"
    max_sharpening: Annotated[float, Bounds(least=1)] | None = None
    """Upper bound of the sharpening exponent, before `sharpening_factor`. Code that does not
    sharpen in log space needs one: 128 equal weights to the power of 22 are 0 in float32."""
    head_clip: Positive | None = 20.0
    """Bound of the heads' values before their activations."""
    similarity_smoothing: NonNegative = NORM_SMOOTHING
    """Added to the squared norms of keys and rows; of no source, for the sake of training.
    Rows much shorter than its root look like zero; gradients grow with one over that root."""
    similarity_epsilon: NonNegative = 0.0
    """Added to the product of the two norms by which a dot product is divided. Most sources
    have 1e-8 here, and no smoothing. A row of zeros then passes gradients on multiplied by
    one over it."""
    sharpening_smoothing: NonNegative = 0.0
    """Added to the sum of a weighting's powers, by which sharpening divides; some public
    code has 1e-16. Flat weightings under a large exponent then sum to less than one."""
    initial_memory: Literal["constant", "learned", "random", "resampled"] = "constant"
    """``random``: uniform, drawn once and never trained; ``resampled``: uniform, drawn
    anew for every sequence."""
    initial_memory_range: tuple[float, float] = (1e-6, 1e-6)
    """Bounds of the uniform distribution; ``constant`` takes the lower one."""
    initial_weightings: Literal["learned", "first-row", "random-row", "uniform", "zeros"] = (
        "learned"
    )
    """``learned``: softmax of logits drawn from N(0, 1) and trained."""
    initial_reads: Literal["zeros", "learned", "random"] = "zeros"
    """``random``: drawn once from N(0, 0.01²) and never trained."""
    wrap: bool = True
    """Whether a head that is shifted beyond one end of the memory comes back at the other,
    as in the paper. If not, the weight that would leave stays on the end row."""
    sharpening_factor: Positive = 1.0
    """Multiplies the sharpening exponent; the product is kept at 1 or above."""
    hard: bool = False
    """Whether all weight goes to the row that has most after sharpening, the first of
    equals. Such a head passes no gradient on. First weightings stay as they are."""

    def __post_init__(self) -> None:
        """Check sizes and refuse initial states that the machine could never leave."""
        check_fields(self)
        if self.shifts > self.memory_rows:
            raise ValueError(
                f"NTM shifts ({self.shifts}) must not exceed memory_rows ({self.memory_rows})"
            )
        if self.similarity_smoothing == self.similarity_epsilon == 0:
            raise ValueError(
                "NTM similarity_smoothing and similarity_epsilon must not both be 0: the "
                "similarity to a row of zeros would be 0 / 0"
            )
        low, high = self.initial_memory_range
        if low > high:
            raise ValueError(f"NTM initial_memory_range must be (low, high), not {low, high}")
        identical_rows = self.initial_memory == "constant" or low == high
        if identical_rows and self.initial_weightings in ("uniform", "zeros"):
            raise ValueError(
                f"NTM with identical memory rows (initial_memory={self.initial_memory!r}) and "
                f"initial_weightings={self.initial_weightings!r} cannot tell its rows apart: "
                "they stay equal for ever, one usable slot. Take initial_weightings='learned' "
                "or 'first-row', or initial_memory='random' with a range of numbers"
            )

    @property
    def published_as(self) -> str:
        """What the NTM paper would call the machine: ``ntm-lstm``, ``ntm-ff``, ..."""
        return f"ntm-{self.controller.kind.replace('feedforward', 'ff')}"

    @property
    def test_options(self) -> NTMTestOptions:
        """How the heads attend."""
        return NTMTestOptions(
            hard=self.hard, wrap=self.wrap, sharpening_factor=self.sharpening_factor
        )

    def build(self, input_size: int, output_size: int, *, key: PRNGKeyArray) -> NTM:
        """Return a machine for inputs and outputs of the given widths."""
        keys = jax.random.split(key, 6)
        columns, heads = self.memory_columns, self.read_heads + self.write_heads
        feedback = self.read_heads * columns
        controller = self.controller.build(
            input_size, feedback if self.feed_reads else 0, key=keys[0]
        )
        head_values = sum(head_value_sizes(self))
        features = {
            "controller+reads": controller.output_size + feedback,
            "reads": feedback,
            "controller": controller.output_size,
        }[self.output_from]
        shape = (columns, self.memory_rows)
        low, high = self.initial_memory_range
        drawn = jax.random.uniform(keys[3], shape, minval=low, maxval=high)
        initial_memory = None
        if self.initial_memory == "learned":
            initial_memory = drawn
        elif self.initial_memory == "random":
            initial_memory = Buffer(drawn)
        initial_weightings = None
        if self.initial_weightings == "learned":
            initial_weightings = jax.random.normal(keys[4], (heads, self.memory_rows))
        initial_reads = None
        if self.initial_reads == "learned":
            initial_reads = jnp.zeros((self.read_heads, columns))
        elif self.initial_reads == "random":
            initial_reads = Buffer(
                0.01 * jax.random.normal(keys[5], (self.read_heads, columns))
            )
        return NTM(
            controller=controller,
            heads=LoopLinear(
                glorot(controller.output_size, head_values, key=keys[1]), jnp.zeros(head_values)
            ),
            output=Linear(glorot(features, output_size, key=keys[2]), jnp.zeros(output_size)),
            initial_memory=initial_memory,
            initial_weightings=initial_weightings,
            initial_reads=initial_reads,
            config=self,
        )


def read(
    memory: Float[Array, "columns rows"], weightings: Float[Array, "read_heads rows"]
) -> Float[Array, "read_heads columns"]:
    """Return the weighted mean of the rows, for each read head.

    Eq. 2: ``r_t = sum over i of w_t(i) M_t(i)``, where Eq. 1 has the weights sum to 1.
    """
    return combine_rows(weightings, memory)


def write(
    memory: Float[Array, "columns rows"],
    weightings: Float[Array, "write_heads rows"],
    erases: Float[Array, "write_heads columns"],
    adds: Float[Array, "write_heads columns"],
) -> Float[Array, "columns rows"]:
    """Apply all erases and then all adds.

    Eq. 3: ``M~_t(i) = M_{t-1}(i) [1 - w_t(i) e_t]``;
    Eq. 4: ``M_t(i) = M~_t(i) + w_t(i) a_t``.
    """
    for i in range(len(erases)):
        memory = memory * (1 - spread(erases[i : i + 1], weightings[i : i + 1]))
    return memory + spread(adds, weightings)


def address(
    parameters: HeadParameters,
    memory: Float[Array, "columns rows"],
    previous: Float[Array, "heads rows"],
    heads: slice,
    config: NTMConfig,
) -> Float[Array, "addressed rows"]:
    """Return the next weightings of some of the heads (section 3.3, Eq. 5 to 9)."""
    # In half precision norms and powers would under- and overflow: that much is in float32.
    wide = jnp.promote_types(memory.dtype, jnp.float32)
    keys, key_strengths, gates, shifts, sharpenings = (
        x[heads].astype(wide) for x in parameters[:5]
    )
    content = content_weighting(
        memory.astype(wide),
        keys,
        key_strengths,
        smoothing=config.similarity_smoothing,
        epsilon=config.similarity_epsilon,
    )
    gated = interpolate(content, previous[heads].astype(wide), gates)
    moved = shift(gated, shifts, wrap=config.wrap)
    weighting = sharpen(moved, sharpenings, smoothing=config.sharpening_smoothing)
    weighting = harden(weighting) if config.hard else weighting
    return weighting.astype(memory.dtype)


Addressing = Callable[
    [HeadParameters, Array, Array, slice, NTMConfig], Float[Array, "addressed rows"]
]
"""What `address` is: ``(parameters, memory, previous, heads, config) -> weightings``."""


class NTM(Cell):
    """A Neural Turing Machine; `NTMConfig` says which."""

    controller: Controller
    heads: LoopLinear
    output: Linear
    initial_memory: Float[Array, "columns rows"] | Buffer | None
    initial_weightings: Float[Array, "heads rows"] | None
    initial_reads: Float[Array, "read_heads columns"] | Buffer | None
    config: NTMConfig = eqx.field(static=True)

    @property
    def memory_rows(self) -> int:
        """How many rows the memory has."""
        return self.config.memory_rows

    def init_state(self, inputs: PyTree = None, *, key: PRNGKeyArray | None = None) -> NTMState:
        """Return the state before the first step; ``inputs`` are not looked at.

        Raises ValueError without a ``key`` if memory or weightings are drawn per sequence.
        """
        del inputs
        config = self.config
        if key is None and (
            config.initial_memory == "resampled" or config.initial_weightings == "random-row"
        ):
            raise ValueError("this NTM draws its first state at random: give it a key")
        memory_key, row_key = (None, None) if key is None else jax.random.split(key)
        return NTMState(
            self.controller.init_state(),
            self._first_memory(memory_key),
            self._first_weightings(row_key),
            self._first_reads(),
        )

    def input_shape(self) -> tuple[str, int]:
        """Return the shape of one example's inputs."""
        return ("steps", self.controller.from_input.weight.shape[1])

    def encode(self, inputs: Shaped[Array, "... inputs"]) -> Float[Array, "... layers width"]:
        """Return the inputs' share of the controller, in the type of the parameters."""
        return self.controller.project(jnp.asarray(inputs, self._dtype))

    def advance(
        self,
        state: NTMState,
        encoded: Float[Array, "layers width"],
        clock: Clock = STOPPED,
        address: Addressing = address,
    ) -> tuple[NTMState, Float[Array, " features"]]:
        """Take one step: controller, then heads in the configured order.

        ``address`` says where heads go; for other accounts of them than the paper's.
        """
        del clock
        controller_state, hidden = self._control(state, encoded)
        parameters = self.head_parameters(hidden)
        memory, weightings, reads = self._move_heads(parameters, state, address)
        features = {
            "controller+reads": lambda: jnp.concatenate([hidden, reads.reshape(-1)]),
            "reads": lambda: reads.reshape(-1),
            "controller": lambda: hidden,
        }[self.config.output_from]()
        return NTMState(controller_state, memory, weightings, reads), features

    def decode(self, features: Float[Array, "... features"]) -> Float[Array, "... outputs"]:
        """Return output logits; their logistic sigmoid is the paper's output."""
        return self.output(features)

    def trace_fields(self) -> tuple[Field, ...]:
        """Declare the memory, the reads, and what each head does."""
        config = self.config
        read_heads = _numbered("read", config.read_heads)
        write_heads = _numbered("write", config.write_heads)
        far = [f"{i - config.shifts // 2:+d}".replace("+0", "0") for i in range(config.shifts)]
        heads = {"head": read_heads + write_heads}
        readers, writers = {"read head": read_heads}, {"write head": write_heads}

        def of_heads(name, kind, axes, description, **labels):
            return Field(name, kind, ("head", *axes), "heads", description, heads | labels)

        def vectors(name, axis, description, labels):
            return Field(name, "vector", (axis, "column"), "heads", description, labels)

        return (
            Field("memory", "matrix", ("row", "column"), "memory", "What each row holds."),
            of_heads("weightings", "weighting", ("row",), "How much a head attends to a row."),
            vectors("reads", "read head", "What was read.", readers),
            of_heads("gates", "probability", (), "By content (1) or from where it was (0)."),
            of_heads("key_strengths", "scalar", (), "How much content decides."),
            of_heads("shifts", "distribution", ("shift",), "How far to move.", shift=far),
            of_heads("sharpenings", "scalar", (), "Exponent of the weighting."),
            vectors("keys", "head", "What content is looked for.", heads),
            vectors("erases", "write head", "How much of each column is erased.", writers),
            vectors("adds", "write head", "What is added.", writers),
            Field("controller", "vector", ("hidden",), "controller", "Its output."),
        )

    def observe_state(self, state: NTMState) -> dict[str, Array]:
        """Return the memory, a row per row, weightings and reads."""
        return {
            "memory": state.memory.T,
            "weightings": state.weightings,
            "reads": state.reads,
        }

    def observe_step(
        self, state: NTMState, encoded: Float[Array, "layers width"]
    ) -> dict[str, Array]:
        """Return the controller's output and what it tells the heads."""
        _, hidden = self._control(state, encoded)
        return self.head_parameters(hidden)._asdict() | {"controller": hidden}

    def _control(
        self, state: NTMState, encoded: Float[Array, "layers width"]
    ) -> tuple[PyTree, Float[Array, " hidden"]]:
        """Return the controller's next state and its output."""
        nothing = jnp.zeros(0, encoded.dtype)
        feedback = state.reads.reshape(-1) if self.config.feed_reads else nothing
        return self.controller(state.controller, encoded, feedback)

    def head_parameters(self, hidden: Float[Array, " hidden"]) -> HeadParameters:
        """Map the controller's output to the parameters of all heads."""
        config = self.config
        columns, writers = config.memory_columns, config.write_heads
        heads = config.read_heads + writers
        values = self.heads(hidden)
        if config.head_clip is not None:
            values = jnp.clip(values, -config.head_clip, config.head_clip)
        ends = list(itertools.accumulate(head_value_sizes(config)[:-1]))
        keys, strengths, sharpenings, gates, shifts, erases, adds = jnp.split(values, ends)
        sharpenings = 1 + jax.nn.softplus(sharpenings)
        if config.max_sharpening is not None:
            sharpenings = jnp.minimum(sharpenings, config.max_sharpening)
        if config.sharpening_factor != 1:
            sharpenings = jnp.maximum(config.sharpening_factor * sharpenings, 1)
        return HeadParameters(
            keys=ACTIVATIONS[config.key_activation](keys).reshape(heads, columns),
            key_strengths=jax.nn.softplus(strengths),
            gates=jax.nn.sigmoid(gates),
            shifts=jax.nn.softmax(shifts.reshape(heads, config.shifts), axis=-1),
            sharpenings=sharpenings,
            erases=jax.nn.sigmoid(erases).reshape(writers, columns),
            adds=ACTIVATIONS[config.add_activation](adds).reshape(writers, columns),
        )

    def with_memory_rows(self, rows: int) -> NTM:
        """Return the same machine with another number of memory rows.

        Learned first weightings give no weight to the new rows. Raises ValueError if the
        first memory is an array of the machine's own, or if ``rows`` would cut rows off
        the learned first weightings.
        """
        config = dataclasses.replace(self.config, memory_rows=rows)
        if rows == self.config.memory_rows:
            return self
        if self.initial_memory is not None:
            raise ValueError(
                f"the memory of this NTM cannot be resized from {self.config.memory_rows} to "
                f"{rows} rows: its first content is {self.config.initial_memory}, one number "
                "per cell"
            )
        weightings = self.initial_weightings
        if weightings is not None:
            if rows < self.config.memory_rows:
                raise ValueError(
                    f"memory rows can grow from {self.config.memory_rows}, not shrink to "
                    f"{rows}: the machine has learned where to start among them"
                )
            extra = rows - self.config.memory_rows
            weightings = jnp.pad(weightings, ((0, 0), (0, extra)), constant_values=-1e4)
        return dataclasses.replace(self, initial_weightings=weightings, config=config)

    @property
    def test_options(self) -> NTMTestOptions:
        """How the heads attend now."""
        return self.config.test_options

    def with_test_options(self, options: NTMTestOptions) -> NTM:
        """Return the same parameters with heads that attend otherwise.

        To see whether a trained machine works with hard heads, without going around the ends
        of its memory, or sharpened more: the three are fields of `NTMConfig`, described there.

        Raises ValueError if ``sharpening_factor`` is not positive.
        """
        config = dataclasses.replace(self.config, **dataclasses.asdict(options))
        return dataclasses.replace(self, config=config)

    @property
    def _dtype(self) -> jnp.dtype:
        """The type of the parameters, and so that of states and outputs."""
        return self.heads.weight.dtype

    def _first_memory(self, key: PRNGKeyArray | None) -> Float[Array, "columns rows"]:
        shape = (self.config.memory_columns, self.config.memory_rows)
        low, high = self.config.initial_memory_range
        if isinstance(self.initial_memory, Buffer):
            return self.initial_memory()
        if self.initial_memory is not None:
            return self.initial_memory
        if self.config.initial_memory == "resampled" and key is not None:
            return jax.random.uniform(key, shape, self._dtype, minval=low, maxval=high)
        return jnp.full(shape, low, self._dtype)

    def _first_weightings(self, key: PRNGKeyArray | None) -> Float[Array, "heads rows"]:
        rows, heads = self.config.memory_rows, self.config.read_heads + self.config.write_heads
        kind = self.config.initial_weightings
        if self.initial_weightings is not None:
            return jax.nn.softmax(self.initial_weightings, axis=-1)
        if kind == "uniform":
            return jnp.full((heads, rows), 1 / rows, self._dtype)
        if kind == "zeros":
            return jnp.zeros((heads, rows), self._dtype)
        row = 0 if key is None or kind == "first-row" else jax.random.randint(key, (), 0, rows)
        return jnp.tile(jax.nn.one_hot(row, rows, dtype=self._dtype), (heads, 1))

    def _first_reads(self) -> Float[Array, "read_heads columns"]:
        if isinstance(self.initial_reads, Buffer):
            return self.initial_reads()
        if self.initial_reads is not None:
            return jnp.tanh(self.initial_reads)
        shape = (self.config.read_heads, self.config.memory_columns)
        return jnp.zeros(shape, self._dtype)

    def _move_heads(
        self, parameters: HeadParameters, state: NTMState, address: Addressing
    ) -> tuple:
        """Address, write and read; return memory, weightings and reads."""
        readers = slice(0, self.config.read_heads)
        writers = slice(self.config.read_heads, None)
        memory, weightings = state.memory, state.weightings
        config, order = self.config, self.config.order
        if order == "alternate":
            return self._alternate(parameters, state, address)
        if order == "write-read":
            written = address(parameters, memory, weightings, writers, config)
            memory = self._write(parameters, memory, written)
            looked = address(parameters, memory, weightings, readers, config)
            return memory, jnp.concatenate([looked, written]), read(memory, looked)
        weightings = address(parameters, memory, weightings, slice(None), config)
        new_memory = self._write(parameters, memory, weightings[writers])
        source = memory if order == "read-write" else new_memory
        return new_memory, weightings, read(source, weightings[readers])

    def _alternate(
        self, parameters: HeadParameters, state: NTMState, address: Addressing
    ) -> tuple:
        config = self.config
        readers, writers = config.read_heads, config.write_heads
        memory, weightings = state.memory, list(state.weightings)
        reads = []

        def addressed(head):
            one = slice(head, head + 1)
            return address(parameters, memory, state.weightings, one, config)

        for i in range(max(readers, writers)):
            if i < readers:
                looked = addressed(i)
                weightings[i] = looked[0]
                reads.append(read(memory, looked))
            if i < writers:
                written = addressed(readers + i)
                weightings[readers + i] = written[0]
                memory = write(
                    memory,
                    written,
                    parameters.erases[i : i + 1],
                    parameters.adds[i : i + 1],
                )
        return memory, jnp.stack(weightings), jnp.concatenate(reads)

    def _write(
        self,
        parameters: HeadParameters,
        memory: Float[Array, "columns rows"],
        weightings: Float[Array, "write_heads rows"],
    ) -> Float[Array, "columns rows"]:
        if self.config.write_composition == "erase-then-add":
            return write(memory, weightings, parameters.erases, parameters.adds)
        for i in range(self.config.write_heads):
            head = slice(i, i + 1)
            memory = write(
                memory, weightings[head], parameters.erases[head], parameters.adds[head]
            )
        return memory


def _numbered(name: str, count: int) -> list[str]:
    return [name] if count == 1 else [f"{name} {i + 1}" for i in range(count)]


def head_value_sizes(config: NTMConfig) -> tuple[int, ...]:
    """Return how many values the controller gives to all heads' keys, strengths, ...

    The parts lie one after the other: keys, key strengths, sharpenings, gates, shifts,
    erases, adds; within each, the heads in the order of the state.
    """
    columns, writers = config.memory_columns, config.write_heads
    heads = config.read_heads + writers
    written = writers * columns
    return (heads * columns, heads, heads, heads, heads * config.shifts, written, written)


NTM_PRESETS: dict[str, NTMConfig] = {
    # The equations read literally: M_t is written from M_{t-1}, and r_t is read from M_t.
    "paper": NTMConfig(head_clip=None, similarity_smoothing=0.0, similarity_epsilon=1e-8),
    # The blog "Neural Turing Machines" (2017): reads are not fed back, write before read.
    "seed": NTMConfig(
        memory_rows=40,
        memory_columns=15,
        feed_reads=False,
        output_from="reads",
        add_activation="sigmoid",
        head_clip=None,
        similarity_smoothing=0.0,
        similarity_epsilon=1e-8,
        initial_memory="resampled",
        initial_memory_range=(0.0, 1.0),
        initial_weightings="random-row",
    ),
    # Collier & Beel 2018 (arXiv 1807.08518), with the constant memory they recommend.
    "collier": NTMConfig(
        order="read-write",
        write_composition="sequential",
        key_activation="tanh",
        add_activation="tanh",
        similarity_smoothing=0.0,
        similarity_epsilon=1e-8,
        initial_memory="constant",
        initial_weightings="learned",
        initial_reads="learned",
    ),
    # The public PyTorch implementation of that name.
    "pytorch-ntm": NTMConfig(
        order="alternate",
        write_composition="sequential",
        head_clip=None,
        similarity_smoothing=1e-16,
        sharpening_smoothing=1e-16,
        initial_memory="random",
        initial_memory_range=(-(148**-0.5), 148**-0.5),
        initial_weightings="zeros",
        initial_reads="random",
    ),
}
