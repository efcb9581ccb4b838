"""Means of metrics over a batch, and their standard errors."""

import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.core.specs.spec import Ratio, mean, standard_error


def test_the_standard_error_of_a_mean_is_the_deviation_over_the_root_of_how_many():
    values = np.random.default_rng(0).normal(size=50).astype(np.float32)
    found = float(standard_error(jnp.asarray(values)))
    assert found == pytest.approx(np.std(values, ddof=1) / np.sqrt(50), rel=1e-5)
    assert float(standard_error(jnp.ones(1))) == 0


def test_the_standard_error_of_a_ratio_is_how_much_it_varies_from_batch_to_batch():
    """Totals and counts of batches of 80 examples; rates depend on counts."""
    rng = np.random.default_rng(1)
    counts = rng.integers(0, 9, (2_000, 80))
    totals = rng.binomial(counts, 0.5 + 0.04 * counts)
    ratios = totals.sum(axis=1) / counts.sum(axis=1)
    found = [
        float(standard_error(Ratio(jnp.asarray(t, jnp.float32), jnp.asarray(c, jnp.float32))))
        for t, c in zip(totals[:200], counts[:200], strict=True)
    ]
    assert np.mean(found) == pytest.approx(np.std(ratios), rel=0.03)
    # Examples' own ratios, each counting once, would say another thing.
    own = (totals / np.maximum(counts, 1)).std(axis=1, ddof=1) / np.sqrt(80)
    assert abs(np.mean(own) / np.std(ratios) - 1) > 0.1
    empty = Ratio(jnp.zeros(3), jnp.zeros(3))
    assert (float(mean(empty)), float(standard_error(empty))) == (0, 0)
