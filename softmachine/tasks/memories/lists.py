"""Linked-list tasks of the Neural Random-Access Machine paper.

A node is two cells: the address of the next node, 0 for the last, then a value. Source:
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
from softmachine.tasks.memories.adversarial import Cases, Room
from softmachine.tasks.memories.drawing import draw_order, draw_values, label_cells, within
from softmachine.tasks.memory import Drawn, MemoryTask
from softmachine.tasks.registry import task

_HEAD, _WANTED, _OUT, _NODES = 0, 1, 2, 3
"""Cells of the pointer to the list, of what is asked for, of the answer, of the nodes."""


@task("list-k")
@dataclasses.dataclass(frozen=True, kw_only=True)
class ListK(MemoryTask):
    """Find the value of the k-th node of a linked list.

    Cells: ``head``, the address of the first node; ``k``; ``out``; then ``size`` nodes, in
    random order. Scored: the out cell, number 2, which shall hold the value of the node
    that k hops from the first lead to. Values are uniform in 1..M-1. Source: Kurach,
    Andrychowicz and Sutskever 2016 (arXiv 1511.06392), section 4.2 and appendix A.

    Decisions: k counts hops, uniform in 0..size-1, as the paper's "how many hops" says; its
    "k-th element" would count from 1, an option. The answer goes into the cell ``out``
    itself; public code lets that cell point to itself (it holds 2), an option too. Nodes
    fill the cells from 3 on without gaps: only their order is random.

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
    """What k is for the first node: 0 or 1."""
    out_pointer: bool = False
    """Whether the out cell holds its own address at first, instead of 0."""
    addresses = frozenset({"head", "next"})

    def __post_init__(self) -> None:
        """Check what the first node is called."""
        check_fields(self)

    def steps(self, size: Any) -> Any:
        """Return a step per node and four."""
        return size + 4

    def cells(self, size: int) -> int:
        """Return the cells of the head, k, the answer and the nodes."""
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
        """Return those of the list's layout, of k, and of values that look like addresses."""

        def anywhere(room: Room) -> int:
            return room.pick(0, room.size - 1)

        def last(room: Room, slots: Sequence[int], values: list[int]) -> list[int]:
            return self._lay_out(room, slots, values, room.size - 1)

        return {
            "random": lambda room: self._lay_out(
                room, room.order(), room.values(), anywhere(room)
            ),
            "the first node": lambda room: self._lay_out(room, room.order(), room.values(), 0),
            "the last node": lambda room: last(room, room.order(), room.values()),
            "the last node of a list in order": lambda room: last(
                room, range(room.size), room.values()
            ),
            "the last node of a list laid out backwards": lambda room: last(
                room, range(room.size)[::-1], room.values()
            ),
            "all values largest": lambda room: last(
                room, room.order(), [room.most] * room.size
            ),
            "all values smallest": lambda room: last(room, room.order(), [1] * room.size),
            "values that look like addresses": lambda room: self._lay_out(
                room, room.order(), [_NODES + 2 * i for i in room.order()], anywhere(room)
            ),
        }

    def outside_cases(self) -> Cases:
        """Return lists that have no k-th node."""
        return {
            "k past the end of the list": lambda room: self._lay_out(
                room, room.order(), room.values(), min(room.size, room.most - self.first)
            ),
            "an empty list": lambda room: [0, self.first, _OUT * self.out_pointer],
        }

    def _lay_out(
        self, room: Room, slots: Sequence[int], values: Sequence[int], hops: int
    ) -> list[int]:
        """Return the memory with a list and how many hops to take."""
        memory = [0, hops + self.first, _OUT * self.out_pointer, *[0] * (room.cells - _NODES)]
        return _write_list(memory, slots, values)

    def _draw(
        self, key: PRNGKeyArray, size: Int[Array, ""], max_size: int, cells: int
    ) -> Drawn:
        """Draw a list of ``size`` nodes and how many hops to take."""
        values_key, order_key, hops_key = jax.random.split(key, 3)
        values = draw_values(values_key, max_size, 1, cells - 1)
        nodes = _NODES + 2 * draw_order(order_key, size, max_size)
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

    Cells: ``head``, the address of the first node; the value ``v``; ``out``; then room for
    ``size`` + ``spare`` nodes, in which ``size`` nodes stand at random. Scored: the out
    cell, number 2, which shall hold the address of the first node whose value is v.
    Source: Kurach, Andrychowicz and Sutskever 2016 (arXiv 1511.06392), section 4.2 and
    appendix A.

    Decisions: v is the value of a uniformly drawn node, so that there is an answer. Values
    are uniform in 1..M-1 and may be repeated. All cells from 3 on that belong to no node
    hold trash, uniform in 1..M-1, those past the last node included: as in the paper, it
    can look like a node with value v, so that only following the list finds the answer.
    How much room there is, and the cell of the answer, the paper does not say.

    >>> task = ListSearch(spare=1)
    >>> example = task.sample(jax.random.key(4), 3, max_size=3)
    >>> print(task.render(example))
    cell       0    1    2    3    4    5    6    7    8    9   10
            head    v  out next  val next  val           next  val
    input      5    1    0    0    9    9    1    1    8    3   10
    target     .    .    5    .    .    .    .    .    .    .    .

    Cell 7 is trash that looks like v, which a machine must not answer:

    >>> print(task.render(example, example.targets.at[2].set(7)).splitlines()[-1])
    output     5    1   7!    0    9    9    1    1    8    3   10
    """

    table_1 = (6, "0", "weak", "hurts performance")

    spare: Natural = 2
    """How many more nodes there would be room for."""
    steps_per_item: Count = 2
    """How many steps a machine takes for each node, besides four."""
    addresses = frozenset({"head", "next"})

    def __post_init__(self) -> None:
        """Check the room and the steps."""
        check_fields(self)

    def steps(self, size: Any) -> Any:
        """Return ``steps_per_item`` steps per node and four."""
        return self.steps_per_item * size + 4

    def cells(self, size: int) -> int:
        """Return the cells of the head, the value, the answer, the nodes and the trash."""
        return _NODES + 2 * (size + self.spare)

    def labels(self, memory: Sequence[int]) -> list[str]:
        """Return ``head``, ``v``, ``out``; ``next`` and ``val`` for nodes of the list."""
        return _label_list(memory, "v")

    def _solve(
        self, memory: Int[np.ndarray, " cells"]
    ) -> tuple[int, Int[np.ndarray, " scored"]] | None:
        """Return the address of the first node that holds the value."""
        found = [n for n in _nodes(memory.tolist()) if memory[n + 1] == memory[_WANTED]]
        return (_OUT, np.array(found[:1])) if found else None

    def adversarial_cases(self) -> Cases:
        """Return those of the layout, of where the value is, of trash that looks like it."""

        def hidden(
            room: Room, slots: Sequence[int], at: int, trash: Callable[[int], list[int]] | None
        ) -> list[int]:
            """Return a memory whose value stands at one node alone."""
            wanted = room.pick(1, room.most)
            values = [v + (v >= wanted) for v in room.values(high=room.most - 1)]
            values[at] = wanted
            return self._lay_out(room, slots, values, wanted, trash and trash(wanted))

        def random(room: Room) -> list[int]:
            values = room.values()
            wanted = values[room.pick(0, room.size - 1)]
            return self._lay_out(room, self._slots(room), values, wanted)

        def alike(room: Room, count: int) -> list[int]:
            """Return a memory with the value at so many nodes, if there are as many."""
            values = room.values(high=room.most - 1)
            for place in room.order()[:count]:
                values[place] = room.most
            return self._lay_out(room, self._slots(room), values, room.most)

        return {
            "random": random,
            "at the first node": lambda room: hidden(room, self._slots(room), 0, None),
            "at the last node": lambda room: hidden(room, self._slots(room), -1, None),
            "at the last node of a list in order": lambda room: hidden(
                room, range(room.size), -1, None
            ),
            "at the last node of a list laid out backwards": lambda room: hidden(
                room, range(room.size)[::-1], -1, None
            ),
            "at two nodes": lambda room: alike(room, 2),
            "at all nodes": lambda room: alike(room, room.size),
            "trash that is the value": lambda room: hidden(
                room, self._slots(room), -1, lambda wanted: [wanted] * room.cells
            ),
            "trash that points at itself": lambda room: hidden(
                room, self._slots(room), -1, lambda _: [*range(room.cells)]
            ),
        }

    def outside_cases(self) -> Cases:
        """Return lists that do not hold the value."""

        def absent(room: Room) -> list[int]:
            values = room.values(high=room.most - 1)
            return self._lay_out(room, self._slots(room), values, room.most)

        return {
            "a value that is not in the list": absent,
            "an empty list": lambda room: [0, *absent(room)[1:]],
        }

    def _slots(self, room: Room) -> list[int]:
        """Draw where the nodes stand."""
        return room.order(room.size + self.spare)[: room.size]

    def _lay_out(
        self,
        room: Room,
        slots: Sequence[int],
        values: Sequence[int],
        wanted: int,
        trash: list[int] | None = None,
    ) -> list[int]:
        """Return the memory with a list among trash."""
        trash = room.values(room.cells) if trash is None else trash
        return _write_list([0, wanted, 0, *trash[_NODES:]], slots, values)

    def _draw(
        self, key: PRNGKeyArray, size: Int[Array, ""], max_size: int, cells: int
    ) -> Drawn:
        """Draw a list of ``size`` nodes among trash and which node's value to find."""
        values_key, order_key, trash_key, wanted_key = jax.random.split(key, 4)
        values = draw_values(values_key, max_size, 1, cells - 1)
        slots = draw_order(order_key, size + self.spare, max_size + self.spare)
        nodes = _NODES + 2 * slots[:max_size]
        wanted = values[jax.random.randint(wanted_key, (), 0, size, jnp.int32)]
        trash = draw_values(trash_key, cells, 1, cells - 1)
        inputs = _put_list(trash, nodes, values, size)
        inputs = inputs.at[_WANTED].set(wanted).at[_OUT].set(0)
        # Padding comes after the nodes, one of which holds the value.
        targets = inputs.at[_OUT].set(nodes[jnp.argmax(values == wanted)])
        return inputs, targets, within(cells, _OUT, 1)


def _write_list(memory: list[int], slots: Sequence[int], values: Sequence[int]) -> list[int]:
    """Return the memory with a list whose nodes stand in these slots, and its head."""
    nodes = [_NODES + 2 * slot for slot in slots]
    for node, following, value in zip(nodes, [*nodes[1:], 0], values, strict=True):
        memory[node : node + 2] = following, value
    return [nodes[0], *memory[1:]]


def _put_list(
    memory: Int[Array, " cells"],
    nodes: Int[Array, " room"],
    values: Int[Array, " room"],
    size: Int[Array, ""],
) -> Int[Array, " cells"]:
    """Return the memory with a list of ``size`` nodes at these addresses and its head."""
    place = jnp.arange(len(nodes))
    following = jnp.where(place < size - 1, jnp.roll(nodes, -1), 0)
    nowhere = len(memory)
    written = jnp.where(place < size, nodes, nowhere)
    memory = memory.at[written].set(following, mode="drop")
    memory = memory.at[written + 1].set(values, mode="drop")
    return memory.at[_HEAD].set(nodes[0])


def _label_list(memory: Sequence[int], wanted: str) -> list[str]:
    """Return the labels of a list's memory; trash and unused cells have none."""
    spans = [(node, ["next", "val"]) for node in _nodes(memory)]
    return label_cells(len(memory), *spans, (0, ["head", wanted, "out"]))


def _nodes(memory: Sequence[int]) -> list[int]:
    """Return the addresses of a list's nodes in their order; no more than there are cells."""
    nodes, node = [], memory[_HEAD]
    while node in range(_NODES, len(memory) - 1) and len(nodes) < len(memory):
        nodes.append(node)
        node = memory[node]
    return nodes
