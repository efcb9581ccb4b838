"""The held-out programs: examples worked by hand, and answers found in another way."""

import importlib.util
import itertools
import json
import random
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


def load(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look for their module, the second for the first
    spec.loader.exec_module(module)
    return module


MORE = load("more_programs")
HELD = load("held_programs")

BY_HAND = {
    "median_of_three": ([4, 8, 7], {0: 7}),
    "swap_cells": ([3, 4, 8, 7, 5, 0], {2: 8, 3: 5, 4: 7}),
    "absolute_difference": ([5, 8, 6, 4, 0], {1: 3, 2: 1, 3: 1}),
    "triple": ([3, 1, 2, 0], {0: 9, 1: 3, 2: 6}),
    "rotate_left": ([7, 1, 5, 0], {0: 1, 1: 5, 2: 7}),
    "records": ([4, 4, 6, 5, 7, 0], {0: 1, 1: 0, 2: 1, 3: 0, 4: 1}),
    "second_largest": ([0, 7, 1, 5, 0], {0: 5}),
    "last_place_of": ([4, 4, 9, 4, 5, 0], {0: 3}),
    "spread": ([0, 7, 1, 5, 0], {0: 6}),
    "exchange_values": ([2, 3, 2, 5, 3, 0], {2: 3, 3: 5, 4: 2}),
    "delete_first": ([5, 1, 5, 8, 5, 0], {1: 1, 2: 8, 3: 5, 4: 0}),
    "gather": ([4, 2, 0, 2, 6, 7, 8, 0, 0, 0], {7: 8, 8: 6, 9: 8}),
    "sum_of_smaller": ([5, 2, 2, 1, 0, 1, 2, 2, 0], {0: 4}),
    "list_count_equal": ([1, 6, 0, 3, 2, 1, 4, 1], {0: 2}),
    "list_reverse": ([3, 5, 3, 1, 4, 0, 2], {0: 5, 5: 1, 1: 3, 3: 0}),
    "remainder": ([7, 3], {0: 1}),
    "gcd": ([4, 6], {0: 2}),
    "sort_ended": ([4, 7, 1, 5], {1: 1, 2: 5, 3: 7}),
    "count_inversions": ([0, 8, 7, 5, 9, 0], {0: 3}),
    "rotate_by": ([2, 8, 6, 4, 0], {1: 4, 2: 8, 3: 6}),
}


def test_there_are_twenty_of_all_nine_classes_and_none_is_among_the_others():
    kinds = [each.kind for each in HELD.PROBLEMS.values()]
    assert len(kinds) == 20
    assert min(kinds.count(kind) for kind in {each.kind for each in MORE.PROBLEMS.values()}) > 1
    assert HELD.PROBLEMS.keys().isdisjoint(MORE.PROBLEMS)


@pytest.mark.parametrize("name", HELD.PROBLEMS)
def test_a_problem_says_what_was_worked_out_by_hand(name):
    before, answer = BY_HAND[name]
    assert HELD.PROBLEMS[name].answer(before) == answer


@pytest.mark.parametrize("name", HELD.PROBLEMS)
def test_what_is_scored_depends_on_no_cell_behind(name):
    problem, rng = HELD.PROBLEMS[name], random.Random(0)
    for size in (*range(1, 7), 20, 50):
        for _ in range(10):
            before, after = problem.sample(rng, size)
            assert max(*before, *after) < len(before)
            assert problem.answer(before) == problem.answer(before + [0] * len(before))
            assert problem.right(before, after)


@pytest.mark.parametrize("name", HELD.PROBLEMS)
def test_the_lines_contradict_nothing_and_have_enough_small_memories(name):
    seen, small = {}, 0
    for line in map(json.loads, HELD.lines(HELD.PROBLEMS[name])):
        scored = [
            x if one else None for x, one in zip(line["output"], line["mask"], strict=True)
        ]
        assert seen.setdefault(tuple(line["input"]), scored) == scored
        small += len(line["input"]) <= 16
    assert small > 600


def of_array(memory, start=0):
    """The elements of an array, found by walking."""
    return list(itertools.takewhile(bool, memory[start:]))


def without(values, value):
    """A list without the first of one of its values."""
    values = list(values)
    values.remove(value)
    return values


def euclid(a, b):
    return euclid(b, a % b) if b else a


def by_turns(array, count):
    for _ in range(count):
        array = [*array[1:], array[0]]
    return array


OTHERWISE = {
    "median_of_three": lambda m: [sum(m[:3]) - min(m[:3]) - max(m[:3])],
    "second_largest": lambda m: [max(without(a := of_array(m, 1), max(a)), default=0)],
    "last_place_of": lambda m: [len(a := of_array(m, 1)) - a[::-1].index(m[0])],
    "delete_first": lambda m: [*without(of_array(m, 1), m[0]), 0],
    "gcd": lambda m: [euclid(*m[:2])],
    "remainder": lambda m: [m[0] - m[1] * (m[0] // m[1])],
    "sum_of_smaller": lambda m: [
        sum(x if x < m[m[0] + i] else m[m[0] + i] for i, x in enumerate(of_array(m, 1)))
    ],
    "count_inversions": lambda m: [
        sum(x > y for x, y in itertools.combinations(of_array(m, 1), 2))
    ],
    "rotate_by": lambda m: by_turns(of_array(m, 1), m[0]),
    "rotate_left": lambda m: by_turns(of_array(m), 1),
}


@pytest.mark.parametrize("name", OTHERWISE)
def test_answers_are_those_of_another_way_to_say_them(name):
    problem, rng = HELD.PROBLEMS[name], random.Random(1)
    for size in (*range(1, 7), 20):
        for _ in range(20):
            before, _ = problem.sample(rng, size)
            answer = problem.answer(before)
            assert [answer[cell] for cell in sorted(answer)] == OTHERWISE[name](before)
