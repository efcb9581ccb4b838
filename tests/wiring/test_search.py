"""Wires found by search, and machines into which they are written."""

import dataclasses

import jax
import numpy as np
import pytest

from softmachine.core.errors import SoftmachineError
from softmachine.machines.nram.hard import pattern_bits
from softmachine.machines.nram.nram import NRAMConfig
from softmachine.running.scoring import build_scorer
from softmachine.tasks.memories.arrays import Access
from softmachine.tasks.memories.exams import draw_batch, draw_exam
from softmachine.tasks.memories.trees import WalkBST
from softmachine.wiring.search import (
    CONFIRM_FACTOR,
    draw_search_examples,
    search_wires,
    try_tables,
    write_wires,
)
from softmachine.wiring.table import live_rows, read_wiring, run_wiring

TASK = Access()


@pytest.fixture(scope="module")
def batch():
    sizes = np.random.default_rng(0).integers(1, 7, 48)
    return draw_batch(TASK, jax.random.key(0), sizes, 6)


@pytest.fixture(scope="module")
def untrained():
    return NRAMConfig(registers=3).build(key=jax.random.key(1))


@pytest.fixture(scope="module")
def found(untrained, batch):
    return search_wires(
        untrained.config, read_wiring(untrained), batch, np.random.default_rng(3), 300_000
    )


def test_batches_are_examples_of_the_task(batch):
    for memory, target, scored in zip(batch.memories, batch.targets, batch.scored, strict=True):
        np.testing.assert_array_equal(np.flatnonzero(scored), [0])
        assert target[0] == memory[memory[0]]


def test_half_of_what_is_searched_on_is_adversarial():
    """Tight memories and long paths among them; all of them confirm, up to twice the size."""
    task = WalkBST()
    batch = draw_search_examples(task, 32, 1, 3, np.random.default_rng(0))
    first, rest = batch.take(np.arange(32)), batch.take(np.arange(32, len(batch.steps)))
    assert len(np.unique(first.cells)) > 4
    assert (first.cells == task.cells(3)).sum() >= 16
    random = CONFIRM_FACTOR * 32 - 16
    assert set(rest.cells[:random]) == {task.cells(3)}
    assert len(rest.steps) == pytest.approx(random + len(draw_exam(task, 0, 6).trials), rel=0.1)
    assert {*rest.cells[random:]} >= {task.cells(1), task.cells(6) + 1}
    # Paths of five turns, in the memory for six nodes.
    tight = rest.memories[rest.cells == task.cells(6)]
    assert ((tight[:, 2:7] > 0).all(axis=1) & (tight[:, 7] == 0)).any()


def test_tables_are_scored_one_by_one(untrained, batch):
    """Against running each table alone, by hand."""
    table = read_wiring(untrained)
    other = table._replace(sources=np.where(table.sources > 0, table.sources - 1, 0))
    tables = type(table)(*map(np.stack, zip(table, other, strict=True)))
    errors, patterns = try_tables(untrained.config, tables, batch)
    for i, one in enumerate((table, other)):
        ran = run_wiring(untrained.config, one, batch.memories, batch.steps)
        wrong = [
            np.mean(memory[scored] != target[scored])
            for memory, target, scored in zip(
                ran.memories, batch.targets, batch.scored, strict=True
            )
        ]
        np.testing.assert_allclose(errors[i], wrong)
        np.testing.assert_array_equal(patterns[i], ran.patterns)


def test_search_finds_a_program(untrained, batch, found):
    before, _ = try_tables(
        untrained.config, type(found.table)(*(x[None] for x in read_wiring(untrained))), batch
    )
    assert before.mean() > 0.3
    assert found.error == 0
    ran = run_wiring(untrained.config, found.table, batch.memories, batch.steps)
    np.testing.assert_array_equal(ran.memories[:, 0], batch.targets[:, 0])


def test_search_keeps_to_allowed_choices(untrained, found):
    allowed = untrained.rows.allowed
    for sources in found.table.sources:
        for row in live_rows(untrained.config, sources):
            assert allowed[row, sources[row]]


def test_search_ends_after_its_number_of_tables_no_worse_than_it_began(untrained, batch):
    table = read_wiring(untrained)
    start = search_wires(untrained.config, table, batch, np.random.default_rng(0), 1)
    assert start.tried == 1
    np.testing.assert_array_equal(start.table.sources, table.sources)
    later = search_wires(untrained.config, table, batch, np.random.default_rng(0), 200)
    assert later.tried == 200
    assert later.error <= start.error


def test_programs_have_to_be_right_on_the_whole_batch(untrained, batch):
    """Where the answer is k itself in all examples searched on, leaving it is right."""
    changed = batch.targets[:, 0] != batch.memories[:, 0]
    batch = batch.take(np.argsort(changed, kind="stable"))
    same = int((~changed).sum())
    assert 0 < same < 10
    alone = search_wires(
        untrained.config, None, batch.take(np.arange(same)), np.random.default_rng(0), 10_000
    )
    assert alone.error == 0
    table = type(alone.table)(*(x[None] for x in alone.table))
    assert try_tables(untrained.config, table, batch)[0].mean() > 0.3
    found = search_wires(
        untrained.config, None, batch, np.random.default_rng(0), 300_000, examples=same
    )
    assert found.error == 0
    assert found.tried > alone.tried
    ran = run_wiring(untrained.config, found.table, batch.memories, batch.steps)
    np.testing.assert_array_equal(ran.memories[:, 0], batch.targets[:, 0])


def test_search_is_determined_by_its_generator(untrained, batch):
    table = read_wiring(untrained)
    one, same = (
        search_wires(untrained.config, table, batch, np.random.default_rng(5), 400)
        for _ in range(2)
    )
    np.testing.assert_array_equal(one.table.sources, same.table.sources)
    assert one.error == same.error


def test_written_wires_are_what_the_machine_chooses(untrained, batch, found):
    _, patterns = try_tables(
        untrained.config, type(found.table)(*(x[None] for x in found.table)), batch
    )
    met = np.flatnonzero(patterns[0].any(axis=0))
    mended = write_wires(untrained, found.table, met)
    chosen = read_wiring(mended)
    has_choice = untrained.rows.allowed.any(axis=1)
    np.testing.assert_array_equal(
        chosen.sources[met][:, has_choice], found.table.sources[met][:, has_choice]
    )
    np.testing.assert_array_equal(chosen.stop[met], found.table.stop[met])
    # Soft, too, it makes no mistake.
    sizes = jax.numpy.full(64, 6)
    scores = build_scorer(TASK, 6)(mended, jax.random.key(7), sizes)
    assert float(scores["wrong_cells"].mean()) == 0
    # Elsewhere its logits are what they were.
    rest = np.setdiff1d(np.arange(len(chosen.stop)), met)
    _, hidden = untrained.controller((), pattern_bits(3).T[:, rest])
    np.testing.assert_allclose(mended.output(hidden), untrained.output(hidden), atol=1e-4)
    np.testing.assert_allclose(mended.stop(hidden), untrained.stop(hidden), atol=1e-4)


def test_wires_cannot_be_written_where_patterns_look_the_same(untrained, found):
    """A first layer of zeros shows the second the same, whatever is zero."""
    blind = dataclasses.replace(
        untrained,
        controller=jax.tree.map(jax.numpy.zeros_like, untrained.controller),
    )
    sources = found.table.sources.copy()
    sources[0] = np.where(sources[1] > 0, 0, sources[1])
    with pytest.raises(SoftmachineError, match="does not tell enough patterns of zeros apart"):
        write_wires(blind, found.table._replace(sources=sources), np.arange(8))
