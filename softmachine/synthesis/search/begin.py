"""What loops begin as, besides what is drawn at random: steps that many loops in loops have.

Single changes would have to make all of these at once, since none alone makes fewer mistakes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from jaxtyping import Bool, Int

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
    Cases,
    Space,
)

EXCHANGE, PASS = 7, 3
"""How many instructions an exchange has, and the end of a pass."""
TALLY = 11
"""How many instructions a tally has at most."""
PAIRS = 13
"""How many instructions a loop over pairs ends with."""
ORDERED = 0.6
"""How likely the two cells of a pair are put in order; else something is made of them."""
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
IN_ORDER = 0.7
"""How likely the smaller of two cells comes first."""
NEIGHBOURS = 0.5
"""How likely the two cells are neighbours; else the second is anywhere."""


def begin(
    code: Int[np.ndarray, " numbers"],
    space: Space,
    passes: bool,
    exchange: bool,
    rng: np.random.Generator,
) -> None:
    """Overwrite parts of a loop drawn at random.

    Arguments:
        code: the loop.
        space: what is searched.
        passes: the first register shall go through cells again and again, as long as the last
            one, the cell ahead, is not 0; it begins anew at a slot drawn at random.
        exchange: two cells shall be put in order.
        rng: draws the rest.
    """
    needed = {
        INC,
        READ,
        *((WRITE, MIN, MAX) if exchange else ()),
        *((SELECT,) if passes else ()),
    }
    room = space.length - PASS * passes - (EXCHANGE if exchange else 1)
    if room < 0 or not needed <= set(space.operations.tolist()):
        return
    if not (passes or exchange) or (passes and space.registers < 2):
        return
    first, at = CONSTANTS + space.registers, int(rng.integers(room + 1))
    pointer, ahead = 0 if passes else int(rng.integers(space.registers)), space.registers - 1
    i, following = CONSTANTS + pointer, first + at
    _put(code, at, [(INC, i, i, 0)])
    if exchange:
        low, high = (MIN, MAX) if rng.random() < IN_ORDER else (MAX, MIN)
        x, y, one, other = (following + n for n in range(1, 5))
        place = following if rng.random() < NEIGHBOURS else int(rng.integers(first))
        parts = [(READ, i, i, 0), (READ, place, i, 0), (low, x, y, 0), (high, x, y, 0)]
        parts += [(WRITE, i, one, 0), (WRITE, place, other, 0)]
        _put(code, at + 1, parts)
    if passes:
        last = first + space.length - PASS
        anew = int(rng.integers(first))
        parts = [(SELECT, anew, following, 2 * ahead + 1), (INC, last, last, 0)]
        _put(code, space.length - PASS, [*parts, (READ, last + 1, last + 1, 0)])
        nexts = INSTRUCTION * space.length
        code[nexts + pointer], code[nexts + ahead] = last, last + 2


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

    one = partial(_one, rng)
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
    _put(code, space.length - TALLY, parts)
    nexts = INSTRUCTION * space.length - CONSTANTS
    code[nexts + pointer] = following
    code[nexts + tally] = outcome if write[3] else grown
    if held:
        code[nexts + third] = cell
    return True


def begin_pairs(
    code: Int[np.ndarray, " numbers"], space: Space, rng: np.random.Generator
) -> bool:
    """Overwrite the end of a loop: for each cell, a register goes through all behind it.

    The last register holds the cell ahead. As soon as that is 0, the second register, where
    pairs have their first cell, goes on by one, and the first register begins anew there or at
    a number. As long as it is not 0, the two cells are put in order, or the outcome of a
    comparison, or their difference, becomes part of what another cell holds: a sum, or the
    largest of all. Nothing else writes; what would is made to read. All else is as drawn.

    Arguments:
        code: the loop.
        space: what is searched.
        rng: draws the rest.

    Returns whether there is room for it, and there are the operations.
    """
    known = set(space.operations.tolist())
    made = [each for each in (LESS, LESS, AT_MOST, EQUAL, SUB) if each in known]
    joined = [each for each in (ADD, ADD, MAX) if each in known]
    orders, makes = {MIN, MAX} <= known, bool(made and joined)
    missing = not {INC, DEC, READ, WRITE, SELECT} <= known or not (orders or makes)
    every = space.conditions == space.registers
    if space.registers < 3 or not every or space.length < PAIRS or missing:
        return False

    one = partial(_one, rng)
    inner, outer, constant = CONSTANTS, CONSTANTS + 1, int(rng.integers(CONSTANTS))
    ended = 2 * space.registers - 1
    goes_on = ended + 1
    (
        following,
        back,
        here,
        there,
        first,
        second,
        third,
        _,
        grown,
        turned,
        anew,
        beyond,
        ahead,
    ) = (CONSTANTS + space.registers + space.length - PAIRS + n for n in range(PAIRS))
    i, total = one(outer, outer, back, inner), one(0, 0, constant)
    pair = (here, there) if rng.random() < 0.5 else (there, here)
    if orders and (not makes or rng.random() < ORDERED):
        low, high = (MIN, MAX) if rng.random() < 0.5 else (MAX, MIN)
        use = [(low, *pair, 0), (high, *pair, 0)]
        use += [(WRITE, i, first, goes_on), (WRITE, following, second, goes_on)]
    else:
        use = [(one(*made), *pair, 0), (READ, total, 0, 0)]
        use += [(one(*joined), first, second, 0), (WRITE, total, third, goes_on)]
    parts = [
        (INC, inner, inner, 0),
        (DEC, outer, outer, 0),
        (READ, i, i, 0),
        (READ, following, following, 0),
        *use,
        (INC, outer, outer, 0),
        (SELECT, grown, outer, ended),
        (SELECT, one(grown, outer, constant), following, ended),
        (INC, anew, anew, 0),
        (READ, beyond, beyond, 0),
    ]
    nexts = INSTRUCTION * space.length
    _read_only(code, space)
    _put(code, space.length - PAIRS, parts)
    code[nexts], code[nexts + 1], code[nexts + space.registers - 1] = anew, turned, ahead
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

    one = partial(_one, rng)
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
    _read_only(code, space)
    _put(code, space.length - JOINED, parts)
    nexts = INSTRUCTION * space.length - CONSTANTS
    code[nexts + pointer], code[nexts + one_result], code[nexts + other] = (
        following, first, second,
    )  # fmt: skip
    return True


Draw = Callable[[Int[np.ndarray, " numbers"], Space, np.random.Generator], bool]
"""Overwrites parts of a loop; returns whether there is room."""


def best_of(
    draw: Draw,
    code: Int[np.ndarray, " numbers"],
    space: Space,
    guide: Cases,
    rng: np.random.Generator,
    ended: Bool[np.ndarray, "1"],
    count: int,
) -> Int[np.ndarray, " numbers"]:
    """Return the best of many loops that begin as ``draw`` says; ``ended[0]`` ends it early."""
    # Compiles, which nobody should wait for who does not search.
    from softmachine.synthesis.search import native

    best, least = code, np.inf
    for _ in range(count):
        drawn = code.copy()
        if ended[0] or not draw(drawn, space, rng):
            break
        error = native.count_mistakes(drawn, space, guide)[-1]
        if error < least:
            best, least = drawn, error
    return best


def _one(rng: np.random.Generator, *slots: int) -> int:
    """Draw one of some slots."""
    return slots[int(rng.integers(len(slots)))]


def _read_only(code: Int[np.ndarray, " numbers"], space: Space) -> None:
    """Make what would write read."""
    rows = code[: INSTRUCTION * space.length].reshape(-1, INSTRUCTION)
    rows[rows[:, 0] == WRITE] = [READ, 0, 0, 0]


def _put(
    code: Int[np.ndarray, " numbers"], at: int, parts: list[tuple[int, int, int, int]]
) -> None:
    """Write instructions to a place."""
    code[INSTRUCTION * at : INSTRUCTION * (at + len(parts))] = np.ravel(parts)
