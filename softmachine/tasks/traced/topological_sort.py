"""Topological sort (Cai, Shin & Song 2017): depth first, with a stack and colours."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

from softmachine.core.errors import SoftmachineError
from softmachine.tasks.traced.environment import (
    Environment,
    FailureError,
    Picture,
    PictureRow,
    Steps,
    primitive,
    program,
)

What = Literal[
    "ACTIVE_START",
    "ACTIVE_NEIGHB",
    "ACTIVE_STACK",
    "SAVE",
    "RESULT",
    "STACK_PUSH",
    "STACK_POP",
    "COLOR_CURR",
    "COLOR_NEXT",
]
Colour = Literal["", "GREY", "BLACK"]
COLOURS = ("WHITE", "GREY", "BLACK", "INVALID")
"""Of vertices not met yet, under way, done; and where there is no vertex."""
Graph = tuple[int, tuple[tuple[int, int], ...]]
"""How many vertices there are, numbered from 1, and edges, each from a vertex to another."""


class TopologicalSort(Environment):
    """A graph without cycles, a colour for each vertex, a stack, and the result so far.

    Edges go from a vertex to one that has to come after it. The result is written from its
    end: the first vertex written is the last in order.
    """

    observations: ClassVar = {
        "start": COLOURS,
        "next child": COLOURS,
        "stack empty": (False, True),
    }
    main: ClassVar = "TOPOSORT"

    def __init__(self, vertices: int, edges: Sequence[tuple[int, int]]) -> None:
        """Lay out a graph; the children of a vertex come in the order of its edges.

        Raises SoftmachineError if an end of an edge is no vertex, or if there is a cycle.
        """
        for edge in edges:
            if not all(1 <= v <= vertices for v in edge):
                raise SoftmachineError(
                    f"edge {edge} joins vertices that are not 1 to {vertices}"
                )
        if cyclic := _in_cycles(vertices, edges):
            raise SoftmachineError(
                f"the graph has a cycle among the vertices {cyclic}: they have no order"
            )
        self.vertices, self.edges = vertices, tuple(map(tuple, edges))
        self.children: list[list[int]] = [[] for _ in range(vertices + 1)]
        for parent, child in edges:
            self.children[parent].append(child)
        self.colours = ["WHITE"] * (vertices + 1)
        self.child = [0] * (vertices + 1)
        self.start, self.active, self.saved = 1, 0, 0
        self.stacked: list[int] = [0]
        self.free = 0
        self.results: list[int] = [0]
        self.written = 0

    def observe(self) -> tuple[str, str, bool]:
        """Return the colours of START and of ACTIVE's next child, and whether all are done."""
        child = self._next_child()
        return self._colour(self.start), self._colour(child), self.free == 0

    def _colour(self, vertex: int) -> str:
        return self.colours[vertex] if 1 <= vertex <= self.vertices else "INVALID"

    def _next_child(self) -> int:
        """Return ACTIVE's next child; 0 if there is none."""
        children, at = self.children[self.active], self.child[self.active]
        return children[at] if 0 <= at < len(children) else 0

    @primitive
    def write(self, what: What, colour: Colour = "") -> None:
        """Set a variable, a colour, or a place of the stack or the result."""
        if what in ("COLOR_CURR", "COLOR_NEXT"):
            vertex = self.active if what == "COLOR_CURR" else self._next_child()
            if not vertex or not colour:
                raise FailureError(f"{what} has no vertex, or no colour")
            self.colours[vertex] = colour
        elif what == "ACTIVE_START":
            self.active = self._vertex(self.start, "START")
        elif what == "ACTIVE_NEIGHB":
            self.active = self._vertex(self._next_child(), "the next child")
        elif what == "ACTIVE_STACK":
            self.active = self._vertex(self.stacked[self.free - 1] if self.free else 0, "STACK")
        elif what == "SAVE":
            self.saved = self.active
        elif what == "RESULT":
            self.results[self.written] = self.active
        else:
            self.stacked[self.free] = self.active if what == "STACK_PUSH" else 0

    def _vertex(self, vertex: int, where: str) -> int:
        if not 1 <= vertex <= self.vertices:
            raise FailureError(f"{where} is no vertex")
        return vertex

    @primitive
    def move(
        self,
        pointer: Literal["START", "RESULT", "STACK", "CHILD_ACTIVE", "CHILD_SAVE"],
        way: Literal["UP", "DOWN"],
    ) -> None:
        """Move a pointer by one."""
        by = 1 if way == "UP" else -1
        if pointer == "START":
            self.start = min(max(self.start + by, 1), self.vertices + 1)
        elif pointer == "RESULT":
            self.written += by
            self._grow(self.results, self.written, pointer)
        elif pointer == "STACK":
            self.free += by
            self._grow(self.stacked, self.free, pointer)
        else:
            vertex = self.active if pointer == "CHILD_ACTIVE" else self.saved
            self.child[vertex] = max(self.child[vertex] + by, 0)

    def _grow(self, cells: list[int], at: int, pointer: str) -> None:
        if at < 0:
            raise FailureError(f"{pointer} moves below its first place")
        if at >= len(cells):
            cells.append(0)

    @program
    def toposort(self) -> Steps:
        """Visit the vertices one after another, and all that hangs on each."""
        if self._start == "INVALID":
            return None
        yield from self._visit()
        return self.toposort()

    def _visit(self) -> Steps:
        yield self.write("ACTIVE_START")
        yield self.write("COLOR_CURR", "GREY")
        yield self.traverse()
        yield self.move("START", "UP")
        yield self.next_start()
        return None

    @program
    def traverse(self) -> Steps:
        """Visit all that hangs on the active vertex."""
        yield self.check_child()
        return self.explore()

    @program
    def check_child(self) -> Steps:
        """Go on to a child that has not been met, if there is one."""
        if self._next in ("WHITE", "INVALID"):
            return None
        yield self.move("CHILD_ACTIVE", "UP")
        return self.check_child()

    @program
    def next_start(self) -> Steps:
        """Go on to a vertex that has not been met, if there is one."""
        if self._start in ("WHITE", "INVALID"):
            return None
        yield self.move("START", "UP")
        return self.next_start()

    @program
    def explore(self) -> Steps:
        """Go down to a child, or up if there is none, until the stack is empty."""
        ended = yield from self._explore()
        return None if ended else self.explore()

    def _explore(self):
        """Take one way down or up; return whether that was the last."""
        if self._next == "WHITE":
            yield self.write("COLOR_NEXT", "GREY")
            yield self.stack("PUSH")
            yield self.write("SAVE")
            yield self.write("ACTIVE_NEIGHB")
            yield self.move("CHILD_SAVE", "UP")
        else:
            yield self.write("COLOR_CURR", "BLACK")
            yield self.write("RESULT")
            yield self.move("RESULT", "UP")
            if self.observe()[2]:
                return True
            yield self.stack("POP")
        yield self.check_child()
        return False

    @program
    def stack(self, operation: Literal["PUSH", "POP"]) -> Steps:
        """Put the active vertex on the stack, or take it from there."""
        if operation == "PUSH":
            yield self.write("STACK_PUSH")
            return self.move("STACK", "UP")
        yield self.write("ACTIVE_STACK")
        yield self.write("STACK_POP")
        return self.move("STACK", "DOWN")

    @property
    def _start(self) -> str:
        return self.observe()[0]

    @property
    def _next(self) -> str:
        return self.observe()[1]

    def result(self) -> tuple[int, ...]:
        """Return the vertices in order."""
        return tuple(reversed(self.results[: self.written]))

    def expected(self) -> tuple[int, ...]:
        """Return the order in which a depth-first search leaves the vertices, reversed."""
        order: list[int] = []
        met: set[int] = set()
        for root in range(1, self.vertices + 1):
            path = [] if root in met else [(root, iter(self.children[root]))]
            met.add(root)
            while path:
                vertex, children = path[-1]
                child = next((c for c in children if c not in met), None)
                if child is None:
                    order.append(vertex)
                    path.pop()
                else:
                    met.add(child)
                    path.append((child, iter(self.children[child])))
        return tuple(reversed(order))

    def right(self) -> bool:
        """Return whether each vertex is there once, and before all that its edges lead to.

        So are other orders than the expected one.
        """
        place = {vertex: i for i, vertex in enumerate(self.result())}
        return sorted(self.result()) == [*range(1, self.vertices + 1)] and all(
            place[parent] < place[child] for parent, child in self.edges
        )

    def picture(self) -> Picture:
        """Return vertices with their colours and pointers, the stack, and the result."""
        cells = tuple(f"{v} {self.colours[v].lower()}" for v in range(1, self.vertices + 1))
        named = {"START": self.start, "ACTIVE": self.active, "SAVE": self.saved}
        vertices = PictureRow("vertices", cells, {name: v - 1 for name, v in named.items()})
        stack = PictureRow("stack", tuple(map(str, self.stacked[: self.free])))
        return Picture((vertices, stack, PictureRow("result", tuple(map(str, self.result())))))


def _in_cycles(vertices: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """Return the vertices of cycles, and those after them. Source: Kahn 1962."""
    left = dict.fromkeys(range(1, vertices + 1), 0)
    behind: dict[int, list[int]] = {vertex: [] for vertex in left}
    for parent, child in edges:
        left[child] += 1
        behind[parent].append(child)
    free = [vertex for vertex, parents in left.items() if not parents]
    while free:
        vertex = free.pop()
        del left[vertex]
        for child in behind[vertex]:
            left[child] -= 1
            if not left[child]:
                free.append(child)
    return sorted(left)


class TopologicalSortByLoop(TopologicalSort):
    """The same with loops: over vertices, over children, over ways down and up."""

    @program
    def toposort(self) -> Steps:
        """Visit the vertices one after another, and all that hangs on each."""
        while self._start != "INVALID":
            yield from self._visit()

    @program
    def check_child(self) -> Steps:
        """Go on to a child that has not been met, if there is one."""
        while self._next not in ("WHITE", "INVALID"):
            yield self.move("CHILD_ACTIVE", "UP")

    @program
    def next_start(self) -> Steps:
        """Go on to a vertex that has not been met, if there is one."""
        while self._start not in ("WHITE", "INVALID"):
            yield self.move("START", "UP")

    @program
    def explore(self) -> Steps:
        """Go down to a child, or up if there is none, until the stack is empty."""
        ended = False
        while not ended:
            ended = yield from self._explore()


PUBLISHED: Graph = 5, ((1, 2), (1, 5), (2, 4), (2, 5), (3, 5))
"""The graph from whose one trace Cai et al. learned."""


def random_graph(size: int, rng: random.Random) -> Graph:
    """Return a graph without cycles, each edge there with probability 0.3."""
    order = list(range(1, size + 1))
    rng.shuffle(order)
    edges = [
        (parent, child)
        for i, parent in enumerate(order)
        for child in order[i + 1 :]
        if rng.random() < 0.3
    ]
    rng.shuffle(edges)
    return size, tuple(edges)


def training_graphs(count: int, rng: random.Random) -> Iterator[Graph]:
    """Return the published graph, then random ones of seven vertices."""
    if count:
        yield PUBLISHED
    for _ in range(count - 1):
        yield random_graph(7, rng)


def proving_graphs() -> Iterator[Graph]:
    """Return graphs whose calls are all that can occur."""
    for vertices, text in _PROVING:
        edges = (edge.split("-") for edge in text.split())
        yield vertices, tuple((int(begin), int(end)) for begin, end in edges)


_PROVING = (
    (8, "1-8 2-5 2-7 2-4 1-4 7-4 4-5 7-5"),
    (8, "4-1 3-6 5-2 4-7 8-4 3-1 3-2 7-5 6-4"),
    (7, "3-4 3-7 2-1 2-4 6-1 3-5 6-3 2-3"),
    (8, "4-5 4-1 3-4 2-6"),
    (6, "6-3 2-6 3-5 2-1 2-5 1-3 2-4"),
    (6, "3-2 3-5 4-2 1-5 3-6 1-3 1-2"),
)
