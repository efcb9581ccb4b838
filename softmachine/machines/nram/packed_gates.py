"""One step's choices and gates for a whole batch, forwards and backwards.

The gates are written out one after another, each with its own shapes. What each gives stands
behind an optimization barrier: XLA would copy the sums that make it into whatever uses them,
and so on, a program of a hundred times the work. Compile with `core.compiling.options`,
or XLA drops the barriers. Gradients are given here: that of a value is one sum over all that it
went into, where automatic differentiation would add to a table for each gate.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial, reduce
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from softmachine.core.sums import UNROLLED, add_up, at, split, weighted_sum
from softmachine.machines.nram.gates import Distribution, Gate, Memory, write
from softmachine.machines.nram.rows import row_table

Registers = Float[Array, "registers values ..."]
Table = Float[Array, "slots values ..."]
Logits = Float[Array, "logits ..."]
Choices = tuple[Float[Array, "_ _ ..."], ...]
"""Distributions over sources: for each gate with arguments one array, a row per argument; at
last one for the registers."""

_alone = jax.lax.optimization_barrier
"""Has XLA compute a value once, by itself; see the top of this file."""


class Plan:
    """The gates of a step, and how its choices lie in arrays.

    Logits and slots are those of `rows`. The choices of one gate's arguments share one array.
    """

    def __init__(
        self,
        registers: int,
        gates: tuple[Gate, ...],
        clip_gradients: float | None = None,
        write_returns_value: bool = False,
    ) -> None:
        self.registers = registers
        self.gates = gates
        self.rows = row_table(gates, registers)
        self.clip_gradients = clip_gradients
        """Gradients of results and of the memory are clipped to ± this."""
        self.write_returns_value = write_returns_value
        together = [rows for rows in (*self.rows.of_gate, self.rows.of_registers) if rows]
        self.parts = [(len(rows), self.rows.rows[rows[0]].sources) for rows in together]
        """For each array of `Choices` its rows and sources."""

    def gates_with_arguments(self) -> Iterator[tuple[int, Gate]]:
        """Return the gates with arguments, each with the slot of its result."""
        return ((s, gate) for s, gate in enumerate(self.gates, self.registers) if gate.arity)

    def clip(self, bar: Array) -> Array:
        """Return a gradient within its bounds."""
        limit = self.clip_gradients
        return bar if limit is None else jnp.clip(bar, -limit, limit)

    def constants(self, values: int) -> Float[np.ndarray, "gates values"]:
        """Return the gates' results that do not depend on the step: constants, WRITE's 0."""
        table = np.zeros((len(self.gates), values), np.float32)
        for i, gate in enumerate(self.gates):
            if gate.memory == "write":
                table[i, 0] = 1
            elif not gate.arity:
                table[i, gate.table(values)] = 1
        return table

    def split(self, logits: Logits) -> list[Float[Array, "_ _ ..."]]:
        """Return the logits of each array of `Choices`."""
        pieces = jax.lax.split(logits, [rows * sources for rows, sources in self.parts])
        return [
            piece.reshape(rows, sources, *piece.shape[1:])
            for piece, (rows, sources) in zip(pieces, self.parts, strict=True)
        ]

    def most_likely(self, logits: Logits) -> Choices:
        """Return each choice as its most likely source alone."""
        return tuple(
            jax.nn.one_hot(jnp.argmax(piece, axis=1), piece.shape[1], axis=1, dtype=piece.dtype)
            for piece in self.split(logits)
        )


# Choices


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def choose(plan: Plan, logits: Logits) -> tuple[Choices, Float[Array, "*batch"]]:
    """Return the softmax of every row, and the sum of the rows' entropies, in nats."""
    return _choose(plan, logits)[0]


def _choose(plan, logits):
    choices, logs, offsets = [], [], []
    entropy = jnp.zeros(logits.shape[1:], logits.dtype)
    for logit in plan.split(_alone(logits)):
        # Below the largest: no logit is too large for an exponential.
        most = _alone(_over_sources(jax.lax.max, logit))
        below = logit - most[:, None]
        weight = _alone(jnp.exp(below))
        total = _alone(_over_sources(jax.lax.add, weight))
        choice = _alone(weight * (1 / total)[:, None])
        entropies = _alone(jnp.log(total) - _over_sources(jax.lax.add, choice * below))
        choices.append(choice)
        logs.append(below)
        offsets.append(entropies - jnp.log(total))
        entropy += add_up(entropies)
    return (tuple(choices), entropy), (choices, logs, offsets)


def _choose_back(plan, saved, bars):
    del plan
    choices_bar, entropy_bar = bars
    logits_bar = []
    for choice, below, offset, bar in zip(*saved, choices_bar, strict=True):
        along = _alone(_over_sources(jax.lax.add, choice * bar))
        from_entropy = entropy_bar * (below + offset[:, None])
        logits_bar.append(choice * (bar - along[:, None] - from_entropy))
    return (jnp.concatenate([x.reshape(-1, *x.shape[2:]) for x in logits_bar]),)


choose.defvjp(_choose, _choose_back)


def _over_sources(join, x):
    """Return the sum or maximum over the sources; XLA does not vectorise reducing them."""
    return reduce(join, [at(x, source, 1) for source in range(x.shape[1])])


# Mixtures and writes, and their gradients


def mix(
    choices: Float[Array, "rows n ..."], values: Float[Array, "n values ..."]
) -> Float[Array, "rows values ..."]:
    """Return, for each row, the sum over i of ``choices[row, i] values[i]``."""
    if len(values) <= UNROLLED:
        return add_up(_row(choices, i) * at(values, i) for i in range(len(values)))
    return weighted_sum(jnp.swapaxes(choices, 0, 1)[:, :, None], values[:, None])


def _row(x: Float[Array, "rows n ..."], i: int) -> Float[Array, "rows 1 ..."]:
    return jax.lax.expand_dims(at(x, i, 1), (1,))


def mix_choices_back(
    values: Float[Array, "n values ..."], bar: Float[Array, "rows values ..."]
) -> Float[Array, "rows n ..."]:
    """Return the gradient of `mix` with respect to the choices."""
    if bar.shape[1] <= UNROLLED:
        return add_up(at(values, v, 1) * _row(bar, v) for v in range(bar.shape[1]))
    return weighted_sum(
        jnp.swapaxes(values, 0, 1)[:, None], jnp.swapaxes(bar, 0, 1)[:, :, None]
    )


def write_back(
    memory: Memory, pointer: Distribution, value: Distribution, bar: Memory
) -> tuple[Memory, Distribution, Distribution]:
    """Return the gradients of `write` with respect to its arguments."""
    changes = jnp.swapaxes(bar * (value - memory), 0, 1)
    pointer_bar = add_up(split(changes))[0]
    return bar * (1 - pointer[:, None]), pointer_bar, weighted_sum(pointer[:, None], bar)


# Gates


class _Saved(NamedTuple):
    """What the backward pass needs of the forward pass."""

    choices: Choices
    table: Table
    """All values at the end of the step."""
    arguments: list[Float[Array, "_ values ..."]]
    """Of each gate that has some."""
    memories: list[Memory]
    """Before the first WRITE, before the second, and so on, as far as gates need them."""


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def run_gates(
    plan: Plan, choices: Choices, registers: Registers, memory: Memory
) -> tuple[Registers, Memory]:
    """Run all gates in turn; return registers and memory after the step.

    Arguments:
        plan: the gates.
        choices: what their arguments, and the next registers, are mixtures of.
        registers: the registers before.
        memory: the memory before.
    """
    return _run(plan, choices, registers, memory)[0]


def _run(plan, choices, registers, memory):
    values = len(memory)
    constants = plan.constants(values).reshape(-1, values, *[1] * (memory.ndim - 2))
    constants = jnp.broadcast_to(constants, (len(constants), *memory.shape[1:]))
    table = jnp.concatenate([registers, constants.astype(registers.dtype)])
    arguments, memories, needed = [], [memory], 0
    for (slot, gate), choice in zip(plan.gates_with_arguments(), choices[:-1], strict=True):
        chosen = _alone(mix(choice, table[:slot]))
        arguments.append(chosen)
        if gate.memory:
            needed = len(memories)
        if gate.memory == "write":
            memories.append(_alone(write(memories[-1], *chosen)))
            if not plan.write_returns_value:
                continue
            result = chosen[1]
        elif gate.memory == "read":
            result = mix(chosen[:1], memories[-1])[0]
        else:
            result = gate.soft(*chosen, values=values)
        table = jax.lax.dynamic_update_index_in_dim(table, _alone(result), slot, 0)
    after = _alone(mix(choices[-1], table))
    return (after, memories[-1]), _Saved(choices, table, arguments, memories[:needed])


def _run_back(plan, saved, bars):
    registers_bar, memory_bar = bars
    table, writes = saved.table, sum(gate.memory == "write" for gate in plan.gates)
    # Every array of choices so far, with the gradients of the mixtures that it made.
    consumers = [(saved.choices[-1], registers_bar)]
    choices_bar = [_alone(mix_choices_back(table, registers_bar))]

    def bar_of(slot):
        """Return the gradient of a slot's value, from all mixtures that it is part of."""
        return add_up(c[i, slot] * at(b, i) for c, b in consumers for i in range(len(b)))

    backwards = reversed(
        list(zip(plan.gates_with_arguments(), saved.choices, saved.arguments, strict=False))
    )
    for (slot, gate), choice, chosen in backwards:
        if gate.memory == "write":
            writes -= 1
            memory_bar, *chosen_bar = write_back(
                saved.memories[writes], chosen[0], chosen[1], plan.clip(memory_bar)
            )
            memory_bar = _alone(memory_bar)
            if plan.write_returns_value:
                chosen_bar[1] = chosen_bar[1] + plan.clip(bar_of(slot))
        else:
            bar = _alone(plan.clip(bar_of(slot)))
            if gate.memory == "read":
                chosen_bar = mix_choices_back(saved.memories[writes], bar[None])
                memory_bar = memory_bar + chosen[0][:, None] * bar
            else:
                chosen_bar = jax.vjp(partial(gate.soft, values=len(bar)), *chosen)[1](bar)
        chosen_bar = _alone(jnp.stack(chosen_bar))
        choices_bar.append(_alone(mix_choices_back(table[:slot], chosen_bar)))
        consumers.append((choice, chosen_bar))
    registers_bar = jnp.stack([_alone(bar_of(slot)) for slot in range(plan.registers)])
    return tuple(choices_bar[::-1]), _alone(registers_bar), _alone(memory_bar)


run_gates.defvjp(_run, _run_back)
