"""From a trained Neural Random-Access Machine to its program."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from softmachine.errors import SoftmachineError
from softmachine.machines.gates import find_gates
from softmachine.machines.nram import MLP, NRAM, NRAMConfig
from softmachine.machines.nram_hard import hard_wirings
from softmachine.programs.circuits import GateUse, Wires
from softmachine.programs.program import Program, build_program
from softmachine.programs.reachable import Entry, Table
from softmachine.tasks.memory import MemoryTask

MOST_REGISTERS = 12
"""A controller without a state is asked about every pattern of zeros."""


def extract(machine: NRAM, task: MemoryTask) -> Program:
    """Return the program of a machine that is given as many steps as the task says.

    Raises SoftmachineError if the machine does not fold into a program.
    """
    return build_program(controller_table(machine), task.step_rule(), proven=True)


def controller_table(machine: NRAM) -> Table:
    """Return what a controller without a state does for every pattern of zeros.

    Raises SoftmachineError for a controller with a state, or too many registers.
    """
    if not isinstance(machine.controller, MLP):
        raise SoftmachineError("a recurrent controller has no table of patterns")
    registers = machine.config.registers
    if registers > MOST_REGISTERS:
        raise SoftmachineError(
            f"{registers} registers have too many patterns of zeros to look at all; at most "
            f"{MOST_REGISTERS} are possible"
        )
    wirings = hard_wirings(machine)
    sources, stops = np.asarray(wirings.sources).tolist(), np.asarray(wirings.stop).tolist()
    patterns = itertools.product((False, True), repeat=registers)
    # In a pattern's number it is the first register that changes fastest.
    return {
        (0, pattern[::-1]): Entry(wires(machine.config, sources[i], stops[i]), 0)
        for i, pattern in enumerate(patterns)
    }


def wires(config: NRAMConfig, sources: Sequence[int], stop: bool) -> Wires:
    """Return the choices of one step, given the slot that each row of choices takes."""
    uses, row, names = [], 0, []
    for gate in find_gates(config.gates):
        inputs = tuple(sources[row : row + gate.arity])
        row += 2 if gate.arity else 0
        name = gate.name + "'" * names.count(gate.name)
        uses.append(GateUse(gate.name, name, inputs, gate.memory))
        names.append(gate.name)
    returns = config.write_returns == "value"
    return Wires(tuple(uses), tuple(sources[row:]), returns, stop)
