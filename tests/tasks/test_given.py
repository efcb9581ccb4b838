"""A task known by its examples: which part is drawn from, and how."""

import json

import jax
import numpy as np
import pytest

from softmachine.core.errors import ExamplesError, RunError
from softmachine.experiments.serialization import task_from_json, task_to_json
from softmachine.tasks.memories.given import Given

PARTS = ("training", "validation", "test")


def increments(counts):
    """Arrays to increment: so many of each size, all different."""
    return "\n".join(
        json.dumps(
            {"input": [i + 1] * size + [0], "output": [i + 2] * size + [0], "size": size}
        )
        for size, count in counts.items()
        for i in range(count)
    )


@pytest.fixture(scope="module")
def task():
    return Given(examples=increments({1: 10, 2: 10, 4: 10, 30: 3}))


def inputs(task, part):
    return {(x.size, x.before) for x in task.part_examples(part)}


def test_every_example_is_trained_on_or_held_out(task):
    training, validation, test = (inputs(task, part) for part in PARTS)
    assert len(training) == 24
    assert len(validation) == 6
    assert not training & test
    assert validation < test
    assert {size for size, _ in test - validation} == {30}
    assert all(sum(size == each for each, _ in validation) == 2 for size in (1, 2, 4))


def test_samples_come_from_the_part_alone_and_all_of_it_is_drawn(task, draw):
    for part in PARTS:
        of_part = task if part == "training" else task.held_out(larger=part == "test")
        largest = of_part.sizes[-1]
        seen = set()
        for example in draw(of_part, [*range(1, largest + 1)] * 40, largest):
            before = np.trim_zeros(example.inputs, "b").tolist()
            steps = int(example.steps)
            seen.add((steps - 1, (*before, 0)))
            assert example.inputs.shape == (of_part.cells(largest),)
            np.testing.assert_array_equal(
                example.mask, np.arange(len(example.mask)) <= len(before)
            )
            np.testing.assert_array_equal(
                example.targets, np.where(example.inputs, example.inputs + 1, 0)
            )
        assert seen == inputs(task, part)


def test_sizes_between_go_to_the_nearest(task, draw):
    steps = [int(x.steps) for x in draw(task, [1, 2, 3, 4], 4)]
    assert steps == [2, 3, 3, 5]
    assert [int(x.steps) for x in draw(task, [3], 3)] == [3]  # no room for the larger one
    with pytest.raises(ValueError, match="no training example of size 1 or smaller"):
        Given(examples=increments({2: 5})).sample(jax.random.key(0), 1, max_size=1)


def test_memories_are_as_large_as_needed_and_twice_that_in_the_test(task):
    # Ten arrays of up to ten in all cells: eleven is written.
    assert task.cells(4) == 12 or task.cells(4) == 11
    held_out = task.held_out(larger=True)
    assert held_out.cells(30) == 2 * 31


def test_what_does_not_fit_the_memory_is_for_the_test_alone():
    task = Given(examples=increments({1: 20, 2: 20}), memory=8)
    assert all(value < 7 for _, before in inputs(task, "training") for value in before)
    assert len(inputs(task, "test") - inputs(task, "validation")) == 2 * 14


def test_a_search_holds_none_of_few_examples_out():
    few = Given(examples=increments({1: 5, 2: 5, 4: 9}), searched=True)
    training = inputs(few, "training")
    assert len(training) == 19
    assert training == inputs(few, "validation") == inputs(few, "test")
    larger = Given(examples=increments({2: 5, 30: 5}), searched=True)
    training, test = inputs(larger, "training"), inputs(larger, "test")
    assert len(training) == 7  # two of the larger ones confirm
    assert len(test) == 3
    assert not training & test
    assert inputs(larger, "validation") == training
    many = Given(examples=increments({1: 5, 2: 5, 4: 10}), searched=True)
    assert len(inputs(many, "training")) == 16
    assert not inputs(many, "training") & inputs(many, "test")


def test_too_few_examples_are_refused_by_line():
    with pytest.raises(ExamplesError, match=r"line 1: training needs two examples .* 16 cells"):
        Given(examples=increments({1: 1, 2: 1}))
    with pytest.raises(ExamplesError, match="memory of 2 cells; this, the smallest, needs 3"):
        Given(examples=increments({1: 10}), memory=2)


def doubling(*arrays):
    return "\n".join(
        json.dumps({"input": [*a, 0], "output": [*(2 * x for x in a), 0], "size": len(a)})
        for a in arrays
    )


def test_a_list_is_laid_out_with_room_for_what_comes_out():
    task = Given(examples=doubling([3, 1], [2, 2], [5, 1], [1], [2], [21, 20, 1]))
    for example in task.part_examples("test"):
        memory, steps, length = task.lay_out(example.before)
        assert memory == [*example.before, *[0] * (len(memory) - length)]
        assert (steps, length) == (task.steps(example.size), len(example.before))
        assert len(memory) >= example.cells_needed
    assert len(task.lay_out([100, 7, 0]).memory) > 200
    assert len(task.lay_out([3, 1, 2, *[0] * 247]).memory) == 250
    for bad in ([], [1, -2], [1.5], "12", 3):
        with pytest.raises(ExamplesError, match="input"):
            task.lay_out(bad)


def test_without_an_end_mark_a_list_counts_as_long_as_it_is():
    lines = [{"input": cells, "output": cells[::-1]} for cells in ([1, 0], [0, 2], [0, 1, 0])]
    task = Given(examples="\n".join(map(json.dumps, lines)))
    assert task.tells_size
    assert task.lay_out([0, 0, 1, 0]).steps == 5
    odd = [line | {"size": 7 - len(line["input"])} for line in lines]
    assert not Given(examples="\n".join(map(json.dumps, odd))).tells_size


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            doubling([100, 2], [90, 3]),
            r"line 2: .* needs 181 \(its largest number is 180\): add",
        ),
        (
            doubling([1], [1, 2]),
            "line 1: .* needs 3, and no two of the 2 that fit have the same size",
        ),
    ],
)
def test_it_says_what_is_missing(text, words):
    with pytest.raises(ExamplesError, match=words):
        Given(examples=text)


@pytest.mark.parametrize("indent", [None, 1])
def test_of_an_array_it_is_said_how_lines_are_made_of_it(indent):
    array = json.dumps([{"input": [1, 0], "output": [2, 0]}] * 3, indent=indent)
    with pytest.raises(ExamplesError, match=r"^line 1: .* one JSON value; .*jq -c \.\[\] FILE"):
        Given(examples=array)


def test_it_can_be_saved_and_what_is_damaged_is_refused(task):
    value = json.loads(json.dumps(task_to_json(task)))
    assert task_from_json(value, "here") == task
    with pytest.raises(RunError, match="here is no valid task: line 1: not JSON"):
        task_from_json(value | {"examples": "{"}, "here")
