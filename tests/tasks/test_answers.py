"""Answers to any input agree with the targets of drawn examples, and never fail."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from softmachine.tasks.memories.arrays import Access, Increment, MemoryCopy, Reverse
from softmachine.tasks.memories.lists import ListK, ListSearch
from softmachine.tasks.memories.merge import Merge
from softmachine.tasks.memories.permutations import Permutation, Swap
from softmachine.tasks.memories.trees import WalkBST
from softmachine.tasks.sequences.associative_recall import AssociativeRecall
from softmachine.tasks.sequences.copy import Copy
from softmachine.tasks.sequences.ngrams import NGrams
from softmachine.tasks.sequences.priority_sort import PrioritySort
from softmachine.tasks.sequences.repeat_copy import RepeatCopy

SEQUENCES = [
    Copy(width=3),
    RepeatCopy(width=2, repeats=(1, 4)),
    RepeatCopy(width=2, repeats=(1, 4), noise=0.4),
    AssociativeRecall(width=5, item_length=2),
    PrioritySort(width=3, surplus=(0, 2)),
]
MEMORIES = [
    Access(),
    Increment(),
    MemoryCopy(),
    Reverse(),
    Swap(),
    Permutation(),
    Permutation(first_index=1),
    Merge(),
    ListK(),
    ListK(first=1, out_pointer=True),
    ListSearch(),
    WalkBST(),
]
MAX_SIZE = 6


def name(task):
    return type(task).__name__


@pytest.mark.parametrize("task", SEQUENCES + MEMORIES, ids=name)
def test_answers_are_the_targets_of_drawn_examples(task, draw):
    sizes = [*range(task.smallest, MAX_SIZE + 1)] * 2
    for example in draw(task, sizes, MAX_SIZE):
        steps = int(example.steps) if task in SEQUENCES else None
        inputs, targets = np.asarray(example.inputs)[:steps], example.targets[:steps]
        mask = np.broadcast_to(example.mask[:steps], targets.shape)
        answer = task.answer(inputs)
        assert answer is not None
        np.testing.assert_array_equal(answer[0], targets)
        np.testing.assert_array_equal(answer[1], mask)


def test_of_predictions_all_but_the_last_are_known(draw):
    for example in draw(NGrams(context=2), [5, 8], 8):
        steps = int(example.steps)
        targets, mask = NGrams(context=2).answer(np.asarray(example.inputs)[:steps])
        np.testing.assert_array_equal(targets[:-1], example.targets[: steps - 1])
        assert mask[:, 0].tolist() == [1] * (steps - 1) + [0]


@pytest.mark.parametrize("task", SEQUENCES, ids=name)
def test_inputs_that_are_laid_out_otherwise_have_no_answer(task, draw):
    (example,) = draw(task, [3], 3)
    inputs = np.asarray(example.inputs)[: int(example.steps)]
    assert task.answer(inputs[:-1]) is None or len(inputs) - 1 == len(
        task.answer(inputs[:-1])[0]
    )
    assert task.answer(np.zeros_like(inputs)) is None
    spoilt = inputs.copy()
    spoilt[-1, 0] = 0.5
    assert task.answer(spoilt) is None


def test_an_answer_follows_what_was_edited():
    task = Copy(width=3)
    inputs = np.zeros((5, 4), np.float32)
    inputs[:3] = [[1, 0, 1, 0], [0, 1, 1, 0], [0, 0, 0, 1]]
    targets, mask = task.answer(inputs)
    assert targets.tolist() == [[0] * 3] * 3 + [[1, 0, 1], [0, 1, 1]]
    assert mask[:, 0].tolist() == [0, 0, 0, 1, 1]


@pytest.mark.parametrize(
    ("task", "memory", "first", "values"),
    [
        (Access(), [3, 9, 8, 7, 0, 0, 0, 0, 0, 0], 0, [7]),
        (MemoryCopy(), [3, 5, 6, 0, 0, 0, 0], 3, [5, 6]),
        (Reverse(), [3, 5, 6, 0, 0, 0, 0], 3, [6, 5]),
        (Swap(), [2, 4, 6, 5, 1, 0, 0], 2, [1, 5, 6]),
        (Merge(), [3, 6, 8, 1, 4, 8, 3, 8, 0, 0, 0], 8, [1, 3, 4]),
        (ListK(), [5, 1, 0, 0, 7, 3, 6], 2, [7]),
        (WalkBST(), [4, 0, 2, 0, 5, 0, 7, 6, 0, 0], 1, [6]),
    ],
)  # fmt: skip
def test_answers_by_hand(task, memory, first, values):
    targets, mask = task.answer(np.array(memory))
    scored = [*range(first, first + len(values))]
    assert np.flatnonzero(mask).tolist() == scored
    assert targets[scored].tolist() == values


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.sampled_from(MEMORIES), st.data())
def test_any_memory_has_an_answer_or_none(task, data):
    cells = data.draw(st.integers(task.cells(task.smallest), 14))
    memory = data.draw(st.lists(st.integers(0, cells - 1), min_size=cells, max_size=cells))
    answer = task.answer(np.array(memory))
    if answer is not None:
        targets, mask = answer
        assert targets.shape == mask.shape == (cells,)
        assert targets.min() >= 0
        assert targets.max() < cells
        np.testing.assert_array_equal(targets[mask == 0], np.array(memory)[mask == 0])
