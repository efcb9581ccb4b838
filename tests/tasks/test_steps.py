"""How many steps a memory asks for: what the task says of examples of that size."""

import jax
import numpy as np
import pytest

from softmachine.tasks.memories.arrays import Access, Increment, MemoryCopy, Reverse
from softmachine.tasks.memories.lists import ListK, ListSearch
from softmachine.tasks.memories.merge import Merge
from softmachine.tasks.memories.permutations import Permutation, Swap
from softmachine.tasks.memories.trees import WalkBST
from softmachine.tasks.steps import StepRule

TASKS = [Access, Increment, MemoryCopy, Reverse, Swap, Permutation, Merge, ListK, ListSearch]
TOLD = (Access, Increment, MemoryCopy, Reverse, Swap, Permutation, Merge)
"""Tasks whose memories tell the size, in whatever memory."""


@pytest.mark.parametrize("kind", [*TASKS, WalkBST])
def test_steps_of_examples(kind):
    task = kind()
    rule, draw = task.step_rule(), jax.jit(lambda key, size: task.sample(key, size, max_size=4))
    for size in range(task.smallest, 5):
        example = draw(jax.random.key(size), size)
        steps = rule.steps(np.asarray(example.inputs).tolist())
        assert steps == task.steps(size if isinstance(task, TOLD) else 4)


def test_rules():
    assert StepRule("cell", 2, -5, 1).steps([0, 4, 0]) == 3
    assert StepRule("cell", 2, -5, 1).steps([0, 1, 0]) == 0
    assert StepRule("array", 1, 1, 1).steps([0, 3, 3, 0, 3]) == 3
    assert StepRule("array", 1, 1).steps([3, 3]) == 3
    assert StepRule("length", 3, 1, 2, 2).steps([0] * 7) == 7
    assert StepRule("length", 3, 1, 9, 2).steps([0] * 7) == 1
    assert StepRule("nothing", 0, 4).steps([0]) == 4
