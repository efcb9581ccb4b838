"""Gaussians against closed forms in double precision."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.core.example import Example
from softmachine.core.specs.gaussians import Gaussians
from softmachine.core.specs.spec import each

SPEC = Gaussians()
EXAMPLE = Example(
    inputs=jnp.zeros((4, 1)),
    targets=jnp.array([0.5, -1.0, 2.0, 7.0]),
    mask=jnp.array([1.0, 1.0, 1.0, 0.0]),
    steps=jnp.array(4),
)
MEANS, VARIANCES = np.array([0.4, 0.0, 2.5, 0.0]), np.array([0.01, 0.2, 4.0, 1.0])
OUTPUTS = SPEC.telling(jnp.asarray(MEANS, jnp.float32), jnp.asarray(VARIANCES, jnp.float32))


def log_likelihoods():
    squares = (np.asarray(EXAMPLE.targets) - MEANS) ** 2
    return -0.5 * np.log(2 * math.pi * VARIANCES) - squares / (2 * VARIANCES)


def test_the_loss_is_the_negative_log_density_where_it_scores():
    expected = log_likelihoods()[:3].sum()
    np.testing.assert_allclose(SPEC.loss(OUTPUTS, EXAMPLE), -expected, rtol=1e-5)
    metrics = SPEC.metrics(OUTPUTS, EXAMPLE)
    np.testing.assert_allclose(metrics["bits"], -expected / math.log(2), rtol=1e-5)
    np.testing.assert_allclose(each(metrics["log_likelihood"]), expected / 3, rtol=1e-5)
    np.testing.assert_allclose(
        each(metrics["squared_error"]), (0.1**2 + 1 + 0.5**2) / 3, rtol=1e-5
    )


def test_covered_is_what_lies_in_the_interval_of_95_percent():
    # 1 and 0.25 standard deviations away; the second is 1 / sqrt(0.2) = 2.24 away.
    assert SPEC.wrong(OUTPUTS, EXAMPLE).tolist() == [False, True, False, False]
    covered = SPEC.metrics(OUTPUTS, EXAMPLE)["covered"]
    assert (float(covered.total), float(covered.count)) == (2, 3)


def test_a_density_above_1_costs_less_than_no_bits():
    sure = SPEC.telling(EXAMPLE.targets, jnp.full(4, 0.01))
    expected = 3 * 0.5 * math.log2(2 * math.pi * 0.01)
    np.testing.assert_allclose(SPEC.metrics(sure, EXAMPLE)["bits"], expected, rtol=1e-5)
    assert expected < 0


@pytest.mark.parametrize("said", [1e3, -1e3, 1e30, -1e30])
def test_absurd_variances_cost_much_and_stay_finite(said):
    outputs = jnp.stack([jnp.zeros(4), jnp.full(4, said)], axis=1)
    loss, gradient = jax.value_and_grad(SPEC.loss)(outputs, EXAMPLE)
    squares, bound = 0.25 + 1 + 4, math.copysign(10, said)
    expected = 0.5 * (3 * (math.log(2 * math.pi) + bound) + squares * math.exp(-bound))
    np.testing.assert_allclose(loss, expected, rtol=1e-4)
    assert np.isfinite(gradient).all()


def test_gradients_are_those_of_finite_differences():
    with jax.enable_x64(True):
        outputs = np.random.default_rng(0).normal(0, 3, (4, 2))
        example = jax.tree.map(lambda x: jnp.asarray(np.asarray(x, np.float64)), EXAMPLE)
        gradient = jax.grad(SPEC.loss)(jnp.asarray(outputs), example)
        for place in np.ndindex(*outputs.shape):
            step = np.zeros_like(outputs)
            step[place] = 1e-6
            losses = [SPEC.loss(jnp.asarray(outputs + s * step), example) for s in (1, -1)]
            slope = float(losses[0] - losses[1]) / 2e-6
            np.testing.assert_allclose(gradient[place], slope, rtol=1e-5, atol=1e-6)


def test_a_trace_shows_mean_and_deviation():
    shown = {field.name: x for field, x in SPEC.output_fields(OUTPUTS, EXAMPLE, ["a", "b"])}
    np.testing.assert_allclose(shown["outputs"][:, 0], MEANS, rtol=1e-6)
    np.testing.assert_allclose(shown["outputs"][:, 1], np.sqrt(VARIANCES), rtol=1e-5)
    assert shown["targets"][:, 0].tolist() == EXAMPLE.targets.tolist()
    assert shown["mask"][:, 0].tolist() == [True, True, True, False]
    assert shown["wrong"][:, 0].tolist() == [False, True, False, False]
    assert SPEC.output_texts(OUTPUTS)[:2] == ["0.40 ± 0.10", "0.00 ± 0.45"]
    assert SPEC.decide(OUTPUTS).tolist() == SPEC.answer(OUTPUTS, EXAMPLE).tolist()


def test_what_is_no_number_is_refused_in_a_sentence():
    assert SPEC.parse([[1.5], [2]], 5).tolist() == [[1.5], [2.0]]
    with pytest.raises(ValueError, match="1 channels in each step, not 2"):
        SPEC.parse([[1, 2]], 5)
    with pytest.raises(ValueError, match="finite"):
        SPEC.parse([[math.inf]], 5)
