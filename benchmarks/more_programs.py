"""Twenty-four more array programs to find from examples, for `synthesis.py`.

    python benchmarks/synthesis.py benchmarks/more_programs.py --minutes 10 --seeds 0 1 2

They were written down before the search was run on any of them, to see what it makes of
programs that nobody had in mind. Conventions: a memory holds integers from 0 on, which may be
addresses; arrays (capital letters) end with a 0 and hold no other, unless a problem says
otherwise; lists are pairs (next, value), in any order, and 0 is the end. What no rule names
is not scored, and zeros behind what is used change nothing.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass

Memory = list[int]
Answer = dict[int, int]


@dataclass(frozen=True)
class Problem:
    """A program to find: how memories are drawn, and what has to stand in them afterwards."""

    kind: str
    description: str
    draw: Callable[[random.Random, int], Memory]
    answer: Callable[[Memory], Answer]
    steps_per_size: int = 1
    fixed_size: int = 0
    published: str = ""

    def sample(self, rng: random.Random, size: int, *, spare: int = 0) -> tuple[Memory, Memory]:
        """Return the smallest memory for an example, before and after, and cells to spare."""
        before = self.draw(rng, size)
        answer = self.answer(before)
        largest = max(*before, *answer, *answer.values(), len(before) - 1, 2)
        before = before + [0] * (largest + 1 + spare - len(before))
        return before, [answer.get(cell, value) for cell, value in enumerate(before)]

    def right(self, before: Memory, after: Memory) -> bool:
        """Return whether all that is scored is as it has to be."""
        return all(after[cell] == value for cell, value in self.answer(before).items())

    def line(self, rng: random.Random, size: int) -> str:
        """Return an example as `softmachine synthesize` reads it."""
        before, after = self.sample(rng, size)
        scored = self.answer(before)
        mask = [int(cell in scored) for cell in range(len(before))]
        size = self.fixed_size or size
        return json.dumps({"input": before, "output": after, "mask": mask, "size": size})


def lines(problem: Problem, *, seed: int = 1) -> list[str]:
    """Return examples: 150 each of sizes 1 to 6, in turn, and 20 each of 20 and 50."""
    rng = random.Random(seed)
    sizes = [1, 2, 3, 4, 5, 6] * 150 + [20, 50] * 20
    return [problem.line(rng, size) for size in sizes]


def until_zero(memory: Memory, start: int = 0) -> Memory:
    """Return what stands from a cell on, before the first 0."""
    rest = memory[start:]
    return rest[: rest.index(0)] if 0 in rest else rest


def at(start: int, values: Memory) -> Answer:
    """Return the answer that these values stand from a cell on."""
    return dict(enumerate(values, start))


def followed(memory: Memory) -> Memory:
    """Return the values of the list whose first node cell 0 points to."""
    found, node = [], memory[0]
    while node:
        found.append(memory[node + 1])
        node = memory[node]
    return found


def items(rng: random.Random, size: int) -> Memory:
    """Draw numbers that stand for themselves."""
    return [rng.randint(1, 2 * size + 2) for _ in range(size)]


def an_array(rng: random.Random, size: int) -> Memory:
    """Draw ``A, 0``."""
    return [*items(rng, size), 0]


def with_key(rng: random.Random, size: int) -> Memory:
    """Draw ``k, A, 0``."""
    return [rng.randint(1, 2 * size + 2), *an_array(rng, size)]


def with_room(rng: random.Random, size: int) -> Memory:
    """Draw ``0, A, 0``."""
    return [0, *an_array(rng, size)]


def with_small(rng: random.Random, size: int) -> Memory:
    """Draw ``0, A, 0`` of numbers 1 to 3."""
    return [0, *(rng.randint(1, 3) for _ in range(size)), 0]


def with_present_key(rng: random.Random, size: int) -> Memory:
    """Draw ``k, A, 0``, where k is an element."""
    array = items(rng, size)
    return [rng.choice(array), *array, 0]


def a_pair(rng: random.Random, size: int) -> Memory:
    """Draw ``b, A, 0, B, 0``: b is the address of B."""
    return [size + 2, *an_array(rng, size), *an_array(rng, size)]


def pair(memory: Memory) -> tuple[Memory, Memory]:
    """Return A and B of such a memory."""
    return until_zero(memory, 1), until_zero(memory, memory[0])


def a_list(rng: random.Random, size: int) -> Memory:
    """Draw ``head, nodes``."""
    nodes = rng.sample(range(size), size)
    memory = [1 + 2 * nodes[0]] + [0] * (2 * size)
    for node, following in zip(nodes, [*nodes[1:], None], strict=True):
        memory[1 + 2 * node] = 0 if following is None else 1 + 2 * following
        memory[2 + 2 * node] = rng.randint(1, 2 * size + 2)
    return memory


def a_list_of_small(rng: random.Random, size: int) -> Memory:
    """Draw ``head, nodes`` with values 1 and 2."""
    memory = a_list(rng, size)
    memory[2::2] = [rng.randint(1, 2) for _ in range(size)]
    return memory


def two_numbers(rng: random.Random, size: int) -> Memory:
    """Draw two numbers."""
    return [rng.randint(0, 2 * size + 2), rng.randint(0, 2 * size + 2)]


def an_address(rng: random.Random, size: int) -> Memory:
    """Draw ``k, A, 0``: k is the address of an element."""
    return [rng.randint(1, size), *an_array(rng, size)]


def counted(rng: random.Random, size: int) -> Memory:
    """Draw ``a, n``, and n is the size."""
    return [rng.randint(0, 6), size]


def unique(memory: Memory) -> Answer:
    """Keep of neighbours that are equal the first; the rest becomes 0."""
    array = until_zero(memory)
    kept = [x for i, x in enumerate(array) if i == 0 or x != array[i - 1]]
    return at(0, kept + [0] * (len(array) - len(kept)))


def sorted_array(rng: random.Random, size: int) -> Memory:
    """Draw ``A, 0``, in order."""
    return [*sorted(rng.randint(1, size + 2) for _ in range(size)), 0]


def kept(test: Callable[[int, int], bool]) -> Callable[[Memory], Answer]:
    """Return the answer that elements which pass a test with k move together; the rest is 0."""

    def answer(memory: Memory) -> Answer:
        array = until_zero(memory, 1)
        found = [x for x in array if test(x, memory[0])]
        return at(1, found + [0] * (len(array) - len(found)))

    return answer


def each(function: Callable[[int, int], int]) -> Callable[[Memory], Answer]:
    """Return the answer that of each element and k something is made."""
    return lambda memory: at(1, [function(x, memory[0]) for x in until_zero(memory, 1)])


def zipped(function: Callable[[int, int], int]) -> Callable[[Memory], Answer]:
    """Return the answer that of each element and its counterpart something is made."""
    return lambda memory: at(1, [function(*both) for both in zip(*pair(memory), strict=True)])


def sums(array: Memory) -> Memory:
    """Return the sums of all beginnings."""
    return [sum(array[: i + 1]) for i in range(len(array))]


def minima(array: Memory) -> Memory:
    """Return the minima of all beginnings."""
    return [min(array[: i + 1]) for i in range(len(array))]


PROBLEMS = {
    "smaller_of_two": Problem(
        "straight", "a, b. Cell 0 := the smaller one.",
        two_numbers, lambda m: {0: min(m[:2])}, fixed_size=2,
    ),
    "swap_with_first": Problem(
        "straight", "k, A, 0. The first element and the one at k change places.",
        an_address, lambda m: {1: m[m[0]], m[0]: m[1]}, fixed_size=4,
    ),
    "raise_to": Problem(
        "map", "k, A, 0. Elements below k become k.",
        with_key, each(max),
    ),
    "add_key": Problem(
        "map", "k, A, 0. k is added to each.",
        with_key, each(lambda x, k: x + k),
    ),
    "mark_equal": Problem(
        "map", "k, A, 0. 1 where an element is k, else 0.",
        with_key, each(lambda x, k: int(x == k)),
    ),
    "countdown": Problem(
        "map", "A, 0. Each becomes its distance from the end: n, ..., 2, 1.",
        an_array, lambda m: at(0, [*range(len(until_zero(m)), 0, -1)]), steps_per_size=2,
    ),
    "running_min": Problem(
        "scan", "A, 0. The smallest so far.",
        an_array, lambda m: at(0, minima(until_zero(m))),
    ),
    "shift_left": Problem(
        "scan", "A, 0. Each becomes the next one, the last becomes 0.",
        an_array, lambda m: at(0, [*until_zero(m)[1:], 0]),
    ),
    "larger_neighbour": Problem(
        "scan", "A, 0. Each becomes the larger of itself and the next one.",
        an_array,
        lambda m: at(0, [max(both) for both in zip(until_zero(m), m[1:], strict=False)]),
    ),
    "smallest": Problem(
        "fold", "0, A, 0. Cell 0 := the smallest element.",
        with_room, lambda m: {0: min(until_zero(m, 1))},
    ),
    "last": Problem(
        "fold", "0, A, 0. Cell 0 := the last element.",
        with_room, lambda m: {0: until_zero(m, 1)[-1]},
    ),
    "place_of": Problem(
        "fold", "k, A, 0. k is an element. Cell 0 := the first address at which it stands.",
        with_present_key, lambda m: {0: 1 + until_zero(m, 1).index(m[0])},
    ),
    "count_ones": Problem(
        "fold", "0, A, 0. Elements 1 to 3. Cell 0 := how many are 1.",
        with_small, lambda m: {0: until_zero(m, 1).count(1)},
    ),
    "keep_less": Problem(
        "branch", "k, A, 0. Elements below k move together, in order; the rest becomes 0.",
        with_key, kept(lambda x, k: x < k), steps_per_size=2,
    ),
    "remove": Problem(
        "branch", "k, A, 0. Elements other than k move together, in order; the rest becomes 0.",
        with_present_key, kept(lambda x, k: x != k), steps_per_size=2,
    ),
    "unique": Problem(
        "branch", "A, 0. In order; of equal elements one is kept; the rest becomes 0.",
        sorted_array, unique, steps_per_size=2,
    ),
    "larger_of_each": Problem(
        "two arrays", "b, A, 0, B, 0. Each of A becomes the larger of it and its counterpart.",
        a_pair, zipped(max), steps_per_size=2,
    ),
    "where_equal": Problem(
        "two arrays", "b, A, 0, B, 0. 1 where A and B agree, else 0, in place of A.",
        a_pair, zipped(lambda x, y: int(x == y)), steps_per_size=2,
    ),
    "count_equal_places": Problem(
        "two arrays", "b, A, 0, B, 0. Cell 0 := at how many places A and B agree.",
        a_pair, lambda m: {0: sum(x == y for x, y in zip(*pair(m), strict=True))},
        steps_per_size=2,
    ),
    "list_sum": Problem(
        "pointers", "head, nodes. Values 1 and 2. Cell 0 := their sum.",
        a_list_of_small, lambda m: {0: sum(followed(m))}, steps_per_size=2,
    ),
    "list_maximum": Problem(
        "pointers", "head, nodes. Cell 0 := the largest value.",
        a_list, lambda m: {0: max(followed(m))}, steps_per_size=2,
    ),
    "triangle": Problem(
        "loop", "a, n. n is the size. Cell 0 := 1 + 2 + ... + n + a.",
        lambda rng, size: [rng.randint(0, 3), size],
        lambda m: {0: m[0] + m[1] * (m[1] + 1) // 2},
    ),
    "add_twice": Problem(
        "loop", "a, n. n is the size. Cell 0 := a + 2 n.",
        counted, lambda m: {0: m[0] + 2 * m[1]},
    ),
    "sort_down": Problem(
        "nested", "A, 0. The elements in descending order.",
        an_array, lambda m: at(0, sorted(until_zero(m), reverse=True)), steps_per_size=0,
    ),
}  # fmt: skip
