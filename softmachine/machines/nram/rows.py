"""The choices of one step as a table of rows, which all that works through a step reads.

What a gate or a register may take stands in slots: first the registers, then what each gate
gives, in the order in which the gates work. For each gate that takes arguments there are two
rows, one for each of the paper's a_i and b_i; then comes one row, c_i, for each register. The
second row of a gate of one argument has no sources: nothing is chosen there. (The paper has
logits for it, too, which change nothing: its footnote 1.)
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from softmachine.machines.nram.gates import Gate


class Row(NamedTuple):
    """One choice: what an argument of a gate, or the next value of a register, is."""

    name: str
    """What it is for, such as ``ADD a``, or ``r1``."""
    gate: int | None
    """The place of the gate among the gates; None for what goes into a register."""
    argument: int
    """0 for a, 1 for b; of a register, its place among the registers."""
    sources: int
    """From how many slots, the first ones, it is chosen; 0 if there is no such argument."""


class RowTable:
    """The rows of a machine with these gates and so many registers; see `row_table`."""

    def __init__(self, gates: Sequence[Gate], registers: int) -> None:
        names = [gate.name for gate in gates]
        again = [names[:i].count(name) for i, name in enumerate(names)]
        self.gate_names = tuple(
            f"{x} {n + 1}" if n else x for x, n in zip(names, again, strict=True)
        )
        """The names of the gates, with a number behind those that come again: ``READ 2``."""
        register_names = tuple(f"r{i + 1}" for i in range(registers))
        self.slot_names = register_names + self.gate_names
        arguments = [
            Row(f"{name} {'ab'[argument]}", i, argument, (registers + i) * (argument < arity))
            for i, (name, arity) in enumerate(
                zip(self.gate_names, (gate.arity for gate in gates), strict=True)
            )
            if arity
            for argument in range(2)
        ]
        nexts = [
            Row(name, None, i, len(self.slot_names)) for i, name in enumerate(register_names)
        ]
        self.rows = (*arguments, *nexts)
        self.of_gate = tuple(
            tuple(n for n, row in enumerate(self.rows) if row.gate == i and row.sources)
            for i in range(len(gates))
        )
        """For each gate the numbers of its arguments' rows, as many as it takes."""
        self.of_registers = tuple(range(len(arguments), len(self.rows)))
        """For each register the number of its row."""
        self.sources = np.array([row.sources for row in self.rows], np.int32)
        self.inside = np.arange(len(self.slot_names)) < self.sources[:, None]
        """Which (row, slot) is a choice that there is."""
        self.logits = int(self.inside.sum())
        """How many there are. Logits stand row after row."""
        places = np.cumsum(self.inside).reshape(self.inside.shape) - 1
        self.order = np.where(self.inside, places, self.logits)
        """For each (row, slot) its logit; ``logits`` where there is none."""

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def names(self) -> tuple[str, ...]:
        """What each row is for."""
        return tuple(row.name for row in self.rows)

    def split(self, logits: Float[Array, "logits ..."]) -> dict[int, Float[Array, "_ ..."]]:
        """Return the logits of each row that has sources, by its number."""
        rows = np.flatnonzero(self.sources).tolist()
        parts = jnp.split(logits, np.cumsum(self.sources[rows])[:-1])
        return dict(zip(rows, parts, strict=True))

    def as_table(
        self, logits: Float[Array, "logits ..."], fill: float
    ) -> Float[Array, "rows slots ..."]:
        """Return logits by row and slot, with something else where there is no choice."""
        padded = jnp.concatenate([logits, jnp.full_like(logits[:1], fill)])
        return padded[self.order.ravel()].reshape(*self.inside.shape, *logits.shape[1:])


@lru_cache
def row_table(gates: tuple[Gate, ...], registers: int) -> RowTable:
    """Return the rows of a machine with these gates, in their order."""
    return RowTable(gates, registers)
