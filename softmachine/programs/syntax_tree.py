"""The abstract syntax tree of a program, the same for every language it is written in.

Expressions and conditions are text already, in the syntax of one language; see
`softmachine.programs.expressions`.
"""

from __future__ import annotations

from typing import NamedTuple


class Assign(NamedTuple):
    """An assignment to a variable."""

    name: str
    expression: str
    comment: str = ""


class AssignCell(NamedTuple):
    """An assignment to a memory cell."""

    address: str
    expression: str
    comment: str = ""


class If(NamedTuple):
    """A conditional; ``otherwise`` may be empty."""

    condition: str
    body: list[Statement]
    otherwise: list[Statement]


class While(NamedTuple):
    """A loop with its test at the head; an empty condition is always true."""

    condition: str
    body: list[Statement]


class Repeat(NamedTuple):
    """A loop that counts the machine's steps up to ``steps``."""

    taken: int
    """How many steps have been taken before the loop."""
    body: list[Statement]


class For(NamedTuple):
    """A loop that counts the machine's steps in a variable of its own."""

    name: str
    start: int
    """The variable's value in the first turn."""
    step: int
    """By how much it changes from turn to turn."""
    taken: int
    """How many steps have been taken before the loop."""
    body: list[Statement]


class Switch(NamedTuple):
    """A case distinction by the variable that holds the name of the program's state."""

    cases: list[tuple[str, list[Statement]]]


class Jump(NamedTuple):
    """``return``, ``break``, or ``goto``, which sets the variable that holds the state."""

    kind: str
    state: str = ""
    """For ``goto``, the state to go to."""


Statement = Assign | AssignCell | If | While | Repeat | For | Switch | Jump
RETURN, BREAK = Jump("return"), Jump("break")
