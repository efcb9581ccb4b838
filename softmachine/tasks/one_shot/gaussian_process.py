"""Gaussian processes: the kernel, and exact predictions of values from those seen before.

Source: Rasmussen & Williams, Gaussian Processes for Machine Learning (2006), chapter 2.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jax.scipy.linalg import cho_solve, solve_triangular
from jaxtyping import Array, Float


class Kernel(NamedTuple):
    """The prior of functions: mean 0, squared-exponential covariance, values with noise."""

    length: float = 1.0
    """How far apart places are whose values have little to do with each other."""
    amplitude: float = 1.0
    """The standard deviation of a function's values."""
    noise: float = 0.1
    """The standard deviation of what is added to each value that is seen."""

    def between(
        self, places: Float[Array, "n dimensions"], others: Float[Array, "m dimensions"]
    ) -> Float[Array, "n m"]:
        """Return the covariance of a function's values without noise.

        ``k(x, x') = amplitude² exp(-|x - x'|² / (2 length²))`` (Eq. 2.16, 2.31).
        """
        squares = jnp.sum(jnp.square(places[:, None] - others), axis=-1)
        return self.amplitude**2 * jnp.exp(squares * (-0.5 / self.length**2))

    def root(self, places: Float[Array, "n dimensions"]) -> Float[Array, "n n"]:
        """Return the lower Cholesky factor of the covariance of values with noise."""
        noise = self.noise**2 * jnp.eye(len(places), dtype=places.dtype)
        return jnp.linalg.cholesky(self.between(places, places) + noise)

    def draw(
        self, places: Float[Array, "n dimensions"], normal: Float[Array, " n"]
    ) -> Float[Array, " n"]:
        """Return values with noise, made of as many independent standard normal numbers."""
        # Not as a matrix product, which some accelerators do in fewer digits.
        return jnp.sum(self.root(places) * normal, axis=1)

    def one_by_one(
        self,
        places: Float[Array, "n dimensions"],
        values: Float[Array, " n"],
        mask: Float[Array, " n"],
    ) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
        """Return mean and variance of each value with noise, given all those before it.

        With L the Cholesky factor of the covariance and ``L z = y``: the variance of value t is
        ``L[t, t]²``, and its mean ``y[t] - L[t, t] z[t]``. That is Eq. 2.25 and 2.26 for all t
        at once.

        Where the mask is 0 nothing is seen, and what is returned means nothing.

        >>> x, y = jnp.array([[0.0], [1.0], [-0.5], [0.9]]), jnp.array([0.3, -0.2, 0.5, 0.1])
        >>> means, variances = Kernel().one_by_one(x, y, jnp.ones(4))
        >>> [round(float(mean), 4) for mean in means]
        [0.0, 0.1802, 0.383, -0.1643]
        >>> [round(float(variance), 4) for variance in variances]
        [1.01, 0.6458, 0.1736, 0.0203]
        """
        noise = self.noise**2 * jnp.eye(len(places), dtype=places.dtype)
        seen = self.between(places, places) * mask[:, None] * mask
        root = jnp.linalg.cholesky(seen + noise)
        spreads = jnp.diagonal(root)
        z = solve_triangular(root, values * mask, lower=True)
        # No less than the noise, which rounding could take a little of.
        variances = jnp.maximum(jnp.square(spreads), self.noise**2)
        return values * mask - spreads * z, variances

    def given(
        self,
        places: Float[Array, "n dimensions"],
        values: Float[Array, " n"],
        asked: Float[Array, "m dimensions"],
    ) -> tuple[Float[Array, " m"], Float[Array, " m"]]:
        """Return mean and variance of values with noise at other places (Eq. 2.25, 2.26)."""
        root, across = self.root(places), self.between(asked, places)
        weights = cho_solve((root, True), values)
        explained = jnp.sum(jnp.square(solve_triangular(root, across.T, lower=True)), axis=0)
        means = jnp.sum(across * weights, axis=1)
        unexplained = jnp.maximum(self.amplitude**2 - explained, 0)
        return means, unexplained + self.noise**2
