"""The base of tasks on strings: read a string, then output an answer while reading blanks."""

from __future__ import annotations

import abc
import dataclasses
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from softmachine.core.specs.spec import Stream
from softmachine.core.specs.symbols import Symbols
from softmachine.tasks.task import Answer, Example, SequenceTask

BLANK = "."
"""The input letter while the answer is due."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class StringTask(SequenceTask):
    """A task whose input is a string of ``size`` letters and whose answer is another string.

    A machine reads the string, one letter per step, then one blank for each letter of the
    answer, which it outputs at the same step. Source: Delétang et al. 2023 (arXiv 2207.02098),
    section 4.

    A subclass gives its ``letters``, the `answer_length`, and how to `draw` and `solve` a
    string. Strings are arrays of indices into the letters, int32.
    """

    letters: ClassVar[str]
    """The alphabet of input strings, without the blank."""
    answers: ClassVar[str]
    """The alphabet of answers."""

    @abc.abstractmethod
    def answer_length(self, size: Any) -> Any:
        """Return the length of the answer to a string of a size, which may be traced."""

    @abc.abstractmethod
    def draw(
        self, key: PRNGKeyArray, size: Int[Array, ""] | int, max_size: int
    ) -> Int[Array, " max_size"]:
        """Draw a string of ``size`` letters; the padding after them may hold anything."""

    @abc.abstractmethod
    def solve(
        self, string: Int[Array, " max_size"], size: Int[Array, ""] | int, length: int
    ) -> Int[Array, " length"]:
        """Return the answer to a string; the padding after it may hold anything.

        Arguments:
            string: the string, padded.
            size: its number of letters; may be traced.
            length: the length of the result: that of the answer to ``max_size`` letters.
        """

    @property
    def inputs(self) -> Stream[Symbols]:
        """One-hot letters of the string, then blanks."""
        return Stream(Symbols(self.letters + BLANK))

    @property
    def outputs(self) -> Stream[Symbols]:
        """Logits of the letters of the answer."""
        return Stream(Symbols(self.answers))

    @property
    def input_labels(self) -> list[str]:
        """A label for each letter, and one for the blank."""
        return [*self.letters, "blank"]

    @property
    def output_labels(self) -> list[str]:
        """A label for each letter of answers."""
        return [*self.answers]

    def steps(self, size: Any) -> Any:
        """Return one step per letter of the string and of the answer."""
        return size + self.answer_length(size)

    def items(self, size: int) -> int:
        """Return ``size``: one memory row per letter."""
        return size

    def sample(
        self, key: PRNGKeyArray, size: Int[Array, ""] | int, *, max_size: int
    ) -> Example:
        """Draw a string of ``size`` letters and its answer.

        Inputs are float32, shape (steps, letters + 1); targets are int32 and the mask is
        float32, shape (steps,).
        """
        self.check_size(size, max_size)
        string = self.draw(key, size, max_size)
        answer = self.solve(string, size, self.answer_length(max_size))
        time, steps = jnp.arange(self.steps(max_size)), self.steps(size)
        places = jnp.where(time < size, string[time % max_size], len(self.letters))
        due = (time >= size) & (time < steps)
        return Example(
            inputs=jnp.where((time < steps)[:, None], self.inputs.spec.one_hot(places), 0),
            targets=jnp.where(due, answer[(time - size) % len(answer)], 0).astype(jnp.int32),
            mask=due.astype(jnp.float32),
            steps=jnp.asarray(steps, jnp.int32),
        )

    def own_example(self, value: Any, most: int) -> Example:
        """Return an example made from a person's own string; blanks are appended."""
        if isinstance(value, str) and BLANK not in value and len(value) <= most:
            value += BLANK * self.answer_length(len(value))
        return super().own_example(value, most)

    def answer(self, inputs: Float[np.ndarray, "steps letters"]) -> Answer | None:
        """Return targets and mask for the inputs of a whole example."""
        blank = inputs[:, -1] > 0
        size = int(np.argmax(blank))
        if size < self.smallest or not blank[size:].all() or self.steps(size) != len(inputs):
            return None
        string = jnp.asarray(inputs[:size].argmax(axis=1), jnp.int32)
        targets, mask = np.zeros(len(inputs), np.int32), np.zeros(len(inputs), np.float32)
        targets[size:], mask[size:] = self.solve(string, size, self.answer_length(size)), 1
        return targets, mask

    def render(
        self, example: Example, outputs: Float[Array, "steps letters"] | None = None
    ) -> str:
        """Return string, answer and outputs (if given) over time; wrong letters are ``x``."""
        steps = int(example.steps)
        places = np.asarray(example.inputs)[:steps].argmax(axis=1)
        due = np.asarray(self.output.scored(example))[:steps]
        given = self.inputs.spec.rows("input", places, ~due)
        return self.outputs.spec.render([given], example, outputs)
