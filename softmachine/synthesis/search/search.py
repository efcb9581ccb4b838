"""The search for a loop that is right on examples: many short attempts, one after another.

They are made by threads of this process, or by workers on any machines, and taken in their
order, so that what is found does not depend on who made them; see
`softmachine.synthesis.search.attempts`.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool

from softmachine.synthesis.search.attempts import Attempt, Options, attempt, plan
from softmachine.tasks.memories.exams import Batch
from softmachine.training.workers.each import imap_unordered
from softmachine.training.workers.remote import withdrawn
from softmachine.training.workers.workers import Tally, ThreadWorkers, Workers

MORE = 4
"""Once something is found, so many more attempts may find something shorter, and one for every
four that it took."""


def threads() -> int:
    """Return how many attempts may run side by side on this machine."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Totals(NamedTuple):
    """What a search has cost, and where it goes on."""

    attempts: int = 0
    """Attempts that were made; the next one has this number."""
    tried: int = 0
    """Loops that were run."""
    runs: int = 0
    """Examples that were run."""
    seconds: float = 0.0
    """CPU time of all threads together."""
    error: float = 1.0
    """The mean share of wrong cells of the guides, of the best loop."""

    def after(self, done: Attempt) -> Totals:
        """Return the totals with one more attempt."""
        return Totals(
            self.attempts + 1,
            self.tried + done.tried,
            self.runs + done.runs,
            self.seconds + done.seconds,
            min(self.error, done.error),
        )


class Numbered(int):
    """The number of an attempt."""

    def __str__(self) -> str:
        return f"attempt {int(self):,}"


def search(
    batches: Sequence[Batch],
    options: Options,
    totals: Totals,
    seconds: float,
    accept: Callable[[Attempt], bool],
    report: Callable[[Totals], None],
    interrupted: Callable[[], bool],
    workers: Workers | None = None,
    watch: Callable[[Tally], Any] = lambda _: None,
) -> Totals:
    """Make attempts, in their order, until it is enough or the time is over.

    Arguments:
        batches: the examples, in as many variants as the options say.
        options: what is searched.
        totals: where to begin.
        seconds: how long to search at most.
        accept: called with each attempt, in their order; whether that is enough.
        report: called some times a second.
        interrupted: whether to end at once; attempts under way do not count then.
        workers: who makes the attempts, and stays open; threads of this process by default.
        watch: called with a tally of ``workers``, whenever it has changed.

    Returns the totals; attempts that were cut short are made anew by the next search. It waits
    for workers as long as there is none. Raises SoftmachineError if nobody reaches them any
    more, if all have other versions, or if an attempt ends them again and again.
    """
    end = time.monotonic() + seconds
    begun, done, enough = totals.attempts, dict[int, Attempt](), False
    numbers = map(Numbered, itertools.count(begun))
    with contextlib.ExitStack() as stack:
        if workers is None:
            threads = stack.enter_context(contextlib.closing(ThreadWorkers(options.threads)))
            ended = np.zeros(1, bool)
            stack.callback(ended.fill, True)
            make = functools.partial(_make, batches, options, ended)
            made = imap_unordered(make, numbers, threads, pickled=False)
        else:
            make = functools.partial(_make_in_time, batches, options)
            made = imap_unordered(
                make,
                numbers,
                workers,
                hand=lambda number: (int(number), end - time.monotonic()),
                watch=watch,
            )
        stack.enter_context(contextlib.closing(made))
        while not (enough or time.monotonic() >= end or interrupted()):
            if some := next(made):
                if some.result is None:
                    break
                done[begun + some.place] = some.result
            while totals.attempts in done and not enough:
                one = done.pop(totals.attempts)
                totals = totals.after(one)
                enough = accept(one)
            report(totals)
    return totals


def _make(
    batches: Sequence[Batch], options: Options, ended: Bool[np.ndarray, "1"], number: int
) -> Attempt | None:
    """Make an attempt; None if it was ended before it was complete."""
    planned = plan(int(number), options)
    made = attempt(batches[planned.variant], planned, options, ended)
    return None if ended[0] else made


def _make_in_time(
    batches: Sequence[Batch], options: Options, job: tuple[int, float]
) -> Attempt | None:
    """Make an attempt where who asked for it cannot end it; None if it was ended.

    ``job`` has its number, and how many seconds it may take. It also ends if it is withdrawn,
    where that is known.
    """
    number, seconds = job
    end, is_withdrawn = time.monotonic() + seconds, withdrawn()
    ended, over = np.array([seconds <= 0]), threading.Event()

    def watch() -> None:
        while not over.wait(LOOK):
            if time.monotonic() >= end or is_withdrawn():
                ended.fill(True)

    threading.Thread(target=watch, name="time of an attempt", daemon=True).start()
    try:
        return _make(batches, options, ended, number)
    finally:
        over.set()


LOOK = 0.2
"""Seconds between looks at whether an attempt is to end."""


def is_enough(first: int, number: int) -> bool:
    """Return whether a search may end after an attempt, the first success being another."""
    return number >= first + MORE + first // 4
