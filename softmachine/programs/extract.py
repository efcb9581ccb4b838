"""From a trained Neural Random-Access Machine to its program."""

from __future__ import annotations

import itertools

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from softmachine.errors import SoftmachineError
from softmachine.machines.gates import find_gates
from softmachine.machines.nram import MLP, NRAM
from softmachine.machines.nram_hard import hard_wiring
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
    table = {}
    for pattern in itertools.product((False, True), repeat=registers):
        _, hidden = machine.controller((), jnp.asarray(pattern, jnp.float32))
        table[0, pattern] = Entry(wires(machine, hidden), 0)
    return table


def wires(machine: NRAM, hidden: Float[Array, " hidden"]) -> Wires:
    """Return the most likely choices, given what the controller says."""
    plan = machine.plan
    chosen = hard_wiring(machine, hidden)
    sources = np.asarray(chosen.sources).tolist()
    logits = np.asarray(machine.prepare().output(hidden)).reshape(plan.inside.shape)
    real = plan.inside.sum(axis=1) > 1
    best = np.sort(np.where(plan.inside, logits, -np.inf)[real], axis=1)
    margins = [*(best[:, -1] - best[:, -2]), abs(float(machine.stop(hidden)[0]))]
    uses, row, names = [], 0, []
    for gate in find_gates(machine.config.gates):
        inputs = tuple(sources[row : row + gate.arity])
        row += 2 if gate.arity else 0
        name = gate.name + "'" * names.count(gate.name)
        uses.append(GateUse(gate.name, name, inputs, gate.memory))
        names.append(gate.name)
    return Wires(
        tuple(uses),
        tuple(sources[row:]),
        machine.config.write_returns == "value",
        bool(chosen.stop),
        float(min(margins)),
    )
