"""The gates of a Neural Random-Access Machine: functions of integers, and of distributions.

A value is an integer in 0..M-1, held as a distribution: an array whose first axis runs over
the M values. Any other axes (a batch) come after it and are carried along. Every gate is
given side by side as a function of integers (`Gate.hard`) and as the function of
distributions that follows from it for independent arguments (`Gate.soft`)::

    P(gate(A, B) = c) = sum over a, b with gate(a, b) = c of P(A = a) P(B = b)

Source: Kurach, Andrychowicz and Sutskever 2016 (arXiv 1511.06392), Eq. 2 and section 4.3.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from softmachine.core.sums import UNROLLED, add_up, at, split, weighted_sum

Distribution = Float[Array, "values ..."]
Memory = Float[Array, "cells values ..."]


@dataclasses.dataclass(frozen=True)
class Gate:
    """One gate, as a function of integers; a few lines define another.

    For instance::

        define(Gate("MUL", "*", 2, lambda a, b, m: (a * b) % m))

    Without a fast form of its own its exact soft form comes from a table of all arguments.
    """

    name: str
    symbol: str
    """For drawings."""
    arity: Literal[0, 1, 2]
    """How many arguments it has."""
    integer: Callable[..., Any]
    """``(arguments..., M) -> value``, element by element on integer arrays."""
    fast: Callable[..., Distribution] | None = None
    """``(distributions...) -> distribution``, equal to what the table gives."""
    memory: Literal["", "read", "write"] = ""
    """Whether it reads or writes the memory; only READ and WRITE do."""

    def hard(
        self, *arguments: Int[Array, "*batch"] | int, values: Int[Array, ""] | int
    ) -> Int[Array, "*batch"]:
        """Return the integer that the gate gives for integers in ``0 .. values - 1``."""
        return jnp.asarray(self.integer(*arguments, values), jnp.int32)

    def soft(self, *arguments: Distribution, values: int) -> Distribution:
        """Return the distribution that the gate gives for distributions over ``values``.

        Eq. 2: ``P(m(A, B) = c) = sum over a, b of P(A = a) P(B = b) [m(a, b) = c]``.

        Raises ValueError if the integer function leaves ``0 .. values - 1``.
        """
        if self.fast is not None:
            return self.fast(*arguments)
        table = self.table(values)
        if not arguments:
            return jax.nn.one_hot(int(table), values)
        joint = arguments[0]
        if self.arity == 2:
            joint = (joint[:, None] * arguments[1]).reshape(values**2, *joint.shape[1:])
        return jax.ops.segment_sum(joint, table.ravel(), num_segments=values)

    def table(self, values: int) -> Int[np.ndarray, "..."]:
        """Return what the gate gives for all integers in ``0 .. values - 1``, an axis each.

        Raises ValueError if that leaves ``0 .. values - 1``.
        """
        grid = np.meshgrid(*[np.arange(values)] * self.arity, indexing="ij")
        table = np.broadcast_to(np.asarray(self.integer(*grid, values)), (values,) * self.arity)
        if table.min() < 0 or table.max() >= values or table.dtype.kind not in "iub":
            raise ValueError(
                f"gate {self.name} must give integers in 0..{values - 1} for {values} values; "
                f"it gives {table.dtype} from {table.min()} to {table.max()}"
            )
        return table.astype(np.int32)


# Mixtures


@jax.custom_vjp
def mix(
    choices: Float[Array, "rows n ..."], values: Float[Array, "n values ..."]
) -> Float[Array, "rows values ..."]:
    """Return, for each row, the sum over i of ``choices[row, i] values[i]``."""
    if len(values) <= UNROLLED:
        return add_up(_row(choices, i) * at(values, i) for i in range(len(values)))
    return weighted_sum(jnp.swapaxes(choices, 0, 1)[:, :, None], values[:, None])


def _row(x: Float[Array, "rows n ..."], i: int) -> Float[Array, "rows 1 ..."]:
    return jax.lax.expand_dims(at(x, i, 1), (1,))


def mix_choices_back(
    values: Float[Array, "n values ..."], bar: Float[Array, "rows values ..."]
) -> Float[Array, "rows n ..."]:
    """Return the gradient of `mix` with respect to the choices."""
    if bar.shape[1] <= UNROLLED:
        return add_up(at(values, v, 1) * _row(bar, v) for v in range(bar.shape[1]))
    return weighted_sum(
        jnp.swapaxes(values, 0, 1)[:, None], jnp.swapaxes(bar, 0, 1)[:, :, None]
    )


def _mix_back(saved, bar):
    choices, values = saved
    return mix_choices_back(values, bar), weighted_sum(choices[:, :, None], bar[:, None])


mix.defvjp(lambda choices, values: (mix(choices, values), (choices, values)), _mix_back)


# The memory


def read(memory: Memory, pointer: Distribution) -> Distribution:
    """Return the mean of the cells under a pointer: ``sum over i of pointer[i] memory[i]``."""
    return mix(pointer[None], memory)[0]


@jax.custom_vjp
def write(memory: Memory, pointer: Distribution, value: Distribution) -> Memory:
    """Return the memory after a write; cell i changes as far as the pointer is on i.

    Source: section 3.2, ``(1 - p) 1ᵀ · M + p aᵀ``.
    """
    return memory + pointer[:, None] * (value - memory)


def write_back(
    memory: Memory, pointer: Distribution, value: Distribution, bar: Memory
) -> tuple[Memory, Distribution, Distribution]:
    """Return the gradients of `write` with respect to its arguments."""
    changes = jnp.swapaxes(bar * (value - memory), 0, 1)
    pointer_bar = add_up(split(changes))[0]
    return bar * (1 - pointer[:, None]), pointer_bar, weighted_sum(pointer[:, None], bar)


write.defvjp(
    lambda memory, pointer, value: (write(memory, pointer, value), (memory, pointer, value)),
    lambda saved, bar: write_back(saved[0], saved[1], saved[2], bar),
)


def inner(a: Distribution, b: Distribution) -> Float[Array, "*batch"]:
    """Return the sum over i of ``a[i] b[i]``."""
    return add_up(split(a * b))[0]


# Circular sums; the gradients of each are the other.


@jax.custom_vjp
def add(a: Distribution, b: Distribution) -> Distribution:
    """Return the distribution of (A + B) mod M: a circular convolution."""
    m = len(a)
    return _sum_of_windows(a, jnp.concatenate([b, b]), lambda i: m - i)


@jax.custom_vjp
def subtract(a: Distribution, b: Distribution) -> Distribution:
    """Return the distribution of (A - B) mod M: a circular correlation."""
    return _sum_of_windows(b, jnp.concatenate([a, a]), lambda i: i)


add.defvjp(
    lambda a, b: (add(a, b), (a, b)),
    lambda saved, bar: (subtract(bar, saved[1]), subtract(bar, saved[0])),
)
subtract.defvjp(
    lambda a, b: (subtract(a, b), (a, b)),
    lambda saved, bar: (add(bar, saved[1]), subtract(saved[0], bar)),
)


def _sum_of_windows(
    weights: Distribution, doubled: Float[Array, "2*values ..."], start: Callable[[Any], Any]
) -> Distribution:
    """Return the sum over i of ``weights[i] doubled[start(i) : start(i) + M]``."""
    m = len(weights)
    if m <= UNROLLED:
        windows = (jax.lax.slice_in_dim(doubled, start(i), start(i) + m) for i in range(m))
        return add_up(at(weights, i) * window for i, window in enumerate(windows))

    def term(i, total):
        window = jax.lax.dynamic_slice_in_dim(doubled, start(i), m)
        return total + jax.lax.dynamic_index_in_dim(weights, i, keepdims=False) * window

    return jax.lax.fori_loop(0, m, term, jnp.zeros_like(weights))


# Comparisons


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _total(upwards: bool, own: bool, a: Distribution) -> Distribution:
    """Return, for each c, the sum of ``a[i]`` over i > c, or i < c; and i = c if ``own``."""
    mask = np.tri(len(a), k=0 if own else -1, dtype=np.float32)
    mask = (mask if upwards else mask.T).reshape(len(a), len(a), *[1] * (a.ndim - 1))
    return weighted_sum(jnp.asarray(mask, a.dtype), a[:, None])


_total.defvjp(
    lambda upwards, own, a: (_total(upwards, own, a), None),
    lambda upwards, own, _, bar: (_total(not upwards, own, bar),),
)


def at_least(a: Distribution) -> Distribution:
    """Return P(A >= c) for each c."""
    return _total(True, True, a)


def more_than(a: Distribution) -> Distribution:
    """Return P(A > c) for each c."""
    return _total(True, False, a)


def at_most(a: Distribution) -> Distribution:
    """Return P(A <= c) for each c."""
    return _total(False, True, a)


def less_than(a: Distribution) -> Distribution:
    """Return P(A < c) for each c."""
    return _total(False, False, a)


def truth(probability: Float[Array, "*batch"], values: int) -> Distribution:
    """Return the distribution of a truth value: 1 with a probability, else 0."""
    probability = jax.lax.optimization_barrier(probability)
    rest = jnp.zeros((values - 2, *probability.shape), probability.dtype)
    return jnp.concatenate([(1 - probability)[None], probability[None], rest])


PAPER = (
    Gate("READ", "R", 1, lambda p, m: p, memory="read"),
    Gate("ZERO", "0", 0, lambda m: 0),
    Gate("ONE", "1", 0, lambda m: 1),
    Gate("TWO", "2", 0, lambda m: 2),
    Gate("INC", "+1", 1, lambda a, m: (a + 1) % m, lambda a: jnp.roll(a, 1, axis=0)),
    Gate("ADD", "+", 2, lambda a, b, m: (a + b) % m, add),
    Gate("SUB", "-", 2, lambda a, b, m: (a - b) % m, subtract),
    Gate("DEC", "-1", 1, lambda a, m: (a - 1) % m, lambda a: jnp.roll(a, -1, axis=0)),
    Gate(
        "LESS-THAN",
        "<",
        2,
        lambda a, b, m: (a < b) * 1,
        lambda a, b: truth(inner(a, more_than(b)), len(a)),
    ),
    Gate(
        "LESS-OR-EQUAL-THAN",
        "≤",
        2,
        lambda a, b, m: (a <= b) * 1,
        lambda a, b: truth(inner(a, at_least(b)), len(a)),
    ),
    Gate(
        "EQUALITY-TEST",
        "=",
        2,
        lambda a, b, m: (a == b) * 1,
        lambda a, b: truth(inner(a, b), len(a)),
    ),
    Gate(
        "MIN",
        "min",
        2,
        lambda a, b, m: a * (a < b) + b * (b <= a),
        lambda a, b: a * at_least(b) + b * more_than(a),
    ),
    Gate(
        "MAX",
        "max",
        2,
        lambda a, b, m: a * (a > b) + b * (b >= a),
        lambda a, b: a * at_most(b) + b * less_than(a),
    ),
    Gate("WRITE", "W", 2, lambda p, a, m: 0 * p, memory="write"),
)
"""The fourteen gates of the paper, in its order. WRITE changes the memory and gives 0."""

GATES: dict[str, Gate] = {gate.name: gate for gate in PAPER}
"""All gates by name."""
PAPER_GATES = tuple(GATES)


def define(gate: Gate) -> Gate:
    """Register a gate of your own under its name; return it.

    Raises ValueError if there is another gate of this name, or if it has more than two
    arguments or access to the memory.
    """
    if GATES.get(gate.name, gate) != gate:
        raise ValueError(f"there is already a gate named {gate.name}")
    if gate.arity not in (0, 1, 2):
        raise ValueError(f"gate {gate.name} must have 0, 1 or 2 arguments, not {gate.arity}")
    if gate.memory:
        raise ValueError(
            f"gate {gate.name} cannot have memory access: only READ and WRITE have"
        )
    GATES[gate.name] = gate
    return gate


def find_gates(names: Sequence[str]) -> tuple[Gate, ...]:
    """Return gates by name; ValueError if there is no such gate."""
    for name in names:
        if name not in GATES:
            raise ValueError(f"there is no gate {name!r}; there are {', '.join(GATES)}")
    return tuple(GATES[name] for name in names)
