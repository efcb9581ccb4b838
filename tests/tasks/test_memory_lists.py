"""The list tasks against walks along the list in plain Python, over the first memory alone."""

import collections
import itertools

import numpy as np
import pytest

from softmachine.tasks.memories.lists import ListK, ListSearch

MAX_SIZE = 7
REPEATS = 60


def walk(memory):
    """Return the addresses of the nodes; fails if the list does not end."""
    nodes, node = [], memory[0]
    while node != 0:
        assert node not in nodes
        nodes.append(node)
        node = memory[node]
    return nodes


def find_kth(memory, first):
    node = memory[0]
    for _ in range(memory[1] - first):
        node = memory[node]
    return memory[node + 1]


def find_value(memory):
    node = memory[0]
    while memory[node + 1] != memory[1]:
        node = memory[node]
    return node


LISTS = [
    (ListK(), lambda memory: find_kth(memory, 0)),
    (ListK(first=1), lambda memory: find_kth(memory, 1)),
    (ListK(out_pointer=True), lambda memory: find_kth(memory, 0)),
    (ListSearch(), find_value),
    (ListSearch(spare=0), find_value),
    (ListSearch(spare=5), find_value),
]


def drawn(draw, task, seed=0):
    """Return (size, example, first memory as a list) for all sizes, many times."""
    sizes = [*range(1, MAX_SIZE + 1)] * REPEATS
    examples = draw(task, sizes, MAX_SIZE, seed)
    return [(n, e, e.inputs.tolist()) for n, e in zip(sizes, examples, strict=True)]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("task", "algorithm"), LISTS, ids=lambda value: getattr(value, "__name__", repr(value))[:30]
)
def test_the_algorithm_finds_the_target_from_the_first_memory(draw, task, algorithm, seed):
    for size, example, memory in drawn(draw, task, seed):
        assert len(walk(memory)) == size
        assert np.flatnonzero(example.mask).tolist() == [2]
        assert example.mask[2] == 1
        memory[2] = algorithm(memory)
        assert example.targets.tolist() == memory
        assert example.steps == size * (1 + isinstance(task, ListSearch)) + 4


@pytest.mark.parametrize("task", [ListK(), ListK(first=1), ListK(out_pointer=True)])
def test_the_list_fills_its_cells_and_no_others(draw, task):
    for size, _, memory in drawn(draw, task):
        nodes = walk(memory)
        assert sorted(nodes) == [3 + 2 * i for i in range(size)]
        assert task.first <= memory[1] < size + task.first
        assert memory[2] == (2 if task.out_pointer else 0)
        assert all(1 <= memory[node + 1] < len(memory) for node in nodes)
        assert len(memory) == task.cells(MAX_SIZE) == 2 * MAX_SIZE + 3
        assert not any(memory[task.cells(size) :])


@pytest.mark.parametrize("spare", [0, 2, 5])
def test_what_belongs_to_no_node_is_trash(draw, spare):
    task = ListSearch(spare=spare)
    for size, _, memory in drawn(draw, task):
        nodes = walk(memory)
        assert set(nodes) <= {3 + 2 * i for i in range(size + spare)}
        ours = {0, 2, *nodes}  # the other cells of the list hold values
        assert memory[2] == 0
        assert len(memory) == task.cells(MAX_SIZE) == 3 + 2 * (MAX_SIZE + spare)
        assert all(1 <= v < len(memory) for i, v in enumerate(memory) if i not in ours)
        assert memory[1] in [memory[node + 1] for node in nodes]


def test_scanning_the_memory_finds_the_wrong_node(draw):
    """Trash holds the value before any node, and later nodes of the list hold it too."""
    scanned = repeated = 0
    for _, example, memory in drawn(draw, ListSearch()):
        nodes, answer = walk(memory), int(example.targets[2])
        slots = range(3, len(memory), 2)
        scanned += next(s for s in slots if memory[s + 1] == memory[1]) not in nodes
        repeated += any(memory[n + 1] == memory[1] for n in nodes[nodes.index(answer) + 1 :])
    assert scanned > 10
    assert repeated > 10


def test_trash_takes_all_values(draw):
    counts = collections.Counter()
    for _, _, memory in drawn(draw, ListSearch()):
        used = {cell for node in walk(memory) for cell in (node, node + 1)}
        counts.update(v for i, v in enumerate(memory) if i > 2 and i not in used)
    assert set(counts) == set(range(1, len(memory)))
    assert max(counts.values()) < 1.5 * min(counts.values())


def assert_uniform(outcomes, possible, limit):
    """``limit``: exceeded by 1 in 10,000 values of chi squared."""
    outcomes, possible = list(outcomes), list(possible)
    assert set(outcomes) <= set(possible)
    counts = np.array([outcomes.count(outcome) for outcome in possible])
    expected = len(outcomes) / len(possible)
    assert np.sum((counts - expected) ** 2 / expected) < limit


def test_every_place_and_every_hop_is_as_likely(draw):
    memories = [e.inputs.tolist() for e in draw(ListK(), [3] * 2000, MAX_SIZE, 5)]
    assert_uniform((m[1] for m in memories), range(3), 18.4)
    orders = itertools.permutations((3, 5, 7))
    assert_uniform((tuple(walk(m)) for m in memories), orders, 25.7)


def test_every_place_is_as_likely_among_trash(draw):
    task = ListSearch(spare=2)
    nodes = [walk(e.inputs.tolist()) for e in draw(task, [2] * 2000, MAX_SIZE, 6)]
    places = itertools.permutations((3, 5, 7, 9), 2)
    assert_uniform(map(tuple, nodes), places, 37.4)


def test_every_node_is_searched(draw):
    """If no value is repeated."""
    places = []
    for example in draw(ListSearch(), [4] * 2000, MAX_SIZE, 7):
        memory = example.inputs.tolist()
        nodes = walk(memory)
        if len({memory[node + 1] for node in nodes}) == 4:
            places.append(nodes.index(example.targets[2]))
    assert len(places) > 1000
    assert_uniform(places, range(4), 21.1)


@pytest.mark.parametrize(
    ("task", "memory", "labels"),
    [
        (ListK(), [5, 1, 0, 0, 8, 3, 7, 0, 0], "head k out next val next val - -"),
        (
            ListSearch(spare=1),
            [7, 4, 0, 6, 8, 0, 2, 5, 9],
            "head v out - - next val next val",
        ),
    ],
)
def test_labels(task, memory, labels):
    assert [label or "-" for label in task.labels(memory)] == labels.split()


@pytest.mark.parametrize("memory", [[3, 0, 0, 3, 1], [2, 0, 2, 0, 0], [4, 0, 0, 0, 3]])
def test_a_list_that_goes_astray_still_gets_labels(memory):
    assert ListK().labels(memory)[:3] == ["head", "k", "out"]


@pytest.mark.parametrize(
    ("task", "fields", "message"),
    [
        (ListK, {"first": 2}, "ListK.first must be at most 1, not 2"),
        (ListSearch, {"spare": -1}, "ListSearch.spare must be at least 0, not -1"),
        (
            ListSearch,
            {"steps_per_item": 0},
            "ListSearch.steps_per_item must be at least 1, not 0",
        ),
    ],
)
def test_impossible_settings_are_refused(task, fields, message):
    with pytest.raises(ValueError, match=message):
        task(**fields)
