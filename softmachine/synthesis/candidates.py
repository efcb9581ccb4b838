"""Which layouts examples allow; and what is refused because no machine can say it."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from softmachine.core.errors import ExamplesError
from softmachine.synthesis.layout import Count, Layout, Length, number
from softmachine.synthesis.pairs import Pair, Pairs

NUMBERS = ("int", "bool")
MOST_LAYOUTS = 10
"""At most so many layouts are tried."""
MOST_INDICES = 4
"""Of numbers that may be places so many are tried as such, one by one; the others are all moved
and compared, or none is."""
LEAST_FITTING = 3
"""With fewer examples that fit a small memory nothing can be learned about arithmetic."""


def layouts(given: Pairs, memory: int) -> list[Layout]:
    """Return the layouts that examples allow, the most promising first.

    Arguments:
        given: the examples.
        memory: the largest number of cells of a memory that is searched on.

    Raises:
        ExamplesError: there is none, with the reason.
    """
    refuse_products(given)
    found = [*_coded(given), *_plain(given, memory)]
    if not found:
        raise ExamplesError(_why_none(given, memory))
    counted = [
        _with_count(layout, count)
        for layout, count in _turns(found, lambda layout: _counts(given, layout))
    ]
    return counted[:MOST_LAYOUTS]


def _turns(found: Sequence[Layout], counts) -> list[tuple[Layout, Count]]:
    """Return layouts with counts of steps: first the first count of each layout, and so on."""
    columns = [[(layout, count) for count in counts(layout)] for layout in found]
    rows = itertools.zip_longest(*columns)
    return [pair for row in rows for pair in row if pair is not None]


def _with_count(layout: Layout, count: Count) -> Layout:
    return dataclasses.replace(layout, count=count)


def _counts(given: Pairs, layout: Layout) -> Iterator[Count]:
    """Yield how many steps a machine may take, few first."""
    arrays = layout.arrays
    if not arrays:
        yield Count("number", 0, 3)
        small = [i for i in layout.numbers if _small(given, i) and not layout.coded[i]]
        for each, i in itertools.product((1, 2), small):
            yield Count("argument", each, 1, i)
        return
    if layout.place == "front" and layout.answer_coded:  # one element, or an argument
        yield Count("number", 0, 3)
    yield Count("list", 1, 1, arrays[0])
    if len(arrays) > 1:
        yield Count("lists", 1, 1)
    if layout.place == "first" and layout.answer_coded:  # elements may change places
        yield Count("list", 1, 1, arrays[0], power=2)
    yield Count("list", 2, 1, arrays[0])
    if len(arrays) > 1:
        yield Count("lists", 2, 1)


def _small(given: Pairs, argument: int) -> bool:
    return all(0 <= int(pair.inputs[argument]) <= 64 for pair in given.pairs)


# Numbers as they are


def _plain(given: Pairs, memory: int) -> Iterator[Layout]:
    """Yield layouts with all numbers as they are."""
    if any("str" in kind for kind in (*given.kinds, given.answer)):
        return
    values = [x for pair in given.pairs for x in _numbers(given, pair)]
    if min(values, default=0) < 0:
        return
    coded = (False,) * len(given.kinds)
    for layout in _places(given, coded, False, zero=False, shifted=False):
        fitting = sum(needed(layout, pair) <= memory for pair in given.pairs)
        if fitting >= min(LEAST_FITTING, len(given.pairs)):
            yield layout


def needed(layout: Layout, pair: Pair) -> int:
    """Return the smallest memory that holds an example, with numbers as they are."""
    before = layout.memory(pair.inputs, lambda x: x)
    cells = layout.target(pair.inputs, pair.output, lambda x: x).cells
    largest = max([*before, *cells.values()], default=0)
    return max(3, len(before), 1 + largest, 1 + max(cells, default=0))


# Numbers that are coded


def _coded(given: Pairs) -> Iterator[Layout]:
    """Yield layouts in which numbers are coded, as far as the examples allow that."""
    arrays = any(kind not in NUMBERS for kind in given.kinds)
    always = [kind not in ("bool", "list[bool]") for kind in given.kinds]
    indices = [
        i
        for i, kind in enumerate(given.kinds)
        if kind == "int" and arrays and _like_an_index(given, i)
    ]
    single, together = indices[:MOST_INDICES], indices[MOST_INDICES:]
    for chosen in itertools.product((False, True), repeat=len(single) + bool(together)):
        rest = [*chosen[len(single) :]] * len(together)
        places = dict(zip(indices, [*chosen[: len(single)], *rest], strict=True))
        coded = tuple(places.get(i, yes) for i, yes in enumerate(always))
        if not any(coded):
            continue
        for answer in _answers(given, coded):
            if _contradicts(given, coded, answer) is not None:
                continue
            values = [x for pair in given.pairs for x in coded_in(given, coded, pair)]
            zero = answer and any(
                0 in _answer(given, pair) and 0 not in coded_in(given, coded, pair)
                for pair in given.pairs
            )
            shifted = zero or min(values, default=1) < 1
            for layout in _places(given, coded, answer, zero=zero, shifted=shifted):
                if layout.zero_ended:
                    yield layout


def _like_an_index(given: Pairs, argument: int) -> bool:
    """Return whether a number may be the place of an element, or a number of elements."""
    lists = [i for i, kind in enumerate(given.kinds) if kind not in NUMBERS]
    return all(
        0 <= pair.inputs[argument] <= max(len(pair.inputs[i]) for i in lists)
        for pair in given.pairs
    )


def _answers(given: Pairs, coded: Sequence[bool]) -> Iterator[bool]:
    """Yield whether the answer may be coded: its numbers are all among the inputs, or 0."""
    moved = all(
        set(_answer(given, pair)) <= {0, *coded_in(given, coded, pair)} for pair in given.pairs
    )
    if moved and given.answer not in ("bool", "list[bool]"):
        yield True
        if given.answer == "list[int]":
            return  # a list of numbers that were all there is hardly one of counts
    if "str" not in given.answer and all(
        0 <= value <= 2 + _elements(given, pair)
        for pair in given.pairs
        for value in _answer(given, pair)
    ):
        yield False


def _contradicts(given: Pairs, coded: Sequence[bool], answer: bool) -> tuple[Pair, Pair] | None:
    """Return two examples that are the same but for what codes hide, with other answers."""
    known: dict[str, tuple[str, Pair]] = {}
    for pair in given.pairs:
        values = sorted({0, *coded_in(given, coded, pair)})
        rank = {value: i for i, value in enumerate(values)}
        # What is above 0 and what is not differs, too: programs may know what 0 is.
        key: list[Any] = [rank[0]]
        for i, value in enumerate(pair.inputs):
            parts = [*value] if given.kinds[i] not in NUMBERS else [value]
            numbers = [number(part) for part in parts]
            key.append([rank[x] for x in numbers] if coded[i] else numbers)
        output = _answer(given, pair)
        said = repr([rank[x] for x in output] if answer else output)
        earlier, other = known.setdefault(repr(key), (said, pair))
        if earlier != said:
            return other, pair
    return None


def coded_in(given: Pairs, coded: Sequence[bool], pair: Pair) -> list[int]:
    """Return the numbers of an example's arguments that are coded."""
    found = []
    for i, yes in enumerate(coded):
        if yes:
            value = pair.inputs[i]
            found += map(number, value if given.kinds[i] not in NUMBERS else [value])
    return found


def _answer(given: Pairs, pair: Pair) -> list[int]:
    return [*map(number, pair.output if given.answer not in NUMBERS else [pair.output])]


def _numbers(given: Pairs, pair: Pair) -> list[int]:
    return [*coded_in(given, [True] * len(given.kinds), pair), *_answer(given, pair)]


def _elements(given: Pairs, pair: Pair) -> int:
    return sum(
        len(value) if kind not in NUMBERS else 1
        for kind, value in zip(given.kinds, pair.inputs, strict=True)
    )


# Where the answer goes


def _places(
    given: Pairs, coded: tuple[bool, ...], answer: bool, *, zero: bool, shifted: bool
) -> Iterator[Layout]:
    """Yield layouts that differ in where the answer goes."""
    many = given.answer not in NUMBERS
    arrays = [i for i, kind in enumerate(given.kinds) if kind not in NUMBERS]
    length = _length(given) if many else Length("number", 1)
    ended = all(
        0 not in map(number, pair.inputs[i])
        for pair in given.pairs
        for i in arrays
        if not coded[i]
    )
    if many and length.of == "mark" and not answer:
        ended = ended and not any(0 in _answer(given, pair) for pair in given.pairs)
    places: list[Any] = ["front"]
    if many and length != Length("number", 1):
        places = ["first", "behind"] if arrays else ["behind"]
    for place in places:
        yield Layout(
            given.names,
            given.kinds,
            given.answer,
            coded,
            answer,
            ended,
            zero,
            shifted,
            length,
            place,
            Count("number"),
        )


def _length(given: Pairs) -> Length:
    """Return the first rule that says how long the answers of all examples are."""
    lengths = [len(pair.output) for pair in given.pairs]
    lists = [i for i, kind in enumerate(given.kinds) if kind not in NUMBERS]

    def fits(rule: Length, quantity: Callable[[Pair], int]) -> bool:
        return all(
            max(quantity(pair) + rule.offset, 0) == length
            for pair, length in zip(given.pairs, lengths, strict=True)
        )

    for i in lists:
        for offset in (0, -1, 1, -2, 2):
            rule = Length("list", offset, i)
            if fits(rule, lambda pair, i=i: len(pair.inputs[i])):
                return rule
    if len({*lengths}) == 1:
        return Length("number", lengths[0])
    for i, kind in enumerate(given.kinds):
        for offset in (0, -1, 1):
            rule = Length("argument", offset, i)
            if kind == "int" and fits(rule, lambda pair, i=i: pair.inputs[i]):
                return rule
    return Length("mark")


# Refusals


def _why_none(given: Pairs, memory: int) -> str:
    """Return why no layout is possible."""
    unit, everything = given.unit, (True,) * len(given.kinds)
    for pair in given.pairs:
        known = {0, *coded_in(given, everything, pair)}
        new = [value for value in _answer(given, pair) if value not in known]
        if "str" in given.answer and new:
            return (
                f"{unit} {pair.line}: the answer has {chr(new[0])!r}, which is not among its "
                "inputs: letters can be moved, compared and counted, not computed; give what "
                "is to be put in as an argument of its own"
            )
    for pair in given.pairs:
        values = _numbers(given, pair)
        known = {0, *coded_in(given, everything, pair)}
        new = [value for value in _answer(given, pair) if value not in known]
        if new and min(values) < 0:
            return (
                f"{unit} {pair.line}: the answer's {new[0]} is not among its inputs, so it has "
                "to be computed, and numbers below 0 can only be moved, compared and counted: "
                f"add {-min(values)} or more to all numbers"
            )
        if new:
            return (
                f"{unit} {pair.line}: the answer's {new[0]} is not among its inputs, so it has "
                "to be computed, and that can only be learned where memories hold all numbers: "
                f"fewer than {LEAST_FITTING} examples have only numbers below {memory}. Add a "
                "few dozen such small examples; the large ones then serve as a test (or raise "
                "--memory)"
            )
    two = _contradicts(given, everything, True)
    if two is not None:
        one, other = two
        return (
            f"{unit} {other.line}: its numbers are in the same order as those of {unit} "
            f"{one.line}, but the answer is another: more has to be done than to move, compare "
            f"and count, which can only be learned from examples with numbers below {memory}; "
            "add a few dozen of them"
        )
    return (
        f"{unit} {given.pairs[0].line}: no layout holds these examples in a memory of {memory} "
        "cells; add smaller ones"
    )


def refuse_products(given: Pairs) -> None:
    """Raise ExamplesError if all answers are products of numbers that examples differ in."""
    told = product_of(given)
    if told is None:
        return
    raise ExamplesError(
        f"{given.unit} {given.pairs[0].line}: in all examples {told}: products of unknown "
        "numbers cannot be said in this machine, which adds, subtracts and compares; a sum of "
        "as many terms as one argument says can be given as memories with a size"
    )


def product_of(given: Pairs) -> str | None:
    """Return which product all answers are, in words; None if they are none.

    What is a sum or a move as well (as is 2 times 2) does not count.
    """
    pairs, kinds, names = given.pairs, given.kinds, given.names
    if len(pairs) < 2 or given.answer not in ("int", "list[int]"):
        return None
    numbers = [i for i, kind in enumerate(kinds) if kind == "int"]
    lists = [i for i, kind in enumerate(kinds) if kind == "list[int]"]
    rules: list[tuple[str, Callable[[Any], Any]]] = []
    for i, j in itertools.combinations_with_replacement(numbers, 2):
        text = f"the answer is {names[i]} times {names[j]}"
        rules.append((text, lambda x, i=i, j=j: x[i] * x[j]))
    for i, j in itertools.combinations_with_replacement(lists, 2):
        text = f"answers are elements of {names[i]} times elements of {names[j]}"
        if i == j:
            text = f"answers are squares of the elements of {names[i]}"

        def elementwise(x, i=i, j=j):
            return [a * b for a, b in zip(x[i], x[j], strict=False)]

        rules.append((text, elementwise))
        rules.append(
            (f"the answer is a sum of products, {names[i]} times {names[j]}",
             lambda x, f=elementwise: sum(f(x)))
        )  # fmt: skip
    for i in lists:
        rules.append(
            (f"the answer is the product of {names[i]}", lambda x, i=i: math.prod(x[i]))
        )
        for j in numbers:
            text = f"answers are elements of {names[i]} times {names[j]}"
            rules.append((text, lambda x, i=i, j=j: [a * x[j] for a in x[i]]))
    for text, rule in rules:
        if all(rule(pair.inputs) == pair.output for pair in pairs) and _is_telling(given):
            return text
    return None


def _is_telling(given: Pairs) -> bool:
    """Return whether some answer is larger than all sums that a few steps could make."""
    return any(
        max(map(abs, _answer(given, pair)), default=0)
        > 2 * sum(map(abs, coded_in(given, [True] * len(given.kinds), pair)))
        for pair in given.pairs
    ) or sum(
        max(map(abs, _answer(given, pair)), default=0)
        > max(map(abs, coded_in(given, [True] * len(given.kinds), pair)), default=0)
        for pair in given.pairs
    ) >= max(2, len(given.pairs) / 2)
