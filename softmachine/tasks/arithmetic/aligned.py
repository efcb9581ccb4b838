"""The base of tasks whose answer stands at the places of the input: symbols in, symbols out.

So the algorithmic tasks of the Neural GPU are written (Kaiser & Sutskever 2016, arXiv
1511.08228, section 3). Numbers have their lowest digit first.
"""

from __future__ import annotations

import abc
import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from softmachine.core.specs.spec import Stream
from softmachine.core.specs.symbols import Symbols
from softmachine.tasks.task import Answer, Example, SequenceTask

PADDING = "."
"""The letter of places that hold nothing, in inputs and answers; its index is 0."""

Letters = Int[Array, " places"]
"""Indices of letters in the alphabet; 0 is padding."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class AlignedTask(SequenceTask):
    """A task whose inputs are ``size`` symbols, and whose answers are as many.

    All of the answer is scored, padding within these ``size`` places included: how long the
    answer is, is part of it. So the mask tells no more than the declared length. A machine that
    works step by step outputs a letter of the answer at the step at which it reads a letter of
    the input, and cannot know it; those of whole sequences can.

    A subclass gives the ``letters`` and the ``answers``, and how to `draw` and `solve`.
    """

    @property
    @abc.abstractmethod
    def letters(self) -> str:
        """The alphabet of inputs; the first is `PADDING`."""

    @property
    def answers(self) -> str:
        """The alphabet of answers; by default that of inputs."""
        return self.letters

    @abc.abstractmethod
    def draw(self, key: PRNGKeyArray, size: Int[Array, ""] | int, max_size: int) -> Letters:
        """Draw the inputs, padded to ``max_size``; places from ``size`` may hold anything."""

    @abc.abstractmethod
    def solve(self, letters: Letters, size: Int[Array, ""] | int) -> Letters:
        """Return the answer to an input: padding beyond its ``size`` in both."""

    def well_formed(self, letters: np.ndarray) -> bool:
        """Return whether letters are laid out as inputs of this task are; by default they are.

        They are at least `smallest`.
        """
        del letters
        return True

    @property
    def inputs(self) -> Stream[Symbols]:
        """One-hot letters of the input."""
        return Stream(Symbols(self.letters))

    @property
    def outputs(self) -> Stream[Symbols]:
        """Logits of the letters of the answer."""
        return Stream(Symbols(self.answers))

    @property
    def input_labels(self) -> list[str]:
        """A label for each letter."""
        return ["padding", *self.letters[1:]]

    @property
    def output_labels(self) -> list[str]:
        """A label for each letter of answers."""
        return ["padding", *self.answers[1:]]

    def places(self, size: Any) -> Any:
        """Return how many places an example of a size has: ``size``, or fewer."""
        return size

    def steps(self, size: Any) -> Any:
        """Return ``size``: at most as many steps, one for each place."""
        return size

    def items(self, size: int) -> int:
        """Return ``size``: one memory row for each place."""
        return size

    def sample(
        self, key: PRNGKeyArray, size: Int[Array, ""] | int, *, max_size: int
    ) -> Example:
        """Draw an input of ``size`` symbols, if these are its `places`, and its answer.

        Inputs are float32, shape (max_size, letters); targets are int32 and the mask is
        float32, shape (max_size,).
        """
        self.check_size(size, max_size)
        size = jnp.asarray(size, jnp.int32)
        places = self.places(size)
        real = jnp.arange(max_size) < places
        letters = jnp.where(real, self.draw(key, size, max_size), 0).astype(jnp.int32)
        one_hot = self.inputs.spec.one_hot(letters)
        return Example(
            inputs=jnp.where(real[:, None], one_hot, jnp.zeros_like(one_hot)),
            targets=self.solve(letters, size).astype(jnp.int32),
            mask=real.astype(jnp.float32),
            steps=places,
        )

    def answer(self, inputs: Float[np.ndarray, "places letters"]) -> Answer | None:
        """Return targets and mask for the inputs of a whole example."""
        letters = inputs.argmax(axis=1)
        if len(letters) < self.smallest or not self.well_formed(letters):
            return None
        solved = self.solve(jnp.asarray(letters, jnp.int32), len(letters))
        return np.asarray(solved, np.int32), np.ones(len(letters), np.float32)

    def render(
        self, example: Example, outputs: Float[Array, "places letters"] | None = None
    ) -> str:
        """Return input, answer and outputs (if given), a letter for each place.

        Wrong letters are ``x``, padding is a dot.
        """
        places = np.asarray(example.inputs)[: int(example.steps)].argmax(axis=1)
        given = self.inputs.spec.rows("input", places, np.ones(len(places), bool))
        return self.outputs.spec.render([given], example, outputs)


def text_of(letters: Any, alphabet: str) -> str:
    """Return letters, given by their indices, as a text.

    >>> text_of([2, 1, 0], ".01")
    '10.'
    """
    return "".join(alphabet[int(letter)] for letter in np.asarray(letters))
