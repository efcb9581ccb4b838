"""Products of vectors with a memory, with gradient rules that are fast on CPU.

Each is one line of NumPy. Left to itself, automatic differentiation turns some of their
gradients into masked sums or badly shaped matrix products that cost ten times more on
CPU; the rules here keep to matrix-vector products and fused outer products.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


@jax.custom_vjp
def combine_rows(
    weightings: Float[Array, "heads rows"], memory: Float[Array, "columns rows"]
) -> Float[Array, "heads columns"]:
    """Return ``weightings @ memory.T``: each head's weighted sum of the memory rows."""
    return jnp.stack([memory @ weighting for weighting in weightings])


@jax.custom_vjp
def match_rows(
    keys: Float[Array, "heads columns"], memory: Float[Array, "columns rows"]
) -> Float[Array, "heads rows"]:
    """Return ``keys @ memory``: the dot product of each head's key with each row."""
    return keys @ memory


@jax.custom_vjp
def spread(
    vectors: Float[Array, "heads columns"], weightings: Float[Array, "heads rows"]
) -> Float[Array, "columns rows"]:
    """Return ``vectors.T @ weightings``: each head's vector spread over the rows."""
    return _sum_of_outer_products(vectors, weightings)


def _sum_of_outer_products(us, vs):
    products = [u[:, None] * v for u, v in zip(us, vs, strict=True)]
    return sum(products[1:], products[0])


combine_rows.defvjp(
    lambda weightings, memory: (combine_rows(weightings, memory), (weightings, memory)),
    lambda saved, bar: (bar @ saved[1], _sum_of_outer_products(bar, saved[0])),
)
match_rows.defvjp(
    lambda keys, memory: (match_rows(keys, memory), (keys, memory)),
    lambda saved, bar: (combine_rows(bar, saved[1]), _sum_of_outer_products(saved[0], bar)),
)
spread.defvjp(
    lambda vectors, weightings: (spread(vectors, weightings), (vectors, weightings)),
    lambda saved, bar: (combine_rows(saved[1], bar), saved[0] @ bar),
)
