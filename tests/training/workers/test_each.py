"""Calls shared among workers: every item once, whoever works and whoever is lost."""

import itertools
import os
import signal
from concurrent.futures import BrokenExecutor, Executor, Future
from pathlib import Path

import pytest

from softmachine.core.errors import SoftmachineError, SoftmachineWarning
from softmachine.training.workers import each
from softmachine.training.workers.each import as_completed, for_each
from softmachine.training.workers.workers import ProcessWorkers


class Inline(Executor):
    """Does at once what it is given, unless its fate raises."""

    def __init__(self, fate):
        self.fate = fate

    def submit(self, fn, /, *args):
        future = Future()
        try:
            self.fate(args)
            future.set_result(fn(*args))
        except BaseException as error:
            future.set_exception(error)
        return future


class Some:
    """Workers by name, each with a fate."""

    def __init__(self, **fates):
        self.executors = {name: Inline(fate) for name, fate in fates.items()}
        self.dropped = []

    def present(self):
        return dict(self.executors)

    def drop(self, name):
        self.dropped.append(name)

    def close(self):
        pass


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(each, "TICK", 0.01)


def fine(_item):
    pass


def fails(_item):
    raise BrokenExecutor("killed")


def test_results_come_in_the_order_of_the_items():
    told = []
    workers = Some(one=fine, two=fine, three=fine)
    assert for_each(str, range(7), workers, told.append) == [*"0123456"]
    assert sorted(told) == [*range(7)]
    assert for_each(str, [], workers) == []


def test_what_a_worker_loses_another_does():
    workers = Some(bad=fails, good=fine)
    workers.drop = lambda name: workers.executors.pop(name, None)
    assert for_each(str, range(4), workers) == [*"0123"]
    assert [*workers.executors] == ["good"]


def test_a_worker_that_goes_takes_nothing_with_it():
    class Never(Executor):
        def submit(self, *_):
            return Future()

    workers = Some(good=fine)
    workers.executors["gone"] = Never()
    looks = []

    def present():
        looks.append(1)
        if len(looks) == 3:
            del workers.executors["gone"]
        return dict(workers.executors)

    workers.present = present
    assert for_each(str, range(5), workers) == [*"01234"]


def test_an_item_that_costs_three_workers_is_named():
    workers = Some(one=fails)
    with pytest.raises(SoftmachineError, match="poison: 3 workers ended while they had it"):
        for_each(str, ["poison"], workers)
    assert workers.dropped == ["one"] * 2  # the third time it is at an end


def test_errors_of_the_function_are_raised():
    with pytest.raises(ValueError, match="invalid literal"):
        for_each(int, ["1", "x"], Some(one=fine))


def test_workers_of_other_versions_are_left_out(monkeypatch):
    ours = each.identity()
    calls = []

    def identity():
        calls.append(1)
        # First for this process; then the first worker says another version.
        return {**ours, "jax": "0.0.1"} if len(calls) == 2 else ours

    monkeypatch.setattr(each, "identity", identity)
    with pytest.warns(
        SoftmachineWarning, match=r"the worker old is left out: it has jax 0\.0\.1"
    ):
        assert for_each(str, range(3), Some(old=fine, new=fine)) == [*"012"]
    calls.clear()
    monkeypatch.setattr(
        each, "identity", lambda: calls.append(1) or {**ours, "jax": str(len(calls))}
    )
    with (
        pytest.raises(SoftmachineError, match=r"no worker is left: one: it has jax 2 where"),
        pytest.warns(SoftmachineWarning, match="the worker one is left out"),
    ):
        for_each(str, range(3), Some(one=fine))


def test_there_may_be_items_without_an_end_and_then_nobody():
    workers, told = Some(one=fine, two=fine), []
    numbers = itertools.count()
    endless = as_completed(str, numbers, workers, watch=told.append)
    done = [next(endless) for _ in range(6)]
    assert sorted(one.place for one in done) == [*range(6)]
    assert all(one.result == str(one.place) for one in done)
    assert next(numbers) == 6  # none is asked for before somebody is free
    workers.executors.clear()
    assert [next(endless) for _ in range(3)].count(None) >= 2  # whoever waits can look around
    endless.close()
    words = ["2 workers", "0 workers, 2 lost"]
    assert [tally.words() for tally in told] == words
    assert for_each(str, [], workers) == []


def test_who_closes_takes_back_what_nobody_has_begun():
    futures = []

    class Waits(Executor):
        def submit(self, *_):
            futures.append(Future())
            return futures[-1]

    workers = Some()
    workers.executors["one"] = Waits()
    waiting = as_completed(str, range(3), workers)
    assert next(waiting) is None
    waiting.close()
    assert [future.cancelled() for future in futures] == [True]


def kill_once(path):
    """End this process at the first call with a path, and say its name at the second."""
    if not Path(path).exists():
        Path(path).write_text("")
        os.kill(os.getpid(), signal.SIGKILL)
    return Path(path).name


def test_a_killed_process(tmp_path):
    workers = ProcessWorkers(1)
    try:
        assert for_each(kill_once, [str(tmp_path / "a")], workers) == ["a"]
    finally:
        workers.close()
