"""Copy with reuse."""

import jax
import numpy as np
import pytest

from softmachine.tasks.sequences.copy_reuse import CopyReuse


def vectors(text):
    return np.array([[float(bit) for bit in word] for word in text.split()], np.float32)


X = vectors("100 110 001 000 000 000 010 001 000 000")
Y = vectors("000 000 000 100 110 001 000 000 010 001")


def test_the_layout_is_that_of_the_public_code():
    """Patterns (10, 11) and (01)."""
    targets, mask = CopyReuse(width=2).answer(X)
    np.testing.assert_array_equal(targets, Y)
    np.testing.assert_array_equal(mask.any(axis=1), [0, 0, 0, 1, 1, 1, 0, 0, 1, 1])


def brute(inputs):
    """Return targets and mask, read off step by step."""
    targets, mask, pattern = [], [], []
    waiting = None
    for x in inputs:
        due = waiting is not None
        word = np.zeros(len(x))
        if due and waiting:
            word[:-1] = waiting.pop(0)
        elif due:
            word[-1], waiting = 1, None
        elif x[-1]:
            waiting, pattern = pattern, []
        else:
            pattern.append(x[:-1])
        targets.append(word)
        mask.append(np.full(len(x), float(due)))
    return np.array(targets), np.array(mask)


def test_every_pattern_is_copied_in_its_turn(draw):
    task, seen = CopyReuse(width=3, lengths=(1, 4)), set()
    for size in (1, 2, 5):
        for example in draw(task, [size] * 20, 5):
            steps = int(example.steps)
            inputs = np.asarray(example.inputs)[:steps]
            targets, mask = brute(inputs)
            np.testing.assert_array_equal(example.targets[:steps], targets)
            np.testing.assert_array_equal(example.mask[:steps], mask)
            for ours, theirs in zip(task.answer(inputs), (targets, mask), strict=True):
                np.testing.assert_array_equal(ours, theirs)
            markers = np.flatnonzero(inputs[:, -1])
            assert len(markers) == size
            ends = np.flatnonzero(targets[:, -1])
            lengths = ends - markers - 1
            seen |= set(lengths.tolist())
            assert steps == sum(2 * lengths + 2)
    assert seen == {1, 2, 3, 4}


@pytest.mark.parametrize(
    "inputs", [X[:-1], X[1:], X[:0], X + np.eye(10, 3, dtype=np.float32)[::-1]]
)
def test_other_inputs_have_no_answer(inputs):
    assert CopyReuse(width=2).answer(inputs) is None


def test_one_pattern_has_to_be_held_at_once():
    assert CopyReuse().items(64) == 14
    assert CopyReuse().steps(8) == 240


def test_lengths_are_a_range():
    with pytest.raises(ValueError, match=r"must be \(shortest, longest\), not \(3, 2\)"):
        CopyReuse(lengths=(3, 2))


def test_outputs_before_a_copy_do_not_count():
    task = CopyReuse(width=2, lengths=(2, 2))
    example = task.sample(jax.random.key(0), 2, max_size=2)
    right = 20 * (2 * example.targets - 1)
    assert float(task.metrics(right.at[0].set(20), example)["wrong_bits"]) == 0
    assert float(task.metrics(right.at[3].multiply(-1), example)["wrong_bits"]) == 3
