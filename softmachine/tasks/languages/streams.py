"""The base of tasks on streams of strings: predict the next symbol, where it can be known."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from softmachine.core.choices import Count, check_fields
from softmachine.core.specs.spec import Stream
from softmachine.core.specs.symbols import Symbols
from softmachine.tasks.task import Answer, Example, SequenceTask


class String(NamedTuple):
    """A string of a language, padded."""

    letters: Int[Array, " length"]
    """Indices into the alphabet; the padding may hold anything."""
    due: Bool[Array, " length"]
    """Whether the letter after each of these can be known, after the last one included."""
    length: Int[Array, ""]


@dataclasses.dataclass(frozen=True, kw_only=True)
class StreamTask(SequenceTask):
    """Predict the next symbol of a stream of strings that follow each other unmarked.

    Where one string ends and the next one begins is not said: a machine has to know. Scored are
    the symbols that the language determines, and no others. Of the last string the symbol after
    it is the first one of a string that is not there any more. Source: Joulin & Mikolov 2015
    (arXiv 1503.01007), sections 4.1 and 4.2.

    The paper tests one stream of 200 strings for each size, without emptying the stacks in
    between: ``strings=200``. With ``strings=1``, the default, strings are judged one by one.

    A subclass gives its ``letters``, the `string_length`, and how to `draw` a string; for a
    person's own stream also its `first` string, and where in it symbols are `due`.
    """

    strings: Count = 1
    """How many strings an example has."""
    sizes: Literal["up-to", "all"] = "all"
    """Whether strings are of all sizes ``up-to`` that of the example, all equally likely, or
    ``all`` of just that size."""

    letters: ClassVar[str] = ""
    """The alphabet."""

    def __post_init__(self) -> None:
        """Check the fields."""
        check_fields(self)

    @abc.abstractmethod
    def string_length(self, size: Any) -> Any:
        """Return the largest length of a string of a size, which may be traced."""

    @abc.abstractmethod
    def draw(self, key: PRNGKeyArray, size: Int[Array, ""] | int, max_size: int) -> String:
        """Draw a string of a size, padded to ``string_length(max_size)``."""

    @abc.abstractmethod
    def first(self, text: str) -> str | None:
        """Return the first string of a stream; None if it begins with none."""

    @abc.abstractmethod
    def due(self, string: str) -> Sequence[bool]:
        """Return for each letter of a string whether the one after it can be known."""

    @property
    def alphabet(self) -> str:
        """The letters of inputs and outputs."""
        return self.letters

    @property
    def inputs(self) -> Stream[Symbols]:
        """One-hot letters of the stream."""
        return Stream(Symbols(self.alphabet))

    @property
    def outputs(self) -> Stream[Symbols]:
        """Logits of the next letter."""
        return Stream(Symbols(self.alphabet))

    @property
    def input_labels(self) -> list[str]:
        """The letters."""
        return [*self.alphabet]

    @property
    def output_labels(self) -> list[str]:
        """The letters."""
        return [*self.alphabet]

    def steps(self, size: Any) -> Any:
        """Return one step for each letter of the longest stream."""
        return self.strings * self.string_length(size)

    def items(self, size: int) -> int:
        """Return ``size``: a cell for each symbol that has to be remembered."""
        return size

    def held_out(self, *, larger: bool = False) -> StreamTask:
        """Return the task itself; with ``larger``, strings are of just the size asked for."""
        return dataclasses.replace(self, sizes="all") if larger else self

    def sample(
        self, key: PRNGKeyArray, size: Int[Array, ""] | int, *, max_size: int
    ) -> Example:
        """Draw a stream of strings.

        Inputs are float32, shape (steps, letters); targets are int32 and the mask is float32,
        shape (steps,).
        """
        self.check_size(size, max_size)
        size = jnp.asarray(size, jnp.int32)

        def one(key: PRNGKeyArray) -> String:
            size_key, string_key = jax.random.split(key)
            drawn = jax.random.randint(size_key, (), self.smallest, size + 1, jnp.int32)
            own = drawn if self.sizes == "up-to" else size
            return self.draw(string_key, own, max_size)

        # One string more, for the symbol after the last one.
        strings = jax.vmap(one)(jax.random.split(key, self.strings + 1))
        ends = jnp.cumsum(strings.length)
        time = jnp.arange(self.steps(max_size) + 1, dtype=jnp.int32)
        which = jnp.minimum(jnp.sum(time[:, None] >= ends, axis=1), self.strings)
        place = time - (ends - strings.length)[which]
        place = jnp.minimum(place, strings.letters.shape[1] - 1)
        stream = strings.letters[which, place].astype(jnp.int32)
        steps = ends[self.strings - 1].astype(jnp.int32)
        real = time[:-1] < steps
        due = strings.due[which, place][:-1] & real
        return Example(
            inputs=jnp.where(real[:, None], self.inputs.spec.one_hot(stream[:-1]), 0.0),
            targets=jnp.where(due, stream[1:], 0),
            mask=due.astype(jnp.float32),
            steps=steps,
        )

    def answer(self, inputs: Float[np.ndarray, "steps letters"]) -> Answer | None:
        """Return targets and mask of a stream of whole strings."""
        rest = "".join(self.alphabet[place] for place in inputs.argmax(axis=1))
        after, due = rest[1:] + rest[:1], []
        while rest:
            string = self.first(rest)
            if not string:
                return None
            due += self.due(string)
            rest = rest[len(string) :]
        mask = np.asarray(due, np.float32)
        targets = np.array([self.alphabet.index(letter) for letter in after], np.int32)
        return targets * (mask > 0), mask

    def render(
        self, example: Example, outputs: Float[Array, "steps letters"] | None = None
    ) -> str:
        """Return the stream, and below each letter the next one where it can be known."""
        places = np.asarray(example.inputs)[: int(example.steps)].argmax(axis=1)
        given = self.inputs.spec.rows("input", places, np.ones(len(places), bool))
        return self.outputs.spec.render([given], example, outputs)
