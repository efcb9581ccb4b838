"""Regression in episodes: exact predictions by another way, what is drawn, what is measured."""

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.core.specs.spec import each
from softmachine.tasks.one_shot.gaussian_process import Kernel
from softmachine.tasks.one_shot.regression import GPRegression, distinct
from softmachine.tasks.task import sample_batch, sample_one
from softmachine.traces.examples import own_example

TASK = GPRegression()
MOST = 12
"""Episodes are padded to this, so that few programs are compiled."""


@functools.cache
def programs(task):
    """Draw an episode, tell its limit, score outputs; compiled."""
    return (
        jax.jit(functools.partial(task.sample, max_size=MOST)),
        jax.jit(task.limit),
        jax.jit(task.metrics),
    )


def sample(task, seed, size):
    return programs(task)[0](jax.random.key(seed), jnp.asarray(size))


def limit_of(task, example):
    return programs(task)[1](example)


def score(task, outputs, example):
    return programs(task)[2](outputs, example)


def score_limit(task, example):
    return score(task, limit_of(task, example), example)


def padded(example):
    """Return a short example with the shape of all others."""
    blank = MOST - len(example.inputs)
    pads = [[(0, blank)] + [(0, 0)] * (x.ndim - 1) for x in example[:3]]
    arrays = [jnp.pad(x, pad) for x, pad in zip(example[:3], pads, strict=True)]
    return example._replace(inputs=arrays[0], targets=arrays[1], mask=arrays[2])


def covariance(a, b, kernel):
    """The kernel, number by number in double precision."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return np.array(
        [
            [
                kernel.amplitude**2 * math.exp(-sum((x - y) ** 2) / (2 * kernel.length**2))
                for y in b
            ]
            for x in a
        ]
    )


def conditioned(places, values, asked, kernel):
    """Mean and variance of a value at one place: a normal distribution's conditional."""
    noise = kernel.noise**2
    prior = kernel.amplitude**2 + noise
    if not len(places):
        return 0.0, prior
    known = covariance(places, places, kernel) + noise * np.eye(len(places))
    across = covariance([asked], places, kernel)[0]
    weights = np.linalg.inv(known) @ across
    return weights @ np.asarray(values, np.float64), prior - weights @ across


def log_density(value, mean, variance):
    return -0.5 * math.log(2 * math.pi * variance) - (value - mean) ** 2 / (2 * variance)


def limits(example, task):
    """Mean, variance and log density of each value by conditioning on those before it."""
    places = np.asarray(example.inputs)[:, : task.dimensions]
    values = np.asarray(example.targets, np.float64)
    found = []
    for t in range(int(example.steps)):
        mean, variance = conditioned(places[:t], values[:t], places[t], task.kernel)
        found.append((mean, variance, log_density(values[t], mean, variance)))
    return np.array(found).T


def test_golden_values():
    """Computed with plain loops from the same formulas, to six places."""
    places, values = jnp.array([[0.0], [1.0], [-0.5], [0.9]]), jnp.array([0.3, -0.2, 0.5, 0.1])
    means, variances = Kernel(1.0, 1.0, 0.1).one_by_one(places, values, jnp.ones(4))
    np.testing.assert_allclose(means, [0, 0.180158, 0.382992, -0.164295], atol=2e-6)
    np.testing.assert_allclose(variances, [1.01, 0.645763, 0.173636, 0.020321], atol=2e-6)
    before = jnp.array([[0.0], [0.3], [-0.2], [0.5]])
    example = TASK.own_example(np.concatenate([places, before], axis=1).tolist(), 10)
    example = padded(example._replace(targets=values, mask=jnp.ones(4)))
    found = TASK.outputs.spec.log_densities(limit_of(TASK, example), example)
    np.testing.assert_allclose(
        found[:4], [-0.968468, -0.812176, -0.082964, -0.689588], atol=5e-6
    )


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_the_limit_is_the_conditional_of_what_was_seen(dimensions):
    task = GPRegression(dimensions=dimensions, length=0.7, amplitude=1.5, noise=0.2)
    for seed, size in ((0, 12), (1, 9)):
        example = sample(task, seed, size)
        means, variances, likely = limits(example, task)
        spec, limit = task.outputs.spec, limit_of(task, example)
        np.testing.assert_allclose(spec.means(limit)[:size], means, atol=1e-4)
        np.testing.assert_allclose(
            jnp.exp(spec.log_variances(limit))[:size], variances, rtol=1e-4
        )
        metrics = score(task, limit, example)
        np.testing.assert_allclose(each(metrics["gp_log_likelihood"]), likely.mean(), atol=1e-4)
        np.testing.assert_allclose(metrics["bits"], -likely.sum() / math.log(2), atol=1e-3)


def test_the_limit_is_right_in_single_precision_with_the_least_noise():
    task = GPRegression(noise=0.01)
    example = sample_one(task, jax.random.key(0), 50)
    *_, likely = limits(example, task)
    metrics = score_limit(task, example)
    np.testing.assert_allclose(each(metrics["gp_log_likelihood"]), likely.mean(), atol=0.02)


def test_predictions_elsewhere_are_conditionals_too():
    task = GPRegression(dimensions=2, noise=0.3)
    example = sample(task, 2, 6)
    places, values = example.inputs[:6, :2], example.targets[:6]
    asked = jnp.array([[0.0, 0.0], [1.9, -1.9], [3.0, 0.5]])
    predict = jax.jit(task.predict)
    means, variances = predict(places, values, asked)
    for mean, variance, place in zip(means, variances, asked, strict=True):
        expected = conditioned(places, values, place, task.kernel)
        np.testing.assert_allclose((mean, variance), expected, atol=1e-5)
    means, variances = predict(places[:0], values[:0], asked)
    np.testing.assert_allclose(means, 0)
    np.testing.assert_allclose(variances, 1.09, rtol=1e-6)


def test_values_have_the_covariance_of_the_kernel():
    """Of each pair, within four standard errors."""
    kernel = Kernel(length=0.8, amplitude=1.3, noise=0.4)
    places = jnp.array([[0.0], [0.1], [0.7], [-1.5], [2.0]])
    normal = jax.random.normal(jax.random.key(0), (20_000, 5))
    values = np.asarray(jax.jit(jax.vmap(lambda x: kernel.draw(places, x)))(normal))
    expected = covariance(places, places, kernel) + 0.4**2 * np.eye(5)
    found = values.T @ values / len(values)
    spread = np.sqrt((np.outer(np.diag(expected), np.diag(expected)) + expected**2) / 20_000)
    assert np.abs((found - expected) / spread).max() < 4
    assert abs(values.mean()) < 0.05


def test_what_is_drawn_has_the_kernel_s_covariance_at_every_distance():
    """Nothing about the order of places, or the function's values, is left to be learned."""
    task = GPRegression(length=0.6)
    keys = jax.random.split(jax.random.key(1), 4000)
    drawn = sample_batch(task, keys, jnp.full(4000, 8), 8)
    places, values = np.asarray(drawn.inputs[:, :, 0]), np.asarray(drawn.targets)
    for first, second in ((0, 1), (0, 7), (3, 6)):
        distances = np.abs(places[:, first] - places[:, second])
        products = values[:, first] * values[:, second]
        for low, high in ((0, 0.4), (0.4, 1.0), (1.0, 4.0)):
            some = (distances >= low) & (distances < high)
            kernel = np.exp(-(distances[some] ** 2) / (2 * 0.6**2))
            excess = products[some] - kernel
            assert abs(excess.mean()) < 4 * excess.std() / math.sqrt(some.sum())
    assert abs(np.square(values).mean() - 1.01) < 0.05


@pytest.mark.parametrize("count", [1, 2, 50])
def test_places_are_uniform_and_never_the_same(count):
    keys = jax.random.split(jax.random.key(3), 400)
    places = np.asarray(jax.jit(jax.vmap(lambda key: distinct(key, count, 3)))(keys))
    assert places.shape == (400, count, 3)
    assert places.min() >= -1
    assert places.max() < 1
    for episode in places:
        for numbers in episode.T:
            assert len(np.unique(numbers)) == count
    numbers = np.sort(places.reshape(-1, 3), axis=0)
    uniform = np.linspace(-1, 1, len(numbers))[:, None]
    # Kolmogorov and Smirnov's bound for one in a thousand.
    assert np.abs(numbers - uniform).max() / 2 < 1.95 / math.sqrt(len(numbers))
    correlations = np.corrcoef(places.reshape(-1, 3).T) - np.eye(3)
    assert np.abs(correlations).max() < 4 / math.sqrt(len(numbers))


def test_distinct_places_stay_distinct_when_they_are_stretched():
    for extent in (2.0, 0.3, 7.7):
        task = GPRegression(extent=extent)
        keys = jax.random.split(jax.random.key(4), 200)
        drawn = sample_batch(task, keys, jnp.full(200, 50), 50)
        places = np.asarray(drawn.inputs)[:, :, 0]
        assert all(len(np.unique(episode)) == 50 for episode in places)
        assert 0.99 * extent < np.abs(places).max() <= extent


@pytest.mark.parametrize("dimensions", [1, 3])
def test_values_come_one_step_late_and_padding_is_nothing(draw, dimensions):
    task = GPRegression(dimensions=dimensions)
    whole = draw(task, [9], 9)[0]
    for size, example in zip((1, 4, 9), draw(task, [1, 4, 9], 9), strict=True):
        assert example.inputs.shape == (9, dimensions + 1)
        assert example.steps == size == task.steps(size)
        assert example.mask.tolist() == [1.0] * size + [0.0] * (9 - size)
        assert not example.inputs[size:].any()
        assert not example.targets[size:].any()
        assert example.inputs[0, -1] == 0
        np.testing.assert_array_equal(example.inputs[1:size, -1], example.targets[: size - 1])
    assert whole.inputs.dtype == whole.targets.dtype == np.float32


def test_a_shorter_episode_is_the_beginning_of_a_longer_one():
    short, long = (sample(TASK, 5, size) for size in (3, 8))
    np.testing.assert_array_equal(short.inputs[:3], long.inputs[:3])
    np.testing.assert_array_equal(short.targets[:3], long.targets[:3])
    assert float(score_limit(TASK, short)["gap"].count) == 3


def test_types_do_not_depend_on_the_default():
    def scored(key):
        example = TASK.sample(key, 4, max_size=4)
        return example, TASK.metrics(jnp.zeros((4, 2), jnp.float32), example)

    with jax.enable_x64(True):
        example, metrics = jax.eval_shape(scored, jax.random.key(0))
    floats = {x.dtype for x in jax.tree.leaves([example[:3], metrics])}
    assert floats == {np.dtype(np.float32)}
    assert example.steps.dtype == np.int32


def test_gaps_are_log_densities_below_those_of_the_limit():
    example = sample(TASK, 6, 7)
    outputs = jax.random.normal(jax.random.key(7), (12, 2))
    *_, best = limits(example, TASK)
    log_variances = 10 * np.tanh(np.asarray(outputs[:, 1], np.float64) / 10)
    ours = [
        log_density(float(value), float(mean), math.exp(spread))
        for value, mean, spread in zip(
            example.targets[:7], outputs[:7, 0], log_variances[:7], strict=True
        )
    ]
    gaps = best - np.array(ours)
    metrics = score(TASK, outputs, example)
    np.testing.assert_allclose(metrics["excess_bits"], gaps.sum() / math.log(2), rtol=1e-3)
    np.testing.assert_allclose(each(metrics["gap"]), gaps.mean(), rtol=1e-3)
    for number in (1, 2, 5):
        np.testing.assert_allclose(
            each(metrics[f"gap_{number}"]), gaps[number - 1], rtol=1e-3, atol=1e-4
        )
    np.testing.assert_allclose(each(metrics["gap_last"]), gaps[-1], rtol=1e-3)
    # There is no tenth point: a ratio of nothing.
    assert float(metrics["gap_10"].count) == 0


def test_the_limit_has_no_gap():
    for seed in range(3):
        example = sample(TASK, seed, 5)
        metrics = score_limit(TASK, example)
        gaps = [metrics["excess_bits"], metrics["gap"].total, metrics["gap_last"].total]
        np.testing.assert_allclose(gaps, 0, atol=1e-5)
        ours, best = (each(metrics[name]) for name in ("log_likelihood", "gp_log_likelihood"))
        np.testing.assert_allclose(ours, best, rtol=1e-6)


def test_nothing_is_better_than_the_limit_in_the_mean():
    """The machine knows what the limit knows: a prediction a little off is worse."""
    keys = jax.random.split(jax.random.key(8), 500)
    drawn = sample_batch(TASK, keys, jnp.full(500, 10), 10)

    def score(example, shift, scale):
        limit = TASK.limit(example)
        return TASK.metrics(limit + jnp.array([shift, scale]), example)["excess_bits"]

    for shift, scale in ((0.1, 0.0), (-0.1, 0.0), (0.0, 0.5), (0.0, -0.5)):
        # Given by name, so that nothing is compiled anew.
        worse = jax.jit(jax.vmap(score, (0, None, None)))(drawn, shift, scale)
        assert worse.mean() > 3 * worse.std() / math.sqrt(500)


def test_a_person_s_own_points():
    rows = [[0.0, 0.0], [1.0, 0.3], [-0.5, -0.2], [0.9, 0.5]]
    example = own_example(TASK, rows)
    assert example.mask.tolist() == [1, 1, 1, 0]
    np.testing.assert_allclose(example.targets, [0.3, -0.2, 0.5, 0])
    metrics = score_limit(TASK, padded(example))
    expected = (-0.968468 - 0.812176 - 0.082964) / 3
    np.testing.assert_allclose(each(metrics["gp_log_likelihood"]), expected, atol=1e-5)
    assert float(metrics["gap_last"].count) == 1
    # A value before the first place is none of this task's: nothing is scored.
    assert not own_example(TASK, [[0.0, 0.7], [1.0, 0.3]]).mask.any()
    # Noise makes two values at one place differ: both are evidence.
    same = own_example(TASK, [[0.5, 0.0], [0.5, 0.2], [0.5, 0.3]])
    means, variances, _ = limits(same, TASK)
    told, limit = TASK.outputs.spec, limit_of(TASK, padded(same))
    np.testing.assert_allclose(told.means(limit)[:2], means[:2], atol=1e-5)
    np.testing.assert_allclose(jnp.exp(told.log_variances(limit))[:2], variances[:2], rtol=1e-4)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"dimensions": 0}, "dimensions must be at least 1, not 0"),
        ({"dimensions": 4}, "dimensions must be at most 3, not 4"),
        ({"length": -1.0}, "length must be at least 0.001, not -1.0"),
        ({"length": 0.0}, "length must be at least 0.001, not 0"),
        ({"amplitude": 0.0}, "amplitude must be positive"),
        ({"amplitude": 1e4}, "amplitude must be at most 100"),
        ({"noise": 0.0}, "noise must be at least 0.01, not 0"),
        ({"noise": 0.02, "amplitude": 3.0}, "at least 0.01 amplitudes, here 0.03; not 0.02"),
        ({"extent": -2.0}, "extent must be positive"),
        ({"extent": math.nan}, "extent must be a finite number"),
    ],
)
def test_impossible_settings_are_refused_in_a_sentence(fields, message):
    with pytest.raises(ValueError, match=message):
        GPRegression(**fields)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[0.0]], "2 channels in each step, not 1"),
        ([[0.0, math.nan]], "finite"),
        ("here", "rows of numbers"),
    ],
)
def test_what_are_no_points_is_refused_in_a_sentence(rows, message):
    with pytest.raises(Exception, match=message):
        own_example(TASK, rows)


def test_sizes_out_of_range_are_refused():
    with pytest.raises(ValueError, match="size must be at least 1, not 0"):
        TASK.sample(jax.random.key(0), 0, max_size=3)
    with pytest.raises(ValueError, match="at most max_size, 3; not 4"):
        TASK.sample(jax.random.key(0), 4, max_size=3)


def test_text_has_a_line_per_point():
    task = dataclasses.replace(TASK, dimensions=2)
    example = sample(task, 0, 3)
    head, *lines = task.render(example, jnp.zeros((MOST, 2))).splitlines()
    assert head.split() == ["place", "value", "output", "best"]
    assert len(lines) == 3
    for line, value in zip(lines, example.targets, strict=False):
        assert f"{value:.2f}  0.00 ± 1.00" in line
    assert len(task.render(example).splitlines()[0].split()) == 3


def test_points_that_an_episode_does_not_have_are_not_reported():
    shown = TASK.by_instance(50)
    assert shown.numbers == (1, 2, 5, 10, 20, 50)
    assert shown.metrics == ("gap_1", "gap_2", "gap_5", "gap_10", "gap_20", "gap_last")
    assert TASK.by_instance(5).metrics == ("gap_1", "gap_2", "gap_last")
