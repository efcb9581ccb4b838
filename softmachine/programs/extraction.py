"""Extraction: from a trained Neural Random-Access Machine to its program."""

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
from softmachine.programs.observed import EXAMPLES_EACH, LARGEST_SIZES, observed_table
from softmachine.programs.program import Program
from softmachine.programs.reachable import Transition, TransitionTable
from softmachine.tasks.memory import MemoryTask
from softmachine.wiring.table import read_wiring


def extract(machine: NRAM, task: MemoryTask) -> Program:
    """Return the program that a machine runs when every choice is its most likely one.

    With a feed-forward controller it holds for all memories. With a recurrent one it reproduces
    what was observed on examples of the task; see `softmachine.programs.observed`.

    Arguments:
        machine: the trained machine.
        task: its task, which says how many steps a memory asks for.

    Raises:
        SoftmachineError: the machine has too many states for a program, or the task has no
            rule for the number of steps.
    """
    try:
        rule = task.step_rule()
    except ValueError as error:
        raise SoftmachineError(str(error)) from error
    if isinstance(machine.controller, MLP):
        table, observed = controller_table(machine), 0
    else:
        table = observed_table(machine, task, partial(wires, machine.config))
        observed = EXAMPLES_EACH * len(LARGEST_SIZES)
    program = build_program(table, rule)
    return program._replace(observed=observed, unbounded=task.unbounded)


def controller_table(machine: NRAM) -> TransitionTable:
    """Return the transition table of a feed-forward controller: all patterns of zeros.

    Raises SoftmachineError for a recurrent controller, or too many registers to list patterns.
    """
    wiring = read_wiring(machine)
    sources, stops = wiring.sources.tolist(), wiring.stop.tolist()
    patterns = itertools.product((False, True), repeat=machine.config.registers)
    # Patterns are numbered with the first register as the lowest bit: the reverse of product.
    return {
        (0, pattern[::-1]): Transition(wires(machine.config, sources[i], stops[i]), 0)
        for i, pattern in enumerate(patterns)
    }


def wires(config: NRAMConfig, sources: Sequence[int], stop: bool) -> Wires:
    """Return the wires of one step.

    Arguments:
        config: the machine's configuration.
        sources: the slot chosen in each row of choices; see `NRAMConfig.rows`.
        stop: whether the machine stops after the step.
    """
    table = config.rows
    uses = tuple(
        GateUse(gate.name, name, tuple(sources[row] for row in rows), gate.memory)
        for gate, name, rows in zip(
            find_gates(config.gates), table.gate_names, table.of_gate, strict=True
        )
    )
    registers = tuple(sources[row] for row in table.of_registers)
    return Wires(uses, registers, config.write_returns == "value", stop)
