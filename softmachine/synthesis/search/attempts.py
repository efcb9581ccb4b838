"""Short attempts at a loop that is right on examples.

Each draws how many registers and instructions there are, how many steps an item takes,
and a temperature, and anneals from a loop drawn at random; see
`softmachine.synthesis.search.native`. It is guided by few training examples, mostly small ones;
what is right on these is run on all of them, and those that it gets wrong join the guides. What
is right on all is made as short as it can be. No example that is held out plays a part.

Attempts depend on the seed and their number alone, whoever makes them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from softmachine.synthesis.search.arrays import SELECT, Cases, Space
from softmachine.synthesis.search.begin import SHAPES, begin, best_of
from softmachine.synthesis.search.loops import CONSTANT_GATES, GATES, Loop, read_loop
from softmachine.tasks.memories.exams import Batch

GUIDES = 48
"""How many training examples guide an attempt at first."""
MOST_ADDED = 16
"""At most this many that a loop gets wrong join them at once."""
ROOM_FOR_STEPS = 2
"""And at most so many that they take so many times the steps of all guides before."""
ROUNDS = 6
"""How often that happens in an attempt."""
ROOM = 4
"""Memories are searched in so many times the cells that examples need, at least; then what
runs behind its memory is seldom right by wrapping around it."""
LEAST_ROOM = 64
FIRST_TRIES = 60_000
"""Loops that the shortest attempts try."""
LUBY = (1, 1, 2, 1, 1, 2, 4, 1, 1, 2, 1, 1, 2, 4, 8)
"""Lengths of attempts, in turn, in units that grow; Luby, Sinclair and Zuckerman 1993."""
HOT = (0.003, 0.1)
"""The range of an attempt's first temperature, drawn log-uniformly, in shares of wrong
cells."""
WARM = (0.002, 0.02)
"""The same where the first loop is not drawn at random alone, and would be lost in the heat."""
COLD = 0.1
"""The last temperature, as a share of the first."""
MORE_CHANGES = 1.0
PRICE = 0.0002
"""The cost of an instruction, in shares of wrong cells."""
SHORTEN = 60_000
"""Changes that are tried to make a loop shorter."""
FREEZING = 1e-7
"""A temperature at which no mistake is kept, and a price that is less than any."""
EXCHANGE = (0.1, 0.6)
"""How likely an attempt begins with an exchange of cells; of loops in loops."""
TALLY = 0.3
"""How likely an attempt at other loops begins with a register that grows by comparisons."""
JOINED = 0.15
"""How likely one that would begin with nothing else begins with two results that are joined."""
CURSORS = 0.4
"""How likely one that would still begin with nothing else goes through two arrays, if there
are two."""
LENGTH = {"tally": 12, "joined": 12, "cursors": 20}
"""How many instructions there are at least if a loop begins in one of these shapes."""
HOLDING = 0.6
"""How likely such an attempt has three registers, so that one may hold."""
DRAWN = {"tally": 6_000, "pairs": 1_000, "joined": 6_000, "cursors": 20_000}
FEW_GUIDES = 24
"""So many loops of a shape are drawn, and run on so many examples; the best one is where the
attempt begins."""
MOST_REGISTERS = 3
PASSES = 0.7
"""How likely a loop in a loop begins as one that goes through an array again and again."""
PAIRS = 0.4
"""How likely such a loop goes through what is behind each cell, that is, all pairs of cells."""
WEIGHTS = {"READ": 2, "WRITE": 2, "INC": 2, "ADD": 2}
"""How often these operations are drawn, compared to others."""


class Plan(NamedTuple):
    """How an attempt is made."""

    number: int
    registers: int
    length: int
    conditions: int
    variant: int
    """Which of several numbers of steps."""
    once: bool
    """Whether there is only one round."""
    tries: int
    hot: float
    exchange: bool
    """Whether the first loop exchanges two cells; see `softmachine.synthesis.search.begin`."""
    passes: bool
    """Whether it goes through an array again and again."""
    seed: int
    shape: str | None = None
    """One of `softmachine.synthesis.search.begin.SHAPES`; None: drawn at random."""


class Attempt(NamedTuple):
    """What came of an attempt."""

    plan: Plan
    loop: Loop | None
    """A loop that is right on all training examples."""
    error: float
    """The mean share of wrong cells of the guides, of the best loop."""
    tried: int
    """How many loops were run."""
    runs: int
    """How many examples were run."""
    seconds: float
    """CPU time."""


class Variant(NamedTuple):
    """What a search has to know of one of several forms that the same examples are given in."""

    fixed: bool = False
    """Whether all examples take the same number of steps, so that one round may be enough."""
    nested: bool = False
    """Whether there are many more steps than items."""
    weight: int = 1
    """How many attempts are made in it, compared to others."""
    two_arrays: bool = True
    """Whether there are two arrays or more, as far as one knows."""


class Options(NamedTuple):
    """What is searched."""

    seed: int = 0
    registers: int = MOST_REGISTERS
    """At most; more than `MOST_REGISTERS` are not searched."""
    gates: tuple[str, ...] = (*CONSTANT_GATES, *GATES)
    threads: int = 1
    variants: tuple[Variant, ...] = (Variant(),)
    """Examples may be given in several forms: layouts, or numbers of steps."""


def constants(gates: Sequence[str]) -> Int[np.ndarray, " 3"] | None:
    """Return what the three slots of constants hold; None if no gate gives a constant."""
    known = [value for value, name in enumerate(CONSTANT_GATES) if name in gates]
    return np.array([known[min(i, len(known) - 1)] for i in range(3)]) if known else None


def can_search(options: Options) -> bool:
    """Return whether there are loops to search: gates for a constant and for writing."""
    return constants(options.gates) is not None and "WRITE" in options.gates


def plan(number: int, options: Options) -> Plan:
    """Return how an attempt is made."""
    rng = np.random.default_rng([options.seed, number])
    weights = np.array([each.weight for each in options.variants], float)
    variant = int(rng.choice(len(weights), p=weights / weights.sum()))
    fixed, nested, _, two_arrays = options.variants[variant]
    once = fixed and bool(rng.random() < 0.8)
    registers = 1 if once else int(rng.choice([1, 2, 2, 3]))
    registers = min(max(registers, 1 + nested), options.registers, MOST_REGISTERS)
    conditions = registers if registers > 1 and rng.random() < 0.6 else 0
    passes = nested and bool(rng.random() < PASSES)
    exchange = not once and not passes and bool(rng.random() < EXCHANGE[nested])
    length = 16 if passes else int(rng.choice([8, 12, 16]))
    conditions = registers if passes else conditions
    unit = FIRST_TRIES * (1 + number // len(LUBY))
    heat, seed = rng.random(), int(rng.integers(2**31))
    tally = registers > 1 and not (passes or exchange) and bool(rng.random() < TALLY)
    if tally:
        hold = rng.random() < HOLDING
        registers = conditions = min(3 if hold else registers, options.registers)
    pairs = passes and options.registers > 2 and bool(rng.random() < PAIRS)
    plain = registers > 1 and not (passes or exchange or tally) and options.registers > 2
    joined = plain and bool(rng.random() < JOINED)
    cursors = plain and two_arrays and not joined and bool(rng.random() < CURSORS)
    shapes = {"tally": tally, "pairs": pairs, "joined": joined, "cursors": cursors}
    shape = next((name for name, chosen in shapes.items() if chosen), None)
    if shape not in (None, "tally"):
        registers = conditions = 3
    least, most = np.log(WARM if passes or exchange or shape else HOT)
    return Plan(
        number,
        registers,
        max(length, LENGTH.get(shape or "", 0)),
        conditions,
        variant,
        once,
        unit * LUBY[number % len(LUBY)],
        float(np.exp(least + heat * (most - least))),
        exchange,
        passes,
        seed,
        shape,
    )


def cases(batch: Batch, *, once: bool = False):
    """Return examples as arrays for compiled code; ``once``: with a single step each."""
    room = max(LEAST_ROOM, ROOM * int(batch.cells.max()))
    memories = np.zeros((len(batch.steps), 1 << (room - 1).bit_length()), np.int32)
    width = min(batch.memories.shape[1], memories.shape[1])
    memories[:, :width] = batch.memories[:, :width]  # what is behind is 0
    scored = batch.scored.astype(bool)
    counts = scored.sum(axis=1).astype(np.int32)
    # The scored cells come first, in order.
    places = np.argsort(~scored, axis=1, kind="stable")[:, : max(1, counts.max())]
    return Cases(
        memories,
        places.astype(np.int32),
        np.take_along_axis(np.asarray(batch.targets), places, axis=1).astype(np.int32),
        counts,
        (np.ones_like(counts) if once else np.asarray(batch.steps)).astype(np.int32),
        np.full(len(counts), 1 / len(counts)),
    )


def attempt(
    batch: Batch, planned: Plan, options: Options, ended: Bool[np.ndarray, "1"]
) -> Attempt:
    """Make one attempt; another thread may end it by setting ``ended[0]``.

    Arguments:
        batch: the examples; the first ones guide it, the others confirm.
        planned: how it is made.
        options: what is searched.
        ended: a flag.
    """
    # Compiles, which nobody should wait for who does not search.
    from softmachine.synthesis.search import native

    begun, rng = time.thread_time(), np.random.default_rng(planned.seed)
    space = make_space(planned, options)
    code = native.draw_loop(space, planned.seed)
    begin(code, space, planned.passes, planned.exchange, rng)
    every, count = cases(batch, once=planned.once), len(batch.steps)
    chosen = np.arange(min(GUIDES, count))
    if planned.shape:
        few = cases(batch.take(chosen[:FEW_GUIDES]))
        shape, draws = SHAPES[planned.shape], DRAWN[planned.shape]
        code = best_of(shape, code, space, few, rng, ended, draws)
    tried = runs = 0
    error, tries = 1.0, planned.tries
    for _ in range(ROUNDS):
        guide = cases(batch.take(chosen), once=planned.once)
        code, error, some, ran = native.anneal(
            code, space, guide, tries, planned.hot, COLD * planned.hot, MORE_CHANGES, PRICE,
            0.0, int(rng.integers(2**31)), ended,
        )  # fmt: skip
        tried, runs = tried + some, runs + ran
        if error or ended[0]:
            break
        totals = native.count_mistakes(code, space, every)
        runs += count
        if totals[-1] == 0:
            short, _, some, ran = native.anneal(
                code, space, guide, SHORTEN, FREEZING, FREEZING, MORE_CHANGES, FREEZING, -1.0,
                int(rng.integers(2**31)), ended,
            )  # fmt: skip
            right = native.count_mistakes(short, space, every)[-1] == 0
            loop = read_loop(short if right else code, space)
            seconds = time.thread_time() - begun
            tried, runs = tried + some, runs + ran + count
            return Attempt(planned, loop, 0.0, tried, runs, seconds)
        wrong = np.flatnonzero(np.diff(totals, prepend=0.0) > 0)
        more = rng.permutation(np.setdiff1d(wrong, chosen))
        chosen = np.concatenate([chosen, _added(more, chosen, batch.steps)])
        error, tries = float(totals[-1]), max(tries // 2, FIRST_TRIES)
    return Attempt(planned, None, float(error), tried, runs, time.thread_time() - begun)


def _added(
    more: Int[np.ndarray, " wrong"],
    chosen: Int[np.ndarray, " guides"],
    steps: Int[np.ndarray, " examples"],
) -> Int[np.ndarray, " added"]:
    """Return which examples join the guides: `MOST_ADDED` of few steps, fewer of many."""
    few = more[np.argsort(steps[more], kind="stable")][:MOST_ADDED]
    room = ROOM_FOR_STEPS * steps[chosen].sum()
    return few[: max(1, int(np.sum(np.cumsum(steps[few]) <= room)))]


def make_space(planned: Plan, options: Options):
    """Return the loops that an attempt searches, for compiled code."""
    operations = [
        number
        for number, name in enumerate(GATES)
        if name in options.gates
        for _ in range(WEIGHTS.get(name, 1))
    ]
    operations += [SELECT] * 2 * (planned.conditions > 0)
    values = constants(options.gates)
    return Space(
        planned.registers,
        planned.length,
        np.array(operations, np.int32),
        planned.conditions,
        np.asarray(values, np.int32),
        2 * planned.registers if planned.passes else 0,  # the cell ahead is not 0
    )
