"""Memorisation as a stream: a word, a mark, and the word backwards."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, PRNGKeyArray

from softmachine.tasks.languages.streams import StreamTask, String
from softmachine.tasks.registry import task


@task("memorisation-language")
@dataclasses.dataclass(frozen=True, kw_only=True)
class MemorisationLanguage(StreamTask):
    """Predict the second half of strings such as bcbabcb: a word, an a, the word reversed.

    Words have ``size`` letters, b or c with equal probability. Source: Joulin & Mikolov 2015
    (arXiv 1503.01007), section 4.2.

    >>> task = MemorisationLanguage(strings=2)
    >>> print(task.render(task.sample(jax.random.key(0), 3, max_size=3)))
    input   bcbabcbbbbabbb
    target  ...bcb....bbb.

    With a given stream instead of a random one:

    >>> print(task.render(task.own_example("bcbabcb", most=100)))
    input   bcbabcb
    target  ...bcb.
    """

    letters: ClassVar[str] = "abc"
    smallest: ClassVar[int] = 2

    def string_length(self, size: Any) -> Any:
        """Return the length of all strings of a size."""
        return 2 * size + 1

    def draw(self, key: PRNGKeyArray, size: Int[Array, ""] | int, max_size: int) -> String:
        """Draw a string."""
        word = jax.random.randint(key, (max_size,), 1, 3, jnp.int32)
        places = jnp.arange(self.string_length(max_size))
        mirrored = jnp.minimum(places, 2 * size - places) % max_size
        letters = jnp.where(places == size, 0, word[mirrored])
        due = (places >= size) & (places < 2 * size)
        return String(letters, due, jnp.asarray(self.string_length(size), jnp.int32))

    def first(self, text: str) -> str | None:
        """Return the first string of a stream; None if its second half is another word."""
        word, mark, rest = text.partition("a")
        if not word or not mark or not rest.startswith(word[::-1]):
            return None
        return text[: 2 * len(word) + 1]

    def due(self, string: str) -> Sequence[bool]:
        """Return where the next symbol can be known: in the second half."""
        size = len(string) // 2
        return [size <= place < 2 * size for place in range(len(string))]
