"""The binary-search-tree task of the Neural Random-Access Machine paper."""

from __future__ import annotations

import bisect
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, PRNGKeyArray

from softmachine.core.choices import Count, Natural, check_fields
from softmachine.tasks.memories.adversarial import Cases, Sampler
from softmachine.tasks.memories.drawing import (
    cells_before_null,
    draw_permutation,
    label_cells,
    within,
)
from softmachine.tasks.memory import MemorySample, MemoryTask
from softmachine.tasks.registry import task

_ROOT, _OUT, _PATH = 0, 1, 2
"""Indices of cells: the pointer to the root, the answer, the first direction."""


@task("walk-bst")
@dataclasses.dataclass(frozen=True, kw_only=True)
class WalkBST(MemoryTask):
    """Follow a path through a binary search tree; output the value at its end.

    Cells: ``root``, the address of the first node; ``out``; directions ``d1``, ``d2``, ...,
    then 0; then ``size`` nodes of three cells, in random order: the value, the addresses
    of the left and of the right child, 0 for none. Scored: ``out``, cell 1, whose target is
    the value of the node that the directions lead to. Source: Kurach,
    Andrychowicz and Sutskever 2016 (arXiv 1511.06392), section 4.2 and appendix A.

    Decisions: the size is the number of nodes. The tree is grown by inserting ``size``
    distinct values from 1..M-1 in random order; the path leads to a uniformly drawn node, so
    that it may be empty. There are ``max_size`` cells for directions, so M = 2 + 4
    ``max_size``, and nodes fill the cells after them without gaps. The paper's directions are
    0 for left and 1 for right, but a 0 for left looks like the end of the path; ours are 1 and
    2 by default.

    >>> task = WalkBST()
    >>> example = task.sample(jax.random.key(4), 3, max_size=3)
    >>> print(task.render(example))
    cell        0     1     2     3     4     5     6     7     8     9    10    11
             root   out    d1   end         val  left right   val  left right   val
    input       8     0     1     0     0     6     0     0     7     5    11     9
    target      .     6     .     .     .     .     .     .     .     .     .     .
    <BLANKLINE>
    cell       12    13
             left right
    input       0     0
    target      .     .

    With the paper's directions, the same path cells mean going left in one memory and staying
    at the root in another:

    >>> task = WalkBST(directions=(0, 1))
    >>> print(task.render(task.sample(jax.random.key(1), 2, max_size=2)))
    cell        0     1     2     3     4     5     6     7     8     9
             root   out    d1    d2   val  left right   val  left right
    input       4     0     0     0     5     7     0     4     0     0
    target      .     4     .     .     .     .     .     .     .     .
    >>> print(task.render(task.sample(jax.random.key(8), 2, max_size=2)))
    cell        0     1     2     3     4     5     6     7     8     9
             root   out    d1    d2   val  left right   val  left right
    input       7     0     0     0     8     0     0     9     4     0
    target      .     9     .     .     .     .     .     .     .     .
    """

    table_1 = (10, "0.3 %", "strong", "hurts performance")

    directions: tuple[Natural, Natural] = (1, 2)
    """The numbers for left and right; a 0 makes the end of a path ambiguous."""
    steps_per_item: Count = 1
    """The number of machine steps per node; there are five steps more. A path has at most
    ``size - 1`` turns, so that with 1 a machine has to take each turn in one step."""
    addresses = frozenset({"root", "left", "right"})

    def __post_init__(self) -> None:
        """Check the directions and the steps."""
        check_fields(self)
        left, right = self.directions
        most = self.cells(self.smallest) - 1
        if left == right or not (0 <= left <= most and 0 <= right <= most):
            raise ValueError(
                f"WalkBST directions must be two different numbers in 0..{most}, not "
                f"{left, right}"
            )

    @property
    def largest(self) -> int:
        """5,000: memory grows with the square, every node is compared with every other one."""
        return 5_000

    def steps(self, size: Any) -> Any:
        """Return ``steps_per_item * size + 5``."""
        return self.steps_per_item * size + 5

    def cells(self, size: int) -> int:
        """Return ``4 * size + 2``: root, out, a direction per node, three cells per node."""
        return _PATH + 4 * size

    def labels(self, memory: Sequence[int]) -> list[str]:
        """Return ``root``, ``out``, ``d1``, ``d2``, ..., ``end``; ``val``, ``left``, ``right``.

        If a direction is 0, the memory does not tell where the path ends: all cells for
        directions get a ``d``.
        """
        most = (len(memory) - _PATH) // 4  # cells for directions
        length = most if 0 in self.directions else cells_before_null(memory, _PATH)
        path = [f"d{i + 1}" for i in range(length)] + ["end"]
        first = _PATH + most
        nodes = [node for node in range(first, len(memory), 3) if memory[node]]
        return label_cells(
            len(memory),
            (0, ["root", "out"]),
            (_PATH, path[:most]),
            *((node, ["val", "left", "right"]) for node in nodes),
        )

    def _solve(
        self, memory: Int[np.ndarray, " cells"]
    ) -> tuple[int, Int[np.ndarray, " scored"]] | None:
        """Return the value at the end of the path; None if a 0 may be a direction."""
        if 0 in self.directions:
            return None
        cells, node = memory.tolist(), int(memory[_ROOT])
        first = _PATH + (len(cells) - _PATH) // 4
        for turn in cells[_PATH : _PATH + cells_before_null(cells[:first], _PATH)]:
            if turn not in self.directions or node not in range(first, len(cells) - 2):
                return None
            node = cells[node + 1 + self.directions.index(turn)]
        if node not in range(first, len(cells) - 2):
            return None
        return _OUT, memory[node : node + 1]

    def adversarial_cases(self) -> Cases:
        """Return hard shapes and layouts of the tree, and long and short paths.

        No cases if a 0 may be a direction: then the memory alone does not determine the path.
        """
        if 0 in self.directions:
            return {}

        def chain(
            order: Callable[[list[int]], Sequence[int]],
        ) -> Callable[[Sampler], list[int]]:
            """Return a case that inserts values in an order; the path leads to the last one."""
            return lambda sampler: self._lay_out(sampler, order(_values(sampler)), -1)

        def shuffled(sampler: Sampler) -> list[int]:
            values = _values(sampler)
            return [values[i] for i in sampler.permutation()]

        def deepest(sampler: Sampler, values: list[int]) -> list[int]:
            return self._lay_out(sampler, values, np.argmax(_depths(values)))

        return {
            "random": lambda sampler: self._lay_out(
                sampler, shuffled(sampler), sampler.integer(0, sampler.size - 1)
            ),
            "the root": lambda sampler: self._lay_out(sampler, shuffled(sampler), 0),
            "the deepest path of a random tree": lambda sampler: deepest(
                sampler, shuffled(sampler)
            ),
            "a chain to the left": chain(lambda values: values[::-1]),
            "a chain to the right": chain(lambda values: values),
            "a zigzag chain that begins to the left": chain(
                lambda values: _zigzag(values[::-1])
            ),
            "a zigzag chain that begins to the right": chain(_zigzag),
            "a balanced tree": lambda sampler: deepest(sampler, _halves(_values(sampler))),
            "a chain laid out in order": lambda sampler: self._lay_out(
                sampler, _values(sampler), -1, range(sampler.size)
            ),
            "a chain laid out backwards": lambda sampler: self._lay_out(
                sampler, _values(sampler), -1, range(sampler.size)[::-1]
            ),
            "the end of half a chain": lambda sampler: self._lay_out(
                sampler, _values(sampler), sampler.size // 2
            ),
            "the largest values": lambda sampler: self._lay_out(
                sampler, range(sampler.cells - sampler.size, sampler.cells), -1
            ),
            "the smallest values": lambda sampler: self._lay_out(
                sampler, range(1, sampler.size + 1)[::-1], -1
            ),
        }

    def outside_cases(self) -> Cases:
        """Return paths that leave the tree or hold an invalid direction, and an empty tree."""
        if 0 in self.directions:
            return {}

        def leaving(sampler: Sampler) -> list[int]:
            memory = self._lay_out(sampler, _values(sampler), -1)
            memory[_PATH + sampler.size - 1] = self.directions[1]
            return memory

        def unknown(sampler: Sampler) -> list[int]:
            memory = self._lay_out(sampler, _values(sampler), 0)
            others = {1, 2, 3} - {*self.directions}
            memory[_PATH] = min(others)
            return memory

        return {
            "a path that leaves the tree": leaving,
            "an empty tree": lambda sampler: [0],
            "a direction that is none": unknown,
        }

    def _lay_out(
        self,
        sampler: Sampler,
        values: Sequence[int],
        end: int | np.integer,
        slots: Sequence[int] | None = None,
    ) -> list[int]:
        """Return the initial memory with a tree and a path.

        Arguments:
            sampler: what is drawn from, for slots that are not given.
            values: the values in the order of insertion.
            end: the index of the value that the path leads to.
            slots: the place of each node among the cells for nodes; by default random.
        """
        directions = (sampler.cells - _PATH) // 4
        nodes = [_PATH + directions + 3 * slot for slot in slots or sampler.permutation()]
        memory = [nodes[0], 0, *[0] * (sampler.cells - _PATH)]
        parents = _parents(values)
        for node, value, parent in zip(nodes, values, parents, strict=True):
            memory[node] = value
            if parent is not None:
                memory[nodes[parent] + (1 if value < values[parent] else 2)] = node
        path, place = [], range(len(values))[end]
        while (above := parents[place]) is not None:
            path.append(self.directions[values[place] > values[above]])
            place = above
        memory[_PATH : _PATH + len(path)] = path[::-1]
        return memory

    def _draw(
        self, key: PRNGKeyArray, size: Int[Array, ""], max_size: int, cells: int
    ) -> MemorySample:
        """Draw a tree of ``size`` nodes, and a path from its root."""
        values_key, order_key, end_key = jax.random.split(key, 3)
        values = 1 + draw_permutation(values_key, cells - 1, cells - 1)[:max_size]
        nodes = _PATH + max_size + 3 * draw_permutation(order_key, size, max_size)
        end = jax.random.randint(end_key, (), 0, size, jnp.int32)
        above = _ancestors(values)
        path = self._path(values, above[end], values[end])
        inputs = _put_tree(jnp.zeros(cells, jnp.int32), nodes, values, above, size)
        inputs = inputs.at[_PATH : _PATH + max_size].set(path)
        targets = inputs.at[_OUT].set(values[end])
        return inputs, targets, within(cells, _OUT, 1)

    def _path(
        self, values: Int[Array, " nodes"], above: Bool[Array, " nodes"], end: Int[Array, ""]
    ) -> Int[Array, " nodes"]:
        """Return the directions from the root to the value ``end``, then zeros.

        ``above`` marks the nodes on the way, as `_ancestors` gives them.
        """
        left, right = self.directions
        place = jnp.where(above, jnp.cumsum(above) - 1, len(values))
        turn = jnp.where(values < end, right, left)
        return jnp.zeros_like(values).at[place].set(turn, mode="drop")


def _ancestors(values: Int[Array, " nodes"]) -> Bool[Array, "nodes nodes"]:
    """Return in each row the ancestors of a node, if values are inserted in their order.

    An ancestor is a value that, when it was inserted, was the closest so far to the node's
    value from below or from above. From the root down, ancestors are in order of insertion.
    """
    own, other = values[:, None], values[None, :]
    below = jnp.where(other < own, other, jnp.iinfo(jnp.int32).min)
    beyond = jnp.where(other > own, other, jnp.iinfo(jnp.int32).max)
    closest = (other == jax.lax.cummax(below, axis=1)) | (
        other == jax.lax.cummin(beyond, axis=1)
    )
    return closest & jnp.tri(len(values), k=-1, dtype=bool)


def _put_tree(
    memory: Int[Array, " cells"],
    nodes: Int[Array, " max_size"],
    values: Int[Array, " max_size"],
    above: Bool[Array, "max_size max_size"],
    size: Int[Array, ""],
) -> Int[Array, " cells"]:
    """Return the memory with a tree of the first ``size`` nodes, and its root in cell 0."""
    place = jnp.arange(len(nodes))
    nowhere = len(memory)  # out of bounds: mode "drop" leaves such writes out
    memory = memory.at[jnp.where(place < size, nodes, nowhere)].set(values, mode="drop")
    # The ancestor inserted last is the parent.
    parent = jnp.max(jnp.where(above, place, 0), axis=1)
    link = nodes[parent] + jnp.where(values < values[parent], 1, 2)
    link = jnp.where((place > 0) & (place < size), link, nowhere)
    return memory.at[link].set(nodes, mode="drop").at[_ROOT].set(nodes[0])


def _values(sampler: Sampler) -> list[int]:
    """Draw ``size`` distinct values, in increasing order."""
    return sorted(1 + value for value in sampler.permutation(sampler.largest)[: sampler.size])


def _zigzag(values: list[int]) -> list[int]:
    """Return the first, the last, the second, the last but one, and so on."""
    return [values[i // 2] if i % 2 == 0 else values[-1 - i // 2] for i in range(len(values))]


def _halves(values: list[int]) -> list[int]:
    """Return the middle value, then the middles of both halves, and so on."""
    order, parts = [], [values]
    for part in parts:  # the list grows during the loop
        if part:
            middle = len(part) // 2
            order.append(part[middle])
            parts += [part[:middle], part[middle + 1 :]]
    return order


def _parents(values: Sequence[int]) -> list[int | None]:
    """Return the index of each value's parent, if values are inserted in their order.

    Of the two neighbours among the values inserted before, the parent is the later one.
    """
    known: list[int] = []
    places = {value: place for place, value in enumerate(values)}
    parents: list[int | None] = []
    for value in values:
        i = bisect.bisect(known, value)
        around = [places[other] for other in known[max(i - 1, 0) : i + 1]]
        parents.append(max(around, default=None))
        known.insert(i, value)
    return parents


def _depths(values: Sequence[int]) -> list[int]:
    """Return the depth of each value in the tree; 0 for the root."""
    depths: list[int] = []
    for parent in _parents(values):
        depths.append(0 if parent is None else depths[parent] + 1)
    return depths
