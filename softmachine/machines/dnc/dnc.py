"""The Differentiable Neural Computer (Graves et al. 2016, doi 10.1038/nature20101).

At every step a controller, given the input and what was read before, tells one write head and
R read heads of a memory what to do. The write head writes where it finds something, or where
there is room: memory that is not needed any more can be freed. Read heads read what they find,
or what was written after or before what they have just read.

The step and how a machine is built stand here; the rest in the paper's order:

- `memory.py`: the interface between controller and memory, and a step of the memory;
- `mechanisms.py`: content, usage, allocation, writing, temporal links, reading;
- `sparse_links.py`: links of which few are kept;
- `config.py`: the choices on which public code differs, and the fixes of Csordas & Schmidhuber
  2019 (arXiv 1904.10278); `DNC_PRESETS` bundles those of one source each.

Left out of the public code: several write heads. Its read modes come in another order. The
controller's first state, zeros in the paper, is trained in all presets, as with any controller.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, Shaped

from softmachine.core.fields import Field
from softmachine.core.pytrees import PyTree
from softmachine.machines.dnc.config import DNCChoices, DNCTestOptions
from softmachine.machines.dnc.memory import (
    Interface,
    MemoryState,
    access,
    first_state,
    interface_sizes,
    to_interface,
)
from softmachine.machines.dnc.observation import observe_interface, observe_memory, trace_fields
from softmachine.machines.machine import STOPPED, Cell, Clock
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.machines.parts.layers import Controller
from softmachine.machines.parts.linear import Linear, LoopLinear, glorot
from softmachine.machines.registry import machine


class DNCState(NamedTuple):
    """One example's state."""

    controller: PyTree
    access: MemoryState
    """The memory and all that belongs to it."""


class DNC(Cell):
    """A Differentiable Neural Computer; `DNCConfig` says which."""

    controller: Controller
    interface_layer: LoopLinear
    """W_xi: from the controller's output to the interface vector."""
    output: Linear
    """W_y and W_r side by side, with a bias."""
    config: DNCConfig = eqx.field(static=True)

    def init_state(self, inputs: PyTree = None, *, key: PRNGKeyArray | None = None) -> DNCState:
        """Return the state before the first step; neither argument is looked at."""
        del inputs, key
        memory = first_state(self.config, self.interface_layer.weight.dtype)
        return DNCState(self.controller.init_state(), memory)

    def encode(self, inputs: Shaped[Array, "... inputs"]) -> Float[Array, "... layers width"]:
        """Return the inputs' share of the controller, in the type of the parameters."""
        return self.controller.project(jnp.asarray(inputs, self.interface_layer.weight.dtype))

    def advance(
        self, state: DNCState, encoded: Float[Array, "layers width"], clock: Clock = STOPPED
    ) -> tuple[DNCState, Float[Array, " features"]]:
        """Take one step: the controller, then the memory.

        Returns the next state, and what outputs are made of: the controller's output and r_t.
        """
        del clock
        controller, hidden = self._control(state, encoded)
        memory = access(self.interface(hidden), state.access, self.config)
        features = jnp.concatenate([hidden, memory.reads.reshape(-1)])
        return DNCState(controller, memory), features

    def interface(self, hidden: Float[Array, " hidden"]) -> Interface:
        """Return what the controller's output tells the memory: ``xi_t = W_xi h_t``."""
        return to_interface(self.interface_layer(hidden), self.config)

    def decode(self, features: Float[Array, "... features"]) -> Float[Array, "... outputs"]:
        """Return ``y_t = W_y h_t + W_r [r^1_t; ...; r^R_t]``, the output logits."""
        return self._clipped(self.output(features))

    def _control(
        self, state: DNCState, encoded: Float[Array, "layers width"]
    ) -> tuple[PyTree, Float[Array, " hidden"]]:
        """Return the controller's next state and its output, given input and r_{t-1}."""
        reads = state.access.reads.reshape(-1)
        return self._clipped(self.controller(state.controller, encoded, reads))

    def _clipped(self, tree: PyTree) -> PyTree:
        bound = self.config.clip
        return (
            tree if bound is None else jax.tree.map(lambda x: jnp.clip(x, -bound, bound), tree)
        )

    # What others ask of a machine.

    def input_shape(self) -> tuple[str, int]:
        """Return the shape of one example's inputs."""
        return ("steps", self.controller.input_size)

    @property
    def memory_rows(self) -> int:
        """How many rows the memory has."""
        return self.config.memory_rows

    def with_memory_rows(self, rows: int) -> DNC:
        """Return the same parameters in a machine with another number of rows.

        No parameter depends on it: a memory can be enlarged after training.
        """
        config = dataclasses.replace(self.config, memory_rows=rows)
        return dataclasses.replace(self, config=config)

    @property
    def test_options(self) -> DNCTestOptions:
        """How the heads attend now."""
        return self.config.test_options

    def with_test_options(self, options: DNCTestOptions) -> DNC:
        """Return the same parameters with heads that attend otherwise."""
        config = dataclasses.replace(self.config, **dataclasses.asdict(options))
        return dataclasses.replace(self, config=config)

    def trace_fields(self) -> tuple[Field, ...]:
        """Declare the memory, its usage and links, and what each head does."""
        return trace_fields(self.config)

    def observe_state(self, state: DNCState) -> dict[str, Array]:
        """Return the memory, a row per row, and all that belongs to it."""
        return observe_memory(state.access, self.config)

    def observe_step(
        self, state: DNCState, encoded: Float[Array, "layers width"], clock: Clock = STOPPED
    ) -> dict[str, Array]:
        """Return the controller's output and what it tells the memory."""
        del clock
        _, hidden = self._control(state, encoded)
        return observe_interface(self.interface(hidden)) | {"controller": hidden}


@machine("dnc")
@dataclasses.dataclass(frozen=True, kw_only=True)
class DNCConfig(DNCChoices):
    """Sizes of a DNC, and every choice on which its public versions differ."""

    def build(self, input_size: int, output_size: int, *, key: PRNGKeyArray) -> DNC:
        """Return a machine for inputs and outputs of the given widths."""
        keys = jax.random.split(key, 3)
        read_values = self.read_heads * self.memory_columns
        controller = self.controller.build(input_size, read_values, key=keys[0])
        interface = sum(interface_sizes(self))
        features = controller.output_size + read_values
        return DNC(
            controller=controller,
            interface_layer=LoopLinear(
                glorot(controller.output_size, interface, key=keys[1]), jnp.zeros(interface)
            ),
            output=Linear(glorot(features, output_size, key=keys[2]), jnp.zeros(output_size)),
            config=self,
        )


DNC_PRESETS: dict[str, DNCConfig] = {
    # The equations read literally; 1e-30 keeps the gradient of an empty row's norm finite.
    "paper": DNCConfig(similarity_smoothing=1e-30, similarity_epsilon=1e-6),
    # The public code of the authors (google-deepmind/dnc), with the sizes of its example.
    "reference": DNCConfig(
        read_heads=4,
        strengths="softplus",
        similarity_epsilon=1e-6,
        allocation_epsilon=1e-6,
        usage_gradient=False,
        clip=20.0,
    ),
    # Csordas & Schmidhuber 2019: masked look-up, wiping of freed rows, sharpened links.
    "mds": DNCConfig(
        controller=ControllerConfig(hidden=32),
        similarity_smoothing=1e-30,
        similarity_epsilon=1e-6,
        interface_clip=20.0,
        masking=True,
        wiping=True,
        sharpening=True,
    ),
}
"""Configurations by the name of their source."""
