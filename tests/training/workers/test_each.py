"""Calls shared among workers: every item once, whoever works and whoever is lost."""

import itertools
import os
import signal
import sys
import warnings
from concurrent.futures import BrokenExecutor, Executor, Future
from pathlib import Path

import pytest

from softmachine.core.errors import SoftmachineError, SoftmachineWarning
from softmachine.training.workers import each, remote
from softmachine.training.workers import identity as identities
from softmachine.training.workers.each import for_each, imap_unordered
from softmachine.training.workers.identity import identity
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


def test_a_cluster_that_goes_again_and_again_is_no_items_fault():
    """Three workers ended while they had the first item, and as many with the second."""
    lost = itertools.count()

    def unlucky(_item):
        if next(lost) < 10:
            raise BrokenExecutor("preempted")

    workers = Some(one=unlucky, two=unlucky)
    assert for_each(str, range(2), workers) == ["0", "1"]


def test_errors_of_the_function_are_raised():
    with pytest.raises(ValueError, match="invalid literal"):
        for_each(int, ["1", "x"], Some(one=fine))


def test_workers_of_other_versions_are_left_out(monkeypatch):
    ours, calls = identity(), []

    def theirs():
        calls.append(1)
        return {**ours, "jax": "0.0.1"} if len(calls) == 1 else ours

    monkeypatch.setattr(identities, "identity", theirs)
    with pytest.warns(SoftmachineWarning, match=r"worker old is left out: it has jax 0\.0\.1"):
        assert for_each(str, range(3), Some(old=fine, new=fine)) == [*"012"]
    monkeypatch.setattr(identities, "identity", lambda: {**ours, "jax": "2"})
    with (
        pytest.raises(SoftmachineError, match=r"no worker is left: one: it has jax 2 where"),
        pytest.warns(SoftmachineWarning, match="the worker one is left out"),
    ):
        for_each(str, range(3), Some(one=fine))


def test_a_worker_without_a_module_is_left_out():
    def lacks(_):
        raise ModuleNotFoundError("No module named 'mine'")

    with pytest.warns(SoftmachineWarning, match="old is left out: No module named 'mine'"):
        assert for_each(str, range(3), Some(old=lacks, new=fine)) == [*"012"]


class Later(Executor):
    """Does what it is given when it is asked to."""

    def __init__(self):
        self.asked = []

    def submit(self, fn, /, *args):
        future = Future()
        future.set_running_or_notify_cancel()
        self.asked.append((future, fn, args))
        return future

    def go_on(self):
        future, fn, args = self.asked.pop(0)
        future.set_result(fn(*args))


def test_a_worker_that_goes_when_all_is_done_is_not_waited_for():
    workers = Some(one=fine)
    workers.executors["one"] = Inline(lambda _: workers.executors.clear())
    assert for_each(str, range(1), workers) == ["0"]


def test_workers_are_looked_at_once_a_turn():
    """One that is gone a moment later is no reason to end."""
    workers, looks = Some(one=fine), []

    def present():
        looks.append(1)
        return dict(workers.executors) if len(looks) != 2 else {}

    workers.present = present
    assert for_each(str, range(5), workers) == [*"01234"]


def test_who_takes_very_long_is_overdue_and_what_comes_first_counts(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(each.time, "monotonic", lambda: clock[0])
    workers, slow = Some(quick=fine), Later()
    workers.executors["slow"] = slow
    tallies = []
    done = imap_unordered(str, range(4), workers, pickled=False, watch=tallies.append)
    found = [next(done) for _ in range(3)]
    assert sorted(one.result for one in found if one) == ["0", "2", "3"]
    clock[0] = each.PATIENCE + 1
    assert [one.result for one in done if one] == ["1"]
    assert workers.dropped == ["slow"] * 2  # overdue, and at it to the end
    assert tallies[-1].repeated == 1
    # And the other way round: who was given up was first.
    workers, slow, other = Some(), Later(), Later()
    workers.executors |= {"slow": slow}
    clock[0] = 0.0
    done = imap_unordered(str, range(1), workers, pickled=False)
    assert next(done) is None
    clock[0] = each.PATIENCE + 1
    workers.executors["other"] = other
    assert next(done) is None
    slow.go_on()
    assert next(done).result == "0"
    other.go_on()
    assert [*done] == [None]  # not once more


def test_what_a_worker_is_handed_is_made_when_it_is_given():
    clock = itertools.count()
    done = imap_unordered(str, "ab", Some(one=fine), hand=lambda x: (x, next(clock)))
    assert [one.result for one in done if one] == ["('a', 0)", "('b', 1)"]


def test_without_cloudpickle_functions_of_modules_are_called(monkeypatch):
    monkeypatch.setitem(sys.modules, "cloudpickle", None)
    assert for_each(str, range(3), Some(one=fine)) == [*"012"]


def test_a_call_of_no_cluster_is_not_withdrawn():
    assert not remote.withdrawn()()


def test_there_may_be_items_without_an_end_and_then_nobody():
    workers, told = Some(one=fine, two=fine), []
    numbers = itertools.count()
    endless = imap_unordered(str, numbers, workers, watch=told.append)
    done = [next(endless) for _ in range(6)]
    assert sorted(one.place for one in done) == [*range(6)]
    assert all(one.result == str(one.place) for one in done)
    assert next(numbers) == 6  # none is asked for before somebody is free
    workers.executors.clear()
    assert [next(endless) for _ in range(3)].count(None) >= 2  # whoever waits can look around
    endless.close()
    words = ["2 workers", "no worker is there: waiting for one"]
    assert [tally.words() for tally in told] == words
    assert for_each(str, [], workers) == []


def test_who_closes_takes_back_what_nobody_has_begun():
    futures = []

    class Waits(Executor):
        def submit(self, *_):
            futures.append(Future())
            return futures[-1]

    workers, busy = Some(), Later()
    workers.executors |= {"one": Waits(), "busy": busy}
    waiting = imap_unordered(str, range(3), workers)
    assert next(waiting) is None
    waiting.close()
    assert [future.cancelled() for future in futures] == [True]
    assert workers.dropped == ["busy"]  # what it does is needed no more


def kill_once(path):
    """End this process at the first call with a path, and say its name at the second."""
    if not Path(path).exists():
        Path(path).write_text("")
        os.kill(os.getpid(), signal.SIGKILL)
    warnings.warn("it was killed before", SoftmachineWarning, stacklevel=1)
    return Path(path).name


def test_a_killed_process(tmp_path, capfd):
    workers = ProcessWorkers(1)
    try:
        assert for_each(kill_once, [str(tmp_path / "a")], workers) == ["a"]
        assert capfd.readouterr().err == "softmachine: note: it was killed before\n"
    finally:
        workers.close()
