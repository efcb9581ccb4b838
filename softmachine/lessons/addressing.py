"""Lesson 1: addressing by content, and by location."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from softmachine.lessons.lesson import Lesson
from softmachine.machines.ntm import addressing

ROWS, COLUMNS = 16, 8
ENOUGH = 0.9
"""How much of its weight a head has to have on the right row."""
KEYS = ("key", "strength", "gate", "shift", "sharpening")

START = '''\
"""Lesson 1: content against location. Check it with: softmachine lesson check 1"""

import numpy as np


def content_weighting(memory, key, strength):
    """Return the weighting by content (Eq. 5 and 6 of the NTM paper).

    memory: array (rows, columns); key: array (columns,); strength: a number.
    Return an array (rows,): the softmax of strength times the cosine similarity of the
    key with each row.
    """
    raise NotImplementedError


def walk(step):
    """Return what a head has to be told to move one row on, whatever the memory holds.

    Return a dict: key, an array (8,); strength, at least 0; gate, from 0 (where the head was)
    to 1 (what the key finds); shift, three shares of -1, 0, +1 that add up to 1; sharpening,
    at least 1.
    """
    raise NotImplementedError


def after(key):
    """Return what a head has to be told to go to the row after the one with this key.

    Wherever the head was. This is how a machine recalls what followed something.
    """
    raise NotImplementedError
'''


def _content(function: Callable[..., Any]) -> str | None:
    rng = np.random.default_rng(0)
    for strength in (0.0, 1.0, 7.5, 40.0):
        memory, key = rng.normal(size=(ROWS, COLUMNS)), rng.normal(size=COLUMNS)
        found = np.asarray(function(memory, key, strength), float)
        if found.shape != (ROWS,):
            return f"of {ROWS} rows it returns an array of shape {found.shape}"
        norms = np.linalg.norm(memory, axis=1) * np.linalg.norm(key)
        scores = np.exp(strength * (memory @ key) / norms)
        expected = scores / scores.sum()
        if not np.allclose(found, expected, atol=1e-5):
            row = int(np.argmax(abs(found - expected)))
            return (
                f"at strength {strength:g} row {row} has {found[row]:.4g}, and should have "
                f"{expected[row]:.4g}"
            )
    return None


def attend(
    memory: np.ndarray, previous: np.ndarray, told: dict[str, Any]
) -> tuple[np.ndarray | None, str | None]:
    """Return the weighting of a head that is told this, or what cannot be told.

    By the four stages of the machine itself.

    Arguments:
        memory: numbers, shape (rows, columns).
        previous: the head's weighting, shape (rows,).
        told: key, strength, gate, shift and sharpening.
    """
    if not isinstance(told, dict) or set(told) != set(KEYS):
        return None, f"it returns {told!r}, not a dict of {', '.join(KEYS)}"
    key, shift = np.asarray(told["key"], float), np.asarray(told["shift"], float)
    if key.shape != (memory.shape[1],):
        return None, f"the key has shape {key.shape}, not ({memory.shape[1]},)"
    if shift.shape != (3,) or (shift < 0).any() or abs(shift.sum() - 1) > 1e-6:
        return None, f"shift {told['shift']!r} is not three shares that add up to 1"
    if not 0 <= told["gate"] <= 1 or told["strength"] < 0 or told["sharpening"] < 1:
        return None, "a gate is 0 to 1, a strength at least 0, a sharpening at least 1"
    one = {
        name: jnp.asarray([told[name]], float) for name in ("strength", "gate", "sharpening")
    }
    by_content = addressing.content_weighting(
        jnp.asarray(memory.T), jnp.asarray(key[None]), one["strength"]
    )
    blended = addressing.interpolate(by_content, jnp.asarray(previous[None]), one["gate"])
    moved = addressing.shift(blended, jnp.asarray(shift[None]))
    return np.asarray(addressing.sharpen(moved, one["sharpening"])[0]), None


def _walk(function: Callable[..., Any]) -> str | None:
    rng = np.random.default_rng(1)
    for memory in (np.ones((ROWS, COLUMNS)), rng.normal(size=(ROWS, COLUMNS))):
        weighting = np.eye(ROWS)[0] * 0.97 + 0.03 / ROWS
        for step in range(3 * ROWS):
            weighting, wrong = attend(memory, weighting, function(step))
            if weighting is None:
                return wrong
            row = (step + 1) % ROWS
            if weighting[row] < ENOUGH:
                return (
                    f"after step {step + 1}, row {row} has {weighting[row]:.3g} of the weight"
                )
    return None


def _after(function: Callable[..., Any]) -> str | None:
    rng = np.random.default_rng(2)
    for row in range(ROWS):
        memory = rng.choice([-1.0, 1.0], size=(ROWS, COLUMNS))
        memory[row] = -memory[(row + 1) % ROWS] * rng.choice([1.0, 0.5], size=COLUMNS)
        others = np.delete(memory, row, axis=0)
        if (others == np.sign(memory[row])).all(axis=1).any():
            continue  # another row like it: nobody could tell
        previous = np.eye(ROWS)[rng.integers(ROWS)]
        weighting, wrong = attend(memory, previous, function(memory[row]))
        if weighting is None:
            return wrong
        goal = (row + 1) % ROWS
        if weighting[goal] < ENOUGH:
            most = int(np.argmax(weighting))
            return (
                f"the key is that of row {row}; row {goal} has {weighting[goal]:.3g} of the "
                f"weight, most is on row {most}"
            )
    return None


LESSON = Lesson(
    "content against location",
    START,
    {"content_weighting": _content, "walk": _walk, "after": _after},
)
