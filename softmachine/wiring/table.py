"""Hard NRAMs as tables: the wires for every pattern of zeros, and running them in NumPy.

Many examples at once, each with a memory of its own size and, for a search, a table of its own.
Gates count modulo the size of the example's memory.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from softmachine.core.errors import SoftmachineError
from softmachine.machines.nram.controller import MLP
from softmachine.machines.nram.hard import hard_wirings
from softmachine.machines.nram.nram import NRAM, NRAMConfig

MOST_REGISTERS = 12
"""A table has an entry for each of the 2^registers patterns: more would be too large."""


class WiringTable(NamedTuple):
    """The wires that a controller without a state chooses, for every pattern of zeros.

    Patterns have the numbers of `softmachine.machines.nram.hard.pattern_number`.
    """

    sources: Int[np.ndarray, "*tables patterns rows"]
    """For every row of choices, the number of its slot; see `RowTable`."""
    stop: Bool[np.ndarray, "*tables patterns"]


class WiringRun(NamedTuple):
    """The result of running tables of wires on examples."""

    memories: Int[np.ndarray, "examples cells"]
    steps: Int[np.ndarray, " examples"]
    """Steps taken."""
    patterns: Bool[np.ndarray, "examples patterns"]
    """Which patterns were met."""


def read_wiring(machine: NRAM) -> WiringTable:
    """Return the most likely choices of a machine for every pattern.

    Raises SoftmachineError for a controller with a state, or too many registers.
    """
    registers = machine.config.registers
    if not isinstance(machine.controller, MLP):
        raise SoftmachineError(
            "a recurrent controller has no table of wires by patterns of zeros, which could be "
            "searched or repaired; one of kind mlp has"
        )
    if registers > MOST_REGISTERS:
        raise SoftmachineError(
            f"{registers} registers have too many patterns of zeros; at most {MOST_REGISTERS} "
            "registers are possible"
        )
    wirings = hard_wirings(machine)
    return WiringTable(np.asarray(wirings.sources), np.asarray(wirings.stop))


def run_wiring(
    config: NRAMConfig,
    table: WiringTable,
    memories: Int[np.ndarray, "examples cells"],
    steps: Int[np.ndarray, " examples"],
    *,
    values: Int[np.ndarray, " examples"] | None = None,
    table_of: Int[np.ndarray, " examples"] | None = None,
) -> WiringRun:
    """Run examples until they stop, or for their number of steps.

    Arguments:
        config: that of the machine.
        table: its choices, or those of several machines, on a leading axis.
        memories: one per example; values are below the number of its cells.
        steps: how many steps each takes at most.
        values: M of each example, if it has fewer cells than the array; the rest is ignored.
        table_of: for several machines, which is each example's.
    """
    memories = np.array(memories, np.int64)
    count, cells = memories.shape
    values = np.full(count, cells) if values is None else values
    registers = np.zeros((count, config.registers), np.int64)
    patterns = np.zeros((count, table.stop.shape[-1]), bool)
    taken, going = np.zeros(count, np.int64), np.asarray(steps) > 0
    while going.any():
        live = np.flatnonzero(going)
        met = (registers[live] == 0) @ (1 << np.arange(config.registers))
        patterns[live, met] = True
        place = (met,) if table_of is None else (table_of[live], met)
        registers[live] = _run_gates(
            config, table.sources[place], registers[live], memories, live, values[live]
        )
        taken[live] += 1
        going[live] = ~table.stop[place] & (taken[live] < np.asarray(steps)[live])
    return WiringRun(memories, taken, patterns)


def live_rows(config: NRAMConfig, sources: Int[np.ndarray, " rows"]) -> list[int]:
    """Return the rows of choices on which registers or memory after a step depend, in order."""
    registers, table = config.registers, config.rows
    live = list(table.of_registers)
    wanted = {int(sources[i]) - registers for i in live}
    for i in reversed(range(len(table.of_gate))):
        gate = table.gate_at(i, sources)
        if i in wanted or gate.memory == "write":
            rows = table.of_gate[i][: gate.arity]
            live += [*rows, *table.of_kinds[i : i + 1]]
            wanted |= {int(sources[r]) - registers for r in rows}
    return sorted(live)


def _run_gates(config, sources, registers, memories, live, values):
    """Run all gates; write into the memories and return the registers afterwards."""
    each, table = np.arange(len(live)), config.rows
    slots = list(registers.T)
    for place, rows in enumerate(table.of_gate):
        known = np.stack(slots)
        arguments = [known[sources[:, row], each] for row in rows]
        kinds = sources[:, table.of_kinds[place]] if table.of_kinds else np.zeros_like(each)
        results = np.zeros_like(each)
        for number, gate in enumerate(table.candidates(place)):
            (mine,) = np.nonzero(kinds == number)
            taken = [argument[mine] for argument in arguments[: gate.arity]]
            if gate.memory == "read":
                result = memories[live[mine], taken[0]]
            elif gate.memory == "write":
                memories[live[mine], taken[0]] = taken[1]
                result = taken[1] * (config.write_returns == "value")
            else:
                result = gate.integer(*taken, values[mine])
            results[mine] = result
        slots.append(results)
    return np.stack(slots)[sources[:, table.of_registers].T, each].T
