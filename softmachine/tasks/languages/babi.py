"""Questions about stories: the twenty tasks of bAbI, from a folder of yours."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from softmachine.core.choices import Bounds, Count, check_fields
from softmachine.core.errors import ExamplesError
from softmachine.core.specs.spec import Metrics, Ratio, Stream
from softmachine.core.specs.symbols import Symbols
from softmachine.tasks.languages.babi_files import (
    ANSWER,
    FETCHING,
    Story,
    read_task,
    tokens,
    words_of,
)
from softmachine.tasks.registry import task
from softmachine.tasks.task import Example, SequenceTask

VALIDATION = 10
"""Each so many-th story of the files for training is for validation."""
Part = Literal["train", "validation", "test"]


class Stories(NamedTuple):
    """The stories of some tasks, all their words one after the other."""

    words: Int[Array | np.ndarray, " words"]
    """Places in the vocabulary."""
    answers: Int[Array | np.ndarray, " words"]
    """What is to be said at each word; -1 for nothing."""
    begins: Int[Array | np.ndarray, " stories"]
    """Where each story begins."""
    lengths: Int[Array | np.ndarray, " stories"]
    """How many words it has."""
    first: Int[Array | np.ndarray, " tasks"]
    """The first story of each task."""
    counts: Int[Array | np.ndarray, " tasks"]
    """How many each has."""


@task("babi")
@dataclasses.dataclass(frozen=True, kw_only=True)
class BAbI(SequenceTask):
    """Read a story, and answer the questions in it with a word, or several.

    A word per step, one-hot; ``.`` and ``?`` are words. After a question as many ``-`` are read
    as its answer has words, and the words are due at these. Source: Weston et al. 2015 (arXiv
    1502.05698); this layout: Graves et al. 2016 (doi 10.1038/nature20101), methods.

    The size of an example says of which task it is: 1 for the first of ``tasks``, and so on.
    So training on all sizes is joint training, and scores by size are those of the tasks. The
    metric ``questions`` is the share of questions whose answer is right as a whole.

    The files are read from ``path``; they do not come with the package. Words are numbered in
    their order among all words of the files of ``tasks``.
    """

    path: str = "data/babi"
    """The folder with ``qa1_..._train.txt``, ``qa1_..._test.txt`` and so on."""
    tasks: tuple[Annotated[int, Bounds(least=1, most=999)], ...] = tuple(range(1, 21))
    """The numbers of the tasks."""
    vocabulary: Annotated[int, Bounds(least=4, most=5000)] = 159
    """How many words there are at most; in bAbI, all 20 tasks, in English, 159."""
    most_words: Count = 800
    """Longer stories are not trained on. They are in validation and tests."""
    part: Part = "train"
    """Which stories: those of the files for training but for each tenth, these, or those of
    the files for tests."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_fields(self)
        if not self.tasks or len({*self.tasks}) < len(self.tasks):
            raise ValueError(f"BAbI tasks must be numbers, each once, not {self.tasks}")

    @property
    def needs(self) -> str:
        """The files."""
        return f"Its stories are looked for in `{self.path}`. {FETCHING}."

    @property
    def inputs(self) -> Stream[Symbols]:
        """One-hot words."""
        return Stream(_symbols(self.vocabulary))

    @property
    def outputs(self) -> Stream[Symbols]:
        """Logits of the words."""
        return Stream(_symbols(self.vocabulary))

    @property
    def input_labels(self) -> list[str]:
        """The words."""
        known = self._words()
        return [*known, *(f"unused {i + 1}" for i in range(self.vocabulary - len(known)))]

    @property
    def output_labels(self) -> list[str]:
        """The words."""
        return self.input_labels

    @property
    def largest(self) -> int:
        """The number of tasks."""
        return len(self.tasks)

    @property
    def test_sizes(self) -> list[int]:
        """All of the tasks."""
        return [*range(1, self.largest + 1)]

    @property
    def shares(self) -> tuple[str, ...]:
        """Metrics in percent: those of words, and that of questions."""
        return (*super().shares, "questions")

    def steps(self, size: Any) -> Any:
        """Return the words of the longest story; ExamplesError without the files."""
        del size
        return int(_stories(self).lengths.max())

    def items(self, size: int) -> int:
        """Return 0: what has to be remembered of a story is not known."""
        del size
        return 0

    def bucket(self, size: int) -> int:
        """Return the largest size: stories of all tasks are padded alike."""
        del size
        return self.largest

    def held_out(self, *, larger: bool = False) -> BAbI:
        """Return the task of the stories for validation; with ``larger``, for tests."""
        return dataclasses.replace(self, part="test" if larger else "validation")

    def data(self) -> Stories:
        """Return the stories; ExamplesError if there are none, or no such words."""
        return jax.tree.map(jnp.asarray, _stories(self))

    def check_size(self, size: Int[Array, ""] | int, max_size: int) -> None:
        """Raise ValueError for a size that is no task."""
        super().check_size(size, max_size)
        if max_size > self.largest:
            raise ValueError(f"BAbI size must be at most {self.largest}, not {max_size}")

    def sample(
        self,
        key: PRNGKeyArray,
        size: Int[Array, ""] | int,
        *,
        max_size: int,
        data: Stories | None = None,
    ) -> Example:
        """Draw a story of a task, each alike.

        Inputs are float32, shape (steps, words); targets are int32 and the mask is float32,
        shape (steps,).
        """
        self.check_size(size, max_size)
        stories = self.data() if data is None else data
        most = self.steps(max_size)
        count = jnp.asarray(stories.counts)[size - 1]
        which = stories.first[size - 1] + jax.random.randint(key, (), 0, count, jnp.int32)
        begin, length = stories.begins[which], stories.lengths[which]
        time = jnp.arange(most)
        places = jnp.minimum(begin + time, len(stories.words) - 1)
        there = time < length
        answers = jnp.where(there, stories.answers[places], -1).astype(jnp.int32)
        one_hot = self.inputs.spec.one_hot(stories.words[places])
        return Example(
            inputs=jnp.where(there[:, None], one_hot, 0),
            targets=jnp.maximum(answers, 0),
            mask=(answers >= 0).astype(jnp.float32),
            steps=length.astype(jnp.int32),
        )

    def metrics(self, outputs: Float[Array, "steps words"], example: Example) -> Metrics:
        """Return the metrics of symbols, and ``questions``: those that are right.

        The words of an answer are scored one after the other, with other words between them
        and the next answer.
        """
        due = example.mask > 0
        first = due & ~jnp.concatenate([jnp.zeros(1, bool), due[:-1]])
        question = jnp.cumsum(first) - 1
        wrong = due & self.output.wrong(outputs, example)
        mistaken = jnp.zeros(len(due), jnp.float32).at[question].max(wrong.astype(jnp.float32))
        asked = jnp.sum(first, dtype=jnp.float32)
        right = asked - jnp.sum(mistaken)
        return super().metrics(outputs, example) | {"questions": Ratio(right, asked)}

    def own_example(self, value: Any, most: int) -> Example:
        """Return an example made from a person's own story, ``-`` where an answer is due."""
        if not isinstance(value, str):
            return super().own_example(value, most)
        words, known = tokens(value), self._words()
        strange = sorted({*words} - {*known})
        if strange:
            raise ValueError(f"inputs must be words of bAbI; it has {' '.join(strange[:5])}")
        if not 0 < len(words) <= most:
            raise ValueError(f"inputs must have 1 to {most:,} words, not {len(words):,}")
        places = np.array([known.index(word) for word in words])
        targets, mask = self.output.unscored(len(words))
        return Example(
            jnp.asarray(np.eye(self.vocabulary, dtype=np.float32)[places]),
            jnp.asarray(targets),
            jnp.asarray(mask),
            jnp.asarray(len(words), jnp.int32),
        )

    def render(
        self, example: Example, outputs: Float[Array, "steps words"] | None = None
    ) -> str:
        """Return the story, a sentence per line, and answers as ``-wanted`` or ``-said``.

        With outputs, what the machine said stands at each ``-``, and behind a wrong word what
        is right, in brackets.
        """
        steps, known = int(example.steps), self.input_labels
        read = [known[place] for place in np.asarray(example.inputs)[:steps].argmax(axis=1)]
        wanted = [known[place] for place in np.asarray(example.targets)[:steps]]
        due = np.asarray(example.mask)[:steps] > 0
        said = wanted if outputs is None else self._said(outputs, steps)
        lines, line = [], []
        for i, word in enumerate(read):
            if word == ANSWER and (due[i] or outputs is not None):
                right = "" if said[i] == wanted[i] or not due[i] else f" ({wanted[i]})"
                word = f"{ANSWER}{said[i]}{right}"
            line.append(word)
            if word == "." or (word[0] == ANSWER and read[i + 1 : i + 2] != [ANSWER]):
                lines.append(" ".join(line))
                line = []
        return "\n".join([*lines, *([" ".join(line)] if line else [])])

    def _said(self, outputs: Any, steps: int) -> list[str]:
        known = self.input_labels
        return [known[place] for place in np.asarray(self.output.decide(outputs))[:steps]]

    def _words(self) -> tuple[str, ...]:
        """Return the words by number; ExamplesError if there are too many of them."""
        words = words_of(self.path, self.tasks)
        if len(words) > self.vocabulary:
            raise ExamplesError(
                f"the files in {self.path} have {len(words)} words: a vocabulary of "
                f"{self.vocabulary} is too small"
            )
        return words


def _symbols(count: int) -> Symbols:
    """Return as many symbols; each is a letter, which nobody has to read."""
    return Symbols("".join(chr(0x4E00 + i) for i in range(count)))


@lru_cache(maxsize=16)
def _stories(task: BAbI) -> Stories:
    """Return the stories of a part as NumPy arrays."""
    numbers = {word: number for number, word in enumerate(task._words())}
    by_task = [_of_part(task, number) for number in task.tasks]
    stories = [story for some in by_task for story in some]
    lengths = np.array([len(story.words) for story in stories], np.int32)
    counts = np.array([len(some) for some in by_task], np.int32)
    return Stories(
        words=np.array([numbers[x] for story in stories for x in story.words], np.int16),
        answers=np.array(
            [-1 if x is None else numbers[x] for story in stories for x in story.answers],
            np.int16,
        ),
        begins=np.cumsum(lengths, dtype=np.int32) - lengths,
        lengths=lengths,
        first=np.cumsum(counts, dtype=np.int32) - counts,
        counts=counts,
    )


def _of_part(task: BAbI, number: int) -> Sequence[Story]:
    """Return the stories of one of the tasks that are of the part."""
    if task.part == "test":
        return read_task(task.path, number, "test")
    stories = read_task(task.path, number, "train")
    held_out = stories[VALIDATION - 1 :: VALIDATION]
    if task.part == "validation":
        found, lacking = held_out, f"{VALIDATION} stories, of which one is for validation"
    else:
        others = [story for i, story in enumerate(stories) if (i + 1) % VALIDATION]
        found = [story for story in others if len(story.words) <= task.most_words]
        lacking = f"a story of at most {task.most_words:,} words"
    if not found:
        raise ExamplesError(
            f"the file of task {number} for training, in {task.path}, does not have {lacking}"
        )
    return found
