"""What holds for every task."""

import doctest
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.tasks.sequences.associative_recall import AssociativeRecall
from softmachine.tasks.sequences.copy import Copy
from softmachine.tasks.sequences.copy_reuse import CopyReuse
from softmachine.tasks.sequences.key_value import KeyValue
from softmachine.tasks.sequences.ngrams import NGrams
from softmachine.tasks.sequences.priority_sort import PrioritySort
from softmachine.tasks.sequences.repeat_copy import RepeatCopy

TASKS = [
    Copy(width=3),
    RepeatCopy(width=2, repeats=(1, 4)),
    AssociativeRecall(width=4, item_length=2),
    NGrams(context=3),
    PrioritySort(width=3, surplus=(0, 2)),
    CopyReuse(width=2, lengths=(1, 3)),
    KeyValue(width=3, two_way=True),
]
MAX_SIZE = 6


@pytest.fixture(params=TASKS, ids=lambda task: type(task).__name__)
def task(request):
    return request.param


@pytest.fixture
def examples(task, draw):
    """One of each size, smallest first."""
    return draw(task, sizes_of(task), MAX_SIZE)


def sizes_of(task):
    return [*range(task.smallest, MAX_SIZE + 1)]


def test_examples_have_the_declared_shapes(task, examples):
    for size, example in zip(sizes_of(task), examples, strict=True):
        shape = (task.steps(MAX_SIZE), task.output_size)
        assert example.inputs.shape == (task.steps(MAX_SIZE), task.input_size)
        assert example.targets.shape == shape
        assert np.broadcast_shapes(example.mask.shape, shape) == shape
        assert example.steps <= task.steps(size)


def test_nothing_happens_in_the_padding(examples):
    for example in examples:
        for array in (example.inputs, example.targets, example.mask):
            assert not array[example.steps :].any()
        assert example.mask[example.steps - 1].all()


def test_what_is_not_scored_has_no_target(examples):
    for example in examples:
        assert not (example.targets * (1 - example.mask)).any()


def test_the_key_alone_decides(task, draw, examples):
    again, others = (draw(task, sizes_of(task), MAX_SIZE, seed) for seed in (0, 1))
    jax.tree.map(np.testing.assert_array_equal, examples, again)
    assert not np.array_equal(examples[-1].inputs, others[-1].inputs)


def scored(task, key):
    example = task.sample(key, MAX_SIZE, max_size=MAX_SIZE)
    return example, task.metrics(jnp.zeros(example.targets.shape, jnp.float32), example)


def test_metrics_are_scalars_with_the_error_and_the_bits(task):
    _, scores = jax.eval_shape(lambda key: scored(task, key), jax.random.key(0))
    assert {"bits", task.error} <= set(scores)
    assert all(score.shape == () for score in scores.values())


def test_arrays_are_float32_whatever_the_default(task):
    with jax.enable_x64(True):
        example, scores = jax.eval_shape(lambda key: scored(task, key), jax.random.key(0))
    assert {x.dtype for x in [*example[:3], *scores.values()]} == {np.dtype(np.float32)}


def test_sizes_out_of_range_are_refused(task):
    key, name, smallest = jax.random.key(0), type(task).__name__, task.smallest
    with pytest.raises(
        ValueError, match=f"{name} size must be at least {smallest}, not {smallest - 1}"
    ):
        task.sample(key, smallest - 1, max_size=MAX_SIZE)
    with pytest.raises(ValueError, match=f"{name} size must be at most max_size, 3; not 4"):
        task.sample(key, 4, max_size=3)
    with pytest.raises(ValueError, match=f"at least {smallest}, not {smallest - 1}"):
        jax.eval_shape(lambda size: task.sample(key, size, max_size=smallest - 1), 3)


@pytest.mark.parametrize(
    ("task", "size", "bits"),
    [
        (Copy(), 20, 8 * 20),
        (AssociativeRecall(), 6, 18),
        (PrioritySort(), 16, 128),
        (NGrams(), 200, 200),
        (RepeatCopy(repeats=(10, 10)), 10, 7 * (10 * 10 + 1)),
    ],
    ids=["copy", "recall", "sort", "n-grams", "repeat copy"],
)
def test_guessing_costs_one_bit_for_each_that_is_due(task, size, bits):
    """Where the paper's learning curves begin."""

    @jax.jit
    def guess(key):
        example = task.sample(key, size, max_size=size)
        return task.metrics(jnp.zeros_like(example.targets), example)

    scores = guess(jax.random.key(0))
    np.testing.assert_allclose(scores["bits"], bits, rtol=1e-5)


def test_rendering_shows_every_step_and_no_padding(task, examples):
    example = jax.tree.map(jnp.asarray, examples[1])
    right = 9.0 * (2 * example.targets - 1)
    for outputs in (None, right):
        lines = task.render(example, outputs).splitlines()
        assert {len(line) for line in lines} == {8 + int(example.steps)}
        assert "x" not in "".join(line[8:] for line in lines)


def test_documented_with_two_examples_or_more(task):
    """That they are right, pytest checks with all other doctests."""
    module = sys.modules[type(task).__module__]
    [found] = doctest.DocTestFinder(recurse=False).find(type(task), module=module)
    assert sum(bool(example.want) for example in found.examples) >= 2
