"""The gates of a Neural Random-Access Machine: functions of integers, and of distributions.

A value is an integer in 0..M-1, held as a distribution: an array whose first axis runs over
the M values. Any other axes (a batch) come after it and are carried along. Every gate is
given side by side as a function of integers (`Gate.hard`) and as the function of
distributions that follows from it for independent arguments (`Gate.soft`)::

    P(gate(A, B) = c) = sum over a, b with gate(a, b) = c of P(A = a) P(B = b)

The same functions of distributions in fewer operations are in `fast_gates.py`.

Source: Kurach, Andrychowicz and Sutskever 2016 (arXiv 1511.06392), Eq. 2 and section 4.3.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from softmachine.machines.nram.fast_gates import FAST

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


# The memory


def read(memory: Memory, pointer: Distribution) -> Distribution:
    """Return the mean of the cells under a pointer: ``sum over i of pointer[i] memory[i]``."""
    return jnp.sum(pointer[:, None] * memory, axis=0)


def write(memory: Memory, pointer: Distribution, value: Distribution) -> Memory:
    """Return the memory after a write; cell i changes as far as the pointer is on i.

    Source: section 3.2, ``(1 - p) 1ᵀ · M + p aᵀ``.
    """
    return memory + pointer[:, None] * (value - memory)


# The paper's gates


_FOURTEEN = (
    Gate("READ", "R", 1, lambda p, m: p, memory="read"),
    Gate("ZERO", "0", 0, lambda m: 0),
    Gate("ONE", "1", 0, lambda m: 1),
    Gate("TWO", "2", 0, lambda m: 2),
    Gate("INC", "+1", 1, lambda a, m: (a + 1) % m),
    Gate("ADD", "+", 2, lambda a, b, m: (a + b) % m),
    Gate("SUB", "-", 2, lambda a, b, m: (a - b) % m),
    Gate("DEC", "-1", 1, lambda a, m: (a - 1) % m),
    Gate("LESS-THAN", "<", 2, lambda a, b, m: (a < b) * 1),
    Gate("LESS-OR-EQUAL-THAN", "≤", 2, lambda a, b, m: (a <= b) * 1),
    Gate("EQUALITY-TEST", "=", 2, lambda a, b, m: (a == b) * 1),
    Gate("MIN", "min", 2, lambda a, b, m: a * (a < b) + b * (b <= a)),
    Gate("MAX", "max", 2, lambda a, b, m: a * (a > b) + b * (b >= a)),
    Gate("WRITE", "W", 2, lambda p, a, m: 0 * p, memory="write"),
)

PAPER = tuple(dataclasses.replace(gate, fast=FAST.get(gate.name)) for gate in _FOURTEEN)
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
