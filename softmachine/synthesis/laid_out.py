"""A person's examples laid out as memories, many for each where numbers are coded."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from softmachine.synthesis.layout import Code, Layout
from softmachine.synthesis.pairs import Pair, Pairs
from softmachine.tasks.memories.exams import Batch

VARIANTS = 240
"""About so many memories are made of all examples together, where numbers are coded."""
MOST_VARIANTS = 12
"""At most so many of each example."""


class LaidOut(NamedTuple):
    """One example as a memory before and after."""

    pair: Pair
    before: list[int]
    cells: dict[int, int]
    """What is scored: addresses and values."""
    steps: int

    @property
    def needed(self) -> int:
        """The smallest memory that holds it."""
        largest = max([*self.before, *self.cells.values()], default=0)
        return max(3, len(self.before), 1 + largest, 1 + max(self.cells, default=0))


def lay_out(layout: Layout, pair: Pair, code: Code) -> LaidOut:
    """Return one example as a memory, with numbers coded as ``code`` says."""
    return LaidOut(
        pair,
        layout.memory(pair.inputs, code),
        layout.target(pair.inputs, pair.output, code).cells,
        layout.steps(pair.inputs),
    )


def variants(
    layout: Layout, given: Pairs, memory: int, seed: int
) -> tuple[list[LaidOut], list[Pair]]:
    """Return memories for the search, and the examples that are too large for one.

    Arguments:
        layout: where everything lies.
        given: the examples.
        memory: the largest number of cells.
        seed: what the codes are drawn from.
    """
    rng = random.Random(f"{seed} {layout}")
    coded = any(layout.coded)
    each = min(MOST_VARIANTS, max(1, VARIANTS // max(1, len(given.pairs)))) if coded else 1
    found, large = [], []
    for pair in given.pairs:
        mine: dict[str, LaidOut] = {}
        for turn in range(each):
            code = _small_codes(layout, pair.inputs, memory, rng, turn)
            if code is None:
                break
            example = lay_out(layout, pair, code)
            if example.needed <= memory and example.cells:
                mine.setdefault(repr(example.before), example)
        if not mine and layout.target(pair.inputs, pair.output, int).cells:
            large.append(pair)
        found += mine.values()
    return found, large


def _small_codes(
    layout: Layout, inputs: Sequence[Any], memory: int, rng: random.Random, turn: int
) -> Code | None:
    """Return small codes in the order of the numbers; None if there are too many numbers.

    In the first turn they are 1, 2, 3, ...
    """
    if not any(layout.coded):
        return int
    values = sorted({*layout.coded_numbers(inputs), *([0] if layout.zero else [])})
    room = memory - 1
    if len(values) > room:
        return None
    most = len(values) if not turn else rng.randint(len(values), room)
    codes = sorted(rng.sample(range(1, most + 1), len(values)))
    table = dict(zip(values, codes, strict=True))
    return table.__getitem__


def own_codes(layout: Layout, inputs: Sequence[Any]) -> Code:
    """Return the codes that a program computes with: numbers less the base."""
    base = layout.base(inputs)
    coded = any(layout.coded)
    return (lambda value: value - base) if coded else int


def as_batch(examples: Sequence[LaidOut]) -> Batch:
    """Return examples as a batch, smallest first."""
    ordered = sorted(examples, key=lambda x: x.needed)
    widest = max(x.needed for x in ordered)
    count = len(ordered)
    memories = np.zeros((count, widest), np.int32)
    targets = np.zeros((count, widest), np.int32)
    scored = np.zeros((count, widest), bool)
    for i, example in enumerate(ordered):
        memories[i, : len(example.before)] = example.before
        for cell, value in example.cells.items():
            targets[i, cell], scored[i, cell] = value, True
    return Batch(
        memories,
        targets,
        scored,
        np.array([x.steps for x in ordered], np.int32),
        np.array([x.needed for x in ordered], np.int32),
    )


def interleaved(examples: Sequence[LaidOut]) -> Iterator[LaidOut]:
    """Yield examples in turns: the first of each pair, then the second of each."""
    by_pair: dict[Pair, list[LaidOut]] = {}
    for example in examples:
        by_pair.setdefault(example.pair, []).append(example)
    longest = max(map(len, by_pair.values()), default=0)
    for turn in range(longest):
        for mine in by_pair.values():
            if turn < len(mine):
                yield mine[turn]
