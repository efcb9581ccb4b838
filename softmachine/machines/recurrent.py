"""Baselines without a memory: stacked LSTM and GRU, laid out as in the NTM paper.

Source: Hochreiter & Schmidhuber 1997 (doi 10.1162/neco.1997.9.8.1735).
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree, Shaped

from softmachine.core.choices import check_fields
from softmachine.core.fields import Field
from softmachine.machines.machine import STOPPED, Cell, Clock, MachineConfig
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.machines.parts.layers import LSTM, Controller
from softmachine.machines.parts.linear import Linear, glorot
from softmachine.machines.registry import machine


@machine("recurrent")
@dataclasses.dataclass(frozen=True, kw_only=True)
class RecurrentConfig(MachineConfig):
    """A recurrent or feed-forward network with a linear output, and no memory besides."""

    controller: ControllerConfig = ControllerConfig(kind="lstm", hidden=256, layers=3)

    def __post_init__(self) -> None:
        """Check the controller."""
        check_fields(self)

    @property
    def published_as(self) -> str:
        """What the NTM paper would call the machine: ``lstm``, ``ff``, ..."""
        return self.controller.published_as

    def build(self, input_size: int, output_size: int, *, key: PRNGKeyArray) -> Recurrent:
        """Return a machine for inputs and outputs of the given widths."""
        controller_key, output_key = jax.random.split(key)
        controller = self.controller.build(input_size, 0, key=controller_key)
        weight = glorot(controller.output_size, output_size, key=output_key)
        return Recurrent(controller, Linear(weight, jnp.zeros(output_size)))


class Recurrent(Cell):
    """A stacked network: input feeds every layer, every layer feeds the output.

    Source: the LSTM baseline of Graves et al. 2014 (arXiv 1410.5401), section 4.
    """

    controller: Controller
    output: Linear

    def init_state(self, inputs: PyTree = None, *, key: PRNGKeyArray | None = None) -> PyTree:
        """Return the learned initial state; both arguments are ignored."""
        del inputs, key
        return self.controller.init_state()

    def input_shape(self) -> tuple[str, int]:
        """Return the shape of one example's inputs."""
        return ("steps", self.controller.input_size)

    def encode(self, inputs: Shaped[Array, "... inputs"]) -> Float[Array, "... layers width"]:
        """Return the inputs' share of all layers, in the type of the parameters."""
        return self.controller.project(jnp.asarray(inputs, self.output.weight.dtype))

    def advance(
        self, state: PyTree, encoded: Float[Array, "layers width"], clock: Clock = STOPPED
    ) -> tuple[PyTree, Float[Array, " features"]]:
        """Take one step of the controller."""
        del clock
        return self.controller(state, encoded, jnp.zeros(0, encoded.dtype))

    def trace_fields(self) -> tuple[Field, ...]:
        """Declare the state of the controller, if it has one."""
        axes = ("layer", "hidden")
        if isinstance(self.controller, LSTM):
            parts = {"part": ["hidden state", "cells"]}
            axes = ("part", *axes)
            return (Field("state", "matrix", axes, "controller", labels=parts, aside=True),)
        return (Field("state", "matrix", axes, "controller", aside=True),)

    def decode(self, features: Float[Array, "... features"]) -> Float[Array, "... outputs"]:
        """Return output logits."""
        return self.output(features)
