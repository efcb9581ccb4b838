"""Trees against walks through them in plain Python, over the first memory alone."""

import collections

import numpy as np
import pytest

from softmachine.tasks.memories.trees import WalkBST

MAX_SIZE = 7
REPEATS = 60


def walk(memory, directions):
    """Return the value at the end of the path."""
    node, cell = memory[0], 2
    while memory[cell] != 0:
        node = memory[node + 1 + directions.index(memory[cell])]
        cell += 1
    return memory[node]


def in_order(memory, node):
    """Return the addresses of a subtree's nodes, from left to right."""
    if node == 0:
        return []
    return [*in_order(memory, memory[node + 1]), node, *in_order(memory, memory[node + 2])]


def drawn(draw, task, seed=0):
    """Return (size, example, first memory as a list) for all sizes, many times."""
    sizes = [*range(1, MAX_SIZE + 1)] * REPEATS
    examples = draw(task, sizes, MAX_SIZE, seed)
    return [(n, e, e.inputs.tolist()) for n, e in zip(sizes, examples, strict=True)]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("directions", [(1, 2), (2, 1), (5, 3)])
def test_the_path_leads_to_the_target(draw, directions, seed):
    for size, example, memory in drawn(draw, WalkBST(directions=directions), seed):
        assert np.flatnonzero(example.mask).tolist() == [1]
        assert example.mask[1] == 1
        assert memory[1] == 0
        memory[1] = walk(memory, directions)
        assert example.targets.tolist() == memory
        assert example.steps == size + 5


@pytest.mark.parametrize("seed", range(2))
def test_the_memory_holds_a_search_tree_and_nothing_else(draw, seed):
    task = WalkBST()
    for size, _, memory in drawn(draw, task, seed):
        assert len(memory) == task.cells(MAX_SIZE) == 2 + 4 * MAX_SIZE
        nodes = in_order(memory, memory[0])
        assert sorted(nodes) == [2 + MAX_SIZE + 3 * i for i in range(size)]
        values = [memory[node] for node in nodes]
        assert values == sorted(set(values))
        assert 1 <= values[0] <= values[-1] < len(memory)
        assert not any(memory[2 + MAX_SIZE + 3 * size :])
        path = memory[2 : 2 + MAX_SIZE]
        moves = path.index(0)
        assert moves < size
        assert not any(path[moves:])


def test_the_papers_directions_change_the_path_alone(draw):
    """Left, 0, is then the same as the end of the path: the memory is less than the task."""
    ours, papers = (drawn(draw, WalkBST(directions=d)) for d in ((1, 2), (0, 1)))
    ambiguous = collections.defaultdict(set)
    for (_, example, memory), (size, other, changed) in zip(ours, papers, strict=True):
        path = slice(2, 2 + MAX_SIZE)
        assert changed[path] == [max(0, d - 1) for d in memory[path]]
        assert changed[:2] + changed[2 + MAX_SIZE :] == memory[:2] + memory[2 + MAX_SIZE :]
        assert other.targets[1] == example.targets[1]
        assert other.steps == example.steps
        if size == 2:  # how the tree lies, the path, which of the two nodes is the end
            lies = (changed[0], changed[changed[0] + 1] != 0, *changed[path])
            ambiguous[lies].add(changed[changed[0]] == other.targets[1])
    assert {True, False} in ambiguous.values()


def assert_spread(outcomes, shares, limit):
    """``limit``: exceeded by 1 in 10,000 values of chi squared."""
    counts = collections.Counter(outcomes)
    assert set(counts) <= set(shares)
    total = sum(counts.values()) / sum(shares.values())
    gaps = [(counts[o] - total * share) ** 2 / (total * share) for o, share in shares.items()]
    assert sum(gaps) < limit


def shape(memory, node):
    """Return the ranks of the values in the order of a walk from the root down."""
    nodes = in_order(memory, node)

    def down(node):
        if node == 0:
            return []
        return [nodes.index(node), *down(memory[node + 1]), *down(memory[node + 2])]

    return tuple(down(node))


def test_trees_are_those_of_values_inserted_in_random_order(draw):
    """Two of the six orders of three values give the tree whose root is the middle one."""
    memories = [e.inputs.tolist() for e in draw(WalkBST(), [3] * 2000, MAX_SIZE, 5)]
    shapes = {(1, 0, 2): 2, (0, 1, 2): 1, (0, 2, 1): 1, (2, 0, 1): 1, (2, 1, 0): 1}
    assert_spread((shape(m, m[0]) for m in memories), shapes, 23.5)
    first = 2 + MAX_SIZE
    places = dict.fromkeys((first, first + 3, first + 6), 1)
    assert_spread((m[0] for m in memories), places, 18.4)


def test_paths_end_at_every_node(draw):
    ends, used = [], set()
    for example in draw(WalkBST(), [4] * 2000, MAX_SIZE, 6):
        memory = example.inputs.tolist()
        values = [memory[node] for node in in_order(memory, memory[0])]
        ends.append(values.index(example.targets[1]))
        used.update(values)
    assert_spread(ends, dict.fromkeys(range(4), 1), 21.1)
    assert used == set(range(1, 2 + 4 * MAX_SIZE))


@pytest.mark.parametrize(
    ("task", "memory", "labels"),
    [
        (
            WalkBST(),
            [8, 0, 1, 0, 0, 4, 0, 0, 7, 5, 0, 0, 0, 0],
            "root out d1 end - val left right val left right - - -",
        ),
        (
            WalkBST(directions=(0, 1)),
            [7, 0, 0, 0, 3, 0, 0, 5, 4, 0],
            "root out d1 d2 val left right val left right",
        ),
        (WalkBST(), [3, 0, 0, 5, 0, 0], "root out end val left right"),
    ],
)
def test_labels(task, memory, labels):
    assert [label or "-" for label in task.labels(memory)] == labels.split()


@pytest.mark.parametrize("directions", [(1, 1), (0, 0), (1, 6)])
def test_impossible_directions_are_refused(directions):
    message = r"WalkBST directions must be two different numbers in 0\.\.5, not \("
    with pytest.raises(ValueError, match=message):
        WalkBST(directions=directions)
