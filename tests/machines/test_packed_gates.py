"""One step's choices and gates against plain definitions, values and gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from softmachine.core import compiling
from softmachine.machines.nram.gates import GATES, Gate
from softmachine.machines.nram.packed_gates import (
    Plan,
    choose,
    run_gates,
)

DOUBLE = Gate("DOUBLE", "2x", 1, lambda a, m: (2 * a) % m)
"""A gate without a form of its own."""


def plan(*gates, registers=2, clip=None, value=False):
    gates = tuple(GATES[gate] if isinstance(gate, str) else gate for gate in gates)
    return Plan(registers, gates, clip, value)


WRITING = ("ONE", "READ", "INC", "SUB", "READ", "MAX", "WRITE")
TWO_WRITES = ("READ", "WRITE", "ZERO", "READ", "ADD", "WRITE", "READ")
PLANS = {
    "one write": (plan("WRITE"), 3),
    "reads, then a write that gives 0": (plan(*WRITING), 4),
    "a write that gives its value": (plan(*WRITING, value=True), 4),
    "two writes, and reads after them": (plan(*TWO_WRITES, value=True), 3),
    "two writes, nothing after them": (plan(*TWO_WRITES[:-1]), 3),
    "no write": (plan("ZERO", "TWO", "ADD", DOUBLE, "READ", "MIN"), 5),
    "constants alone": (plan("ONE", registers=3), 3),
    "more than 32 values": (plan("READ", "ADD", "MIN", "WRITE"), 34),
    "more than 32 registers": (plan("READ", "INC", "WRITE", registers=33), 3),
}


@jax.custom_vjp
def clipped(limit, x):
    del limit
    return x


clipped.defvjp(
    lambda limit, x: (x, limit),
    lambda limit, bar: (None, jnp.minimum(jnp.maximum(bar, -limit), limit)),
)


def written_out(plan, choices, registers, memory):
    """Gate after gate, with nothing but the definitions; gates have tests of their own."""

    def bound(x):
        return x if plan.clip_gradients is None else clipped(plan.clip_gradients, x)

    parts, known = iter(choices), list(registers)
    for gate in plan.gates:
        if not gate.arity:
            constant = jnp.zeros_like(registers[0]).at[int(gate.table(len(memory)))].set(1.0)
            known.append(constant)
            continue
        arguments = jnp.einsum("rs...,sv...->rv...", next(parts), jnp.stack(known))
        if gate.memory == "read":
            result = jnp.einsum("c...,cv...->v...", arguments[0], memory)
        elif gate.memory == "write":
            at, what = arguments
            memory = bound((1 - at[:, None]) * memory + at[:, None] * what[None])
            zero = jnp.zeros_like(what).at[0].set(1.0)
            result = what if plan.write_returns_value else zero
        else:
            result = gate.soft(*arguments, values=len(memory))
        known.append(bound(result))
    after = jnp.einsum("rs...,sv...->rv...", next(parts), jnp.stack(known))
    return after, memory


def draw(plan, values, batch, seed=0):
    """Return choices, registers and memory at random.

    Not distributions: the definitions hold for any numbers.
    """
    rng = np.random.default_rng(seed)
    choices = tuple(rng.normal(size=(*part, *batch)) for part in plan.parts)
    registers = rng.normal(size=(plan.registers, values, *batch))
    return choices, registers, rng.normal(size=(values, values, *batch))


def pulled_back(run, plan):
    """Return ``(arguments, bars) -> (results, gradients)``, compiled as trainings are."""

    @compiling.filter_jit
    def both(arguments, bars):
        results, back = jax.vjp(lambda *x: run(plan, *x), *arguments)
        return results, back(bars)

    return both


def check(plan, values, batch, scale=1.0):
    arguments = draw(plan, values, batch)
    bars = jax.tree.map(lambda x: scale * x, draw(plan, values, batch, seed=1)[1:])
    ours = pulled_back(run_gates, plan)(arguments, bars)
    expected = pulled_back(written_out, plan)(arguments, bars)
    for x, y in zip(jax.tree.leaves(ours), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-10, atol=1e-10 * scale)
    return ours


@pytest.mark.parametrize(("plan", "values"), PLANS.values(), ids=PLANS)
def test_gates_work_one_after_another(plan, values):
    """Values and gradients, with a batch last."""
    with jax.enable_x64(True):
        check(plan, values, (2,))


def test_gates_work_without_a_batch():
    with jax.enable_x64(True):
        check(PLANS["a write that gives its value"][0], 4, ())


@pytest.mark.parametrize("value", [False, True])
def test_gradients_are_clipped_where_they_come_to_results_and_to_the_memory(value):
    """Equal to the written-out gates with a bound on each result and on the memory."""
    with jax.enable_x64(True):
        _, clipped_bars = check(plan(*WRITING, clip=0.5, value=value), 4, (2,), scale=3.0)
        _, free_bars = check(plan(*WRITING, value=value), 4, (2,), scale=3.0)
        # Of what goes straight into the registers nothing is clipped.
        *clipped_choices, straight = clipped_bars[0]
        *free_choices, as_straight = free_bars[0]
        np.testing.assert_allclose(straight, as_straight, rtol=1e-10, atol=1e-10)
        pairs = zip(
            (*clipped_choices, *clipped_bars[1:]),
            (*free_choices, *free_bars[1:]),
            strict=True,
        )
        for x, y in pairs:
            assert np.abs(np.asarray(x) - np.asarray(y)).max() > 0.1


def test_clipping_bounds_gradients():
    """However large they come, distributions being mixed."""
    limit = 0.25
    clipping = plan("READ", "INC", "READ", "WRITE", clip=limit)
    rng = np.random.default_rng(0)
    registers = rng.dirichlet(np.ones(4), size=2).astype(np.float32)
    memory = rng.dirichlet(np.ones(4), size=4).astype(np.float32)
    choices = tuple(np.full(part, 1 / part[1], np.float32) for part in clipping.parts)
    bars = (np.full((2, 4), 1e30, np.float32), np.full((4, 4), -1e30, np.float32))
    _, (choices_bar, _, memory_bar) = pulled_back(run_gates, clipping)(
        (choices, registers, memory), bars
    )
    reads = 2
    assert np.abs(memory_bar).max() <= (1 + reads) * limit * 1.001
    for bar in choices_bar[:-1]:
        # The pointer of the write hears of the change of every value of a cell.
        assert np.abs(bar).max() <= 2 * limit * 1.001
        assert np.abs(bar).max() > 0.1 * limit


# --- choices ------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [(), (2,)], ids=["alone", "batch"])
def test_choices_are_softmaxes_with_entropies(batch):
    """Row by row, with gradients."""
    few = plan("READ", "ADD", "ONE", "INC")
    lengths = few.rows.sources
    assert lengths.tolist() == [2, 0, 3, 3, 5, 0, 6, 6]

    def plain(logits):
        rows, entropy, start = [], 0.0, 0
        for length in lengths[lengths > 0].tolist():
            p = jax.nn.softmax(logits[start : start + length], axis=0)
            entropy = entropy - jnp.sum(p * jnp.log(p), axis=0)
            rows.append(p)
            start += length
        return jnp.concatenate(rows), entropy

    def ours(logits):
        choices, entropy = choose(few, logits)
        return jnp.concatenate([c.reshape(-1, *batch) for c in choices]), entropy

    @compiling.filter_jit
    def both(logits, bars):
        return [(y, back(bars)) for y, back in (jax.vjp(f, logits) for f in (ours, plain))]

    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        logits = 3 * rng.normal(size=(few.rows.logit_count, *batch))
        bars = (rng.normal(size=logits.shape), rng.normal(size=batch))
        found, expected = both(logits, jax.tree.map(jnp.asarray, bars))
        for x, y in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("size", [30.0, 500.0, 1e30])
def test_large_logits_do_not_tie(size):
    """Only differences count; the most likely choice of the soft machine is the hard one's."""
    few = plan("INC", "ADD", registers=3)
    rng = np.random.default_rng(0)
    small = rng.normal(size=few.rows.logit_count).astype(np.float32)
    # A row at a time is moved up or down; in the last all logits are far apart.
    moved = [size * rng.choice([-1, 1]) + part for part in few.split(jnp.asarray(small))[:-1]]
    last = size * few.split(jnp.asarray(small))[-1]
    logits = jnp.concatenate([part.ravel() for part in (*moved, last)])

    @jax.jit
    def run(logits):
        (choices, entropy), back = jax.vjp(lambda x: choose(few, x), logits)
        return choices, entropy, back((choices, jnp.ones_like(entropy)))[0]

    choices, entropy, bars = run(logits)
    assert np.isfinite(entropy)
    assert np.all(np.isfinite(bars))
    for soft, hard, row in zip(
        choices, few.most_likely(logits), few.split(logits), strict=True
    ):
        np.testing.assert_allclose(soft, jax.nn.softmax(row, axis=1), rtol=1e-5, atol=1e-30)
        np.testing.assert_allclose(np.sum(soft, axis=1), 1, rtol=1e-5)
        np.testing.assert_array_equal(np.argmax(soft, axis=1), np.argmax(hard, axis=1))


def test_gradients_of_choices_far_beyond_30_are_those_of_finite_differences():
    """In float64, entropies included; two sources far above the others, apart by little."""
    few = plan("INC", "ADD", registers=3)
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        logits = jnp.asarray(
            rng.normal(size=few.rows.logit_count) + rng.choice([-80, 80], few.rows.logit_count)
        )
        probe = jnp.asarray(rng.normal(size=few.rows.logit_count))

        def score(logits):
            choices, entropy = choose(few, logits)
            return jnp.sum(probe * jnp.concatenate([x.ravel() for x in choices])) + entropy

        check_grads(jax.jit(score), (logits,), order=1, modes=["rev"], eps=1e-6)


def test_choices_by_row_and_slot():
    """A row for each argument there could be, and nothing behind what there is."""
    few = plan("READ", "ONE", "ADD")
    rows = few.rows
    assert rows.names == ("READ a", "READ b", "ADD a", "ADD b", "r1", "r2")
    assert rows.slot_names == ("r1", "r2", "READ", "ONE", "ADD")
    assert [(row.gate, row.argument) for row in rows.rows] == [
        (0, 0), (0, 1), (2, 0), (2, 1), (None, 0), (None, 1),
    ]  # fmt: skip
    assert rows.of_gate == ((0,), (), (2, 3))
    assert rows.of_registers == (4, 5)
    expected = [
        [1, 2, 0, 0, 0],
        [0, 0, 0, 0, 0],
        [3, 4, 5, 6, 0],
        [7, 8, 9, 10, 0],
        [11, 12, 13, 14, 15],
        [16, 17, 18, 19, 20],
    ]
    logits = jnp.arange(1.0, 21.0)
    assert rows.logit_count == len(logits)
    assert np.asarray(rows.as_table(logits, 0.0)).tolist() == expected
    by_row = {row: part.tolist() for row, part in rows.split(logits).items()}
    assert by_row == {i: [x for x in row if x] for i, row in enumerate(expected) if any(row)}
    parts = few.split(logits)
    assert [part.shape for part in parts] == few.parts
    np.testing.assert_array_equal(jnp.concatenate([part.ravel() for part in parts]), logits)
    for part, whole in zip(few.most_likely(logits), parts, strict=True):
        np.testing.assert_array_equal(part, whole == whole.max(axis=1, keepdims=True))


def test_gates_of_one_name_have_a_number():
    rows = plan("READ", "WRITE", "READ", "READ").rows
    assert rows.gate_names == ("READ", "WRITE", "READ 2", "READ 3")
    assert rows.names[-4:-2] == ("READ 3 a", "READ 3 b")
