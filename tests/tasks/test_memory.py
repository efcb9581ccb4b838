"""What holds for every task of a memory, and how memories are scored and rendered."""

import doctest
import sys
from functools import partial

import hypothesis
import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from jax.test_util import check_grads

from softmachine.core.specs.cells import Cells, MemoryOutputs, stop_probabilities
from softmachine.tasks.memories.arrays import Access, Increment, MemoryCopy, Reverse
from softmachine.tasks.memories.lists import ListK, ListSearch
from softmachine.tasks.memories.merge import Merge
from softmachine.tasks.memories.permutations import Permutation, Swap
from softmachine.tasks.memories.trees import WalkBST
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
OPTIONS = [
    Permutation(first_index=1),
    ListK(first=1, out_pointer=True),
    ListSearch(spare=0),
    WalkBST(directions=(5, 3)),
]
"""Those that change which integers a memory holds."""
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
        assert set(np.unique(mask)) == {0, 1}
        assert steps == task.steps(size)
        np.testing.assert_array_equal(targets[mask == 0], inputs[mask == 0])


@pytest.mark.parametrize("task", [*TASKS, *OPTIONS], ids=repr)
def test_all_memories_of_a_bucket_are_as_large_and_hold_no_larger_integers(task, draw):
    for largest in (task.smallest, 12):
        cells = task.cells(largest)
        sizes = [*range(task.smallest, largest + 1)] * 10
        for inputs, targets, *_ in draw(task, sizes, largest):
            assert inputs.shape == targets.shape == (cells,)
            assert min(inputs.min(), targets.min()) >= 0
            assert max(inputs.max(), targets.max()) < cells
        assert all(task.cells(size) <= cells for size in sizes)


@every_task
def test_a_known_size_changes_no_shape(task):
    def shapes(size):
        return jax.eval_shape(
            lambda key: task.sample(key, size, max_size=MAX_SIZE), jax.random.key(0)
        )

    assert all(shapes(size) == shapes(MAX_SIZE) for size in sizes_of(task))


@every_task
def test_what_counts_does_not_depend_on_the_room(task, draw):
    [tight], [roomy] = (draw(task, [4], largest) for largest in (4, MAX_SIZE))
    assert tight.mask.sum() == roomy.mask.sum()
    assert tight.steps == roomy.steps == task.steps(4)


def outputs_right(example, where):
    """Return outputs that are right where asked for, (steps, cells), and wrong elsewhere."""
    right = np.eye(len(example.targets), dtype=np.float32)[example.targets]
    memory = np.where(where[:, :, None], right, np.roll(right, 1, axis=1))
    return MemoryOutputs(jnp.asarray(memory), jnp.linspace(-1.0, 1.0, len(memory)))


@every_task
def test_nothing_counts_in_the_padding(task, draw):
    """Neither steps after the last nor cells that are not scored."""
    score = jax.jit(task.metrics)
    for example in draw(task, sizes_of(task), MAX_SIZE):
        time = np.arange(task.steps(MAX_SIZE))[:, None]
        counts = (time < example.steps) & (example.mask > 0)
        scores = score(outputs_right(example, counts), example)
        assert scores["wrong_cells"] == 0
        assert scores["perfect"] == 1
        np.testing.assert_allclose(scores["bits"], 0, atol=1e-5)
        scores = score(outputs_right(example, ~counts), example)
        assert scores["wrong_cells"] == 1
        assert scores["perfect"] == 0
        floor = -np.log2(Cells().floor)
        np.testing.assert_allclose(scores["bits"], floor * example.mask.sum(), rtol=1e-4)


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


def scored(task, key, size):
    """Return an example, its scores and its loss for a machine that writes nothing."""
    example = task.sample(key, size, max_size=MAX_SIZE)
    steps, cells = task.steps(MAX_SIZE), task.cells(MAX_SIZE)
    memory = jnp.zeros((steps, cells, cells), jnp.float32)
    outputs = MemoryOutputs(memory, jnp.zeros(steps, jnp.float32))
    return example, task.metrics(outputs, example), task.output.loss(outputs, example)


@every_task
def test_metrics_are_scalars_with_the_error_and_the_bits(task):
    _, scores, loss = jax.eval_shape(lambda *a: scored(task, *a), jax.random.key(0), 4)
    assert {"bits", "perfect", task.error} <= set(scores)
    assert all(score.shape == () for score in (*scores.values(), loss))


@every_task
def test_types_do_not_depend_on_the_default(task):
    with jax.enable_x64(True):
        example, scores, loss = jax.eval_shape(
            lambda *a: scored(task, *a), jax.random.key(0), 4
        )
    assert [x.dtype for x in example] == [np.int32, np.int32, np.float32, np.int32]
    assert {x.dtype for x in (*scores.values(), loss)} == {np.dtype(np.float32)}


@every_task
def test_sizes_out_of_range_are_refused(task):
    key, name, smallest = jax.random.key(0), type(task).__name__, task.smallest
    with pytest.raises(ValueError, match=f"{name} size must be at least {smallest}, not "):
        task.sample(key, smallest - 1, max_size=MAX_SIZE)
    with pytest.raises(ValueError, match=f"{name} size must be at most max_size, 3; not 4"):
        task.sample(key, 4, max_size=3)
    with pytest.raises(ValueError, match=f"at least {smallest}, not {smallest - 1}"):
        jax.eval_shape(lambda size: task.sample(key, size, max_size=smallest - 1), 3)


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
        named = {line[:8].strip(): line for line in block.splitlines()}
        assert [name for name in named if name] == ["cell", "input", "target", "output"]
        assert all(line == line.rstrip() and len(line) <= 80 for line in named.values())
        for name, line in named.items():
            rows.setdefault(name, []).extend(line[8:].split())
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
    assert lines == [
        "cell      0   1   2   3",
        "         A0  A1 end",
        "input     2   1   0   0",
        "target    3   2   .   .",
        "output    3  1!   2   0",
    ]


def test_a_blank_line_stands_between_blocks_and_nowhere_else():
    """Even where no cell of a block has a label."""
    zeros = jnp.zeros(26, jnp.int32)
    example = Example(zeros.at[0].set(1), zeros, jnp.zeros(26), jnp.array(2))
    blocks = [block.splitlines() for block in Increment().render(example).split("\n\n")]
    names = [[line[:8].strip() for line in block] for block in blocks]
    assert names == [["cell", "", "input", "target"], ["cell", "input", "target"]]


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


@settings(deadline=None, max_examples=100, derandomize=True)
@given(logits, st.integers(1, 7))
@hypothesis.example(np.array([-2, 32, 0, 0, 0, 0, 0], np.float32), 3)
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
    kind = Cells(floor=floor, mixture=mixture)
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
def test_gradients_are_those_of_finite_differences(mixture):
    """Of one example, and of a batch on the last axis."""
    kind = Cells(mixture=mixture)
    with jax.enable_x64(True):
        cases = [case(seed, steps=1 + seed) for seed in range(STEPS)]
        batch = jax.tree.map(lambda *xs: jnp.stack(xs, axis=-1), *cases)
        for outputs, example in [*cases, batch]:
            outputs = jax.tree.map(lambda x: x.astype(np.float64), outputs)
            loss = jax.jit(partial(kind.loss, example=example))
            check_grads(loss, (outputs,), order=1, modes=["rev"], eps=1e-7)


@pytest.mark.parametrize("mixture", [False, True])
def test_gradients_are_finite_where_logarithms_are_not(mixture):
    outputs, example = case(0, steps=3)
    outputs = MemoryOutputs(jnp.round(outputs.memory), jnp.array([-60.0, 60.0, 60.0, -60.0]))
    gradients = jax.grad(Cells(mixture=mixture).loss)(outputs, example)
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
    metrics = Cells().metrics(outputs, example)
    assert {name: float(value) for name, value in metrics.items()} == {
        "wrong_cells": 0,
        "perfect": 1,
        "bits": pytest.approx(0, abs=1e-6),
    }


def test_decisions_are_the_most_likely_values_after_each_step():
    outputs, example = case(1, steps=4)
    decided = Cells().decide(outputs)
    np.testing.assert_array_equal(decided, np.argmax(outputs.memory, axis=2))
    wrong = example.targets.at[1].set(0).at[0].set(0)
    assert float(Cells().score(wrong, example)["wrong_cells"]) == 0.5
