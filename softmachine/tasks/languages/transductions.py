"""The base of sequence transductions, and those that only reorder: copy, reverse, flip."""

from __future__ import annotations

import abc
import dataclasses
from typing import Annotated, Any, ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from softmachine.core.choices import Bounds, check_fields
from softmachine.core.pytrees import PyTree
from softmachine.core.specs.spec import Metrics, Stream
from softmachine.core.specs.symbols import Symbols
from softmachine.tasks.registry import task
from softmachine.tasks.task import Answer, Example, SequenceTask

START, SEPARATOR, END = "[|]"
"""The paper's ``<s>``, ``|||`` and ``</s>``."""
PAIRS = [
    (letter, letter.upper())
    for letter in map(chr, range(ord("a"), 0x250))
    if len(letter.upper()) == 1 and letter.upper() != letter == letter.upper().lower()
]
"""Letters for the symbols of sources and targets: a and A, b and B, ..."""

Word = Int[Array, " length"]
"""Indices into the source's or the target's own letters."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Transduction(SequenceTask):
    """Read a source of ``size`` symbols, then write a target of as many.

    The machine reads ``<s> a_1 .. a_k ||| b_1 .. b_k`` and predicts, from ``|||`` on, the next
    target symbol, and at last ``</s>``. Sources and targets have vocabularies of their own.
    Source: Grefenstette et al. 2015 (arXiv 1506.02516), section 4.

    The paper feeds a machine's own predictions back in tests; here it reads the target. Its two
    scores are the same either way, since up to the first mistake both read the same: the share
    of sequences that are right (the paper's coarse accuracy, here ``perfect``), and the share
    of the target before the first mistake (fine accuracy, here ``fine``).
    """

    @property
    @abc.abstractmethod
    def sources(self) -> str:
        """The letters of sources."""

    @property
    @abc.abstractmethod
    def targets(self) -> str:
        """The letters of targets."""

    @abc.abstractmethod
    def draw(
        self, key: PRNGKeyArray, size: Int[Array, ""], max_size: int, data: PyTree
    ) -> tuple[Word, Word]:
        """Draw a source and its target, padded to ``max_size``, of ``length(size)`` symbols."""

    def length(self, size: Any) -> Any:
        """Return how many symbols source and target of a size have; by default ``size``."""
        return size

    @property
    def inputs(self) -> Stream[Symbols]:
        """One-hot symbols of source, target and their marks."""
        return Stream(Symbols(START + SEPARATOR + self.sources + self.targets))

    @property
    def outputs(self) -> Stream[Symbols]:
        """Logits of the next target symbol, or of the end."""
        return Stream(Symbols(END + self.targets))

    @property
    def input_labels(self) -> list[str]:
        """The letters."""
        return [*self.inputs.spec.alphabet]

    @property
    def output_labels(self) -> list[str]:
        """The letters."""
        return [*self.outputs.spec.alphabet]

    @property
    def shares(self) -> tuple[str, ...]:
        """Metrics in percent: those of symbols, and the fine accuracy."""
        return (*super().shares, "fine")

    def metrics(self, outputs: Float[Array, "steps letters"], example: Example) -> Metrics:
        """Return the metrics of symbols, and ``fine``."""
        wrong = self.output.wrong(outputs, example)
        before = (jnp.cumsum(wrong) == 0).astype(jnp.float32) * example.mask
        fine = jnp.sum(before) / jnp.maximum(jnp.sum(example.mask), 1)
        return {**super().metrics(outputs, example), "fine": fine}

    def steps(self, size: Any) -> Any:
        """Return one step for each symbol of source and target, and for the first two marks."""
        return 2 * size + 2

    def items(self, size: int) -> int:
        """Return ``size``: a value for each symbol of the source."""
        return size

    def sample(
        self,
        key: PRNGKeyArray,
        size: Int[Array, ""] | int,
        *,
        max_size: int,
        data: PyTree = None,
    ) -> Example:
        """Draw a source and its target.

        Inputs are float32, shape (steps, letters); targets are int32 and the mask is float32,
        shape (steps,).
        """
        self.check_size(size, max_size)
        size = jnp.asarray(size, jnp.int32)
        source, target = self.draw(key, size, max_size, self.data() if data is None else data)
        length = self.length(size)
        time, steps = jnp.arange(self.steps(max_size)), self.steps(length)
        marks, first_target = 2, 2 + len(self.sources)
        letters = jnp.select(
            [time == 0, time <= length, time == length + 1],
            [
                jnp.zeros_like(time),
                marks + source[(time - 1) % max_size],
                jnp.ones_like(time),
            ],
            first_target + target[(time - length - 2) % max_size],
        )
        real, due = time < steps, (time > length) & (time < steps)
        after = jnp.where(
            time < steps - 1, 1 + target[(time - length - 1) % max_size], jnp.zeros_like(time)
        )
        return Example(
            inputs=jnp.where(real[:, None], self.inputs.spec.one_hot(letters), 0.0),
            targets=jnp.where(due, after, 0).astype(jnp.int32),
            mask=due.astype(jnp.float32),
            steps=steps.astype(jnp.int32),
        )

    def render(
        self, example: Example, outputs: Float[Array, "steps letters"] | None = None
    ) -> str:
        """Return what is read, and below it what is to be predicted."""
        places = np.asarray(example.inputs)[: int(example.steps)].argmax(axis=1)
        given = self.inputs.spec.rows("input", places, np.ones(len(places), bool))
        return self.outputs.spec.render([given], example, outputs)


@task("transduction")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Reordering(Transduction):
    """Write a random source again: as it is, reversed, or with neighbours swapped.

    To flip bigrams, the first symbol is swapped with the second, the third with the fourth, and
    so on; sources of an odd size are one symbol shorter. Source: Grefenstette et al. 2015
    (arXiv 1506.02516), section 4.1.

    >>> task = Reordering(operation="reverse", symbols=4)
    >>> print(task.render(task.sample(jax.random.key(0), 4, max_size=4)))
    input   [baab|BAAB
    target  .....BAAB]

    With a given source instead of a random one:

    >>> task = Reordering(operation="flip-bigrams", symbols=10)
    >>> print(task.render(task.own_example("gcia", most=100)))
    input   [gcia|CGAI
    target  .....CGAI]
    """

    operation: Literal["copy", "reverse", "flip-bigrams"] = "copy"
    symbols: Annotated[int, Bounds(least=2, most=128)] = 128
    """How many different symbols there are."""
    smallest: ClassVar[int] = 2

    def __post_init__(self) -> None:
        """Check the fields."""
        check_fields(self)

    @property
    def sources(self) -> str:
        """The first lower-case letters."""
        return "".join(lower for lower, _ in PAIRS[: self.symbols])

    @property
    def targets(self) -> str:
        """The same letters in upper case."""
        return "".join(upper for _, upper in PAIRS[: self.symbols])

    def length(self, size: Any) -> Any:
        """Return ``size``; even, if bigrams are flipped."""
        return size - size % 2 if self.operation == "flip-bigrams" else size

    def draw(
        self, key: PRNGKeyArray, size: Int[Array, ""], max_size: int, data: PyTree
    ) -> tuple[Word, Word]:
        """Draw symbols, all equally likely."""
        del data
        source = jax.random.randint(key, (max_size,), 0, self.symbols, jnp.int32)
        return source, self.solve(source, self.length(size))

    def solve(self, source: Word, length: Int[Array, ""] | int) -> Word:
        """Return the target of a source.

        >>> task = Reordering(operation="flip-bigrams")
        >>> task.solve(jnp.array([7, 3, 9, 1]), 4).tolist()
        [3, 7, 1, 9]
        """
        places = jnp.arange(len(source))
        if self.operation == "reverse":
            places = length - 1 - places
        elif self.operation == "flip-bigrams":
            places = jnp.where(places % 2 == 0, places + 1, places - 1)
        return source[places % len(source)]

    def own_example(self, value: Any, most: int) -> Example:
        """Return an example made from a person's own source; marks and target are added."""
        if isinstance(value, str) and value and set(value) <= set(self.sources):
            value = f"{START}{value}{SEPARATOR}{self._written(value)}"
        return super().own_example(value, most)

    def answer(self, inputs: Float[np.ndarray, "steps letters"]) -> Answer | None:
        """Return targets and mask for the inputs of a whole example, its target included."""
        text = "".join(self.inputs.spec.alphabet[i] for i in inputs.argmax(axis=1))
        source, _, target = text[1:].partition(SEPARATOR)
        fits = text[0] == START and source and set(source) <= set(self.sources)
        if not fits or self.length(len(source)) != len(source):
            return None
        if target != self._written(source):
            return None
        targets, mask = np.zeros(len(text), np.int32), np.zeros(len(text), np.float32)
        targets[-len(target) - 1 : -1] = [1 + self.targets.index(letter) for letter in target]
        mask[-len(target) - 1 :] = 1
        return targets, mask

    def _written(self, source: str) -> str:
        """Return the target of a source, as text."""
        places = jnp.array([self.sources.index(letter) for letter in source])
        written = self.solve(places, len(source))
        return "".join(self.targets[place] for place in np.asarray(written))
