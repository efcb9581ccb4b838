"""Loops that a search has found: as instructions to read, and as the wires of an NRAM.

One step of the machine is one round of the loop. Conditions test registers as they were when
the step began, which is what a controller sees: it has one circuit for every pattern of zeros.
In the circuits where a write's condition does not hold, it writes what the cell holds already.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Int

from softmachine.machines.nram.controller import NRAMControllerConfig
from softmachine.machines.nram.nram import NRAM, NRAMConfig
from softmachine.synthesis.search.arrays import (
    ARITIES,
    CONSTANTS,
    INSTRUCTION,
    SELECT,
    WRITE,
    Space,
)
from softmachine.wiring.search import write_wires
from softmachine.wiring.table import WiringTable

GATES = (
    "READ", "WRITE", "INC", "DEC", "ADD", "SUB", "LESS-THAN", "LESS-OR-EQUAL-THAN",
    "EQUALITY-TEST", "MIN", "MAX",
)  # fmt: skip
"""The gate of each operation, in the order of their numbers; SELECT needs none."""
CONSTANT_GATES = ("ZERO", "ONE", "TWO")


class Instruction(NamedTuple):
    """One operation; slots are those of `Loop`."""

    operation: int
    slots: tuple[int, int]
    condition: int
    """0: none; else ``2 register + 1``: that register is 0, ``2 register + 2``: it is not."""

    @property
    def arguments(self) -> tuple[int, ...]:
        """The slots that are taken."""
        return self.slots[: ARITIES[self.operation]]

    @property
    def tested(self) -> int | None:
        """The register that the condition tests, if there is one."""
        return (self.condition - 1) // 2 if self.condition else None

    def holds(self, zeros: tuple[bool, ...]) -> bool:
        """Return whether the condition holds for a pattern of zeros."""
        tested = self.tested
        return tested is None or zeros[tested] == (self.condition % 2 == 1)


class Loop(NamedTuple):
    """A loop without anything that does not matter.

    Slots are three constants, the registers, and the results of the instructions.
    """

    constants: tuple[int, ...]
    registers: int
    instructions: tuple[Instruction, ...]
    nexts: tuple[int, ...]
    """For each register, the slot of its next value."""

    def __str__(self) -> str:
        """Return it as lines of text."""
        first = CONSTANTS + self.registers

        def name(slot: int) -> str:
            if slot < CONSTANTS:
                return str(self.constants[slot])
            return f"r{slot - CONSTANTS + 1}" if slot < first else f"t{slot - first + 1}"

        lines = []
        for i, each in enumerate(self.instructions):
            operation = (*GATES, "SELECT")[each.operation]
            inside = ", ".join(map(name, each.arguments))
            test = ""
            if each.tested is not None:
                test = f" if r{each.tested + 1} {'==' if each.condition % 2 else '!='} 0"
            result = "" if each.operation == WRITE else f"t{i + 1} = "
            lines.append(f"{result}{operation}({inside}){test}")
        moves = [f"r{k + 1} = {name(slot)}" for k, slot in enumerate(self.nexts)]
        return "\n".join([*lines, ", ".join(moves)])


def read_loop(code: Int[np.ndarray, " numbers"], space: Space) -> Loop:
    """Return the loop that an array means, without what does not matter."""
    registers = space.registers
    length = (len(code) - registers) // INSTRUCTION
    rows = code[: INSTRUCTION * length].reshape(length, INSTRUCTION).tolist()
    every = [Instruction(row[0], (row[1], row[2]), row[3]) for row in rows]
    nexts, first = code[INSTRUCTION * length :].tolist(), CONSTANTS + registers
    wanted: set[int] = set()

    def want(slot: int) -> None:
        if slot in wanted:
            return
        wanted.add(slot)
        if slot >= first:
            instruction = every[slot - first]
            for other in instruction.arguments:
                want(other)
            if instruction.tested is not None:
                want(CONSTANTS + instruction.tested)
        elif slot >= CONSTANTS:
            want(nexts[slot - CONSTANTS])

    for i, instruction in enumerate(every):
        if instruction.operation == WRITE:
            want(first + i)
    return _renumbered(space, every, nexts, wanted)


def _renumbered(
    space: Space, every: list[Instruction], nexts: list[int], wanted: set[int]
) -> Loop:
    """Return the loop of those slots that are wanted; one register is kept in any case."""
    registers = space.registers
    first = CONSTANTS + registers
    kept = [k for k in range(registers) if CONSTANTS + k in wanted] or [0]
    there = [i for i in range(len(every)) if first + i in wanted]
    number = dict.fromkeys(range(CONSTANTS + registers + len(every)), 0)
    number |= {slot: slot for slot in range(CONSTANTS)}
    number |= {CONSTANTS + k: CONSTANTS + n for n, k in enumerate(kept)}
    number |= {first + i: CONSTANTS + len(kept) + n for n, i in enumerate(there)}

    def moved(instruction: Instruction) -> Instruction:
        a, b = (number[slot] for slot in instruction.slots)
        condition = instruction.condition
        if instruction.tested is not None:
            condition += 2 * (number[CONSTANTS + instruction.tested] - CONSTANTS)
            condition -= 2 * instruction.tested
        return Instruction(instruction.operation, (a, b), condition)

    return Loop(
        tuple(int(x) for x in space.constants),
        len(kept),
        tuple(moved(every[i]) for i in there),
        tuple(number[nexts[k]] for k in kept),
    )


class WiredLoop(NamedTuple):
    """A loop as a machine's configuration and its choices."""

    config: NRAMConfig
    table: WiringTable


def wire(loop: Loop, *, once: bool) -> WiredLoop:
    """Return the wires of an NRAM that does what a loop does.

    Its gates are the constants, then those of the instructions in their order, with a READ
    before each WRITE that has a condition. ``once``: it stops after the first round.
    """
    gates = [CONSTANT_GATES[value] for value in sorted(set(loop.constants))]
    places: list[int] = []
    for instruction in loop.instructions:
        if instruction.operation == WRITE and instruction.condition:
            gates.append("READ")
        places.append(len(gates))
        if instruction.operation != SELECT:
            gates.append(GATES[instruction.operation])
    config = NRAMConfig(
        registers=loop.registers,
        gates=tuple(gates),
        controller=NRAMControllerConfig(hidden=64),
    )
    patterns = [
        tuple(bool(number >> k & 1) for k in range(loop.registers))
        for number in range(2**loop.registers)
    ]
    sources = np.stack([_circuit(loop, config, places, zeros) for zeros in patterns])
    return WiredLoop(config, WiringTable(sources, np.full(len(patterns), once)))


def _circuit(
    loop: Loop, config: NRAMConfig, places: list[int], zeros: tuple[bool, ...]
) -> Int[np.ndarray, " rows"]:
    """Return the source of every row for one pattern of zeros."""
    table, registers = config.rows, loop.registers
    sources, slots = np.zeros(len(table), np.int32), []
    values = sorted(set(loop.constants))
    slots += [registers + values.index(value) for value in loop.constants]
    slots += range(registers)
    for instruction, place in zip(loop.instructions, places, strict=True):
        a, b = (slots[slot] if slot < len(slots) else 0 for slot in instruction.slots)
        if instruction.operation == SELECT:
            slots.append(a if instruction.holds(zeros) else b)
            continue
        taken = [a, b][: len(table.of_gate[place])]
        slots.append(b if instruction.operation == WRITE else registers + place)
        if instruction.operation == WRITE and not instruction.holds(zeros):
            sources[table.of_gate[place - 1][0]] = a
            taken = [a, registers + place - 1]
        sources[list(table.of_gate[place])] = taken
    sources[list(table.of_registers)] = [slots[slot] for slot in loop.nexts]
    return sources


def build_machine(wired: WiredLoop) -> NRAM:
    """Return an NRAM whose weights choose the wires.

    Raises SoftmachineError if its hidden layer tells too few patterns apart.
    """
    machine = wired.config.build(key=jax.random.key(0))
    return write_wires(machine, wired.table, np.arange(len(wired.table.stop)))
