"""Translations by grammars: word order, and the gender of articles."""

from __future__ import annotations

import dataclasses
import functools
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, PRNGKeyArray

from softmachine.core.choices import Bounds, Count, Natural, check_fields
from softmachine.tasks.languages.grammars import GRAMMARS, derivations
from softmachine.tasks.languages.transductions import PAIRS, Transduction, Word
from softmachine.tasks.registry import task


class Derivations(NamedTuple):
    """Sentences without their words, by length."""

    kinds: Int[Array, "lengths count most"]
    """The kind of each word of the source."""
    orders: Int[Array, "lengths count most"]
    """For each word of the target, its place in the source."""


@task("translation")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Translation(Transduction):
    """Translate a sentence of ``size`` words by a grammar that derives both sides at once.

    A word is a letter here; `input_labels` and `output_labels` tell which. Source: Grefenstette
    et al. 2015 (arXiv 1506.02516), section 4.2 and appendix C. There sentences are as long as
    the grammar makes them, and those outside the wanted range are thrown away. Here each length
    is drawn for itself: of the sentences of a length each is as likely as the grammar has it.

    Derivations are drawn once, and words anew for each example.

    >>> task = Translation(most=8)
    >>> print(task.words(task.sample(jax.random.key(0), 5, max_size=5)))
    si27 vi29 oi14 oi22 oi24 ||| so27 oo14 oo22 oo24 vo29
    >>> task = Translation(grammar="gender", most=8)
    >>> print(task.words(task.sample(jax.random.key(0), 7, max_size=7)))
    a fe23 and a fe2 we13 we13 ||| eine fg23 und eine fg2 wg13 wg13
    """

    grammar: Literal["svo-sov", "gender"] = "svo-sov"
    most: Annotated[int, Bounds(least=5, most=1000)] = 64
    """The longest sentences."""
    count: Count = 64
    """How many derivations of each length there are."""
    seed: Natural = 0
    """What derivations are drawn from; held-out ones from the next."""
    smallest: ClassVar[int] = 5

    def __post_init__(self) -> None:
        """Check the fields."""
        check_fields(self)

    @property
    def sources(self) -> str:
        """A letter for each word of the source."""
        return "".join(lower for lower, _ in PAIRS[: len(_vocabulary(self.grammar).sources)])

    @property
    def targets(self) -> str:
        """A letter for each word of the target."""
        return "".join(upper for _, upper in PAIRS[: len(_vocabulary(self.grammar).targets)])

    @property
    def input_labels(self) -> list[str]:
        """The words, and the marks before them."""
        words = _vocabulary(self.grammar)
        return ["<s>", "|||", *words.sources, *words.targets]

    @property
    def output_labels(self) -> list[str]:
        """The words, and the mark of the end before them."""
        return ["</s>", *_vocabulary(self.grammar).targets]

    @property
    def largest(self) -> int:
        """The length of the longest sentences."""
        return self.most

    def bucket(self, size: int) -> int:
        """Return the size rounded up to a power of two, or the largest there is."""
        return min(super().bucket(size), self.most)

    def check_size(self, size: Int[Array, ""] | int, max_size: int) -> None:
        """Raise ValueError for a size out of range, or above that of the longest sentences."""
        super().check_size(size, max_size)
        if max_size > self.most:
            raise ValueError(
                f"Translation size must be at most {self.most}, not {max_size}: take "
                f"most={max_size} for longer sentences"
            )

    def held_out(self, *, larger: bool = False) -> Translation:
        """Return the task of other derivations; with ``larger``, of at least 128 words."""
        most = max(self.most, 128) if larger else self.most
        return dataclasses.replace(self, seed=self.seed + 1, most=most)

    def data(self) -> Derivations:
        """Return the derivations."""
        known = (self.grammar, self.smallest, self.most, self.count, self.seed)
        return Derivations(*map(jnp.asarray, _derivations(*known)))

    def draw(
        self, key: PRNGKeyArray, size: Int[Array, ""], max_size: int, data: Any
    ) -> tuple[Word, Word]:
        """Draw one of the derivations, and words for it."""
        which_key, words_key = jax.random.split(key)
        which = jax.random.randint(which_key, (), 0, self.count, jnp.int32)
        kinds, order = (x[size - self.smallest, which, :max_size] for x in data)
        words = _vocabulary(self.grammar)
        numbers = jax.random.randint(
            words_key, (max_size,), 0, jnp.asarray(words.counts, jnp.int32)[kinds], jnp.int32
        )
        source, target = (jnp.asarray(x, jnp.int32)[kinds, numbers] for x in words.places)
        return source, target[order]

    def words(self, example: Any) -> str:
        """Return source and target of an example in words."""
        steps = int(example.steps)
        places = np.asarray(example.inputs)[1:steps].argmax(axis=1)
        return " ".join(self.input_labels[place] for place in places)


class _Vocabulary(NamedTuple):
    sources: list[str]
    targets: list[str]
    counts: tuple[int, ...]
    """How many words of each kind there are."""
    places: tuple[np.ndarray, np.ndarray]
    """For each kind and number, the word's place among the sources, and among the targets."""


@functools.cache
def _vocabulary(grammar: str) -> _Vocabulary:
    words = GRAMMARS[grammar].words
    sides = [[pair[side] for pairs in words.values() for pair in pairs] for side in (0, 1)]
    sources, targets = (list(dict.fromkeys(side)) for side in sides)
    counts = tuple(map(len, words.values()))
    places = np.zeros((2, len(words), max(counts)), np.int32)
    for kind, pairs in enumerate(words.values()):
        for number, (source, target) in enumerate(pairs):
            places[:, kind, number] = sources.index(source), targets.index(target)
    return _Vocabulary(sources, targets, counts, (places[0], places[1]))


@functools.lru_cache(maxsize=8)
def _derivations(
    grammar: str, smallest: int, most: int, count: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    return derivations(GRAMMARS[grammar], smallest, most, count, seed)
