"""Context-sensitive tasks on strings: say twice, fill a gap, reorder, sort; a tape does."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, PRNGKeyArray

from softmachine.core.choices import check_fields
from softmachine.tasks.chomsky.words import OneLetterTask, Source, Word, random_word
from softmachine.tasks.languages.strings import StringTask
from softmachine.tasks.registry import task

HOLE, PAD = 2, 3
"""Indices of the letter in place of a hidden one, and of what makes a string longer by one."""


@task("duplicate-string")
@dataclasses.dataclass(frozen=True, kw_only=True)
class DuplicateString(StringTask):
    """Output a string twice.

    Source: Delétang et al. 2023 (arXiv 2207.02098), ``duplicate_string``.

    >>> task = DuplicateString()
    >>> print(task.render(task.own_example("101", most=100)))
    input   101......
    target  ...101101

    With a random string:

    >>> print(task.render(task.sample(jax.random.key(2), 4, max_size=4)))
    input   1011........
    target  ....10111011
    """

    letters = answers = "01"

    def answer_length(self, size: Any) -> Any:
        """Return twice the size."""
        return 2 * size

    def draw(self, key: PRNGKeyArray, size: Int[Array, ""] | int, max_size: int) -> Word:
        """Draw letters, all equally likely."""
        del size
        return random_word(key, max_size, 2)

    def solve(self, string: Word, size: Int[Array, ""] | int, length: int) -> Word:
        """Return the string twice."""
        return string[jnp.arange(length) % size]


@task("missing-duplicate-string")
@dataclasses.dataclass(frozen=True, kw_only=True)
class MissingDuplicateString(OneLetterTask):
    """Tell the letter that is hidden (``_``) in a string said twice.

    A string of odd size has a ``#`` at its end; the string of size 1 is 1, as is its answer.
    Source: Delétang et al. 2023 (arXiv 2207.02098), ``missing_duplicate_string``.

    >>> task = MissingDuplicateString()
    >>> print(task.render(task.own_example("1011_1#", most=100)))
    input   1011_1#.
    target  .......0

    With a random string:

    >>> print(task.render(task.sample(jax.random.key(2), 8, max_size=8)))
    input   101_1011.
    target  ........1
    """

    letters = "01_#"
    answers = "01"

    def accepts(self, text: str) -> bool:
        """Return whether a string is there twice, but for a letter."""
        twice = text.removesuffix("#")
        if len(text) == 1 or len(twice) % 2 or not re.fullmatch("[01]*_[01]*", twice):
            return text == "1"
        pairs = zip(twice[: len(twice) // 2], twice[len(twice) // 2 :], strict=True)
        return all(a == b or "_" in (a, b) for a, b in pairs)

    def draw(self, key: PRNGKeyArray, size: Int[Array, ""] | int, max_size: int) -> Word:
        """Draw letters, and which one is hidden, all equally likely."""
        letters_key, place_key = jax.random.split(key)
        half, places = jnp.maximum(size // 2, 1), jnp.arange(max_size)
        word = random_word(letters_key, max_size, 2)[places % half]
        hidden = jax.random.randint(place_key, (), 0, 2 * half)
        word = jnp.where(places == hidden, HOLE, word)
        word = jnp.where(places == 2 * half, PAD, word)
        return jnp.where(size == 1, 1, word)

    def value(self, string: Word, size: Int[Array, ""] | int) -> Int[Array, ""]:
        """Return the letter half a string away from the hidden one."""
        half = size // 2
        hidden = jnp.argmax(string == HOLE)
        other = jnp.where(hidden < half, hidden + half, hidden - half)
        return jnp.where(size == 1, 1, string[other])


@task("odds-first")
@dataclasses.dataclass(frozen=True, kw_only=True)
class OddsFirst(StringTask):
    """Output every second letter, then the others.

    In the published code the second letter comes first, in the paper the first. Source:
    Delétang et al. 2023 (arXiv 2207.02098), ``odds_first``.

    >>> task = OddsFirst()
    >>> print(task.render(task.own_example("00110101", most=100)))
    input   00110101........
    target  ........01110100

    The same string as in the paper:

    >>> task = OddsFirst(source="paper")
    >>> print(task.render(task.own_example("00110101", most=100)))
    input   00110101........
    target  ........01000111
    """

    source: Source = "repo"

    letters = answers = "01"

    def __post_init__(self) -> None:
        """Check the source."""
        check_fields(self)

    def answer_length(self, size: Any) -> Any:
        """Return ``size``."""
        return size

    def draw(self, key: PRNGKeyArray, size: Int[Array, ""] | int, max_size: int) -> Word:
        """Draw letters, all equally likely."""
        del size
        return random_word(key, max_size, 2)

    def solve(self, string: Word, size: Int[Array, ""] | int, length: int) -> Word:
        """Return the letters of every second place, then those of the others."""
        places, begin = jnp.arange(length), int(self.source == "repo")
        first = (size + 1 - begin) // 2
        others = 2 * (places - first) + 1 - begin
        return string[jnp.where(places < first, 2 * places + begin, others) % len(string)]


@task("bucket-sort")
@dataclasses.dataclass(frozen=True, kw_only=True)
class BucketSort(StringTask):
    """Sort letters of five kinds.

    Source: Delétang et al. 2023 (arXiv 2207.02098), ``bucket_sort``. With this many letters of
    each kind about the same, an answer that does not depend on the string is right at nine of
    ten places (`blind`): the score that counts is ``perfect``.

    >>> task = BucketSort()
    >>> print(task.render(task.own_example("10204112", most=100)))
    input   10204112........
    target  ........00111224

    With a random string:

    >>> print(task.render(task.sample(jax.random.key(2), 4, max_size=4)))
    input   4233....
    target  ....2334
    """

    letters = answers = "01234"

    def answer_length(self, size: Any) -> Any:
        """Return ``size``."""
        return size

    def draw(self, key: PRNGKeyArray, size: Int[Array, ""] | int, max_size: int) -> Word:
        """Draw letters, all equally likely."""
        del size
        return random_word(key, max_size, len(self.letters))

    def solve(self, string: Word, size: Int[Array, ""] | int, length: int) -> Word:
        """Return the letters, lowest first, from how many there are of each."""
        del length
        there = jnp.arange(len(string)) < size
        return jnp.sort(jnp.where(there, string, len(self.letters)))
