"""Lesson 4: generalising to a million."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from softmachine.core import compiling
from softmachine.lessons.lesson import Lesson
from softmachine.machines.ntm import addressing

ROWS = 128
KEPT = 0.9
"""How much weight has to stay on the right row."""
SETTLED = 2000
"""Steps after which a weighting no longer changes."""
SLACK = 1.25
"""How many times the smallest sharpening an answer may be."""
LARGEST = 1_000_000

START = '''\
"""Lesson 4: generalising to a million. Check it with: softmachine lesson check 4"""


def steps_until_half(kept):
    """Return after how many steps less than half of a weight is left.

    In every step a share of it is kept, such as 0.999.
    """
    raise NotImplementedError


def sharpening(blur):
    """Return a sharpening that keeps a head sharp for ever.

    In every step the head moves one row on, by shares blur, 1 - 2 blur, blur of 0, +1, +2,
    and its weighting is then sharpened (Eq. 9). At least 0.9 of the weight has to be on the
    right row after any number of steps, and the sharpening must not be above 1.25 times the
    smallest that does it. blur is 0.01 to 0.2.
    """
    raise NotImplementedError


def reverse(memory):
    """Return the memory with its array written backwards to where its pointer says.

    memory: a list of integers: p, then an array that ends before address p, then room for as
    much. Up to a million values, so that the time has to grow with their number only.
    """
    raise NotImplementedError
'''


def _steps(function: Callable[..., Any]) -> str | None:
    for kept in (0.5, 0.9, 0.99, 0.999, 0.9999):
        found, weight, expected = function(kept), 1.0, 0
        while weight >= 0.5:
            weight, expected = weight * kept, expected + 1
        if found != expected:
            return f"of {kept} it says {found}; it is {expected}"
    return None


def weight_left(blur: float, sharpening: float) -> float:
    """Return how much weight is on the right row of a head that has walked far.

    Arguments:
        blur: share of the shift that goes too short, and as much too far.
        sharpening: the exponent of Eq. 9.
    """
    return float(_walked(jnp.asarray([blur, 1 - 2 * blur, blur]), jnp.asarray([sharpening])))


@compiling.filter_jit
def _walked(shifts: Float[Array, " shifts"], power: Float[Array, " heads"]) -> Float[Array, ""]:
    def step(_: Any, weighting: Float[Array, "heads rows"]) -> Float[Array, "heads rows"]:
        return addressing.sharpen(addressing.shift(weighting, shifts[None]), power)

    # Rows are counted from the right one, which then is always row 0.
    first = jnp.zeros((1, ROWS)).at[0, 0].set(1)
    return jax.lax.fori_loop(0, SETTLED, step, first)[0, 0]


def smallest_sharpening(blur: float) -> float:
    """Return the smallest that keeps `KEPT`, to a hundredth."""
    low, high = 1.0, 8.0
    while high - low > 0.005:
        middle = (low + high) / 2
        low, high = (low, middle) if weight_left(blur, middle) >= KEPT else (middle, high)
    return high


def _sharpening(function: Callable[..., Any]) -> str | None:
    for blur in (0.01, 0.05, 0.1, 0.2):
        found = float(function(blur))
        if found < 1:
            return f"of blur {blur} it says {found:.3g}; sharpenings are at least 1"
        left = weight_left(blur, found)
        if left < KEPT:
            return f"of blur {blur} it says {found:.3g}: in the end {left:.3g} is left"
        if found > SLACK * smallest_sharpening(blur):
            return f"of blur {blur} it says {found:.3g}; a much smaller one does it"
    return None


def _reverse(function: Callable[..., Any]) -> str | None:
    rng = np.random.default_rng(4)
    for size in (1, 2, 3, 7, 50, 1000, LARGEST):
        for room in (0, 3):
            cells = 2 * size + 1 + room
            array = rng.integers(1, cells, size).tolist()
            memory = [size + 1, *array, *([0] * (size + room))]
            given = list(memory)
            found = list(function(memory))
            if memory != given:
                return "it changes the list that it is given: work on a copy"
            expected = [*given[: size + 1], *array[::-1], *([0] * room)]
            if found != expected:
                if len(found) != cells:
                    return f"of {cells:,} cells it returns {len(found):,}"
                wrong = next(i for i in range(cells) if found[i] != expected[i])
                return (
                    f"of an array of {size:,}, cell {wrong:,} is {found[wrong]}, and should "
                    f"be {expected[wrong]}"
                )
    return None


LESSON = Lesson(
    "generalising to a million",
    START,
    {"steps_until_half": _steps, "sharpening": _sharpening, "reverse": _reverse},
)
