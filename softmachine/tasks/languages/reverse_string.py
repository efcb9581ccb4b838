"""The reverse string task: read a string, then output its letters in reverse order."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, PRNGKeyArray

from softmachine.tasks.languages.strings import StringTask
from softmachine.tasks.registry import task


@task("reverse-string")
@dataclasses.dataclass(frozen=True, kw_only=True)
class ReverseString(StringTask):
    """Output ``size`` random binary letters in reverse order.

    A deterministic context-free task of the Chomsky hierarchy. Source: Delétang et al. 2023
    (arXiv 2207.02098), ``reverse_string``.

    >>> task = ReverseString()
    >>> print(task.render(task.sample(jax.random.key(2), 4, max_size=4)))
    input   1011....
    target  ....1101

    With a given string instead of a random one:

    >>> print(task.render(task.own_example("011010", most=100)))
    input   011010......
    target  ......010110
    """

    letters = answers = "01"

    def answer_length(self, size: Any) -> Any:
        """Return ``size``."""
        return size

    def draw(
        self, key: PRNGKeyArray, size: Int[Array, ""] | int, max_size: int
    ) -> Int[Array, " max_size"]:
        """Draw letters, all equally likely."""
        del size
        return jax.random.randint(key, (max_size,), 0, len(self.letters), jnp.int32)

    def solve(
        self, string: Int[Array, " max_size"], size: Int[Array, ""] | int, length: int
    ) -> Int[Array, " length"]:
        """Return the letters in reverse order."""
        return string[(size - 1 - jnp.arange(length)) % len(string)]
