"""A task known by examples alone."""

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

from softmachine.core.choices import Count, check_fields
from softmachine.core.errors import ExamplesError
from softmachine.tasks.memories.adversarial import Cases
from softmachine.tasks.memories.examples import (
    LEAST_CELLS,
    GivenExample,
    check_cells,
    extent,
    parse_examples,
)
from softmachine.tasks.memory import Drawn, LaidOut, MemoryTask, Trial, fill
from softmachine.tasks.registry import task
from softmachine.tasks.steps import StepRule
from softmachine.tasks.task import Example

Part = Literal["training", "validation", "test"]
HELD_OUT = 0.2
"""The share of the examples of each size that is not trained on."""
SEARCHED_CELLS = LEAST_CELLS
"""In how many cells, or from how many on, a size is looked for: those of every memory."""


@task("given")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Given(MemoryTask):
    r"""Examples that somebody wrote down.

    Examples that need a memory of at most ``memory`` cells are trained on, but for one in five
    of each size, at least one if there are two; these are the validation. All others,
    validation and larger ones together, are the test. A sample is one of the part's examples,
    of the nearest size that there is; each of a size is as likely.

    Memories are filled up with zeros to the largest of their part; in the test to twice that,
    since what is learned shall not depend on how many free cells there are.

    >>> lines = [f'{{"input": [{a}, 0], "output": [{a + 1}, 0]}}' for a in (1, 2, 3)]
    >>> task = Given(examples="\n".join(lines))
    >>> print(task.render(task.sample(jax.random.key(0), 2, max_size=2)))
    cell    0 1 2 3
    input   2 0 0 0
    target  3 0 . .

    Which of them are held out is decided once:

    >>> [example.before for example in task.part_examples("validation")]
    [(3, 0)]
    """

    unbounded = True

    examples: str
    """Lines of JSON; see `softmachine.tasks.memories.examples.parse_examples`."""
    memory: Count = 16
    """The largest memory that is trained on: M."""
    steps_per_size: Count = 1
    """How many steps a machine takes for each unit of size, besides one."""
    part: Part = "training"

    def __post_init__(self) -> None:
        """Check the numbers, and that there are examples to train on."""
        check_fields(self)
        parts = split(self.examples, self.memory)
        if not parts["training"] or not parts["validation"]:
            raise ExamplesError(_what_is_missing(self))

    def held_out(self, *, larger: bool = False) -> Given:
        """Return the examples for validation, or, with larger ones, those for the test."""
        return dataclasses.replace(self, part="test" if larger else "validation")

    def part_examples(self, part: Part) -> Sequence[GivenExample]:
        """Return the examples of a part, by size."""
        return split(self.examples, self.memory)[part]

    @property
    def sizes(self) -> list[int]:
        """The sizes of this part's examples, each once, in order."""
        return sorted({example.size for example in self.part_examples(self.part)})

    def steps(self, size: Any) -> Any:
        """Return ``steps_per_size`` steps per unit of size and one."""
        return self.steps_per_size * size + 1

    def step_rule(self) -> StepRule:
        """Return how the memory tells the size, if it does: by the rules tried in turn.

        An array that ends with 0, a cell, or nothing, if all sizes are equal; always up to a
        number that is the same for all examples. Otherwise it is the length of the example's
        own list, before zeros are put behind it; see `lay_out` and `tells_size`.
        """
        return _step_rule(self)

    @property
    def tells_size(self) -> bool:
        """Whether `step_rule` gives each example the steps that it has in training."""
        rule = self.step_rule()
        return all(
            rule.steps(x.before) == self.steps(x.size) for x in parse_examples(self.examples)
        )

    def lay_out(self, cells: Any) -> LaidOut:
        r"""Return a list of a person's own as the memory that a machine is to be given.

        The list as it stands in the file, with zeros behind it. The memory also has to hold
        what comes out, which nobody knows beforehand: numbers as many times larger than those
        of the list, and than its length, as there are in any example. There are at least as
        many cells as in training: some machines need the room for other things.

        Raises ExamplesError unless it is a list of integers from 0 on, at least one.

        >>> lines = [f'{{"input": [{a}, 0], "output": [{2 * a}, 0]}}' for a in (3, 4, 5)]
        >>> memory, steps, length = Given(examples="\n".join(lines)).lay_out([7, 0])
        >>> memory[:4], len(memory), steps, length
        ([7, 0, 0, 0], 15, 3, 2)
        """
        check_cells(cells)
        own = list(cells)
        needed = 1 + math.ceil(_growth(self.examples) * extent(own))
        trained = dataclasses.replace(self, part="training")
        room = max(trained.cells(trained.sizes[-1]), len(own), needed)
        memory, rule = own + [0] * (room - len(own)), self.step_rule()
        return LaidOut(memory, rule.steps(own if rule.of == "length" else memory), len(own))

    def adversarial_cases(self) -> Cases:
        """Return none: nobody said what is hard; see `trials`."""
        return {}

    def trials(
        self, rng: np.random.Generator, sizes: Sequence[int], largest: int, repeats: int
    ) -> Iterator[Trial]:
        """Yield examples of this part: the first, the last and ``repeats`` more of each size.

        Each in twice the memory that it needs: a program takes numbers as large as they come,
        so that what is right need not be right where there is no room. ``sizes`` are those that
        there are, up to ``largest``.
        """
        del sizes
        for size in [size for size in self.sizes if size <= largest]:
            group = [x for x in self.part_examples(self.part) if x.size == size]
            some = rng.permutation(len(group))[:repeats].tolist()
            for example in [group[i] for i in sorted({0, len(group) - 1, *some})]:
                cells = 2 * example.memory
                memory = fill(example.before, cells)
                scored = [bool(x) for x in fill([int(x) for x in example.scored], cells)]
                after = fill(example.after, cells)
                targets = [
                    a if counts else b
                    for a, b, counts in zip(after, memory, scored, strict=True)
                ]
                room = "in twice the memory that it needs"
                yield Trial("given", room, size, memory, targets, scored)

    def cells(self, size: int) -> int:
        """Return the cells of the largest memory of the part's examples up to a size."""
        return _table(self, size).inputs.shape[1]

    def labels(self, memory: Sequence[int]) -> list[str]:
        """Return no labels: nobody said what the cells are."""
        return [""] * len(memory)

    def sample(
        self, key: PRNGKeyArray, size: Int[Array, ""] | int, *, max_size: int
    ) -> Example:
        """Draw an example of the size nearest to this one, in a memory for ``max_size``.

        Otherwise as `MemoryTask.sample`. Raises ValueError if all are larger than
        ``max_size``.
        """
        self.check_size(size, max_size)
        sizes = jnp.asarray(_table(self, max_size).sizes)
        nearest = sizes[jnp.argmin(jnp.abs(sizes - size))]
        return super().sample(key, nearest, max_size=max_size)

    def _draw(
        self, key: PRNGKeyArray, size: Int[Array, ""], max_size: int, cells: int
    ) -> Drawn:
        """Draw one of the examples of a size that there is."""
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
    """Return why there is nothing to train on."""
    examples = parse_examples(task.examples)
    smallest = min(examples, key=lambda x: x.memory)
    needs = (
        f"line {smallest.line}: training needs two examples of one size that fit a memory of "
        f"{task.memory} cells; this, the smallest, needs {smallest.memory}"
    )
    if smallest.memory <= task.memory:
        fit = sum(x.memory <= task.memory for x in examples)
        return f"{needs}, and of the {fit} that fit no two are of one size: add more of these"
    largest = max(*smallest.before, *smallest.wanted)
    which = f"(its largest number is {largest})" if largest + 1 == smallest.memory else ""
    return (
        f"{needs} {which}".rstrip() + f": add small examples, some dozens, with numbers below "
        f"{task.memory} before and afterwards; what they teach is tested on the large ones"
    )


@lru_cache(maxsize=4)
def _step_rule(task: Given) -> StepRule:
    """Return the first rule of those tried in turn that suits all examples."""
    examples, each = parse_examples(task.examples), task.steps_per_size
    rules = [StepRule("nothing", 1, 0)]
    rules += [StepRule("array", 1, 0, place) for place in range(SEARCHED_CELLS)]
    rules += [StepRule("cell", 1, 0, place) for place in range(SEARCHED_CELLS)]
    for rule in [*rules, StepRule("length", 1, 0)]:
        if any(len(x.before) <= rule.place for x in examples):
            continue
        beyond = {x.size - rule.steps(x.before) for x in examples}
        if len(beyond) == 1:
            factor = 0 if rule.of == "nothing" else each
            return rule._replace(factor=factor, offset=each * beyond.pop() + 1)
    return StepRule("length", each, 1)


@lru_cache(maxsize=4)
def _growth(text: str) -> Fraction:
    """Return how many times larger than what goes in is what comes out, at most; at least 1."""
    return max(
        Fraction(max(extent(x.before), extent(x.wanted)), extent(x.before))
        for x in parse_examples(text)
    )


@lru_cache(maxsize=4)
def split(text: str, memory: int) -> dict[Part, Sequence[GivenExample]]:
    """Return the examples of each part, ordered by size.

    Which are held out depends on the examples alone: they are shuffled, always alike.
    """
    parts: dict[Part, list[GivenExample]] = {"training": [], "validation": [], "test": []}
    fitting: dict[int, list[GivenExample]] = {}
    for example in parse_examples(text):
        if example.memory <= memory:
            fitting.setdefault(example.size, []).append(example)
        else:
            parts["test"].append(example)
    for size, group in fitting.items():
        order = np.random.default_rng(size).permutation(len(group))
        held = max(round(HELD_OUT * len(group)), int(len(group) > 1))
        parts["validation"] += [group[i] for i in order[:held]]
        parts["training"] += [group[i] for i in order[held:]]
    parts["test"] += parts["validation"]
    return {
        part: sorted(examples, key=lambda x: (x.size, x.line))
        for part, examples in parts.items()
    }


class _Table(NamedTuple):
    """The examples of a part up to a size, as arrays, by size."""

    sizes: Int[np.ndarray, " sizes"]
    firsts: Int[np.ndarray, " sizes"]
    counts: Int[np.ndarray, " sizes"]
    inputs: Int[np.ndarray, "examples cells"]
    targets: Int[np.ndarray, "examples cells"]
    scored: Bool[np.ndarray, "examples cells"]


@lru_cache(maxsize=16)
def _table(task: Given, max_size: int) -> _Table:
    examples = [x for x in task.part_examples(task.part) if x.size <= max_size]
    if not examples:
        raise ValueError(f"there is no {task.part} example of size {max_size} or smaller")
    cells = max(x.memory for x in examples) * (2 if task.part == "test" else 1)
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
