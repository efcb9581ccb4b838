"""Adversarial examples are what plain Python says they are, and are there in every memory."""

import dataclasses

import numpy as np
import pytest

from softmachine.tasks.memories.adversarial import Sampler
from softmachine.tasks.memories.arrays import Access, Increment, MemoryCopy, Reverse
from softmachine.tasks.memories.exams import draw_exam
from softmachine.tasks.memories.given import Given
from softmachine.tasks.memories.lists import ListK, ListSearch
from softmachine.tasks.memories.merge import Merge
from softmachine.tasks.memories.permutations import Permutation, Swap
from softmachine.tasks.memories.trees import WalkBST
from softmachine.tasks.memory import fill

LARGEST = 12


def before_null(cells):
    return cells[: cells.index(0)] if 0 in cells else cells


def access(_task, memory):
    return {0: memory[memory[0]]}


def increment(_task, memory):
    return {i: value + 1 for i, value in enumerate(before_null(memory))}


def copy(_task, memory):
    p = memory[0]
    return {p + i: memory[1 + i] for i in range(p - 1)}


def reverse(_task, memory):
    p = memory[0]
    return {p + i: memory[p - 1 - i] for i in range(p - 1)}


def swap(_task, memory):
    p, q = memory[:2]
    other = {p: q, q: p}
    size = len(before_null(memory[2:]))
    assert p != q
    assert {p, q} <= {*range(2, size + 2)}
    return {i: memory[other.get(i, i)] for i in range(2, size + 2)}


def permutation(task, memory):
    a = memory[0]
    indices = [index - task.first_index for index in memory[1:a]]
    assert sorted(indices) == [*range(a - 1)]
    return {1 + i: memory[a + index] for i, index in enumerate(indices)}


def merge(_task, memory):
    a, b, o = memory[:3]
    first, second = memory[a : b - 1], memory[b : o - 1]
    assert memory[b - 1] == memory[o - 1] == len(memory) - 1
    assert first
    assert second
    assert first == sorted(first)
    assert second == sorted(second)
    assert 0 < min(first + second) <= max(first + second) < len(memory) - 1
    out = []
    while first or second:
        take = first if first and (not second or first[0] <= second[0]) else second
        out.append(take.pop(0))
    return {o + i: value for i, value in enumerate(out)}


def nodes_of(memory):
    node, nodes = memory[0], []
    while node:
        nodes.append(node)
        node = memory[node]
    assert len(nodes) == len(set(nodes))
    return nodes


def list_k(task, memory):
    return {2: memory[nodes_of(memory)[memory[1] - task.first] + 1]}


def list_search(_task, memory):
    assert 0 not in memory[3:] or memory[3:].count(0) == 1  # the last node's pointer
    return {2: next(node for node in nodes_of(memory) if memory[node + 1] == memory[1])}


def walk_bst(task, memory):
    check_order(memory, memory[0], 0, len(memory))
    first = 2 + (len(memory) - 2) // 4
    node = memory[0]
    for turn in before_null(memory[2:first]):
        node = memory[node + 1 + task.directions.index(turn)]
        assert node
    return {1: memory[node]}


def check_order(memory, node, low, high):
    """Check that all values of a tree lie between two others."""
    while node:
        value, left, right = memory[node : node + 3]
        assert low < value < high
        if left:
            check_order(memory, left, low, value)
        node, low = right, value


ORACLES = {
    Access(): access,
    Increment(): increment,
    MemoryCopy(): copy,
    Reverse(): reverse,
    Swap(): swap,
    Permutation(): permutation,
    Permutation(first_index=1): permutation,
    Merge(): merge,
    ListK(): list_k,
    ListK(first=1, out_pointer=True): list_k,
    ListSearch(): list_search,
    ListSearch(spare=0): list_search,
    WalkBST(): walk_bst,
    WalkBST(directions=(5, 3)): walk_bst,
}
every_task = pytest.mark.parametrize("task", ORACLES, ids=repr)


@every_task
def test_brute_force_says_the_same(task):
    exam = draw_exam(task, 0, LARGEST)
    widest = exam.batch.memories.shape[1]
    for trial, memory, targets, scored, steps, cells in zip(
        exam.trials, *exam.batch, strict=True
    ):
        assert memory.tolist() == fill(trial.memory, widest)
        assert cells == len(trial.memory)
        assert max(trial.memory) < cells
        expected = ORACLES[task](task, list(trial.memory))
        assert np.flatnonzero(scored).tolist() == sorted(expected)
        assert {int(cell): int(targets[cell]) for cell in expected} == expected
        np.testing.assert_array_equal(targets[~scored], memory[~scored])
        assert steps in {task.steps(trial.size), task.step_rule().steps(trial.memory)}


@every_task
def test_every_size_and_case_comes_in_every_memory(task):
    exam = draw_exam(task, 0, LARGEST)
    cases = set(task.adversarial_cases())
    assert "random" in cases
    found = {(trial.size, len(trial.memory)) for trial in exam.trials}
    for size in (*range(task.smallest, 9), 10, LARGEST):
        tight = task.cells(size)
        assert {(size, cells) for cells in (tight, tight + 1, task.cells(LARGEST))} <= found
    # Now and then two cases give the same memory, which then stands for the first.
    trials = [trial for seed in range(3) for trial in draw_exam(task, seed, LARGEST).trials]
    for cells in (task.cells(8), task.cells(8) + 1, task.cells(LARGEST)):
        assert {trial.case for trial in trials if len(trial.memory) == cells} == cases


@every_task
def test_the_seed_decides(task):
    first, again, other = (draw_exam(task, seed, 4) for seed in ([1, 2], [1, 2], [1, 3]))
    assert first.trials == again.trials
    assert first.trials != other.trials


@every_task
def test_inputs_outside_the_task_are_memories(task):
    cases = task.outside_cases()
    assert cases
    for size in range(task.smallest, 6):
        for cells in (task.cells(size), task.cells(size) + 1, task.cells(6)):
            for case in cases.values():
                memory = fill(case(Sampler(size, cells, np.random.default_rng(0))), cells)
                assert 0 <= min(memory) <= max(memory) < cells


def test_trees_reach_the_depth_that_there_is():
    exam = draw_exam(WalkBST(), 0, LARGEST)
    first = {size: 2 + size for size in range(1, LARGEST + 1)}
    for size, cell in first.items():
        tight = [x for x in exam.trials if len(x.memory) == 2 + 4 * size and x.size == size]
        assert not tight or max(len(before_null(x.memory[2:cell])) for x in tight) == size - 1


def test_a_case_that_is_no_example_is_refused():
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Wrong(MemoryCopy):
        def adversarial_cases(self):
            return {"no room": lambda sampler: [sampler.largest, *sampler.values(sampler.size)]}

    with pytest.raises(ValueError, match="Wrong has no answer to its own case 'no room'"):
        draw_exam(Wrong(), 0, 3)


def test_what_may_be_a_path_of_zeros_has_no_cases():
    assert draw_exam(WalkBST(directions=(0, 1)), 0, 5).trials == []


def test_given_examples_come_with_room():
    lines = [
        f'{{"input": [{a}, {b}, 0], "output": [{a + 1}, {b + 1}, 7], "mask": [1, 1, 0]}}'
        for a, b in ((1, 2), (2, 2), (3, 1))
    ]
    task = Given(examples="\n".join(lines)).held_out(larger=True)
    (trial,) = draw_exam(task, 0, 3).trials
    (example,) = task.part_examples("test")
    assert len(trial.memory) == 2 * example.cells_needed
    assert trial.memory[:3] == [*example.before]
    assert trial.targets[:3] == [*example.after[:2], 0]
    assert trial.scored == [True, True, *[False] * (len(trial.memory) - 2)]
