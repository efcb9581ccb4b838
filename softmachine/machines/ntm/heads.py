"""What the heads of an NTM do in one step: read, write, address, and in which order.

Graves et al. 2014, section 3.1 (Eq. 2), 3.2 (Eq. 3 and 4) and 3.3 (Eq. 5 to 9, whose four
stages stand in `addressing.py`). In what order heads address, write and read the paper leaves
open: `ORDERS` has four answers. Heads stand read heads first, then write heads.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from softmachine.machines.ntm.addressing import (
    content_weighting,
    harden,
    interpolate,
    sharpen,
    shift,
)
from softmachine.machines.ntm.config import NTMChoices
from softmachine.machines.parts.layers import ACTIVATIONS
from softmachine.machines.parts.products import combine_rows, spread


class HeadParameters(NamedTuple):
    """What the controller tells the heads at one step, with the paper's symbols."""

    keys: Float[Array, "heads columns"]
    """k_t: what content is looked for."""
    key_strengths: Float[Array, " heads"]
    """beta_t, above 0: how much the best match stands out."""
    gates: Float[Array, " heads"]
    """g_t in (0, 1): by content (1), or from where the head was (0)."""
    shifts: Float[Array, "heads shifts"]
    """s_t: a distribution over shifts."""
    sharpenings: Float[Array, " heads"]
    """gamma_t, at least 1."""
    erases: Float[Array, "write_heads columns"]
    """e_t in (0, 1)."""
    adds: Float[Array, "write_heads columns"]
    """a_t."""


def head_value_sizes(config: NTMChoices) -> tuple[int, ...]:
    """Return how many of the controller's values are keys, how many key strengths, ...

    The parts lie one after the other: keys, key strengths, sharpenings, gates, shifts,
    erases, adds; within each, the heads in the order of the state.
    """
    columns, writers = config.memory_columns, config.write_heads
    heads = config.read_heads + writers
    written = writers * columns
    return (heads * columns, heads, heads, heads, heads * config.shifts, written, written)


def to_head_parameters(values: Float[Array, " values"], config: NTMChoices) -> HeadParameters:
    """Bring values of the controller, any real numbers, into the ranges of the parameters."""
    columns, writers = config.memory_columns, config.write_heads
    heads = config.read_heads + writers
    if config.head_clip is not None:
        values = jnp.clip(values, -config.head_clip, config.head_clip)
    ends = list(itertools.accumulate(head_value_sizes(config)[:-1]))
    keys, strengths, sharpenings, gates, shifts, erases, adds = jnp.split(values, ends)
    sharpenings = 1 + jax.nn.softplus(sharpenings)
    if config.sharpening_factor != 1:
        sharpenings = jnp.maximum(config.sharpening_factor * sharpenings, 1)
    return HeadParameters(
        keys=ACTIVATIONS[config.key_activation](keys).reshape(heads, columns),
        key_strengths=jax.nn.softplus(strengths),
        gates=jax.nn.sigmoid(gates),
        shifts=jax.nn.softmax(shifts.reshape(heads, config.shifts), axis=-1),
        sharpenings=sharpenings,
        erases=jax.nn.sigmoid(erases).reshape(writers, columns),
        adds=ACTIVATIONS[config.add_activation](adds).reshape(writers, columns),
    )


# --- section 3.1: reading -----------------------------------------------------------------


def read(
    memory: Float[Array, "columns rows"], weightings: Float[Array, "read_heads rows"]
) -> Float[Array, "read_heads columns"]:
    """Return the weighted mean of the rows, for each read head.

    Eq. 2: ``r_t = sum over i of w_t(i) M_t(i)``, where Eq. 1 has the weights sum to 1.
    """
    return combine_rows(weightings, memory)


# --- section 3.2: writing -----------------------------------------------------------------


def write(
    memory: Float[Array, "columns rows"],
    weightings: Float[Array, "write_heads rows"],
    erases: Float[Array, "write_heads columns"],
    adds: Float[Array, "write_heads columns"],
) -> Float[Array, "columns rows"]:
    """Apply all erases and then all adds.

    Eq. 3: ``M~_t(i) = M_{t-1}(i) [1 - w_t(i) e_t]``;
    Eq. 4: ``M_t(i) = M~_t(i) + w_t(i) a_t``.
    """
    for i in range(len(erases)):
        memory = memory * (1 - spread(erases[i : i + 1], weightings[i : i + 1]))
    return memory + spread(adds, weightings)


def write_with_all(
    memory: Float[Array, "columns rows"],
    weightings: Float[Array, "write_heads rows"],
    parameters: HeadParameters,
    config: NTMChoices,
) -> Float[Array, "columns rows"]:
    """Write with all write heads: at once, or each head's erase and add in turn."""
    erases, adds = parameters.erases, parameters.adds
    if config.write_composition == "erase-then-add":
        return write(memory, weightings, erases, adds)
    for i in range(config.write_heads):
        one = slice(i, i + 1)
        memory = write(memory, weightings[one], erases[one], adds[one])
    return memory


# --- section 3.3: addressing --------------------------------------------------------------


def address(
    parameters: HeadParameters,
    memory: Float[Array, "columns rows"],
    previous: Float[Array, "heads rows"],
    heads: slice,
    config: NTMChoices,
) -> Float[Array, "addressed rows"]:
    """Return the next weightings w_t of some of the heads: the last of `address_stages`."""
    return address_stages(parameters, memory, previous, heads, config).weighting


class Stages(NamedTuple):
    """Weightings after each of the four stages of addressing."""

    content: Float[Array, "addressed rows"]
    """w^c_t."""
    gated: Float[Array, "addressed rows"]
    """w^g_t."""
    shifted: Float[Array, "addressed rows"]
    """w~_t."""
    weighting: Float[Array, "addressed rows"]
    """w_t."""


def address_stages(
    parameters: HeadParameters,
    memory: Float[Array, "columns rows"],
    previous: Float[Array, "heads rows"],
    heads: slice,
    config: NTMChoices,
) -> Stages:
    """Return the weightings of some of the heads after each of the four stages of Fig. 2.

    Eq. 5 and 6: by content; Eq. 7: interpolation; Eq. 8: shift; Eq. 9: sharpening.
    ``previous`` holds w_{t-1} of all heads.
    """
    # Norms and powers under- and overflow in half precision: addressing is float32 at least.
    wide = jnp.promote_types(memory.dtype, jnp.float32)
    keys, key_strengths, gates, shifts, sharpenings = (
        x[heads].astype(wide) for x in parameters[:5]
    )
    content = content_weighting(
        memory.astype(wide),
        keys,
        key_strengths,
        smoothing=config.similarity_smoothing,
        epsilon=config.similarity_epsilon,
    )
    gated = interpolate(content, previous[heads].astype(wide), gates)
    moved = shift(gated, shifts, wrap=config.wrap)
    weighting = sharpen(moved, sharpenings, smoothing=config.sharpening_smoothing)
    weighting = harden(weighting) if config.hard else weighting
    return Stages(*(x.astype(memory.dtype) for x in (content, gated, moved, weighting)))


Addressing = Callable[
    [HeadParameters, Array, Array, slice, NTMChoices], Float[Array, "addressed rows"]
]
"""What `address` is: ``(parameters, memory, previous, heads, config) -> weightings``."""


# --- the order of the heads ---------------------------------------------------------------

Memory = Float[Array, "columns rows"]
Weightings = Float[Array, "heads rows"]
Reads = Float[Array, "read_heads columns"]
AddressOn = Callable[[Memory, slice], Float[Array, "addressed rows"]]
"""`address` in one step, from w_{t-1}: given a memory, the weightings of some heads on it."""
Order = Callable[
    [HeadParameters, Memory, AddressOn, NTMChoices],
    tuple[Memory, Weightings, Reads],
]
"""A step of all heads, from M_{t-1} to M_t, w_t and r_t."""


def write_then_read(
    parameters: HeadParameters,
    memory: Memory,
    address_on: AddressOn,
    config: NTMChoices,
) -> tuple[Memory, Weightings, Reads]:
    """Write heads address M_{t-1} and write M_t; then read heads address M_t and read it."""
    readers, writers = slice(0, config.read_heads), slice(config.read_heads, None)
    writing = address_on(memory, writers)
    memory = write_with_all(memory, writing, parameters, config)
    reading = address_on(memory, readers)
    return memory, jnp.concatenate([reading, writing]), read(memory, reading)


def read_then_write(
    parameters: HeadParameters,
    memory: Memory,
    address_on: AddressOn,
    config: NTMChoices,
) -> tuple[Memory, Weightings, Reads]:
    """All heads address M_{t-1}; read heads read it, write heads make M_t of it."""
    readers, writers = slice(0, config.read_heads), slice(config.read_heads, None)
    weightings = address_on(memory, slice(None))
    written = write_with_all(memory, weightings[writers], parameters, config)
    return written, weightings, read(memory, weightings[readers])


def address_then_write_then_read(
    parameters: HeadParameters,
    memory: Memory,
    address_on: AddressOn,
    config: NTMChoices,
) -> tuple[Memory, Weightings, Reads]:
    """All heads address M_{t-1}; write heads make M_t of it, read heads read M_t."""
    readers, writers = slice(0, config.read_heads), slice(config.read_heads, None)
    weightings = address_on(memory, slice(None))
    written = write_with_all(memory, weightings[writers], parameters, config)
    return written, weightings, read(written, weightings[readers])


def alternate(
    parameters: HeadParameters,
    memory: Memory,
    address_on: AddressOn,
    config: NTMChoices,
) -> tuple[Memory, Weightings, Reads]:
    """First read head, first write head, second read head, ...: one after the other.

    Each addresses the memory as the head before left it.
    """
    read_weightings, write_weightings, reads = [], [], []
    for i in range(max(config.read_heads, config.write_heads)):
        if i < config.read_heads:
            reading = address_on(memory, slice(i, i + 1))
            read_weightings.append(reading)
            reads.append(read(memory, reading))
        if i < config.write_heads:
            head, one = config.read_heads + i, slice(i, i + 1)
            writing = address_on(memory, slice(head, head + 1))
            write_weightings.append(writing)
            memory = write(memory, writing, parameters.erases[one], parameters.adds[one])
    weightings = jnp.concatenate(read_weightings + write_weightings)
    return memory, weightings, jnp.concatenate(reads)


ORDERS: dict[str, Order] = {
    "write-read": write_then_read,
    "read-write": read_then_write,
    "address-write-read": address_then_write_then_read,
    "alternate": alternate,
}
"""The orders of heads, by the names they have in `NTMChoices.order`."""
