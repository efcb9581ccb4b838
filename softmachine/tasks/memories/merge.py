"""The merge task of the NRAM paper: two sorted arrays become one.

Source: Kurach, Andrychowicz and Sutskever 2016 (arXiv 1511.06392), section 4.2 and appendix A.
Addresses and arrays are laid out as in `softmachine.tasks.memories.arrays`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, PRNGKeyArray

from softmachine.core.choices import Count, check_fields
from softmachine.tasks.memories.adversarial import Case, Cases, Sampler
from softmachine.tasks.memories.drawing import (
    draw_values,
    label_cells,
    numbered,
    put,
    within,
)
from softmachine.tasks.memory import MemorySample, MemoryTask
from softmachine.tasks.registry import task
from softmachine.tasks.steps import StepRule


@task("memory-merge")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Merge(MemoryTask):
    """Merge two sorted arrays into one.

    Cells: pointers ``a``, ``b``, ``o``, then the array A, a guard ``G``, the array B, a
    guard. a and b are the addresses of A[0] and B[0]; o is the address after the second
    guard. Scored: the ``size`` cells from o on, whose targets are all values of A and B in
    increasing order. Source: Kurach, Andrychowicz and Sutskever 2016 (arXiv 1511.06392),
    section 4.2 and appendix A.

    Decisions: the size is the number of values in both arrays together; the length of A is
    uniform in 1..size-1, so that neither array is empty and the smallest size is 2. The guard
    is M-1, larger than all values, which are uniform in 1..M-2 and may repeat.

    >>> task = Merge()
    >>> example = task.sample(jax.random.key(4), 4, max_size=4)
    >>> print(task.render(example))
    cell       0    1    2    3    4    5    6    7    8    9   10   11   12
               a    b    o   A0    G   B0   B1   B2    G out0 out1 out2 out3
    input      3    5    9    3   12    2    6   10   12    0    0    0    0
    target     .    .    .    .    .    .    .    .    .    2    3    6   10

    The score of a memory in which one value is missing and another is there twice:

    >>> twice = example.targets.at[-1].set(example.targets[-2])
    >>> {name: float(score) for name, score in task.output.score(twice, example).items()}
    {'wrong_cells': 0.25, 'perfect': 0.0}
    """

    table_1 = (10, "1 %", "weak", "hurts performance")

    steps_per_item: Count = 2
    """The number of machine steps per value; there are four steps more."""
    smallest = 2
    addresses = frozenset({"a", "b", "o"})

    def __post_init__(self) -> None:
        """Check the number of steps."""
        check_fields(self)

    def steps(self, size: Any) -> Any:
        """Return ``steps_per_item * size + 4``."""
        return self.steps_per_item * size + 4

    def cells(self, size: int) -> int:
        """Return ``2 * size + 5``: three pointers, two guards, values, merged values."""
        return 2 * size + 5

    def step_rule(self) -> StepRule:
        """Return the rule: the pointer o in cell 2 is ``size + 5``."""
        return self._step_rule("cell", 2, 5)

    def labels(self, memory: Sequence[int]) -> list[str]:
        """Return ``a``, ``b``, ``o``, ``A0``, ..., ``G``, ``B0``, ..., ``G``, ``out0``, ..."""
        a, b, o = memory[:3]
        first, second = b - 1 - a, o - 1 - b
        return label_cells(
            len(memory),
            (a, [*numbered("A", first), "G"]),
            (b, [*numbered("B", second), "G"]),
            (o, numbered("out", first + second)),
            (0, ["a", "b", "o"]),
        )

    def _solve(
        self, memory: Int[np.ndarray, " cells"]
    ) -> tuple[int, Int[np.ndarray, " scored"]] | None:
        """Return the values of both arrays in increasing order, from cell o on."""
        a, b, o = memory[:3].tolist()
        if not 3 <= a < b < o:
            return None
        first, second = memory[a : b - 1], memory[b : o - 1]
        if (np.diff(first) < 0).any() or (np.diff(second) < 0).any():
            return None
        return o, np.sort(np.concatenate([first, second]))

    def adversarial_cases(self) -> Cases:
        """Return the cases of two sorted arrays: who is smaller, ties, turns, lengths."""

        def split(first: Callable[[int], int], content: Case = _below_guard) -> Case:
            """Return a case with ``first(size)`` of the values in A; both arrays sorted."""

            def case(sampler: Sampler) -> list[int]:
                values, count = list(content(sampler)), first(sampler.size)
                return _lay_out(sampler, sorted(values[:count]), sorted(values[count:]))

            return case

        def anywhere(content: Case = _below_guard) -> Case:
            return lambda sampler: split(lambda size: sampler.integer(1, size - 1), content)(
                sampler
            )

        return {
            "random": anywhere(),
            "all of A smaller": anywhere(lambda sampler: sorted(_below_guard(sampler))),
            "all of B smaller": anywhere(lambda sampler: sorted(_below_guard(sampler))[::-1]),
            "all equal": anywhere(
                lambda sampler: [sampler.integer(1, sampler.largest - 1)] * sampler.size
            ),
            "all smallest": anywhere(lambda sampler: [1] * sampler.size),
            "all largest": anywhere(lambda sampler: [sampler.largest - 1] * sampler.size),
            "many ties": anywhere(
                lambda sampler: sampler.values(high=min(2, sampler.largest - 1))
            ),
            "in turn": lambda sampler: _lay_out(
                sampler, (values := sorted(_below_guard(sampler)))[::2], values[1::2]
            ),
            "in turn with B first": lambda sampler: _lay_out(
                sampler, (values := sorted(_below_guard(sampler)))[1::2], values[::2]
            ),
            "one value in A": split(lambda size: 1),
            "one value in B": split(lambda size: size - 1),
            "the largest value alone in A": split(
                lambda size: 1, lambda sampler: sorted(_below_guard(sampler))[::-1]
            ),
            "the smallest value alone in B": split(
                lambda size: size - 1, lambda sampler: sorted(_below_guard(sampler))[::-1]
            ),
        }

    def outside_cases(self) -> Cases:
        """Return arrays that are empty or not sorted."""
        return {
            "an empty A": lambda sampler: _lay_out(sampler, [], sorted(_below_guard(sampler))),
            "an empty B": lambda sampler: _lay_out(sampler, sorted(_below_guard(sampler)), []),
            "arrays that are not sorted": lambda sampler: _lay_out(
                sampler, [sampler.largest - 1], [*range(sampler.size - 1, 0, -1)]
            ),
        }

    def _draw(
        self, key: PRNGKeyArray, size: Int[Array, ""], max_size: int, cells: int
    ) -> MemorySample:
        """Draw two sorted arrays with ``size`` values together, at least two."""
        values_key, split_key = jax.random.split(key)
        values = draw_values(values_key, max_size, 1, cells - 2)
        guard = cells - 1
        first = jax.random.randint(split_key, (), 1, size, jnp.int32)
        # With guards in place of all other values, sorting moves the guard to an array's end.
        own, both = within(max_size, 0, first), within(max_size, 0, size)
        a_values = jnp.sort(jnp.where(own, values, guard))
        b_values = jnp.sort(jnp.where(both & ~own, values, guard))
        merged = jnp.sort(jnp.where(both, values, guard))
        a, b, o = 3, 3 + first + 1, 3 + size + 2
        inputs = put(jnp.zeros(cells, jnp.int32), a, a_values, first + 1)
        inputs = put(inputs, b, b_values, size - first + 1)
        inputs = inputs.at[0].set(a).at[1].set(b).at[2].set(o)
        targets = put(inputs, o, merged, size)
        return inputs, targets, within(cells, o, size)


def _below_guard(sampler: Sampler) -> list[int]:
    """Draw ``size`` values smaller than the guard."""
    return sampler.values(high=sampler.largest - 1)


def _lay_out(sampler: Sampler, first: list[int], second: list[int]) -> list[int]:
    """Return the initial memory with two arrays to merge."""
    b = 3 + len(first) + 1
    guard = sampler.largest
    return [3, b, b + len(second) + 1, *first, guard, *second, guard]
