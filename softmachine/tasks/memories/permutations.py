"""Array tasks of the NRAM paper that reorder values: swap two, or apply a permutation.

Source: Kurach, Andrychowicz and Sutskever 2016 (arXiv 1511.06392), section 4.2 and appendix A.
Addresses and arrays are laid out as in `softmachine.tasks.memories.arrays`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, PRNGKeyArray

from softmachine.core.choices import Bounds, Count, check_fields
from softmachine.tasks.memories.adversarial import Case, Cases, Sampler, array_cases
from softmachine.tasks.memories.drawing import (
    cells_before_null,
    draw_permutation,
    draw_values,
    label_cells,
    numbered,
    put,
    within,
)
from softmachine.tasks.memory import MemorySample, MemoryTask
from softmachine.tasks.registry import task
from softmachine.tasks.steps import StepRule


@task("memory-swap")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Swap(MemoryTask):
    """Swap the two values of an array that two pointers point to.

    Cells: ``p``, ``q``, then ``size`` values, then 0. Scored: all values of the array.
    Values are uniform in 1..M-1. Source: Kurach, Andrychowicz and Sutskever 2016 (arXiv
    1511.06392), section 4.2 and appendix A.

    Decisions: p and q are addresses, as in the paper's trace (table 6), so that A[0] is at
    2. They differ: all ordered pairs are equally likely, and the smallest size is 2. The
    cells of p and q are not scored, since the paper's machine overwrites them. The paper's
    trace takes three steps with every gate twice; here the number of steps is an option.

    >>> task = Swap()
    >>> example = task.sample(jax.random.key(1), 4, max_size=4)
    >>> print(task.render(example))
    cell      0   1   2   3   4   5   6
              p   q  A0  A1  A2  A3 end
    input     2   4   4   6   3   5   0
    target    .   .   3   6   4   5   .

    The number of steps is the same for all sizes:

    >>> task.steps(2), task.steps(20), Swap(most_steps=4).steps(20)
    (6, 6, 4)
    """

    table_1 = (20, "0", "perfect", "perfect")

    most_steps: Count = 6
    """The number of machine steps, for all sizes."""
    smallest = 2
    addresses = frozenset({"p", "q"})

    def __post_init__(self) -> None:
        """Check the number of steps."""
        check_fields(self)

    def steps(self, size: Any) -> Any:
        """Return ``most_steps``."""
        del size
        return self.most_steps

    def cells(self, size: int) -> int:
        """Return ``size + 3``: the pointers, the values, the 0."""
        return size + 3

    def labels(self, memory: Sequence[int]) -> list[str]:
        """Return ``p``, ``q``, ``A0``, ``A1``, ..., ``end``."""
        size = cells_before_null(memory, 2)
        return label_cells(len(memory), (0, ["p", "q", *numbered("A", size), "end"]))

    def _solve(
        self, memory: Int[np.ndarray, " cells"]
    ) -> tuple[int, Int[np.ndarray, " scored"]] | None:
        """Return the array with the two values swapped."""
        p, q = memory[:2]
        size = cells_before_null(memory.tolist(), 2)
        if not (2 <= p < size + 2 and 2 <= q < size + 2):
            return None
        swapped = memory.copy()
        swapped[[p, q]] = memory[[q, p]]
        return 2, swapped[2 : size + 2]

    def adversarial_cases(self) -> Cases:
        """Return the cases of an array, and hard pairs of pointers."""

        def random(sampler: Sampler, array: list[int]) -> list[int]:
            p, q = sampler.permutation()[:2]
            return [p + 2, q + 2, *array]

        def alike(sampler: Sampler) -> list[int]:
            memory = random(sampler, sampler.values())
            p, q = memory[:2]
            memory[p], memory[q] = q, p
            return memory

        def neighbours(sampler: Sampler) -> list[int]:
            p = sampler.integer(2, sampler.size)
            return [p, p + 1, *sampler.values()]

        def backwards(sampler: Sampler) -> list[int]:
            p, q, *array = neighbours(sampler)
            return [q, p, *array]

        return array_cases(random) | {
            "first and last": lambda sampler: [2, sampler.size + 1, *sampler.values()],
            "last and first": lambda sampler: [sampler.size + 1, 2, *sampler.values()],
            "neighbours": neighbours,
            "neighbours in reverse": backwards,
            "values that are the pointers": alike,
        }

    def outside_cases(self) -> Cases:
        """Return equal pointers, and pointers to cells outside the array."""
        return {
            "both pointers the same": lambda sampler: [2, 2, *sampler.values()],
            "a pointer to a pointer": lambda sampler: [0, 2, *sampler.values()],
            "a pointer past the end of the array": lambda sampler: [
                2,
                sampler.size + 2,
                *sampler.values(),
            ],
        }

    def _draw(
        self, key: PRNGKeyArray, size: Int[Array, ""], max_size: int, cells: int
    ) -> MemorySample:
        """Draw ``size`` values, at least two, and the two of them to swap."""
        array_key, p_key, q_key = jax.random.split(key, 3)
        array = draw_values(array_key, max_size, 1, cells - 1)
        p = jax.random.randint(p_key, (), 2, size + 2, jnp.int32)
        q = jax.random.randint(q_key, (), 2, size + 1, jnp.int32)
        q = jnp.where(q >= p, q + 1, q)  # all addresses but p
        inputs = put(jnp.zeros(cells, jnp.int32), 2, array, size).at[0].set(p).at[1].set(q)
        targets = inputs.at[p].set(inputs[q]).at[q].set(inputs[p])
        return inputs, targets, within(cells, 2, size)


@task("memory-permutation")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Permutation(MemoryTask):
    """Replace every index of a permutation by the value of an array at that index.

    Cells: ``a``, then a permutation P of ``size`` indices, then ``size`` values A; a is the
    address of A[0]. Scored: the cells of P, whose targets are A[P[0]], A[P[1]], ... All
    permutations are equally likely; values are uniform in 1..M-1. Source: Kurach,
    Andrychowicz and Sutskever 2016 (arXiv 1511.06392), section 4.2 and appendix A.

    Decision: the paper counts indices from 1 in section 4.2 and from 0 in appendix A. We count
    from 0, so that the address is a + P[i]; counting from 1 is an option.

    >>> task = Permutation()
    >>> example = task.sample(jax.random.key(1), 3, max_size=3)
    >>> print(task.render(example))
    cell     0  1  2  3  4  5  6
             a P0 P1 P2 A0 A1 A2
    input    4  2  0  1  4  6  3
    target   .  3  4  6  .  .  .

    Counted from 1, the address is a + P[i] - 1:

    >>> task = Permutation(first_index=1)
    >>> print(task.render(task.sample(jax.random.key(1), 3, max_size=3)))
    cell     0  1  2  3  4  5  6
             a P0 P1 P2 A0 A1 A2
    input    4  3  1  2  4  6  3
    target   .  3  4  6  .  .  .
    """

    table_1 = (6, "0", "almost perfect", "perfect")

    first_index: Annotated[int, Bounds(least=0, most=1)] = 0
    """The index of the array's first value: 0 or 1."""
    steps_per_item: Count = 2
    """The number of machine steps per index; there are three steps more."""
    addresses = frozenset({"a"})

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_fields(self)

    def steps(self, size: Any) -> Any:
        """Return ``steps_per_item * size + 3``."""
        return self.steps_per_item * size + 3

    def cells(self, size: int) -> int:
        """Return ``2 * size + 1``: the pointer, the permutation, the values."""
        return 2 * size + 1

    def step_rule(self) -> StepRule:
        """Return the rule: the pointer in cell 0 is ``size + 1``."""
        return self._step_rule("cell", 0, 1)

    def labels(self, memory: Sequence[int]) -> list[str]:
        """Return ``a``, ``P0``, ``P1``, ..., ``A0``, ``A1``, ..."""
        size = memory[0] - 1
        names = ["a", *numbered("P", size), *numbered("A", size)]
        return label_cells(len(memory), (0, names))

    def _solve(
        self, memory: Int[np.ndarray, " cells"]
    ) -> tuple[int, Int[np.ndarray, " scored"]] | None:
        """Return the values in the order of the permutation."""
        first = int(memory[0])
        size = first - 1
        indices = memory[1:first] - self.first_index
        fits = size >= 1 and first + size <= len(memory)
        if not fits or (indices < 0).any() or (indices >= size).any():
            return None
        return 1, memory[first + indices]

    def adversarial_cases(self) -> Cases:
        """Return the cases of an array, and special permutations."""

        def lay_out(sampler: Sampler, order: Iterable[int], array: list[int]) -> list[int]:
            return [sampler.size + 1, *(i + self.first_index for i in order), *array]

        def ordered(order: Callable[[int], Iterable[int]]) -> Case:
            return lambda sampler: lay_out(sampler, order(sampler.size), sampler.values())

        return array_cases(
            lambda sampler, array: lay_out(sampler, sampler.permutation(), array)
        ) | {
            "the identity": ordered(range),
            "the reversal": ordered(lambda size: reversed(range(size))),
            "a shift to the left": ordered(lambda size: [*range(1, size), 0]),
            "a shift to the right": ordered(lambda size: [size - 1, *range(size - 1)]),
            "values that look like indices": lambda sampler: lay_out(
                sampler, sampler.permutation(), sampler.values(high=sampler.size)
            ),
        }

    def outside_cases(self) -> Cases:
        """Return indices that are not a permutation."""
        first = self.first_index
        return {
            "no index at all (a is 1)": lambda sampler: [1, *sampler.values()],
            "the same index everywhere": lambda sampler: [
                sampler.size + 1,
                *[first] * sampler.size,
                *sampler.values(),
            ],
            "an index past the end": lambda sampler: [
                sampler.size + 1,
                *[sampler.size + first] * sampler.size,
                *sampler.values(),
            ],
        }

    def _draw(
        self, key: PRNGKeyArray, size: Int[Array, ""], max_size: int, cells: int
    ) -> MemorySample:
        """Draw a permutation of ``size`` indices, and ``size`` values."""
        array_key, order_key = jax.random.split(key)
        array = draw_values(array_key, max_size, 1, cells - 1)
        order = draw_permutation(order_key, size, max_size)
        inputs = put(jnp.zeros(cells, jnp.int32), 1, order + self.first_index, size)
        inputs = put(inputs, size + 1, array, size).at[0].set(size + 1)
        targets = put(inputs, 1, array[order], size)
        return inputs, targets, within(cells, 1, size)
