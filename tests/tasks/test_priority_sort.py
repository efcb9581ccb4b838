"""The priority sort task against NumPy's sort."""

import jax
import numpy as np
import pytest

from softmachine.tasks.sequences.priority_sort import PrioritySort


def answer(inputs, size, width):
    """Return how many vectors are shown, targets and mask, from inputs and size alone."""
    shown = int(np.flatnonzero(inputs[:, width + 1])[0])
    order = np.argsort(-inputs[:shown, width], kind="stable")[:size]
    targets, mask = np.zeros((2, len(inputs), width))
    due = slice(shown + 1, shown + 1 + len(order))
    targets[due] = inputs[order, :width]
    mask[due] = 1
    return shown, targets, mask


def check(example, size, width, surplus):
    shown, targets, mask = answer(example.inputs, size, width)
    assert surplus[0] <= shown - size <= surplus[1]
    np.testing.assert_array_equal(example.targets, targets)
    np.testing.assert_array_equal(example.mask, mask)
    assert example.steps == shown + 1 + size
    assert not example.inputs[shown:, : width + 1].any()
    assert set(np.unique(example.inputs[:, :width])) <= {0.0, 1.0}
    return shown - size


@pytest.mark.parametrize(
    ("width", "surplus", "max_size"),
    [(8, (4, 4), 16), (3, (1, 1), 5), (2, (0, 3), 4), (4, (8, 9), 1)],
)
@pytest.mark.parametrize("seed", range(3))
def test_the_highest_are_due_in_falling_order(draw, width, surplus, max_size, seed):
    task = PrioritySort(width=width, surplus=surplus)
    sizes = [*range(1, max_size + 1)] * 3
    examples = draw(task, sizes, max_size, seed)
    more = {check(x, size, width, surplus) for size, x in zip(sizes, examples, strict=True)}
    if len(sizes) > 10:
        assert more == set(range(surplus[0], surplus[1] + 1))


def test_of_equal_priorities_the_earlier_is_higher(monkeypatch):
    uniform = jax.random.uniform
    coarse = lambda *args, **kwargs: jax.numpy.round(uniform(*args, **kwargs))  # noqa: E731
    monkeypatch.setattr(jax.random, "uniform", coarse)
    task = PrioritySort(width=5, surplus=(5, 5))
    example = jax.tree.map(np.asarray, task.sample(jax.random.key(0), 25, max_size=27))
    assert set(example.inputs[:30, 5]) == {-1.0, 0.0, 1.0}
    check(example, 25, 5, (5, 5))

    priorities = example.inputs[:30, 5]
    [ranks] = [x for x in task.render(example).splitlines() if x.startswith("rank")]
    expected = np.empty(30, int)
    expected[np.argsort(-priorities, kind="stable")] = np.arange(1, 31)
    assert ranks[8 : 8 + 30] == "".join(str(rank % 10) for rank in expected)


def test_priorities_are_uniform(draw):
    examples = draw(PrioritySort(), [16] * 1000, 16)
    priorities = np.concatenate([example.inputs[:20, 8] for example in examples])
    assert -1 <= priorities.min() < -0.99
    assert 0.99 < priorities.max() <= 1
    below = [np.mean(priorities < x) for x in np.linspace(-1, 1, 21)]
    # Kolmogorov's distance, exceeded once in 10,000.
    assert np.abs(below - np.linspace(0, 1, 21)).max() < 2.23 / np.sqrt(len(priorities))


def test_impossible_settings_are_refused():
    with pytest.raises(ValueError, match="width must be at least 1, not 0"):
        PrioritySort(width=0)
    for surplus in ((-1, 2), (3, 2)):
        with pytest.raises(ValueError, match=r"surplus must be"):
            PrioritySort(surplus=surplus)
