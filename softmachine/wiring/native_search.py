"""Simulated annealing over tables of wires, as native code: tens of thousands of them a second.

Compiled by Numba when it is first called. All compiled functions stand in this one file, or
Numba's cache would not notice that one of them has changed. They have no annotations, which
Numba has no use for.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import NamedTuple

import numba
import numpy as np
from jaxtyping import Bool, Float, Int

from softmachine.machines.nram.gates import find_gates
from softmachine.machines.nram.nram import NRAMConfig

LOOK_UP, READ, WRITE = range(3)
STOP_CHANGED, ASSIGNED, COPIED = 0.01, 0.05, 0.02
"""Probabilities of a random change: flip whether to stop after a circuit; give a pattern
another circuit; copy one circuit over another. Any other change is of one wire."""
SLACK = 3
"""In examples. A run is given up early once it is so far behind the run of the table that it
comes from, at the same example, that keeping the distance it would end above the limit by the
weight of this many examples."""


class MachineArrays(NamedTuple):
    """A machine's gates and rows of choices as arrays, for memories of a few sizes."""

    registers: int
    kinds: Int[np.ndarray, " gates"]
    """LOOK_UP, READ or WRITE."""
    arities: Int[np.ndarray, " gates"]
    first_rows: Int[np.ndarray, " places"]
    """The row of the first argument in each place where a gate works; see `RowTable`."""
    kind_rows: Int[np.ndarray, " places"]
    """The row that chooses which gate works there; -1: the one with the place's number."""
    register_row: int
    """The row of the first register."""
    results: Int[np.ndarray, "memories gates values values"]
    """The result of a gate for its arguments, if it is looked up, for each size of memory."""
    place: Int[np.ndarray, " cells"]
    """The place in ``results`` of memories of a number of cells."""
    sources: Int[np.ndarray, " rows"]
    """Each row chooses among this many slots, the first ones; 0 for rows without a choice."""
    write_returns_value: bool


class Examples(NamedTuple):
    """Examples, and the cost of a wrong cell of each."""

    memories: Int[np.ndarray, "examples cells"]
    targets: Int[np.ndarray, "examples cells"]
    scored: Bool[np.ndarray, "examples cells"]
    steps: Int[np.ndarray, " examples"]
    cells: Int[np.ndarray, " examples"]
    weights: Float[np.ndarray, " examples"]
    """Such that all cells together cost 1."""


class Circuits(NamedTuple):
    """Circuits, and which of them is taken for which pattern of zeros."""

    sources: Int[np.ndarray, "circuits rows"]
    stop: Bool[np.ndarray, " circuits"]
    of_pattern: Int[np.ndarray, " patterns"]


def machine_arrays(
    config: NRAMConfig, cells: Int[np.ndarray, " memories"], active: int | None = None
) -> MachineArrays:
    """Return a machine's gates and choices as arrays.

    Arguments:
        config: that of the machine.
        cells: the sizes of the memories that it will be run on.
        active: how many registers may change, if not all; the rest stay 0.
    """
    gates = find_gates(config.gates)
    kinds, table = [], config.rows
    sizes = np.unique(cells)
    results = np.zeros((len(sizes), len(gates), sizes[-1], sizes[-1]), np.int32)
    place = np.zeros(sizes[-1] + 1, np.int32)
    place[sizes] = np.arange(len(sizes))
    for i, gate in enumerate(gates):
        kinds.append({"": LOOK_UP, "read": READ, "write": WRITE}[gate.memory])
        for number, values in enumerate([] if gate.memory else sizes.tolist()):
            known = gate.table(values)
            results[number, i, :values, :values] = known.reshape(
                known.shape + (1,) * (2 - gate.arity)
            )
    sources = table.sources.copy()
    if active is not None:
        sources[list(table.of_registers[active:])] = 0
    return MachineArrays(
        config.registers,
        np.array(kinds, np.int32),
        np.array([gate.arity for gate in gates], np.int32),
        np.array([rows[0] if rows else 0 for rows in table.of_gate], np.int32),
        np.array(table.of_kinds or [-1] * len(gates), np.int32),
        table.of_registers[0],
        results,
        place,
        sources,
        config.write_returns == "value",
    )


def weigh_examples(
    memories: Int[np.ndarray, "examples cells"],
    targets: Int[np.ndarray, "examples cells"],
    scored: Bool[np.ndarray, "examples cells"],
    steps: Int[np.ndarray, " examples"],
    cells: Int[np.ndarray, " examples"],
) -> Examples:
    """Return examples with weights: each counts the same, however many cells are scored."""
    return Examples(
        memories.astype(np.int32),
        targets.astype(np.int32),
        np.ascontiguousarray(scored),
        steps.astype(np.int32),
        cells.astype(np.int32),
        1 / np.maximum(scored.sum(axis=1), 1) / len(scored),
    )


def _native(function: Callable) -> Callable:
    """Compile a function, without what may have been put around it to check annotations."""
    return numba.njit(cache=True, nogil=True)(inspect.unwrap(function))


def random_circuits(machine: MachineArrays, count: int, rng: np.random.Generator) -> Circuits:
    """Return circuits drawn at random, none of which stops, for patterns at random."""
    bounds = np.maximum(machine.sources, 1)
    sources = rng.integers(0, bounds, (count, len(bounds)), np.int32)
    idle = machine.sources[machine.register_row :] == 0
    sources[:, machine.register_row :][:, idle] = np.flatnonzero(idle)
    return Circuits(
        sources,
        np.zeros(count, bool),
        rng.integers(0, count, 2**machine.registers, np.int32),
    )


@_native
def anneal(machine, start, examples, tables, hot, cold, more_changes, seed, ended):
    """Search for circuits that make no mistake, by simulated annealing.

    Each table of wires differs from the one it comes from in a choice that matters and, on
    average, ``more_changes`` more; choices that do not matter change along for free. A
    change that adds ``d`` to the mean share of wrong cells is kept with probability
    ``exp(-d / temperature)``; the temperature falls evenly from ``hot`` to ``cold``. Source:
    Kirkpatrick, Gelatt and Vecchi 1983. Ends without a mistake, after ``tables`` tables, or
    once ``ended[0]`` is true.

    Returns the circuits that made fewest mistakes, their mean share of wrong cells, and how
    many tables were run.
    """
    np.random.seed(seed)
    kept, changed, best = _copy(start), _copy(start), _copy(start)
    ran, now = _empty_record(machine, start, examples), _empty_record(machine, start, examples)
    error = least = _run(machine, kept, examples, np.inf, now, ran)
    met, used = np.flatnonzero(ran.met), np.flatnonzero(ran.used)
    tried = 1
    while least > 0 and tried < tables and not ended[0]:
        temperature = hot + (cold - hot) * tried / tables
        limit = error - temperature * np.log(1 - np.random.random())
        _overwrite(changed, kept)
        _change(machine, changed, ran, met, used, more_changes)
        tried += 1
        result = _run(machine, changed, examples, limit, ran, now)
        if result <= limit:
            error = result
            _overwrite(kept, changed)
            ran, now = now, ran
            met, used = np.flatnonzero(ran.met), np.flatnonzero(ran.used)
            if error < least:
                least = error
                _overwrite(best, kept)
    return best, least, tried


@_native
def simplify(machine, start, examples, tables, more_changes, seed):
    """Make circuits that make no mistake smaller, by random changes that keep them so.

    Returns the circuits, and which patterns they meet.
    """
    np.random.seed(seed)
    kept, changed = _copy(start), _copy(start)
    ran, now = _empty_record(machine, start, examples), _empty_record(machine, start, examples)
    _run(machine, kept, examples, np.inf, now, ran)
    size = _size(machine, kept, ran)
    met, used = np.flatnonzero(ran.met), np.flatnonzero(ran.used)
    for _ in range(tables):
        _overwrite(changed, kept)
        _change(machine, changed, ran, met, used, more_changes)
        if _run(machine, changed, examples, 0.0, ran, now) == 0:
            changed_size = _size(machine, changed, now)
            if changed_size <= size:
                size = changed_size
                _overwrite(kept, changed)
                ran, now = now, ran
                met, used = np.flatnonzero(ran.met), np.flatnonzero(ran.used)
    return kept, ran.met


class RunRecord(NamedTuple):
    """What a run tells about circuits: patterns met, circuits used, choices that matter."""

    met: Bool[np.ndarray, " patterns"]
    used: Bool[np.ndarray, " circuits"]
    gates: Int[np.ndarray, "circuits gates"]
    """Of each circuit that was used, the places of gates that matter, in their order."""
    many: Int[np.ndarray, " circuits"]
    """How many gates matter, for each circuit."""
    matter: Bool[np.ndarray, "circuits rows"]
    """Rows of choices that matter."""
    mistakes: Float[np.ndarray, " examples"]
    """Weighted wrong cells up to each example."""


@_native
def _empty_record(machine, circuits, examples):
    count, gates = len(circuits.stop), len(machine.first_rows)
    return RunRecord(
        np.zeros(len(circuits.of_pattern), np.bool_),
        np.zeros(count, np.bool_),
        np.zeros((count, gates), np.int32),
        np.zeros(count, np.int32),
        np.zeros((count, len(machine.sources)), np.bool_),
        np.full(len(examples.steps), np.inf),
    )


@_native
def _copy(circuits):
    return Circuits(circuits.sources.copy(), circuits.stop.copy(), circuits.of_pattern.copy())


@_native
def _overwrite(circuits, others):
    circuits.sources[:] = others.sources
    circuits.stop[:] = others.stop
    circuits.of_pattern[:] = others.of_pattern


@_native
def _size(machine, circuits, ran):
    """Return the size of a program: circuits, gates, registers that change, patterns."""
    size = ran.met.sum()
    for circuit in np.flatnonzero(ran.used):
        size += 1 + ran.many[circuit]
        for register in range(machine.registers):
            size += circuits.sources[circuit, machine.register_row + register] != register
    return size


@_native
def _change(machine, circuits, ran, met, used, more_changes):
    """Make random changes: on average 1 + ``more_changes`` of choices that matter."""
    sources, count = circuits.sources, len(circuits.stop)
    wanted = 1 + np.random.poisson(more_changes)
    while wanted > 0:
        circuit, kind = used[np.random.randint(len(used))], np.random.random()
        if kind < STOP_CHANGED:
            circuits.stop[circuit] = not circuits.stop[circuit]
            wanted -= 1
        elif kind < STOP_CHANGED + ASSIGNED:
            circuits.of_pattern[met[np.random.randint(len(met))]] = np.random.randint(count)
            wanted -= 1
        elif kind < STOP_CHANGED + ASSIGNED + COPIED:
            other = np.random.randint(count)
            sources[other] = sources[circuit]
            circuits.stop[other] = circuits.stop[circuit]
            wanted -= ran.used[other]
        else:
            row = np.random.randint(len(machine.sources))
            if machine.sources[row]:
                sources[circuit, row] = np.random.randint(machine.sources[row])
                wanted -= ran.matter[circuit, row]


@_native
def _run(machine, circuits, examples, limit, before, ran):
    """Return the weighted number of wrong cells; infinity as soon as it is above ``limit``.

    Also as soon as it is too far behind what ran ``before``, see `SLACK`.

    Without calls and slices in the inner loops, which would cost more than their work.
    """
    registers, register_row, value_returned, total = (
        machine.registers, machine.register_row, machine.write_returns_value, 0.0
    )  # fmt: skip
    kinds, arities, first_rows, kind_rows, results = (
        machine.kinds, machine.arities, machine.first_rows, machine.kind_rows, machine.results
    )  # fmt: skip
    sources, of_pattern = circuits.sources, circuits.of_pattern
    gates, many = ran.gates, ran.many
    # Not a number, and no total is above that, if nothing ran before.
    behind = limit - before.mistakes[-1] + SLACK / len(examples.steps)
    ran.met[:] = False
    ran.used[:] = False
    memory = np.empty(examples.memories.shape[1], np.int32)
    slots = np.zeros(registers + len(first_rows), np.int32)
    following = np.zeros(registers, np.int32)
    for i in range(len(examples.steps)):
        cells = examples.cells[i]
        size = machine.place[cells]
        for cell in range(cells):
            memory[cell] = examples.memories[i, cell]
        for register in range(registers):
            slots[register] = 0
        for _ in range(examples.steps[i]):
            pattern = 0
            for register in range(registers):
                if slots[register] == 0:
                    pattern |= 1 << register
            ran.met[pattern] = True
            circuit = of_pattern[pattern]
            if not ran.used[circuit]:
                ran.used[circuit] = True
                _find_what_matters(machine, sources, circuit, ran)
            for place in range(many[circuit]):
                at = gate = gates[circuit, place]
                if kind_rows[at] >= 0:
                    gate = sources[circuit, kind_rows[at]]
                row, first, second = first_rows[at], 0, 0
                if arities[gate] > 0:
                    first = slots[sources[circuit, row]]
                    if arities[gate] == 2:
                        second = slots[sources[circuit, row + 1]]
                if kinds[gate] == LOOK_UP:
                    result = results[size, gate, first, second]
                elif kinds[gate] == READ:
                    result = memory[first]
                else:
                    memory[first] = second
                    result = second if value_returned else 0
                slots[registers + at] = result
            for register in range(registers):
                following[register] = slots[sources[circuit, register_row + register]]
            for register in range(registers):
                slots[register] = following[register]
            if circuits.stop[circuit]:
                break
        wrong = 0
        for cell in range(cells):
            if examples.scored[i, cell] and memory[cell] != examples.targets[i, cell]:
                wrong += 1
        total += wrong * examples.weights[i]
        ran.mistakes[i] = total
        if total > limit or total > before.mistakes[i] + behind:
            return np.inf
    return total


@_native
def _find_what_matters(machine, sources, circuit, ran):
    """Record the rows and gates on which registers or memory after the step depend."""
    registers, gates, matter = machine.registers, len(machine.first_rows), ran.matter
    for row in range(len(machine.sources)):
        matter[circuit, row] = False
    wanted = np.zeros(registers + gates, np.bool_)
    for row in range(machine.register_row, machine.register_row + registers):
        matter[circuit, row] = wanted[sources[circuit, row]] = True
    many = 0
    for place in range(gates - 1, -1, -1):
        gate, kind_row = place, machine.kind_rows[place]
        if kind_row >= 0:
            gate = sources[circuit, kind_row]
        if wanted[registers + place] or machine.kinds[gate] == WRITE:
            many += 1
            ran.gates[circuit, gates - many] = place
            if kind_row >= 0:
                matter[circuit, kind_row] = True
            first = machine.first_rows[place]
            for row in range(first, first + machine.arities[gate]):
                matter[circuit, row] = wanted[sources[circuit, row]] = True
    for place in range(many):
        ran.gates[circuit, place] = ran.gates[circuit, gates - many + place]
    ran.many[circuit] = many
