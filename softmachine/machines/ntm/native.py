"""A step of all heads in one call, in C: what updates of an NTM take where it is asked for.

It is `to_head_parameters` and one of the `ORDERS` of `heads.py`, with gradients, and gives what
these give, up to rounding. XLA makes some seventy operations of them, each of which goes
through the memories of the whole batch; `native.c` does all of them for one example, whose
memory is in the nearest cache meanwhile, and then for the next.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from softmachine.core.native import provide
from softmachine.machines.ntm.addressing import WEIGHT_FLOOR
from softmachine.machines.ntm.config import NTMChoices

SOURCE = Path(__file__).with_name("native.c")
STEP, BACK = "softmachine_ntm_step", "softmachine_ntm_step_back"
LANES = 16
"""Rows have to be a multiple of this."""
LATE = {"read-write": (0, 0), "address-write-read": (0, 1), "write-read": (1, 1)}
"""Of each order whether read heads address, and whether they read, what was written."""
ACTIVATIONS = {"linear": 0, "tanh": 1, "relu": 2, "sigmoid": 3}
"""Their numbers in `native.c`."""

Results = tuple[
    Float[Array, "columns rows"], Float[Array, "heads rows"], Float[Array, "read_heads columns"]
]
NativeStep = Callable[
    [Float[Array, " values"], Float[Array, "columns rows"], Float[Array, "heads rows"]], Results
]
"""From the controller's values, M_{t-1} and w_{t-1} to M_t, w_t and r_t."""


def native_step(config: NTMChoices, dtype: jnp.dtype) -> NativeStep | None:
    """Return a step of all heads, of one example; None if it cannot be had.

    It is had in float32 on a CPU where it is asked for and there is a C compiler (`provide`),
    for most configurations: not for heads that take turns, for hard heads, nor for shifts
    without wrap-around and other options that public code has.
    """
    had = (
        dtype == jnp.float32
        and config.memory_rows % LANES == 0
        and config.order in LATE
        and (config.write_heads == 1 or config.write_composition == "erase-then-add")
        and config.wrap
        and not config.hard
        and config.sharpening_factor == 1
        and config.sharpening_smoothing == 0
    )
    return _step(config) if had and provide(SOURCE, (STEP, BACK)) else None


@functools.lru_cache(maxsize=64)
def _step(config: NTMChoices) -> NativeStep:
    late_address, late_read = LATE[config.order]
    attributes = {
        "readers": config.read_heads,
        "shifts": config.shifts,
        "late_address": late_address,
        "late_read": late_read,
        "key_activation": ACTIVATIONS[config.key_activation],
        "add_activation": ACTIVATIONS[config.add_activation],
        "clip": math.inf if config.head_clip is None else config.head_clip,
        "smoothing": config.similarity_smoothing,
        "epsilon": config.similarity_epsilon,
        "floor": WEIGHT_FLOOR,
    }
    attributes = {name: np.float32(value) for name, value in attributes.items()}
    reads = (config.read_heads, config.memory_columns)

    def call(name, results, arguments, aliases):
        shapes = tuple(jax.ShapeDtypeStruct(shape, jnp.float32) for shape in results)
        function = jax.ffi.ffi_call(
            name, shapes, vmap_method="broadcast_all", input_output_aliases=aliases
        )
        return tuple(function(*arguments, **attributes))

    @jax.custom_vjp
    def step(values, memory, previous):
        results = (memory.shape, previous.shape, reads)
        return call(STEP, results, (values, memory, previous), {1: 0})

    def backward(arguments, bars):
        shapes = tuple(x.shape for x in arguments)
        return call(BACK, shapes, (*arguments, *bars), {3: 1})

    # The backward pass takes the step once more: to keep its stages would cost more.
    step.defvjp(lambda *arguments: (step(*arguments), arguments), backward)
    # C reads float32, whatever it is given.
    return lambda *arguments: step(*(jnp.asarray(x, jnp.float32) for x in arguments))
