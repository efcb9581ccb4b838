"""Positions against their formulas, written out number by number."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.machines.parts.positions import (
    alibi,
    alibi_slopes,
    by_distance,
    rotate,
    sinusoids,
)


def test_sinusoids_are_the_paper_s():
    """PE(pos, 2i) = sin(pos / 10000^(2i/d)), PE(pos, 2i+1) = cos of the same."""
    width, positions = 6, [-2, 0, 1, 7]
    with jax.enable_x64(True):
        waves = sinusoids(jnp.asarray(positions), width, jnp.dtype("float64"))
    for row, position in zip(np.asarray(waves), positions, strict=True):
        for i in range(3):
            angle = position / 10_000 ** (2 * i / width)
            assert row[i] == pytest.approx(np.sin(angle), abs=1e-12)
            assert row[3 + i] == pytest.approx(np.cos(angle), abs=1e-12)


def test_rotation_is_of_pairs_and_products_know_distances_alone():
    rng = np.random.default_rng(0)
    q, k = rng.normal(size=(2, 4))
    steps = 6
    with jax.enable_x64(True):
        turned_q, turned_k = (
            np.asarray(rotate(jnp.tile(jnp.asarray(x), (steps, 1, 1))))[:, 0] for x in (q, k)
        )
    for position in range(steps):
        for i in range(2):
            angle = position / 10_000 ** (2 * i / 4)
            turn = np.exp(1j * angle) * (q[2 * i] + 1j * q[2 * i + 1])
            np.testing.assert_allclose(
                turned_q[position, 2 * i : 2 * i + 2], [turn.real, turn.imag]
            )
    products = turned_q @ turned_k.T
    for i in range(steps - 1):
        for j in range(steps - 1):
            assert products[i, j] == pytest.approx(products[i + 1, j + 1])
    assert products[0, 0] == pytest.approx(q @ k)
    assert abs(products[1, 0] - products[0, 1]) > 1e-3


def test_alibi_has_slopes_distances_and_a_side():
    assert alibi_slopes(8) == [2.0**-i for i in range(1, 9)]
    # The paper's other example: 16 heads begin at 2^-0.5.
    np.testing.assert_allclose(alibi_slopes(16), [2 ** (-(i + 1) / 2) for i in range(16)])
    assert alibi_slopes(6) == [2.0**-2, 2.0**-4, 2.0**-6, 2.0**-8, 2.0**-1, 2.0**-3]
    biases = np.asarray(alibi(5, 8, jnp.dtype("float32")))
    for h in range(8):
        for i in range(5):
            for j in range(5):
                near = 0.5 if j < i else 0.0
                assert biases[h, i, j] == -(2.0 ** -(h + 1)) * (abs(i - j) - near)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_windows_of_distances(steps):
    scores = np.random.default_rng(0).normal(size=(2, steps, 2 * steps - 1)).astype(np.float32)
    found = np.asarray(by_distance(jnp.asarray(scores)))
    distances = list(range(steps - 1, -steps, -1))
    for i in range(steps):
        for j in range(steps):
            expected = scores[:, i, distances.index(i - j)]
            np.testing.assert_array_equal(found[:, i, j], expected)
