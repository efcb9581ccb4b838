"""The repeat copy task against its plain construction from the inputs."""

import numpy as np
import pytest

from softmachine.tasks.sequences.repeat_copy import RepeatCopy


def answer(inputs, width, normalized_over):
    """Return size, repeats, targets and mask, from the inputs alone."""
    size = int(np.flatnonzero(inputs[:, width])[0])
    numbers = np.arange(normalized_over[0], normalized_over[1] + 1)
    repeats = inputs[size + 1, width + 1] * np.std(numbers) + np.mean(numbers)
    np.testing.assert_allclose(repeats, np.round(repeats), atol=1e-4)
    repeats = int(np.round(repeats))
    said = [[*vector, 0] for _ in range(repeats) for vector in inputs[:size, :width]]
    said.append([0] * width + [1])
    targets, mask = np.zeros((2, len(inputs), width + 1))
    begin = size + 2
    targets[begin : begin + len(said)] = said
    mask[begin : begin + len(said)] = 1
    return size, repeats, targets, mask


@pytest.mark.parametrize(
    ("width", "repeats", "normalized_over", "max_size"),
    [(6, (1, 10), (1, 10), 10), (3, (2, 4), (1, 10), 6), (2, (3, 3), (2, 9), 4)],
)
@pytest.mark.parametrize("seed", range(3))
def test_examples_are_what_their_inputs_ask_for(
    draw, width, repeats, normalized_over, max_size, seed
):
    task = RepeatCopy(width=width, repeats=repeats, normalized_over=normalized_over)
    sizes = [*range(1, max_size + 1)] * 3
    for size, example in zip(sizes, draw(task, sizes, max_size, seed), strict=True):
        read, count, targets, mask = answer(example.inputs, width, normalized_over)
        assert read == size
        assert repeats[0] <= count <= repeats[1]
        np.testing.assert_array_equal(example.targets, targets)
        np.testing.assert_array_equal(example.mask, mask)
        assert example.steps == size + 2 + size * count + 1
        assert not example.inputs[size:, :width].any()
        assert np.count_nonzero(example.inputs[:, width:]) <= 2
        assert set(np.unique(example.inputs[:, : width + 1])) <= {0.0, 1.0}


def test_the_count_has_mean_0_and_variance_1():
    """The constants of the paper's range: mean 5.5, standard deviation 2.872."""
    seen = RepeatCopy().normalize(np.arange(1, 11))
    np.testing.assert_allclose([seen.mean(), seen.var()], [0, 1], atol=1e-12)
    np.testing.assert_allclose(seen * 2.872 + 5.5, np.arange(1, 11), atol=1e-3)


def test_a_range_never_trained_keeps_the_scale_of_training():
    trained, longer = RepeatCopy(), RepeatCopy(repeats=(20, 20))
    assert longer.normalize(7) == trained.normalize(7)
    assert longer.normalize(20) == pytest.approx((20 - 5.5) / 2.87228, rel=1e-5)


def test_every_number_of_repeats_is_as_likely(draw):
    examples = draw(RepeatCopy(width=1, repeats=(1, 10)), [1] * 4000, 1)
    counts = np.bincount([int(example.steps) - 5 for example in examples], minlength=10)
    assert len(counts) == 10
    assert np.sum((counts - 400) ** 2 / 400) < 33.7  # 1 in 10,000, 9 degrees of freedom


def test_noise_is_on_the_number_that_is_heard_and_on_nothing_else(draw):
    """Uniform within its bounds, another one for every example; none in tests."""
    quiet, noisy = (RepeatCopy(normalized_over=(5, 6), noise=noise) for noise in (0.0, 0.4))
    assert noisy.held_out() == quiet
    off = []
    for plain, example in zip(
        draw(quiet, [3] * 500, 3), draw(noisy, [3] * 500, 3), strict=True
    ):
        expected = plain.inputs.copy()
        off.append((example.inputs[4, -1] - expected[4, -1]) / 2)  # 2 is one repeat more
        expected[4, -1] = example.inputs[4, -1]
        np.testing.assert_array_equal(example.inputs, expected)
        np.testing.assert_array_equal(example.targets, plain.targets)
        np.testing.assert_array_equal(example.mask, plain.mask)
    assert -0.4 <= min(off) < -0.38
    assert 0.38 < max(off) <= 0.4
    assert np.mean(off) == pytest.approx(0, abs=0.04)
    assert len(np.unique(off)) > 490


def test_a_number_that_noise_cannot_give_has_no_answer(draw):
    (example,) = draw(RepeatCopy(repeats=(4, 4)), [3], 3)
    inputs, task = example.inputs[: example.steps].copy(), RepeatCopy(noise=0.4)
    for heard, answered in [(4, True), (4.39, True), (3.61, True), (4.42, False), (5, False)]:
        inputs[4, -1] = task.normalize(heard)
        assert (task.answer(inputs) is not None) == answered


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"width": 0}, "width must be at least 1, not 0"),
        ({"repeats": (0, 3)}, "repeats must be at least 1, not 0"),
        ({"repeats": (4, 3)}, r"not \(4, 3\)"),
        ({"noise": 0.5}, "noise must be below 0.5, not 0.5"),
        ({"noise": -0.1}, "noise must be at least 0, not -0.1"),
        ({"normalized_over": (5, 5)}, r"at least two numbers, not \(5, 5\)"),
    ],
)
def test_impossible_settings_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        RepeatCopy(**fields)
