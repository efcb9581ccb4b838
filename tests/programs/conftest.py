"""Machines as tables of wires, and a plain interpreter of them, for tests of programs."""

import itertools
import random
import sys

import pytest

from softmachine.programs.circuits import GateUse, Wires
from softmachine.programs.reachable import Transition

# ruff: noqa: ARG005
GATES = {
    "READ": (1, "read", None),
    "ZERO": (0, "", lambda n: 0),
    "ONE": (0, "", lambda n: 1),
    "TWO": (0, "", lambda n: 2),
    "INC": (1, "", lambda a, n: (a + 1) % n),
    "ADD": (2, "", lambda a, b, n: (a + b) % n),
    "SUB": (2, "", lambda a, b, n: (a - b) % n),
    "DEC": (1, "", lambda a, n: (a - 1) % n),
    "LESS-THAN": (2, "", lambda a, b, n: int(a < b)),
    "LESS-OR-EQUAL-THAN": (2, "", lambda a, b, n: int(a <= b)),
    "EQUALITY-TEST": (2, "", lambda a, b, n: int(a == b)),
    "MIN": (2, "", lambda a, b, n: min(a, b)),
    "MAX": (2, "", lambda a, b, n: max(a, b)),
    "WRITE": (2, "write", None),
}


def make_wires(gates, inputs, registers, *, stop=False, returns_written=False):
    """Return wires; ``inputs`` has the slots of each gate's arguments."""
    uses = tuple(
        GateUse(name, name, tuple(slots), GATES[name][1])
        for name, slots in zip(gates, inputs, strict=True)
    )
    return Wires(uses, tuple(registers), returns_written, stop)


def wires_by_name(gates, registers, circuit, *, stop=False):
    """Return wires from ``{"ADD": "r1 r2", "r1": "ADD"}``; what is left out takes r1."""
    names = [f"r{i + 1}" for i in range(registers)] + list(gates)
    inputs = [
        [names.index(word) for word in circuit.get(gate, "r1 r1").split()][: GATES[gate][0]]
        for gate in gates
    ]
    kept = [names.index(circuit.get(f"r{i + 1}", "r1")) for i in range(registers)]
    return make_wires(gates, inputs, kept, stop=stop)


def full_table(registers, choose):
    """Return a table of ``choose(pattern)`` for all patterns of zeros."""
    patterns = itertools.product((False, True), repeat=registers)
    return {(0, pattern): Transition(choose(pattern), 0) for pattern in patterns}


def interpret(table, registers, memory, steps):
    """Return the memory that a machine leaves, one gate after another."""
    memory, n, held = list(memory), len(memory), [0] * registers
    controller = 0
    for _ in range(steps):
        entry = table[controller, tuple(value == 0 for value in held)]
        values = list(held)
        for use in entry.wires.gates:
            arguments = [values[slot] for slot in use.inputs]
            if use.memory == "read":
                values.append(memory[arguments[0]])
            elif use.memory == "write":
                memory[arguments[0]] = arguments[1]
                values.append(arguments[1] if entry.wires.returns_written else 0)
            else:
                values.append(GATES[use.gate][2](*arguments, n))
        held = [values[slot] for slot in entry.wires.registers]
        controller = entry.controller
        if entry.wires.stop:
            break
    return memory


def random_table(seed):
    """Return how many registers a random machine has, and its table."""
    rng = random.Random(seed)
    registers = rng.randint(1, 4)
    gates = list(GATES) * rng.choice([1, 1, 2])
    if rng.random() < 0.5:
        gates = rng.sample(gates, rng.randint(3, len(gates)))
    if "WRITE" not in gates:
        gates.append("WRITE")
    returns_written, stops = rng.random() < 0.2, rng.choice([0, 0, 0.3])

    def choose(pattern=None):
        del pattern
        inputs = [
            [rng.randrange(registers + i) for _ in range(GATES[gate][0])]
            for i, gate in enumerate(gates)
        ]
        slots = registers + len(gates)
        kept = [rng.randrange(slots) if rng.random() < 0.7 else i for i in range(registers)]
        stop = rng.random() < stops
        return make_wires(gates, inputs, kept, stop=stop, returns_written=returns_written)

    few = [choose() for _ in range(rng.randint(1, 3))]
    alike = rng.random() < 0.8
    return registers, full_table(
        registers, (lambda pattern: rng.choice(few)) if alike else choose
    )


@pytest.fixture(scope="session")
def tables():
    """Return this module."""
    return sys.modules[__name__]
