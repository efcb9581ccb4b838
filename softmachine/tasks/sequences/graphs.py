"""Graph traversal: read a random graph, then walk along edges whose labels are given."""

from __future__ import annotations

import dataclasses
from typing import Annotated, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from softmachine.core.choices import Bounds, check_fields
from softmachine.core.specs.bits import Bits
from softmachine.core.specs.spec import Stream
from softmachine.core.specs.words import Words
from softmachine.tasks.registry import task
from softmachine.tasks.task import Answer, Example, SequenceTask


class Lesson(NamedTuple):
    """One row of the paper's table of lessons: ranges, both ends included."""

    nodes: tuple[int, int]
    degree: tuple[int, int]
    """How many edges go out of a node."""
    path: tuple[int, int]
    """How many edges the walk has."""


LESSONS = (
    Lesson((3, 10), (2, 4), (1, 1)),
    Lesson((3, 10), (2, 4), (1, 2)),
    Lesson((5, 10), (2, 4), (1, 3)),
    Lesson((5, 10), (2, 4), (1, 4)),
    Lesson((10, 15), (2, 4), (1, 4)),
    Lesson((10, 15), (2, 4), (1, 5)),
    Lesson((10, 20), (2, 4), (1, 5)),
    Lesson((10, 20), (2, 4), (1, 6)),
    Lesson((10, 30), (2, 4), (1, 6)),
    Lesson((10, 30), (2, 4), (1, 7)),
    Lesson((10, 30), (2, 4), (1, 8)),
    Lesson((10, 30), (2, 4), (1, 9)),
    Lesson((10, 40), (2, 6), (1, 10)),
    Lesson((10, 40), (2, 6), (1, 20)),
)
"""The curriculum of traversal (Graves et al. 2016, extended data table 2)."""
BLANK = -1
"""In place of a label that a triple of the query leaves open."""


class _Graph(NamedTuple):
    """A random graph, padded; the labels of node i's edges lead to ``neighbours[i]``."""

    labels: Int[Array, " nodes"]
    neighbours: Int[Array, "nodes degree"]
    edges: Int[Array, "nodes degree"]
    there: Bool[Array, "nodes degree"]
    """Which of them are edges of the graph."""


@task("graph-traversal")
@dataclasses.dataclass(frozen=True, kw_only=True)
class GraphTraversal(SequenceTask):
    """Read a graph as triples, then a walk as a query; output the triples of the walk.

    A triple is the labels of a node, an edge and the node that it leads to. The query is
    (start, edge, blank), (blank, edge, blank), ...; the answer, due without an input, is the
    completed triples and then three labels of 0, which no node or edge has. Nodes are random
    points in a square, with edges to their nearest neighbours; the labels of a node's edges are
    distinct, and those of nodes. ``size`` is the paper's lesson, 1 to 14: see `LESSONS`.
    Source: Graves et al. 2016 (doi 10.1038/nature20101), Methods, "Graph task descriptions";
    labels there have three digits.

    >>> task = GraphTraversal()
    >>> print(task.render(task.sample(jax.random.key(18), 2, max_size=2)))
    graph   92 92 73, 73 73 92, 22 92 73, 92 22 22, 73 92 22, 22 73 92
    query   73 92 _, _ 92 _
    target  73 92 22, 22 92 73, 00 00 00

    A label is one-hot, digit by digit, the first digit first; a blank is zeros. Two more input
    channels say that a new phase begins, and that an answer is due:

    >>> GraphTraversal(digits=3).input_size, GraphTraversal(digits=3).output_size
    (92, 90)
    """

    digits: Annotated[int, Bounds(least=2, most=4)] = 2
    """Digits of a label."""
    most_nodes: Annotated[int, Bounds(least=3)] | None = None
    """Graphs of lessons are cut to as many nodes; None for the lessons as they are."""

    def __post_init__(self) -> None:
        """Check the number of digits."""
        check_fields(self)

    @property
    def inputs(self) -> Stream[Bits]:
        """The digits of three labels, one-hot, and two channels for the phases."""
        return Stream(Bits(self.words.width + 2))

    @property
    def outputs(self) -> Stream[Words]:
        """The digits of three labels: a softmax for each."""
        return Stream(self.words)

    @property
    def words(self) -> Words:
        """A triple of labels as a word of digits."""
        return Words("0123456789", 3 * self.digits)

    @property
    def largest(self) -> int:
        """The last lesson."""
        return len(LESSONS)

    def check_size(self, size: Int[Array, ""] | int, max_size: int) -> None:
        """Raise ValueError for a size that is no lesson."""
        super().check_size(size, max_size)
        if max_size > self.largest:
            raise ValueError(
                f"GraphTraversal size must be at most {self.largest}, the last lesson; not "
                f"{max_size}"
            )

    def steps(self, size: int) -> int:
        """Return the largest number of steps of the lessons up to this one."""
        edges, path = self._most(size)
        return edges + 2 * path + 1

    def items(self, size: int) -> int:
        """Return how many triples the largest graph has."""
        return self._most(size)[0]

    def bucket(self, size: int) -> int:
        """Return the size: lessons differ much in length."""
        return size

    def _lessons(self, size: int) -> list[Lesson]:
        """Return the lessons up to this one, graphs cut to `most_nodes`."""
        most = self.most_nodes or max(lesson.nodes[1] for lesson in LESSONS)

        def cut(lesson):
            few, many = (min(count, most) for count in lesson.nodes)
            return Lesson((few, many), (2, min(lesson.degree[1], many - 1)), lesson.path)

        return [cut(lesson) for lesson in LESSONS[:size]]

    def _most(self, size: int) -> tuple[int, int]:
        """Return the most edges, and the longest path, of the lessons up to this one."""
        lessons = self._lessons(size)
        edges = max(lesson.nodes[1] * lesson.degree[1] for lesson in lessons)
        return edges, max(lesson.path[1] for lesson in lessons)

    @property
    def input_labels(self) -> list[str]:
        """A label for each digit of each place, and for the phases."""
        return [*self.output_labels, "phase", "answer"]

    @property
    def output_labels(self) -> list[str]:
        """A label for each digit of each place."""
        parts = [
            f"{part} {i + 1}" for part in ("from", "edge", "to") for i in range(self.digits)
        ]
        return [f"{part}: {digit}" for part in parts for digit in range(10)]

    def sample(
        self, key: PRNGKeyArray, size: Int[Array, ""] | int, *, max_size: int
    ) -> Example:
        """Draw a graph of a lesson, the order of its triples, and a walk."""
        self.check_size(size, max_size)
        graph_key, order_key, length_key, walk_key = jax.random.split(key, 4)
        table = jnp.asarray([sum(lesson, ()) for lesson in self._lessons(max_size)])
        lesson = table[jnp.asarray(size) - 1]
        edges, path = self._most(max_size)
        graph = self._graph(graph_key, lesson, max_size)
        described, count = _described(order_key, graph)
        length = jax.random.randint(length_key, (), lesson[4], lesson[5] + 1)
        walk = _walk(walk_key, graph, path)
        time = jnp.arange(self.steps(max_size))
        asked, answered = time - count, time - count - length
        steps = count + 2 * length + 1
        reading, asking = time < count, (asked >= 0) & (answered < 0)
        answering = (answered >= 0) & (time < steps)
        here = jnp.clip(asked, 0, path - 1)
        blank = jnp.full(len(time), BLANK)
        first = jnp.where(asked == 0, walk[0, 0], blank)
        query = jnp.stack([first, walk[here, 1], blank], axis=1)
        shown = jnp.where(reading[:, None], described[jnp.clip(time, 0, edges - 1)], BLANK)
        shown = jnp.where(asking[:, None], query, shown)
        turns = (answered == 0) | (asked == 0)
        going = answering & (answered < length)
        done = walk[jnp.clip(answered, 0, path - 1)]
        phases = jnp.stack([turns & (time < steps), answering], axis=1)
        return Example(
            inputs=jnp.concatenate([self._one_hot(shown), phases.astype(jnp.float32)], axis=1),
            targets=self._spell(jnp.where(going[:, None], done, 0)),
            mask=answering.astype(jnp.float32),
            steps=steps.astype(jnp.int32),
        )

    def _graph(self, key: PRNGKeyArray, lesson: Int[Array, "6"], max_size: int) -> _Graph:
        """Draw a graph: points in the unit square, each with edges to its nearest others."""
        count_key, place_key, label_key, degree_key, edge_key = jax.random.split(key, 5)
        lessons = self._lessons(max_size)
        most = max(lesson.nodes[1] for lesson in lessons)
        degrees = max(lesson.degree[1] for lesson in lessons)
        count = jax.random.randint(count_key, (), lesson[0], lesson[1] + 1)
        node = jnp.arange(most)
        places = jax.random.uniform(place_key, (most, 2))
        away = jnp.sum(jnp.square(places[:, None] - places), axis=-1)
        away = jnp.where((node[:, None] != node) & (node < count), away, jnp.inf)
        neighbours = jnp.argsort(away, axis=1)[:, :degrees]
        labels = 1 + jax.random.permutation(label_key, 10**self.digits - 1)[:most]
        degree = jax.random.randint(degree_key, (most, 1), lesson[2], lesson[3] + 1)
        degree = jnp.minimum(degree, count - 1)
        # Edge labels are among the labels of nodes, distinct for each node.
        random = jax.random.uniform(edge_key, (most, most))
        order = jnp.argsort(jnp.where(node < count, random, 2.0), axis=1)[:, :degrees]
        there = (jnp.arange(degrees) < degree) & (node < count)[:, None]
        return _Graph(labels, neighbours, labels[order], there)

    def _spell(self, labels: Int[Array, "steps 3"]) -> Int[Array, "steps digits"]:
        """Return the digits of three labels, one after another, the first digit first."""
        places = 10 ** jnp.arange(self.digits - 1, -1, -1)
        digits = labels[..., None] // places % 10
        return digits.reshape(len(labels), -1).astype(jnp.int32)

    def _one_hot(self, labels: Int[Array, "steps 3"]) -> Float[Array, "steps channels"]:
        """Return labels as input channels; a blank is zeros."""
        there = jnp.repeat(labels != BLANK, 10 * self.digits, axis=1)
        return jnp.where(there, self.words.one_hot(self._spell(labels)), 0)

    def triples(self, inputs: Float[np.ndarray, "steps inputs"]) -> Int[np.ndarray, "steps 3"]:
        """Return the labels in the inputs of each step, -1 for blanks."""
        digits = inputs[:, : self.words.width].reshape(len(inputs), 3, self.digits, 10)
        labels = digits.argmax(axis=-1) @ 10 ** np.arange(self.digits - 1, -1, -1)
        return np.where(digits.any(axis=(2, 3)), labels, BLANK)

    def answer(self, inputs: Float[np.ndarray, "steps inputs"]) -> Answer | None:
        """Return targets and mask for the inputs of a whole example: the walk, followed."""
        shown, phase = self.triples(inputs), inputs[:, -2] > 0
        begun = np.flatnonzero(phase)
        if len(begun) != 2 or len(inputs) != 2 * begun[1] - begun[0] + 1:
            return None
        asked, answered = begun
        leads = {(a, edge): b for a, edge, b in shown[:asked].tolist()}
        here, walk = shown[asked, 0], []
        for _, edge, _ in shown[asked:answered].tolist():
            if (here, edge) not in leads:
                return None
            walk.append((here, edge, leads[here, edge]))
            here = walk[-1][2]
        query = np.array([(BLANK, edge, BLANK) for _, edge, _ in walk])
        query[0, 0] = walk[0][0]
        expected = np.concatenate([shown[:asked], query, np.full((len(walk) + 1, 3), BLANK)])
        phases = np.zeros((len(inputs), 2), bool)
        phases[begun, 0], phases[answered:, 1] = True, True
        channels = np.concatenate([self._one_hot(jnp.asarray(expected)), phases], axis=1)
        if not np.array_equal(channels, inputs):
            return None
        targets = np.zeros((len(inputs), 3 * self.digits), np.int32)
        targets[answered:] = self._spell(jnp.asarray([*walk, (0, 0, 0)]))
        return targets, phases[:, 1].astype(np.float32)

    def render(
        self, example: Example, outputs: Float[Array, "steps width"] | None = None
    ) -> str:
        """Return the triples of the graph, the query, the answer, and the outputs."""
        steps = int(example.steps)
        inputs = np.asarray(example.inputs)[:steps]
        shown = self.triples(inputs)
        scored = np.asarray(example.mask)[:steps] > 0
        begun = int(np.argmax(inputs[:, -2] > 0))
        size = 3 * self.digits

        def text(labels):
            return " ".join("_" if x == BLANK else f"{x:0{self.digits}d}" for x in labels)

        def words(spelt):
            numbers = np.asarray(spelt).reshape(-1, 3, self.digits)
            places = 10 ** np.arange(self.digits - 1, -1, -1)
            return ", ".join(map(text, numbers @ places))

        targets = np.asarray(example.targets).reshape(-1, size)[:steps][scored]
        lines = {
            "graph": ", ".join(map(text, shown[:begun])),
            "query": ", ".join(map(text, shown[begun:][~scored[begun:]])),
            "target": words(targets),
        }
        if outputs is not None:
            decided = np.asarray(self.output.decide(jnp.asarray(outputs)))[:steps][scored]
            lines["output"] = words(decided)
        return "\n".join(f"{name:8}{line}" for name, line in lines.items())


def _described(
    key: PRNGKeyArray, graph: _Graph
) -> tuple[Int[Array, "triples 3"], Int[Array, ""]]:
    """Return a graph's triples in random order, then what is none; and their number."""
    start = jnp.broadcast_to(graph.labels[:, None], graph.edges.shape)
    triples = jnp.stack([start, graph.edges, graph.labels[graph.neighbours]], axis=-1)
    there = graph.there.reshape(-1)
    random = jnp.where(there, jax.random.uniform(key, there.shape), 2.0)
    return triples.reshape(-1, 3)[jnp.argsort(random)], jnp.sum(there)


def _walk(key: PRNGKeyArray, graph: _Graph, length: int) -> Int[Array, "length 3"]:
    """Return the triples of a random walk, from a node that has edges."""
    start_key, key = jax.random.split(key)
    degree = jnp.sum(graph.there, axis=1)
    weights = jnp.where(degree > 0, 0.0, -jnp.inf)
    start = jax.random.categorical(start_key, weights)

    def step(node, key):
        edge = jax.random.randint(key, (), 0, degree[node])
        following = graph.neighbours[node, edge]
        triple = (graph.labels[node], graph.edges[node, edge], graph.labels[following])
        return following, jnp.stack(triple)

    return jax.lax.scan(step, start, jax.random.split(key, length))[1]
