"""Array tasks of the Neural Random-Access Machine paper.

Kurach, Andrychowicz and Sutskever 2016 (arXiv 1511.06392), section 4.2 and appendix A. Two
decisions hold for every task here: pointers are absolute addresses, counted from cell 0 of
the memory, and arrays hold no 0, so that NULL ends them without doubt.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, PRNGKeyArray

from softmachine.core.choices import Bounds, Count, check_fields
from softmachine.tasks.memories.adversarial import Case, Cases, Room, arrays
from softmachine.tasks.memories.drawing import (
    cells_before_null,
    draw_order,
    draw_values,
    label_cells,
    numbered,
    put,
    within,
)
from softmachine.tasks.memory import Drawn, MemoryTask
from softmachine.tasks.registry import task
from softmachine.tasks.steps import StepRule


@task("memory-access")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Access(MemoryTask):
    """Replace a pointer into an array by what it points at.

    Cells: ``k``, then ``size`` values, then 0. Scored: cell 0, which shall hold the value
    of cell k. Values are uniform in 1..M-1, k in 1..size. Source: Kurach, Andrychowicz and
    Sutskever 2016 (arXiv 1511.06392), section 4.2 and appendix A.

    Decision: the text asks for A[k]; the paper's trace (table 3) uses k as the address of a
    cell, and so do we. A[0] is at address 1.

    >>> task = Access()
    >>> example = task.sample(jax.random.key(3), 4, max_size=4)
    >>> print(task.render(example))
    cell      0   1   2   3   4   5
              k  A0  A1  A2  A3 end
    input     2   3   1   1   1   0
    target    1   .   .   .   .   .

    Examples of all sizes have room for the largest:

    >>> print(task.render(task.sample(jax.random.key(3), 2, max_size=4)))
    cell      0   1   2   3   4   5
              k  A0  A1 end
    input     2   3   1   0   0   0
    target    1   .   .   .   .   .
    """

    table_1 = (20, "0", "perfect", "perfect")

    addresses = frozenset({"k"})

    def steps(self, size: Any) -> Any:
        """Return 3: to read the pointer, to read the value, to write it."""
        del size
        return 3

    def cells(self, size: int) -> int:
        """Return the cells of the pointer, the values and the 0."""
        return size + 2

    def labels(self, memory: Sequence[int]) -> list[str]:
        """Return ``k``, ``A0``, ``A1``, ..., ``end``."""
        size = cells_before_null(memory, 1)
        return label_cells(len(memory), (0, ["k", *numbered("A", size), "end"]))

    def _solve(
        self, memory: Int[np.ndarray, " cells"]
    ) -> tuple[int, Int[np.ndarray, " scored"]] | None:
        """Return the value that the pointer points at."""
        return 0, memory[memory[:1]]

    def adversarial_cases(self) -> Cases:
        """Return the array's, and those of the pointer."""
        return arrays(lambda room, array: [room.pick(1, room.size), *array]) | {
            "the first value": lambda room: [1, *room.values()],
            "the last value": lambda room: [room.size, *room.values()],
            "values that are their own addresses": lambda room: [
                room.pick(1, room.size),
                *range(1, room.size + 1),
            ],
        }

    def outside_cases(self) -> Cases:
        """Return pointers to what is no value."""
        return {
            "a pointer to itself (k is 0)": lambda room: [0, *room.values()],
            "k past the end of the array": lambda room: [room.size + 1, *room.values()],
        }

    def _draw(
        self, key: PRNGKeyArray, size: Int[Array, ""], max_size: int, cells: int
    ) -> Drawn:
        """Draw ``size`` values and a pointer to one of them."""
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

    Decisions: values are uniform in 1..M-2, so that none becomes 0; the paper gives no
    range. There is one cell more than the array and its end need, so that a memory for
    one value still has a value to increment (M = 3).

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
        """Return a step per value and one."""
        return size + 1

    def cells(self, size: int) -> int:
        """Return the cells of the values, the 0 and one more."""
        return size + 2

    def step_rule(self) -> StepRule:
        """Return the rule: the array ends with the first 0."""
        return self._step_rule("array", 0)

    def labels(self, memory: Sequence[int]) -> list[str]:
        """Return ``A0``, ``A1``, ..., ``end``."""
        size = cells_before_null(memory, 0)
        return label_cells(len(memory), (0, [*numbered("A", size), "end"]))

    def _solve(
        self, memory: Int[np.ndarray, " cells"]
    ) -> tuple[int, Int[np.ndarray, " scored"]] | None:
        """Return the values, each one more; the largest becomes 0."""
        size = cells_before_null(memory.tolist(), 0)
        return 0, (memory[:size] + 1) % len(memory)

    def adversarial_cases(self) -> Cases:
        """Return the array's."""
        return arrays(lambda room, array: array, less=1)

    def outside_cases(self) -> Cases:
        """Return arrays with nothing to count from, or nothing to count up to."""
        return {
            "an empty array": lambda room: [0, *room.values()],
            "a value of n - 1": lambda room: [room.most, *room.values(room.size - 1)],
            "an array without an end": lambda room: room.values(room.cells),
        }

    def _draw(
        self, key: PRNGKeyArray, size: Int[Array, ""], max_size: int, cells: int
    ) -> Drawn:
        """Draw ``size`` values."""
        array = draw_values(key, max_size, 1, cells - 2)
        inputs = put(jnp.zeros(cells, jnp.int32), 0, array, size)
        return inputs, inputs + 1, within(cells, 0, size)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _ArrayToPointer(MemoryTask):
    """Write an array, in some order, to where a pointer says: right behind the array."""

    addresses = frozenset({"p"})

    @abc.abstractmethod
    def _written(
        self, array: Int[Array | np.ndarray, " room"], size: Int[Array, ""] | int
    ) -> Int[Array | np.ndarray, " room"]:
        """Return what to write, in the first ``size`` places, from the array there."""

    def steps(self, size: Any) -> Any:
        """Return a step per value and two."""
        return size + 2

    def cells(self, size: int) -> int:
        """Return the cells of the pointer, the values and what is written."""
        return 2 * size + 1

    def step_rule(self) -> StepRule:
        """Return the rule: the pointer is one more than the size."""
        return self._step_rule("cell", 0, 1)

    def labels(self, memory: Sequence[int]) -> list[str]:
        """Return ``p``, ``A0``, ``A1``, ..., ``out0``, ``out1``, ..."""
        size = memory[0] - 1
        names = ["p", *numbered("A", size), *numbered("out", size)]
        return label_cells(len(memory), (0, names))

    def _solve(
        self, memory: Int[np.ndarray, " cells"]
    ) -> tuple[int, Int[np.ndarray, " scored"]] | None:
        """Return what to write."""
        pointer = int(memory[0])
        size = pointer - 1
        if size < 1 or pointer + size > len(memory):
            return None
        return pointer, np.asarray(self._written(memory[1:pointer], size))

    def adversarial_cases(self) -> Cases:
        """Return the array's, and values that look like the pointer."""
        return arrays(lambda room, array: [room.size + 1, *array]) | {
            "all values equal to the pointer": lambda room: [room.size + 1] * (room.size + 1)
        }

    def outside_cases(self) -> Cases:
        """Return pointers to where there is no room."""
        return {
            "an empty array (p is 1)": lambda room: [1, *room.values()],
            "a pointer to itself (p is 0)": lambda room: [0, *room.values()],
            "no room for what is written": lambda room: [
                room.most,
                *room.values(room.cells - 1),
            ],
        }

    def _draw(
        self, key: PRNGKeyArray, size: Int[Array, ""], max_size: int, cells: int
    ) -> Drawn:
        """Draw ``size`` values."""
        array = draw_values(key, max_size, 1, cells - 1)
        pointer = size + 1
        inputs = put(jnp.zeros(cells, jnp.int32), 1, array, size).at[0].set(pointer)
        targets = put(inputs, pointer, jnp.asarray(self._written(array, size)), size)
        return inputs, targets, within(cells, pointer, size)


@task("memory-copy")
@dataclasses.dataclass(frozen=True, kw_only=True)
class MemoryCopy(_ArrayToPointer):
    """Copy an array to where a pointer says: right behind the array.

    Cells: ``p``, then ``size`` values; p is the address after the last of them. Scored:
    the ``size`` cells from p on. Values are uniform in 1..M-1. Source: Kurach, Andrychowicz
    and Sutskever 2016 (arXiv 1511.06392), section 4.2 and appendix A, where it is called
    Copy.

    Decision: nothing but p tells where the array ends, as in the paper's trace (table 2).

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
        self, array: Int[Array | np.ndarray, " room"], size: Int[Array, ""] | int
    ) -> Int[Array | np.ndarray, " room"]:
        """Return the array."""
        del size
        return array


@task("memory-reverse")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Reverse(_ArrayToPointer):
    """Write an array in reverse order to where a pointer says: right behind the array.

    Cells: ``p``, then ``size`` values; p is the address after the last of them. Scored:
    the ``size`` cells from p on. Values are uniform in 1..M-1. Source: Kurach, Andrychowicz
    and Sutskever 2016 (arXiv 1511.06392), section 4.2 and appendix A.

    Decision: as in `MemoryCopy`, nothing but p tells where the array ends.

    >>> task = Reverse()
    >>> example = task.sample(jax.random.key(0), 3, max_size=3)
    >>> print(task.render(example))
    cell       0    1    2    3    4    5    6
               p   A0   A1   A2 out0 out1 out2
    input      4    2    1    3    0    0    0
    target     .    .    .    .    3    1    2

    Smaller arrays are followed by unused cells:

    >>> print(task.render(task.sample(jax.random.key(0), 2, max_size=3)))
    cell       0    1    2    3    4    5    6
               p   A0   A1 out0 out1
    input      3    2    1    0    0    0    0
    target     .    .    .    1    2    .    .
    """

    table_1 = (15, "0", "perfect", "perfect")

    def _written(
        self, array: Int[Array | np.ndarray, " room"], size: Int[Array, ""] | int
    ) -> Int[Array | np.ndarray, " room"]:
        """Return the first ``size`` values from the last to the first."""
        return array[(size - 1 - np.arange(len(array))) % size]


@task("memory-swap")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Swap(MemoryTask):
    """Exchange the two values of an array that two pointers point at.

    Cells: ``p``, ``q``, then ``size`` values, then 0. Scored: all values of the array.
    Values are uniform in 1..M-1. Source: Kurach, Andrychowicz and Sutskever 2016 (arXiv
    1511.06392), section 4.2 and appendix A.

    Decisions: p and q are addresses, as in the paper's trace (table 6), so that A[0] is at
    2. They differ: every pair in either order is as likely, and the smallest size is 2.
    The cells of p and q are not scored, since the paper's machine leaves other things
    there. The paper's trace takes three steps with every gate twice; how many a machine
    takes here is an option.

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
    """How many steps a machine takes."""
    smallest = 2
    addresses = frozenset({"p", "q"})

    def __post_init__(self) -> None:
        """Check the steps."""
        check_fields(self)

    def steps(self, size: Any) -> Any:
        """Return ``most_steps``."""
        del size
        return self.most_steps

    def cells(self, size: int) -> int:
        """Return the cells of the pointers, the values and the 0."""
        return size + 3

    def labels(self, memory: Sequence[int]) -> list[str]:
        """Return ``p``, ``q``, ``A0``, ``A1``, ..., ``end``."""
        size = cells_before_null(memory, 2)
        return label_cells(len(memory), (0, ["p", "q", *numbered("A", size), "end"]))

    def _solve(
        self, memory: Int[np.ndarray, " cells"]
    ) -> tuple[int, Int[np.ndarray, " scored"]] | None:
        """Return the array with two values exchanged."""
        p, q = memory[:2]
        size = cells_before_null(memory.tolist(), 2)
        if not (2 <= p < size + 2 and 2 <= q < size + 2):
            return None
        swapped = memory.copy()
        swapped[[p, q]] = memory[[q, p]]
        return 2, swapped[2 : size + 2]

    def adversarial_cases(self) -> Cases:
        """Return the array's, and those of the pointers."""

        def random(room: Room, array: list[int]) -> list[int]:
            p, q = room.order()[:2]
            return [p + 2, q + 2, *array]

        def alike(room: Room) -> list[int]:
            memory = random(room, room.values())
            p, q = memory[:2]
            memory[p], memory[q] = q, p
            return memory

        def neighbours(room: Room) -> list[int]:
            p = room.pick(2, room.size)
            return [p, p + 1, *room.values()]

        def backwards(room: Room) -> list[int]:
            p, q, *array = neighbours(room)
            return [q, p, *array]

        return arrays(random) | {
            "first and last": lambda room: [2, room.size + 1, *room.values()],
            "last and first": lambda room: [room.size + 1, 2, *room.values()],
            "neighbours": neighbours,
            "neighbours in reverse": backwards,
            "values that are the pointers": alike,
        }

    def outside_cases(self) -> Cases:
        """Return pointers that differ from the task's."""
        return {
            "both pointers the same": lambda room: [2, 2, *room.values()],
            "a pointer to a pointer": lambda room: [0, 2, *room.values()],
            "a pointer past the end of the array": lambda room: [
                2,
                room.size + 2,
                *room.values(),
            ],
        }

    def _draw(
        self, key: PRNGKeyArray, size: Int[Array, ""], max_size: int, cells: int
    ) -> Drawn:
        """Draw ``size`` values, at least two, and which two of them to exchange."""
        array_key, p_key, q_key = jax.random.split(key, 3)
        array = draw_values(array_key, max_size, 1, cells - 1)
        p = jax.random.randint(p_key, (), 2, size + 2, jnp.int32)
        q = jax.random.randint(q_key, (), 2, size + 1, jnp.int32)
        q = q + (q >= p)  # all addresses but p
        inputs = put(jnp.zeros(cells, jnp.int32), 2, array, size).at[0].set(p).at[1].set(q)
        targets = inputs.at[p].set(inputs[q]).at[q].set(inputs[p])
        return inputs, targets, within(cells, 2, size)


@task("memory-permutation")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Permutation(MemoryTask):
    """Replace every index of a permutation by the value of an array at that index.

    Cells: ``a``, then a permutation P of ``size`` indices, then ``size`` values A; a is the
    address of A[0]. Scored: the cells of P, which shall hold A[P[0]], A[P[1]], ... Every
    permutation is as likely; values are uniform in 1..M-1. Source: Kurach, Andrychowicz and
    Sutskever 2016 (arXiv 1511.06392), section 4.2 and appendix A.

    Decision: the paper counts indices from 1 in its section 4.2 and from 0 in appendix A;
    we count from 0, so that a + P[i] is the address, and leave the other as an option.

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
    """How many steps a machine takes for each index, besides three."""
    addresses = frozenset({"a"})

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_fields(self)

    def steps(self, size: Any) -> Any:
        """Return ``steps_per_item`` steps per index and three."""
        return self.steps_per_item * size + 3

    def cells(self, size: int) -> int:
        """Return the cells of the pointer, the permutation and the values."""
        return 2 * size + 1

    def step_rule(self) -> StepRule:
        """Return the rule: the pointer is one more than the size."""
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
        """Return the array's, and those of the permutation."""

        def lay_out(room: Room, order: Iterable[int], array: list[int]) -> list[int]:
            return [room.size + 1, *(i + self.first_index for i in order), *array]

        def ordered(order: Callable[[int], Iterable[int]]) -> Case:
            return lambda room: lay_out(room, order(room.size), room.values())

        return arrays(lambda room, array: lay_out(room, room.order(), array)) | {
            "the identity": ordered(range),
            "the reversal": ordered(lambda size: reversed(range(size))),
            "a shift to the left": ordered(lambda size: [*range(1, size), 0]),
            "a shift to the right": ordered(lambda size: [size - 1, *range(size - 1)]),
            "values that look like indices": lambda room: lay_out(
                room, room.order(), room.values(high=room.size)
            ),
        }

    def outside_cases(self) -> Cases:
        """Return indices that are no permutation."""
        first = self.first_index
        return {
            "no index at all (a is 1)": lambda room: [1, *room.values()],
            "the same index everywhere": lambda room: [
                room.size + 1,
                *[first] * room.size,
                *room.values(),
            ],
            "an index past the end": lambda room: [
                room.size + 1,
                *[room.size + first] * room.size,
                *room.values(),
            ],
        }

    def _draw(
        self, key: PRNGKeyArray, size: Int[Array, ""], max_size: int, cells: int
    ) -> Drawn:
        """Draw a permutation of ``size`` indices and as many values."""
        array_key, order_key = jax.random.split(key)
        array = draw_values(array_key, max_size, 1, cells - 1)
        order = draw_order(order_key, size, max_size)
        inputs = put(jnp.zeros(cells, jnp.int32), 1, order + self.first_index, size)
        inputs = put(inputs, size + 1, array, size).at[0].set(size + 1)
        targets = put(inputs, 1, array[order], size)
        return inputs, targets, within(cells, 1, size)


@task("memory-merge")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Merge(MemoryTask):
    """Merge two sorted arrays into one.

    Cells: pointers ``a``, ``b``, ``o``, then the array A, a guard ``G``, the array B, a
    guard. a and b are the addresses of A[0] and B[0]; o is the address after the second
    guard. Scored: the ``size`` cells from o on, which shall hold the values of both, in
    rising order. Source: Kurach, Andrychowicz and Sutskever 2016 (arXiv 1511.06392),
    section 4.2 and appendix A.

    Decisions: the size is the number of values of both arrays; how many of them are A's is
    uniform in 1..size-1, so that neither is empty and the smallest size is 2. The guard is
    M-1, larger than all values, which are uniform in 1..M-2 and may be repeated.

    >>> task = Merge()
    >>> example = task.sample(jax.random.key(4), 4, max_size=4)
    >>> print(task.render(example))
    cell       0    1    2    3    4    5    6    7    8    9   10   11   12
               a    b    o   A0    G   B0   B1   B2    G out0 out1 out2 out3
    input      3    5    9    3   12    2    6   10   12    0    0    0    0
    target     .    .    .    .    .    .    .    .    .    2    3    6   10

    A memory that forgot one value and wrote another twice:

    >>> twice = example.targets.at[-1].set(example.targets[-2])
    >>> {name: float(score) for name, score in task.output.score(twice, example).items()}
    {'wrong_cells': 0.25, 'perfect': 0.0}
    """

    table_1 = (10, "1 %", "weak", "hurts performance")

    steps_per_item: Count = 2
    """How many steps a machine takes for each value, besides four."""
    smallest = 2
    addresses = frozenset({"a", "b", "o"})

    def __post_init__(self) -> None:
        """Check the steps."""
        check_fields(self)

    def steps(self, size: Any) -> Any:
        """Return ``steps_per_item`` steps per value and four."""
        return self.steps_per_item * size + 4

    def cells(self, size: int) -> int:
        """Return the cells of the pointers, the guards, the values, the merged values."""
        return 2 * size + 5

    def step_rule(self) -> StepRule:
        """Return the rule: what is merged begins 5 cells after as many as are merged."""
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
        """Return the values of both arrays in order."""
        a, b, o = memory[:3].tolist()
        if not 3 <= a < b < o:
            return None
        first, second = memory[a : b - 1], memory[b : o - 1]
        if (np.diff(first) < 0).any() or (np.diff(second) < 0).any():
            return None
        return o, np.sort(np.concatenate([first, second]))

    def adversarial_cases(self) -> Cases:
        """Return those of two sorted arrays."""

        def split(first: Callable[[int], int], content: Case = _below_guard) -> Case:
            """Return a case with so many of the values in the first array, each sorted."""

            def case(room: Room) -> list[int]:
                values, count = list(content(room)), first(room.size)
                return _lay_out(room, sorted(values[:count]), sorted(values[count:]))

            return case

        def anywhere(content: Case = _below_guard) -> Case:
            return lambda room: split(lambda size: room.pick(1, size - 1), content)(room)

        return {
            "random": anywhere(),
            "all of A smaller": anywhere(lambda room: sorted(_below_guard(room))),
            "all of B smaller": anywhere(lambda room: sorted(_below_guard(room))[::-1]),
            "all equal": anywhere(lambda room: [room.pick(1, room.most - 1)] * room.size),
            "all smallest": anywhere(lambda room: [1] * room.size),
            "all largest": anywhere(lambda room: [room.most - 1] * room.size),
            "many ties": anywhere(lambda room: room.values(high=min(2, room.most - 1))),
            "in turn": lambda room: _lay_out(
                room, (values := sorted(_below_guard(room)))[::2], values[1::2]
            ),
            "in turn with B first": lambda room: _lay_out(
                room, (values := sorted(_below_guard(room)))[1::2], values[::2]
            ),
            "one value in A": split(lambda size: 1),
            "one value in B": split(lambda size: size - 1),
            "the largest value alone in A": split(
                lambda size: 1, lambda room: sorted(_below_guard(room))[::-1]
            ),
            "the smallest value alone in B": split(
                lambda size: size - 1, lambda room: sorted(_below_guard(room))[::-1]
            ),
        }

    def outside_cases(self) -> Cases:
        """Return arrays that are empty or not sorted."""
        return {
            "an empty A": lambda room: _lay_out(room, [], sorted(_below_guard(room))),
            "an empty B": lambda room: _lay_out(room, sorted(_below_guard(room)), []),
            "arrays that are not sorted": lambda room: _lay_out(
                room, [room.most - 1], [*range(room.size - 1, 0, -1)]
            ),
        }

    def _draw(
        self, key: PRNGKeyArray, size: Int[Array, ""], max_size: int, cells: int
    ) -> Drawn:
        """Draw two sorted arrays with ``size`` values in all, at least two."""
        values_key, split_key = jax.random.split(key)
        values = draw_values(values_key, max_size, 1, cells - 2)
        guard = cells - 1
        first = jax.random.randint(split_key, (), 1, size, jnp.int32)
        # Sorted with guards instead of the other values, each array ends with its guard.
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


def _below_guard(room: Room) -> list[int]:
    """Draw values smaller than the guard."""
    return room.values(high=room.most - 1)


def _lay_out(room: Room, first: list[int], second: list[int]) -> list[int]:
    """Return the memory with two arrays to merge."""
    b = 3 + len(first) + 1
    guard = room.most
    return [3, b, b + len(second) + 1, *first, guard, *second, guard]
