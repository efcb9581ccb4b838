"""What loops begin as, besides what is drawn at random: steps that many loops in loops have.

Single changes would have to make all of these at once, since none alone makes fewer mistakes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Int

from softmachine.synthesis.search.arrays import (
    CONSTANTS,
    INC,
    INSTRUCTION,
    MAX,
    MIN,
    READ,
    SELECT,
    WRITE,
    Cases,
    Space,
    put,
)
from softmachine.synthesis.search.shapes import begin_joined, begin_tally
from softmachine.synthesis.search.shapes_of_two import begin_cursors, begin_pairs

EXCHANGE, PASS = 7, 3
"""How many instructions an exchange has, and the end of a pass."""
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
    put(code, at, [(INC, i, i, 0)])
    if exchange:
        low, high = (MIN, MAX) if rng.random() < IN_ORDER else (MAX, MIN)
        x, y, one, other = (following + n for n in range(1, 5))
        place = following if rng.random() < NEIGHBOURS else int(rng.integers(first))
        parts = [(READ, i, i, 0), (READ, place, i, 0), (low, x, y, 0), (high, x, y, 0)]
        parts += [(WRITE, i, one, 0), (WRITE, place, other, 0)]
        put(code, at + 1, parts)
    if passes:
        last = first + space.length - PASS
        anew = int(rng.integers(first))
        parts = [(SELECT, anew, following, 2 * ahead + 1), (INC, last, last, 0)]
        put(code, space.length - PASS, [*parts, (READ, last + 1, last + 1, 0)])
        nexts = INSTRUCTION * space.length
        code[nexts + pointer], code[nexts + ahead] = last, last + 2


Draw = Callable[[Int[np.ndarray, " numbers"], Space, np.random.Generator], bool]
"""Overwrites parts of a loop; returns whether there is room."""
SHAPES: dict[str, Draw] = {
    "tally": begin_tally,
    "pairs": begin_pairs,
    "joined": begin_joined,
    "cursors": begin_cursors,
}
"""How loops may begin, besides `begin`, by name."""


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
