"""Calls of one function for many items, shared among workers."""

from __future__ import annotations

import collections
import dataclasses
import functools
import time
import warnings
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait
from typing import Any, Generic, NamedTuple, TypeVar

from softmachine.core.errors import SoftmachineError, SoftmachineWarning
from softmachine.training.workers.identity import AnotherVersionError, difference, identity
from softmachine.training.workers.workers import Tally, Workers

Item = TypeVar("Item")
Result = TypeVar("Result")
MOST_LOSSES = 3
"""How many workers an item may cost before it is given up."""
TICK = 0.2
"""Seconds after which it is looked which workers there are."""


def for_each(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    workers: Workers,
    report: Callable[[Item], Any] = lambda _item: None,
) -> list[Result]:
    """Return what a function returns for each item, in their order, computed by workers.

    Arguments:
        function: one that can be pickled. It may be called again for an item whose worker was
            lost.
        items: its arguments, which can be pickled, too; errors name them.
        workers: who calls it, each one item at a time; they may come and go, and stay open.
        report: called with an item whenever one is given to a worker.

    Raises:
        SoftmachineError: nobody reaches the workers any more, all of them have other versions
            of packages or code than this process, or an item cost `MOST_LOSSES` of them. What
            the function raises is raised here, too.
    """
    if not items:  # then nobody has to be there
        return []
    found = filter(None, as_completed(checked(function), items, workers, report))
    results = {one.place: one.result for one in found}
    return [results[place] for place in range(len(items))]


class Completed(NamedTuple, Generic[Result]):
    """What a worker has done."""

    place: int
    """The item's place among all."""
    result: Result


def as_completed(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    workers: Workers,
    report: Callable[[Item], Any] = lambda _item: None,
    watch: Callable[[Tally], Any] = lambda _tally: None,
) -> Generator[Completed[Result] | None, None, None]:
    """Yield what a function returns for items, in the order in which workers are done.

    And None, at least every `TICK` seconds, so that who waits can end it: close the iterator.
    What is not given out then is not computed; what a worker is doing, it goes on with.

    Arguments:
        function: as in `for_each`; of workers elsewhere, as `checked` returns it.
        items: any number, asked for when a worker is free.
        workers: as in `for_each`.
        report: called with an item whenever one is given to a worker.
        watch: called with a tally of workers whenever it has changed.

    Raises what `for_each` raises.
    """
    numbered = enumerate(items)
    waiting: collections.deque[tuple[int, Item]] = collections.deque()
    losses: collections.Counter[int] = collections.Counter()
    given: dict[str, tuple[int, Item, Future[Result]]] = {}
    tally, told, known = Tally(), None, set[str]()

    def lost(name: str) -> None:
        place, item, future = given.pop(name)
        future.cancel()
        losses[place] += 1
        if losses[place] == MOST_LOSSES:
            raise SoftmachineError(
                f"{item}: {MOST_LOSSES} workers ended while they had it, at last {name}"
            )
        tally.repeated += 1
        waiting.appendleft((place, item))

    try:
        while True:
            present = workers.present()
            tally.lost += len(known - present.keys())
            known = {*present}
            tally.workers = len(known - tally.refused.keys())
            for name in given.keys() - known:
                lost(name)
            if known and not tally.workers:
                reasons = "; ".join(f"{name}: {why}" for name, why in tally.refused.items())
                raise SoftmachineError(f"no worker is left: {reasons}")
            for name, executor in present.items():
                if name in given or name in tally.refused:
                    continue
                job = waiting.popleft() if waiting else next(numbered, None)
                if job is None:
                    break
                try:
                    given[name] = *job, executor.submit(function, job[1])
                except (BrokenExecutor, RuntimeError):  # it was idle when it ended
                    waiting.appendleft(job)
                    workers.drop(name)
                    break
                report(job[1])
            if tally != told:
                told = dataclasses.replace(tally, refused=dict(tally.refused))
                watch(told)
            if not given:
                if present and not waiting:
                    return
                time.sleep(TICK)
            names = {future: name for name, (*_, future) in given.items()}
            done = wait(names, TICK, FIRST_COMPLETED).done if given else ()
            for future in done:
                name = names[future]
                try:
                    result = future.result()
                except AnotherVersionError as error:
                    tally.refused[name] = str(error)
                    left_out = f"the worker {name} is left out: {error}"
                    warnings.warn(left_out, SoftmachineWarning, stacklevel=2)
                    waiting.appendleft(given.pop(name)[:2])
                except (BrokenExecutor, CancelledError):
                    lost(name)
                    workers.drop(name)
                else:
                    yield Completed(given.pop(name)[0], result)
            if not done:
                yield None
    finally:
        for *_, future in given.values():
            future.cancel()


def checked(function: Callable[[Item], Result]) -> Callable[[Item], Result]:
    """Return a function that raises `AnotherVersionError` where it would compute other bits."""
    return functools.partial(_checked, function, identity())


def _checked(
    function: Callable[[Item], Result], versions: dict[str, str], item: Item
) -> Result:
    """Call a function in a worker, unless that computes with other versions."""
    from softmachine.core.compilation_cache import use_compilation_cache

    if differs := difference(identity(), versions):
        raise AnotherVersionError(f"it has {differs}")
    use_compilation_cache()
    return function(item)
