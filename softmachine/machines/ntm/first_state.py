"""The state of an NTM before its first step: memory, weightings and reads.

The paper says nothing of it, public code differs, and much depends on it: rows of a memory that
are equal, under weightings that are equal, stay equal for ever. Each of the three is either a
parameter that is trained, or an array drawn once and never trained (a `Buffer`), or it follows
from the configuration alone (None in the machine).
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from softmachine.machines.machine import Buffer
from softmachine.machines.ntm.config import NTMChoices

READS_SCALE = 0.01
"""The standard deviation of first reads that are drawn at random."""


class InitialArrays(NamedTuple):
    """Stored parts of the initial state; None where the configuration fixes it."""

    memory: Float[Array, "columns rows"] | Buffer | None
    weightings: Float[Array, "heads rows"] | None
    """Logits."""
    reads: Float[Array, "read_heads columns"] | Buffer | None
    """What is trained goes through tanh; a `Buffer` is taken as it is."""


def draw_initial_arrays(
    config: NTMChoices,
    memory_key: PRNGKeyArray,
    weightings_key: PRNGKeyArray,
    reads_key: PRNGKeyArray,
) -> InitialArrays:
    """Return what a new machine keeps of its first state."""
    low, high = config.initial_memory_range
    shape = (config.memory_columns, config.memory_rows)
    memory = weightings = reads = None
    if config.initial_memory in ("learned", "random"):
        drawn = jax.random.uniform(memory_key, shape, minval=low, maxval=high)
        memory = drawn if config.initial_memory == "learned" else Buffer(drawn)
    if config.initial_weightings == "learned":
        heads = config.read_heads + config.write_heads
        weightings = jax.random.normal(weightings_key, (heads, config.memory_rows))
    read_shape = (config.read_heads, config.memory_columns)
    if config.initial_reads == "learned":
        reads = jnp.zeros(read_shape)
    elif config.initial_reads == "random":
        reads = Buffer(READS_SCALE * jax.random.normal(reads_key, read_shape))
    return InitialArrays(memory, weightings, reads)


def needs_key(config: NTMChoices) -> bool:
    """Return whether some of the first state is drawn anew for every sequence."""
    return config.initial_memory == "resampled" or config.initial_weightings == "random-row"


def first_memory(
    config: NTMChoices,
    initial: Float[Array, "columns rows"] | Buffer | None,
    dtype: jnp.dtype,
    key: PRNGKeyArray | None,
) -> Float[Array, "columns rows"]:
    """Return the memory M_0.

    Arguments:
        config: says how it is made.
        initial: what the machine keeps of it.
        dtype: the type of the parameters.
        key: what a memory that is ``resampled`` is drawn from.
    """
    shape = (config.memory_columns, config.memory_rows)
    low, high = config.initial_memory_range
    if isinstance(initial, Buffer):
        return initial()
    if initial is not None:
        return initial
    if config.initial_memory == "resampled" and key is not None:
        return jax.random.uniform(key, shape, dtype, minval=low, maxval=high)
    return jnp.full(shape, low, dtype)


def first_weightings(
    config: NTMChoices,
    logits: Float[Array, "heads rows"] | None,
    dtype: jnp.dtype,
    key: PRNGKeyArray | None,
) -> Float[Array, "heads rows"]:
    """Return the weightings w_0 of all heads.

    Arguments:
        config: says how they are made.
        logits: the machine's, if they are trained.
        dtype: the type of the parameters.
        key: what the row of ``random-row``, one for all heads, is drawn from.
    """
    rows, heads = config.memory_rows, config.read_heads + config.write_heads
    kind = config.initial_weightings
    if logits is not None:
        return jax.nn.softmax(logits, axis=-1)
    if kind == "uniform":
        return jnp.full((heads, rows), 1 / rows, dtype)
    if kind == "zeros":
        return jnp.zeros((heads, rows), dtype)
    row = 0 if key is None or kind == "first-row" else jax.random.randint(key, (), 0, rows)
    return jnp.tile(jax.nn.one_hot(row, rows, dtype=dtype), (heads, 1))


def first_reads(
    config: NTMChoices,
    initial: Float[Array, "read_heads columns"] | Buffer | None,
    dtype: jnp.dtype,
) -> Float[Array, "read_heads columns"]:
    """Return the read vectors r_0, which the controller sees in the first step.

    Arguments:
        config: says their shape.
        initial: what the machine keeps of them; without anything they are zeros.
        dtype: the type of the parameters.
    """
    if isinstance(initial, Buffer):
        return initial()
    if initial is not None:
        return jnp.tanh(initial)
    return jnp.zeros((config.read_heads, config.memory_columns), dtype)
