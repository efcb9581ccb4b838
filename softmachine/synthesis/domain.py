"""What the inputs of examples have in common: the inputs on which a program is compared.

A program is only meant for inputs such as those of the examples: sorted lists, if all are
sorted; places within a list, if all are. What holds in all examples is taken to be meant.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from softmachine.synthesis.layout import Layout, number
from softmachine.synthesis.pairs import Pairs

MOST_SMALL = 3_000
"""At most so many of the smallest inputs are run."""
LARGEST_RANGE = 8
"""The smallest inputs hold at most so many different numbers."""
LONGEST_SMALL = 5
"""The smallest inputs have lists of at most so many elements."""
MOST_TRIED = 300_000
"""At most so many inputs are looked at for the smallest ones: what lists have in common, such
as that no element stands there twice, may leave few of them."""


class ListRule(NamedTuple):
    """What is true of one list in all examples."""

    shortest: int
    longest: int
    least: int
    most: int
    ascending: bool
    descending: bool
    distinct: bool
    as_long_as: int | None
    """The index of an earlier list that is always as long."""


class NumberRule(NamedTuple):
    """What is true of one number in all examples."""

    least: int
    most: int
    below: tuple[int, int] | None
    """``(list, offset)``: it is at most the list's length plus the offset."""
    inside: int | None
    """The index of a list that always holds it."""


class Domain(NamedTuple):
    """What is true of the inputs of all examples."""

    rules: tuple[ListRule | NumberRule, ...]
    """One for each argument."""
    kinds: tuple[str, ...]

    def words(self, names: Sequence[str]) -> str:
        """Return what all examples have in common, as the end of a sentence; may be empty."""
        parts = []
        for name, rule in zip(names, self.rules, strict=True):
            if isinstance(rule, ListRule):
                if rule.longest > 1 and (rule.ascending or rule.descending):
                    parts.append(f"{name} is {'a' if rule.ascending else 'de'}scending")
                if rule.distinct:
                    parts.append(f"{name} holds nothing twice")
                if rule.as_long_as is not None:
                    parts.append(f"{name} is as long as {names[rule.as_long_as]}")
                if rule.shortest > 0:
                    parts.append(f"{name} has at least {rule.shortest} elements")
            elif rule.inside is not None:
                parts.append(f"{name} is in {names[rule.inside]}")
            elif rule.below is not None:
                i, offset = rule.below
                less = f" - {-offset}" if offset else ""
                parts.append(f"{name} is from {rule.least} to len({names[i]}){less}")
        return "; ".join(parts).replace("at least 1 elements", "at least one element")

    def holds(self, inputs: Sequence[Any]) -> bool:
        """Return whether inputs have what all examples have, sizes and ranges aside."""
        for value, rule in zip(inputs, self.rules, strict=True):
            if isinstance(rule, ListRule):
                values = [*map(number, value)]
                ordered = sorted(values)
                if len(values) < rule.shortest:
                    return False
                if rule.ascending and values != ordered:
                    return False
                if rule.descending and values != ordered[::-1]:
                    return False
                if rule.distinct and len({*values}) < len(values):
                    return False
                if rule.as_long_as is not None and len(inputs[rule.as_long_as]) != len(values):
                    return False
            else:
                if rule.below is not None:
                    i, offset = rule.below
                    if not rule.least <= value <= len(inputs[i]) + offset:
                        return False
                if rule.inside is not None and value not in map(number, inputs[rule.inside]):
                    return False
        return True

    def small(self) -> Iterator[tuple[Any, ...]]:
        """Yield the smallest inputs of the domain, all up to a size and then some."""
        # By the sum of the lists' lengths, so that the first are the smallest of all.
        lists = [i for i, rule in enumerate(self.rules) if isinstance(rule, ListRule)]
        bounds = [
            (rule.shortest, max(rule.longest, LONGEST_SMALL))
            for rule in self.rules
            if isinstance(rule, ListRule)
        ]
        count = tried = 0
        for total in range(sum(most for _, most in bounds) + 1):
            for size in _sizes(bounds, total):
                longs = dict(zip(lists, size, strict=True))
                tried += 1
                if any(
                    isinstance(rule, ListRule)
                    and rule.as_long_as is not None
                    and longs[i] != longs[rule.as_long_as]
                    for i, rule in enumerate(self.rules)
                ):
                    continue
                choices = [self._values(i, longs.get(i)) for i in range(len(self.rules))]
                for inputs in _products(choices):
                    tried += 1
                    if self.holds(inputs):
                        yield inputs
                        count += 1
                    if count == MOST_SMALL or tried > MOST_TRIED:
                        return

    def _values(self, i: int, length: int | None) -> Callable[[], Iterator[Any]]:
        """Return what yields the smallest values of an argument."""
        rule, kind = self.rules[i], self.kinds[i]
        if isinstance(rule, ListRule):
            assert length is not None
            values = self._range(rule, length + 1)
            lists = partial(itertools.product, values, repeat=length)
            return lambda: (as_kind(x, kind) for x in itertools.islice(lists(), 20_000))
        most = min(rule.most, rule.least + LARGEST_RANGE - 1)
        return lambda: (as_kind([x], kind) for x in range(rule.least, most + 1))

    def _range(self, rule: ListRule, count: int) -> list[int]:
        """Return the smallest numbers of a list's range, from 1 or 0 on, and one below 0."""
        count = max(2, min(count, LARGEST_RANGE))
        start = max(rule.least, min(rule.most, 0))
        values = [*range(start, min(rule.most, start + count - 1) + 1)]
        return values if rule.least >= 0 else [*values, -1]

    def random(self, rng: random.Random, size: int) -> tuple[Any, ...] | None:
        """Return inputs drawn at random, with lists of a size; None if none was found."""
        for _ in range(20):
            longs: dict[int, int] = {}
            drawn: list[Any] = []
            for i, rule in enumerate(self.rules):
                if isinstance(rule, ListRule):
                    same = rule.as_long_as
                    longs[i] = longs[same] if same is not None else max(size, rule.shortest)
                    drawn.append(as_kind(self._draw(rng, rule, longs[i]), self.kinds[i]))
                else:
                    drawn.append(rng.randint(rule.least, rule.most))
            for i, rule in enumerate(self.rules):
                if isinstance(rule, NumberRule):
                    if rule.inside is not None and drawn[rule.inside]:
                        drawn[i] = number(rng.choice([*drawn[rule.inside]]))
                    elif rule.below is not None:
                        most = len(drawn[rule.below[0]]) + rule.below[1]
                        drawn[i] = rng.randint(min(rule.least, most), most)
                    if self.kinds[i] == "bool":
                        drawn[i] = bool(drawn[i])
            if self.holds(drawn):
                return tuple(drawn)
        return None

    @staticmethod
    def _draw(rng: random.Random, rule: ListRule, length: int) -> list[int]:
        if rule.distinct and rule.most - rule.least + 1 < length:
            values = rng.sample(range(rule.least, rule.least + 2 * length), length)
        elif rule.distinct:
            values = rng.sample(range(rule.least, rule.most + 1), length)
        else:
            most = rng.choice([rule.most, min(rule.most, rule.least + length)])
            values = [rng.randint(rule.least, most) for _ in range(length)]
        if rule.ascending or rule.descending:
            values.sort(reverse=rule.descending)
        return values


def _sizes(bounds: Sequence[tuple[int, int]], total: int) -> Iterator[tuple[int, ...]]:
    """Yield in their order the numbers within bounds that make a total."""
    if not bounds:
        if not total:
            yield ()
        return
    (least, most), *rest = bounds
    behind = sum(upper for _, upper in rest)
    for first in range(max(least, total - behind), min(most, total) + 1):
        for others in _sizes(rest, total - first):
            yield (first, *others)


def _products(choices: Sequence[Callable[[], Iterator[Any]]]) -> Iterator[tuple[Any, ...]]:
    """Yield what `itertools.product` does, without holding all choices of a list."""
    if not choices:
        yield ()
        return
    first, *rest = choices
    for value in first():
        for others in _products(rest):
            yield (value, *others)


def as_kind(values: Sequence[int], kind: str) -> Any:
    """Return numbers as a value of a kind."""
    if kind == "str":
        return "".join(map(chr, values))
    if kind == "list[str]":
        return [*map(chr, values)]
    if kind == "list[bool]":
        return [*map(bool, values)]
    if kind == "list[int]":
        return [*values]
    return bool(values[0]) if kind == "bool" else values[0]


def domain_of(given: Pairs, layout: Layout) -> Domain:
    """Return what the inputs of examples have in common."""
    rules: list[ListRule | NumberRule] = []
    arrays = layout.arrays
    for i in range(len(given.kinds)):
        column = [pair.inputs[i] for pair in given.pairs]
        if i not in arrays:
            rules.append(_number_rule(given, column, arrays))
            continue
        lists = [[*map(number, value)] for value in column]
        longer = [values for values in lists if len(values) > 1]
        earlier = [
            j
            for j in arrays
            if j < i and all(len(p.inputs[j]) == len(p.inputs[i]) for p in given.pairs)
        ]
        every = [x for values in lists for x in values] or [1]
        enough = len(longer) > 2
        ascending = enough and all(values == sorted(values) for values in longer)
        descending = enough and all(values == sorted(values)[::-1] for values in longer)
        rules.append(
            ListRule(
                min(map(len, lists)),
                max(map(len, lists)),
                min(every),
                max(every),
                ascending and not descending,
                descending and not ascending,
                enough
                and sum(map(len, longer)) > 12
                and all(len({*values}) == len(values) for values in longer),
                earlier[0] if earlier else None,
            )
        )
    return Domain(tuple(rules), given.kinds)


def _number_rule(given: Pairs, column: Sequence[int], arrays: Sequence[int]) -> NumberRule:
    pairs = given.pairs
    inside = [
        j
        for j in arrays
        if all(p in map(number, x.inputs[j]) for p, x in zip(column, pairs, strict=True))
    ]
    least, most = min(column), max(column)
    below = None
    for j in arrays:
        for offset in (-1, 0):
            if least in (0, 1) and all(
                p <= len(x.inputs[j]) + offset for p, x in zip(column, pairs, strict=True)
            ):
                below = below or (j, offset)
    return NumberRule(int(least), int(most), below, inside[0] if inside and not below else None)
