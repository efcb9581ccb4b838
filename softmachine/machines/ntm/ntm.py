"""The Neural Turing Machine (Graves, Wayne & Danihelka 2014, arXiv 1410.5401).

At every step a controller, given the input and what was read before, tells read and write heads
how to address a memory of N rows (the paper's locations) of M numbers, what to write there and
what to erase; outputs come from the controller and from what is read now.

The state, the step and how a machine is built stand here; the rest in the paper's order:

- `heads.py`: reading (section 3.1, Eq. 2), writing (3.2, Eq. 3 and 4), addressing (3.3), and
  the order in which heads do it;
- `addressing.py`: the stages of addressing (3.3.1 and 3.3.2, Eq. 5 to 9);
- `first_state.py`: what stands in the memory before the first step;
- `native.py`: what makes updates faster;
- `config.py`: the choices that the paper leaves open; `presets.py`: those of published code.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray, Shaped

from softmachine.core.capabilities import Heads
from softmachine.core.fields import Field
from softmachine.core.pytrees import PyTree
from softmachine.machines.machine import STOPPED, Buffer, Cell, Clock
from softmachine.machines.ntm.config import NTMChoices, NTMTestOptions
from softmachine.machines.ntm.first_state import (
    draw_initial_arrays,
    first_memory,
    first_reads,
    first_weightings,
    needs_key,
)
from softmachine.machines.ntm.heads import (
    ORDERS,
    Addressing,
    HeadParameters,
    address_stages,
    head_value_sizes,
    to_head_parameters,
)
from softmachine.machines.ntm.heads import address as address_by_paper
from softmachine.machines.ntm.native import native_step
from softmachine.machines.ntm.observation import trace_fields
from softmachine.machines.parts.layers import Controller
from softmachine.machines.parts.linear import Linear, LoopLinear, glorot
from softmachine.machines.registry import machine

NEW_ROW_LOGIT = -1e4
"""Logit of a first weighting on a row that was not there in training: its softmax is 0."""


class NTMState(NamedTuple):
    """One example's state. Heads are ordered read heads first, then write heads."""

    controller: PyTree
    memory: Float[Array, "columns rows"]
    """The paper's M_t, transposed: rows, the long axis, are contiguous."""
    weightings: Float[Array, "heads rows"]
    """w_t of each head."""
    reads: Float[Array, "read_heads columns"]
    """r_t of each read head."""


class NTM(Cell):
    """A Neural Turing Machine; `NTMConfig` says which."""

    controller: Controller
    heads: LoopLinear
    """From the controller's output to the values that `to_head_parameters` takes."""
    output: Linear
    initial_memory: Float[Array, "columns rows"] | Buffer | None
    initial_weightings: Float[Array, "heads rows"] | None
    initial_reads: Float[Array, "read_heads columns"] | Buffer | None
    config: NTMConfig = eqx.field(static=True)

    def init_state(self, inputs: PyTree = None, *, key: PRNGKeyArray | None = None) -> NTMState:
        """Return the state before the first step; ``inputs`` are not looked at.

        Raises ValueError without a ``key`` if memory or weightings are drawn per sequence.
        """
        del inputs
        config = self.config
        if key is None and needs_key(config):
            raise ValueError("this NTM draws its first state at random: give it a key")
        memory_key, row_key = (None, None) if key is None else jax.random.split(key)
        return NTMState(
            self.controller.init_state(),
            first_memory(config, self.initial_memory, self._dtype, memory_key),
            first_weightings(config, self.initial_weightings, self._dtype, row_key),
            first_reads(config, self.initial_reads, self._dtype),
        )

    def encode(self, inputs: Shaped[Array, "... inputs"]) -> Float[Array, "... layers width"]:
        """Return the inputs' share of the controller, in the type of the parameters."""
        return self.controller.project(jnp.asarray(inputs, self._dtype))

    def advance(
        self,
        state: NTMState,
        encoded: Float[Array, "layers width"],
        clock: Clock = STOPPED,
        address: Addressing | None = None,
    ) -> tuple[NTMState, Float[Array, " features"]]:
        """Take one step: the controller, then the heads in the configured order.

        Returns the next state, and what outputs are made of: the controller's output, the
        reads, or both.

        ``address`` says where heads go, if not where the paper has them go. In training all
        that heads do may be one call of C (`native.py`), with the same result.
        """
        controller_state, hidden = self._control(state, encoded)
        move_heads = partial(self._move_heads, address=address or address_by_paper)
        if clock.training and address is None:
            move_heads = native_step(self.config, self._dtype) or move_heads
        memory, weightings, reads = move_heads(
            self.heads(hidden), state.memory, state.weightings
        )
        features = {
            "controller+reads": lambda: jnp.concatenate([hidden, reads.reshape(-1)]),
            "reads": lambda: reads.reshape(-1),
            "controller": lambda: hidden,
        }[self.config.output_from]()
        return NTMState(controller_state, memory, weightings, reads), features

    def _move_heads(
        self,
        values: Float[Array, " values"],
        memory: Float[Array, "columns rows"],
        previous: Float[Array, "heads rows"],
        address: Addressing,
    ) -> tuple[Array, Array, Array]:
        """Return M_t, w_t and r_t, given what the controller tells the heads."""
        parameters = to_head_parameters(values, self.config)

        def address_on(memory, heads):
            return address(parameters, memory, previous, heads, self.config)

        return ORDERS[self.config.order](parameters, memory, address_on, self.config)

    def advance_on_rows(
        self,
        state: NTMState,
        encoded: Float[Array, "layers width"],
        rows: Int[Array, " heads"],
    ) -> tuple[NTMState, Float[Array, " features"]]:
        """Take one step with each head on one row alone: weightings are one-hot there."""
        on_rows = jax.nn.one_hot(rows, self.config.memory_rows, dtype=state.memory.dtype)

        def address(_parameters, _memory, _previous, heads, _config):
            return on_rows[heads]

        return self.advance(state, encoded, address=address)

    def _control(
        self, state: NTMState, encoded: Float[Array, "layers width"]
    ) -> tuple[PyTree, Float[Array, " hidden"]]:
        """Return the controller's next state and its output, given input and r_{t-1}."""
        nothing = jnp.zeros(0, encoded.dtype)
        feedback = state.reads.reshape(-1) if self.config.feed_reads else nothing
        return self.controller(state.controller, encoded, feedback)

    def head_parameters(self, hidden: Float[Array, " hidden"]) -> HeadParameters:
        """Return what the controller's output tells the heads (section 3.3)."""
        return to_head_parameters(self.heads(hidden), self.config)

    def decode(self, features: Float[Array, "... features"]) -> Float[Array, "... outputs"]:
        """Return output logits; their logistic sigmoid is the paper's output."""
        return self.output(features)

    # What others ask of a machine.

    def input_shape(self) -> tuple[str, int]:
        """Return the shape of one example's inputs."""
        return ("steps", self.controller.input_size)

    def trace_fields(self) -> tuple[Field, ...]:
        """Declare the memory, the reads, and what each head does."""
        return trace_fields(self.config)

    def observe_state(self, state: NTMState) -> dict[str, Array]:
        """Return the memory, a row per row, weightings and reads."""
        return {
            "memory": state.memory.T,
            "weightings": state.weightings,
            "reads": state.reads,
        }

    def observe_step(
        self, state: NTMState, encoded: Float[Array, "layers width"], clock: Clock = STOPPED
    ) -> dict[str, Array]:
        """Return the controller's output, what it tells the heads, and how they address."""
        _, hidden = self._control(state, encoded)
        rows = jnp.zeros_like(state.weightings)
        stages = {"content": rows, "gated": rows, "shifted": rows}

        def watched(parameters, memory, previous, heads, config):
            # Each head addresses the memory as it is in its turn, which the order says.
            found = address_stages(parameters, memory, previous, heads, config)
            for name, rows in stages.items():
                stages[name] = rows.at[heads].set(getattr(found, name))
            return found.weighting

        self.advance(state, encoded, clock, watched)
        return self.head_parameters(hidden)._asdict() | stages | {"controller": hidden}

    @property
    def head_layout(self) -> Heads:
        """The heads, and how they move."""
        config = self.config
        readers, writers = range(config.read_heads), config.write_heads
        return Heads(
            read=config.read_heads,
            write=writers,
            furthest=config.shifts // 2,
            wrap=config.wrap,
            written_before={
                "read-write": tuple(0 for _ in readers),
                "alternate": tuple(min(reader, writers) for reader in readers),
            }.get(config.order, tuple(writers for _ in readers)),
        )

    @property
    def memory_rows(self) -> int:
        """How many rows the memory has."""
        return self.config.memory_rows

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
            new = ((0, 0), (0, rows - self.config.memory_rows))
            weightings = jnp.pad(weightings, new, constant_values=NEW_ROW_LOGIT)
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


@machine("ntm")
@dataclasses.dataclass(frozen=True, kw_only=True)
class NTMConfig(NTMChoices):
    """Sizes of an NTM, and every choice on which its public versions differ."""

    def build(self, input_size: int, output_size: int, *, key: PRNGKeyArray) -> NTM:
        """Return a machine for inputs and outputs of the given widths."""
        keys = jax.random.split(key, 6)
        read_values = self.read_heads * self.memory_columns
        controller = self.controller.build(
            input_size, read_values if self.feed_reads else 0, key=keys[0]
        )
        head_values = sum(head_value_sizes(self))
        features = {
            "controller+reads": controller.output_size + read_values,
            "reads": read_values,
            "controller": controller.output_size,
        }[self.output_from]
        initial = draw_initial_arrays(self, *keys[3:])
        return NTM(
            controller=controller,
            heads=LoopLinear(
                glorot(controller.output_size, head_values, key=keys[1]), jnp.zeros(head_values)
            ),
            output=Linear(glorot(features, output_size, key=keys[2]), jnp.zeros(output_size)),
            initial_memory=initial.memory,
            initial_weightings=initial.weightings,
            initial_reads=initial.reads,
            config=self,
        )
