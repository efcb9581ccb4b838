"""The test of a program on examples that were held out."""

import json

import pytest

from softmachine.programs.held_out import check_held_out, machine_runner
from softmachine.tasks.given import Given


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


def test_a_right_machine_has_no_mistakes(task, access_machine):
    report = check_held_out(task, machine_runner(access_machine, task))
    assert report.right
    assert report.share == 1
    assert [(row.size, row.trained) for row in report.sizes] == [
        (2, True),
        (3, True),
        (20, False),
    ]
    assert all(row.right == row.right_with_spare == row.examples for row in report.sizes)


def test_what_depends_on_the_free_cells_is_found_out(task):
    """Right only where the last cell of the memory belongs to the example."""

    def run(memories, examples):
        return [
            list(x.after) if len(memory) == x.memory else [0] * len(memory)
            for memory, x in zip(memories, examples, strict=True)
        ]

    report = check_held_out(task, run)
    assert not report.right
    assert report.share == 0.5
    assert all((row.right, row.right_with_spare) == (row.examples, 0) for row in report.sizes)
    assert report.mistake.example.size == 2
    assert len(report.mistake.memory) == 2 * report.mistake.example.memory


def test_cells_that_are_not_scored_do_not_count():
    lines = [{"input": [i, 1], "output": [i, 5], "mask": [1, 0]} for i in range(5)]
    task = Given(examples="\n".join(map(json.dumps, lines)))
    assert check_held_out(task, lambda memories, _: memories).right
