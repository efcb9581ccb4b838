"""One step of a hard machine as a circuit: what it stores where, what it keeps.

A circuit is built from the choices of the controller. Gates that reach neither a store nor a
register vanish, since stores and registers are written in terms of what they depend on;
constants fold, and stores that change nothing are left out.
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
    """The wiring it comes from, such as ``WRITE(ADD(r3, r2), READ(r4))``."""
    slot: int
    """The slot of the WRITE."""


class Circuit(NamedTuple):
    """What one step does, in terms of the registers and the memory before it."""

    stores: tuple[Store, ...]
    """In the order in which they happen."""
    registers: tuple[Value, ...]
    """What each register becomes; loads refer to `stores`."""
    stop: bool
    """Whether the machine stops after this step."""
    gates: tuple[str, ...]
    """For each register, the wiring that its value comes from."""

    def effect(self, live: set[int]) -> tuple:
        """Return what distinguishes circuits if only these registers matter afterwards."""
        stores = tuple((store.address, store.value) for store in self.stores)
        kept = tuple(value if i in live else None for i, value in enumerate(self.registers))
        return stores, kept


class GateUse(NamedTuple):
    """One gate of a step and where its inputs come from."""

    gate: str
    name: str
    """The gate's name, with a number for the second of that name in the machine: ``READ 2``."""
    inputs: tuple[int, ...]
    """Slots: registers first, then gates in their order."""
    memory: str
    """``read``, ``write``, or nothing."""


class Wires(NamedTuple):
    """The choices of one step, gate by gate; everything, used or not."""

    gates: tuple[GateUse, ...]
    registers: tuple[int, ...]
    """For each register, the slot that it takes its next value from."""
    returns_written: bool
    """Whether WRITE gives what it writes; otherwise 0."""
    stop: bool

    def names(self) -> list[str]:
        """Return what the slots are called: registers, then gates."""
        registers = [f"r{i + 1}" for i in range(len(self.registers))]
        return registers + [use.name for use in self.gates]


def build_circuit(wired: Wires, registers: Sequence[Value], facts: Facts) -> Circuit:
    """Return the circuit of a step that begins with these values in the registers.

    Values after those of the machine's registers are left alone.
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
    """Return what a cell holds after some stores."""
    for count in range(len(stores), 0, -1):
        store = stores[count - 1]
        if difference(store.address, address) == 0:
            return store.value
        if not facts.differ(store.address, address):
            return of(Load(address, count))
    return of(Load(address, 0))


def loads_in(value: Value) -> list[Load]:
    """Return the loads in a value, inner ones first, each once."""
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
    """Return a value with other values in place of some registers.

    For changes of variables: nothing is simplified but sums.
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
