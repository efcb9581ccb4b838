"""Nothing is missing from the calls by which a core is proved: what others there could be."""

import itertools
import random
from collections import Counter

import pytest

from softmachine.tasks.traced import addition, bubble_sort, quicksort, topological_sort
from softmachine.tasks.traced.tracing import check_consistent, distinct_calls, trace

DIGITS, BLANK, CARRY = range(10), 10, 1
"""Digits are seen by their own number, a blank cell by the next."""


def calls_of(environment, problems):
    calls = distinct_calls(trace(environment(*problem)) for problem in problems)
    check_consistent(calls, environment)
    return calls


def by_program(calls, environment):
    names = environment.vocabulary.programs
    return Counter(names[key[0]] for key, _ in calls)


def rows(numbers):
    return [(row,) for row in numbers]


KNOWN = {
    "bubble sort": (bubble_sort.BubbleSort, rows(bubble_sort.proving_numbers())),
    "quicksort": (quicksort.QuickSort, rows(quicksort.proving_numbers())),
    "topological sort": (
        topological_sort.TopologicalSort,
        list(topological_sort.proving_graphs()),
    ),
}
"""Environments, and the problems that are said to cause all calls there can be."""


# Addition: all that can occur, put together from what a column can be and what comes next.


def columns_of_equal_lengths():
    """Yield each column there can be: its digits, whether there is a carry, the next digits.

    Numbers of one digit may be 0, others do not begin with 0. The last column may be nothing
    but a carry.
    """
    for a, b, carry in itertools.product(DIGITS, DIGITS, (BLANK, CARRY)):
        for following in itertools.product(DIGITS, DIGITS):
            yield a, b, carry, following
        if carry == BLANK or (a and b):
            yield a, b, carry, (BLANK, BLANK)
    yield BLANK, BLANK, CARRY, (BLANK, BLANK)


def columns_of_any_lengths():
    """Yield the same for numbers of any lengths: after a blank there are only blanks."""
    symbols = (*DIGITS, BLANK)
    for a, b, carry in itertools.product(symbols, symbols, (BLANK, CARRY)):
        if (a, b, carry) == (BLANK, BLANK, BLANK):
            continue
        for following in itertools.product(
            symbols if a != BLANK else (BLANK,), symbols if b != BLANK else (BLANK,)
        ):
            yield a, b, carry, following


def all_calls_of_addition(columns):
    """Return (program, observations) of each call that the columns can cause."""
    calls = {("ADD", ((BLANK,) * 4,))}
    for a, b, carry, (x, y) in columns:
        total = sum(symbol for symbol in (a, b, carry) if symbol != BLANK)
        digit, after = total % 10, CARRY if total >= 10 else BLANK
        first, written = (a, b, carry, BLANK), (a, b, carry, digit)
        shifted = ((x, b, carry, digit), (x, y, carry, digit), (x, y, after, digit))
        calls.add(("ADD", (first, written, (x, y, after, BLANK))))
        calls.add(("LSHIFT", (written, *shifted)))
        if total < 10:
            calls.add(("ADD1", (first,)))
        else:
            calls.add(("ADD1", (first, written)))
            carried = [(a, b, symbol, digit) for symbol in (carry, BLANK, CARRY)]
            calls.add(("CARRY", tuple(carried)))
    return calls


@pytest.mark.parametrize(
    ("problems", "columns", "steps", "programs"),
    [
        (
            addition.proving_problems(),
            columns_of_equal_lengths(),
            141_876,
            {"ADD": 20_183, "ADD1": 201, "CARRY": 100, "LSHIFT": 20_182},
        ),
        (
            addition.proving_problems_of_any_length(),
            columns_of_any_lengths(),
            173_137,
            {"ADD": 24_642, "ADD1": 241, "CARRY": 102, "LSHIFT": 24_641},
        ),
    ],
    ids=["equal lengths", "any lengths"],
)
def test_all_columns_that_can_occur_in_addition_are_there(problems, columns, steps, programs):
    calls = calls_of(addition.Addition, problems)
    assert by_program(calls, addition.Addition) == programs
    assert sum(map(len, calls.values())) == steps
    names = addition.Addition.vocabulary.programs
    assert {(names[key[0]], seen) for key, seen in calls} == all_calls_of_addition(columns)


# Sorting: all small arrays, of which only the order matters, and all small graphs.


def orders(size):
    """Yield one array for each way in which ``size`` numbers can be ordered, or equal."""
    for row in itertools.product(range(size), repeat=size):
        if set(row) == {*range(len(set(row)))}:
            yield row


@pytest.mark.parametrize(
    ("kind", "sizes"),
    [("bubble sort", [6, 20, 33, 40, 40]), ("quicksort", [1, 13, 25, 27, 28])],
)
def test_small_arrays_cause_all_calls_and_larger_ones_no_others(kind, sizes):
    environment, problems = KNOWN[kind]
    known = calls_of(environment, problems)
    calls, found = {}, []
    for size in range(1, 6):
        calls |= calls_of(environment, rows(orders(size)))
        found.append(len(calls))
    assert calls == known
    assert found == sizes
    rng = random.Random(0)
    larger = [tuple(rng.randint(0, 3 * n) for _ in range(n)) for n in (0, 6, 6, 6, 9, 13, 20)]
    assert not calls_of(environment, rows(larger)).keys() - known.keys()


def graphs(vertices):
    """Yield all graphs without cycles, the children of each vertex in every order."""
    pairs = list(itertools.permutations(range(1, vertices + 1), 2))
    for chosen in itertools.product((False, True), repeat=len(pairs)):
        edges = [pair for pair, there in zip(pairs, chosen, strict=True) if there]
        if not acyclic(vertices, edges):
            continue
        children = [[edge for edge in edges if edge[0] == v] for v in range(1, vertices + 1)]
        for ordered in itertools.product(*map(itertools.permutations, children)):
            yield vertices, tuple(itertools.chain(*ordered))


def acyclic(vertices, edges):
    left = set(range(1, vertices + 1))
    while True:
        first = {v for v in left if all(b != v for a, b in edges if a in left)}
        if not first:
            return not left
        left -= first


def test_small_and_random_graphs_cause_the_same_calls():
    environment, problems = KNOWN["topological sort"]
    known = calls_of(environment, problems)
    small = itertools.chain(*map(graphs, range(4)))
    rng = random.Random(0)
    larger = [topological_sort.random_graph(rng.choice((4, 6, 7, 8)), rng) for _ in range(300)]
    assert calls_of(environment, itertools.chain(small, larger)) == known
