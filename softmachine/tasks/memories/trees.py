"""The tree task of the Neural Random-Access Machine paper."""

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
from softmachine.tasks.memories.adversarial import Cases, Room
from softmachine.tasks.memories.drawing import (
    cells_before_null,
    draw_order,
    label_cells,
    within,
)
from softmachine.tasks.memory import Drawn, MemoryTask
from softmachine.tasks.registry import task

_ROOT, _OUT, _PATH = 0, 1, 2
"""Cells of the pointer to the tree, of the answer, of the first direction."""


@task("walk-bst")
@dataclasses.dataclass(frozen=True, kw_only=True)
class WalkBST(MemoryTask):
    """Follow a path through a binary search tree; say the value at its end.

    Cells: ``root``, the address of the first node; ``out``; directions ``d1``, ``d2``, ...,
    then 0; then ``size`` nodes of three cells, in random order: the value, the addresses
    of the left and of the right child, 0 for none. Scored: the out cell, number 1, which
    shall hold the value of the node that the directions lead to. Source: Kurach,
    Andrychowicz and Sutskever 2016 (arXiv 1511.06392), section 4.2 and appendix A.

    Decisions: the size is the number of nodes. The tree grows by inserting ``size``
    different values out of 1..M-1, in random order; the path leads to a uniformly drawn
    node, so that it may be empty. There are as many cells for directions as the largest
    tree has nodes, M = 2 + 4 ``max_size``, and nodes fill the cells after them without
    gaps. The paper's directions are 0 for left and 1 for right, which makes left look like
    the end of the path; ours are 1 and 2 unless said otherwise.

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

    With the paper's directions, the same path is going left here and staying there:

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
    """What stands for left and for right; with a 0 the end of a path is ambiguous."""
    steps_per_item: Count = 1
    """How many steps a machine takes for each node, besides five. A path may have a turn for
    every node but one: with one step each, a turn must not take two."""
    largest = 5_000  # every node is compared with every other one
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

    def steps(self, size: Any) -> Any:
        """Return ``steps_per_item`` steps per node and five."""
        return self.steps_per_item * size + 5

    def cells(self, size: int) -> int:
        """Return the cells of the root, the answer, the path with its end, the nodes."""
        return _PATH + 4 * size

    def labels(self, memory: Sequence[int]) -> list[str]:
        """Return ``root``, ``out``, ``d1``, ``d2``, ..., ``end``; ``val``, ``left``, ``right``.

        If a direction is 0 the memory does not tell where the path ends: all cells that are
        there for directions get a ``d``.
        """
        room = (len(memory) - _PATH) // 4
        length = room if 0 in self.directions else cells_before_null(memory, _PATH)
        path = [f"d{i + 1}" for i in range(length)] + ["end"]
        first = _PATH + room
        nodes = [node for node in range(first, len(memory), 3) if memory[node]]
        return label_cells(
            len(memory),
            (0, ["root", "out"]),
            (_PATH, path[:room]),
            *((node, ["val", "left", "right"]) for node in nodes),
        )

    def _solve(
        self, memory: Int[np.ndarray, " cells"]
    ) -> tuple[int, Int[np.ndarray, " scored"]] | None:
        """Return the value at the end of the path; None if a 0 may be part of the path."""
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
        """Return those of the tree's shape and layout, and of the path's length.

        None if a 0 may be part of the path, which the memory alone does not tell then.
        """
        if 0 in self.directions:
            return {}

        def chain(order: Callable[[list[int]], Sequence[int]]) -> Callable[[Room], list[int]]:
            """Return a case: what order values are inserted in, the path to the last one."""
            return lambda room: self._lay_out(room, order(_values(room)), -1)

        def shuffled(room: Room) -> list[int]:
            values = _values(room)
            return [values[i] for i in room.order()]

        def deepest(room: Room, values: list[int]) -> list[int]:
            return self._lay_out(room, values, np.argmax(_depths(values)))

        return {
            "random": lambda room: self._lay_out(
                room, shuffled(room), room.pick(0, room.size - 1)
            ),
            "the root": lambda room: self._lay_out(room, shuffled(room), 0),
            "the deepest path of a random tree": lambda room: deepest(room, shuffled(room)),
            "a chain to the left": chain(lambda values: values[::-1]),
            "a chain to the right": chain(lambda values: values),
            "a zigzag chain that begins to the left": chain(
                lambda values: _zigzag(values[::-1])
            ),
            "a zigzag chain that begins to the right": chain(_zigzag),
            "a balanced tree": lambda room: deepest(room, _halves(_values(room))),
            "a chain laid out in order": lambda room: self._lay_out(
                room, _values(room), -1, range(room.size)
            ),
            "a chain laid out backwards": lambda room: self._lay_out(
                room, _values(room), -1, range(room.size)[::-1]
            ),
            "the end of half a chain": lambda room: self._lay_out(
                room, _values(room), room.size // 2
            ),
            "the largest values": lambda room: self._lay_out(
                room, range(room.cells - room.size, room.cells), -1
            ),
            "the smallest values": lambda room: self._lay_out(
                room, range(1, room.size + 1)[::-1], -1
            ),
        }

    def outside_cases(self) -> Cases:
        """Return paths that end nowhere."""
        if 0 in self.directions:
            return {}

        def leaving(room: Room) -> list[int]:
            memory = self._lay_out(room, _values(room), -1)
            memory[_PATH + room.size - 1] = self.directions[1]
            return memory

        def unknown(room: Room) -> list[int]:
            memory = self._lay_out(room, _values(room), 0)
            others = {1, 2, 3} - {*self.directions}
            memory[_PATH] = min(others)
            return memory

        return {
            "a path that leaves the tree": leaving,
            "an empty tree": lambda room: [0],
            "a direction that is none": unknown,
        }

    def _lay_out(
        self,
        room: Room,
        values: Sequence[int],
        end: int | np.integer,
        slots: Sequence[int] | None = None,
    ) -> list[int]:
        """Return the memory with a tree, by the order of insertion, and the path to a value."""
        directions = (room.cells - _PATH) // 4
        nodes = [_PATH + directions + 3 * slot for slot in slots or room.order()]
        memory = [nodes[0], 0, *[0] * (room.cells - _PATH)]
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
    ) -> Drawn:
        """Draw a tree of ``size`` nodes and a path from its root."""
        values_key, order_key, end_key = jax.random.split(key, 3)
        values = 1 + draw_order(values_key, cells - 1, cells - 1)[:max_size]
        nodes = _PATH + max_size + 3 * draw_order(order_key, size, max_size)
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
        """Return the directions through the nodes above a value, down to it, then zeros."""
        left, right = self.directions
        place = jnp.where(above, jnp.cumsum(above) - 1, len(values))
        turn = jnp.where(values < end, right, left)
        return jnp.zeros_like(values).at[place].set(turn, mode="drop")


def _ancestors(values: Int[Array, " nodes"]) -> Bool[Array, "nodes nodes"]:
    """Return, by rows, which nodes are above a node if values are inserted in turn.

    They are those that, of all inserted so far, came closest to its value from below or
    from above; from the root down they stand in the order of insertion.
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
    nodes: Int[Array, " room"],
    values: Int[Array, " room"],
    above: Bool[Array, "room room"],
    size: Int[Array, ""],
) -> Int[Array, " cells"]:
    """Return the memory with a tree of the first ``size`` nodes and its root."""
    place = jnp.arange(len(nodes))
    nowhere = len(memory)
    memory = memory.at[jnp.where(place < size, nodes, nowhere)].set(values, mode="drop")
    parent = jnp.max(jnp.where(above, place, 0), axis=1)
    link = nodes[parent] + jnp.where(values < values[parent], 1, 2)
    link = jnp.where((place > 0) & (place < size), link, nowhere)
    return memory.at[link].set(nodes, mode="drop").at[_ROOT].set(nodes[0])


def _values(room: Room) -> list[int]:
    """Draw different values, in rising order."""
    return sorted(1 + value for value in room.order(room.most)[: room.size])


def _zigzag(values: list[int]) -> list[int]:
    """Return the first, the last, the second, the last but one, and so on."""
    return [values[i // 2] if i % 2 == 0 else values[-1 - i // 2] for i in range(len(values))]


def _halves(values: list[int]) -> list[int]:
    """Return the middle, then the middles of both halves, and so on."""
    order, parts = [], [values]
    for part in parts:  # grows meanwhile
        if part:
            middle = len(part) // 2
            order.append(part[middle])
            parts += [part[:middle], part[middle + 1 :]]
    return order


def _parents(values: Sequence[int]) -> list[int | None]:
    """Return the place of each value's parent, if values are inserted in turn.

    Of its neighbours among those inserted before, it is the one that came later.
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
    """Return how deep each value stands in the tree."""
    depths: list[int] = []
    for parent in _parents(values):
        depths.append(0 if parent is None else depths[parent] + 1)
    return depths
