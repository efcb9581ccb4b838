"""Extraction: from a trained machine to its program; how it is done for an NRAM."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

from softmachine.core.capabilities import HardForm
from softmachine.core.errors import SoftmachineError
from softmachine.machines.machine import Machine
from softmachine.machines.nram.controller import MLP
from softmachine.machines.nram.nram import NRAM, NRAMConfig
from softmachine.machines.nram.rows import numbered
from softmachine.machines.nram.soft_gates import SoftGateNRAM
from softmachine.programs.build import build_program
from softmachine.programs.circuits import GateUse, Wires
from softmachine.programs.observed import EXAMPLES_EACH, LARGEST_SIZES, observed_table
from softmachine.programs.program import Program
from softmachine.programs.reachable import Transition, TransitionTable
from softmachine.tasks.memory import MemoryTask
from softmachine.tasks.task import Task
from softmachine.wiring.table import WiringTable, read_wiring


class Transitions(NamedTuple):
    """What a machine does in each of its states."""

    table: TransitionTable
    observed: int
    """On how many examples that was observed; 0: it is so for all memories."""


Reader = Callable[[Any, MemoryTask], Transitions]
"""Reads the transitions off a trained machine, whose task says what it may be observed on."""
_READERS: dict[type[Machine], Reader] = {}
R = TypeVar("R", bound=Reader)


def reads(machine: type[Machine]) -> Callable[[R], R]:
    """Return a decorator that registers how transitions are read off a class of machines.

    A subclass, which may take other steps, does not have its parent's.
    """

    def register(reader: R) -> R:
        _READERS[machine] = reader
        return reader

    return register


def extractable(machine: Machine, task: Task) -> tuple[HardForm, MemoryTask]:
    """Return a machine and its task as what a program can be extracted from.

    Raises SoftmachineError if nobody knows how to read transitions off such a machine, or if
    the task is not one on memories.
    """
    name = type(machine).__name__
    if type(machine) not in _READERS or not isinstance(machine, HardForm):
        known = ", ".join(kind.__name__ for kind in _READERS)
        raise SoftmachineError(
            f"no program can be made of machines such as {name}, but of {known}"
        )
    if not isinstance(task, MemoryTask):
        raise SoftmachineError(
            f"programs are of tasks on memories, and {type(task).__name__} is none"
        )
    return machine, task


def can_extract(machine: Machine, task: Task) -> bool:
    """Return whether a program can be extracted from such a machine on such a task."""
    try:
        extractable(machine, task)
    except SoftmachineError:
        return False
    return True


def extract(machine: Machine, task: Task) -> Program:
    """Return the program that a machine runs when every choice is its most likely one.

    With a feed-forward controller it holds for all memories. With a recurrent one it reproduces
    what was observed on examples of the task; see `softmachine.programs.observed`.

    Arguments:
        machine: the trained machine, of a class that `reads` knows.
        task: its task, on memories, which says how many steps a memory asks for.

    Raises:
        SoftmachineError: there is no way to extract a program from such a machine or for such
            a task (`extractable`), the machine has too many states for a program, or the task
            has no rule for the number of steps.
    """
    _, memory_task = extractable(machine, task)
    try:
        rule = memory_task.step_rule()
    except ValueError as error:
        raise SoftmachineError(str(error)) from error
    transitions = _READERS[type(machine)](machine, memory_task)
    program = build_program(transitions.table, rule)
    return program._replace(observed=transitions.observed, unbounded=memory_task.unbounded)


@reads(SoftGateNRAM)
@reads(NRAM)
def nram_transitions(machine: NRAM, task: MemoryTask) -> Transitions:
    """Return the transitions of an NRAM: all patterns, or those that were observed."""
    if isinstance(machine.controller, MLP):
        return Transitions(controller_table(machine), 0)
    table = observed_table(machine, task, partial(wires, machine.config))
    return Transitions(table, EXAMPLES_EACH * len(LARGEST_SIZES))


def controller_table(machine: NRAM) -> TransitionTable:
    """Return the transition table of a feed-forward controller: all patterns of zeros.

    Raises SoftmachineError for a recurrent controller, or too many registers to list patterns.
    """
    return transition_table(machine.config, read_wiring(machine))


def transition_table(config: NRAMConfig, wiring: WiringTable) -> TransitionTable:
    """Return the transition table of a controller with given wires for all patterns."""
    sources, stops = wiring.sources.tolist(), wiring.stop.tolist()
    patterns = itertools.product((False, True), repeat=config.registers)
    # Patterns are numbered with the first register as the lowest bit: the reverse of product.
    return {
        (0, pattern[::-1]): Transition(wires(config, sources[i], stops[i]), 0)
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
    gates = [table.gate_at(place, sources) for place in range(len(table.of_gate))]
    names = numbered([gate.name for gate in gates])
    uses = tuple(
        GateUse(gate.name, name, tuple(sources[row] for row in rows[: gate.arity]), gate.memory)
        for gate, name, rows in zip(gates, names, table.of_gate, strict=True)
    )
    registers = tuple(sources[row] for row in table.of_registers)
    return Wires(uses, registers, config.write_returns == "value", stop)
