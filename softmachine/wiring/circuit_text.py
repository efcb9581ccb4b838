"""A small language for circuits: what a machine does in each situation, one line for each wire.

    registers 2
    gates READ ADD WRITE INC

    when r1 == 0 and r2 == 0:
        WRITE(r1, ADD(READ(r1), READ(r1)))
        r1 = INC(r1)
    else:
        WRITE(r1, ADD(READ(r1), READ(r1)))
        r1 = INC(r1)
        stop

The first ``when`` that fits counts. Registers that no line names keep what they hold; all lines
speak of the registers before the step. A gate works once in a step: two different uses need two
gates of that name, taken in their order. A machine with a WRITE writes in every step; where no
line says what, it writes back what it reads.
"""

from __future__ import annotations

import ast
import re
from typing import NamedTuple

import numpy as np

from softmachine.core.errors import SoftmachineError
from softmachine.machines.nram.gates import find_gates
from softmachine.machines.nram.nram import NRAMConfig
from softmachine.wiring.table import MOST_REGISTERS, WiringTable


class _Circuit(NamedTuple):
    line: int
    met: np.ndarray
    """Which patterns of zeros it is for."""
    lines: list[tuple[int, str]]


def parse_circuits(text: str) -> tuple[NRAMConfig, WiringTable]:
    """Return the machine and the table that a text describes.

    Raises SoftmachineError, naming the line, if it is malformed or cannot be wired.

    >>> config, table = parse_circuits('''
    ... registers 1
    ... gates READ INC WRITE
    ... else:
    ...     WRITE(r1, READ(r1))
    ...     r1 = INC(r1)
    ... ''')
    >>> config.gates, table.sources.shape
    (('READ', 'INC', 'WRITE'), (2, 7))
    """
    head, circuits = {}, []
    registers = 0
    for number, line in enumerate(text.split("\n"), 1):
        plain = line.split("#")[0].rstrip()
        if not plain.strip():
            continue
        if plain[0] in " \t":
            if not circuits:
                raise SoftmachineError(f"line {number}: there is no when or else before it")
            circuits[-1].lines.append((number, plain.strip()))
        elif plain.endswith(":"):
            if not registers:
                raise SoftmachineError(f"line {number}: first say how many: registers 3")
            met = _condition(plain[:-1].strip(), registers, number)
            circuits.append(_Circuit(number, met, []))
        else:
            word, *rest = plain.split()
            if word not in ("registers", "gates", "writes"):
                raise SoftmachineError(
                    f"line {number}: {word!r} begins nothing; there are registers, gates, "
                    "writes, when and else"
                )
            head[word] = rest
            if word == "registers":
                registers = _registers(rest, number)
    if not circuits:
        raise SoftmachineError("line 1: there is no circuit: no line begins with when or else")
    if "gates" not in head:
        raise SoftmachineError("line 1: the gates are missing, in the order in which they work")
    try:
        config = NRAMConfig(
            registers=registers,
            gates=tuple(head["gates"]),
            write_returns=(head.get("writes") or ["zero"])[0],  # pyright: ignore
        )
    except ValueError as error:
        raise SoftmachineError(f"line 1: {error}") from error
    sources = np.zeros((2**registers, len(config.rows)), np.int32)
    stop, said = np.zeros(2**registers, bool), np.zeros(2**registers, bool)
    for circuit in circuits:
        row, ends = _wire(config, circuit)
        new = circuit.met & ~said
        sources[new], stop[new] = row, ends
        said |= circuit.met
    if not said.all():
        pattern = int(np.argmin(said))
        states = [f"r{i + 1} {'==' if pattern >> i & 1 else '!='} 0" for i in range(registers)]
        raise SoftmachineError(
            f"line {circuits[-1].line}: nothing is said for {' and '.join(states)}"
        )
    return config, WiringTable(sources, stop)


def _registers(rest: list[str], number: int) -> int:
    if len(rest) != 1 or not re.fullmatch(r"\d{1,2}", rest[0]):
        raise SoftmachineError(f"line {number}: registers takes one number")
    count = int(rest[0])
    if not 1 <= count <= MOST_REGISTERS:
        raise SoftmachineError(
            f"line {number}: from 1 to {MOST_REGISTERS} registers, not {count}"
        )
    return count


def _condition(text: str, registers: int, number: int) -> np.ndarray:
    """Return which patterns a ``when`` or an ``else`` is for."""
    met = np.ones(2**registers, bool)
    if text == "else":
        return met
    if not text.startswith("when "):
        raise SoftmachineError(f"line {number}: expected when ...: or else:, not {text!r}")
    for part in text.removeprefix("when ").split(" and "):
        found = re.fullmatch(r"r(\d+)\s*(==|!=)\s*0", part.strip())
        if not found or not 1 <= int(found[1]) <= registers:
            raise SoftmachineError(
                f"line {number}: {part.strip()!r} is no test such as r1 == 0 or "
                f"r{registers} != 0"
            )
        zero = (np.arange(2**registers) >> (int(found[1]) - 1) & 1).astype(bool)
        met &= zero if found[2] == "==" else ~zero
    return met


class _Wiring:
    """The wires of one circuit, while its lines are read."""

    def __init__(self, config: NRAMConfig) -> None:
        self.config, self.rows = config, config.rows
        self.gates = find_gates(config.gates)
        self.sources = self.rows.idle()
        self.sources[list(self.rows.of_registers)] = range(config.registers)
        self.used: dict[int, tuple[int, ...]] = {}

    def slot(self, node: ast.expr) -> int:
        """Return the slot that holds an expression; ValueError if it cannot be wired."""
        if isinstance(node, ast.Name) and (found := re.fullmatch(r"r(\d+)", node.id)):
            if not 1 <= int(found[1]) <= self.config.registers:
                raise ValueError(f"there is no register {node.id}")
            return int(found[1]) - 1
        name, arguments = _applied(node)
        inputs = tuple(self.slot(argument) for argument in arguments)
        return self.gate(name, inputs)

    def gate(self, name: str, inputs: tuple[int, ...]) -> int:
        """Return the slot of a gate with these inputs: one that has them, or the next free."""
        places = [i for i, gate in enumerate(self.gates) if gate.name == name]
        if not places:
            raise ValueError(
                f"there is no gate {name}; the gates are {' '.join(self.config.gates)}"
            )
        if self.gates[places[0]].arity != len(inputs):
            raise ValueError(f"{name} takes {self.gates[places[0]].arity} arguments")
        for place in places:
            if self.used.get(place) == inputs:
                return self.config.registers + place
        for place in places:
            if place not in self.used and all(
                x < self.config.registers + place for x in inputs
            ):
                self.used[place] = inputs
                self.sources[list(self.rows.of_gate[place])] = inputs
                return self.config.registers + place
        free = [place for place in places if place not in self.used]
        why = "comes before what it takes" if free else "is used already"
        raise ValueError(
            f"{name} {why}: a gate works once in a step, in the order of the gates"
        )


def _applied(node: ast.expr) -> tuple[str, list[ast.expr]]:
    """Return the name of a gate and its arguments."""
    if isinstance(node, ast.Call) and not node.keywords:
        return _gate_name(node.func), node.args
    return _gate_name(node), []


def _gate_name(node: ast.expr) -> str:
    # LESS-THAN reads as a difference.
    text = ast.unparse(node).replace(" ", "")
    if not re.fullmatch(r"[A-Z][A-Z-]*", text):
        raise ValueError(f"{ast.unparse(node)!r} is no gate and no register")
    return text


def _wire(config: NRAMConfig, circuit: _Circuit) -> tuple[np.ndarray, bool]:
    """Return the source of every row of choices, and whether the machine stops."""
    wiring, stops = _Wiring(config), False
    nexts: dict[int, int] = {}
    for number, line in circuit.lines:
        try:
            if line == "stop":
                stops = True
            elif found := re.fullmatch(r"r(\d+)\s*=\s*(.+)", line):
                register = int(found[1])
                if not 1 <= register <= config.registers:
                    raise ValueError(f"there is no register r{register}")
                nexts[register - 1] = wiring.slot(_expression(found[2]))
            elif line.startswith("WRITE"):
                wiring.slot(_expression(line))
            else:
                raise ValueError("expected WRITE(address, value), r1 = ... or stop")
        except ValueError as error:
            raise SoftmachineError(f"line {number}: {error}") from error
    _write_back(wiring, circuit)
    for register, slot in nexts.items():
        wiring.sources[config.rows.of_registers[register]] = slot
    return wiring.sources, stops


def _expression(text: str) -> ast.expr:
    # A gate's name with a hyphen, before a bracket, is one name.
    plain = re.sub(r"[A-Z]+(?:-[A-Z]+)+", lambda m: m[0].replace("-", "_"), text)
    try:
        node = ast.parse(plain, mode="eval").body
    except SyntaxError as error:
        raise ValueError(f"{text!r} is no expression: {error.msg}") from error
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            part.id = part.id.replace("_", "-")
    return node


def _write_back(wiring: _Wiring, circuit: _Circuit) -> None:
    """Let every WRITE that no line uses write what its cell holds."""
    registers = wiring.config.registers
    for place, gate in enumerate(wiring.gates):
        if gate.memory != "write" or place in wiring.used:
            continue
        reads = [i for i in range(place) if wiring.gates[i].memory == "read"]
        writes = [i for i, g in enumerate(wiring.gates[:place]) if g.memory == "write"]
        fit = [
            i for i in reads if i not in wiring.used or wiring.used[i][0] < registers + place
        ]
        fit = [i for i in fit if not any(w > i for w in writes if w in wiring.used)]
        if not fit:
            raise SoftmachineError(
                f"line {circuit.line}: WRITE works in every step, and no READ before it is "
                "free to give it what its cell holds: say what it writes"
            )
        read = next((i for i in fit if i in wiring.used), fit[0])
        address = wiring.used.get(read, (0,))[0]
        wiring.sources[wiring.rows.of_gate[read][0]] = address
        wiring.sources[list(wiring.rows.of_gate[place])] = [address, registers + read]
        wiring.used[read], wiring.used[place] = (address,), (address, registers + read)
