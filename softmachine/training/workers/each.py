"""Calls of one function for many items, shared among workers."""

from __future__ import annotations

import collections
import functools
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait
from typing import Any, TypeVar

from softmachine.core.errors import SoftmachineError
from softmachine.training.workers.identity import difference, identity
from softmachine.training.workers.unit import AnotherVersionError
from softmachine.training.workers.workers import Workers

Item = TypeVar("Item")
Result = TypeVar("Result")
MOST_LOSSES = 3
"""How many workers an item may cost before it is given up."""
TICK = 1.0
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
    waiting = collections.deque(range(len(items)))
    losses: collections.Counter[int] = collections.Counter()
    results: dict[int, Result] = {}
    given: dict[str, tuple[int, Future[Result]]] = {}

    refused: dict[str, str] = {}
    asked = functools.partial(_checked, function, identity())

    def lost(name: str) -> None:
        place, future = given.pop(name)
        future.cancel()
        losses[place] += 1
        if losses[place] == MOST_LOSSES:
            raise SoftmachineError(
                f"{items[place]}: {MOST_LOSSES} workers ended while they had it, at last {name}"
            )
        waiting.appendleft(place)

    try:
        while len(results) < len(items):
            present = workers.present()
            for name in given.keys() - present.keys():
                lost(name)
            if present and not present.keys() - refused.keys():
                told = "; ".join(f"{name}: {reason}" for name, reason in refused.items())
                raise SoftmachineError(f"no worker is left: {told}")
            for name, executor in present.items():
                if name in given or name in refused or not waiting:
                    continue
                place = waiting.popleft()
                try:
                    given[name] = place, executor.submit(asked, items[place])
                except (BrokenExecutor, RuntimeError):  # it was idle when it ended
                    waiting.appendleft(place)
                    workers.drop(name)
                    break
                report(items[place])
            if not given:
                time.sleep(TICK)
                continue
            names = {future: name for name, (_, future) in given.items()}
            for future in wait(names, TICK, FIRST_COMPLETED).done:
                name = names[future]
                try:
                    results[given[name][0]] = future.result()
                except AnotherVersionError as error:
                    refused[name] = str(error)
                    waiting.appendleft(given.pop(name)[0])
                except (BrokenExecutor, CancelledError):
                    lost(name)
                    workers.drop(name)
                else:
                    del given[name]
    finally:
        for _, future in given.values():
            future.cancel()
    return [results[place] for place in range(len(items))]


def _checked(
    function: Callable[[Item], Result], versions: dict[str, str], item: Item
) -> Result:
    """Call a function in a worker, unless that computes with other versions."""
    from softmachine.core.compilation_cache import use_compilation_cache

    if differs := difference(identity(), versions):
        raise AnotherVersionError(f"it has {differs}")
    use_compilation_cache()
    return function(item)
