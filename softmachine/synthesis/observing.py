"""Programs without what no input ever does: states that are not met, steps that never happen.

A program made of a controller's whole table has a state for whatever might happen, as far as
that can be told from the wires. A person's function has a domain; so it is run on many inputs
of it, and the program is made of what the machine did there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from softmachine.machines.nram.nram import NRAMConfig
from softmachine.programs.build import build_program
from softmachine.programs.extraction import wires
from softmachine.programs.program import Program
from softmachine.programs.reachable import Transition, TransitionTable
from softmachine.tasks.steps import StepRule
from softmachine.wiring.table import WiringTable, live_rows

SUMS = ("ADD", "SUB")
"""Gates whose result may have one bit more than their arguments."""
FIRST_BITS = 64
"""More bits than a number of an example has, and what other gates may add to it in a run."""


class Watched(NamedTuple):
    """What a machine did on one memory."""

    memory: Mapping[int, int]
    """The memory afterwards: cells by their address; those that are missing hold 0."""
    patterns: list[int]
    """The pattern of zeros before each step."""


class HardMachine:
    """A hard machine, run one memory at a time in Python integers."""

    def __init__(self, config: NRAMConfig, table: WiringTable) -> None:
        self.config, self.table = config, table
        self._plans: dict[int, list[tuple]] = {}

    def run(self, before: Sequence[int], steps: int) -> Watched:
        """Run the machine in a memory with so many cells that no sum goes round.

        Only the cells that are met are held; ``before`` are the first ones, the others are 0.
        """
        memory = defaultdict(int, enumerate(before))
        cells = 1 << FIRST_BITS + sum(map(self.config.gates.count, SUMS)) * steps
        registers = [0] * self.config.registers
        seen = []
        for _ in range(steps):
            pattern = sum(1 << i for i, value in enumerate(registers) if value == 0)
            seen.append(pattern)
            registers = self._step(pattern, registers, memory, cells)
            if self.table.stop[pattern]:
                break
        return Watched(memory, seen)

    def _step(
        self, pattern: int, registers: list[int], memory: defaultdict[int, int], n: int
    ) -> list[int]:
        slots = dict(enumerate(registers))
        for slot, gate, inputs in self._plan(pattern):
            arguments = [slots[i] for i in inputs]
            if gate.memory == "read":
                slots[slot] = memory[arguments[0]]
            elif gate.memory == "write":
                memory[arguments[0]] = arguments[1]
                slots[slot] = arguments[1] * (self.config.write_returns == "value")
            else:
                slots[slot] = int(gate.integer(*arguments, n))
        sources = self.table.sources[pattern]
        return [slots[int(sources[row])] for row in self.config.rows.of_registers]

    def _plan(self, pattern: int) -> list[tuple]:
        """Return the gates of a circuit on which something depends, in their order."""
        if pattern not in self._plans:
            rows, sources = self.config.rows, self.table.sources[pattern]
            live = {*live_rows(self.config, sources)}
            wanted = {int(sources[row]) for row in rows.of_registers}
            wanted |= {int(sources[row]) for row in live}
            plan = []
            for place, of_gate in enumerate(rows.of_gate):
                gate = rows.gate_at(place, sources)
                slot = self.config.registers + place
                if slot in wanted or gate.memory == "write":
                    inputs = tuple(int(sources[row]) for row in of_gate[: gate.arity])
                    plan.append((slot, gate, inputs))
            self._plans[pattern] = plan
        return self._plans[pattern]


def observed_program(
    machine: HardMachine, rule: StepRule, runs: Iterable[Sequence[int]]
) -> Program:
    """Return the program of what a machine did; numbers in it are unbounded.

    Arguments:
        machine: the machine.
        rule: how many steps it takes.
        runs: the patterns that were met in each run, in their order.

    Raises:
        SoftmachineError: it has too many states.
    """
    pairs = {
        (before, after)
        for patterns in runs
        for before, after in zip([None, *patterns], patterns, strict=False)
    }
    first = {pair[1] for pair in pairs if pair[0] is None}
    if not first:
        return Program((), {}, {}, rule, machine.config.registers, unbounded=True)
    programs = []
    for follows in (True, False):
        table = _table(machine, pairs, follows)
        found = build_program(table, rule)._replace(unbounded=True)
        programs.append(found)
    # Whether it helps to know what came before depends on the machine.
    return min(programs, key=_length)


def _length(program: Program) -> tuple[int, int]:
    """Return how large a program is: states, and what they do."""
    return len(program.states), sum(
        len(state.stores) + len(state.updates) for state in program.states
    )


def _table(
    machine: HardMachine, pairs: set[tuple[int | None, int]], follows: bool
) -> TransitionTable:
    """Return the transitions that were seen.

    ``follows``: the pattern before belongs to a state, so that a pattern comes only after those
    that it came after.
    """
    table: dict = {}
    for before, pattern in pairs:
        bits = tuple(bool(pattern >> i & 1) for i in range(machine.config.registers))
        sources = machine.table.sources[pattern].tolist()
        known = wires(machine.config, sources, bool(machine.table.stop[pattern]))
        state = 0 if before is None or not follows else before + 1
        table[state, bits] = Transition(known, pattern + 1 if follows else 0)
    return table
