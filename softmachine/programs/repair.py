"""Mending hard machines by changing single wires.

A soft machine may be right where its hard form is not: a choice that was nearly even, or two
that only work mixed. Often one wire is wrong. The search here tries every other source for
every wire that matters, on examples that go wrong and some that do not, keeps the best
change, and goes on from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from softmachine.machines.nram.nram import NRAM, NRAMConfig
from softmachine.machines.nram.rows import Row
from softmachine.programs.circuits import Wires
from softmachine.programs.extract import controller_table
from softmachine.programs.reachable import Table
from softmachine.tasks.memories.exams import Batch
from softmachine.wiring.table import WiringTable, live_rows, run_wiring

TRIED_AT_ONCE = 64
"""Changes that are run together."""
CONFIRMED = 16
"""How many of the best changes are run on all examples."""


class Change(NamedTuple):
    """One wire of one pattern's circuit, or whether the machine stops there."""

    pattern: int
    """See `WiringTable`."""
    row: int | None
    """The row of choices; None for stopping."""
    source: int
    """The slot it takes from now on; for stopping 0 or 1."""


class Repair(NamedTuple):
    """What came of a search."""

    table: WiringTable
    changes: tuple[Change, ...]
    """Those made, in their order; none if nothing helped."""
    before: float
    """Mean share of wrong cells."""
    after: float


def repair(machine: NRAM, table: WiringTable, batch: Batch, *, most_changes: int = 4) -> Repair:
    """Return a table that is right on more of the examples, if single changes lead to one.

    Each change is the one after which fewest cells are wrong; the search ends when none is,
    when no change makes it better, or after ``most_changes``.
    """
    config = machine.config
    errors, patterns = _errors(config, table, batch)
    before = after = float(errors.mean())
    changes: list[Change] = []
    while after > 0 and len(changes) < most_changes:
        wrong, right = np.flatnonzero(errors > 0), np.flatnonzero(errors == 0)
        asked = batch.take(np.concatenate([wrong[:24], right[:8]]))
        candidates = _candidates(machine, table, np.any(patterns[wrong], axis=0))
        scores = _try_all(config, table, candidates, asked)
        best = None
        for i in np.argsort(scores, kind="stable")[:CONFIRMED]:
            changed = apply_changes(table, [candidates[i]])
            result = _errors(config, changed, batch)
            if best is None or result[0].mean() < best[2][0].mean():
                best = candidates[i], changed, result
        if best is None or best[2][0].mean() >= after:
            break
        change, table, (errors, patterns) = best
        after = float(errors.mean())
        changes.append(change)
    return Repair(table, tuple(changes), before, after)


def apply_changes(table: WiringTable, changes: Sequence[Change]) -> WiringTable:
    """Return a table with some wires changed."""
    sources, stop = table.sources.copy(), table.stop.copy()
    for change in changes:
        if change.row is None:
            stop[change.pattern] = bool(change.source)
        else:
            sources[change.pattern, change.row] = change.source
    return WiringTable(sources, stop)


def program_table(machine: NRAM, changes: Sequence[Change]) -> Table:
    """Return what programs are built from, with some wires changed."""
    registers, table = machine.config.registers, dict(controller_table(machine))
    for change in changes:
        key = 0, tuple(bool(change.pattern >> i & 1) for i in range(registers))
        wires = table[key].wires
        if change.row is None:
            wires = wires._replace(stop=bool(change.source))
        else:
            wires = _rewired(wires, machine.rows.rows[change.row], change.source)
        table[key] = table[key]._replace(wires=wires)
    return table


def _rewired(wires: Wires, row: Row, source: int) -> Wires:
    """Return wires with another source for one row of choices."""
    if row.gate is None:
        kept = list(wires.registers)
        kept[row.argument] = source
        return wires._replace(registers=tuple(kept))
    gates, inputs = list(wires.gates), list(wires.gates[row.gate].inputs)
    inputs[row.argument] = source
    gates[row.gate] = gates[row.gate]._replace(inputs=tuple(inputs))
    return wires._replace(gates=tuple(gates))


def wrong_cells(config: NRAMConfig, table: WiringTable, batch: Batch) -> float:
    """Return the mean share of wrong cells."""
    return float(_errors(config, table, batch)[0].mean())


def _errors(
    config: NRAMConfig, table: WiringTable, batch: Batch
) -> tuple[Float[np.ndarray, " examples"], Bool[np.ndarray, "examples patterns"]]:
    """Return each example's share of wrong cells, and the patterns it met."""
    ran = run_wiring(config, table, batch.memories, batch.steps, values=batch.cells)
    return batch.wrong(ran.memories), ran.patterns


def _candidates(
    machine: NRAM, table: WiringTable, patterns: Bool[np.ndarray, " patterns"]
) -> list[Change]:
    """Return every change of a wire that matters, in patterns that were met."""
    rows = machine.rows.rows
    changes = []
    for pattern in np.flatnonzero(patterns).tolist():
        changes.append(Change(pattern, None, int(not table.stop[pattern])))
        for row in live_rows(machine.config, table.sources[pattern]):
            now = int(table.sources[pattern, row])
            others = [i for i in range(rows[row].sources) if i != now]
            changes += [Change(pattern, row, source) for source in others]
    return changes


def _try_all(
    config: NRAMConfig, table: WiringTable, candidates: list[Change], batch: Batch
) -> Float[np.ndarray, " candidates"]:
    """Return the mean share of wrong cells after each change alone."""
    scores = []
    for first in range(0, len(candidates), TRIED_AT_ONCE):
        some = candidates[first : first + TRIED_AT_ONCE]
        tables = [apply_changes(table, [change]) for change in some]
        stacked = WiringTable(*map(np.stack, zip(*tables, strict=True)))
        count = len(batch.steps)
        repeated = batch.take(np.tile(np.arange(count), len(some)))
        ran = run_wiring(
            config,
            stacked,
            repeated.memories,
            repeated.steps,
            values=repeated.cells,
            table_of=np.repeat(np.arange(len(some)), count),
        )
        scores.append(repeated.wrong(ran.memories).reshape(len(some), count).mean(axis=1))
    return np.concatenate(scores)
