"""The memory of a DNC: what the controller tells it, its state, and what it does in a step."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from softmachine.machines.dnc.config import DNCChoices
from softmachine.machines.dnc.mechanisms import (
    allocation_weighting,
    content_weighting,
    follow_links,
    next_links,
    next_precedence,
    next_usage,
    read_weighting,
    retention,
    sharpen,
    write,
    write_weighting,
)
from softmachine.machines.dnc.sparse_links import (
    SparseLinks,
    follow_sparse_links,
    next_sparse_links,
    no_links,
)
from softmachine.machines.parts.products import combine_rows

Links = Float[Array, "rows rows"] | SparseLinks


class Interface(NamedTuple):
    """The interface vector xi_t by its parts, after their activations."""

    read_keys: Float[Array, "heads columns"]
    read_strengths: Float[Array, " heads"]
    write_key: Float[Array, " columns"]
    write_strength: Float[Array, ""]
    erase: Float[Array, " columns"]
    """e_t, in [0, 1]."""
    vector: Float[Array, " columns"]
    """v_t, what is written."""
    free_gates: Float[Array, " heads"]
    allocation_gate: Float[Array, ""]
    write_gate: Float[Array, ""]
    read_modes: Float[Array, "heads 3"] | None
    """pi_t: backward, content, forward; None without links."""
    read_masks: Float[Array, "heads columns"] | None
    write_mask: Float[Array, " columns"] | None
    forward_sharpness: Float[Array, " heads"] | None
    backward_sharpness: Float[Array, " heads"] | None


class MemoryState(NamedTuple):
    """What the memory is after a step."""

    memory: Float[Array, "columns rows"]
    """M_t, transposed: rows, the long axis, are contiguous."""
    usage: Float[Array, " rows"]
    """u_t."""
    write_weights: Float[Array, " rows"]
    """w^w_t."""
    links: Links | None
    """L_t; None without links."""
    precedence: Float[Array, " rows"] | None
    """p_t; None likewise."""
    read_weights: Float[Array, "heads rows"]
    """w^r_t."""
    reads: Float[Array, "heads columns"]
    """r_t."""


def interface_sizes(config: DNCChoices) -> tuple[int, ...]:
    """Return how many numbers of xi_t each part of `Interface` takes, in its order.

    ``W R + 3 W + 5 R + 3`` in all, as in the paper, without the fixes of 2019.
    """
    columns, heads = config.memory_columns, config.read_heads
    modes = 0 if config.links == "none" else 3 * heads
    masks = (heads * columns, columns) if config.masking else (0, 0)
    sharpness = heads if config.sharpening else 0
    keys = (heads * columns, heads, columns, 1)
    return (*keys, columns, columns, heads, 1, 1, modes, *masks, sharpness, sharpness)


def to_interface(values: Float[Array, " interface"], config: DNCChoices) -> Interface:
    """Map the controller's numbers to the interface, each part to its domain."""
    if config.interface_clip is not None:
        values = jnp.clip(values, -config.interface_clip, config.interface_clip)
    ends = list(itertools.accumulate(interface_sizes(config)[:-1]))
    parts = jnp.split(values, ends)
    heads = config.read_heads

    def positive(x):
        return jax.nn.softplus(x) + (1 if config.strengths == "oneplus" else 0)

    def mask(x):
        return config.least_mask + (1 - config.least_mask) * jax.nn.sigmoid(x)

    linked, sharp = config.links != "none", config.sharpening
    return Interface(
        read_keys=parts[0].reshape(heads, -1),
        read_strengths=positive(parts[1]),
        write_key=parts[2],
        write_strength=positive(parts[3])[0],
        erase=jax.nn.sigmoid(parts[4]),
        vector=parts[5],
        free_gates=jax.nn.sigmoid(parts[6]),
        allocation_gate=jax.nn.sigmoid(parts[7])[0],
        write_gate=jax.nn.sigmoid(parts[8])[0],
        read_modes=jax.nn.softmax(parts[9].reshape(heads, 3)) if linked else None,
        read_masks=mask(parts[10]).reshape(heads, -1) if config.masking else None,
        write_mask=mask(parts[11]) if config.masking else None,
        forward_sharpness=1 + jax.nn.softplus(parts[12]) if sharp else None,
        backward_sharpness=1 + jax.nn.softplus(parts[13]) if sharp else None,
    )


def first_state(config: DNCChoices, dtype: jnp.dtype) -> MemoryState:
    """Return the empty memory: all zeros, as in public code; the paper does not say."""
    rows, columns, heads = config.memory_rows, config.memory_columns, config.read_heads
    links: Links | None = None
    if config.links == "dense":
        links = jnp.zeros((rows, rows), dtype)
    elif config.links == "sparse":
        links = no_links(rows, config.kept_links, dtype)
    return MemoryState(
        memory=jnp.zeros((columns, rows), dtype),
        usage=jnp.zeros(rows, dtype),
        write_weights=jnp.zeros(rows, dtype),
        links=links,
        precedence=None if config.links == "none" else jnp.zeros(rows, dtype),
        read_weights=jnp.zeros((heads, rows), dtype),
        reads=jnp.zeros((heads, columns), dtype),
    )


def access(interface: Interface, state: MemoryState, config: DNCChoices) -> MemoryState:
    """Take one step: usage, allocation, write, links, precedence, read.

    What is written is found in the memory before the step, what is read in the one after it.
    """
    usage, kept = _usage(interface, state, config)
    write_weights = _write_weights(interface, state.memory, usage, config)
    memory = write(
        state.memory,
        write_weights,
        interface.erase,
        interface.vector,
        kept if config.wiping else None,
    )
    links, precedence = _links(state, write_weights, config)
    read_weights = content_weighting(
        memory,
        interface.read_keys,
        interface.read_strengths,
        interface.read_masks,
        smoothing=config.similarity_smoothing,
        epsilon=config.similarity_epsilon,
    ).astype(memory.dtype)
    if links is not None and interface.read_modes is not None:
        forward, backward = _follow(interface, links, state.read_weights)
        read_weights = read_weighting(interface.read_modes, backward, read_weights, forward)
    if config.hard:
        read_weights = harden(read_weights)
    reads = combine_rows(read_weights, memory)
    return MemoryState(memory, usage, write_weights, links, precedence, read_weights, reads)


def harden(weighting: Float[Array, "*heads rows"]) -> Float[Array, "*heads rows"]:
    """Put all weight on the row that has most, or none if there is less than 1/2 in all.

    Of equals the first row has it. It passes no gradient.
    """
    rows = weighting.shape[-1]
    one = jax.nn.one_hot(jnp.argmax(weighting, axis=-1), rows, dtype=weighting.dtype)
    return jnp.where(jnp.sum(weighting, axis=-1, keepdims=True) > 0.5, one, 0)


def _usage(
    interface: Interface, state: MemoryState, config: DNCChoices
) -> tuple[Float[Array, " rows"], Float[Array, " rows"]]:
    """Return u_t and the retention psi_t."""
    free_gates, written = interface.free_gates, state.write_weights
    if config.hard:
        free_gates = jnp.round(free_gates)
    if not config.usage_gradient:
        written = jax.lax.stop_gradient(written)
    kept = retention(free_gates, state.read_weights)
    return next_usage(state.usage, written, kept), kept


def _write_weights(
    interface: Interface,
    memory: Float[Array, "columns rows"],
    usage: Float[Array, " rows"],
    config: DNCChoices,
) -> Float[Array, " rows"]:
    """Return w^w_t: where the write key is found, or where there is room."""
    mask = interface.write_mask
    content = content_weighting(
        memory,
        interface.write_key[None],
        interface.write_strength[None],
        None if mask is None else mask[None],
        smoothing=config.similarity_smoothing,
        epsilon=config.similarity_epsilon,
    )[0].astype(memory.dtype)
    weights = write_weighting(
        allocation_weighting(usage, config.allocation_epsilon),
        content,
        interface.allocation_gate,
        interface.write_gate,
    )
    return harden(weights) if config.hard else weights


def _links(
    state: MemoryState, write_weights: Float[Array, " rows"], config: DNCChoices
) -> tuple[Links | None, Float[Array, " rows"] | None]:
    """Return L_t, made with the old precedence, and p_t."""
    links, precedence = state.links, state.precedence
    if links is None or precedence is None:
        return None, None
    if isinstance(links, SparseLinks):
        links = next_sparse_links(
            links,
            precedence,
            write_weights,
            kept=config.kept_links,
            normalize=config.normalize_sparse,
        )
    else:
        links = next_links(links, precedence, write_weights)
    return links, next_precedence(precedence, write_weights)


def _follow(
    interface: Interface, links: Links, read_weights: Float[Array, "heads rows"]
) -> tuple[Float[Array, "heads rows"], Float[Array, "heads rows"]]:
    """Return forward and backward weightings, sharpened if that is so."""
    if isinstance(links, SparseLinks):
        forward, backward = follow_sparse_links(links, read_weights)
    else:
        forward, backward = follow_links(links, read_weights)
    sharpness = interface.forward_sharpness, interface.backward_sharpness
    if sharpness[0] is not None and sharpness[1] is not None:
        forward, backward = sharpen(forward, sharpness[0]), sharpen(backward, sharpness[1])
    return forward, backward
