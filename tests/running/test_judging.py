"""Machines are judged on hard examples, too, soft and hard."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.machines.nram.hard import run_hard
from softmachine.running.judging import BLOCK, hard_mistakes, judge, soft_mistakes
from softmachine.tasks.memories.arrays import Access
from softmachine.tasks.memories.exams import draw_batch, draw_exam

TASK = Access()


@pytest.fixture(scope="module")
def exam():
    return draw_exam(TASK, 0, 9).batch


def test_hard_mistakes_are_those_of_one_run_at_a_time(access_machine, exam):
    spoilt = exam._replace(targets=exam.targets.copy())
    spoilt.targets[::3, 0] += 1
    repeated = spoilt.take(np.arange(BLOCK + 7) % len(exam.steps))
    shares = hard_mistakes(access_machine, repeated)
    for i in (0, 1, 3, BLOCK, BLOCK + 6):
        memory, _, _, steps, cells = (x[i] for x in repeated)
        after = run_hard(access_machine, jnp.asarray(memory[:cells]), int(steps)).memory
        assert shares[i] == (after[0] != repeated.targets[i, 0])
    assert 0 < shares.mean() < 1


def test_soft_mistakes_are_the_task_s_own(access_machine, exam):
    part = exam.of_cells(TASK.cells(9))
    assert part.memories.shape[1] == TASK.cells(9)
    np.testing.assert_array_equal(soft_mistakes(access_machine, TASK, part, 3), 0)
    spoilt = part._replace(targets=part.targets.copy())
    spoilt.targets[2, 0] += 1
    shares = soft_mistakes(access_machine, TASK, spoilt, 3)
    assert np.flatnonzero(shares).tolist() == [2]


def test_an_algorithm_is_right(access_machine, exam):
    assert judge(access_machine, TASK, exam, 9).right


def test_a_mistake_in_the_smallest_memory_counts(access_machine, exam):
    """Of the soft machine only where the hard one is right."""
    one = exam.targets.copy()
    one[0, 0] += 1
    verdict = judge(access_machine, TASK, exam._replace(targets=one), 9)
    assert verdict.hard == pytest.approx(1 / len(exam.steps))
    assert verdict.soft == 1
    assert not verdict.right


def test_examples_of_no_task_case_are_judged_as_right(access_machine):
    nothing = draw_exam(TASK, 0, 3).batch.take(np.arange(0))
    assert judge(access_machine, TASK, nothing, 3).right


def test_batches_of_different_widths_become_one(exam):

    random = draw_batch(TASK, jax.random.key(0), np.full(5, 3), 3)
    both = random.followed_by(exam)
    assert both.memories.shape == (5 + len(exam.steps), exam.memories.shape[1])
    for i, cells in enumerate(random.cells):
        np.testing.assert_array_equal(both.memories[i, :cells], random.memories[i])
    np.testing.assert_array_equal(both.take(np.arange(5)).cells, random.cells)
    np.testing.assert_array_equal(both.targets[5:], exam.targets)
