"""The associative recall task against a reader of its inputs."""

import numpy as np
import pytest

from softmachine.tasks.sequences.associative_recall import AssociativeRecall


def read(inputs, width):
    """Return the items, the query and the step of the answer, from the inputs alone."""
    items, query, query_delimiters = [], [], []
    for time, step in enumerate(inputs):
        bits, item_delimiter, query_delimiter = step[:width], *step[width:]
        if query_delimiter:
            assert not item_delimiter
            assert not bits.any()
            query_delimiters.append(time)
        elif item_delimiter:
            assert not query_delimiters
            assert not bits.any()
            items.append([])
        elif not query_delimiters:
            items[-1].append(bits.tolist())
        elif len(query_delimiters) == 1:
            query.append(bits.tolist())
        else:
            assert not bits.any()
    assert len(query_delimiters) == 2
    return items, query, query_delimiters[1] + 1


@pytest.mark.parametrize(
    ("width", "item_length", "max_size"), [(6, 3, 6), (20, 1, 4), (10, 2, 9)]
)
@pytest.mark.parametrize("seed", range(3))
def test_the_answer_is_the_item_after_the_one_asked_for(
    draw, width, item_length, max_size, seed
):
    task = AssociativeRecall(width=width, item_length=item_length)
    sizes = [*range(2, max_size + 1)] * 5
    for size, example in zip(sizes, draw(task, sizes, max_size, seed), strict=True):
        items, query, begin = read(example.inputs, width)
        assert [len(item) for item in items] == [item_length] * size
        assert items.index(query) < size - 1
        targets, mask = np.zeros((2, len(example.inputs), width))
        targets[begin : begin + item_length] = items[items.index(query) + 1]
        mask[begin : begin + item_length] = 1
        np.testing.assert_array_equal(example.targets, targets)
        np.testing.assert_array_equal(example.mask, mask)
        assert example.steps == begin + item_length == task.steps(size)
        assert set(np.unique(example.inputs)) <= {0.0, 1.0}


def test_the_previous_item_of_the_first_is_the_last(draw):
    task = AssociativeRecall(width=20, item_length=2, recalled="previous")
    asked = set()
    for size, example in zip([2, 3, 5] * 10, draw(task, [2, 3, 5] * 10, 5, 0), strict=True):
        items, query, begin = read(example.inputs, 20)
        place = items.index(query)
        asked.add((size, place))
        np.testing.assert_array_equal(
            example.targets[begin : begin + 2], items[place - 1 if place else size - 1]
        )
        steps = int(example.steps)
        targets, mask = task.answer(example.inputs[:steps])
        np.testing.assert_array_equal(targets, example.targets[:steps])
        np.testing.assert_array_equal(mask, example.mask[:steps])
    assert asked == {(size, place) for size in (2, 3, 5) for place in range(size)}
    assert not task.published_tests()


def test_every_item_but_the_last_is_as_likely_the_query(draw):
    examples = draw(AssociativeRecall(width=30, item_length=1), [5] * 2000, 6)
    counts = np.zeros(5)
    for example in examples:
        items, query, _ = read(example.inputs, 30)
        counts[items.index(query)] += 1
    assert counts[4] == 0
    assert np.sum((counts[:4] - 500) ** 2 / 500) < 21.1  # 1 in 10,000, 3 degrees of freedom


def test_bits_are_fair(draw):
    examples = draw(AssociativeRecall(), [6] * 500, 6)
    bits = [item for x in examples for item in read(x.inputs, 6)[0]]
    assert abs(np.mean(bits) - 0.5) < 4 * 0.5 / np.sqrt(np.size(bits))


@pytest.mark.parametrize("name", ["width", "item_length"])
def test_impossible_settings_are_refused(name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1, not 0"):
        AssociativeRecall(**{name: 0})
