"""Intervals and quantiles, against published and closed-form values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from softmachine.running.statistics import quantiles, wilson_interval


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        # Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_interval_as_published(successes, trials, low, high):
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=5e-5)
    mirrored = wilson_interval(trials - successes, trials)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=5e-5)


def test_wilson_interval_at_its_ends():
    """None and all of n succeed: the closed forms are z²/(n + z²) and n/(n + z²)."""
    assert wilson_interval(0, 10) == pytest.approx((0, 3.8416 / 13.8416))
    assert wilson_interval(10, 10) == pytest.approx((10 / 13.8416, 1))
    assert wilson_interval(0, 10)[0] == 0
    assert wilson_interval(10, 10)[1] == 1
    assert wilson_interval(0, 0) == (0, 1)


@given(st.integers(1, 500), st.data())
def test_wilson_interval_holds_the_rate_and_is_narrower_for_smaller_z(trials, data):
    successes = data.draw(st.integers(0, trials))
    low, high = wilson_interval(successes, trials)
    assert 0 <= low <= successes / trials <= high <= 1
    inner_low, inner_high = wilson_interval(successes, trials, z=1.0)
    assert low <= inner_low <= inner_high <= high


@pytest.mark.parametrize(("successes", "trials"), [(-1, 3), (4, 3), (0, -1)])
def test_impossible_counts(successes, trials):
    with pytest.raises(ValueError, match="successes must be"):
        wilson_interval(successes, trials)


def test_quantiles():
    assert quantiles([5, 1, 3, 2, 4]) == (1, 2, 3, 4, 5)
    assert quantiles([1, 2]) == (1, 1.25, 1.5, 1.75, 2)
    assert quantiles([7]) == (7,) * 5
    assert quantiles(range(101)).upper_quartile == 75
    with pytest.raises(ValueError, match="no values"):
        quantiles([])
