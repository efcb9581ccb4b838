"""Layered drawings of small graphs as SVG (Sugiyama, Tagawa and Toda 1981), in pure Python.

Nodes are put into layers, and those of one layer are ordered so that few edges cross. An edge
that spans several layers is routed between the nodes of the layers it crosses.
"""

from __future__ import annotations

import itertools
from typing import Literal, NamedTuple
from xml.sax.saxutils import escape, quoteattr

Shape = Literal["box", "gate", "register", "memory", "end"]


class Node(NamedTuple):
    """A node of a graph."""

    name: str
    """Unique within the graph."""
    lines: tuple[str, ...]
    """The lines of its label."""
    shape: Shape
    column: Literal["", "first", "last"] = ""
    """The layer it has to be in; empty: any."""


class Edge(NamedTuple):
    """An arrow between nodes, which are given by name."""

    source: str
    target: str
    label: str = ""


class Picture(NamedTuple):
    """A graph to draw, and its title."""

    title: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    across: bool
    """Whether layers run from left to right; otherwise they run from top to bottom."""


class Drawn(NamedTuple):
    """A drawing as SVG elements, its upper left corner at the origin."""

    width: float
    """In pixels, as `height`."""
    height: float
    parts: list[str]


Point = tuple[float, float]

LETTER, LINE, PADDING = 7.3, 17.0, 9.0
"""Width of a letter, height of a line, and space around a label, in pixels."""
LAYER_GAP, NODE_GAP, MARGIN = 58.0, 22.0, 14.0
"""Space between layers, between nodes of a layer, and around all, in pixels."""
LABEL_GAP = 16.0
"""Height of the label of an edge, in pixels."""
SWEEPS = 8
"""How often all layers are reordered."""
FILLS = {
    "box": "#f4f6fa",
    "gate": "#fff4d6",
    "register": "#dcebff",
    "memory": "#e3f4e1",
    "end": "#ffffff",
}


def svg(pictures: list[Picture]) -> str:
    """Return the text of an SVG file with these pictures, one below the other."""
    y, width, parts = MARGIN, 0.0, []
    for picture in pictures:
        drawn = draw(picture)
        parts += [
            f'<text x="{MARGIN}" y="{y + 14:.0f}" class="title">{escape(picture.title)}</text>',
            f'<g transform="translate({MARGIN},{y + 26:.0f})">',
            *drawn.parts,
            "</g>",
        ]
        y += drawn.height + 26 + 2 * MARGIN
        title = len(picture.title) * LETTER * 1.15
        width = max(width, drawn.width, title)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width + 2 * MARGIN:.0f}" '
            f'height="{y:.0f}" viewBox="0 0 {width + 2 * MARGIN:.0f} {y:.0f}">',
            "<style>text{font:12px ui-monospace,Menlo,Consolas,monospace;fill:#222}"
            ".title{font-weight:bold;font-size:14px}.label{fill:#555;font-size:11px;paint-order:stroke;stroke:white;stroke-width:3px}"
            ".edge{fill:none;stroke:#555;stroke-width:1.3}"
            ".node{stroke:#445;stroke-width:1.2}</style>",
            '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" '
            'markerHeight="7" orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="#555"/>'
            "</marker></defs>",
            '<rect width="100%" height="100%" fill="white"/>',
            *parts,
            "</svg>",
            "",
        ]
    )


def draw(picture: Picture) -> Drawn:
    """Lay out one picture and return it as SVG elements."""
    layout = _Layout(picture)
    return Drawn(*layout.extent(), [*layout.edges(), *layout.nodes()])


def layers_of(picture: Picture) -> dict[str, int]:
    """Return the layer of every node: one after the last of its predecessors.

    Edges that close a cycle, in depth-first order, are left out of account.
    """
    following: dict[str, list[str]] = {node.name: [] for node in picture.nodes}
    for edge in picture.edges:
        following[edge.source].append(edge.target)
    order: list[str] = []
    state: dict[str, str] = {}

    def visit(name: str) -> None:
        state[name] = "open"
        for other in following[name]:
            if other not in state:
                visit(other)
        state[name] = "done"
        order.insert(0, name)

    for node in picture.nodes:
        if node.name not in state:
            visit(node.name)
    place = {name: i for i, name in enumerate(order)}
    layer = dict.fromkeys(order, 0)
    for name in order:
        for other in following[name]:
            if place[other] > place[name]:
                layer[other] = max(layer[other], layer[name] + 1)
    last = max(layer.values(), default=0)
    for node in picture.nodes:
        if node.column:
            layer[node.name] = 0 if node.column == "first" else last
    return layer


class _Layout:
    """The layers, order and coordinates of one picture's nodes.

    ``rows`` are the layers, whatever their direction; ``places`` the centres, in pixels.
    """

    def __init__(self, picture: Picture) -> None:
        self.picture = picture
        self.boxes = {node.name: _size(node) for node in picture.nodes}
        self.layer = layers_of(picture)
        self.paths = [self._path(i, edge) for i, edge in enumerate(picture.edges)]
        self.rows = self._ordered()
        self.places = self._places()

    def _path(self, number: int, edge: Edge) -> list[str]:
        """Return the nodes that an edge passes; adds a dummy node in each layer it crosses."""
        a, b = self.layer[edge.source], self.layer[edge.target]
        path = [edge.source]
        for layer in range(a + 1, b):
            name = f"edge {number} in {layer}"
            self.layer[name] = layer
            self.boxes[name] = (6.0, 6.0) if self.picture.across else (90.0, 6.0)
            path.append(name)
        return [*path, edge.target]

    def _ordered(self) -> list[list[str]]:
        """Return the layers, each sorted by the mean place of its neighbours (barycentres)."""
        rows: list[list[str]] = [[] for _ in range(max(self.layer.values(), default=0) + 1)]
        for name, layer in self.layer.items():
            rows[layer].append(name)
        before: dict[str, list[str]] = {name: [] for name in self.layer}
        after: dict[str, list[str]] = {name: [] for name in self.layer}
        for path in self.paths:
            for a, b in itertools.pairwise(path):
                if self.layer[a] < self.layer[b]:
                    before[b].append(a)
                    after[a].append(b)
        for sweep in range(SWEEPS):
            near, order = (before, rows) if sweep % 2 == 0 else (after, rows[::-1])
            place = {name: float(i) for row in rows for i, name in enumerate(row)}
            for row in order:
                row.sort(key=lambda name: _mean([place[o] for o in near[name]], place[name]))
                place |= {name: float(i) for i, name in enumerate(row)}
        return rows

    def _places(self) -> dict[str, Point]:
        """Return the centre of every node."""
        along = [max((self._thick(n) for n in row), default=0.0) for row in self.rows]
        lengths = [sum(self._long(n) + NODE_GAP for n in row) - NODE_GAP for row in self.rows]
        widest, places, depth = max(lengths, default=0.0), {}, 0.0
        gap = LAYER_GAP
        if any(edge.label for edge in self.picture.edges):
            most = max(self._rank(edge) for edge in self.picture.edges)
            gap += 30 if self.picture.across else LABEL_GAP * most
        for row, thickness, length in zip(self.rows, along, lengths, strict=True):
            position = (widest - length) / 2
            for name in row:
                middle = position + self._long(name) / 2
                centre = (depth + thickness / 2, middle)
                places[name] = centre if self.picture.across else centre[::-1]
                position += self._long(name) + NODE_GAP
            depth += thickness + gap
        return places

    def _thick(self, name: str) -> float:
        """Return a node's extent across its layer."""
        return self.boxes[name][0 if self.picture.across else 1]

    def _long(self, name: str) -> float:
        """Return a node's extent along its layer."""
        return self.boxes[name][1 if self.picture.across else 0]

    def extent(self) -> tuple[float, float]:
        """Return width and height, with room for backward edges at the right."""
        right = max(
            (x + self.boxes[n][0] / 2 for n, (x, _) in self.places.items()), default=0.0
        )
        bottom = max(
            (y + self.boxes[n][1] / 2 for n, (_, y) in self.places.items()), default=0.0
        )
        back = [e for e in self.picture.edges if self.layer[e.target] <= self.layer[e.source]]
        room = max((50 + LETTER * len(e.label) for e in back), default=0.0)
        return right + room, bottom

    def nodes(self) -> list[str]:
        """Return the nodes as SVG."""
        return [
            part
            for node in self.picture.nodes
            for part in _node(node, self.places[node.name], self.boxes[node.name])
        ]

    def edges(self) -> list[str]:
        """Return the edges as SVG."""
        return [
            part
            for edge, path in zip(self.picture.edges, self.paths, strict=True)
            for part in self._edge(edge, path)
        ]

    def _edge(self, edge: Edge, path: list[str]) -> list[str]:
        if self.layer[edge.target] <= self.layer[edge.source]:
            return self._back(edge)
        across = self.picture.across
        points = [self.places[name] for name in path]
        points[0] = self._port(edge.source, 1, points[1])
        points[-1] = self._port(edge.target, -1, points[-2])
        line = f"M{points[0][0]:.1f},{points[0][1]:.1f}"
        for (x, y), (u, v) in itertools.pairwise(points):
            near, far = ((x + u) / 2, y), ((x + u) / 2, v)
            if not across:
                near, far = (x, (y + v) / 2), (u, (y + v) / 2)
            line += f" C{near[0]:.1f},{near[1]:.1f} {far[0]:.1f},{far[1]:.1f} {u:.1f},{v:.1f}"
        if across:
            (x, y), (u, v) = points[-2:]
            at = (x + (u - x) * 0.62, y + (v - y) * 0.8)
            return [_curve(line), *_label(edge.label, at, "middle")]
        (x, y), (u, v) = points[:2]
        down = 20 + LABEL_GAP * self._rank(edge)
        share = _smooth(down / (v - y))
        return [_curve(line), *_label(edge.label, (x + (u - x) * share, y + down), "start")]

    def _rank(self, edge: Edge) -> int:
        """Return how many forward edges of the same node come before this one."""
        here = [
            other
            for other in self.picture.edges
            if other.source == edge.source
            and self.layer[other.target] > self.layer[edge.source]
        ]
        return here.index(edge) if edge in here else 0

    def _port(self, name: str, side: int, toward: Point) -> Point:
        """Return where an edge meets a node: ``side`` is 1 if it leaves, -1 if it arrives.

        Edges are spread along the node's side, by the direction ``toward`` their next point.
        """
        (x, y), (width, height) = self.places[name], self.boxes[name]
        if self.picture.across:
            slack = max(0.0, height / 2 - 10)
            return x + side * width / 2, y + max(-slack, min(slack, (toward[1] - y) / 6))
        slack = max(0.0, width / 2 - 14)
        return x + max(-slack, min(slack, (toward[0] - x) / 3)), y + side * height / 2

    def _back(self, edge: Edge) -> list[str]:
        """Return an edge to the same or an earlier node, around the right side, as SVG."""
        (x, y), (width, height) = self.places[edge.source], self.boxes[edge.source]
        (u, v), (other, _) = self.places[edge.target], self.boxes[edge.target]
        shift = height / 4 if edge.source == edge.target else 0
        start, end = (x + width / 2, y + shift), (u + other / 2, v - shift)
        right = max(x + width / 2, u + other / 2) + 42
        line = (
            f"M{start[0]:.1f},{start[1]:.1f} C{right:.1f},{start[1]:.1f} "
            f"{right:.1f},{end[1]:.1f} {end[0]:.1f},{end[1]:.1f}"
        )
        return [_curve(line), *_label(edge.label, (right - 6, (y + v) / 2 + 4), "start")]


def _size(node: Node) -> tuple[float, float]:
    """Return width and height of a node, in pixels."""
    width = max((len(line) for line in node.lines), default=0) * LETTER + 2 * PADDING
    return max(width, 30.0), len(node.lines) * LINE + 2 * PADDING - 4


def _node(node: Node, at: Point, box: tuple[float, float]) -> list[str]:
    (x, y), (width, height) = at, box
    round_ = {"gate": height / 2, "box": 6, "end": height / 2}.get(node.shape, 0)
    rectangle = (
        f'<rect class="node" x="{x - width / 2:.1f}" y="{y - height / 2:.1f}" '
        f'width="{width:.1f}" height="{height:.1f}" rx="{round_:.1f}" '
        f"fill={quoteattr(FILLS[node.shape])}/>"
    )
    parts, top = [rectangle], y - (len(node.lines) - 1) * LINE / 2 + 4
    for i, line in enumerate(node.lines):
        left = node.shape == "box"
        where = f'x="{x - width / 2 + PADDING:.1f}"' if left else f'x="{x:.1f}"'
        anchor = "" if left else ' text-anchor="middle"'
        weight = ' font-weight="bold"' if left and i == 0 else ""
        parts.append(
            f'<text {where} y="{top + i * LINE:.1f}"{anchor}{weight} '
            f'xml:space="preserve">{escape(line)}</text>'
        )
    return parts


def _curve(line: str) -> str:
    return f'<path class="edge" d="{line}" marker-end="url(#arrow)"/>'


def _label(text: str, at: Point, anchor: str) -> list[str]:
    if not text:
        return []
    x, y = at[0] + (5 if anchor == "start" else 0), at[1] - 3
    return [
        f'<text class="label" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
        f"{escape(text)}</text>"
    ]


def _smooth(share: float) -> float:
    """Return how far to the side a curve is after a share of its way down, both from 0 to 1.

    The curve is the cubic Bézier of `_edge`; its parameter is found by bisection.
    """
    low, high = 0.0, 1.0
    for _ in range(20):
        middle = (low + high) / 2
        if 1.5 * middle * (1 - middle) + middle**3 < share:
            low = middle
        else:
            high = middle
    return 3 * low**2 - 2 * low**3


def _mean(numbers: list[float], otherwise: float) -> float:
    return sum(numbers) / len(numbers) if numbers else otherwise
