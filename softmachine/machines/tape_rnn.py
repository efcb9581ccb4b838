"""The Tape-RNN of "Neural Networks and the Chomsky Hierarchy" (Delétang et al. 2023).

A recurrent network with a tape of memory cells, circular, which moves under its head: a soft
Turing machine whose tape shifts by one cell, or by as many as the input is long. Source: arXiv
2207.02098, appendix A.2, after the Baby-NTM of Suzgun et al. 2019 (arXiv 1911.03329).
"""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray, Shaped

from softmachine.core.choices import Count, Few, check_fields
from softmachine.core.fields import Field
from softmachine.core.pytrees import PyTree
from softmachine.machines.machine import STOPPED, Cell, Clock, MachineConfig
from softmachine.machines.parts.linear import Linear, LoopLinear
from softmachine.machines.registry import machine

ACTIONS = ("stay", "left", "right", "jump left", "jump right")
"""What the tape does. After ``left`` the next cell is under the head, after ``right`` the one
before; jumps go as many cells as the input has steps."""


class TapeRNNState(NamedTuple):
    """One example's state."""

    hidden: Float[Array, " hidden"]
    """h_t."""
    tape: Float[Array, "tapes columns cells"]
    """Cell 0 is under the head. Cells, the long axis, are contiguous."""
    position: Float[Array, "tapes cells"]
    """Where the heads are among the cells as these lay at first: distributions, for traces."""
    jump: Int[Array, ""]
    """How many cells a jump goes."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TapeRNNTestOptions:
    """How the tapes of a trained machine move in a test."""

    hard: bool = False
    """Take the most likely action alone."""


@machine("tape-rnn")
@dataclasses.dataclass(frozen=True, kw_only=True)
class TapeRNNConfig(MachineConfig):
    """Sizes of a Tape-RNN; by default the paper's."""

    hidden: Count = 256
    tapes: Few = 1
    """1 or 4 in the paper."""
    memory_rows: Count = 256
    """The number of cells of a tape."""
    memory_columns: Count = 8
    """The size of a cell."""
    write_hidden: Count = 64
    """Units of the two hidden layers that make what is written."""
    hard: bool = False
    """As `TapeRNNTestOptions.hard`; actions then get no gradient."""

    def __post_init__(self) -> None:
        """Check the sizes."""
        check_fields(self)

    @property
    def test_options(self) -> TapeRNNTestOptions:
        """How the tapes move."""
        return TapeRNNTestOptions(hard=self.hard)

    def build(self, input_size: int, output_size: int, *, key: PRNGKeyArray) -> TapeRNN:
        """Return a machine for inputs and outputs of the given widths."""
        input_key, recurrent_key, output_key, action_key, *write_keys = jax.random.split(key, 7)
        cells = self.tapes * self.memory_columns
        # W x + U h + V cell: drawn as the code has it, [x; cell] in one matrix, h in another.
        seen = _drawn(input_size + cells, self.hidden, key=input_key)
        own = _drawn(self.hidden, self.hidden, key=recurrent_key)
        recurrent = jnp.concatenate([seen[:, input_size:], own], axis=1)
        widths = (self.hidden, self.write_hidden, self.write_hidden, cells)
        return TapeRNN(
            from_input=_layer(Linear, seen[:, :input_size]),
            recurrent=LoopLinear(recurrent, None),
            actions=_layer(
                LoopLinear, _drawn(self.hidden, len(ACTIONS) * self.tapes, key=action_key)
            ),
            write=tuple(
                _layer(LoopLinear, _drawn(inputs, outputs, key=one))
                for inputs, outputs, one in zip(widths, widths[1:], write_keys, strict=False)
            ),
            output=_layer(Linear, _drawn(self.hidden, output_size, key=output_key)),
            config=self,
        )


def _drawn(inputs: int, outputs: int, *, key: PRNGKeyArray) -> Float[Array, "outputs inputs"]:
    """Return a weight from a normal distribution cut at two deviations of 1/sqrt(inputs)."""
    normal = jax.random.truncated_normal(key, -2.0, 2.0, (outputs, inputs))
    return normal / max(inputs, 1) ** 0.5


def _layer(kind: Any, weight: Float[Array, "outputs inputs"]) -> Any:
    return kind(weight, jnp.zeros(len(weight), weight.dtype))


@partial(jax.custom_vjp)
def roll(cells: Float[Array, "*rows cells"], by: Int[Array, ""]) -> Float[Array, "*rows cells"]:
    """Return cells moved ``by`` places to higher indices, around the end.

    As `jax.numpy.roll`, whose own gradient for a traced number of places is a slow sum.
    """
    return jnp.roll(cells, by, axis=-1)


roll.defvjp(
    lambda cells, by: (roll(cells, by), by),
    lambda by, bar: (roll(bar, -by), None),
)


def move(
    cells: Float[Array, "rows cells"],
    weights: Float[Array, " actions"],
    jump: Int[Array, ""],
    direction: int = 1,
) -> Float[Array, "rows cells"]:
    """Return the cells after a soft choice of `ACTIONS`: a sum of rolls, each by its weight.

    ``stay`` rolls by 0, ``left`` by -1, ``right`` by 1, jumps by minus and plus ``jump``; all
    the other way for a ``direction`` of -1.
    """
    moved = [
        cells,
        jnp.roll(cells, -direction, axis=-1),
        jnp.roll(cells, direction, axis=-1),
        roll(cells, -direction * jump),
        roll(cells, direction * jump),
    ]
    parts = [weight * x for weight, x in zip(weights, moved, strict=True)]
    return sum(parts[1:], parts[0])


def input_length(inputs: Shaped[Array, "steps inputs"]) -> Int[Array, ""]:
    """Return how many steps come before the last channel is first on.

    The channel that says that the input is over: the blank of string tasks, the delimiter of
    copy. If it never is, the input ends with the last step at which any channel is: zeros after
    it may be padding, on which nothing must depend.
    """
    places = jnp.arange(len(inputs), dtype=jnp.int32)
    end = jnp.max(jnp.where(jnp.any(inputs != 0, axis=1), places + 1, 0), initial=0)
    return jnp.min(jnp.where(inputs[:, -1] > 0, places, end), initial=end)


class TapeRNN(Cell):
    """A Tape-RNN; `TapeRNNConfig` says which."""

    from_input: Linear
    recurrent: LoopLinear
    """Sees the cell under each head, then the hidden state."""
    actions: LoopLinear
    write: tuple[LoopLinear, LoopLinear, LoopLinear]
    output: Linear
    config: TapeRNNConfig = eqx.field(static=True)

    def init_state(
        self, inputs: PyTree = None, *, key: PRNGKeyArray | None = None
    ) -> TapeRNNState:
        """Return the state before the first step: zeros; jumps are as long as the input.

        Without inputs a jump goes one cell. ``key`` is not looked at.
        """
        del key
        config, dtype = self.config, self.output.weight.dtype
        tapes, columns, cells = config.tapes, config.memory_columns, config.memory_rows
        first = jax.nn.one_hot(0, cells, dtype=dtype)
        return TapeRNNState(
            hidden=jnp.zeros(config.hidden, dtype),
            tape=jnp.zeros((tapes, columns, cells), dtype),
            position=jnp.tile(first, (tapes, 1)),
            jump=jnp.asarray(1, jnp.int32) if inputs is None else input_length(inputs),
        )

    def encode(self, inputs: Shaped[Array, "... inputs"]) -> Float[Array, "... hidden"]:
        """Return the inputs' share of the hidden units, in the type of the parameters."""
        return self.from_input(jnp.asarray(inputs, self.output.weight.dtype))

    def advance(
        self, state: TapeRNNState, encoded: Float[Array, " hidden"], clock: Clock = STOPPED
    ) -> tuple[TapeRNNState, Float[Array, " hidden"]]:
        """Take one step: read, think, write, move.

        ``h_t = relu(W [x_t; cell] + b + U h_(t-1))``. Cell 0 is overwritten whatever the tape
        does: by the paper jumps do not write, by its code they do.
        """
        del clock
        hidden = self._think(state, encoded)
        values, weights = self._said(hidden)
        written = state.tape.at[:, :, 0].set(values)
        moved = [move(*pair, state.jump) for pair in zip(written, weights, strict=True)]
        position = [
            move(one[None], weight, state.jump, -1)[0]
            for one, weight in zip(state.position, weights, strict=True)
        ]
        return TapeRNNState(hidden, jnp.stack(moved), jnp.stack(position), state.jump), hidden

    def decode(self, features: Float[Array, "... hidden"]) -> Float[Array, "... outputs"]:
        """Return output logits, linear in the hidden state."""
        return self.output(features)

    def _think(
        self, state: TapeRNNState, encoded: Float[Array, " hidden"]
    ) -> Float[Array, " hidden"]:
        """Return h_t."""
        seen = jnp.concatenate([state.tape[:, :, 0].reshape(-1), state.hidden])
        return jax.nn.relu(encoded + self.recurrent(seen))

    def _said(
        self, hidden: Float[Array, " hidden"]
    ) -> tuple[Float[Array, "tapes columns"], Float[Array, "tapes actions"]]:
        """Return what is written to each tape, and the weights of its actions."""
        first, second, last = self.write
        values = last(jax.nn.relu(second(jax.nn.relu(first(hidden)))))
        logits = self.actions(hidden).reshape(self.config.tapes, len(ACTIONS))
        weights = jax.nn.softmax(logits)
        if self.config.hard:
            likely = jnp.argmax(logits, axis=-1)
            weights = jax.nn.one_hot(likely, len(ACTIONS), dtype=logits.dtype)
        return values.reshape(self.config.tapes, -1), weights

    # What others ask of a machine.

    def input_shape(self) -> tuple[str, int]:
        """Return the shape of one example's inputs."""
        return ("steps", self.from_input.weight.shape[1])

    @property
    def memory_rows(self) -> int:
        """How many cells a tape has."""
        return self.config.memory_rows

    def with_memory_rows(self, rows: int) -> TapeRNN:
        """Return the same parameters in a machine with tapes of another number of cells."""
        config = dataclasses.replace(self.config, memory_rows=rows)
        return dataclasses.replace(self, config=config)

    @property
    def test_options(self) -> TapeRNNTestOptions:
        """How the tapes move now."""
        return self.config.test_options

    def with_test_options(self, options: TapeRNNTestOptions) -> TapeRNN:
        """Return the same parameters with tapes that move otherwise."""
        config = dataclasses.replace(self.config, **dataclasses.asdict(options))
        return dataclasses.replace(self, config=config)

    def trace_fields(self) -> tuple[Field, ...]:
        """Declare the tapes, where the heads are, and what they do."""
        labels = {"tape": [f"tape {i + 1}" for i in range(self.config.tapes)]}

        def of_tapes(name, kind, axes, description, group="tape", more=labels, **rest):
            return Field(name, kind, ("tape", *axes), group, description, more, **rest)

        lying = "The tape, its first cell the one where the head began."
        tapes = (
            Field(name, "matrix", ("cell", "column"), "tape", lying) for name in self._names()
        )
        return (
            *tapes,
            of_tapes(
                "position",
                "weighting",
                ("cell",),
                "Where the head is, counted from where it began.",
                does=("write",) * self.config.tapes,
            ),
            of_tapes(
                "actions",
                "distribution",
                ("action",),
                "What the tape does.",
                more=labels | {"action": list(ACTIONS)},
            ),
            of_tapes("written", "vector", ("column",), "What is written under the head."),
            Field("jump", "integer", (), "tape", "How many cells a jump goes.", aside=True),
            Field("hidden", "vector", ("hidden",), "controller", "Its output.", aside=True),
        )

    def observe_state(self, state: TapeRNNState) -> dict[str, Array]:
        """Return the tapes, a cell per row, where the heads are, and the hidden state.

        Tapes as if they lay still, each turned back by where its head is most likely.
        """
        places = jnp.argmax(state.position, axis=-1)
        both = zip(state.tape, places, strict=True)
        lying = [jnp.roll(tape, place, axis=-1).T for tape, place in both]
        return dict(zip(self._names(), lying, strict=True)) | {
            "position": state.position,
            "jump": state.jump,
            "hidden": state.hidden,
        }

    def _names(self) -> list[str]:
        tapes = self.config.tapes
        return ["tape"] if tapes == 1 else [f"tape_{i + 1}" for i in range(tapes)]

    def observe_step(
        self, state: TapeRNNState, encoded: Float[Array, " hidden"], clock: Clock = STOPPED
    ) -> dict[str, Array]:
        """Return what is written and what the tapes do."""
        del clock
        values, weights = self._said(self._think(state, encoded))
        return {"written": values, "actions": weights}
