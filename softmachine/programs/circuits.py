"""One step of a hard machine, executed symbolically: its stores and its new registers.

The controller's choices say how gates are wired. Running the gates on symbolic values removes
dead gates, since only stores and registers are kept; folds constants; and drops stores that
write what the cell holds already.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from softmachine.programs.values import (
    ZERO,
    Apply,
    Facts,
    Load,
    Register,
    Value,
    apply,
    constant,
    difference,
    of,
    total,
)


class Store(NamedTuple):
    """A cell that a step overwrites."""

    address: Value
    value: Value
    gates: str
    """The gates that it comes from, such as ``WRITE(ADD(r3, r2), READ(r4))``."""
    slot: int
    """The slot of the WRITE gate; see `GateUse.inputs`."""


class Circuit(NamedTuple):
    """The effect of one step, in terms of the registers and the memory before it."""

    stores: tuple[Store, ...]
    """In the order in which they happen."""
    registers: tuple[Value, ...]
    """The new value of each register; `Load.after` counts `stores`."""
    stop: bool
    """Whether the machine stops after this step."""
    gates: tuple[str, ...]
    """For each register, the gates that its new value comes from."""

    def effect(self, live: set[int]) -> tuple:
        """Return the observable effect: stores, and new values of the live registers.

        Circuits with the same effect are interchangeable.
        """
        stores = tuple((store.address, store.value) for store in self.stores)
        kept = tuple(value if i in live else None for i, value in enumerate(self.registers))
        return stores, kept


class GateUse(NamedTuple):
    """One gate of a step and the sources of its inputs."""

    gate: str
    name: str
    """`gate`, with a number if the machine has several of this kind: ``READ 2``."""
    inputs: tuple[int, ...]
    """For each argument, the slot it is read from. Slots are registers, then gates."""
    memory: str
    """``read``, ``write``, or empty for a gate that does not touch the memory."""


class Wires(NamedTuple):
    """All choices of the controller in one step, used or not."""

    gates: tuple[GateUse, ...]
    registers: tuple[int, ...]
    """For each register, the slot that it takes its next value from."""
    returns_written: bool
    """Whether the output of WRITE is the value written; otherwise it is 0."""
    stop: bool
    """Whether the machine stops after this step."""

    def names(self) -> list[str]:
        """Return the names of the slots: registers, then gates."""
        registers = [f"r{i + 1}" for i in range(len(self.registers))]
        return registers + [use.name for use in self.gates]


def build_circuit(wired: Wires, registers: Sequence[Value], facts: Facts) -> Circuit:
    """Execute one step symbolically and return its effect.

    Arguments:
        wired: how the gates are wired.
        registers: the values in the registers before the step; more than there are registers
            are ignored.
        facts: what is known of these values.
    """
    known = list(registers[: len(wired.registers)])
    texts = [f"r{i + 1}" for i in range(len(known))]
    stores: list[Store] = []
    for use in wired.gates:
        inputs = tuple(known[slot] for slot in use.inputs)
        text = ", ".join(texts[slot] for slot in use.inputs)
        text = f"{use.gate}({text})" if text else use.gate
        if use.memory == "read":
            result = load(stores, inputs[0], facts)
        elif use.memory == "write":
            if load(stores, inputs[0], facts) != inputs[1]:
                stores.append(Store(inputs[0], inputs[1], text, len(known)))
            result = inputs[1] if wired.returns_written else ZERO
        else:
            result = apply(use.gate, inputs, facts)
        known.append(result)
        texts.append(text)
    kept = tuple(known[slot] for slot in wired.registers)
    return Circuit(tuple(stores), kept, wired.stop, tuple(texts[s] for s in wired.registers))


def load(stores: Sequence[Store], address: Value, facts: Facts) -> Value:
    """Return the content of a cell after some stores, forwarded from a store if possible."""
    for count in range(len(stores), 0, -1):
        store = stores[count - 1]
        if difference(store.address, address) == 0:
            return store.value
        if not facts.differ(store.address, address):
            return of(Load(address, count))
    return of(Load(address, 0))


def loads_in(value: Value) -> list[Load]:
    """Return all loads in a value, nested ones first, each once."""
    found: dict[Load, None] = {}
    for atom, _ in value.terms:
        inner = (
            [atom.address]
            if isinstance(atom, Load)
            else list(atom.arguments)
            if isinstance(atom, Apply)
            else []
        )
        for part in inner:
            found.update(dict.fromkeys(loads_in(part)))
        if isinstance(atom, Load):
            found[atom] = None
    return list(found)


def replace_registers(value: Value, known: dict[int, Value]) -> Value:
    """Return a value with other values substituted for some registers.

    Meant for changes of variables: gates are not simplified anew, only sums.
    """
    parts = [(constant(value.constant), 1)]
    for atom, factor in value.terms:
        if isinstance(atom, Register):
            new = known.get(atom.number, of(atom))
        elif isinstance(atom, Load):
            new = of(Load(replace_registers(atom.address, known), atom.after))
        else:
            arguments = tuple(replace_registers(a, known) for a in atom.arguments)
            new = of(Apply(atom.gate, arguments))
        parts.append((new, factor))
    return total(*parts)
