"""Bits against closed forms."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.core.specs.bits import Bits
from softmachine.tasks.sequences.copy import Copy


@pytest.fixture(scope="module", params=[1, 6])
def example(request):
    size = request.param
    return Copy(width=8).sample(jax.random.key(3), size, max_size=6)


def logits_for(example, confidence):
    return jnp.where(example.targets > 0.5, confidence, -confidence)


def test_guessing_costs_one_bit_per_bit(example):
    """The NTM paper's 8 L bits per sequence."""
    metrics = Bits().metrics(jnp.zeros_like(example.targets), example)
    size = (int(example.steps) - 1) // 2
    np.testing.assert_allclose(metrics["bits"], 8 * size, rtol=1e-6)


def test_certainty_costs_nothing(example):
    metrics = Bits().metrics(logits_for(example, 50.0), example)
    np.testing.assert_allclose(metrics["bits"], 0, atol=1e-6)
    assert float(metrics["wrong_bits"]) == 0
    assert float(metrics["perfect"]) == 1


def test_known_probabilities(example):
    """With probability p on every right bit, each costs -log2 p."""
    for p in (0.9, 0.5, 0.1):
        logits = logits_for(example, math.log(p / (1 - p)))
        metrics = Bits().metrics(logits, example)
        scored = float(jnp.sum(example.mask))
        np.testing.assert_allclose(metrics["bits"], -scored * math.log2(p), rtol=1e-5)
        loss = Bits().loss(logits, example)
        np.testing.assert_allclose(loss, -scored * math.log(p), rtol=1e-5)


def test_wrong_bits_are_counted_where_they_score(example):
    logits = np.array(logits_for(example, 5.0))
    logits *= np.where(np.asarray(example.mask) > 0, 1, -1)
    assert float(Bits().metrics(jnp.asarray(logits), example)["wrong_bits"]) == 0
    t = int(example.steps) - 1
    logits[t, [0, 3]] *= -1
    metrics = Bits().metrics(jnp.asarray(logits), example)
    assert float(metrics["wrong_bits"]) == 2
    assert float(metrics["perfect"]) == 0


def test_the_gradient_is_probability_minus_target_where_it_scores(example):
    logits = jax.random.normal(jax.random.key(0), example.targets.shape)
    gradient = jax.grad(Bits().loss)(logits, example)
    expected = (jax.nn.sigmoid(logits) - example.targets) * example.mask
    np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-6)


def test_absurd_logits_stay_finite(example):
    logits = logits_for(example, -1e30)
    assert np.isfinite(Bits().loss(logits, example))
    assert np.all(np.isfinite(jax.grad(Bits().loss)(logits, example)))


def test_the_deciding_error_is_a_metric(example):
    assert Bits().error in Bits().metrics(jnp.zeros_like(example.targets), example)


def test_decisions_are_zero_or_one():
    np.testing.assert_array_equal(
        Bits().decide(jnp.array([-3.0, 0.0, 1e-6, 9.0])), [0, 0, 1, 1]
    )
