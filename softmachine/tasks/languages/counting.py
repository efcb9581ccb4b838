"""Counting languages as streams: strings such as aaabbb, whose rest is a matter of counting."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, PRNGKeyArray

from softmachine.tasks.languages.streams import StreamTask, String
from softmachine.tasks.registry import task


class Language(NamedTuple):
    """How many of each letter a string has, in terms of its size n and of a number m."""

    of_n: tuple[int, ...]
    """For each letter, what n is multiplied with."""
    of_m: tuple[int, ...]
    """For each letter, what m is multiplied with; m is uniform in 1..n-1 where there is one."""


LANGUAGES = {
    "an-bn": Language((1, 1), (0, 0)),
    "an-bn-cn": Language((1, 1, 1), (0, 0, 0)),
    "an-bn-cn-dn": Language((1, 1, 1, 1), (0, 0, 0, 0)),
    "an-b2n": Language((1, 2), (0, 0)),
    # Here n is the number of both: m letters b, and n - m letters a.
    "an-bm-cnm": Language((1, 0, 1), (-1, 1, 0)),
    "an-bm-cn-dm": Language((1, 0, 1, 0), (-1, 1, -1, 1)),
}


@task("counting-language")
@dataclasses.dataclass(frozen=True, kw_only=True)
class CountingLanguage(StreamTask):
    """Predict the next symbol of a stream of strings such as aaabbb.

    ``size`` is n, and in languages of two numbers n + m. Scored are the symbols after the first
    b, or with two numbers after the first c, and the first one of the next string. Source:
    Joulin & Mikolov 2015 (arXiv 1503.01007), section 4.1.

    >>> task = CountingLanguage(strings=2, sizes="up-to")
    >>> print(task.render(task.sample(jax.random.key(1), 4, max_size=4)))
    input   aaaabbbbaabb
    target  ....bbba..ba

    Of two numbers, with a given stream instead of a random one:

    >>> task = CountingLanguage(language="an-bm-cnm")
    >>> print(task.render(task.own_example("aabcccabcc", most=100)))
    input   aabcccabcc
    target  ...cca..ca
    """

    language: Literal[
        "an-bn", "an-bn-cn", "an-bn-cn-dn", "an-b2n", "an-bm-cnm", "an-bm-cn-dm"
    ] = "an-bn"
    """The last two have any numbers n and m of letters a and b: ``cnm`` are n + m letters c."""
    smallest: ClassVar[int] = 2

    @property
    def alphabet(self) -> str:
        """The letters of the language."""
        return "abcd"[: len(self._counts.of_n)]

    @property
    def _counts(self) -> Language:
        return LANGUAGES[self.language]

    @property
    def _known_from(self) -> int:
        """The first letter after which all can be known."""
        return 2 if any(self._counts.of_m) else 1

    def string_length(self, size: Any) -> Any:
        """Return the length of all strings of a size."""
        return size * sum(self._counts.of_n)

    def draw(self, key: PRNGKeyArray, size: Int[Array, ""] | int, max_size: int) -> String:
        """Draw a string."""
        m = jax.random.randint(key, (), 1, size, jnp.int32)
        of_n, of_m = (jnp.array(x, jnp.int32) for x in self._counts)
        ends = jnp.cumsum(of_n * size + of_m * m)
        places = jnp.arange(self.string_length(max_size))
        letters = jnp.sum(places[:, None] >= ends, axis=1)
        return String(letters, letters >= self._known_from, ends[-1])

    def string(self, n: int, m: int = 0) -> str:
        """Return the string of two numbers, the second of which many languages do not look at.

        >>> CountingLanguage(language="an-bm-cnm").string(5, 2)
        'aaabbccccc'
        """
        counts = (a * n + b * m for a, b in zip(*self._counts, strict=True))
        return "".join(
            letter * count for letter, count in zip(self.alphabet, counts, strict=True)
        )

    def seconds(self, n: int, all_up_to: int) -> list[int]:
        """Return second numbers for a first one: all if that is small, else 1, half and most.

        Of a language of one number, 0 alone.
        """
        if not any(self._counts.of_m):
            return [0]
        return [*range(1, n)] if n <= all_up_to else [1, n // 2, n - 1]

    def first(self, text: str) -> str | None:
        """Return the first string of a stream; None if its letters are not as many."""
        found = re.match("".join(f"({letter}+)" for letter in self.alphabet), text)
        if found is None:
            return None
        counts = [len(block) for block in found.groups()]
        two = any(self._counts.of_m)
        n, m = (counts[0] + counts[1], counts[1]) if two else (counts[0], 0)
        wanted = [a * n + b * m for a, b in zip(*self._counts, strict=True)]
        return found.group() if counts == wanted else None

    def due(self, string: str) -> Sequence[bool]:
        """Return where the next symbol can be known: once the counts are."""
        return [self.alphabet.index(letter) >= self._known_from for letter in string]
