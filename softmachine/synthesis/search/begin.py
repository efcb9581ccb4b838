"""What loops begin as, besides what is drawn at random: steps that many loops in loops have.

Single changes would have to make all of these at once, since none alone makes fewer mistakes.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from softmachine.synthesis.search.arrays import (
    CONSTANTS,
    INC,
    INSTRUCTION,
    MAX,
    MIN,
    READ,
    SELECT,
    WRITE,
    Space,
)

EXCHANGE, PASS = 7, 3
"""How many instructions an exchange has, and the end of a pass."""
IN_ORDER = 0.7
"""How likely the smaller of two cells comes first."""
CONDITIONAL = 0.7
"""How likely an exchange in a pass is made only if the pass goes on."""


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
        passes: one register shall go through cells again and again, as long as another one,
            the cell ahead, is not 0; it begins anew at a slot drawn at random.
        exchange: two neighbouring cells shall be put in order.
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
    pointer, ahead = (
        rng.permutation(space.registers)[:2].tolist()
        if passes
        else (
            int(rng.integers(space.registers)),
            0,
        )
    )
    goes_on = 2 * ahead + 2 if passes and rng.random() < CONDITIONAL else 0
    i, following = CONSTANTS + pointer, first + at
    _put(code, at, [(INC, i, i, 0)])
    if exchange:
        low, high = (MIN, MAX) if rng.random() < IN_ORDER else (MAX, MIN)
        x, y, one, other = (following + n for n in range(1, 5))
        parts = [(READ, i, i, 0), (READ, following, i, 0), (low, x, y, 0), (high, x, y, 0)]
        parts += [(WRITE, i, one, goes_on), (WRITE, following, other, goes_on)]
        _put(code, at + 1, parts)
    if passes:
        last = first + space.length - PASS
        anew = int(rng.integers(first))
        parts = [(SELECT, anew, following, 2 * ahead + 1), (INC, last, last, 0)]
        _put(code, space.length - PASS, [*parts, (READ, last + 1, last + 1, 0)])
        nexts = INSTRUCTION * space.length
        code[nexts + pointer], code[nexts + ahead] = last, last + 2


def _put(
    code: Int[np.ndarray, " numbers"], at: int, parts: list[tuple[int, int, int, int]]
) -> None:
    """Write instructions to a place."""
    code[INSTRUCTION * at : INSTRUCTION * (at + len(parts))] = np.ravel(parts)
