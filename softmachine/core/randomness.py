"""What a run draws from its seed: one branch of its key for each purpose."""

from __future__ import annotations

import enum

import jax
from jaxtyping import Array, Int, PRNGKeyArray


class Branch(enum.IntEnum):
    """What is drawn; the numbers are folded into the key of the seed.

    Runs that are resumed, and results that are repeated, depend on them: a number is never
    changed, nor used for anything else.
    """

    PARAMETERS = 0
    """A machine's first parameters."""
    UPDATES = 1
    """Sizes and examples that are trained on."""
    VALIDATION = 2
    """Sizes and examples of validations."""
    SETTINGS = 3
    """Settings that a member draws for itself."""
    NOISE = 4
    """What is added to gradients."""
    EXAM = 5
    """Sizes and examples of exams."""


def branch_key(seed: Int[Array, ""] | int, branch: Branch) -> PRNGKeyArray:
    """Return the key from which all of one kind is drawn."""
    return jax.random.fold_in(jax.random.key(seed), branch.value)
