"""A task defined by a user's own examples alone."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, PRNGKeyArray

from softmachine.core.choices import Count, Natural, check_fields
from softmachine.core.errors import ExamplesError
from softmachine.tasks.memories.adversarial import Cases
from softmachine.tasks.memories.examples import (
    LEAST_CELLS,
    GivenExample,
    check_cells,
    extent,
    parse_examples,
)
from softmachine.tasks.memory import LaidOut, MemorySample, MemoryTask, Trial, fill
from softmachine.tasks.registry import task
from softmachine.tasks.steps import StepRule
from softmachine.tasks.task import Example

Part = Literal["training", "validation", "test"]
"""The parts that the examples are split into."""
HELD_OUT = 0.2
"""The fraction of the examples of each size that is held out of training."""
FEW = 20
"""With fewer examples nothing is held out of a search: too little would be left to tell what is
meant, and a loop that suits most of them would be found again and again."""
CONFIRMING_CELLS = 16
"""A search runs examples that need at most so many times the cells of training memories."""
SEARCHED_CELLS = LEAST_CELLS
"""The number of leading cells in which a step rule looks for the size, or for an array."""


@task("given")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Given(MemoryTask):
    r"""Reproduce a user's own examples of a memory before and after.

    Examples that need a memory of at most ``memory`` cells are used for training, except for
    one in five of each size (at least one if there are two), which are held out for
    validation. The test has the validation examples and all that need a larger memory. A
    sample is one of the examples of a part, uniform among those of the nearest existing size.

    Memories are padded with zeros to the largest memory of their part; in the test to twice
    that, since what is learned must not depend on the number of unused cells.

    >>> lines = [f'{{"input": [{a}, 0], "output": [{a + 1}, 0]}}' for a in (1, 2, 3)]
    >>> task = Given(examples="\n".join(lines))
    >>> print(task.render(task.sample(jax.random.key(0), 2, max_size=2)))
    cell    0 1 2 3
    input   2 0 0 0
    target  3 0 . .

    Which examples are held out depends on the examples alone:

    >>> [example.before for example in task.part_examples("validation")]
    [(3, 0)]
    """

    unbounded = True

    examples: str
    """Lines of JSON; see `softmachine.tasks.memories.examples.parse_examples`."""
    memory: Count = 16
    """The largest number of cells, M, of an example for training."""
    steps_per_size: Natural = 1
    """The number of machine steps per unit of size; there is one step more. 0: the square of
    one more than the size, for loops in loops."""
    part: Part = "training"
    """The part that `sample` draws from."""
    searched: bool = False
    """Whether programs are searched, not trained: then one half of the examples of each size
    that need a larger memory is for training, too; they need only be run. Of fewer than `FEW`
    none is held out that fits: the other parts have those of training, if no larger ones."""

    def __post_init__(self) -> None:
        """Check the numbers, and that there are examples for training and validation."""
        check_fields(self)
        parts = split(self.examples, self.memory, self.searched)
        if not parts["training"] or not parts["validation"]:
            raise ExamplesError(_what_is_missing(self))

    def held_out(self, *, larger: bool = False) -> Given:
        """Return the task that draws validation examples, or with ``larger`` test examples."""
        return dataclasses.replace(self, part="test" if larger else "validation")

    def part_examples(self, part: Part) -> Sequence[GivenExample]:
        """Return the examples of a part, ordered by size."""
        return split(self.examples, self.memory, self.searched)[part]

    @property
    def sizes(self) -> list[int]:
        """The distinct sizes of this part's examples, in increasing order."""
        return sorted({example.size for example in self.part_examples(self.part)})

    def steps(self, size: Any) -> Any:
        """Return ``steps_per_size * size + 1``, or ``(size + 1) ** 2``."""
        if not self.steps_per_size:
            return (size + 1) ** 2
        return self.steps_per_size * size + 1

    def step_rule(self) -> StepRule:
        """Return a rule that computes the steps of all examples from their initial memory.

        Tried in turn: a constant, the length of an array that ends with 0, the value of a cell,
        and the length of the list; each up to an offset that is the same for all examples. If
        none fits, the length of the list before padding; see `lay_out` and `tells_size`.
        """
        return _step_rule(self)

    @property
    def tells_size(self) -> bool:
        """Whether `step_rule` gives every example the same number of steps as `steps`."""
        rule = self.step_rule()
        return all(
            rule.steps(x.before) == self.steps(x.size) for x in parse_examples(self.examples)
        )

    @property
    def growth(self) -> Fraction:
        """By what factor an answer may exceed its list, in length or number; at least 1."""
        return _growth(self.examples)

    @property
    def trained_cells(self) -> int:
        """The number of cells of the largest training memory."""
        trained = dataclasses.replace(self, part="training")
        return trained.cells(trained.sizes[-1])

    @property
    def zeros_may_follow(self) -> bool:
        """Whether more zeros behind a list mean nothing.

        That is so if the number of cells gives that of the steps, since nothing else tells it,
        and lists of one size have several lengths.
        """
        lengths: dict[int, int] = {}
        return self.step_rule().of == "length" and any(
            lengths.setdefault(x.size, len(x.before)) != len(x.before)
            for x in parse_examples(self.examples)
        )

    def lay_out(self, cells: Any) -> LaidOut:
        r"""Return the initial memory, and the number of steps, for a person's own list.

        The memory is the list, padded with zeros. It also has to hold the answer, whose largest
        number is not known beforehand: it is assumed to exceed the list's own numbers, and its
        length, by at most the largest factor among the examples. There are at least as many
        cells as in training, since some machines use cells beyond the list.

        Raises ExamplesError unless this is a non-empty list of integers from 0 on.

        >>> lines = [f'{{"input": [{a}, 0], "output": [{2 * a}, 0]}}' for a in (3, 4, 5)]
        >>> memory, steps, length = Given(examples="\n".join(lines)).lay_out([7, 0])
        >>> memory[:4], len(memory), steps, length
        ([7, 0, 0, 0], 15, 3, 2)
        """
        check_cells(cells)
        own = list(cells)
        needed = 1 + math.ceil(self.growth * extent(own))
        length = max(self.trained_cells, len(own), needed)
        memory, rule = own + [0] * (length - len(own)), self.step_rule()
        return LaidOut(memory, rule.steps(own if rule.of == "length" else memory), len(own))

    def adversarial_cases(self) -> Cases:
        """Return no cases: examples do not say what is hard; see `trials`."""
        return {}

    def trials(
        self, rng: np.random.Generator, sizes: Sequence[int], largest: int, repeats: int
    ) -> Iterator[Trial]:
        """Yield examples of this part: the first, the last and ``repeats`` more of each size.

        Each comes in twice the memory that it needs, since a program with unbounded integers
        may be right and yet overflow in the smallest memory. ``sizes`` is not used: the
        examples have sizes of their own, of which those up to ``largest`` are taken.
        """
        del sizes
        for size in [size for size in self.sizes if size <= largest]:
            group = [x for x in self.part_examples(self.part) if x.size == size]
            some = rng.permutation(len(group))[:repeats].tolist()
            for example in [group[i] for i in sorted({0, len(group) - 1, *some})]:
                cells = 2 * example.cells_needed
                memory = fill(example.before, cells)
                scored = [bool(x) for x in fill([int(x) for x in example.scored], cells)]
                after = fill(example.after, cells)
                targets = [
                    a if counts else b
                    for a, b, counts in zip(after, memory, scored, strict=True)
                ]
                capacity = "in twice the memory that it needs"
                yield Trial("given", capacity, size, memory, targets, scored)

    def cells(self, size: int) -> int:
        """Return the number of cells for the part's examples up to a size."""
        return _table(self, size).inputs.shape[1]

    def labels(self, memory: Sequence[int]) -> list[str]:
        """Return empty labels: examples do not say what the cells are."""
        return [""] * len(memory)

    def sample(
        self, key: PRNGKeyArray, size: Int[Array, ""] | int, *, max_size: int
    ) -> Example:
        """Draw an example of the existing size nearest to ``size``; see `MemoryTask.sample`.

        Raises ValueError if all examples of the part are larger than ``max_size``.
        """
        self.check_size(size, max_size)
        sizes = jnp.asarray(_table(self, max_size).sizes)
        nearest = sizes[jnp.argmin(jnp.abs(sizes - size))]
        return super().sample(key, nearest, max_size=max_size)

    def _draw(
        self, key: PRNGKeyArray, size: Int[Array, ""], max_size: int, cells: int
    ) -> MemorySample:
        """Draw one of the examples of an existing size."""
        del cells
        table = _table(self, max_size)
        group = jnp.argmax(jnp.asarray(table.sizes) == size)
        counts, firsts = jnp.asarray(table.counts), jnp.asarray(table.firsts)
        row = firsts[group] + jax.random.randint(key, (), 0, counts[group], jnp.int32)
        return (
            jnp.asarray(table.inputs)[row],
            jnp.asarray(table.targets)[row],
            jnp.asarray(table.scored)[row],
        )


def _what_is_missing(task: Given) -> str:
    """Return the error message for examples that leave nothing to train on."""
    examples = parse_examples(task.examples)
    smallest = min(examples, key=lambda x: x.cells_needed)
    needs = (
        f"line {smallest.line}: training needs two examples of one size that fit a memory of "
        f"{task.memory} cells; this, the smallest, needs {smallest.cells_needed}"
    )
    if smallest.cells_needed <= task.memory:
        fit = sum(x.cells_needed <= task.memory for x in examples)
        return (
            f"{needs}, and no two of the {fit} that fit have the same size: add more of these"
        )
    largest = max(*smallest.before, *smallest.target)
    which = f"(its largest number is {largest})" if largest + 1 == smallest.cells_needed else ""
    return (
        f"{needs} {which}".rstrip() + f": add a few dozen small examples, with numbers below "
        f"{task.memory} in input and output; the large ones then serve as the test"
    )


@lru_cache(maxsize=4)
def _step_rule(task: Given) -> StepRule:
    """Return the first step rule that fits all examples; see `Given.step_rule`."""
    examples = parse_examples(task.examples)
    each, power = max(task.steps_per_size, 1), 1 if task.steps_per_size else 2
    rules = [StepRule("nothing", 1, 0)]
    rules += [StepRule("array", 1, 0, place) for place in range(SEARCHED_CELLS)]
    rules += [StepRule("cell", 1, 0, place) for place in range(SEARCHED_CELLS)]
    for rule in [*rules, StepRule("length", 1, 0)]:
        if any(len(x.before) <= rule.place for x in examples):
            continue
        beyond = {x.size - rule.steps(x.before) for x in examples}
        if len(beyond) == 1:
            offset = each * beyond.pop() + 1
            if rule.of == "nothing":
                return rule._replace(factor=0, offset=offset**power)
            if power == 1 or offset >= 0:
                return rule._replace(factor=each, offset=offset, power=power)
    return StepRule("length", each, 1, power=power)


@lru_cache(maxsize=4)
def _growth(text: str) -> Fraction:
    """Return the largest ratio of an example's output `extent` to its input's; at least 1."""
    return max(
        Fraction(max(extent(x.before), extent(x.target)), extent(x.before))
        for x in parse_examples(text)
    )


@lru_cache(maxsize=4)
def split(text: str, memory: int, searched: bool = False) -> dict[Part, Sequence[GivenExample]]:
    """Return the examples of each part, ordered by size.

    Arguments:
        text: lines of JSON; see `parse_examples`.
        memory: the largest number of cells of a training example.
        searched: whether half of the larger ones are for training, too; see `Given.searched`.

    The split is deterministic: examples of a size are shuffled with the size as the seed.
    """
    few = searched and len(parse_examples(text)) < FEW
    parts: dict[Part, list[GivenExample]] = {"training": [], "validation": [], "test": []}
    fitting: dict[int, list[GivenExample]] = {}
    larger: dict[int, list[GivenExample]] = {}
    for example in parse_examples(text):
        fits = example.cells_needed <= memory
        (fitting if fits else larger).setdefault(example.size, []).append(example)
    for size, group in fitting.items():
        order = np.random.default_rng(size).permutation(len(group))
        held = 0 if few else max(round(HELD_OUT * len(group)), int(len(group) > 1))
        parts["validation"] += [group[i] for i in order[:held]]
        parts["training"] += [group[i] for i in order[held:]]
    for size, group in larger.items():
        order = np.random.default_rng(size).permutation(len(group))
        some = [group[i] for i in order[: len(group) // 2]] if searched else []
        some = [x for x in some if x.cells_needed <= CONFIRMING_CELLS * memory]
        parts["training"] += some
        parts["test"] += [x for x in group if x not in some]
    parts["test"] += parts["validation"]
    if few:
        parts |= {part: found or parts["training"] for part, found in parts.items()}
    return {
        part: sorted(examples, key=lambda x: (x.size, x.line))
        for part, examples in parts.items()
    }


class _Table(NamedTuple):
    """The examples of a part up to a size as arrays, ordered by size, padded with zeros."""

    sizes: Int[np.ndarray, " sizes"]
    """The distinct sizes."""
    firsts: Int[np.ndarray, " sizes"]
    """The row of the first example of each size."""
    counts: Int[np.ndarray, " sizes"]
    """The number of examples of each size."""
    inputs: Int[np.ndarray, "examples cells"]
    targets: Int[np.ndarray, "examples cells"]
    scored: Bool[np.ndarray, "examples cells"]


@lru_cache(maxsize=16)
def _table(task: Given, max_size: int) -> _Table:
    examples = [x for x in task.part_examples(task.part) if x.size <= max_size]
    if not examples:
        raise ValueError(f"there is no {task.part} example of size {max_size} or smaller")
    cells = max(x.cells_needed for x in examples) * (2 if task.part == "test" else 1)
    sizes, firsts, counts = np.unique(
        [x.size for x in examples], return_index=True, return_counts=True
    )

    def stack(rows: Sequence[Sequence[int]]) -> Int[np.ndarray, "examples cells"]:
        return np.array([[*row, *[0] * (cells - len(row))] for row in rows], np.int32)

    return _Table(
        sizes.astype(np.int32),
        firsts.astype(np.int32),
        counts.astype(np.int32),
        stack([x.before for x in examples]),
        stack([x.after for x in examples]),
        stack([x.scored for x in examples]).astype(bool),
    )
