"""Layouts: where arguments and answers lie, which the examples allow, and what is refused."""

import random

import hypothesis.strategies as st
import pytest
from hypothesis import given as drawn
from hypothesis import settings

from softmachine.core.errors import ExamplesError
from softmachine.synthesis.candidates import layouts
from softmachine.synthesis.domain import domain_of
from softmachine.synthesis.laid_out import own_codes, variants
from softmachine.synthesis.layout import Count, Length, described
from softmachine.synthesis.making import read_answer
from softmachine.synthesis.taking import take
from softmachine.synthesis.whole import Options, begin


def plain(function, *inputs):
    return take([(x, function(*x) if isinstance(x, tuple) else function(x)) for x in inputs])


LISTS = ([3, 1, 2], [4], [2, 2, 5, 1], [1, 3])
SHARED = {
    "sorted": plain(sorted, *LISTS),
    "sum": plain(sum, *LISTS),
    "reversed": plain(lambda x: x[::-1], *LISTS),
    "below 0": plain(lambda x: [max(y, 0) for y in x], [3, -1], [-4, -9], [7, 0, -2]),
    "large": plain(max, [300, 100], [7, 9000, 12], [5]),
    "with zeros": plain(lambda x: [2 * y for y in x], [3, 0, 2], [1], [0, 0], [4, 2]),
    "index": plain(lambda x, k: x[k], ([3, 8, 5], 2), ([4, 9], 1), ([7], 0)),
    "filter": plain(
        lambda x, k: [y for y in x if y > k], ([3, 8, 5], 4), ([1, 2], 2), ([90, 7], 10)
    ),
    "numbers": plain(lambda a, b: max(a, b), (3, 4), (9, 2), (1, 1)),
    "texts": plain(lambda a, b: a + b, ("ab", "c"), ("x", "yz"), ("q", "q")),
    "two lists": plain(
        lambda a, b: [x + y for x, y in zip(a, b, strict=True)],
        ([1, 2], [3, 4]),
        ([5], [1]),
        ([2, 2, 1], [1, 1, 1]),
    ),
    "truth": plain(lambda x, k: k in x, ([3, 8], 8), ([1], 2), ([5, 5], 5)),
    "index of": plain(lambda x, k: x.index(k), ([30, 8], 8), ([100], 100), ([5, 50], 50)),
}


def test_many_numbers_that_may_be_places_and_long_lists_end_soon():
    """Not every choice of what is coded is tried, nor every size of three long lists."""
    numbers = {f"a{j}": j % 4 for j in range(15)}
    lines = [
        {"items": [7] * 5, **numbers, "output": 7},
        {"items": [2] * 4, **numbers, "output": 2},
    ]
    assert 0 < len(layouts(take(lines), 64)) <= 10
    long = [*range(1_000)]
    given = take([((long, long, long), 3), (([4], [5], [6]), 4), (([9], [5, 1], [6]), 9)])
    small = [*domain_of(given, layouts(given, 16)[0]).small()]
    assert small[0] == ([0], [0], [0])
    assert len(small) == 3_000
    sizes = [sum(map(len, inputs)) for inputs in small]
    assert sizes == sorted(sizes)


def test_what_lists_have_in_common_may_leave_no_small_ones():
    given = take([([*range(i, i + 200)], i) for i in range(1, 9)])
    assert [*domain_of(given, layouts(given, 256)[0]).small()] == []


def test_a_domain_says_that_nothing_stands_in_a_list_twice():
    """Only such lists are tried: what a program does with others is not known."""
    given = take([([4, 1, 3, 2], 4), ([2, 6, 1], 6), ([9, 3, 7, 1, 5], 9), ([1, 2, 3, 8], 8)])
    domain = domain_of(given, layouts(given, 16)[0])
    assert domain.words(["items"]) == "items holds nothing twice; items has at least 3 elements"
    assert all(len({*items}) == len(items) for (items,) in domain.small())


@pytest.mark.parametrize("name", SHARED)
def test_what_is_laid_out_can_be_read_back(name):
    """For each layout: the memory that the target asks for gives the answer."""
    given = SHARED[name]
    for layout in layouts(given, 16):
        for pair in given.pairs:
            code = own_codes(layout, pair.inputs)
            memory = layout.memory(pair.inputs, code)
            cells = layout.target(pair.inputs, pair.output, code).cells
            after = dict(enumerate(memory)) | cells
            assert read_answer(layout, pair.inputs, after) == pair.output
            steps = layout.step_rule().steps(layout.memory(pair.inputs, code))
            assert steps == layout.steps(pair.inputs)
        assert described(layout).endswith(".")


@pytest.mark.parametrize("name", SHARED)
def test_small_memories_keep_the_order_and_hold_the_target(name):
    given = SHARED[name]
    for layout in layouts(given, 16):
        examples, large = variants(layout, given, 16, 0)
        assert {x.pair.line for x in examples} | {x.line for x in large} >= {
            pair.line
            for pair in given.pairs
            if layout.target(pair.inputs, pair.output, int).cells
        }
        for example in examples:
            assert example.needed <= 16
            after = dict(enumerate(example.before)) | example.cells
            if not layout.answer_coded:
                assert read_answer(layout, example.pair.inputs, after) == example.pair.output


def test_numbers_below_0_are_coded_and_0_has_a_cell():
    first = layouts(SHARED["below 0"], 16)[0]
    assert (first.coded, first.answer_coded, first.zero, first.shifted) == (
        (True,),
        *[True] * 3,
    )
    code = own_codes(first, ([3, -1],))
    assert first.memory(([3, -1],), code) == [2, 5, 1, 0]
    assert described(first) == (
        "Cell 0 holds what codes 0; from cell 1 on stands items, then a 0; the answer goes to "
        "the place of items. What items holds is only moved and compared."
    )


def test_with_zeros_an_address_ends_the_array():
    first = layouts(SHARED["with zeros"], 16)[0]
    assert not first.zero_ended
    assert first.memory(([3, 0, 2],), int) == [4, 3, 0, 2]
    assert (first.length, first.place) == (Length("list", 0, 0), "first")


def test_the_number_of_elements_kept_is_marked():
    first = layouts(SHARED["filter"], 16)[0]
    assert first.length.of == "mark"
    assert first.coded == (True, True)
    assert first.target(([3, 8, 5], 4), [8, 5], int).cells == {1: 8, 2: 5, 3: 0}


def test_functions_of_numbers_take_a_fixed_number_of_steps():
    assert layouts(SHARED["numbers"], 16)[0].count == Count("number", 0, 3)


PRODUCTS = {
    "of two": (plain(lambda a, b: a * b, (3, 4), (5, 2), (7, 6)), "n times m"),
    "of elements": (
        plain(
            lambda x, y: [a * b for a, b in zip(x, y, strict=True)],
            ([3, 2], [4, 9]),
            ([5], [6]),
        ),
        "elements of items times elements of others",
    ),
    "squares": (plain(lambda x: [a * a for a in x], [3, 4], [5], [2, 6]), "squares of the"),
    "of all": (plain(lambda x: x[0] * x[1] * x[2], [3, 4, 5], [2, 6, 7]), "product of items"),
    "scaled": (plain(lambda x, k: [a * k for a in x], ([3, 4], 5), ([6], 7)), "items times k"),
}


@pytest.mark.parametrize(("given", "words"), PRODUCTS.values(), ids=PRODUCTS)
def test_products_of_unknown_numbers_are_refused(given, words):
    with pytest.raises(ExamplesError, match=f"{words}.*: products of unknown numbers cannot"):
        layouts(given, 16)


@pytest.mark.parametrize("name", SHARED)
def test_what_is_no_product_is_not_taken_for_one(name):
    assert layouts(SHARED[name], 16)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            plain(lambda x: [2 * a for a in x], [100, 2], [50, 7], [5, 77]),
            "example 1: the answer's 200 is not among its inputs.*dozen such small examples",
        ),
        (
            plain(lambda x: [a - 1 for a in x], [-5, 2], [-7, 7], [-1, 3]),
            "example 1: .* below 0 can only be moved, compared and counted: add 6 or more",
        ),
        (
            plain(str.upper, "ab", "cd"),
            "example 1: the answer has 'A', which is not among its inputs: letters",
        ),
        (
            take([([100, 200], 100), ([100, 300], 300)]),
            "example 2: its numbers are in the same order as those of example 1",
        ),
    ],
)
def test_what_cannot_be_said_is_refused_with_the_reason(given, words):
    with pytest.raises(ExamplesError, match=words):
        layouts(given, 16)


def test_a_domain_is_what_all_examples_have_in_common():
    given = plain(lambda x, k: x[k], ([1, 3, 9], 2), ([4, 9], 1), ([2, 7], 0))
    domain = domain_of(given, layouts(given, 16)[0])
    assert domain.words(given.names) == (
        "items is ascending; items has at least 2 elements; k is from 0 to len(items) - 1"
    )
    for inputs in domain.small():
        assert inputs[0] == sorted(inputs[0])
        assert 0 <= inputs[1] < len(inputs[0])
    for _ in range(50):
        items, k = domain.random(random.Random(_), 6)
        assert items == sorted(items)
        assert 0 <= k < 6


@settings(deadline=None, max_examples=30)
@drawn(st.lists(st.lists(st.integers(-50, 50), max_size=6), min_size=2, max_size=6))
def test_every_list_of_examples_of_sorting_can_be_laid_out(lists):
    given = plain(sorted, *lists)
    for layout in layouts(given, 16):
        assert layout.answer_coded or min((x for y in lists for x in y), default=0) >= 0


def test_a_layout_that_no_example_fits_is_left_out():
    reversals = [((list(range(i, i + 9)),), list(range(i, i + 9))[::-1]) for i in range(4)]
    begun = begin(take(reversals), Options())
    assert begun.problems
    # Behind nine items and their end there is no room for nine more in 16 cells.
    assert {problem.layout.place for problem in begun.problems} == {"first"}
    assert "behind" in {layout.place for layout in layouts(begun.given, 16)}


@pytest.mark.parametrize("items", [0, 20])
def test_examples_that_cannot_guide_a_search_are_refused(items):
    with pytest.raises(ExamplesError, match=r"example 1: neither this nor another .* 16 cells"):
        begin(take([((list(range(items)),), list(range(items))[::-1])]), Options())
