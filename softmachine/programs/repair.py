"""Repair of hard machines by changing single wires: a greedy local search.

A soft machine may be right where its hard form is not: because a choice was nearly a tie, or
two sources only work when mixed. Often a single wire is wrong. The search tries every other
source of every live wire, on failing examples and a few that pass, keeps the best change, and
repeats from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from softmachine.core.time_limit import NEVER, TimeLimit
from softmachine.machines.nram.nram import NRAM, NRAMConfig
from softmachine.programs.extraction import transition_table
from softmachine.programs.reachable import TransitionTable
from softmachine.tasks.memories.exams import Batch
from softmachine.wiring.table import WiringTable, live_rows, read_wiring, run_wiring

TRIED_AT_ONCE = 64
"""How many changes are run as one batch."""
CONFIRMED = 16
"""How many of the best changes are run again, on all examples."""


class Change(NamedTuple):
    """A change of one wire, or of whether the machine stops, in the circuit of one pattern."""

    pattern: int
    """The number of the pattern of zeros; see `WiringTable`."""
    row: int | None
    """The row of choices that changes; None: whether the machine stops."""
    source: int
    """The slot (or the kind of gate) that the row takes now; for stopping 1 or 0."""


class Repair(NamedTuple):
    """The result of a search."""

    table: WiringTable
    """The wires after all changes."""
    changes: tuple[Change, ...]
    """The changes in the order they were made; empty if none helped."""
    before: float
    """Mean share of wrong cells over the examples, from 0 to 1."""
    after: float
    """The same after the changes."""


def repair(
    machine: NRAM,
    table: WiringTable,
    batch: Batch,
    *,
    most_changes: int = 4,
    limit: TimeLimit = NEVER,
) -> Repair:
    """Search for changes of single wires after which fewer cells are wrong.

    Each change is the one that leaves the fewest wrong cells. The search ends when none is
    wrong, when no change improves on that, or after ``most_changes``.

    Arguments:
        machine: the machine that the wires belong to.
        table: its wires.
        batch: examples with their targets.
        most_changes: how many changes may be made.
        limit: when it has to end.

    Raises TimeIsOverError if it does not.
    """
    config = machine.config
    errors, patterns = _errors(config, table, batch)
    before = after = float(errors.mean())
    changes: list[Change] = []
    while after > 0 and len(changes) < most_changes:
        wrong, right = np.flatnonzero(errors > 0), np.flatnonzero(errors == 0)
        asked = batch.take(np.concatenate([wrong[:24], right[:8]]))
        candidates = _candidates(machine, table, np.any(patterns[wrong], axis=0))
        scores = _try_all(config, table, candidates, asked, limit)
        best = None
        for i in np.argsort(scores, kind="stable")[:CONFIRMED]:
            limit.check()
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


def program_table(machine: NRAM, changes: Sequence[Change]) -> TransitionTable:
    """Return a machine's transition table with some wires changed, to build a program from."""
    return transition_table(machine.config, apply_changes(read_wiring(machine), changes))


def wrong_cells(config: NRAMConfig, table: WiringTable, batch: Batch) -> float:
    """Return the mean share of wrong cells over examples, from 0 to 1."""
    return float(_errors(config, table, batch)[0].mean())


def _errors(
    config: NRAMConfig, table: WiringTable, batch: Batch
) -> tuple[Float[np.ndarray, " examples"], Bool[np.ndarray, "examples patterns"]]:
    """Return each example's share of wrong cells, and which patterns occurred in its run."""
    ran = run_wiring(config, table, batch.memories, batch.steps, values=batch.cells)
    return batch.wrong(ran.memories), ran.patterns


def _candidates(
    machine: NRAM, table: WiringTable, patterns: Bool[np.ndarray, " patterns"]
) -> list[Change]:
    """Return every change of a live wire, in those of the patterns that are marked.

    And of every gate that is chosen: one whose result nobody takes may have to write.
    """
    rows = machine.rows.rows
    changes = []
    for pattern in np.flatnonzero(patterns).tolist():
        changes.append(Change(pattern, None, int(not table.stop[pattern])))
        live = live_rows(machine.config, table.sources[pattern])
        for row in sorted({*live, *machine.rows.of_kinds}):
            now = int(table.sources[pattern, row])
            others = [i for i in range(rows[row].sources) if i != now]
            changes += [Change(pattern, row, source) for source in others]
    return changes


def _try_all(
    config: NRAMConfig,
    table: WiringTable,
    candidates: list[Change],
    batch: Batch,
    limit: TimeLimit,
) -> Float[np.ndarray, " candidates"]:
    """Return the mean share of wrong cells after each of the changes by itself."""
    scores = []
    for first in range(0, len(candidates), TRIED_AT_ONCE):
        limit.check()
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
