"""Shapes of loops that look at two cells at a time, each with a register of its own."""

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

PAIRS = 13
"""How many instructions a loop over pairs ends with."""
ORDERED = 0.6
"""How likely the two cells of a pair are put in order; else something is made of them."""
CURSORS = 18
"""How many instructions a loop of two cursors ends with."""
LOWERED = 0.4
"""How likely elements less 1 are compared, so that a 0 counts as more than all else."""
ELSE = 0.7
"""How likely the second comparison holds whenever the first does not (LESS and AT_MOST)."""


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

    one = partial(draw_one, rng)
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
    read_only(code, space)
    put(code, space.length - PAIRS, parts)
    code[nexts], code[nexts + 1], code[nexts + space.registers - 1] = anew, turned, ahead
    return True


def begin_cursors(
    code: Int[np.ndarray, " numbers"], space: Space, rng: np.random.Generator
) -> bool:
    """Overwrite the end of a loop: two registers go through two arrays, each at its own pace.

    What they stand at is compared, and each goes on by one or by an outcome, as in a merge of
    sorted arrays. The smaller or larger of the two, their sum or difference, the first, or an
    outcome is written to one cell, or where both registers together say, the first, or a third,
    which grows by one or by an outcome. The arrays, and what is written, begin at a number or
    where a cell says. A 0 may count as more than all else: then elements less 1 are compared.
    Nothing else writes; what would is made to read. All else is drawn at random.

    Arguments:
        code: the loop.
        space: what is searched.
        rng: draws the rest.

    Returns whether there is room for it, and there are the operations.
    """
    known = set(space.operations.tolist())
    compared = [each for each in (LESS, AT_MOST, EQUAL) if each in known]
    made = [each for each in (MIN, MIN, MAX, ADD, SUB) if each in known]
    missing = not compared or not made or not {INC, READ, ADD, WRITE} <= known
    if space.registers < 3 or space.length < CURSORS or missing:
        return False

    one = partial(draw_one, rng)
    cells, constant = rng.permutation(CONSTANTS), int(rng.integers(CONSTANTS))
    one_way, other_way, third = CONSTANTS, CONSTANTS + 1, CONSTANTS + 2
    (
        begin,
        other_begin,
        beyond,
        at,
        other_at,
        here,
        there,
        less,
        other_less,
        value,
        more,
        outcome,
        other_outcome,
        following,
        other_following,
        grown,
        place,
        _,
    ) = (CONSTANTS + space.registers + space.length - CURSORS + n for n in range(CURSORS))
    lowered = DEC in known and rng.random() < LOWERED
    pair = (less, other_less) if lowered else (here, there)
    pair = pair if rng.random() < 0.5 else pair[::-1]
    compare = one(*compared)
    complement = {LESS: AT_MOST, AT_MOST: LESS}.get(compare, EQUAL)
    other = complement if complement in known and rng.random() < ELSE else one(*compared)
    ways = (outcome, other_outcome) if rng.random() < 0.5 else (other_outcome, outcome)
    lower = DEC if DEC in known else INC
    written = more if lowered else value
    parts = [
        *((READ, int(cell), 0, 0) for cell in cells),
        (ADD, one_way, one(begin, constant), 0),
        (ADD, other_way, one(other_begin, other_begin, constant), 0),
        (READ, at, 0, 0),
        (READ, other_at, 0, 0),
        (lower, here, here, 0),
        (lower, there, there, 0),
        (one(*made), *pair, 0),
        (INC, value, value, 0),
        (compare, *pair, 0),
        (other, *pair[::-1], 0),
        (one(ADD, ADD, ADD, INC), one_way, ways[0], 0),
        (one(ADD, ADD, ADD, INC), other_way, ways[1], 0),
        one((ADD, one_way, other_way, 0), (INC, third, third, 0), (ADD, third, outcome, 0)),
        (ADD, one(beyond, beyond, constant), one(third, grown, grown, one_way), 0),
        (WRITE, one(place, place, 0), one(written, written, here, outcome), 0),
    ]
    read_only(code, space)
    put(code, space.length - CURSORS, parts)
    nexts = INSTRUCTION * space.length
    code[nexts], code[nexts + 1], code[nexts + 2] = following, other_following, grown
    return True
