"""A person's examples in several layouts, as problems of one search of loops."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

from softmachine.core.errors import SoftmachineError
from softmachine.machines.nram.nram import NRAMConfig
from softmachine.synthesis.laid_out import LaidOut, as_batch, interleaved, variants
from softmachine.synthesis.layout import Layout
from softmachine.synthesis.pairs import Pair, Pairs
from softmachine.synthesis.search import attempts
from softmachine.synthesis.search.attempts import GUIDES, Attempt, Variant
from softmachine.synthesis.search.loops import wire
from softmachine.synthesis.search.search import threads
from softmachine.tasks.memories.exams import Batch
from softmachine.tasks.memories.given import CONFIRMING_CELLS
from softmachine.wiring.table import WiringTable

LIKELY, UNLIKELY = 3, 1
"""How many attempts are made in a layout, compared to others. Unlikely are answers behind the
only array, which make longer programs than answers in its place, and loops in loops where
answers are not the elements in another order."""


class Problem(NamedTuple):
    """Examples in one layout."""

    layout: Layout
    examples: list[LaidOut]
    large: list[Pair]
    """Examples that the search does not see: one half of those that are too large to guide
    it, or all that are too large to confirm."""
    batch: Batch
    """The first ones guide a search; the others confirm what it finds."""

    @property
    def variant(self) -> Variant:
        """What the search has to know of it."""
        count = self.layout.count
        nested = count.power > 1 and not self.reordered
        two = len(self.layout.arrays) > 1
        unlikely = (self.layout.place == "behind" and not two) or nested
        weight = UNLIKELY if unlikely else LIKELY
        return Variant(count.of == "number", count.power > 1, weight, two)

    @property
    def reordered(self) -> bool:
        """Whether every answer holds the first array's elements, in whatever order."""
        first = self.layout.arrays[:1]
        return self.layout.many and all(
            sorted(x.pair.output) == sorted(x.pair.inputs[i])
            for x in self.examples
            for i in first
        )


class Candidate(NamedTuple):
    """Wires that make no mistake on the examples of one layout."""

    problem: Problem
    config: NRAMConfig
    table: WiringTable
    attempt: int


def make_problem(layout: Layout, given: Pairs, memory: int, seed: int) -> Problem | None:
    """Return examples laid out for a search; None if all are too large to guide it."""
    examples, large = variants(layout, given, memory, seed)
    if not examples:
        return None
    turns = list(interleaved(examples))
    batch = as_batch(turns[:GUIDES])
    some = dataclasses.replace(given, pairs=tuple(large[::2]))
    confirming, _ = variants(layout, some, CONFIRMING_CELLS * memory, seed)
    confirming = confirming if len(large) > 1 else []
    rest = [*turns[GUIDES:], *confirming]
    if rest:
        batch = batch.followed_by(as_batch(rest))
    seen = {example.pair for example in confirming}
    large = [pair for pair in large if pair not in seen]
    return Problem(layout, [*examples, *confirming], large, batch)


def search_options(
    problems: Sequence[Problem], seed: int, registers: int, gates: tuple[str, ...]
) -> attempts.Options:
    """Return what is searched.

    Raises SoftmachineError if the gates make no loops.
    """
    variants = tuple(problem.variant for problem in problems)
    options = attempts.Options(seed, registers, gates, threads(), variants)
    if not attempts.can_search(options):
        raise SoftmachineError(
            "--gates: a function needs WRITE, for its answer, and one of ZERO, ONE and TWO; "
            f"these are {', '.join(gates)}"
        )
    return options


def candidate_of(problems: Sequence[Problem], attempt: Attempt) -> Candidate:
    """Return the wires of an attempt that found a loop."""
    assert attempt.loop is not None
    plan = attempt.plan
    wired = wire(attempt.loop, once=plan.once)
    return Candidate(problems[plan.variant], wired.config, wired.table, plan.number)
