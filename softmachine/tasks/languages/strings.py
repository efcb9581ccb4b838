"""What tasks on strings share: a string is read, then blanks while the answer is due."""

from __future__ import annotations

import abc
import dataclasses
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from softmachine.core.rendering import render_rows
from softmachine.core.specs.spec import Stream
from softmachine.core.specs.symbols import Symbols
from softmachine.tasks.task import Answer, Example, SequenceTask

BLANK = "."


@dataclasses.dataclass(frozen=True, kw_only=True)
class StringTask(SequenceTask):
    """A string of ``size`` letters, and another that is the answer to it.

    A machine reads the string, then as many blanks as the answer has letters, one of which is
    due at each. Source: Delétang et al. 2023 (arXiv 2207.02098), section 4.

    A subclass is its letters, how long answers are, what is drawn, and the answer. Both
    `draw` and `solve` are given arrays of places in the alphabet.
    """

    letters: ClassVar[str]
    """Of strings."""
    answers: ClassVar[str]
    """Letters of answers."""

    @abc.abstractmethod
    def answer_length(self, size: Any) -> Any:
        """Return how many letters an answer has; traced as the size is."""

    @abc.abstractmethod
    def draw(
        self, key: PRNGKeyArray, size: Int[Array, ""] | int, max_size: int
    ) -> Int[Array, " max_size"]:
        """Draw a string; what stands after its ``size`` letters does not matter."""

    @abc.abstractmethod
    def solve(
        self, string: Int[Array, " max_size"], size: Int[Array, ""] | int, length: int
    ) -> Int[Array, " length"]:
        """Return the answer; what stands after its own letters does not matter.

        ``length``: that of the answer to a string of ``max_size`` letters.
        """

    @property
    def inputs(self) -> Stream[Symbols]:
        """A letter, or a blank."""
        return Stream(Symbols(self.letters + BLANK))

    @property
    def outputs(self) -> Stream[Symbols]:
        """A letter."""
        return Stream(Symbols(self.answers))

    @property
    def input_labels(self) -> list[str]:
        """The letters and the blank."""
        return [*self.letters, "blank"]

    @property
    def output_labels(self) -> list[str]:
        """The letters."""
        return [*self.answers]

    def steps(self, size: Any) -> Any:
        """Return a step for each letter of string and answer."""
        return size + self.answer_length(size)

    def items(self, size: int) -> int:
        """Return ``size``: one row per letter."""
        return size

    def sample(
        self, key: PRNGKeyArray, size: Int[Array, ""] | int, *, max_size: int
    ) -> Example:
        """Draw a string of ``size`` letters.

        Inputs, float32, are of shape (steps, letters + 1); targets, int32, and mask, float32,
        of shape (steps,).
        """
        self.check_size(size, max_size)
        string = self.draw(key, size, max_size)
        said = self.solve(string, size, self.answer_length(max_size))
        time, steps = jnp.arange(self.steps(max_size)), self.steps(size)
        places = jnp.where(time < size, string[time % max_size], len(self.letters))
        due = (time >= size) & (time < steps)
        return Example(
            inputs=self.inputs.spec.one_hot(places) * (time < steps)[:, None],
            targets=jnp.where(due, said[(time - size) % len(said)], 0).astype(jnp.int32),
            mask=due.astype(jnp.float32),
            steps=jnp.asarray(steps, jnp.int32),
        )

    def own_example(self, value: Any, most: int) -> Example:
        """Return the example whose string a person typed; blanks after it are put there."""
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
        """Return string, answer and, if any, outputs over time; wrong letters are ``x``."""
        steps = int(example.steps)
        given, said = self.inputs.spec, self.outputs.spec
        places = np.asarray(example.inputs)[:steps].argmax(axis=1)
        due = np.asarray(example.mask)[:steps] > 0
        targets = np.asarray(example.targets)[:steps]
        rows = [given.rows("input", places, ~due), said.rows("target", targets, due)]
        if outputs is not None:
            decided = np.asarray(said.decide(jnp.asarray(outputs)))[:steps]
            rows.append(said.rows("output", decided, due, decided != targets))
        return render_rows(rows)
