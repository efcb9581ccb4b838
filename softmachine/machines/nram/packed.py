"""An NRAM laid out for speed: the numbers of `nram.py` for a batch, of many members at once.

Distributions run over their values before the batch, so that the batch, the last axis, is what
the processor's vector units work along. Gates and choices are in `packed_gates.py`. That values
and gradients are those of `softmachine.machines.nram.nram.NRAM` is held by
tests/machines/test_nram.py.
"""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from softmachine.machines.machine import Buffer, Machine
from softmachine.machines.nram.controller import MLP, Dense, RecurrentController
from softmachine.machines.nram.gates import find_gates
from softmachine.machines.nram.nram import (
    NRAM,
    NRAMConfig,
    NRAMOutput,
    NRAMState,
    clip_gradient,
    renormalize,
)
from softmachine.machines.nram.packed_gates import Plan, choose, run_gates
from softmachine.machines.packed import Packed, accelerates
from softmachine.machines.parts.linear import once_differentiable


@accelerates(NRAM)
class PackedNRAM(Packed):
    """An `NRAM` for a batch, and for the weights of several members.

    Inputs, states and outputs are those of an NRAM, with the batch last.
    """

    controller: MLP | RecurrentController
    """Its layers are packed, too."""
    output: PackedDense
    stop: PackedDense
    config: NRAMConfig = eqx.field(static=True)

    cached_examples: ClassVar[int] = 128
    """With 512 the arrays of a step leave a core's cache, and an update takes half as long
    again."""

    @classmethod
    def of(cls, machine: Machine) -> PackedNRAM:
        """Return the packed form of an NRAM."""
        assert isinstance(machine, NRAM)
        return cls(*packed_layers(machine), machine.config)

    def init_state(self, inputs: Int[Array, "batch cells"]) -> NRAMState:
        """Return the state before the first step: all registers 0, the memory as given."""
        batch, cells = inputs.shape
        dtype = self.output.weight.dtype
        registers = jnp.zeros((self.config.registers, cells, batch), dtype).at[:, 0].set(1.0)
        memory = jax.nn.one_hot(inputs.T, cells, axis=1, dtype=dtype)
        return NRAMState(self.controller.init_state((batch,)), registers, memory)

    def advance(self, state: NRAMState) -> tuple[NRAMState, NRAMOutput]:
        """Take one step; see `NRAM.advance`."""
        plan, limit = _plan(self.config), self.config.clip_gradients
        # Split, not sliced: the gradient of a slice is padded, and added to the other one.
        zeros, _ = jax.lax.split(state.registers, [1, len(state.memory) - 1], axis=1)
        controller, hidden = self.controller(state.controller, zeros[:, 0])
        logits = self.output(hidden)
        if self.config.logit_clip is not None:
            logits = jnp.clip(logits, -self.config.logit_clip, self.config.logit_clip)
        # Pyright takes what stands under partial(custom_vjp) for a function to object.
        choices, entropy = choose(plan, logits)  # pyright: ignore
        if self.config.hard:
            choices = plan.most_likely(logits)
        stop = self.stop(hidden)[0]
        registers, memory = run_gates(  # pyright: ignore[reportGeneralTypeIssues]
            plan, choices, state.registers, state.memory
        )
        registers = clip_gradient(limit, renormalize(registers))
        output = NRAMOutput(memory, stop, entropy, registers)
        return NRAMState(controller, registers, memory), output


def packed_layers(
    machine: NRAM,
) -> tuple[MLP | RecurrentController, PackedDense, PackedDense]:
    """Return a machine's controller and its two layers of outputs, packed."""
    return jax.tree.map(
        lambda x: PackedDense.of(x) if isinstance(x, Dense) else x,
        (machine.controller, machine.output, machine.stop),
        is_leaf=lambda x: isinstance(x, Dense),
    )


@lru_cache
def _plan(config: NRAMConfig) -> Plan:
    return Plan(
        config.registers,
        find_gates(config.gates),
        config.clip_gradients,
        config.write_returns == "value",
    )


class PackedDense(eqx.Module):
    """A `Dense` layer for a batch; with weights of several members, each maps its own part."""

    weight: Float[Array, "*members outputs inputs"]
    bias: Float[Array, "*members outputs"]
    forward: Buffer
    """Weight, bias and a column of zeros side by side, ``(*members, outputs, inputs + 2)``."""
    backward: Buffer
    """The weight's transpose, ``(*members, inputs, outputs)``."""

    @classmethod
    def of(cls, layer: Dense) -> PackedDense:
        """Return a layer with its weights as a loop needs them, forwards and backwards."""
        weight, bias = jax.lax.stop_gradient((layer.weight, layer.bias[..., None]))
        # Products take the inputs two at a time: with one for the bias alone they are slower.
        forward = jnp.concatenate([weight, bias, jnp.zeros_like(bias)], axis=-1)
        # Behind a barrier, or XLA would keep one layout and transpose in every step.
        both = jax.lax.optimization_barrier((forward, jnp.swapaxes(weight, -1, -2)))
        return cls(layer.weight, layer.bias, *map(Buffer, both))

    def __call__(self, x: Float[Array, "inputs batch"]) -> Float[Array, "outputs batch"]:
        """Map ``x``."""
        if self.bias.ndim == 1:
            return Dense(self.weight, self.bias)(x)
        grouped = x.reshape(len(x), len(self.bias), -1)
        y = _affine(self.weight, self.bias, self.forward(), self.backward(), grouped)
        return y.reshape(len(y), -1)


@jax.custom_vjp
def _affine(weight, bias, forward, backward, x):
    """Return each member's affine map of its part of the batch."""
    del weight, bias, backward
    # Two more inputs of 1, for the bias and the zeros: adding the bias to the product instead
    # would take a pass of its own.
    x = jnp.pad(x, [(0, 2), (0, 0), (0, 0)], constant_values=1)
    y = jax.lax.optimization_barrier(forward @ jnp.swapaxes(x, 0, 1))
    return jax.lax.optimization_barrier(jnp.swapaxes(y, 0, 1))


def _affine_forward(weight, bias, forward, backward, x):
    return _affine(weight, bias, forward, backward, x), (backward, x)


def _affine_back(saved, bar):
    # `forward` and `backward` are constants, so that a second derivative would lack a part.
    (backward, x), bar = once_differentiable((saved, bar))
    # The barrier comes first: after it the axes could only be swapped in a pass of their own.
    bar, x = jnp.swapaxes(jax.lax.optimization_barrier(bar), 0, 1), jnp.swapaxes(x, 0, 1)
    weight_bar = jnp.einsum("pob,pib->poi", bar, x)
    return weight_bar, jnp.sum(bar, axis=2), None, None, jnp.swapaxes(backward @ bar, 0, 1)


_affine.defvjp(_affine_forward, _affine_back)
