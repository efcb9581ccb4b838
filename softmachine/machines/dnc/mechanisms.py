"""The mechanisms of a DNC's memory, each by itself, in the order of the paper's Methods.

Every function works on one example. N rows (the paper's locations) of W columns; the memory is
laid out ``(columns, rows)``: rows, the long axis, are contiguous. A weighting is N numbers from
0 to 1 that sum to 1 at most. Source: Graves et al. 2016 (doi 10.1038/nature20101), Methods;
masks, wiping and sharpening: Csordas & Schmidhuber 2019 (arXiv 1904.10278), section 3.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from softmachine.machines.parts.products import combine_rows, match_rows, spread

SMALLEST = 1e-30
"""Added to a usage before its logarithm."""
SHARPENING_FLOOR = 1e-6
"""Added to a weighting before it is sharpened, as in the public code of 2019."""


# --- content-based addressing -----------------------------------------------------------


def content_weighting(
    memory: Float[Array, "columns rows"],
    keys: Float[Array, "heads columns"],
    strengths: Float[Array, " heads"],
    masks: Float[Array, "heads columns"] | None = None,
    *,
    smoothing: float,
    epsilon: float,
) -> Float[Array, "heads rows"]:
    """Weight rows by their similarity to each head's key.

    ``C(M, k, b)[i] = softmax over i of b D(k, M[i])``, with the cosine
    ``D(u, v) = u . v / (|u| |v|)``. With masks m, ``D(k o m, M[i] o m)`` (2019, Eq. 1): columns
    that the head does not look for are left out of key, rows and norms.

    ``smoothing`` is added to squared norms, ``epsilon`` to the product of two norms.
    """
    # Squared norms underflow in half precision: float32 at least.
    wide = jnp.promote_types(memory.dtype, jnp.float32)
    memory, keys, strengths = (x.astype(wide) for x in (memory, keys, strengths))
    if masks is None:
        dots = match_rows(keys, memory)
        row_squares = jnp.sum(jnp.square(memory), axis=0)
    else:
        seen = jnp.square(masks.astype(wide))
        dots = match_rows(keys * seen, memory)
        row_squares = match_rows(seen, jnp.square(memory))
        keys = keys * masks
    key_norms = jnp.sqrt(jnp.sum(jnp.square(keys), axis=1) + smoothing)
    norms = key_norms[:, None] * jnp.sqrt(row_squares + smoothing)
    return jax.nn.softmax(strengths[:, None] * dots / (norms + epsilon), axis=-1)


# --- dynamic memory allocation ----------------------------------------------------------


def retention(
    free_gates: Float[Array, " heads"], read_weights: Float[Array, "heads rows"]
) -> Float[Array, " rows"]:
    """Return how much of each row is not freed.

    ``psi_t = prod over i of (1 - f^i_t w^(r,i)_(t-1))``: a read head frees the rows that it
    has just read.
    """
    kept = 1 - free_gates[:, None] * read_weights
    # A mixture of weights may be above 1 by rounding. Then usage would be below 0, and its
    # logarithm NaN. Not `maximum`, which halves the gradient at 0.
    kept = jnp.where(kept < 0, 0, kept)
    result = kept[0]
    for one in kept[1:]:
        result = result * one
    return result


def next_usage(
    usage: Float[Array, " rows"],
    write_weights: Float[Array, " rows"],
    kept: Float[Array, " rows"],
) -> Float[Array, " rows"]:
    """Return how much each row is in use: from 0, free, to 1.

    ``u_t = (u_(t-1) + w^w_(t-1) - u_(t-1) o w^w_(t-1)) o psi_t``.
    """
    return (usage + write_weights - usage * write_weights) * kept


def allocation_weighting(
    usage: Float[Array, " rows"], epsilon: float = 0.0
) -> Float[Array, " rows"]:
    """Return where to write something new: the least used row, as far as it is free.

    With phi_t, the rows in the order of their usage (the free list), least used first,
    ``a_t[phi_t[j]] = (1 - u_t[phi_t[j]]) prod over i < j of u_t[phi_t[i]]``. Of rows with the
    same usage the one with the lower index comes first; if all are used, all weights are 0.
    The order passes no gradient, as in the paper.

    ``epsilon`` maps usages to ``epsilon + (1 - epsilon) u`` before.
    """
    usage = epsilon + (1 - epsilon) * usage
    places = jnp.arange(len(usage))
    first = (usage < usage[:, None]) | ((usage == usage[:, None]) & (places < places[:, None]))
    # The product of those first in the list as a sum of logarithms. The order itself is never
    # needed, and steps are some 10 to 30 % faster than with a sort. The smallest of numbers
    # under the logarithm makes gradients those of the product, also where it is 0.
    logs = jnp.log(usage + SMALLEST)
    return (1 - usage) * jnp.exp(jnp.sum(jnp.where(first, logs, 0), axis=1))


# --- writing ----------------------------------------------------------------------------


def write_weighting(
    allocation: Float[Array, " rows"],
    content: Float[Array, " rows"],
    allocation_gate: Float[Array, ""],
    write_gate: Float[Array, ""],
) -> Float[Array, " rows"]:
    """Return where to write: ``w^w_t = g^w_t (g^a_t a_t + (1 - g^a_t) c^w_t)``."""
    return write_gate * (allocation_gate * allocation + (1 - allocation_gate) * content)


def write(
    memory: Float[Array, "columns rows"],
    weighting: Float[Array, " rows"],
    erase: Float[Array, " columns"],
    vector: Float[Array, " columns"],
    kept: Float[Array, " rows"] | None = None,
) -> Float[Array, "columns rows"]:
    """Erase and add: ``M_t = M_(t-1) o (E - w^w_t e_t^T) + w^w_t v_t^T``.

    With ``kept``, the retention psi_t, rows that are freed are wiped before:
    ``M_(t-1) o psi_t 1^T`` in place of ``M_(t-1)`` (2019, Eq. 2).
    """
    memory = memory if kept is None else memory * kept
    return memory * (1 - erase[:, None] * weighting) + spread(vector[None], weighting[None])


# --- temporal memory linkage ------------------------------------------------------------


def next_precedence(
    precedence: Float[Array, " rows"], write_weights: Float[Array, " rows"]
) -> Float[Array, " rows"]:
    """Return which row was written last: ``p_t = (1 - sum of w^w_t) p_(t-1) + w^w_t``."""
    return (1 - jnp.sum(write_weights)) * precedence + write_weights


def next_links(
    links: Float[Array, "rows rows"],
    precedence: Float[Array, " rows"],
    write_weights: Float[Array, " rows"],
) -> Float[Array, "rows rows"]:
    """Return the temporal links: near 1 in [i, j] if row i was written right after row j.

    ``L_t[i,j] = (1 - w^w_t[i] - w^w_t[j]) L_(t-1)[i,j] + w^w_t[i] p_(t-1)[j]``, and 0 on the
    diagonal. ``precedence`` is the one before the step. Rows and columns sum to at most 1.
    """
    kept = 1 - write_weights[:, None] - write_weights
    links = kept * links + write_weights[:, None] * precedence
    return links * (1 - jnp.eye(len(links), dtype=links.dtype))


def follow_links(
    links: Float[Array, "rows rows"], read_weights: Float[Array, "heads rows"]
) -> tuple[Float[Array, "heads rows"], Float[Array, "heads rows"]]:
    """Return the weightings that go on and back in time from where heads have read.

    ``f^i_t = L_t w^(r,i)_(t-1)``, ``b^i_t = L_t^T w^(r,i)_(t-1)``.
    """
    return combine_rows(read_weights, links), match_rows(read_weights, links)


def sharpen(
    weighting: Float[Array, "heads rows"], sharpness: Float[Array, " heads"]
) -> Float[Array, "heads rows"]:
    """Raise weightings to a power and normalise them (2019, Eq. 4).

    ``S(d, s)[i] = (d[i] / max(d))^s / sum over j of (d[j] / max(d))^s``, each d plus 1e-6.
    The result always sums to 1: of zeros it is uniform.
    """
    return jax.nn.softmax(sharpness[:, None] * jnp.log(weighting + SHARPENING_FLOOR), axis=-1)


# --- reading ----------------------------------------------------------------------------


def read_weighting(
    modes: Float[Array, "heads 3"],
    backward: Float[Array, "heads rows"],
    content: Float[Array, "heads rows"],
    forward: Float[Array, "heads rows"],
) -> Float[Array, "heads rows"]:
    """Return where to read: ``w^(r,i)_t = pi[1] b^i_t + pi[2] c^(r,i)_t + pi[3] f^i_t``."""
    return modes[:, :1] * backward + modes[:, 1:2] * content + modes[:, 2:] * forward
