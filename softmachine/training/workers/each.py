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


class Completed(NamedTuple):
    """What a worker has done."""

    place: int
    """The item's place among all."""
    result: Any


def as_completed(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    workers: Workers,
    report: Callable[[Item], Any] = lambda _item: None,
    watch: Callable[[Tally], Any] = lambda _tally: None,
) -> Generator[Completed | None, None, None]:
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
    shared = _Shared(function, items, workers)
    told = None
    try:
        while True:
            shared.look()
            shared.give(report)
            if shared.tally != told:
                told = dataclasses.replace(shared.tally, refused=dict(shared.tally.refused))
                watch(told)
            if shared.over():
                return
            done = shared.collect()
            yield from done or (None,)
    finally:
        shared.cancel()


class _Shared(Generic[Item, Result]):
    """Which worker has which item."""

    def __init__(
        self, function: Callable[[Item], Result], items: Iterable[Item], workers: Workers
    ) -> None:
        self.tally = Tally()
        self._function, self._workers = function, workers
        self._next = enumerate(items)
        self._again: collections.deque[tuple[int, Item]] = collections.deque()
        """Items that were lost, with their places."""
        self._given: dict[str, tuple[int, Item, Future[Result]]] = {}
        self._losses: collections.Counter[int] = collections.Counter()
        self._known: set[str] = set()

    def look(self) -> None:
        """Note which workers have come and gone."""
        present = set(self._workers.present())
        self.tally.lost += len(self._known - present)
        self._known = present
        self.tally.workers = len(present - self.tally.refused.keys())
        for name in self._given.keys() - present:
            self._lost(name)
        if present and not self.tally.workers:
            reasons = "; ".join(f"{name}: {why}" for name, why in self.tally.refused.items())
            raise SoftmachineError(f"no worker is left: {reasons}")

    def give(self, report: Callable[[Item], Any]) -> None:
        """Give an item to everybody who has none."""
        for name, executor in self._workers.present().items():
            if name in self._given or name in self.tally.refused:
                continue
            job = self._again.popleft() if self._again else next(self._next, None)
            if job is None:
                return
            try:
                self._given[name] = *job, executor.submit(self._function, job[1])
            except (BrokenExecutor, RuntimeError):  # it was idle when it ended
                self._again.appendleft(job)
                self._workers.drop(name)
                return
            report(job[1])

    def over(self) -> bool:
        """Return whether all items are done: nobody has one, though there is somebody."""
        return bool(self._known) and not (self._given or self._again)

    def collect(self) -> list[Completed]:
        """Wait a little, and return what is done."""
        if not self._given:
            time.sleep(TICK)
            return []
        names = {future: name for name, (*_, future) in self._given.items()}
        found = []
        for future in wait(names, TICK, FIRST_COMPLETED).done:
            name = names[future]
            try:
                result = future.result()
            except AnotherVersionError as error:
                self.tally.refused[name] = str(error)
                left_out = f"the worker {name} is left out: {error}"
                warnings.warn(left_out, SoftmachineWarning, stacklevel=2)
                self._again.appendleft(self._given.pop(name)[:2])
            except (BrokenExecutor, CancelledError):
                self._lost(name)
                self._workers.drop(name)
            else:
                found.append(Completed(self._given.pop(name)[0], result))
        return found

    def cancel(self) -> None:
        """Take back what nobody has begun."""
        for *_, future in self._given.values():
            future.cancel()

    def _lost(self, name: str) -> None:
        place, item, future = self._given.pop(name)
        future.cancel()
        self._losses[place] += 1
        if self._losses[place] == MOST_LOSSES:
            raise SoftmachineError(
                f"{item}: {MOST_LOSSES} workers ended while they had it, at last {name}"
            )
        self.tally.repeated += 1
        self._again.appendleft((place, item))


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
