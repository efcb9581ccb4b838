"""Traces of the reference programs against those of an independent script, line for line."""

import hashlib
import random
from collections import Counter

import pytest

from softmachine.tasks.traced.addition import Addition, AdditionByLoop, random_problem
from softmachine.tasks.traced.bubble_sort import (
    BubbleSort,
    BubbleSortByLoop,
    BubbleSortPartly,
    random_numbers,
)
from softmachine.tasks.traced.quicksort import QuickSort, QuickSortByLoop
from softmachine.tasks.traced.ram import Copy, Increment, Reverse
from softmachine.tasks.traced.topological_sort import (
    PUBLISHED,
    TopologicalSort,
    TopologicalSortByLoop,
    random_graph,
)
from softmachine.tasks.traced.tracing import check_consistent, distinct_calls, trace

CARRIED, SHORT = ((9, 6), (1, 2, 5)), ((5,), (5,))
GOLDEN = [
    (AdditionByLoop, CARRIED, (9, 30, 21), "6da7f317147a"),
    (Addition, CARRIED, (12, 33, 21), "85d28f53b69f"),
    (AdditionByLoop, SHORT, (6, 19, 13), "af2614af2cc7"),
    (Addition, SHORT, (8, 21, 13), "bc3424314c87"),
    (BubbleSortByLoop, ([9, 2, 5],), (31, 70, 32), "2de89365cc5c"),
    (BubbleSortPartly, ([9, 2, 5],), (34, 73, 32), "07f1ed01cbe1"),
    (BubbleSort, ([9, 2, 5],), (40, 82, 32), "7f0198cf30fe"),
    (BubbleSortByLoop, ([3, 2],), (13, 29, 13), "3aaeb5616f1c"),
    (BubbleSortPartly, ([3, 2],), (15, 31, 13), "d7921a0f7a99"),
    (BubbleSort, ([3, 2],), (19, 37, 13), "540089c7ea6d"),
    (QuickSortByLoop, ([2, 3, 1],), (17, 73, 51), "eda1d710f241"),
    (QuickSort, ([2, 3, 1],), (23, 81, 51), "d1d5f691cbe2"),
    (TopologicalSortByLoop, PUBLISHED, (21, 86, 53), "235c37fe46bb"),
    (TopologicalSort, PUBLISHED, (34, 99, 53), "c75572099668"),
    (Increment, ([2, 1, 0, 0],), (3, 12, 9), "0b9b03058f7a"),
    (Copy, ([3, 2, 1, 0, 0],), (4, 18, 14), "f6a3295fd831"),
]
"""Counts of calls, steps and primitives; the first 12 digits of the text's SHA-256."""
FORMS = {
    "addition": (Addition, AdditionByLoop),
    "bubble sort": (BubbleSort, BubbleSortPartly, BubbleSortByLoop),
    "quicksort": (QuickSort, QuickSortByLoop),
    "topological sort": (TopologicalSort, TopologicalSortByLoop),
}


def problems(kind, rng):
    """Return some problems, edge cases first, each the arguments of the environment."""
    if kind == "addition":
        edges = [((), ()), ((), (7,)), ((0,), (0,)), ((0, 0, 9), (9, 9)), ((9,) * 5, (1,))]
        return edges + [random_problem(size, rng) for size in (1, 2, 7, 30)]
    if kind == "topological sort":
        edges = [(0, ()), (1, ()), (4, ()), (3, ((3, 2), (3, 1), (2, 1)))]
        return edges + [random_graph(size, rng) for size in (2, 5, 8, 12)]
    edges = [(), (4,), (2, 2), (3, 3, 3), (1, 2, 3, 4), (4, 3, 2, 1), (-5, 100, 3)]
    return [(x,) for x in edges + [random_numbers(size, rng) for size in (5, 8, 12)]]


def decisions(run):
    return [decision for call in run.calls() for decision in call.decisions]


@pytest.mark.parametrize(("environment", "problem", "counts", "digest"), GOLDEN)
def test_traces_are_the_golden_ones(environment, problem, counts, digest):
    run = trace(environment(*problem))
    assert run.counts == counts
    assert hashlib.sha256(str(run).encode()).hexdigest()[:12] == digest
    assert run.environment.right()


def test_the_published_graph_comes_in_the_published_order():
    assert trace(TopologicalSort(*PUBLISHED)).environment.result() == (3, 1, 2, 5, 4)


@pytest.mark.parametrize(("environment", "problem", "counts", "digest"), GOLDEN)
def test_ends_of_their_own_are_one_step_more_for_each_last_call(
    environment, problem, counts, digest
):
    plain = trace(environment(*problem))
    run = trace(environment(*problem), separate_return=True)
    calls, steps, primitives = counts
    last = sum(bool(end and program) for end, program, *_ in decisions(plain))
    assert last
    assert run.counts == (calls, steps + last, primitives)
    assert hashlib.sha256(str(run).encode()).hexdigest()[:12] == digest
    assert all(bool(end) == (program == 0) for end, program, *_ in decisions(run))


@pytest.mark.parametrize("kind", FORMS)
def test_programs_of_every_form_are_right_and_follow_from_what_is_seen(kind):
    for environment in FORMS[kind]:
        runs = [trace(environment(*x)) for x in problems(kind, random.Random(0))]
        assert all(run.environment.right() for run in runs), environment
        check_consistent(distinct_calls(runs), environment)


@pytest.mark.parametrize("kind", FORMS)
def test_forms_have_one_vocabulary(kind):
    ours, *others = (environment.vocabulary for environment in FORMS[kind])
    for other in others:
        assert other.programs == ours.programs
        assert other.primitives == ours.primitives
        assert other.arguments == ours.arguments


def test_long_runs_need_no_deep_recursion():
    nines = (9,) * 2_000
    run = trace(Addition(nines, (1,)))
    assert run.environment.result() == (1, *[0] * 2_000)
    assert run.counts[0] > 2_000


@pytest.mark.parametrize("environment", [Increment, Copy, Reverse])
def test_programs_of_a_random_access_machine_are_right(environment):
    rng = random.Random(0)
    runs = [
        trace(environment(environment.random_memory(size, rng)))
        for size in (1, 2, 3, 8, 20)
        for _ in range(5)
    ]
    assert all(run.environment.right() for run in runs)
    check_consistent(distinct_calls(runs), environment)
    assert environment.vocabulary.programs == Increment.vocabulary.programs
    assert Counter(environment.vocabulary.primitives)[True] == 1
