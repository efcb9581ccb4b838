"""One step's gates, worked off in a loop, forwards and backwards.

Written out, every gate's arguments are sums over all values before it, and XLA on CPU copies
those sums into whatever uses them: the program grows to a hundred times the work. In a loop
over the gates, with the values in a table, each sum is one pass over the table. The
gradient is given here, because automatic differentiation would keep a table for each gate.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from softmachine.machines.gates import Gate, Memory, mix, mix_back, read, write, write_back

Table = Float[Array, "slots values ..."]
Choices = Float[Array, "rows slots ..."]


class Gates(NamedTuple):
    """Gates that work one after another; only the last may be a WRITE."""

    gates: tuple[Gate, ...]
    """With one or two arguments each."""
    slots: tuple[int, ...]
    """The place of each gate's result in the table."""
    clip_gradients: float | None
    """Gradients of results and of the memory are clipped to ± this."""
    write_returns_value: bool

    @property
    def writes(self) -> bool:
        """Whether the last gate is a WRITE."""
        return self.gates[-1].memory == "write"

    def clip(self, bar: Array) -> Array:
        """Return a gradient within its bounds."""
        limit = self.clip_gradients
        return bar if limit is None else jnp.clip(bar, -limit, limit)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def run_gates(
    job: Gates, choices: Choices, table: Table, memory: Memory
) -> tuple[Table, Memory]:
    """Let gates work in turn; return the table with their results, and the memory.

    Arguments:
        job: the gates.
        choices: two rows for each gate, what its arguments are mixtures of; zero wherever
            the table holds a later result.
        table: the values before; whatever is known beforehand of a result counts as none of
            its arguments.
        memory: the memory before.
    """
    return _run(job, choices, table, memory)[0]


def _run(job, choices, table, memory):
    pairs = choices.reshape(len(job.gates), 2, *choices.shape[1:])
    slots = jnp.asarray(job.slots)
    branches = [partial(_work, job, gate) for gate in job.gates]

    def turn(i, carry):
        table, arguments = carry
        chosen = mix(_at(pairs, i), table)
        result = jax.lax.switch(i, branches, chosen, memory)
        table = jax.lax.dynamic_update_index_in_dim(table, result, slots[i], 0)
        return table, jax.lax.dynamic_update_index_in_dim(arguments, chosen, i, 0)

    arguments = jnp.zeros((len(job.gates), 2, *table.shape[1:]), table.dtype)
    after, arguments = jax.lax.fori_loop(0, len(job.gates), turn, (table, arguments))
    saved = (choices, after, memory, arguments)
    if job.writes:
        memory = write(memory, arguments[-1, 0], arguments[-1, 1])
    return (after, memory), saved


def _run_back(job, saved, bars):
    choices, table, memory, arguments = saved
    table_bar, memory_bar = bars
    pairs = choices.reshape(len(job.gates), 2, *choices.shape[1:])
    slots = jnp.asarray(job.slots)
    branches = [partial(_work_back, job, gate) for gate in job.gates]
    written_bar = jnp.zeros_like(arguments[0])
    if job.writes:
        pointer, value = arguments[-1]
        memory_bar, *written = write_back(memory, pointer, value, job.clip(memory_bar))
        written_bar = jnp.stack(written)

    def turn(i, carry):
        pair, pairs_bar, table_bar, bars = carry
        g = len(job.gates) - 1 - i
        bar = job.clip(_at(table_bar, slots[g]))
        chosen_bar = jax.lax.switch(g, branches, _at(arguments, g), memory, bar, written_bar)
        # Rows hold nothing at the slots of later results, so that the whole table will do.
        pair_bar, spread = mix_back(pair, table, chosen_bar)
        pairs_bar = jax.lax.dynamic_update_index_in_dim(pairs_bar, pair_bar, g, 0)
        bars = jax.lax.dynamic_update_index_in_dim(bars, bar, g, 0)
        # The next pair is handed on: sliced where it is used, nothing would be vectorised.
        return _at(pairs, jnp.maximum(g - 1, 0)), pairs_bar, table_bar + spread, bars

    start = (pairs[-1], jnp.zeros_like(pairs), table_bar, jnp.zeros_like(arguments[:, 0]))
    _, pairs_bar, table_bar, bars = jax.lax.fori_loop(0, len(job.gates), turn, start)
    for g, gate in enumerate(job.gates):
        if gate.memory == "read":
            memory_bar = memory_bar + arguments[g, 0][:, None] * bars[g]
    # What stood at the results' places before is overwritten: no gradient goes there.
    table_bar = table_bar.at[slots].set(0.0)
    return pairs_bar.reshape(choices.shape), table_bar, memory_bar


run_gates.defvjp(_run, _run_back)


@jax.custom_vjp
def mix_rows(choices: Choices, table: Table) -> Float[Array, "rows values ..."]:
    """Return what `mix` gives, one row after another."""

    def turn(i, mixed):
        row = mix(_at(choices, i)[None], table)
        return jax.lax.dynamic_update_slice_in_dim(mixed, row, i, 0)

    mixed = jnp.zeros((len(choices), *table.shape[1:]), table.dtype)
    return jax.lax.fori_loop(0, len(choices), turn, mixed)


def _mix_rows_back(saved, bar):
    choices, table = saved

    def turn(i, carry):
        choices_bar, table_bar = carry
        row_bar, spread = mix_back(_at(choices, i)[None], table, _at(bar, i)[None])
        choices_bar = jax.lax.dynamic_update_slice_in_dim(choices_bar, row_bar, i, 0)
        return choices_bar, table_bar + spread

    start = (jnp.zeros_like(choices), jnp.zeros_like(table))
    return jax.lax.fori_loop(0, len(choices), turn, start)


mix_rows.defvjp(
    lambda choices, table: (mix_rows(choices, table), (choices, table)), _mix_rows_back
)


def _work(job, gate, chosen, memory):
    if gate.memory == "read":
        return read(memory, chosen[0])
    if gate.memory == "write":
        return chosen[1] if job.write_returns_value else jnp.zeros_like(chosen[1]).at[0].set(1)
    return gate.soft(*chosen[: gate.arity], values=chosen.shape[1])


def _work_back(job, gate, chosen, memory, bar, written_bar):
    if gate.memory == "write":
        return written_bar.at[1].add(bar) if job.write_returns_value else written_bar
    if gate.memory == "read":
        work = partial(read, memory)
    else:
        work = partial(gate.soft, values=chosen.shape[1])
    bars = jax.vjp(work, *chosen[: gate.arity])[1](bar)
    return jnp.stack([*bars, jnp.zeros_like(bars[0])][:2])


def _at(x, i):
    return jax.lax.dynamic_index_in_dim(x, i, keepdims=False)
