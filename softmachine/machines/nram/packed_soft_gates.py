"""An NRAM that chooses its gates, laid out for speed: the numbers of `soft_gates.py`.

The slots are turns of a loop, so that all kinds of gates are compiled once and not once for
each slot. A turn sees a table of all registers and results; those that are not there yet are
chosen by no one.
"""

from __future__ import annotations

from functools import lru_cache

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from softmachine.core.sums import add_up, at
from softmachine.machines.machine import Buffer, Machine
from softmachine.machines.nram.gates import Distribution, Gate, Memory, write
from softmachine.machines.nram.nram import NRAMOutput, NRAMState, clip_gradient, renormalize
from softmachine.machines.nram.packed import PackedNRAM, packed_layers
from softmachine.machines.nram.packed_gates import (
    Choices,
    Logits,
    Plan,
    choose,
    mix,
    mix_choices_back,
    write_back,
)
from softmachine.machines.nram.rows import row_table
from softmachine.machines.nram.soft_gates import SoftGateNRAM, SoftGateNRAMConfig
from softmachine.machines.packed import accelerates
from softmachine.machines.parts.linear import once_differentiable

_alone = jax.lax.optimization_barrier
"""As in `packed_gates.py`."""


class SlotPlan(Plan):
    """The slots of a step, and how its choices lie in arrays.

    `Choices` hold for each slot its arguments' sources and then its kinds of gates; at last the
    sources of registers.
    """

    def __init__(self, config: SoftGateNRAMConfig, gates: tuple[Gate, ...]) -> None:
        super().__init__(
            config.registers, gates, config.clip_gradients, config.write_returns == "value"
        )
        self.slots = config.slots
        self.rows = row_table(gates, config.registers, config.slots)
        arguments = zip(self.rows.of_gate, self.rows.of_kinds, strict=True)
        parts = [part for rows, row in arguments for part in (rows, (row,))]
        self.parts = [
            (len(part), self.rows.rows[part[0]].sources)
            for part in (*parts, self.rows.of_registers)
        ]

    def stacked(self, choices: Choices) -> tuple[Array, Array, Array]:
        """Return sources of arguments and kinds of gates, a row per slot; those of registers.

        Shapes (slots, arguments, registers + slots, batch), (slots, gates, batch) and
        (registers, registers + slots, batch).
        """
        width = self.registers + self.slots
        rest = [(0, 0)] * (choices[-1].ndim - 2)
        sources = [jnp.pad(x, [(0, 0), (0, width - x.shape[1]), *rest]) for x in choices[:-1:2]]
        kinds = [x[0] for x in choices[1:-1:2]]
        return jnp.stack(sources), jnp.stack(kinds), choices[-1]


@accelerates(SoftGateNRAM)
class PackedSoftGateNRAM(PackedNRAM):
    """A `SoftGateNRAM` for a batch, and for the weights of several members."""

    # Pyright does not know that modules are frozen.
    config: SoftGateNRAMConfig  # pyright: ignore[reportIncompatibleVariableOverride]
    temperature: Buffer

    @classmethod
    def of(cls, machine: Machine) -> PackedSoftGateNRAM:
        """Return the packed form of an NRAM that chooses its gates."""
        assert isinstance(machine, SoftGateNRAM)
        return cls(*packed_layers(machine), machine.config, machine.temperature)

    def advance(self, state: NRAMState) -> tuple[NRAMState, NRAMOutput]:
        """Take one step; see `NRAM.advance`."""
        plan, limit = _plan(self.config), self.config.clip_gradients
        zeros, _ = jax.lax.split(state.registers, [1, len(state.memory) - 1], axis=1)
        controller, hidden = self.controller(state.controller, zeros[:, 0])
        logits = self.cooled(self.output(hidden))
        # Pyright takes what stands under partial(custom_vjp) for a function to object.
        choices, entropy = choose(plan, logits)  # pyright: ignore
        if self.config.hard:
            choices = plan.most_likely(logits)
        stop = self.stop(hidden)[0]
        sources, kinds, nexts = plan.stacked(choices)  # pyright: ignore
        table, memory = run_slots(plan, sources, kinds, state.registers, state.memory)
        registers = clip_gradient(limit, renormalize(_alone(mixed(nexts, table))))
        output = NRAMOutput(memory, stop, entropy, registers)
        return NRAMState(controller, registers, memory), output

    def cooled(self, logits: Logits) -> Logits:
        """Return logits within their bounds, those of gates divided by the temperature."""
        bound, rows = self.config.logit_clip, self.config.rows
        if bound is not None:
            logits = jnp.clip(logits, -bound, bound)
        of_kinds = jnp.zeros(rows.logit_count + 1, bool)
        of_kinds = of_kinds.at[rows.logit_numbers[list(rows.of_kinds)]].set(True)[:-1]
        # Of several members' temperatures each is that of its own part of the batch.
        warmth = jnp.atleast_1d(self.temperature().astype(logits.dtype))
        warmth = jnp.repeat(warmth, logits.shape[1] // len(warmth))
        return logits / jnp.where(of_kinds[:, None], warmth, 1)


@lru_cache
def _plan(config: SoftGateNRAMConfig) -> SlotPlan:
    return SlotPlan(config, config.rows.candidates(0))


def run_slots(
    plan: SlotPlan,
    sources: Float[Array, "slots arguments width batch"],
    kinds: Float[Array, "slots gates batch"],
    registers: Float[Array, "registers values batch"],
    memory: Memory,
) -> tuple[Float[Array, "width values batch"], Memory]:
    """Run the slots one after another; return registers and results, and the memory.

    See `SoftGateNRAM.run_gates`.
    """

    def slot(carry, turn):
        table, memory = carry
        place, sources, kinds = turn
        arguments = _alone(mixed(sources, table))
        result, memory = _work(plan, arguments, kinds, memory)
        table = jax.lax.dynamic_update_index_in_dim(table, result, place, 0)
        return (table, memory), None

    empty = jnp.zeros((plan.slots, *registers.shape[1:]), registers.dtype)
    turns = (plan.registers + jnp.arange(plan.slots), sources, kinds)
    begin = (jnp.concatenate([registers, empty]), memory)
    return jax.lax.scan(slot, begin, turns)[0]


def _work(
    plan: SlotPlan,
    arguments: Float[Array, "arguments values batch"],
    kinds: Float[Array, "gates batch"],
    memory: Memory,
) -> tuple[Distribution, Memory]:
    """Return the mixture of what all kinds of gates give, and the memory afterwards."""
    values, limit = len(memory), plan.clip_gradients
    constants = jnp.asarray(plan.constants(values), memory.dtype)
    constants = jnp.broadcast_to(constants[:, :, None], (*constants.shape, memory.shape[-1]))
    results, after = [], memory
    for i, gate in enumerate(plan.gates):
        operands = [arguments[n] for n in range(gate.arity)]
        if gate.memory == "read":
            results.append(mixed(arguments[:1], memory)[0])
        elif gate.memory == "write":
            pointer = at(kinds, i) * operands[0]
            after = clip_gradient(limit, _alone(written(after, pointer, operands[1])))
            results.append(operands[1] if plan.write_returns_value else constants[i])
        elif gate.arity:
            results.append(_alone(gate.soft(*operands, values=values)))
        else:
            results.append(constants[i])
    result = mixed(kinds[None], jnp.stack(results))[0]
    return clip_gradient(limit, _alone(result)), after


@jax.custom_vjp
def mixed(
    choices: Float[Array, "rows n batch"], values: Float[Array, "n values batch"]
) -> Float[Array, "rows values batch"]:
    """Return what `mix` does, with gradients that are sums like it."""
    return mix(choices, values)


def _mixed_back(saved, bar):
    (choices, values), bar = once_differentiable((saved, bar))
    back = _alone(mix_choices_back(values, bar))
    if len(bar) == 1:
        return back, choices[0][:, None] * bar
    return back, _alone(
        add_up(at(choices, i)[:, None] * at(bar, i)[None] for i in range(len(bar)))
    )


mixed.defvjp(lambda choices, values: (mix(choices, values), (choices, values)), _mixed_back)


@jax.custom_vjp
def written(memory: Memory, pointer: Distribution, value: Distribution) -> Memory:
    """Return what `write` does, with gradients that are sums over cells."""
    return write(memory, pointer, value)


def _written_back(saved, bar):
    (memory, pointer, value), bar = once_differentiable((saved, bar))
    return write_back(memory, pointer, value, bar)


written.defvjp(lambda *given: (write(*given), given), _written_back)
