"""Key-value retrieval, one way and both ways."""

import jax
import numpy as np
import pytest

from softmachine.tasks.sequences.key_value import KeyValue


@pytest.mark.parametrize("two_way", [False, True])
def test_answers_are_those_of_a_dictionary(draw, two_way):
    task = KeyValue(width=4, two_way=two_way)
    phases = 3 if two_way else 2
    orders = set()
    for size in (1, 3, 7):
        for example in draw(task, [size] * 20, 7):
            steps = int(example.steps)
            assert steps == phases * (size + 1) - 1
            inputs, targets, mask = (np.asarray(x)[:steps] for x in example[:3])
            keys, values = ([tuple(row) for row in inputs[:, i : i + 4]] for i in (0, 4))
            given = dict(zip(keys[:size], values[:size], strict=True))
            back = {value: key for key, value in given.items()}
            assert len(given) == size
            assert len(back) == size or not two_way
            expected = [None] * (size + 1)
            expected += [given[key] for key in keys[size + 1 : 2 * size + 1]]
            assert set(keys[size + 1 : 2 * size + 1]) == set(given)
            if two_way:
                expected += [None] + [back[value] for value in values[2 * size + 2 :]]
                assert set(values[2 * size + 2 :]) == set(back)
            for row, due, wanted in zip(targets, mask, expected, strict=True):
                assert due.tolist() == [float(wanted is not None)] * 4
                assert tuple(row) == (wanted or (0, 0, 0, 0))
            over = np.zeros((steps, phases - 1))
            over[size, 0] = 1
            if two_way:
                over[2 * size + 1] = 0, 1
            np.testing.assert_array_equal(inputs[:, 8:], over)
            for ours, theirs in zip(task.answer(inputs), (targets, mask), strict=True):
                np.testing.assert_array_equal(ours, theirs)
            orders.add(tuple(map(list(given).index, keys[size + 1 : 2 * size + 1])))
    assert len(orders) > 10


@pytest.mark.parametrize("two_way", [False, True])
def test_what_is_laid_out_otherwise_has_no_answer(two_way):
    task = KeyValue(width=2, two_way=two_way)
    inputs = np.array(task.sample(jax.random.key(0), 3, max_size=3).inputs)
    assert task.answer(inputs) is not None
    assert task.answer(inputs[:-1]) is None
    assert task.answer(inputs[:0]) is None
    for step, channel in ((3, 4), (4, 2), (len(inputs) - 1, 4)):
        other = inputs.copy()
        other[step, channel] = 1 - other[step, channel]
        assert task.answer(other) is None


def test_there_are_as_many_pairs_as_keys():
    assert KeyValue(width=3).largest == 8
    example = KeyValue(width=2).sample(jax.random.key(0), 4, max_size=4)
    assert len(np.unique(example.inputs[:4, :2], axis=0)) == 4
    with pytest.raises(ValueError, match="width must be at most 12"):
        KeyValue(width=13)
    with pytest.raises(ValueError, match="size must be at most 4, as many as there are keys"):
        KeyValue(width=2).sample(jax.random.key(0), 5, max_size=5)
