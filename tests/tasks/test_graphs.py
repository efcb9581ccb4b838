"""Graph traversal: examples are read back, and walked in a dictionary."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.tasks.sequences.graphs import LESSONS, GraphTraversal


def parts(task, example):
    """Return the graph, the query and the answer, as lists of triples of labels."""
    steps = int(example.steps)
    inputs = np.asarray(example.inputs)[:steps]
    begun = np.flatnonzero(inputs[:, -2])
    assert len(begun) == 2
    np.testing.assert_array_equal(inputs[:, -1], np.arange(steps) >= begun[1])
    np.testing.assert_array_equal(example.mask[:steps], inputs[:, -1])
    shown = task.triples(inputs)
    assert (shown[begun[1] :] == -1).all()
    places = 10 ** np.arange(task.digits - 1, -1, -1)
    said = np.asarray(example.targets)[begun[1] : steps].reshape(-1, 3, task.digits) @ places
    return shown[: begun[0]].tolist(), shown[begun[0] : begun[1]].tolist(), said.tolist()


def test_a_triple_is_one_hot_digit_by_digit():
    """(7, 120, blank), as in the fact that ones are at 0, 10, 27, 31, 42 and 50."""
    task = GraphTraversal(digits=3)
    channels = np.asarray(task._one_hot(jnp.array([[7, 120, -1]])))[0]
    assert np.flatnonzero(channels).tolist() == [0, 10, 27, 31, 42, 50]
    assert task.triples(np.append(channels, [0, 0])[None]).tolist() == [[7, 120, -1]]


@pytest.mark.parametrize("lesson", [1, 3, 6])
def test_the_answer_is_the_walk_that_is_asked_for(draw, lesson):
    task, row = GraphTraversal(), LESSONS[lesson - 1]
    nodes, lengths, mixed = set(), set(), []
    for example in draw(task, [lesson] * 40, 6):
        graph, query, said = parts(task, example)
        leads = {(a, edge): b for a, edge, b in graph}
        assert len(leads) == len(graph)  # the labels of a node's edges are distinct
        starts, ends = ({triple[i] for triple in graph} for i in (0, 2))
        assert ends <= starts
        assert {edge for _, edge, _ in graph} <= starts
        assert 0 not in starts
        degrees = [sum(a == start for a, _, _ in graph) for start in starts]
        assert all(min(row.degree[0], len(starts) - 1) <= x <= row.degree[1] for x in degrees)
        assert all(len({b for a, _, b in graph if a == start}) == degree
                   for start, degree in zip(starts, degrees, strict=True))  # fmt: skip
        here, walk = query[0][0], []
        for step, (start, edge, end) in enumerate(query):
            assert start == (here if step == 0 else -1)
            assert end == -1
            walk.append([here, edge, leads[here, edge]])
            here = walk[-1][2]
        assert said == [*walk, [0, 0, 0]]
        nodes.add(len(starts))
        lengths.add(len(walk))
        turns = sum(a != b for (a, _, _), (b, _, _) in itertools.pairwise(graph))
        mixed.append(turns >= len(starts))  # in order there would be one less
    assert min(nodes) >= row.nodes[0]
    assert max(nodes) <= row.nodes[1]
    assert len(nodes) > 3
    assert lengths == set(range(row.path[0], row.path[1] + 1))
    assert np.mean(mixed) > 0.8


def test_edges_lead_to_the_nearest_nodes():
    """Of points drawn again from the same key."""
    task, key = GraphTraversal(), jax.random.key(3)
    lesson = jnp.asarray(sum(LESSONS[4], ()))
    graph = jax.jit(lambda: task._graph(key, lesson, 5))()
    count = int(graph.there.any(axis=1).sum())
    places = np.asarray(jax.random.uniform(jax.random.split(key, 5)[1], (15, 2)))[:count]
    for node in range(count):
        away = np.linalg.norm(places - places[node], axis=1)
        away[node] = np.inf
        degree = int(graph.there[node].sum())
        assert set(graph.neighbours[node, :degree].tolist()) == set(np.argsort(away)[:degree])


def test_answers_to_a_person_s_own_inputs(draw):
    task = GraphTraversal()
    for example in draw(task, [1, 2, 4], 6):
        steps = int(example.steps)
        inputs = np.asarray(example.inputs)[:steps]
        targets, mask = task.answer(inputs)
        np.testing.assert_array_equal(targets, example.targets[:steps])
        np.testing.assert_array_equal(mask, example.mask[:steps])
        assert task.answer(inputs[:-1]) is None
        assert task.answer(inputs[1:, :]) is None or steps > 3
        other = inputs.copy()
        other[-1, 0] = 1
        assert task.answer(other) is None
        no_edge = inputs.copy()
        no_edge[np.flatnonzero(inputs[:, -2])[0], 20:40] = 0
        assert task.answer(no_edge) is None


def test_padding_is_empty_and_lessons_end(draw):
    task = GraphTraversal()
    for example in draw(task, [1, 2, 3], 6):
        for array in example[:3]:
            assert not array[int(example.steps) :].any()
            assert len(array) == task.steps(6) == 60 + 10 + 1
    assert task.largest == 14
    assert task.items(14) == 240
    with pytest.raises(ValueError, match="digits must be at least 2"):
        GraphTraversal(digits=1)
    with pytest.raises(ValueError, match="size must be at most 14, the last lesson; not 15"):
        task.sample(jax.random.key(0), 15, max_size=15)


def test_graphs_can_be_smaller(draw):
    task = GraphTraversal(most_nodes=3)
    assert (task.items(1), task.items(14)) == (6, 6)
    for example in draw(task, [1, 3], 3):
        graph, _, _ = parts(task, example)
        assert sorted(a for a, _, _ in graph) == sorted(2 * list({a for a, _, _ in graph}))
        assert len(graph) == 6


def test_an_example_as_text(draw):
    task = GraphTraversal()
    (example,) = draw(task, [2], 6, seed=1)
    graph, query, said = parts(task, example)
    right = 20 * task.words.one_hot(jnp.asarray(example.targets))
    lines = dict(line.split(None, 1) for line in task.render(example, right).splitlines())
    assert lines["target"] == lines["output"]
    assert lines["graph"].count(",") == len(graph) - 1
    assert lines["query"].startswith(f"{query[0][0]:02d} {query[0][1]:02d} _")
    assert lines["target"].endswith("00 00 00")
    assert lines["target"].count(",") == len(said) - 1
