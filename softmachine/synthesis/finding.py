"""Searching for programs in several layouts at once, without training.

One search of wires after another, each in the next layout, with twice as many tables in every
round; see `softmachine.wiring.search`. What an attempt draws depends on the seed and its number
alone.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from softmachine.machines.nram.nram import NRAMConfig
from softmachine.synthesis.laid_out import LaidOut, as_batch, interleaved, variants
from softmachine.synthesis.layout import Layout
from softmachine.synthesis.pairs import Pair, Pairs
from softmachine.tasks.memories.exams import Batch
from softmachine.wiring.search import search_wires
from softmachine.wiring.table import WiringTable

FIRST_TABLES = 60_000
"""How many tables an attempt of the first round may try; in each round twice as many."""
COPIES = 4
"""Of few examples with numbers as they are, each comes in so many memories."""
GUIDES = 40
"""How many examples guide a search; all others confirm what it finds."""


class Problem(NamedTuple):
    """Examples in one layout."""

    layout: Layout
    examples: list[LaidOut]
    large: list[Pair]
    """Examples that are too large for the search."""
    batch: Batch


class Candidate(NamedTuple):
    """Wires that make no mistake on the examples of one layout."""

    problem: Problem
    config: NRAMConfig
    table: WiringTable
    attempt: int


class Progress(NamedTuple):
    """How far the search is."""

    seconds: float
    attempts: int
    tables: int
    best: float
    """The smallest mean share of wrong cells so far, in any layout."""


def make_problem(layout: Layout, given: Pairs, memory: int, seed: int) -> Problem:
    """Return examples laid out for a search."""
    examples, large = variants(layout, given, memory, seed)
    rng = np.random.default_rng(seed)
    turns = list(interleaved(examples))
    if not any(layout.coded):
        # In memories of several sizes, where going round gives another number each time.
        turns = [x for x in turns for _ in range(max(1, min(COPIES, GUIDES // len(turns))))]
    first = turns[:GUIDES]
    rest = turns[GUIDES:]
    batch = as_batch(first, seed) if first else None
    assert batch is not None
    if rest:
        order = rng.permutation(len(rest)).tolist()
        batch = batch.followed_by(as_batch([rest[i] for i in order], seed + 1))
    return Problem(layout, examples, large, batch)


def search(
    problems: Sequence[Problem],
    config: NRAMConfig,
    *,
    seed: int,
    seconds: float,
    report: Callable[[Progress], None] = lambda _: None,
) -> Iterator[list[Candidate]]:
    """Yield what each round of attempts finds, until the time is over.

    Arguments:
        problems: the same examples in several layouts.
        config: of the machines.
        seed: of all draws.
        seconds: the time to search at most.
        report: is told about twice a second how far it is.
    """
    begin = time.monotonic()
    # The first call compiles, or loads what was compiled: not in several threads at once.
    ended = np.zeros(1, bool)
    lock = threading.Lock()
    told = {"attempts": 0, "tables": 0, "best": 1.0}

    def attempt(number: int, problem: Problem, tables: int) -> Candidate | None:
        if ended[0]:
            return None
        rng = np.random.default_rng([seed, number])
        found = search_wires(
            config, None, problem.batch, rng, tables, min(GUIDES, len(problem.batch.steps)),
            ended=ended,
        )  # fmt: skip
        with lock:
            told["attempts"] += 1
            told["tables"] += found.tried
            told["best"] = min(told["best"], found.error)
        return None if found.error else Candidate(problem, config, found.table, number)

    def progress() -> Progress:
        return Progress(
            time.monotonic() - begin, told["attempts"], told["tables"], told["best"]
        )

    number, tables = 0, FIRST_TABLES
    workers = ThreadPoolExecutor(max_workers=max(1, os.cpu_count() or 1))
    try:
        while time.monotonic() - begin < seconds:
            futures: list[Future] = []
            # An answer in place of an array makes shorter programs than one behind it.
            inside = [x for x in problems if x.layout.place != "behind"] or problems
            for problem in inside if not number else problems:
                for _ in range(3 if problem.layout.place == "first" else 2):
                    futures.append(workers.submit(attempt, number, problem, tables))
                    number += 1
            while not all(future.done() for future in futures):
                if time.monotonic() - begin > seconds:
                    ended[0] = True
                time.sleep(0.02)
                report(progress())
            found = [future.result() for future in futures]
            yield [candidate for candidate in found if candidate is not None]
            tables *= 2
    finally:
        ended[0] = True
        workers.shutdown(wait=True, cancel_futures=True)
