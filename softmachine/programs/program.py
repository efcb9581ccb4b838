"""The extracted program as data: a control-flow graph over few variables.

Its nodes are states, each one step of the machine: stores and assignments that happen at once.
Its edges are decision trees that test variables for 0.
"""

from __future__ import annotations

from typing import NamedTuple

from softmachine.programs.circuits import Store, Wires
from softmachine.programs.reachable import tracks_steps_left
from softmachine.programs.values import Facts, Value
from softmachine.tasks.steps import StepRule

END = None
"""The successor of a state after which the program ends."""


class Branch(NamedTuple):
    """A conditional branch: which state comes next, by whether a value is 0."""

    value: Value
    """What is tested, in terms of the variables after the step."""
    zero: Successor
    """Where to go if it is 0."""
    nonzero: Successor
    """Where to go otherwise."""


Successor = Branch | int | None
"""Which state comes next: a decision tree, the index of a state, or `END`."""


class State(NamedTuple):
    """One state of a program: a step of the machine, and which state comes next.

    Variables are numbered like the registers they come from.
    """

    name: str
    stores: tuple[Store, ...]
    """The cells it overwrites, in this order."""
    updates: dict[int, Value]
    """New values of the variables that change, in terms of the variables before the step."""
    successor: Successor
    facts: Facts
    """What is known not to be 0 whenever the program is in this state."""
    known: tuple[Value, ...]
    """What each register of the machine holds before the step, in terms of variables."""
    gates: dict[int, str]
    """For each variable, the gates that its new value comes from, such as ``INC(r1)``."""
    wires: Wires
    patterns: tuple[str, ...]
    """The situations it stands for, as patterns of zeros: a digit for each register, 1 if it
    is 0."""


class Program(NamedTuple):
    """An algorithm: states and variables, each variable a register plus a constant."""

    states: tuple[State, ...]
    """It starts in the first one. Empty for a machine that never changes a cell."""
    names: dict[int, str]
    """The names of the variables."""
    offsets: dict[int, int]
    """By how much a variable is larger than its register; 0 if it is not there."""
    steps: StepRule
    """How many steps the machine takes."""
    registers: int
    """How many registers the machine has. The variable with this number is the steps left."""
    unbounded: bool = False
    """True: numbers are integers of any size, and the memory is a list followed by zeros
    without end, as in a machine whose memory is large enough. False: the list is the whole
    memory, and numbers are modulo its length."""
    observed: int = 0
    """On how many examples its states were observed; 0 if they were derived from the wires, for
    all memories."""

    @property
    def counts_steps(self) -> bool:
        """Whether the program counts its steps up to `steps`, and ends in no other way."""
        return not tracks_steps_left(self.steps)
