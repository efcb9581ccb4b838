"""A whole program: few states, few variables, what each step does."""

from __future__ import annotations

from typing import NamedTuple

from softmachine.programs.circuits import Store, Wires
from softmachine.programs.reachable import counted
from softmachine.programs.values import Facts, Value
from softmachine.tasks.steps import StepRule

End = None


class Test(NamedTuple):
    """Which state comes next, by whether a variable is 0."""

    value: Value
    """In terms of the variables after the step."""
    zero: Test | int | None
    """The state if it is 0, as an index or by another test; None for the end."""
    other: Test | int | None


class State(NamedTuple):
    """One state of a program."""

    name: str
    stores: tuple[Store, ...]
    updates: dict[int, Value]
    """What variables become, in terms of those before the step."""
    follow: Test | int | None
    """Which state comes next; None for the end."""
    facts: Facts
    """What is known not to be 0 whenever the program is in this state."""
    known: tuple[Value, ...]
    """What each register of the machine holds there, in terms of variables."""
    gates: dict[int, str]
    """For the updates, the wiring they come from."""
    wires: Wires
    patterns: tuple[str, ...]
    """Which registers are 0, for all situations it stands for: 1 for a register that is."""


class Program(NamedTuple):
    """An algorithm: states, and variables that are registers, or registers plus constants."""

    states: tuple[State, ...]
    """The first one is where it starts; none for a machine that never changes a cell."""
    names: dict[int, str]
    """What the variables are called."""
    offsets: dict[int, int]
    """How much larger a variable is than its register."""
    steps: StepRule
    """How many steps there are."""
    registers: int
    """How many the machine has; the variable of this number is the steps that are left."""
    unbounded: bool = False
    """Whether it takes lists as they are: with zeros behind them without end, and numbers that
    become as large as they need to, as in a machine whose memory is large enough. Otherwise a
    list is the whole memory, and sums are modulo its length."""
    observed: int = 0
    """On how many examples its states were observed; 0 if they follow from the circuits."""

    @property
    def counts_steps(self) -> bool:
        """Whether the program ends by counting its steps, and in no other way."""
        return not counted(self.steps)
