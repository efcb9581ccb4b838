"""Compiling: a table of wires becomes a machine that makes exactly these choices.

The way back from extraction. The controller's first layer recognises patterns of zeros: one
unit for each, which is 1 where the registers show that pattern and 0 where they show
another. What the units add to the logits makes the choices. Nothing is approximated: for
every one of the 2^R patterns of R registers the hard machine takes the table's wires, and
the soft one takes them with a probability that can be chosen.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from softmachine.core.errors import SoftmachineError
from softmachine.machines.machine import Machine
from softmachine.machines.nram.controller import MLP
from softmachine.machines.nram.hard import DECIDED
from softmachine.machines.nram.nram import NRAM, NRAMConfig, NRAMControllerConfig
from softmachine.wiring.table import MOST_REGISTERS, WiringTable, read_wiring


def compile_wiring(config: NRAMConfig, table: WiringTable, *, decided: float = DECIDED) -> NRAM:
    """Return a machine whose choices are those of a table, for every pattern of zeros.

    Arguments:
        config: registers and gates; the controller is replaced by one of the size needed.
        table: for every pattern of zeros a source for each row of choices, and whether to stop.
        decided: the logit of each choice that is made; that of all others is minus this. With
            the default the soft machine does what the hard one does; with less it is in doubt.

    Raises:
        SoftmachineError: there are too many registers, or a row has no such source.
    """
    if type(config) is not NRAMConfig:
        raise SoftmachineError(
            f"wires are compiled into machines of NRAMConfig, not {type(config).__name__}"
        )
    if config.registers > MOST_REGISTERS:
        raise SoftmachineError(f"a table has at most {MOST_REGISTERS} registers")
    _check(config, table)
    wanted = _wanted(config, table, decided)
    common = Counter(column.tobytes() for column in wanted.T).most_common(1)[0][0]
    usual = np.frombuffer(common, wanted.dtype)
    others = np.flatnonzero([column.tobytes() != common for column in wanted.T])
    hidden = max(1, len(others))
    config = dataclasses.replace(
        config, controller=NRAMControllerConfig(kind="mlp", hidden=hidden), hard=False
    )
    if config.logit_clip is not None and config.logit_clip < decided:
        config = dataclasses.replace(config, logit_clip=None)
    machine = config.build(key=jax.random.key(0))
    assert isinstance(machine.controller, MLP)
    # Unit p is relu(sum over i of s_i z_i - (zeros of p) + 1), with s_i = 1 where p has a zero
    # and -1 elsewhere: 1 if z = p, and 0 for every other pattern.
    first = np.zeros((hidden, config.registers), np.float32)
    bias = np.zeros(hidden, np.float32)
    last = np.zeros((len(wanted), hidden), np.float32)
    for unit, pattern in enumerate(others.tolist()):
        zeros = [pattern >> i & 1 for i in range(config.registers)]
        first[unit] = [1.0 if zero else -1.0 for zero in zeros]
        bias[unit] = 1.0 - sum(zeros)
        last[:, unit] = wanted[:, pattern] - usual
    replaced = {
        "first": (first, bias),
        "second": (np.eye(hidden, dtype=np.float32), np.zeros(hidden, np.float32)),
        "output": (last[:-1], usual[:-1]),
        "stop": (last[-1:], usual[-1:]),
    }
    return eqx.tree_at(
        lambda m: [
            part
            for layer in (m.controller.first, m.controller.second, m.output, m.stop)
            for part in (layer.weight, layer.bias)
        ],
        machine,
        replace=[jnp.asarray(part) for pair in replaced.values() for part in pair],
    )


def _wanted(
    config: NRAMConfig, table: WiringTable, decided: float
) -> Float[np.ndarray, "logits patterns"]:
    """Return the logits of all choices, and last that of stopping, for every pattern."""
    rows, slots = config.rows.allowed.nonzero()
    chosen = table.sources.T[rows] == slots[:, None]
    stop = table.stop[None]
    return np.where(np.concatenate([chosen, stop]), decided, -decided).astype(np.float32)


def _check(config: NRAMConfig, table: WiringTable) -> None:
    patterns, rows = 2**config.registers, len(config.rows)
    if table.sources.shape != (patterns, rows) or table.stop.shape != (patterns,):
        raise SoftmachineError(
            f"{config.registers} registers have {patterns} patterns of zeros, and these gates "
            f"{rows} rows of choices; the table has {table.sources.shape}"
        )
    counts = config.rows.sources
    wrong = (table.sources < 0) | (table.sources >= np.maximum(counts, 1))
    if wrong[:, counts > 0].any():
        pattern, row = np.argwhere(wrong & (counts > 0))[0]
        raise SoftmachineError(
            f"row {config.rows.names[row]} has {counts[row]} sources; pattern {pattern} asks "
            f"for number {table.sources[pattern, row]}"
        )


# Tables as data


def wiring_to_json(config: NRAMConfig, table: WiringTable) -> dict[str, Any]:
    """Return a machine's wires as JSON values: every choice for every pattern of zeros.

    Patterns are digits, one for each register, 1 if it is 0. A circuit is the source of every
    row: of ``READ a``, the argument of READ; of ``r1``, what register 1 holds next. Patterns
    with the same circuit stand together.
    """
    rows = config.rows
    sources = np.where(rows.sources > 0, table.sources, 0)
    circuits: dict[tuple, list[str]] = {}
    for pattern in range(len(table.stop)):
        digits = "".join(str(pattern >> i & 1) for i in range(config.registers))
        key = (*sources[pattern].tolist(), bool(table.stop[pattern]))
        circuits.setdefault(key, []).append(digits)
    return {
        "registers": config.registers,
        "gates": list(config.gates),
        "write_returns": config.write_returns,
        "circuits": [
            {
                "patterns": patterns,
                "wires": {
                    rows.names[row]: rows.slot_names[source]
                    for row, source in enumerate(key[:-1])
                    if rows.sources[row]
                },
                "stop": key[-1],
            }
            for key, patterns in circuits.items()
        ],
    }


def machine_to_json(machine: Machine) -> dict[str, Any] | None:
    """Return a machine's wires as JSON values; None if it has no table of them."""
    if type(machine) is not NRAM or not isinstance(machine.controller, MLP):
        return None
    return wiring_to_json(machine.config, read_wiring(machine))


def wiring_from_json(value: Any) -> tuple[NRAMConfig, WiringTable]:
    """Return what `wiring_to_json` wrote, or what somebody wrote by hand.

    In a circuit written by hand, wires that are left out are the first source, and registers
    that are left out keep what they hold. A digit of a pattern may be ``-``: either. Of several
    circuits for a pattern the first one counts; every pattern needs one.

    Raises SoftmachineError, saying where, if it is malformed.
    """
    if not isinstance(value, Mapping):
        raise SoftmachineError("expected an object with registers, gates and circuits")
    try:
        config = NRAMConfig(
            registers=value["registers"],
            gates=tuple(value["gates"]),
            write_returns=value.get("write_returns", "zero"),
        )
        circuits = value["circuits"]
        if config.registers > MOST_REGISTERS:
            raise ValueError(f"at most {MOST_REGISTERS} registers, not {config.registers}")
    except KeyError as error:
        raise SoftmachineError(f"the key {error} is missing") from error
    except (TypeError, ValueError) as error:
        raise SoftmachineError(f"no machine is like that: {error}") from error
    patterns = 2**config.registers
    sources = np.zeros((patterns, len(config.rows)), np.int32)
    stop, said = np.zeros(patterns, bool), np.zeros(patterns, bool)
    for number, circuit in enumerate(circuits if isinstance(circuits, Sequence) else [], 1):
        try:
            row, ends = _circuit(config, circuit)
            met = _patterns(config.registers, circuit["patterns"])
        except (KeyError, TypeError, AttributeError) as error:
            raise SoftmachineError(f"circuit {number}: {error} is missing or wrong") from error
        except ValueError as error:
            raise SoftmachineError(f"circuit {number}: {error}") from error
        new = met & ~said
        sources[new], stop[new] = row, ends
        said |= met
    if not said.all():
        digits = "".join(str(int(np.argmin(said)) >> i & 1) for i in range(config.registers))
        raise SoftmachineError(f"no circuit is for pattern {digits}")
    return config, WiringTable(sources, stop)


def _circuit(config: NRAMConfig, circuit: Mapping[str, Any]):
    rows = config.rows
    source = rows.idle()
    source[list(rows.of_registers)] = range(config.registers)
    for name, slot in circuit["wires"].items():
        if name not in rows.names or not rows.sources[rows.names.index(name)]:
            known = ", ".join(
                n for n, count in zip(rows.names, rows.sources, strict=True) if count
            )
            raise ValueError(f"there is no row {name!r} of choices; there are {known}")
        row = rows.names.index(name)
        possible = rows.slot_names[: rows.sources[row]]
        if slot not in possible:
            raise ValueError(f"{name} cannot take {slot!r}, but {', '.join(possible)}")
        source[row] = rows.slot_names.index(slot)
    ends = circuit.get("stop", False)
    if not isinstance(ends, bool):
        raise ValueError(f"stop is {ends!r}, not true or false")
    return source, ends


def _patterns(registers: int, texts: Sequence[str]):
    """Return which patterns are meant by digits such as ``1-0``."""
    met = np.zeros(2**registers, bool)
    for text in [texts] if isinstance(texts, str) else texts:
        if len(text) != registers or set(text) - set("01-"):
            raise ValueError(f"pattern {text!r} has to be {registers} of the digits 0, 1 and -")
        numbers = np.arange(2**registers)
        fits = np.ones(2**registers, bool)
        for i, digit in enumerate(text):
            if digit != "-":
                fits &= (numbers >> i & 1) == int(digit)
        met |= fits
    return met
