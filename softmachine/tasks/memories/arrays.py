"""Array tasks of the Neural Random-Access Machine paper: access, increment, copy, reverse.

Source: Kurach, Andrychowicz and Sutskever 2016 (arXiv 1511.06392), section 4.2 and appendix A.
Two decisions hold for all array tasks: pointers are absolute addresses, counted from cell 0 of
the memory, and arrays hold no 0, so that the first 0 (NULL) ends them.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, PRNGKeyArray

from softmachine.tasks.memories.adversarial import Cases, array_cases
from softmachine.tasks.memories.drawing import (
    cells_before_null,
    draw_values,
    label_cells,
    numbered,
    put,
    within,
)
from softmachine.tasks.memory import MemorySample, MemoryTask
from softmachine.tasks.registry import task
from softmachine.tasks.steps import StepRule


@task("memory-access")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Access(MemoryTask):
    """Replace a pointer into an array by the value it points to.

    Cells: ``k``, then ``size`` values, then 0. Scored: cell 0, whose target is the value of
    cell k. Values are uniform in 1..M-1, k in 1..size. Source: Kurach, Andrychowicz and
    Sutskever 2016 (arXiv 1511.06392), section 4.2 and appendix A.

    Decision: the paper's text asks for A[k], but its trace (table 3) uses k as the address of
    a cell, and so do we. A[0] is at address 1.

    >>> task = Access()
    >>> example = task.sample(jax.random.key(3), 4, max_size=4)
    >>> print(task.render(example))
    cell      0   1   2   3   4   5
              k  A0  A1  A2  A3 end
    input     2   3   1   1   1   0
    target    1   .   .   .   .   .

    Smaller examples use the memory of the largest size:

    >>> print(task.render(task.sample(jax.random.key(3), 2, max_size=4)))
    cell      0   1   2   3   4   5
              k  A0  A1 end
    input     2   3   1   0   0   0
    target    1   .   .   .   .   .
    """

    table_1 = (20, "0", "perfect", "perfect")

    addresses = frozenset({"k"})

    def steps(self, size: Any) -> Any:
        """Return 3: read the pointer, read the value, write the value."""
        del size
        return 3

    def cells(self, size: int) -> int:
        """Return ``size + 2``: the pointer, the values, the 0."""
        return size + 2

    def labels(self, memory: Sequence[int]) -> list[str]:
        """Return ``k``, ``A0``, ``A1``, ..., ``end``."""
        size = cells_before_null(memory, 1)
        return label_cells(len(memory), (0, ["k", *numbered("A", size), "end"]))

    def _solve(
        self, memory: Int[np.ndarray, " cells"]
    ) -> tuple[int, Int[np.ndarray, " scored"]] | None:
        """Return the value that the pointer points to, for cell 0."""
        return 0, memory[memory[:1]]

    def adversarial_cases(self) -> Cases:
        """Return the cases of an array, and hard values of the pointer."""
        return array_cases(
            lambda sampler, array: [sampler.integer(1, sampler.size), *array]
        ) | {
            "the first value": lambda sampler: [1, *sampler.values()],
            "the last value": lambda sampler: [sampler.size, *sampler.values()],
            "values that are their own addresses": lambda sampler: [
                sampler.integer(1, sampler.size),
                *range(1, sampler.size + 1),
            ],
        }

    def outside_cases(self) -> Cases:
        """Return pointers to cells outside the array."""
        return {
            "a pointer to itself (k is 0)": lambda sampler: [0, *sampler.values()],
            "k past the end of the array": lambda sampler: [
                sampler.size + 1,
                *sampler.values(),
            ],
        }

    def _draw(
        self, key: PRNGKeyArray, size: Int[Array, ""], max_size: int, cells: int
    ) -> MemorySample:
        """Draw ``size`` values, and a pointer to one of them."""
        array_key, pointer_key = jax.random.split(key)
        array = draw_values(array_key, max_size, 1, cells - 1)
        pointer = jax.random.randint(pointer_key, (), 1, size + 1, jnp.int32)
        inputs = put(jnp.zeros(cells, jnp.int32), 1, array, size).at[0].set(pointer)
        targets = inputs.at[0].set(inputs[pointer])
        return inputs, targets, within(cells, 0, 1)


@task("memory-increment")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Increment(MemoryTask):
    """Add 1 to every value of an array that ends with 0.

    Cells: ``size`` values, then 0. Scored: the values, in place. Source: Kurach,
    Andrychowicz and Sutskever 2016 (arXiv 1511.06392), section 4.2 and appendix A.

    Decisions: values are uniform in 1..M-2, so that none becomes 0 modulo M; the paper gives
    no range. The memory has one cell more than the array and its final 0 need, so that even
    for one value the range is not empty (M = 3).

    >>> task = Increment()
    >>> example = task.sample(jax.random.key(0), 4, max_size=4)
    >>> print(task.render(example))
    cell      0   1   2   3   4   5
             A0  A1  A2  A3 end
    input     2   1   1   2   0   0
    target    3   2   2   3   .   .

    Wrong cells are marked in a machine's memory:

    >>> print(task.render(example, example.targets.at[2].set(3)))
    cell      0   1   2   3   4   5
             A0  A1  A2  A3 end
    input     2   1   1   2   0   0
    target    3   2   2   3   .   .
    output    3   2  3!   3   0   0
    """

    table_1 = (15, "0", "perfect", "perfect")

    def steps(self, size: Any) -> Any:
        """Return ``size + 1``."""
        return size + 1

    def cells(self, size: int) -> int:
        """Return ``size + 2``: the values, the 0, one more cell."""
        return size + 2

    def step_rule(self) -> StepRule:
        """Return the rule: the size is the length of the array, which ends with the first 0."""
        return self._step_rule("array", 0)

    def labels(self, memory: Sequence[int]) -> list[str]:
        """Return ``A0``, ``A1``, ..., ``end``."""
        size = cells_before_null(memory, 0)
        return label_cells(len(memory), (0, [*numbered("A", size), "end"]))

    def _solve(
        self, memory: Int[np.ndarray, " cells"]
    ) -> tuple[int, Int[np.ndarray, " scored"]] | None:
        """Return the values plus 1, modulo M."""
        size = cells_before_null(memory.tolist(), 0)
        return 0, (memory[:size] + 1) % len(memory)

    def adversarial_cases(self) -> Cases:
        """Return the cases of an array."""
        return array_cases(lambda sampler, array: array, less=1)

    def outside_cases(self) -> Cases:
        """Return an empty array, a value that overflows, an array without a final 0."""
        return {
            "an empty array": lambda sampler: [0, *sampler.values()],
            "a value of n - 1": lambda sampler: [
                sampler.largest,
                *sampler.values(sampler.size - 1),
            ],
            "an array without an end": lambda sampler: sampler.values(sampler.cells),
        }

    def _draw(
        self, key: PRNGKeyArray, size: Int[Array, ""], max_size: int, cells: int
    ) -> MemorySample:
        """Draw ``size`` values."""
        array = draw_values(key, max_size, 1, cells - 2)
        inputs = put(jnp.zeros(cells, jnp.int32), 0, array, size)
        return inputs, inputs + 1, within(cells, 0, size)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _ArrayToPointer(MemoryTask):
    """Write an array, in some order, to the address that a pointer holds.

    The address is that of the first cell after the array.
    """

    addresses = frozenset({"p"})

    @abc.abstractmethod
    def _written(
        self, array: Int[Array | np.ndarray, " max_size"], size: Int[Array, ""] | int
    ) -> Int[Array | np.ndarray, " max_size"]:
        """Return the values to write, from the first ``size`` entries of a padded array."""

    def steps(self, size: Any) -> Any:
        """Return ``size + 2``."""
        return size + 2

    def cells(self, size: int) -> int:
        """Return ``2 * size + 1``: the pointer, the values, the values to write."""
        return 2 * size + 1

    def step_rule(self) -> StepRule:
        """Return the rule: the pointer in cell 0 is ``size + 1``."""
        return self._step_rule("cell", 0, 1)

    def labels(self, memory: Sequence[int]) -> list[str]:
        """Return ``p``, ``A0``, ``A1``, ..., ``out0``, ``out1``, ..."""
        size = memory[0] - 1
        names = ["p", *numbered("A", size), *numbered("out", size)]
        return label_cells(len(memory), (0, names))

    def _solve(
        self, memory: Int[np.ndarray, " cells"]
    ) -> tuple[int, Int[np.ndarray, " scored"]] | None:
        """Return the values to write, from the cell that the pointer points to."""
        pointer = int(memory[0])
        size = pointer - 1
        if size < 1 or pointer + size > len(memory):
            return None
        return pointer, np.asarray(self._written(memory[1:pointer], size))

    def adversarial_cases(self) -> Cases:
        """Return the cases of an array, and values equal to the pointer."""
        return array_cases(lambda sampler, array: [sampler.size + 1, *array]) | {
            "all values equal to the pointer": lambda sampler: (
                [sampler.size + 1] * (sampler.size + 1)
            )
        }

    def outside_cases(self) -> Cases:
        """Return pointers to an address without enough cells after it."""
        return {
            "an empty array (p is 1)": lambda sampler: [1, *sampler.values()],
            "a pointer to itself (p is 0)": lambda sampler: [0, *sampler.values()],
            "no room for what is written": lambda sampler: [
                sampler.largest,
                *sampler.values(sampler.cells - 1),
            ],
        }

    def _draw(
        self, key: PRNGKeyArray, size: Int[Array, ""], max_size: int, cells: int
    ) -> MemorySample:
        """Draw ``size`` values."""
        array = draw_values(key, max_size, 1, cells - 1)
        pointer = size + 1
        inputs = put(jnp.zeros(cells, jnp.int32), 1, array, size).at[0].set(pointer)
        targets = put(inputs, pointer, jnp.asarray(self._written(array, size)), size)
        return inputs, targets, within(cells, pointer, size)


@task("memory-copy")
@dataclasses.dataclass(frozen=True, kw_only=True)
class MemoryCopy(_ArrayToPointer):
    """Copy an array to the address that a pointer holds, right after the array.

    Cells: ``p``, then ``size`` values; p is the address after the last of them. Scored:
    the ``size`` cells from p on. Values are uniform in 1..M-1. Source: Kurach, Andrychowicz
    and Sutskever 2016 (arXiv 1511.06392), section 4.2 and appendix A, where it is called
    Copy.

    Decision: only p marks the end of the array, as in the paper's trace (table 2).

    >>> task = MemoryCopy()
    >>> example = task.sample(jax.random.key(0), 3, max_size=3)
    >>> print(task.render(example))
    cell       0    1    2    3    4    5    6
               p   A0   A1   A2 out0 out1 out2
    input      4    2    1    3    0    0    0
    target     .    .    .    .    2    1    3

    The memory of the paper's table 2, with its five values:

    >>> " ".join(task.labels([6, 2, 10, 6, 8, 9, 0, 0, 0, 0, 0]))
    'p A0 A1 A2 A3 A4 out0 out1 out2 out3 out4'
    """

    table_1 = (15, "0", "perfect", "perfect")

    def _written(
        self, array: Int[Array | np.ndarray, " max_size"], size: Int[Array, ""] | int
    ) -> Int[Array | np.ndarray, " max_size"]:
        """Return the array itself."""
        del size
        return array


@task("memory-reverse")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Reverse(_ArrayToPointer):
    """Write an array in reverse order to the address that a pointer holds.

    Cells: ``p``, then ``size`` values; p is the address after the last of them. Scored:
    the ``size`` cells from p on. Values are uniform in 1..M-1. Source: Kurach, Andrychowicz
    and Sutskever 2016 (arXiv 1511.06392), section 4.2 and appendix A.

    Decision: as in `MemoryCopy`, only p marks the end of the array.

    >>> task = Reverse()
    >>> example = task.sample(jax.random.key(0), 3, max_size=3)
    >>> print(task.render(example))
    cell       0    1    2    3    4    5    6
               p   A0   A1   A2 out0 out1 out2
    input      4    2    1    3    0    0    0
    target     .    .    .    .    3    1    2

    After a smaller array, cells stay unused:

    >>> print(task.render(task.sample(jax.random.key(0), 2, max_size=3)))
    cell       0    1    2    3    4    5    6
               p   A0   A1 out0 out1
    input      3    2    1    0    0    0    0
    target     .    .    .    1    2    .    .
    """

    table_1 = (15, "0", "perfect", "perfect")

    def _written(
        self, array: Int[Array | np.ndarray, " max_size"], size: Int[Array, ""] | int
    ) -> Int[Array | np.ndarray, " max_size"]:
        """Return the first ``size`` values in reverse order."""
        return array[(size - 1 - np.arange(len(array))) % size]
