"""What the tasks of the Chomsky hierarchy share: kinds of answers, and letters drawn."""

from __future__ import annotations

import abc
import dataclasses
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, PRNGKeyArray

from softmachine.core.choices import check_fields
from softmachine.tasks.languages.strings import StringTask

Source = Literal["repo", "paper"]
"""Whose rule a task follows where the two differ: the published code's or the paper's."""
Word = Int[Array, "_"]
"""Indices into an alphabet, padded."""
MODULUS = 5
"""Arithmetic is modulo 5; digits are 0 to 4."""
END = "$"
"""The letter after the last one of an answer, of tasks whose answers end by themselves."""


def random_word(key: PRNGKeyArray, count: int, of: int) -> Word:
    """Draw letters of an alphabet of ``of``, all equally likely, int32."""
    return jax.random.randint(key, (count,), 0, of, jnp.int32)


@dataclasses.dataclass(frozen=True, kw_only=True)
class OneLetterTask(StringTask):
    """A task whose answer is a single letter: the `value` of a string."""

    @abc.abstractmethod
    def value(self, string: Word, size: Int[Array, ""] | int) -> Int[Array, ""]:
        """Return the answer to a string of ``size`` letters, an index, int32."""

    def answer_length(self, size: Any) -> Any:
        """Return 1, in the type of the size."""
        return size * 0 + 1

    def solve(self, string: Word, size: Int[Array, ""] | int, length: int) -> Word:
        """Return the value as a string."""
        del length
        return self.value(string, size)[None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class EndingTask(StringTask):
    """A task whose answer ends with an `END`, which is scored; the zeros after it are not.

    The paper's training counts them, too; its scores do not.
    """

    score_padding: bool = False
    """Whether zeros after the end count, in training; held-out examples never count them."""

    def __post_init__(self) -> None:
        """Check the fields."""
        check_fields(self)

    def held_out(self, *, larger: bool = False) -> EndingTask:
        """Return the task with scores up to the end of an answer."""
        del larger
        return dataclasses.replace(self, score_padding=False)

    def scored(self, answer: Word) -> Bool[Array, "_"]:
        """Return which letters count: those up to the end, or all."""
        if self.score_padding:
            return super().scored(answer)
        return jnp.arange(len(answer)) <= jnp.argmax(answer == self.answers.index(END))


def ended(letters: Word, count: Int[Array, ""] | int, end: int, length: int) -> Word:
    """Return the first ``count`` letters, then ``end``, then zeros: ``length`` in all.

    >>> ended(jnp.array([1, 1, 0, 1]), 3, end=2, length=6).tolist()
    [1, 1, 0, 2, 0, 0]
    """
    places = jnp.arange(length)
    kept = jnp.where(places < count, letters[places % len(letters)], 0)
    return jnp.where(places == count, end, kept)
