"""Linked-list tasks of the Neural Random-Access Machine paper.

A node is two cells: the address of the next node (0 for the last node), then a value. Source:
Kurach, Andrychowicz and Sutskever 2016 (arXiv 1511.06392), section 4.2 and appendix A.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, PRNGKeyArray

from softmachine.core.choices import Bounds, Count, Natural, check_fields
from softmachine.tasks.memories.adversarial import Cases, Sampler
from softmachine.tasks.memories.drawing import (
    draw_permutation,
    draw_values,
    label_cells,
    within,
)
from softmachine.tasks.memory import MemorySample, MemoryTask
from softmachine.tasks.registry import task

_HEAD, _WANTED, _OUT, _NODES = 0, 1, 2, 3
"""Indices of cells: the pointer to the list, the query (k or v), the answer, the first node."""


@task("list-k")
@dataclasses.dataclass(frozen=True, kw_only=True)
class ListK(MemoryTask):
    """Find the value of the k-th node of a linked list.

    Cells: ``head``, the address of the first node; ``k``; ``out``; then ``size`` nodes, in
    random order. Scored: ``out``, cell 2, whose target is the value of the node that is k hops
    after the first. Values are uniform in 1..M-1. Source: Kurach,
    Andrychowicz and Sutskever 2016 (arXiv 1511.06392), section 4.2 and appendix A.

    Decisions: k counts hops, uniform in 0..size-1, as the paper's "how many hops" says; to
    count from 1, as its "k-th element" says, is an option. The answer is written to the cell
    ``out`` itself; in public code that cell holds its own address (2), which is an option too.
    Nodes fill the cells from 3 on without gaps: only their order is random.

    >>> task = ListK()
    >>> example = task.sample(jax.random.key(2), 3, max_size=3)
    >>> print(task.render(example))
    cell       0    1    2    3    4    5    6    7    8
            head    k  out next  val next  val next  val
    input      7    1    0    0    8    3    5    5    4
    target     .    .    5    .    .    .    .    .    .

    The same list with the first node counted as 1 and the out cell a pointer to itself:

    >>> task = ListK(first=1, out_pointer=True)
    >>> print(task.render(task.sample(jax.random.key(2), 3, max_size=3)))
    cell       0    1    2    3    4    5    6    7    8
            head    k  out next  val next  val next  val
    input      7    2    2    0    8    3    5    5    4
    target     .    .    5    .    .    .    .    .    .
    """

    table_1 = (10, "0", "strong", "hurts performance")

    first: Annotated[int, Bounds(least=0, most=1)] = 0
    """The value of k for the first node: 0 or 1."""
    out_pointer: bool = False
    """Whether the cell ``out`` initially holds its own address instead of 0."""
    addresses = frozenset({"head", "next"})

    def __post_init__(self) -> None:
        """Check the value of k for the first node."""
        check_fields(self)

    def steps(self, size: Any) -> Any:
        """Return ``size + 4``."""
        return size + 4

    def cells(self, size: int) -> int:
        """Return ``2 * size + 3``: head, k, out, and two cells per node."""
        return _NODES + 2 * size

    def labels(self, memory: Sequence[int]) -> list[str]:
        """Return ``head``, ``k``, ``out``; ``next`` and ``val`` for nodes of the list."""
        return _label_list(memory, "k")

    def _solve(
        self, memory: Int[np.ndarray, " cells"]
    ) -> tuple[int, Int[np.ndarray, " scored"]] | None:
        """Return the value of the k-th node."""
        values = [memory[node + 1] for node in _nodes(memory.tolist())]
        hops = int(memory[_WANTED]) - self.first
        if not 0 <= hops < len(values):
            return None
        return _OUT, np.array(values[hops : hops + 1])

    def adversarial_cases(self) -> Cases:
        """Return hard layouts of the list, hard k, and values that look like addresses."""

        def anywhere(sampler: Sampler) -> int:
            return sampler.integer(0, sampler.size - 1)

        def last(sampler: Sampler, slots: Sequence[int], values: list[int]) -> list[int]:
            return self._lay_out(sampler, slots, values, sampler.size - 1)

        return {
            "random": lambda sampler: self._lay_out(
                sampler, sampler.permutation(), sampler.values(), anywhere(sampler)
            ),
            "the first node": lambda sampler: self._lay_out(
                sampler, sampler.permutation(), sampler.values(), 0
            ),
            "the last node": lambda sampler: last(
                sampler, sampler.permutation(), sampler.values()
            ),
            "the last node of a list in order": lambda sampler: last(
                sampler, range(sampler.size), sampler.values()
            ),
            "the last node of a list laid out backwards": lambda sampler: last(
                sampler, range(sampler.size)[::-1], sampler.values()
            ),
            "all values largest": lambda sampler: last(
                sampler, sampler.permutation(), [sampler.largest] * sampler.size
            ),
            "all values smallest": lambda sampler: last(
                sampler, sampler.permutation(), [1] * sampler.size
            ),
            "values that look like addresses": lambda sampler: self._lay_out(
                sampler,
                sampler.permutation(),
                [_NODES + 2 * i for i in sampler.permutation()],
                anywhere(sampler),
            ),
        }

    def outside_cases(self) -> Cases:
        """Return lists without a k-th node."""
        return {
            "k past the end of the list": lambda sampler: self._lay_out(
                sampler,
                sampler.permutation(),
                sampler.values(),
                min(sampler.size, sampler.largest - self.first),
            ),
            "an empty list": lambda sampler: [0, self.first, _OUT * self.out_pointer],
        }

    def _lay_out(
        self, sampler: Sampler, slots: Sequence[int], values: Sequence[int], hops: int
    ) -> list[int]:
        """Return the initial memory with a list and a number of hops."""
        memory = [
            0,
            hops + self.first,
            _OUT * self.out_pointer,
            *[0] * (sampler.cells - _NODES),
        ]
        return _write_list(memory, slots, values)

    def _draw(
        self, key: PRNGKeyArray, size: Int[Array, ""], max_size: int, cells: int
    ) -> MemorySample:
        """Draw a list of ``size`` nodes, and a number of hops."""
        values_key, order_key, hops_key = jax.random.split(key, 3)
        values = draw_values(values_key, max_size, 1, cells - 1)
        nodes = _NODES + 2 * draw_permutation(order_key, size, max_size)
        hops = jax.random.randint(hops_key, (), 0, size, jnp.int32)
        inputs = _put_list(jnp.zeros(cells, jnp.int32), nodes, values, size)
        inputs = inputs.at[_WANTED].set(hops + self.first)
        inputs = inputs.at[_OUT].set(_OUT if self.out_pointer else 0)
        targets = inputs.at[_OUT].set(values[hops])
        return inputs, targets, within(cells, _OUT, 1)


@task("list-search")
@dataclasses.dataclass(frozen=True, kw_only=True)
class ListSearch(MemoryTask):
    """Find the first node of a linked list that holds a value.

    Cells: ``head``, the address of the first node; the value ``v``; ``out``; then slots for
    ``size + spare`` nodes, of which ``size`` random ones hold a node. Scored: ``out``, cell 2,
    whose target is the address of the first node with value v. Source: Kurach,
    Andrychowicz and Sutskever 2016 (arXiv 1511.06392), section 4.2 and appendix A.

    Decisions: v is the value of a uniformly drawn node, so that there is an answer. Values
    are uniform in 1..M-1 and may repeat. All cells from 3 on that belong to no node hold
    trash, uniform in 1..M-1. As in the paper, trash can look like a node with value v, so that
    only following the list finds the answer. The number of spare slots and the cell of the
    answer are not given in the paper.

    >>> task = ListSearch(spare=1)
    >>> example = task.sample(jax.random.key(4), 3, max_size=3)
    >>> print(task.render(example))
    cell       0    1    2    3    4    5    6    7    8    9   10
            head    v  out next  val next  val           next  val
    input      5    1    0    0    9    9    1    1    8    3   10
    target     .    .    5    .    .    .    .    .    .    .    .

    Cell 7 is trash that equals v; its address is a wrong answer:

    >>> print(task.render(example, example.targets.at[2].set(7)).splitlines()[-1])
    output     5    1   7!    0    9    9    1    1    8    3   10
    """

    table_1 = (6, "0", "weak", "hurts performance")

    spare: Natural = 2
    """The number of slots that hold no node."""
    steps_per_item: Count = 2
    """The number of machine steps per node; there are four steps more."""
    addresses = frozenset({"head", "next"})

    def __post_init__(self) -> None:
        """Check the numbers of slots and steps."""
        check_fields(self)

    def steps(self, size: Any) -> Any:
        """Return ``steps_per_item * size + 4``."""
        return self.steps_per_item * size + 4

    def cells(self, size: int) -> int:
        """Return ``2 * (size + spare) + 3``: head, v, out, and two cells per slot."""
        return _NODES + 2 * (size + self.spare)

    def labels(self, memory: Sequence[int]) -> list[str]:
        """Return ``head``, ``v``, ``out``; ``next`` and ``val`` for nodes of the list."""
        return _label_list(memory, "v")

    def _solve(
        self, memory: Int[np.ndarray, " cells"]
    ) -> tuple[int, Int[np.ndarray, " scored"]] | None:
        """Return the address of the first node with the value."""
        found = [n for n in _nodes(memory.tolist()) if memory[n + 1] == memory[_WANTED]]
        return (_OUT, np.array(found[:1])) if found else None

    def adversarial_cases(self) -> Cases:
        """Return hard layouts, hard positions of the value, and misleading trash."""

        def hidden(
            sampler: Sampler,
            slots: Sequence[int],
            at: int,
            trash: Callable[[int], list[int]] | None,
        ) -> list[int]:
            """Return a memory in which only the node at one position has the value."""
            wanted = sampler.integer(1, sampler.largest)
            values = [v + (v >= wanted) for v in sampler.values(high=sampler.largest - 1)]
            values[at] = wanted
            return self._lay_out(sampler, slots, values, wanted, trash and trash(wanted))

        def random(sampler: Sampler) -> list[int]:
            values = sampler.values()
            wanted = values[sampler.integer(0, sampler.size - 1)]
            return self._lay_out(sampler, self._slots(sampler), values, wanted)

        def alike(sampler: Sampler, count: int) -> list[int]:
            """Return a memory with the value at ``count`` nodes, at most at all of them."""
            values = sampler.values(high=sampler.largest - 1)
            for place in sampler.permutation()[:count]:
                values[place] = sampler.largest
            return self._lay_out(sampler, self._slots(sampler), values, sampler.largest)

        return {
            "random": random,
            "at the first node": lambda sampler: hidden(sampler, self._slots(sampler), 0, None),
            "at the last node": lambda sampler: hidden(sampler, self._slots(sampler), -1, None),
            "at the last node of a list in order": lambda sampler: hidden(
                sampler, range(sampler.size), -1, None
            ),
            "at the last node of a list laid out backwards": lambda sampler: hidden(
                sampler, range(sampler.size)[::-1], -1, None
            ),
            "at two nodes": lambda sampler: alike(sampler, 2),
            "at all nodes": lambda sampler: alike(sampler, sampler.size),
            "trash that is the value": lambda sampler: hidden(
                sampler, self._slots(sampler), -1, lambda wanted: [wanted] * sampler.cells
            ),
            "trash that points at itself": lambda sampler: hidden(
                sampler, self._slots(sampler), -1, lambda _: [*range(sampler.cells)]
            ),
        }

    def outside_cases(self) -> Cases:
        """Return lists without the value."""

        def absent(sampler: Sampler) -> list[int]:
            values = sampler.values(high=sampler.largest - 1)
            return self._lay_out(sampler, self._slots(sampler), values, sampler.largest)

        return {
            "a value that is not in the list": absent,
            "an empty list": lambda sampler: [0, *absent(sampler)[1:]],
        }

    def _slots(self, sampler: Sampler) -> list[int]:
        """Draw the slots of the nodes."""
        return sampler.permutation(sampler.size + self.spare)[: sampler.size]

    def _lay_out(
        self,
        sampler: Sampler,
        slots: Sequence[int],
        values: Sequence[int],
        wanted: int,
        trash: list[int] | None = None,
    ) -> list[int]:
        """Return the initial memory with a list among trash."""
        trash = sampler.values(sampler.cells) if trash is None else trash
        return _write_list([0, wanted, 0, *trash[_NODES:]], slots, values)

    def _draw(
        self, key: PRNGKeyArray, size: Int[Array, ""], max_size: int, cells: int
    ) -> MemorySample:
        """Draw a list of ``size`` nodes among trash, and the node whose value to find."""
        values_key, order_key, trash_key, wanted_key = jax.random.split(key, 4)
        values = draw_values(values_key, max_size, 1, cells - 1)
        slots = draw_permutation(order_key, size + self.spare, max_size + self.spare)
        nodes = _NODES + 2 * slots[:max_size]
        wanted = values[jax.random.randint(wanted_key, (), 0, size, jnp.int32)]
        trash = draw_values(trash_key, cells, 1, cells - 1)
        inputs = _put_list(trash, nodes, values, size)
        inputs = inputs.at[_WANTED].set(wanted).at[_OUT].set(0)
        # argmax finds the first of the nodes: padding comes after them, and one has the value.
        targets = inputs.at[_OUT].set(nodes[jnp.argmax(values == wanted)])
        return inputs, targets, within(cells, _OUT, 1)


def _write_list(memory: list[int], slots: Sequence[int], values: Sequence[int]) -> list[int]:
    """Return the memory with a list in these slots, and with the list's head in cell 0."""
    nodes = [_NODES + 2 * slot for slot in slots]
    for node, following, value in zip(nodes, [*nodes[1:], 0], values, strict=True):
        memory[node : node + 2] = following, value
    return [nodes[0], *memory[1:]]


def _put_list(
    memory: Int[Array, " cells"],
    nodes: Int[Array, " max_size"],
    values: Int[Array, " max_size"],
    size: Int[Array, ""],
) -> Int[Array, " cells"]:
    """Return the memory with a list of ``size`` nodes at these addresses, and its head."""
    place = jnp.arange(len(nodes))
    following = jnp.where(place < size - 1, jnp.roll(nodes, -1), 0)
    nowhere = len(memory)  # out of bounds: mode "drop" leaves such writes out
    written = jnp.where(place < size, nodes, nowhere)
    memory = memory.at[written].set(following, mode="drop")
    memory = memory.at[written + 1].set(values, mode="drop")
    return memory.at[_HEAD].set(nodes[0])


def _label_list(memory: Sequence[int], wanted: str) -> list[str]:
    """Return the labels of a list's memory; trash and unused cells have an empty one."""
    spans = [(node, ["next", "val"]) for node in _nodes(memory)]
    return label_cells(len(memory), *spans, (0, ["head", wanted, "out"]))


def _nodes(memory: Sequence[int]) -> list[int]:
    """Return the addresses of a list's nodes in order; at most M, should the list be cyclic."""
    nodes, node = [], memory[_HEAD]
    while node in range(_NODES, len(memory) - 1) and len(nodes) < len(memory):
        nodes.append(node)
        node = memory[node]
    return nodes
