"""The choices of one NRAM step as a table of rows, shared by all interpreters of a step.

Each row is one softmax of the controller: it chooses a source among slots. Slots are first the
registers, then the results of the gates, in the order in which the gates work. For each gate
that takes arguments there are two rows, the paper's a_i and b_i; then comes one row, c_i, for
each register. The second row of a gate of one argument has no sources: nothing is chosen there.
(The paper has logits for it, too, which change nothing: its footnote 1.)
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
    """One choice: the source of an argument of a gate, or of the next value of a register."""

    name: str
    """The argument or register that takes the source, such as ``ADD a``, or ``r1``."""
    gate: int | None
    """The place of the gate among the gates; None for a register."""
    argument: int
    """0 for a, 1 for b; of a register, its place among the registers."""
    sources: int
    """It chooses among this many slots, the first ones; 0 if there is no such argument."""


class RowTable:
    """The rows of a machine with given gates and a number of registers; see `row_table`."""

    def __init__(self, gates: Sequence[Gate], registers: int) -> None:
        names = [gate.name for gate in gates]
        earlier = [names[:i].count(name) for i, name in enumerate(names)]
        self.gate_names = tuple(
            f"{x} {n + 1}" if n else x for x, n in zip(names, earlier, strict=True)
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
        self.allowed = np.arange(len(self.slot_names)) < self.sources[:, None]
        """Axes (row, slot): whether the row may choose the slot."""
        self.logit_count = int(self.allowed.sum())
        """How many logits a step has: one for each allowed choice, row after row."""
        places = np.cumsum(self.allowed).reshape(self.allowed.shape) - 1
        self.logit_numbers = np.where(self.allowed, places, self.logit_count)
        """Axes (row, slot): the number of the logit; ``logit_count`` where there is none."""

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the rows."""
        return tuple(row.name for row in self.rows)

    def split(self, logits: Float[Array, "logits ..."]) -> dict[int, Float[Array, "_ ..."]]:
        """Return the logits of each row that has sources, by its number."""
        rows = np.flatnonzero(self.sources).tolist()
        parts = jnp.split(logits, np.cumsum(self.sources[rows])[:-1])
        return dict(zip(rows, parts, strict=True))

    def as_table(
        self, logits: Float[Array, "logits ..."], fill: float
    ) -> Float[Array, "rows slots ..."]:
        """Return logits by row and slot, with ``fill`` where a row may not choose a slot."""
        padded = jnp.concatenate([logits, jnp.full_like(logits[:1], fill)])
        return padded[self.logit_numbers.ravel()].reshape(
            *self.allowed.shape, *logits.shape[1:]
        )


@lru_cache
def row_table(gates: tuple[Gate, ...], registers: int) -> RowTable:
    """Return the rows of a machine with these gates, in their order."""
    return RowTable(gates, registers)
