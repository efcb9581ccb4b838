"""Calls of one function for many items, shared among workers."""

from __future__ import annotations

import collections
import dataclasses
import functools
import importlib
import pickle
import time
import warnings
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait
from typing import Any, Generic, NamedTuple, TypeVar

from softmachine.core.errors import SoftmachineError, SoftmachineWarning, WorkersError
from softmachine.training.workers import remote
from softmachine.training.workers.identity import AnotherVersionError, identity
from softmachine.training.workers.losses import OVERDUE, PATIENCE, Losses
from softmachine.training.workers.workers import Tally, Workers

Item = TypeVar("Item")
Result = TypeVar("Result")
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
            lost, or takes very long.
        items: its arguments, which can be pickled, too; errors name them.
        workers: who calls it, each one item at a time; they may come and go, and stay open.
        report: called with an item whenever one is given to a worker.

    Waits for workers as long as there is none. Raises WorkersError if nobody reaches them any
    more, or if all of them have other versions of packages or code than this process, and
    SoftmachineError for an item that cost too many of them (`Losses.is_at_fault`). What the
    function raises is raised here, too.
    """
    results: dict[int, Result] = {}
    done = imap_unordered(function, items, workers, report=report)
    while len(results) < len(items):
        if found := next(done):
            results[found.place] = found.result
    done.close()
    return [results[place] for place in range(len(items))]


class Completed(NamedTuple):
    """What a worker has done."""

    place: int
    """The item's place among all."""
    result: Any


def imap_unordered(
    function: Callable[[Any], Any],
    items: Iterable[Item],
    workers: Workers,
    *,
    pickled: bool = True,
    hand: Callable[[Item], Any] = lambda item: item,
    report: Callable[[Item], Any] = lambda _item: None,
    watch: Callable[[Tally], Any] = lambda _tally: None,
) -> Generator[Completed | None, None, None]:
    """Yield what a function returns for items, in the order in which workers are done.

    And None, at least every `TICK` seconds, so that who waits can look around, and end it:
    close the iterator. What is not given out then is not computed; workers that are computing
    are dropped.

    Arguments:
        function: as in `for_each`.
        items: any number, asked for when a worker is free; errors name them.
        workers: as in `for_each`.
        pickled: whether workers get a copy of the function, and call it if they have the
            versions of this process. Threads of this process can call the function itself.
        hand: returns what the function is called with, when an item is given to a worker. A
            Dask scheduler reads it, so it should be plain: numbers, texts, tuples.
        report: called with an item whenever one is given to a worker.
        watch: called with a tally of workers whenever it has changed.

    Raises what `for_each` raises.
    """
    call = function
    if pickled:
        call = functools.partial(remote.call, _pickled(function), identity())
    shared = _Shared(call, items, workers, hand)
    told = None
    try:
        while True:
            present = shared.look()
            shared.give(present, report)
            if shared.tally != told:
                told = dataclasses.replace(shared.tally, refused=dict(shared.tally.refused))
                watch(told)
            if shared.over:
                return
            done = shared.collect()
            yield from done or (None,)
            if shared.error is not None:
                raise shared.error
    finally:
        shared.end()


@dataclasses.dataclass
class _Given(Generic[Item, Result]):
    """An item that a worker has."""

    place: int
    item: Item
    future: Future[Result]
    began: float
    overdue: bool = False
    """Given up for lost; what it brings may still be the first."""


class _Shared(Generic[Item, Result]):
    """Which worker has which item."""

    def __init__(
        self,
        call: Callable[[Any], Result],
        items: Iterable[Item],
        workers: Workers,
        hand: Callable[[Item], Any],
    ) -> None:
        self.tally = Tally()
        self.error: Exception | None = None
        """What a call has raised."""
        self._call, self._workers, self._hand = call, workers, hand
        self._next = enumerate(items)
        self._exhausted = False
        self._again: collections.deque[tuple[int, Item]] = collections.deque()
        """Items that were lost, with their places."""
        self._twice: set[int] = set()
        """Places of items that were given to another worker while one may still be at it."""
        self._done_twice: set[int] = set()
        self._given: dict[str, _Given[Item, Result]] = {}
        self._losses = Losses()
        self._known: set[str] = set()
        self._longest = 0.0

    @property
    def over(self) -> bool:
        """Whether all items are done."""
        under_way = any(not given.overdue for given in self._given.values())
        return self._exhausted and not (under_way or self._again)

    def look(self) -> dict[str, Any]:
        """Return the workers there are; note who has come and gone, and who is overdue."""
        present = dict(self._workers.present())
        self.tally.lost += len(self._known - present.keys())
        self._known = {*present}
        self.tally.workers = len(self._known - self.tally.refused.keys())
        for name in self._given.keys() - present.keys():
            self._lost(name)
        if present and not self.tally.workers:
            reasons = "; ".join(f"{name}: {why}" for name, why in self.tally.refused.items())
            raise WorkersError(f"no worker is left: {reasons}")
        limit = max(PATIENCE, OVERDUE * self._longest)
        for name, given in [*self._given.items()]:
            if not given.overdue and time.monotonic() - given.began > limit:
                given.overdue = True
                self._twice.add(given.place)
                self._repeat(given, name)
                self._workers.drop(name)
        return present

    def give(self, present: dict[str, Any], report: Callable[[Item], Any]) -> None:
        """Give an item to everybody who has none."""
        for name, executor in present.items():
            if name in self._given or name in self.tally.refused:
                continue
            job = self._again.popleft() if self._again else next(self._next, None)
            if job is None:
                self._exhausted = True
                return
            try:
                future = executor.submit(self._call, self._hand(job[1]))
            except (BrokenExecutor, RuntimeError):  # it was idle when it ended
                self._again.appendleft(job)
                self._workers.drop(name)
                return
            self._given[name] = _Given(*job, future, time.monotonic())
            report(job[1])

    def collect(self) -> list[Completed]:
        """Wait a little, and return what is done."""
        if not self._given:
            time.sleep(TICK)
            return []
        names = {given.future: name for name, given in self._given.items()}
        found = []
        for future in wait(names, TICK, FIRST_COMPLETED).done:
            name = names[future]
            given = self._given[name]
            try:
                result = future.result()
            except (AnotherVersionError, ImportError) as error:
                self._refuse(name, str(error))
            except (BrokenExecutor, CancelledError):
                self._lost(name)
                self._workers.drop(name)
            except Exception as error:  # whatever the function raises
                del self._given[name]
                self.error = self.error or error
            else:
                del self._given[name]
                self._longest = max(self._longest, time.monotonic() - given.began)
                self._losses.forgive(given.place)
                if given.place not in self._done_twice:
                    found.append(Completed(given.place, result))
                if given.place in self._twice:
                    self._done_twice.add(given.place)
        return found

    def end(self) -> None:
        """Take back what nobody has begun, and drop who is at something."""
        for name, given in self._given.items():
            if not given.future.cancel() and not given.future.done():
                self._workers.drop(name)

    def _refuse(self, name: str, reason: str) -> None:
        self.tally.refused[name] = reason
        warnings.warn(
            f"the worker {name} is left out: {reason}", SoftmachineWarning, stacklevel=3
        )
        given = self._given.pop(name)
        if not given.overdue:
            self._again.appendleft((given.place, given.item))

    def _lost(self, name: str) -> None:
        given = self._given.pop(name)
        given.future.cancel()
        if not given.overdue:
            self._repeat(given, name)

    def _repeat(self, given: _Given[Item, Result], name: str) -> None:
        self._losses.note([given.place])
        if self._losses.is_at_fault(given.place):
            raise SoftmachineError(
                f"{given.item}: {self._losses.of(given.place)} workers ended while they had "
                f"it, at last {name}"
            )
        self.tally.repeated += 1
        self._again.appendleft((given.place, given.item))


def _pickled(function: Callable[[Any], Any]) -> bytes:
    """Return a function as bytes; one of a script as its code, where cloudpickle is there."""
    try:
        pickler = importlib.import_module("cloudpickle")  # it comes with Dask
    except ImportError:
        pickler = pickle
    return pickler.dumps(function)
