"""Shapes of loops that go through cells one by one."""

from __future__ import annotations

from functools import partial

import numpy as np
from jaxtyping import Int

from softmachine.synthesis.search.arrays import (
    ADD,
    AT_MOST,
    CONSTANTS,
    DEC,
    EQUAL,
    INC,
    INSTRUCTION,
    LESS,
    MAX,
    MIN,
    READ,
    SELECT,
    SUB,
    WRITE,
    Space,
    draw_one,
    put,
    read_only,
)

TALLY = 11
"""How many instructions a tally has at most."""
JOINED = 9
"""How many instructions a loop that joins two results ends with."""
KEPT, COUNTED, FLAGGED = 0.3, 0.55, 0.75
"""The shares of tallies that say where elements go; of these and those that are written; of
these and those that say whether something is written. The others take up elements."""
STARTED = 0.4
"""How likely a tally that holds nothing begins where a cell says."""
TWO_ARRAYS = 0.3
"""How likely elements are compared with those of another array."""
HELD = 0.6
"""How likely a tally holds what a cell held at first."""


def begin_tally(
    code: Int[np.ndarray, " numbers"], space: Space, rng: np.random.Generator
) -> bool:
    """Overwrite the end of a loop: a register goes through cells, what is there is compared.

    The first register counts, counts down, or follows pointers, from 0 or from what a cell
    holds. What it stands at is compared with a cell, an element of another array, a register or
    a number. A second register grows by the outcome, and is what is written (a count), or where
    the element goes (what is kept moves together); or it is the outcome, and in the next step
    something is written or not; or nothing is compared, and it takes up the elements. A third
    one may hold what a cell held in the first step: then a result can go where an argument is.
    All else is drawn at random.

    Arguments:
        code: the loop.
        space: what is searched.
        rng: draws the rest.

    Returns whether there is room for it, and there are the operations.
    """
    known = set(space.operations.tolist())
    compared = [each for each in (LESS, AT_MOST, EQUAL) if each in known]
    taken_up = [each for each in (ADD, ADD, SUB, MAX, MIN) if each in known]
    missing = not compared or not {INC, READ, ADD, WRITE} <= known
    if space.registers < 2 or space.length < TALLY or missing:
        return False

    one = partial(draw_one, rng)
    constant, register = int(rng.integers(CONSTANTS)), int(rng.integers(space.registers))
    other = (register + 1) % space.registers
    pointer, tally = CONSTANTS + register, CONSTANTS + other
    third = CONSTANTS + (register + 2) % space.registers
    now, cell, following, beyond, here, ahead, there, outcome, grown, place = (
        CONSTANTS + space.registers + space.length - TALLY + n for n in range(TALLY - 1)
    )
    every = space.conditions == space.registers
    keep, stands, step = (READ, one(0, constant), 0, 0), pointer, one(INC, INC, INC, READ)
    held = every and space.registers > 2 and rng.random() < HELD
    if held:  # in the first step the first register is 0
        keep = (SELECT, now, third, 2 * register + 1)
    elif every and DEC in known and rng.random() < STARTED:
        keep = (SELECT, now, pointer, 2 * register + 1)
        stands, step = cell, one(INC, DEC, DEC)
    grow, by, use, two = ADD, outcome, rng.random(), rng.random() < TWO_ARRAYS
    if use < KEPT:
        write = (WRITE, one(place, place, tally, grown), one(here, here, here, pointer), 0)
    elif use < COUNTED or not every:
        write = (WRITE, one(0, 0, constant, pointer), one(grown, grown, tally), 0)
    elif use < FLAGGED:
        value = one(now, cell, constant, constant, there)
        write = (WRITE, one(pointer, pointer, following), value, 2 * other + one(1, 2, 2))
    else:
        two = rng.random() < 0.5
        compared = taken_up  # nothing is compared: elements of two arrays become one
        grow, by = one(*taken_up), one(here, outcome if two else there)
        value = one(grown, grown, tally, outcome if two else grown)
        write = (WRITE, one(0, pointer, following), value, 0)
    pair = (here, there if two else one(cell, cell, cell, there, tally, constant))
    pair = pair if rng.random() < 0.5 else pair[::-1]
    parts = [
        (READ, one(0, constant), 0, 0),
        keep,
        (step, stands, stands, 0),
        (INC, following, following, 0),
        (READ, one(stands, following, following, beyond), 0, 0),
        (ADD, cell, one(stands, stands, following, following, here), 0),
        (READ, ahead if two else one(stands, beyond), 0, 0),
        (one(*compared), *pair, 0),
        (grow, tally, by, 0),
        (INC, tally, tally, 0),
        write,
    ]
    put(code, space.length - TALLY, parts)
    nexts = INSTRUCTION * space.length - CONSTANTS
    code[nexts + pointer] = following
    code[nexts + tally] = outcome if write[3] else grown
    if held:
        code[nexts + third] = cell
    return True


def begin_joined(
    code: Int[np.ndarray, " numbers"], space: Space, rng: np.random.Generator
) -> bool:
    """Overwrite the end of a loop: two registers take up what a third goes by, and are joined.

    The first register counts, or follows pointers. What it stands at, or what is made of that
    and of 0, a number or a cell, is taken up by each of two others: added, or the largest of
    all is kept (of what is taken from 0 the largest is the least). Their sum, difference or
    comparison is written. Nothing else writes; what would is made to read. All else is drawn at
    random.

    Arguments:
        code: the loop.
        space: what is searched.
        rng: draws the rest.

    Returns whether there is room for it, and there are the operations.
    """
    known = set(space.operations.tolist())
    taken = [each for each in (ADD, MAX, MAX, MIN, SUB) if each in known]
    made = [each for each in (SUB, SUB, ADD, LESS, EQUAL) if each in known]
    joins = [each for each in (ADD, SUB, SUB, MIN, MAX, EQUAL) if each in known]
    missing = not (taken and made and joins) or not {INC, READ, WRITE} <= known
    if space.registers < 3 or space.length < JOINED or missing:
        return False

    one = partial(draw_one, rng)
    register, constant = int(rng.integers(space.registers)), int(rng.integers(CONSTANTS))
    pointer, one_result, other = (
        CONSTANTS + (register + n) % space.registers for n in range(3)
    )
    cell, following, beyond, here, altered, first, second, result, _ = (
        CONSTANTS + space.registers + space.length - JOINED + n for n in range(JOINED)
    )
    pair = (here, one(0, constant, cell))
    pair = pair if rng.random() < 0.3 else pair[::-1]
    parts = [
        (READ, one(0, constant), 0, 0),
        (one(INC, INC, READ), pointer, pointer, 0),
        (INC, following, following, 0),
        (READ, one(pointer, following, following, beyond), 0, 0),
        (one(*made), *pair, 0),
        (one(*taken), one_result, one(here, altered), 0),
        (one(*taken), other, one(here, altered), 0),
        (one(*joins), first, second, 0),
        (WRITE, one(0, 0, 0, pointer, following), result, 0),
    ]
    read_only(code, space)
    put(code, space.length - JOINED, parts)
    nexts = INSTRUCTION * space.length - CONSTANTS
    code[nexts + pointer], code[nexts + one_result], code[nexts + other] = (
        following, first, second,
    )  # fmt: skip
    return True
