"""Loops, examples and what is searched, as arrays for compiled code.

A loop is an array of integers, `INSTRUCTION` numbers for each instruction (operation, two
slots, a condition), then one slot for each register: where its next value comes from. Slots
are three constants, the registers, and the results of the instructions in their order;
`softmachine.synthesis.search.loops` gives the same as objects. Functions below change such
arrays.
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import numpy as np
from jaxtyping import Float, Int

READ, WRITE, INC, DEC, ADD, SUB, LESS, AT_MOST, EQUAL, MIN, MAX, SELECT = range(12)
ARITIES = np.array([1, 2, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2], np.int32)
"""How many slots each operation takes. SELECT gives the first one if its condition holds, else
the second; WRITE writes the second to the cell that the first says, if its condition holds."""
INSTRUCTION = 4
CONSTANTS = 3

Drawn = TypeVar("Drawn")


class Cases(NamedTuple):
    """Examples in memories of one size, a power of two: numbers are counted modulo that."""

    memories: Int[np.ndarray, "cases cells"]
    places: Int[np.ndarray, "cases scored"]
    """The scored cells of each, in order; those behind the last one are of no meaning."""
    targets: Int[np.ndarray, "cases scored"]
    counts: Int[np.ndarray, " cases"]
    """How many cells are scored."""
    steps: Int[np.ndarray, " cases"]
    weights: Float[np.ndarray, " cases"]
    """The cost of an example all of whose cells are wrong; they add up to 1."""


class Space(NamedTuple):
    """The loops that are searched."""

    registers: int
    length: int
    """Instructions, those included whose results nobody takes."""
    operations: Int[np.ndarray, " choices"]
    """One of these is drawn."""
    conditions: int
    """How many registers conditions may test, the last ones."""
    constants: Int[np.ndarray, " 3"]
    """What the slots of constants hold."""
    guard: int = 0
    """A condition that is drawn more often than others; 0 if there is none."""


def draw_one(rng: np.random.Generator, *slots: Drawn) -> Drawn:
    """Draw one of some slots, operations or instructions."""
    return slots[int(rng.integers(len(slots)))]


def read_only(code: Int[np.ndarray, " numbers"], space: Space) -> None:
    """Make what would write read."""
    rows = code[: INSTRUCTION * space.length].reshape(-1, INSTRUCTION)
    rows[rows[:, 0] == WRITE] = [READ, 0, 0, 0]


def put(
    code: Int[np.ndarray, " numbers"], at: int, parts: list[tuple[int, int, int, int]]
) -> None:
    """Write instructions to a place."""
    code[INSTRUCTION * at : INSTRUCTION * (at + len(parts))] = np.ravel(parts)
