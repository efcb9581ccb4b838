"""The priority sort task against NumPy's sort."""

import jax
import numpy as np
import pytest

from softmachine.tasks.priority_sort import PrioritySort


def answer(inputs, width, highest):
    """Return size, targets and mask, from the inputs alone."""
    size = int(np.flatnonzero(inputs[:, width + 1])[0])
    order = np.argsort(-inputs[:size, width], kind="stable")[:highest]
    targets, mask = np.zeros((2, len(inputs), width))
    due = slice(size + 1, size + 1 + len(order))
    targets[due] = inputs[order, :width]
    mask[due] = 1
    return size, targets, mask


def check(example, size, width, highest):
    read, targets, mask = answer(example.inputs, width, highest)
    assert read == size
    np.testing.assert_array_equal(example.targets, targets)
    np.testing.assert_array_equal(example.mask, mask)
    assert example.steps == size + 1 + min(size, highest)
    assert not example.inputs[size:, : width + 1].any()
    assert set(np.unique(example.inputs[:, :width])) <= {0.0, 1.0}


@pytest.mark.parametrize(
    ("width", "highest", "max_size"), [(8, 16, 20), (3, 1, 5), (2, 9, 4), (4, 4, 4)]
)
@pytest.mark.parametrize("seed", range(3))
def test_the_highest_are_due_in_falling_order(draw, width, highest, max_size, seed):
    task = PrioritySort(width=width, highest=highest)
    sizes = [*range(1, max_size + 1)] * 3
    for size, example in zip(sizes, draw(task, sizes, max_size, seed), strict=True):
        check(example, size, width, highest)


def test_of_equal_priorities_the_earlier_is_higher(monkeypatch):
    uniform = jax.random.uniform
    coarse = lambda *args, **kwargs: jax.numpy.round(uniform(*args, **kwargs))  # noqa: E731
    monkeypatch.setattr(jax.random, "uniform", coarse)
    task = PrioritySort(width=5, highest=30)
    example = jax.tree.map(np.asarray, task.sample(jax.random.key(0), 30, max_size=32))
    assert set(example.inputs[:30, 5]) == {-1.0, 0.0, 1.0}
    check(example, 30, 5, 30)

    priorities = example.inputs[:30, 5]
    [ranks] = [x for x in task.render(example).splitlines() if x.startswith("rank")]
    expected = np.empty(30, int)
    expected[np.argsort(-priorities, kind="stable")] = np.arange(1, 31)
    assert ranks[8 : 8 + 30] == "".join(str(rank % 10) for rank in expected)


def test_priorities_are_uniform(draw):
    examples = draw(PrioritySort(), [20] * 1000, 20)
    priorities = np.concatenate([example.inputs[:20, 8] for example in examples])
    assert -1 <= priorities.min() < -0.99
    assert 0.99 < priorities.max() <= 1
    below = [np.mean(priorities < x) for x in np.linspace(-1, 1, 21)]
    # Kolmogorov's distance, exceeded once in 10,000.
    assert np.abs(below - np.linspace(0, 1, 21)).max() < 2.23 / np.sqrt(len(priorities))


@pytest.mark.parametrize("name", ["width", "highest"])
def test_impossible_settings_are_refused(name):
    with pytest.raises(ValueError, match=f"sort {name} must be at least 1, not 0"):
        PrioritySort(**{name: 0})
