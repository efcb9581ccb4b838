"""From a trained Neural Random-Access Machine to its program."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import partial

from softmachine.core.errors import SoftmachineError
from softmachine.machines.nram.controller import MLP
from softmachine.machines.nram.gates import find_gates
from softmachine.machines.nram.nram import NRAM, NRAMConfig
from softmachine.programs.build import build_program
from softmachine.programs.circuits import GateUse, Wires
from softmachine.programs.observed import EXAMPLES, LARGEST, observed_table
from softmachine.programs.program import Program
from softmachine.programs.reachable import Entry, Table
from softmachine.tasks.memory import MemoryTask
from softmachine.wiring.table import read_wiring


def extract(machine: NRAM, task: MemoryTask) -> Program:
    """Return the program of a machine that is given as many steps as the task says.

    That of a recurrent controller does what was seen on examples of the task; see
    `softmachine.programs.observed`.

    Raises SoftmachineError if the machine does not fold into a program, or the task cannot
    say how many steps a memory asks for.
    """
    try:
        rule = task.step_rule()
    except ValueError as error:
        raise SoftmachineError(str(error)) from error
    if isinstance(machine.controller, MLP):
        table, observed = controller_table(machine), 0
    else:
        table = observed_table(machine, task, partial(wires, machine.config))
        observed = EXAMPLES * len(LARGEST)
    program = build_program(table, rule)
    return program._replace(observed=observed, unbounded=task.unbounded)


def controller_table(machine: NRAM) -> Table:
    """Return what a controller without a state does for every pattern of zeros.

    Raises SoftmachineError for a controller with a state, or too many registers.
    """
    wiring = read_wiring(machine)
    sources, stops = wiring.sources.tolist(), wiring.stop.tolist()
    patterns = itertools.product((False, True), repeat=machine.config.registers)
    # In a pattern's number it is the first register that changes fastest.
    return {
        (0, pattern[::-1]): Entry(wires(machine.config, sources[i], stops[i]), 0)
        for i, pattern in enumerate(patterns)
    }


def wires(config: NRAMConfig, sources: Sequence[int], stop: bool) -> Wires:
    """Return the choices of one step, given the slot that each row of choices takes."""
    table = config.rows
    uses = tuple(
        GateUse(gate.name, name, tuple(sources[row] for row in rows), gate.memory)
        for gate, name, rows in zip(
            find_gates(config.gates), table.gate_names, table.of_gate, strict=True
        )
    )
    registers = tuple(sources[row] for row in table.of_registers)
    return Wires(uses, registers, config.write_returns == "value", stop)
