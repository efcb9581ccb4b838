"""The base of tasks on strings: read a string, then output an answer while reading blanks."""

from __future__ import annotations

import abc
import dataclasses
from functools import lru_cache, partial
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from softmachine.core import compiling
from softmachine.core.specs.spec import Metrics, Ratio, Stream
from softmachine.core.specs.symbols import Symbols
from softmachine.tasks.task import Answer, Example, SequenceTask, sample_batch

BLANK = "."
"""The input letter while the answer is due."""
COUNTED = 2048
"""How many answers are counted for `StringTask.blind`: the share of answers of one letter that
are right half the time is then known to 1.1 %."""
BLOCK = 128
"""How many of them are drawn at once: few enough for a processor's cache."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class StringTask(SequenceTask):
    """A task whose input is a string of ``size`` letters and whose answer is another string.

    A machine reads the string, one letter per step, then one blank for each letter of the
    answer, which it outputs at the same step. Source: Delétang et al. 2023 (arXiv 2207.02098),
    section 4.

    A subclass gives its ``letters``, the `answer_length`, and how to `draw` and `solve` a
    string. Strings are arrays of indices into the letters, int32. Where not every string has
    an answer, it says which ones it `accepts`; where strings of some lengths do not exist, the
    `string_length` for a size; where a part of the answer is padding, what is `scored`.

    Scores stand beside those of an answer that knows nothing but the length of the string; see
    `blind`.
    """

    letters: ClassVar[str]
    """The alphabet of input strings, without the blank."""
    answers: ClassVar[str]
    """The alphabet of answers."""

    @abc.abstractmethod
    def answer_length(self, size: Any) -> Any:
        """Return the length of the answer to a string of ``size`` letters; may be traced."""

    @abc.abstractmethod
    def draw(
        self, key: PRNGKeyArray, size: Int[Array, ""] | int, max_size: int
    ) -> Int[Array, " max_size"]:
        """Draw a string of ``size`` letters; the padding after them may hold anything."""

    def string_length(self, size: Any) -> Any:
        """Return how many letters a string of a size has, by default as many; may be traced.

        Never fewer than those of a smaller size.
        """
        return size

    def accepts(self, text: str) -> bool:
        """Return whether a person's own string, all of its letters known, has an answer."""
        del text
        return True

    def scored(self, answer: Int[Array, " length"]) -> Bool[Array, " length"]:
        """Return which letters of an answer count: by default all of them."""
        return jnp.ones(answer.shape, bool)

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

    @property
    def shares(self) -> tuple[str, ...]:
        """Metrics in percent: those of symbols, and those of answers without the input."""
        return (*super().shares, "blind_accuracy", "blind_perfect")

    def steps(self, size: Any) -> Any:
        """Return one step per letter of the string and of the answer."""
        letters = self.string_length(size)
        return letters + self.answer_length(letters)

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
        steps, time = self.steps(size), jnp.arange(self.steps(max_size))
        size, most = self.string_length(size), self.string_length(max_size)
        string = self.draw(key, size, most)
        answer = self.solve(string, size, self.answer_length(most))
        places = jnp.where(time < size, string[time % most], len(self.letters))
        place = (time - size) % len(answer)
        due = (time >= size) & (time < steps) & self.scored(answer)[place]
        return Example(
            inputs=jnp.where((time < steps)[:, None], self.inputs.spec.one_hot(places), 0),
            targets=jnp.where(due, answer[place], 0).astype(jnp.int32),
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
        if size < self.smallest or not blank[size:].all():
            return None
        if self.string_length(size) != size or self.steps(size) != len(inputs):
            return None
        places = inputs[:size].argmax(axis=1)
        if not self.accepts("".join(self.letters[place] for place in places)):
            return None
        string = jnp.asarray(places, jnp.int32)
        answer, scored = map(np.asarray, _solved(self, string, size, self.answer_length(size)))
        targets, mask = np.zeros(len(inputs), np.int32), np.zeros(len(inputs), np.float32)
        targets[size:], mask[size:] = np.where(scored, answer, 0), scored
        return targets, mask

    def blind(self, size: int) -> Metrics:
        """Return how well the best answers do that know only the size of the example.

        ``blind_accuracy`` is that of an answer with the letter at each place that is right
        most often there; ``blind_perfect`` that of the answer that is right as a whole most
        often. Both are counted on `COUNTED` examples and scored on as many others.
        """
        return dict(_blind(self, size))

    def render(
        self, example: Example, outputs: Float[Array, "steps letters"] | None = None
    ) -> str:
        """Return string, answer and outputs (if given) over time; wrong letters are ``x``."""
        steps = int(example.steps)
        places = np.asarray(example.inputs)[:steps].argmax(axis=1)
        due = np.asarray(self.output.scored(example))[:steps]
        given = self.inputs.spec.rows("input", places, ~due)
        return self.outputs.spec.render([given], example, outputs)


@partial(compiling.filter_jit, tuned=False)
def _solved(task, string, size, length):
    """Return the answer to a string, and which of its letters count."""
    answer = task.solve(string, size, length)
    return answer, task.scored(answer)


@lru_cache(maxsize=1000)
def _blind(task: StringTask, size: int) -> Metrics:
    keys = jax.random.split(jax.random.key(0), (2, COUNTED // BLOCK, BLOCK))
    sizes, most = jnp.full(BLOCK, size), task.bucket(size)
    (counted, there), (targets, mask) = [
        [np.concatenate(part) for part in zip(*blocks, strict=True)]
        for blocks in [[sample_batch(task, x, sizes, most)[1:3] for x in half] for half in keys]
    ]
    often = [np.sum(there * (counted == i), axis=0) for i in range(len(task.answers))]
    right = (targets == np.argmax(often, axis=0)) * mask
    wholes, times = np.unique(counted, axis=0, return_counts=True)
    perfect = (targets == wholes[np.argmax(times)]).all(axis=1)
    return {
        "blind_accuracy": Ratio(right.sum(axis=1), mask.sum(axis=1)),
        "blind_perfect": perfect.astype(np.float32),
    }
