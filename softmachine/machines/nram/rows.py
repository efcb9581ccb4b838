"""The choices of one NRAM step as a table of rows, shared by all interpreters of a step.

Each row is one softmax of the controller: it chooses a source among slots. Slots are first the
registers, then the results of the gates, in the order in which the gates work. For each gate
that takes arguments there are two rows, the paper's a_i and b_i; then comes one row, c_i, for
each register. The second row of a gate of one argument has no sources: nothing is chosen there.
(The paper has logits for it, too, which change nothing: its footnote 1.)

Where gates are chosen, too (`soft_gates.py`), each has a third row, whose sources are the kinds
of gates in place of slots. Then "gate" means a place among those that work one after another.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from softmachine.machines.nram.gates import Gate


class Row(NamedTuple):
    """One choice: the source of an argument of a gate, or of the next value of a register."""

    name: str
    """What takes the source: ``ADD a``, ``r1``; ``slot 2`` for the gate in the second place."""
    gate: int | None
    """The place of the gate among the gates; None for a register."""
    argument: int
    """0 for a, 1 for b, `KIND` for which gate it is; of a register, its place among them."""
    sources: int
    """It chooses among this many slots (or kinds of gates), the first ones; 0 if there is no
    such argument."""

    @property
    def of_kind(self) -> bool:
        """Whether it chooses which gate there is, among kinds of gates in place of slots."""
        return self.gate is not None and self.argument == KIND


KIND = 2
"""The `Row.argument` of a row that chooses which gate there is."""


def numbered(names: Sequence[str]) -> tuple[str, ...]:
    """Return names with a number behind those that come again: ``READ``, ``READ 2``."""
    earlier = [names[:i].count(name) for i, name in enumerate(names)]
    return tuple(f"{x} {n + 1}" if n else x for x, n in zip(names, earlier, strict=True))


class RowTable:
    """The rows of a machine with given gates and a number of registers; see `row_table`."""

    def __init__(self, gates: tuple[Gate, ...], registers: int, chosen: int | None) -> None:
        self._gates = gates
        arities = [gate.arity for gate in gates]
        self.gate_names = numbered([gate.name for gate in gates])
        """The names of the gates, numbered; of places whose gate is chosen, ``slot 1``, ..."""
        if chosen is not None:
            self.gate_names = tuple(f"slot {i + 1}" for i in range(chosen))
            arities = [max(arities)] * chosen
        kinds = 0 if chosen is None else len(gates)
        register_names = tuple(f"r{i + 1}" for i in range(registers))
        self.slot_names = register_names + self.gate_names
        arguments: list[Row] = []
        for i, (name, arity) in enumerate(zip(self.gate_names, arities, strict=True)):
            if arity:
                sizes = [(registers + i) * (argument < arity) for argument in range(2)]
                arguments += [Row(f"{name} {'ab'[n]}", i, n, sizes[n]) for n in range(2)]
            if kinds:
                arguments.append(Row(name, i, KIND, kinds))
        nexts = [
            Row(name, None, i, len(self.slot_names)) for i, name in enumerate(register_names)
        ]
        self.rows = (*arguments, *nexts)
        self.of_gate = tuple(
            tuple(
                n
                for n, row in enumerate(self.rows)
                if row.gate == i and row.sources and not row.of_kind
            )
            for i in range(len(arities))
        )
        """For each gate the numbers of its arguments' rows, as many as it takes; as many as
        any gate takes, if it is chosen."""
        self.of_kinds = tuple(n for n, row in enumerate(self.rows) if row.of_kind)
        """For each gate the number of the row that chooses it; empty if none is chosen."""
        self.of_registers = tuple(range(len(arguments), len(self.rows)))
        """For each register the number of its row."""
        self.sources = np.array([row.sources for row in self.rows], np.int32)
        self.allowed = np.arange(max(len(self.slot_names), kinds)) < self.sources[:, None]
        """Axes (row, slot): whether the row may choose the slot; of a row in `of_kinds`, the
        kind of gate."""
        self.logit_count = int(self.allowed.sum())
        """How many logits a step has: one for each allowed choice, row after row."""
        places = np.cumsum(self.allowed).reshape(self.allowed.shape) - 1
        self.logit_numbers = np.where(self.allowed, places, self.logit_count)
        """Axes (row, slot): the number of the logit; ``logit_count`` where there is none."""

    def __len__(self) -> int:
        return len(self.rows)

    def candidates(self, gate: int) -> tuple[Gate, ...]:
        """Return the gates that there may be in a place: all, if it is chosen, or one."""
        return self._gates if self.of_kinds else (self._gates[gate],)

    def gate_at(self, gate: int, sources: Sequence[int] | Int[np.ndarray, " rows"]) -> Gate:
        """Return the gate in a place, given the source of every row."""
        return self._gates[sources[self.of_kinds[gate]] if self.of_kinds else gate]

    def idle(self) -> Int[np.ndarray, " rows"]:
        """Return a source for every row such that a gate whose result nobody takes stays idle.

        The first one; where a gate is chosen, the first that does not write.
        """
        sources = np.zeros(len(self), np.int32)
        quiet = [i for i, gate in enumerate(self._gates) if gate.memory != "write"]
        sources[list(self.of_kinds)] = quiet[0] if quiet else 0
        return sources

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
def row_table(gates: tuple[Gate, ...], registers: int, chosen: int | None = None) -> RowTable:
    """Return the rows of a machine with these gates, in their order.

    ``chosen``: in so many places one of the gates works, and which is chosen, too.
    """
    return RowTable(gates, registers, chosen)
