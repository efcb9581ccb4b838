"""Temporal links of which few are kept: O(N) memory in place of N x N.

The paper's "Sparse link matrix" (Graves et al. 2016, Methods): the write weighting and the
precedence are cut down to their K largest entries before their outer product is added, and
links below 1/K are dropped. As rows and columns sum to at most 1, no more than K of either
remain. Two tables hold them, K pairs of index and value for each row and for each column.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


class SparseLinks(NamedTuple):
    """The links L, twice; a place that is not taken has the value 0."""

    after: Int[Array, "rows kept"]
    """For each row j, rows i with a link from j: L[i, j] is in ``column_values[j]``."""
    column_values: Float[Array, "rows kept"]
    before: Int[Array, "rows kept"]
    """For each row i, rows j with a link to i: L[i, j] is in ``row_values[i]``."""
    row_values: Float[Array, "rows kept"]


def no_links(rows: int, kept: int, dtype: jnp.dtype) -> SparseLinks:
    """Return the links before the first step: none."""
    kept = min(kept, rows)
    nowhere, nothing = jnp.zeros((rows, kept), jnp.int32), jnp.zeros((rows, kept), dtype)
    return SparseLinks(nowhere, nothing, nowhere, nothing)


def to_dense(links: SparseLinks) -> Float[Array, "rows rows"]:
    """Return the whole matrix L."""
    rows = len(links.before)
    return (
        jnp.zeros((rows, rows), links.row_values.dtype)
        .at[jnp.arange(rows)[:, None], links.before]
        .add(links.row_values)
    )


def largest_alone(
    weighting: Float[Array, " rows"], kept: int, *, normalize: bool
) -> tuple[Float[Array, " rows"], Int[Array, " kept"]]:
    """Return a weighting with its K largest entries alone, and where these are.

    They are divided by their sum if ``normalize``, as the paper has it: then a step that
    writes nothing changes links all the same. Otherwise they are scaled to the sum of all
    entries.
    """
    places = jax.lax.top_k(jax.lax.stop_gradient(weighting), kept)[1]
    chosen = jnp.zeros_like(weighting).at[places].set(1)
    alone = weighting * chosen
    total = jnp.sum(alone)
    scale = 1.0 if normalize else jnp.sum(weighting)
    # Two choices: the gradient of one alone would be 0 times infinity, which is NaN.
    positive = total > 0
    return alone * jnp.where(positive, scale / jnp.where(positive, total, 1), 0), places


def next_sparse_links(
    links: SparseLinks,
    precedence: Float[Array, " rows"],
    write_weights: Float[Array, " rows"],
    *,
    kept: int,
    normalize: bool = False,
) -> SparseLinks:
    """Return the links after a write, K at most for each row and each column.

    ``L[i,j] <- (1 - w'[i] - w'[j]) L[i,j] + w'[i] p'[j]``, 0 on the diagonal and below 1/K.
    """
    least, kept = 1 / kept, min(kept, len(precedence))
    written, now = largest_alone(write_weights, kept, normalize=normalize)
    written_before, then = largest_alone(precedence, kept, normalize=normalize)
    before, row_values = _next_table(
        links.before, links.row_values, written, written, written_before, then, least
    )
    after, column_values = _next_table(
        links.after, links.column_values, written, written_before, written, now, least
    )
    return SparseLinks(after, column_values, before, row_values)


def _next_table(
    others: Int[Array, "rows kept"],
    values: Float[Array, "rows kept"],
    written: Float[Array, " rows"],
    own: Float[Array, " rows"],
    added: Float[Array, " rows"],
    places: Int[Array, " kept"],
    least: float,
) -> tuple[Int[Array, "rows kept"], Float[Array, "rows kept"]]:
    """Return the next table: entries scaled, ``own[i] added[j]`` added, the largest kept.

    ``places`` are those j at which ``added`` is not 0. Entries below ``least`` are dropped.
    """
    rows, kept = values.shape
    taken = values > 0
    freed = 1 - (written[:, None] + written[others])
    scaled = freed * values + own[:, None] * added[others]
    # What is at one of the new places already is not counted again.
    known = jnp.any((others[:, :, None] == places) & taken[:, :, None], axis=1)
    new = jnp.where(known, 0, own[:, None] * added[places])
    candidates = jnp.concatenate([jnp.where(taken, scaled, 0), new], axis=1)
    indices = jnp.concatenate([others, jnp.broadcast_to(places, new.shape)], axis=1)
    wanted = (candidates >= least) & (indices != jnp.arange(rows)[:, None])
    candidates = jnp.where(wanted, candidates, 0)
    order = jax.lax.top_k(jax.lax.stop_gradient(candidates), kept)[1]
    return (
        jnp.take_along_axis(indices, order, axis=1),
        jnp.take_along_axis(candidates, order, axis=1),
    )


def follow_sparse_links(
    links: SparseLinks, read_weights: Float[Array, "heads rows"]
) -> tuple[Float[Array, "heads rows"], Float[Array, "heads rows"]]:
    """Return the weightings forward and backward, as `mechanisms.follow_links` does."""
    forward = jnp.sum(read_weights[:, links.before] * links.row_values, axis=-1)
    backward = jnp.sum(read_weights[:, links.after] * links.column_values, axis=-1)
    return forward, backward
