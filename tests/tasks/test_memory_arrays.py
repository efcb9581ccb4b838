"""The array tasks against their algorithms in plain Python, over the first memory alone."""

import itertools

import numpy as np
import pytest

from softmachine.tasks.memories.arrays import Access, Increment, MemoryCopy, Reverse
from softmachine.tasks.memories.merge import Merge
from softmachine.tasks.memories.permutations import Permutation, Swap

MAX_SIZE = 7
REPEATS = 60


def access(memory):
    return {0: memory[memory[0]]}


def increment(memory):
    return {cell: value + 1 for cell, value in enumerate(memory[: memory.index(0)])}


def copy(memory):
    p = memory[0]
    return {p + i: value for i, value in enumerate(memory[1:p])}


def reverse(memory):
    p = memory[0]
    return {p + i: memory[p - 1 - i] for i in range(p - 1)}


def swap(memory):
    p, q = memory[:2]
    memory = list(memory)
    memory[p], memory[q] = memory[q], memory[p]
    return {cell: memory[cell] for cell in range(2, memory.index(0, 2))}


def permute(memory, first_index=0):
    a = memory[0]
    return {cell: memory[a + memory[cell] - first_index] for cell in range(1, a)}


def merge(memory):
    """With the guards doing their work: neither array is asked for its length."""
    a, b, o = memory[:3]
    merged, guard = {}, len(memory) - 1
    while memory[a] != guard or memory[b] != guard:
        if memory[a] <= memory[b]:
            merged[o], a = memory[a], a + 1
        else:
            merged[o], b = memory[b], b + 1
        o += 1
    return merged


def permute_from_1(memory):
    return permute(memory, first_index=1)


ARRAYS = {
    "access": (Access(), access),
    "increment": (Increment(), increment),
    "copy": (MemoryCopy(), copy),
    "reverse": (Reverse(), reverse),
    "swap": (Swap(), swap),
    "permutation": (Permutation(), permute),
    "permutation from 1": (Permutation(first_index=1), permute_from_1),
    "merge": (Merge(), merge),
}


def drawn(draw, task, seed=0):
    """Return (size, example, first memory as a list) for all sizes, many times."""
    sizes = [*range(task.smallest, MAX_SIZE + 1)] * REPEATS
    examples = draw(task, sizes, MAX_SIZE, seed)
    return [(n, e, e.inputs.tolist()) for n, e in zip(sizes, examples, strict=True)]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ARRAYS)
def test_the_algorithm_finds_the_targets_from_the_first_memory(draw, name, seed):
    task, algorithm = ARRAYS[name]
    for _, example, memory in drawn(draw, task, seed):
        answer = algorithm(memory)
        assert sorted(answer) == np.flatnonzero(example.mask).tolist()
        assert set(np.unique(example.mask)) <= {0, 1}
        for cell, value in answer.items():
            memory[cell] = value
        assert example.targets.tolist() == memory


@pytest.mark.parametrize(
    ("name", "memory", "answer"),
    [
        ("access", "3 1 12 4 7 12 1 13 8 2 1 3 11 11 12 0", {0: 4}),
        (
            "copy",
            "6 2 10 6 8 9 0 0 0 0 0 0",
            dict(zip(range(6, 11), (2, 10, 6, 8, 9), strict=True)),
        ),
        (
            "swap",
            "4 13 6 10 5 4 6 3 7 1 1 11 13 12 0 0",
            dict(enumerate((6, 10, 12, 4, 6, 3, 7, 1, 1, 11, 13, 5), start=2)),
        ),
    ],
)
def test_the_papers_memories_read_as_ours(name, memory, answer):
    """Tables 2, 3 and 6."""
    task, algorithm = ARRAYS[name]
    memory = [int(value) for value in memory.split()]
    assert algorithm(memory) == answer
    values = [label for label in task.labels(memory) if label.startswith("A")]
    assert len(values) == (14 if name == "access" else len(answer))
    assert task.cells(len(values)) <= len(memory)


# How each first memory looks: the fields of a size, in order; what follows them is 0.


def access_fields(size, memory):
    assert 1 <= memory[0] <= size
    return [memory[0], *values_of(memory, 1, size, 1, len(memory) - 1)]


def increment_fields(size, memory):
    return values_of(memory, 0, size, 1, len(memory) - 2)


def pointer_fields(size, memory):
    return [size + 1, *values_of(memory, 1, size, 1, len(memory) - 1)]


def swap_fields(size, memory):
    p, q = memory[:2]
    assert p != q
    assert {p, q} <= set(range(2, size + 2))
    return [p, q, *values_of(memory, 2, size, 1, len(memory) - 1)]


def permutation_fields(size, memory, first_index=0):
    indices = memory[1 : size + 1]
    assert sorted(indices) == [*range(first_index, size + first_index)]
    return [size + 1, *indices, *values_of(memory, size + 1, size, 1, len(memory) - 1)]


def merge_fields(size, memory):
    guard = len(memory) - 1
    first = memory.index(guard) - 3
    second = size - first
    assert min(first, second) >= 1
    a = values_of(memory, 3, first, 1, guard - 1)
    b = values_of(memory, 4 + first, second, 1, guard - 1)
    assert a == sorted(a)
    assert b == sorted(b)
    return [3, 4 + first, 5 + size, *a, guard, *b, guard]


def values_of(memory, first, count, low, high):
    values = memory[first : first + count]
    assert len(values) == count
    assert low <= min(values) <= max(values) <= high
    return values


FIELDS = {
    "access": access_fields,
    "increment": increment_fields,
    "copy": pointer_fields,
    "reverse": pointer_fields,
    "swap": swap_fields,
    "permutation": permutation_fields,
    "permutation from 1": lambda size, memory: permutation_fields(size, memory, 1),
    "merge": merge_fields,
}


@pytest.mark.parametrize("name", ARRAYS)
def test_the_memory_holds_its_fields_and_nothing_else(draw, name):
    task = ARRAYS[name][0]
    for size, _, memory in drawn(draw, task):
        fields = FIELDS[name](size, memory)
        assert len(fields) <= task.cells(size) <= len(memory) == task.cells(MAX_SIZE)
        assert memory == fields + [0] * (len(memory) - len(fields))


@pytest.mark.parametrize(
    ("name", "lowest", "highest"),
    [
        ("access", 1, 1),
        ("increment", 1, 2),
        ("copy", 1, 1),
        ("swap", 1, 1),
        ("permutation", 1, 1),
        ("merge", 1, 2),
    ],
)
def test_all_allowed_values_occur(draw, name, lowest, highest):
    """Down to ``lowest`` and up to M less ``highest``."""
    task = ARRAYS[name][0]
    array = {i for _, e, memory in drawn(draw, task) for i in array_values(task, memory)}
    assert array == {*range(lowest, task.cells(MAX_SIZE) - highest + 1)}


def array_values(task, memory):
    labels = task.labels(memory)
    return [v for v, label in zip(memory, labels, strict=True) if label[:1] in ("A", "B")]


@pytest.mark.parametrize(
    ("task", "memory", "labels"),
    [
        (Access(), [2, 5, 3, 0, 0, 0], "k A0 A1 end - -"),
        (Increment(), [3, 1, 2, 0, 0], "A0 A1 A2 end -"),
        (MemoryCopy(), [3, 1, 2, 0, 0, 0, 0], "p A0 A1 out0 out1 - -"),
        (Reverse(), [2, 1, 0, 0, 0], "p A0 out0 - -"),
        (Swap(), [3, 2, 1, 2, 0, 0], "p q A0 A1 end -"),
        (Permutation(), [3, 1, 0, 4, 2, 0, 0], "a P0 P1 A0 A1 - -"),
        (
            Merge(),
            [3, 5, 8, 9, 12, 2, 4, 12, 0, 0, 0, 0, 0],
            "a b o A0 G B0 B1 G out0 out1 out2 - -",
        ),
    ],
)
def test_labels(task, memory, labels):
    assert [label or "-" for label in task.labels(memory)] == labels.split()


@pytest.mark.parametrize(
    ("task", "steps"),
    [
        (Access(), 3),
        (Increment(), 6),
        (MemoryCopy(), 7),
        (Reverse(), 7),
        (Swap(), 6),
        (Swap(most_steps=3), 3),
        (Permutation(), 13),
        (Permutation(steps_per_item=1), 8),
        (Merge(), 14),
        (Merge(steps_per_item=5), 29),
    ],
)
def test_steps_for_five(task, steps):
    assert task.steps(5) == steps


def assert_uniform(outcomes, possible, limit):
    """``limit``: exceeded by 1 in 10,000 values of chi squared."""
    outcomes, possible = list(outcomes), list(possible)
    assert set(outcomes) <= set(possible)
    counts = np.array([outcomes.count(outcome) for outcome in possible])
    expected = len(outcomes) / len(possible)
    assert np.sum((counts - expected) ** 2 / expected) < limit


@pytest.mark.parametrize(
    ("task", "size", "outcome", "possible", "limit"),
    [
        (Access(), 4, lambda m: m[0], range(1, 5), 21.1),
        (
            Swap(),
            3,
            lambda m: (m[0], m[1]),
            list(itertools.permutations((2, 3, 4), 2)),
            25.7,
        ),
        (
            Permutation(),
            3,
            lambda m: tuple(m[1:4]),
            list(itertools.permutations(range(3))),
            25.7,
        ),
        (Merge(), 5, lambda m: m[1] - 4, range(1, 5), 21.1),
    ],
    ids=["access", "swap", "permutation", "merge"],
)
def test_every_choice_is_as_likely(draw, task, size, outcome, possible, limit):
    examples = draw(task, [size] * 2000, MAX_SIZE, 5)
    assert_uniform((outcome(e.inputs.tolist()) for e in examples), possible, limit)


@pytest.mark.parametrize(
    ("task", "fields", "message"),
    [
        (Swap, {"most_steps": 0}, "Swap.most_steps must be at least 1, not 0"),
        (Permutation, {"first_index": 2}, "Permutation.first_index must be at most 1, not 2"),
        (
            Permutation,
            {"steps_per_item": 0},
            "Permutation.steps_per_item must be at least 1, not 0",
        ),
        (Merge, {"steps_per_item": -1}, "Merge.steps_per_item must be at least 1, not -1"),
    ],
)
def test_impossible_settings_are_refused(task, fields, message):
    with pytest.raises(ValueError, match=message):
        task(**fields)
