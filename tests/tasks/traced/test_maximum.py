"""The largest number of a row: two programs on top of bubble sort."""

import itertools
from collections import Counter

from softmachine.tasks.traced.bubble_sort import BubbleSort, proving_numbers
from softmachine.tasks.traced.maximum import Maximum, MaximumByLoop, proving_maxima
from softmachine.tasks.traced.tracing import check_consistent, distinct_calls, trace


def rows(largest):
    """Yield a row for each way to order up to so many numbers, or for some to be equal."""
    for size in range(largest + 1):
        for row in itertools.product(range(size), repeat=size):
            if set(row) == {*range(len(set(row)))}:
                yield row


def calls_of(environment, given):
    runs = [trace(environment(row)) for row in given]
    assert all(run.environment.right() for run in runs)
    calls = distinct_calls(runs)
    check_consistent(calls, environment)
    return calls


def test_what_bubble_sort_has_keeps_its_numbers():
    known = BubbleSort.vocabulary
    for environment in (Maximum, MaximumByLoop):
        ours = environment.vocabulary
        assert ours.programs == (*known.programs, "MAX", "RJMP")
        assert ours.arguments == known.arguments
    every = calls_of(Maximum, proving_maxima())
    assert calls_of(BubbleSort, proving_numbers()).items() <= every.items()


def test_rows_of_up_to_four_numbers_cause_all_calls():
    every = calls_of(Maximum, proving_maxima())
    assert calls_of(Maximum, rows(4)) == every
    assert not calls_of(Maximum, [(5, 3, 4, 1, 2), (1, 2, 2, 1, 3, 0)]).keys() - every.keys()
    names = Counter(Maximum.vocabulary.programs[key[0]] for key, _ in every)
    assert (names["MAX"], names["RJMP"], len(every)) == (3, 6, 57)


def test_loops_find_it_too():
    assert calls_of(MaximumByLoop, rows(4))
