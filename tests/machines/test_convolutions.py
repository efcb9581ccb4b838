"""Convolutions against plain loops; dropout against its definition."""

import jax
import jax.numpy as jnp
import numpy as np

from softmachine.machines.parts.convolutions import convolve, dropout


def test_a_convolution_is_the_sum_over_its_taps():
    rng = np.random.default_rng(0)
    s, kernel = rng.normal(size=(5, 4)), rng.normal(size=(3, 4, 2))
    expected = np.zeros((5, 2))
    for y in range(5):
        for v in (-1, 0, 1):
            if 0 <= y + v < 5:
                expected[y] += s[y + v] @ kernel[v + 1]
    found = convolve(jnp.asarray(s, jnp.float32), jnp.asarray(kernel, jnp.float32))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_dropout_keeps_means_and_scales_up_what_is_left():
    x = jnp.ones((200, 300))
    found = np.asarray(dropout(x, 0.3, jax.random.key(0)))
    np.testing.assert_allclose(np.unique(found), [0, 1 / 0.7], rtol=1e-4)
    assert abs((found == 0).mean() - 0.3) < 0.005  # two and a half deviations
    np.testing.assert_array_equal(dropout(x, 0.0, jax.random.key(0)), x)
