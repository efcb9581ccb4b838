"""Traces against golden texts and counts of an independent script; all calls that can occur."""

from __future__ import annotations

import hashlib
import random

import pytest

from softmachine.core.errors import SoftmachineError
from softmachine.tasks.traced import addition, bubble_sort, topological_sort
from softmachine.tasks.traced.addition import Addition, AdditionByLoop
from softmachine.tasks.traced.bubble_sort import BubbleSort, BubbleSortByLoop, BubbleSortPartly
from softmachine.tasks.traced.environment import Environment, primitive, program
from softmachine.tasks.traced.quicksort import QuickSort, QuickSortByLoop
from softmachine.tasks.traced.topological_sort import (
    PUBLISHED,
    TopologicalSort,
    TopologicalSortByLoop,
)
from softmachine.tasks.traced.tracing import check_consistent, distinct_calls, trace

GOLDEN = [
    (AdditionByLoop, ((9, 6), (1, 2, 5)), (9, 30, 21), "6da7f317147a"),
    (Addition, ((9, 6), (1, 2, 5)), (12, 33, 21), "85d28f53b69f"),
    (AdditionByLoop, ((5,), (5,)), (6, 19, 13), "af2614af2cc7"),
    (Addition, ((5,), (5,)), (8, 21, 13), "bc3424314c87"),
    (BubbleSortByLoop, ((9, 2, 5),), (31, 70, 32), "2de89365cc5c"),
    (BubbleSortPartly, ((9, 2, 5),), (34, 73, 32), "07f1ed01cbe1"),
    (BubbleSort, ((9, 2, 5),), (40, 82, 32), "7f0198cf30fe"),
    (BubbleSortByLoop, ((3, 2),), (13, 29, 13), "3aaeb5616f1c"),
    (BubbleSortPartly, ((3, 2),), (15, 31, 13), "d7921a0f7a99"),
    (BubbleSort, ((3, 2),), (19, 37, 13), "540089c7ea6d"),
    (QuickSortByLoop, ((2, 3, 1),), (17, 73, 51), "eda1d710f241"),
    (QuickSort, ((2, 3, 1),), (23, 81, 51), "d1d5f691cbe2"),
    (TopologicalSortByLoop, PUBLISHED, (21, 86, 53), "235c37fe46bb"),
    (TopologicalSort, PUBLISHED, (34, 99, 53), "c75572099668"),
]
FORMS = list(dict.fromkeys(kind for kind, *_ in GOLDEN))


@pytest.mark.parametrize(("kind", "problem", "counts", "digest"), GOLDEN)
def test_golden_traces(kind, problem, counts, digest):
    traced = trace(kind(*problem))
    assert traced.counts == counts
    assert hashlib.sha256(str(traced).encode()).hexdigest()[:12] == digest
    assert traced.environment.right()


def problems(kind):
    """Return small problems of a kind: edge cases, then random ones."""
    rng = random.Random(0)
    if issubclass(kind, Addition):
        yield from [((), ()), ((0,), (0,)), ((9, 9), (1,)), ((0, 0, 7), (5,)), ((), (3,))]
        for size in (1, 2, 5, 40):
            yield addition.random_problem(size, rng)
    elif issubclass(kind, TopologicalSort):
        yield from [(0, ()), (1, ()), (3, ()), (2, ((2, 1), (2, 1)))]
        for size in (2, 5, 9, 20):
            yield topological_sort.random_graph(size, rng)
    else:
        yield from [((),), ((3,),), ((2, 2, 2),), ((5, 4, 3, 2, 1),), ((-7, 100, 3),)]
        for size in (2, 5, 12):
            yield (bubble_sort.random_numbers(size, rng),)


@pytest.mark.parametrize("separate", [False, True])
@pytest.mark.parametrize("kind", FORMS)
def test_programs_are_right_and_follow_from_what_they_see(kind, separate):
    traces = [trace(kind(*p), separate_return=separate) for p in problems(kind)]
    assert all(traced.environment.right() for traced in traces)
    check_consistent(distinct_calls(traces), kind)


def test_ends_as_steps_of_their_own():
    together, apart = (trace(BubbleSort((3, 2)), separate_return=x) for x in (False, True))
    assert str(apart) == str(together)
    calls, steps, primitives = together.counts
    ended_by_a_call = sum(call.decisions[-1][1] != 0 for call in together.calls())
    assert apart.counts == (calls, steps + ended_by_a_call, primitives)
    assert all(call.decisions[-1][:2] == (1, 0) for call in apart.calls())


def test_training_sums_show_every_fact():
    given = list(addition.training_problems(200, random.Random(0)))
    assert len(given) == 200
    shown = set().union(*map(addition._sums, given))
    assert len(shown) == 200


class Walk(Environment):
    """Walk to the end; what it sees does not tell how far that is."""

    observations = {"anything": (0,)}  # noqa: RUF012
    main = "WALK"

    def __init__(self, steps):
        self.left = steps

    def observe(self):
        return (0 if self.left < 9 else 1,)

    @primitive
    def forward(self):
        self.left -= 1

    @program
    def walk(self):
        while self.left:
            yield self.forward()

    @program
    def wrong(self):
        yield "FORWARD"

    def result(self):
        return self.left

    def expected(self):
        return 0


def test_a_program_that_decides_by_what_it_cannot_see():
    calls = distinct_calls([trace(Walk(1)), trace(Walk(2))])
    with pytest.raises(SoftmachineError, match="WALK decides in two ways, NOP and to end and"):
        check_consistent(calls, Walk)


def test_observations_that_are_not_declared():
    with pytest.raises(SoftmachineError, match=r"Walk.observe\(\) gives \(1,\); declared are"):
        trace(Walk(9))


def test_programs_give_calls():
    with pytest.raises(SoftmachineError, match="WRONG gives 'FORWARD'; a program yields"):
        trace(Walk(1), Walk(1).wrong())


def test_runs_without_an_end():
    with pytest.raises(SoftmachineError, match="WALK of Walk has not ended after 3 steps"):
        trace(Walk(8), most=3)


def test_arguments_are_checked():
    pad = Addition((1,), (2,))
    encode = Addition.vocabulary.encode
    with pytest.raises(SoftmachineError, match=r"argument 2 of WRITE is one of 0, 1, .*not 10"):
        encode(pad.write("OUT", 10))
    with pytest.raises(SoftmachineError, match="there is no program 'SUBTRACT'; there are"):
        Addition.vocabulary.number("SUBTRACT")
    with pytest.raises(TypeError, match="missing a required argument: 'digit'"):
        pad.write("OUT")


def test_arguments_need_their_values_declared():
    with pytest.raises(TypeError, match=r"Bad.act: argument what needs an annotation Literal"):

        class Bad(Environment):
            observations = {"x": (0,)}  # noqa: RUF012

            @primitive
            def act(self, what: int):
                pass


def test_all_forms_have_one_vocabulary():
    for kinds in ((Addition, AdditionByLoop), (QuickSort, QuickSortByLoop), FORMS[2:5]):
        assert len({kind.vocabulary.programs for kind in kinds}) == 1
        assert len({kind.vocabulary.arguments for kind in kinds}) == 1
