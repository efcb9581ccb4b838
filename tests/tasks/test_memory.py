"""What holds for every task of a memory, and how memories are scored and rendered."""

import doctest
import sys

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings

from softmachine.tasks.memory import MemoryCells, MemoryOutputs, stop_probabilities
from softmachine.tasks.memory_arrays import (
    Access,
    Increment,
    MemoryCopy,
    Merge,
    Permutation,
    Reverse,
    Swap,
)
from softmachine.tasks.memory_lists import ListK, ListSearch
from softmachine.tasks.memory_trees import WalkBST
from softmachine.tasks.task import Example

TASKS = [
    Access(),
    Increment(),
    MemoryCopy(),
    Reverse(),
    Swap(),
    Permutation(),
    Merge(),
    ListK(),
    ListSearch(),
    WalkBST(),
]
MAX_SIZE = 6

every_task = pytest.mark.parametrize("task", TASKS, ids=lambda task: type(task).__name__)


def sizes_of(task):
    return [*range(task.smallest, MAX_SIZE + 1)]


@every_task
def test_examples_are_what_the_contract_says(task, draw):
    cells = task.cells(MAX_SIZE)
    for size, example in zip(sizes_of(task), draw(task, sizes_of(task), MAX_SIZE), strict=True):
        inputs, targets, mask, steps = example
        assert inputs.shape == targets.shape == mask.shape == (cells,)
        assert inputs.dtype == targets.dtype == steps.dtype == np.int32
        assert mask.dtype == np.float32
        assert min(inputs.min(), targets.min()) >= 0
        assert max(inputs.max(), targets.max()) < cells
        assert set(np.unique(mask)) == {0, 1}
        assert steps == task.steps(size)
        np.testing.assert_array_equal(targets[mask == 0], inputs[mask == 0])


@every_task
def test_sizes_may_be_traced(task, draw):
    """Together, or one that the program knows: the same examples."""
    sizes = sizes_of(task)
    keys = jax.random.split(jax.random.key(0), len(sizes))
    known = jax.jit(lambda key: task.sample(key, sizes[1], max_size=MAX_SIZE))(keys[1])
    traced = draw(task, sizes, MAX_SIZE)[1]
    jax.tree.map(np.testing.assert_array_equal, traced, Example(*known))


@every_task
def test_the_key_alone_decides(task, draw):
    first, again, others = (draw(task, sizes_of(task), MAX_SIZE, seed) for seed in (0, 0, 1))
    jax.tree.map(np.testing.assert_array_equal, first, again)
    assert not np.array_equal(first[-1].inputs, others[-1].inputs)


@every_task
def test_types_do_not_depend_on_the_default(task):
    with jax.enable_x64(True):
        example = jax.eval_shape(
            lambda key, size: task.sample(key, size, max_size=MAX_SIZE), jax.random.key(0), 4
        )
    assert [x.dtype for x in example] == [np.int32, np.int32, np.float32, np.int32]


@every_task
def test_sizes_out_of_range_are_refused(task):
    key, name, smallest = jax.random.key(0), type(task).__name__, task.smallest
    with pytest.raises(ValueError, match=f"{name} size must be at least {smallest}, not "):
        task.sample(key, smallest - 1, max_size=MAX_SIZE)
    with pytest.raises(ValueError, match=f"{name} size must be at most max_size, 3; not 4"):
        task.sample(key, 4, max_size=3)


@every_task
def test_documented_with_two_examples_or_more(task):
    """That they are right, pytest checks with all other doctests."""
    module = sys.modules[type(task).__module__]
    [found] = doctest.DocTestFinder(recurse=False).find(type(task), module=module)
    assert sum(bool(example.want) for example in found.examples) >= 2


@every_task
@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_every_memory_has_labels(task, data):
    """Those that no example starts with too: machines leave all kinds behind."""
    cells = task.cells(data.draw(st.integers(task.smallest, MAX_SIZE)))
    values = st.lists(st.integers(0, cells - 1), min_size=cells, max_size=cells)
    labels = task.labels(data.draw(values))
    assert len(labels) == cells
    assert all(isinstance(label, str) and len(label) <= 5 for label in labels)


@every_task
def test_rendering_shows_every_cell_once(task, draw):
    example = draw(task, sizes_of(task), MAX_SIZE)[-1]
    text = task.render(Example(*map(jnp.asarray, example)), example.targets)
    rows = {}
    for block in text.split("\n\n"):
        lines = block.splitlines()
        assert [line[:8].strip() for line in lines] == ["cell", "", "input", "target", "output"]
        assert max(map(len, lines)) <= 80
        for line in (lines[0], *lines[2:]):
            rows.setdefault(line[:8].strip(), []).extend(line[8:].split())
    values = [str(value) for value in example.targets]
    assert rows["cell"] == [str(i) for i in range(len(values))]
    assert rows["input"] == [str(value) for value in example.inputs]
    assert rows["output"] == values
    scored = zip(values, example.mask, strict=True)
    assert rows["target"] == [value if mask else "." for value, mask in scored]


def test_only_wrong_cells_that_count_are_marked():
    example = Example(
        inputs=jnp.array([2, 1, 0, 0]),
        targets=jnp.array([3, 2, 0, 0]),
        mask=jnp.array([1.0, 1.0, 0.0, 0.0]),
        steps=jnp.array(3),
    )
    lines = Increment().render(example, np.array([3, 1, 2, 0])).splitlines()
    assert [line.rstrip() for line in lines] == [
        "cell      0   1   2   3",
        "         A0  A1 end",
        "input     2   1   0   0",
        "target    3   2   .   .",
        "output    3  1!   2   0",
    ]


# Scoring, against the definitions written as loops.


def stopping(logits, steps):
    """Return the p_t of section 3.3: what is left at the last step stops there."""
    willing = 1 / (1 + np.exp(-np.asarray(logits, np.float64)))
    probabilities, left = np.zeros(len(logits)), 1.0
    for t in range(steps - 1):
        probabilities[t] = willing[t] * left
        left *= 1 - willing[t]
    probabilities[steps - 1] = left
    return probabilities


logits = hnp.arrays(np.float32, 7, elements=st.floats(-60, 60, width=32))
jitted_stops = jax.jit(stop_probabilities)


@settings(deadline=None, max_examples=100)
@given(logits, st.integers(1, 7))
def test_stopping_follows_its_definition(logits, steps):
    probabilities = np.asarray(jitted_stops(jnp.asarray(logits), jnp.asarray(steps)))
    np.testing.assert_allclose(probabilities, stopping(logits, steps), atol=1e-6, rtol=1e-4)
    np.testing.assert_allclose(probabilities.sum(), 1, atol=1e-6)


CELLS, STEPS = 5, 4


def case(seed, steps):
    """Return outputs of a machine that knows little, and an example of two scored cells."""
    random = np.random.default_rng(seed)
    memory = random.dirichlet(np.full(CELLS, 0.3), (STEPS, CELLS))
    targets = np.array([4, 3, 0, 1, 2])
    known = random.uniform()
    memory = (1 - known) * memory + known * np.eye(CELLS)[targets]
    memory[0, 1] = np.eye(CELLS)[0]  # impossible values: the floor counts
    outputs = MemoryOutputs(
        memory=jnp.asarray(memory, jnp.float32),
        stop=jnp.asarray(random.normal(size=STEPS), jnp.float32),
    )
    example = Example(
        inputs=jnp.asarray(random.integers(0, CELLS, CELLS), jnp.int32),
        targets=jnp.asarray(targets, jnp.int32),
        mask=jnp.array([0.0, 1.0, 0.0, 1.0, 0.0]),
        steps=jnp.asarray(steps, jnp.int32),
    )
    return outputs, example


def plain_scores(outputs, example, floor, mixture):
    memory = np.asarray(outputs.memory, np.float64)
    stops = stopping(outputs.stop, int(example.steps))
    scored = np.flatnonzero(example.mask)
    loss = 0.0
    for cell in scored:
        likely = [memory[t, cell, example.targets[cell]] for t in range(STEPS)]
        if mixture:
            loss -= np.log(max(floor, sum(p * q for p, q in zip(stops, likely, strict=True))))
        else:
            for p, q in zip(stops, likely, strict=True):
                loss -= p * np.log(max(floor, q))
    average = sum(p * m for p, m in zip(stops, memory, strict=True))
    wrong = np.mean([np.argmax(average[cell]) != example.targets[cell] for cell in scored])
    return loss, {"wrong_cells": wrong, "perfect": wrong == 0, "bits": loss / np.log(2)}


@pytest.mark.parametrize("mixture", [False, True])
@pytest.mark.parametrize("floor", [1e-6, 0.05])
def test_loss_and_metrics_follow_their_definitions(floor, mixture):
    kind = MemoryCells(floor=floor, mixture=mixture)
    score = jax.jit(lambda *args: (kind.loss(*args), kind.metrics(*args)))
    wrong = set()
    for seed in range(20):
        outputs, example = case(seed, steps=1 + seed % STEPS)
        expected_loss, expected = plain_scores(outputs, example, floor, mixture)
        loss, metrics = score(outputs, example)
        np.testing.assert_allclose(loss, expected_loss, rtol=1e-4)
        assert metrics.keys() == expected.keys()
        for name, value in expected.items():
            np.testing.assert_allclose(metrics[name], value, rtol=1e-4)
        wrong.add(float(metrics["wrong_cells"]))
    assert wrong == {0, 0.5, 1}


@pytest.mark.parametrize("mixture", [False, True])
def test_gradients_are_finite_where_logarithms_are_not(mixture):
    outputs, example = case(0, steps=3)
    outputs = MemoryOutputs(jnp.round(outputs.memory), jnp.array([-60.0, 60.0, 60.0, -60.0]))
    gradients = jax.grad(MemoryCells(mixture=mixture).loss)(outputs, example)
    assert all(bool(jnp.isfinite(g).all()) for g in gradients)
    assert not gradients.memory[3].any()  # after the last step
    assert not gradients.stop[2:].any()  # at the last step the machine stops in any case


def test_a_perfect_memory_costs_nothing():
    """Before the machine stops, anything goes."""
    _, example = case(0, steps=3)
    right = jax.nn.one_hot(example.targets, CELLS)
    outputs = MemoryOutputs(
        memory=jnp.stack([jnp.roll(right, 1, axis=1), right, right, 1 - right]),
        stop=jnp.array([-60.0, 0.0, 0.0, 0.0]),
    )
    metrics = MemoryCells().metrics(outputs, example)
    assert {name: float(value) for name, value in metrics.items()} == {
        "wrong_cells": 0,
        "perfect": 1,
        "bits": pytest.approx(0, abs=1e-6),
    }


def test_decisions_are_the_most_likely_values_after_each_step():
    outputs, example = case(1, steps=4)
    decided = MemoryCells().decide(outputs)
    np.testing.assert_array_equal(decided, np.argmax(outputs.memory, axis=2))
    wrong = example.targets.at[1].set(0).at[0].set(0)
    assert float(MemoryCells().score(wrong, example)["wrong_cells"]) == 0.5
