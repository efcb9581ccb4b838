"""Twenty held-out array programs to find from examples, for `synthesis.py`.

    python benchmarks/synthesis.py benchmarks/held_programs.py --mode search --cpu-minutes 4

They were written down before the search was run on any of them, and by someone who had read
the guide and none of its code: what may be held out by whoever wrote the thirty of the guide,
in the same nine classes. Conventions are those of `more_programs.py`, whose `Problem` they use.
"""

from __future__ import annotations

import itertools
import math
import random

from more_programs import (
    Answer,
    Memory,
    Problem,
    a_list,
    a_pair,
    an_array,
    at,
    each,
    items,
    lines,
    pair,
    until_zero,
    with_key,
    with_present_key,
    with_room,
)

__all__ = ["PROBLEMS", "lines"]


def three_numbers(rng: random.Random, size: int) -> Memory:
    """Draw three numbers."""
    return [rng.randint(0, 2 * size + 2) for _ in range(3)]


def two_addresses(rng: random.Random, size: int) -> Memory:
    """Draw ``p, q, A, 0``: p and q are addresses of elements, perhaps the same."""
    return [rng.randint(2, size + 1), rng.randint(2, size + 1), *an_array(rng, size)]


def exchanged(memory: Memory) -> Answer:
    """Return A with the elements at p and q exchanged."""
    p, q = memory[:2]
    moved = {p: memory[q], q: memory[p]}
    array = until_zero(memory, 2)
    return {cell: moved.get(cell, value) for cell, value in at(2, array).items()}


def small_array(rng: random.Random, size: int) -> Memory:
    """Draw ``A, 0`` of numbers up to the size."""
    return [*(rng.randint(1, size) for _ in range(size)), 0]


def records(memory: Memory) -> Answer:
    """Return where an element is larger than all before it."""
    array = until_zero(memory)
    return at(0, [int(x > max(array[:i], default=0)) for i, x in enumerate(array)])


def turned(array: Memory, count: int) -> Memory:
    """Return an array of which the first elements have gone to its end."""
    count %= len(array)
    return array[count:] + array[:count]


def second(memory: Memory) -> Answer:
    """Return the second largest, 0 of a single element."""
    return {0: sorted([0, *until_zero(memory, 1)])[-2]}


def last_place(memory: Memory) -> Answer:
    """Return the last address at which k stands."""
    array = until_zero(memory, 1)
    return {0: max(cell for cell, value in at(1, array).items() if value == memory[0])}


def spread(memory: Memory) -> Answer:
    """Return how much larger the largest is than the smallest."""
    array = until_zero(memory, 1)
    return {0: max(array) - min(array)}


def two_values(rng: random.Random, size: int) -> Memory:
    """Draw ``x, y, A, 0``: x and y differ, and many elements are one of them."""
    x, y = rng.sample(range(1, 6), 2)
    return [x, y, *(rng.choice([x, y, rng.randint(1, 2 * size + 2)]) for _ in range(size)), 0]


def other_value(memory: Memory) -> Answer:
    """Return A with x for y and y for x."""
    x, y, *_ = memory
    return at(2, [{x: y, y: x}.get(value, value) for value in until_zero(memory, 2)])


def without_first(memory: Memory) -> Answer:
    """Return A without its first k, and a 0 at its end."""
    array = until_zero(memory, 1)
    place = array.index(memory[0])
    return at(1, [*array[:place], *array[place + 1 :], 0])


def places_and_array(rng: random.Random, size: int) -> Memory:
    """Draw ``a, P, A, out``: a is the address of A, P holds 0 to n - 1 with repetitions."""
    places = [rng.randrange(size) for _ in range(size)]
    return [size + 1, *places, *items(rng, size), *[0] * size]


def gathered(memory: Memory) -> Answer:
    """Return out, of what A holds at the places."""
    n = memory[0] - 1
    return at(1 + 2 * n, [memory[1 + n + place] for place in memory[1 : 1 + n]])


def small_pair(rng: random.Random, size: int) -> Memory:
    """Draw ``b, A, 0, B, 0`` of numbers 1 and 2."""
    memory = a_pair(rng, size)
    return [memory[0], *(rng.randint(1, 2) if cell else 0 for cell in memory[1:])]


def key_and_list(rng: random.Random, size: int) -> Memory:
    """Draw ``k, head, nodes``, with k and values 1 to 3."""
    head, *nodes = a_list(rng, size)
    nodes[::2] = [following and following + 1 for following in nodes[::2]]
    nodes[1::2] = [rng.randint(1, 3) for _ in range(size)]
    return [rng.randint(1, 3), head + 1, *nodes]


def addresses(memory: Memory, head: int) -> Memory:
    """Return the addresses of a list's nodes."""
    found = []
    while head:
        found.append(head)
        head = memory[head]
    return found


def reversed_list(memory: Memory) -> Answer:
    """Return cell 0 and the next-cells of the list the other way round."""
    nodes = [*addresses(memory, memory[0])[::-1], 0]
    return {0: nodes[0]} | dict(itertools.pairwise(nodes))


def size_and_number(rng: random.Random, size: int) -> Memory:
    """Draw ``a, b``: a is the size, b at most twice that."""
    return [size, rng.randint(1, 2 * size)]


def inversions(memory: Memory) -> Answer:
    """Return how many pairs are in the wrong order."""
    array = until_zero(memory, 1)
    return {0: sum(x > y for i, x in enumerate(array) for y in array[i:])}


def ended_array(rng: random.Random, size: int) -> Memory:
    """Draw ``e, A``: e is the address behind A."""
    return [size + 1, *items(rng, size)]


def count_and_array(rng: random.Random, size: int) -> Memory:
    """Draw ``k, A, 0``: k is at most the number of elements."""
    return [rng.randint(1, size), *an_array(rng, size)]


PROBLEMS = {
    "median_of_three": Problem(
        "straight", "a, b, c. Cell 0 := the middle one.",
        three_numbers, lambda m: {0: sorted(m[:3])[1]}, fixed_size=6,
    ),
    "swap_cells": Problem(
        "straight", "p, q, A, 0. The elements at p and at q change places; all of A is scored.",
        two_addresses, exchanged, fixed_size=6,
    ),
    "absolute_difference": Problem(
        "map", "k, A, 0. Each becomes its distance from k.",
        with_key, each(lambda x, k: abs(x - k)),
    ),
    "triple": Problem(
        "map", "A, 0. Each is multiplied by three.",
        small_array, lambda m: at(0, [3 * x for x in until_zero(m)]),
    ),
    "rotate_left": Problem(
        "scan", "A, 0. Each becomes the next one, the last becomes the first.",
        an_array, lambda m: at(0, turned(until_zero(m), 1)),
    ),
    "records": Problem(
        "scan", "A, 0. 1 where an element is larger than all before it, else 0.",
        an_array, records,
    ),
    "second_largest": Problem(
        "fold", "0, A, 0. Cell 0 := the second largest element; 0 of a single one.",
        with_room, second,
    ),
    "last_place_of": Problem(
        "fold", "k, A, 0. k is an element. Cell 0 := the last address at which it stands.",
        with_present_key, last_place,
    ),
    "spread": Problem(
        "fold", "0, A, 0. Cell 0 := the largest element less the smallest.",
        with_room, spread,
    ),
    "exchange_values": Problem(
        "branch", "x, y, A, 0. Elements equal to x become y, those equal to y become x.",
        two_values, other_value, steps_per_size=2,
    ),
    "delete_first": Problem(
        "branch", "k, A, 0. k is an element. The first one is taken out; the rest moves up.",
        with_present_key, without_first, steps_per_size=2,
    ),
    "gather": Problem(
        "two arrays", "a, P, A, out. a is the address of A; P holds numbers 0 to n - 1. "
        "The i-th cell of out, the n cells behind A, becomes A[P[i]].",
        places_and_array, gathered, steps_per_size=2,
    ),
    "sum_of_smaller": Problem(
        "two arrays", "b, A, 0, B, 0. Elements 1 and 2. Cell 0 := the sum of the smaller "
        "ones of each place.",
        small_pair, lambda m: {0: sum(map(min, *pair(m)))}, steps_per_size=2,
    ),
    "list_count_equal": Problem(
        "pointers", "k, head, nodes. k and values 1 to 3. Cell 0 := how many values are k.",
        key_and_list,
        lambda m: {0: [m[node + 1] for node in addresses(m, m[1])].count(m[0])},
        steps_per_size=2,
    ),
    "list_reverse": Problem(
        "pointers", "head, nodes. The list is reversed: cell 0 and every next are scored.",
        a_list, reversed_list, steps_per_size=2,
    ),
    "remainder": Problem(
        "loop", "a, b. a is the size, b is at most 2 a. Cell 0 := a modulo b.",
        size_and_number, lambda m: {0: m[0] % m[1]}, steps_per_size=2,
    ),
    "gcd": Problem(
        "loop", "a, b. a is the size, b at most 2 a. Cell 0 := their greatest common divisor.",
        size_and_number, lambda m: {0: math.gcd(*m[:2])}, steps_per_size=2,
    ),
    "sort_ended": Problem(
        "nested", "e, A. e is the address behind A. The elements in ascending order.",
        ended_array, lambda m: at(1, sorted(m[1 : m[0]])), steps_per_size=0,
    ),
    "count_inversions": Problem(
        "nested", "0, A, 0. Cell 0 := how many pairs are in the wrong order.",
        with_room, inversions, steps_per_size=0,
    ),
    "rotate_by": Problem(
        "nested", "k, A, 0. k is at most the number of elements. The first k move to the end.",
        count_and_array, lambda m: at(1, turned(until_zero(m, 1), m[0])), steps_per_size=0,
    ),
}  # fmt: skip
