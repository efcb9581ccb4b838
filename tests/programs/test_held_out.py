"""Programs from given examples, and their test on those held out."""

import json

import pytest

from softmachine.programs.held_out import check_held_out, write_program
from softmachine.programs.verify import load_python
from softmachine.tasks.given import Given
from softmachine.tasks.steps import StepRule


@pytest.fixture(scope="module")
def task():
    """Access: cell 0 shall hold what it points to."""
    lines = [
        {
            "input": [1 + i % size, *[(i * j) % 5 + 1 for j in range(1, size + 1)], 0],
            "size": size,
        }
        for size in (2, 3, 20)
        for i in range(10)
    ]
    for line in lines:
        line["output"] = [line["input"][line["input"][0]], *line["input"][1:]]
    return Given(examples="\n".join(map(json.dumps, lines)))


def test_a_right_machine_gives_a_right_program(task, access_machine):
    found = write_program(access_machine, task, "somebody")
    report = found.report
    assert report.mistake is None
    assert report.right == 2 * len(task.part_examples("test"))
    assert [(row.size, row.trained) for row in report.sizes] == [
        (2, True),
        (3, True),
        (20, False),
    ]
    assert "by somebody" in found.code
    assert load_python(found.code)([2, 7, 5, 4, 0, 0, 0, 0])[0] == 5


def test_what_depends_on_the_free_cells_is_found_out(task):
    """Right only where the last cell of the memory belongs to the example."""
    known = {x.before: list(x.after) for x in task.part_examples("test")}

    def run(memory):
        return known.get(tuple(memory), [0] * len(memory))

    report = check_held_out(task, run)
    tight = [x for x in task.part_examples("test") if x.memory == len(x.before)]
    assert len(tight) > 1
    assert report.right == sum(row.right for row in report.sizes) == len(tight)
    assert report.mistake is not None
    assert report.mistake.example.size == 2


def test_cells_that_are_not_scored_do_not_count():
    lines = [{"input": [i, 1], "output": [i, 5], "mask": [1, 0]} for i in range(5)]
    task = Given(examples="\n".join(map(json.dumps, lines)))
    assert check_held_out(task, lambda memory: memory).mistake is None


def sized(*examples):
    """A task whose examples have these inputs and sizes."""
    return Given(
        examples="\n".join(
            json.dumps({"input": before, "output": before, "size": size})
            for before, size in examples
        ),
        steps_per_size=3,
    )


@pytest.mark.parametrize(
    ("examples", "rule"),
    [
        ([([3, 1, 0], 2), ([3, 3, 0], 2)], StepRule("nothing", 0, 7)),
        ([([3, 1, 0], 2), ([3, 2, 0], 2), ([4, 0], 1)], StepRule("array", 3, 1)),
        ([([0, 3, 1], 2), ([0, 1, 3], 2), ([0, 4], 1)], StepRule("array", 3, 1, 1)),
        ([([3, 0, 2], 2), ([3, 0, 1], 2), ([2, 0], 1)], StepRule("cell", 3, -2)),
        ([([3, 1, 2], 3), ([3, 2, 1], 3), ([3, 1, 0, 0], 4)], StepRule("length", 3, 1)),
    ],
)
def test_the_size_is_found_in_the_memory(examples, rule):
    task = sized(*examples)
    assert task.step_rule() == rule
    for before, size in examples:
        assert rule.steps(before) == task.steps(size)
