"""The loop over the gates against the same written out, values and gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.machines.gate_loop import Gates, mix_rows, run_gates
from softmachine.machines.gates import GATES, Gate

DOUBLE = Gate("DOUBLE", "2x", 1, lambda a, m: (2 * a) % m)
"""A gate without a form of its own."""


def job(*gates, registers=2, between=0, clip=None, value=False):
    """Return gates whose results come after the registers, and ``between`` constants."""
    slots = tuple(registers + between + i for i in range(len(gates)))
    gates = tuple(GATES[gate] if isinstance(gate, str) else gate for gate in gates)
    return Gates(gates, slots, clip, value)


WRITING = ("READ", "INC", "SUB", "READ", "MAX", "WRITE")
JOBS = {
    "one write": (job("WRITE"), 3),
    "reads, then a write that gives 0": (job(*WRITING, between=1), 4),
    "a write that gives its value": (job(*WRITING, value=True), 4),
    "no write": (job("ADD", DOUBLE, "READ", "MIN", between=2), 5),
    "more than 32 values": (job("READ", "ADD", "MIN", "WRITE"), 34),
}


@jax.custom_vjp
def clipped(limit, x):
    del limit
    return x


clipped.defvjp(
    lambda limit, x: (x, limit),
    lambda limit, bar: (None, jnp.minimum(jnp.maximum(bar, -limit), limit)),
)


def written_out(job, choices, table, memory):
    """Gate after gate, with nothing but the definitions; gates have tests of their own."""

    def bound(x):
        return x if job.clip_gradients is None else clipped(job.clip_gradients, x)

    for i, (gate, slot) in enumerate(zip(job.gates, job.slots, strict=True)):
        a, b = jnp.einsum("rs...,sv...->rv...", choices[2 * i : 2 * i + 2], table)
        if gate.memory == "read":
            result = jnp.einsum("c...,cv...->v...", a, memory)
        elif gate.memory == "write":
            memory = bound((1 - a[:, None]) * memory + a[:, None] * b[None])
            zero = jnp.zeros_like(b).at[0].set(1.0)
            result = b if job.write_returns_value else zero
        else:
            result = gate.soft(*(a, b)[: gate.arity], values=len(a))
        table = table.at[slot].set(bound(result))
    return table, memory


def possible(job):
    """Which slots each row may look at: what stands before the gate's own."""
    rows = np.repeat(job.slots, 2)
    single = [2 * i + 1 for i, gate in enumerate(job.gates) if gate.arity == 1]
    rows[single] = 0
    return np.arange(job.slots[-1] + 1) < rows[:, None]


def draw(job, values, batch, seed=0):
    """Return choices, table and memory, each with as many numbers as it has, at random.

    Not distributions: the definitions hold for any numbers.
    """
    rng = np.random.default_rng(seed)
    inside = possible(job).astype(float)
    return (
        rng.normal(size=(*inside.shape, *batch))
        * inside.reshape(*inside.shape, *[1] * len(batch)),
        rng.normal(size=(inside.shape[1], values, *batch)),
        rng.normal(size=(values, values, *batch)),
    )


def pulled_back(run, job):
    """Return ``(arguments, bars) -> (results, gradients)``, choices only where they may be."""

    @jax.jit
    def both(arguments, bars):
        results, back = jax.vjp(lambda *x: run(job, *x), *arguments)
        choices_bar, *rest = back(bars)
        inside = possible(job).reshape(choices_bar.shape[:2] + (1,) * (choices_bar.ndim - 2))
        return results, (choices_bar * inside, *rest)

    return both


def check(job, values, batch, scale=1.0):
    arguments = draw(job, values, batch)
    bars = jax.tree.map(lambda x: scale * x, draw(job, values, batch, seed=1)[1:])
    ours = pulled_back(run_gates, job)(arguments, bars)
    expected = pulled_back(written_out, job)(arguments, bars)
    for x, y in zip(jax.tree.leaves(ours), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-10, atol=1e-10 * scale)
    return ours


@pytest.mark.parametrize(("job", "values"), JOBS.values(), ids=JOBS)
def test_the_loop_is_its_gates_one_after_another(job, values):
    """Values and gradients, with a batch last."""
    with jax.enable_x64(True):
        (table, _), (_, table_bar, _) = check(job, values, (2,))
        before = draw(job, values, (2,))[1]
        others = np.setdiff1d(np.arange(len(before)), job.slots)
        np.testing.assert_array_equal(table[others], before[others])
        np.testing.assert_array_equal(table_bar[np.array(job.slots)], 0)


def test_the_loop_without_a_batch():
    with jax.enable_x64(True):
        check(JOBS["a write that gives its value"][0], 4, ())


@pytest.mark.parametrize("value", [False, True])
def test_gradients_are_clipped_where_they_come_to_results_and_to_the_memory(value):
    """Equal to the written-out gates with a bound on each result and on the memory."""
    clipping = job(*WRITING, clip=0.5, value=value)
    with jax.enable_x64(True):
        _, clipped_bars = check(clipping, 4, (2,), scale=3.0)
        free_bars = check(clipping._replace(clip_gradients=None), 4, (2,), scale=3.0)[1]
        for x, y in zip(clipped_bars, free_bars, strict=True):
            assert np.abs(np.asarray(x) - np.asarray(y)).max() > 0.1


def test_clipping_bounds_gradients():
    """However large they come, distributions being mixed."""
    limit = 0.25
    clipping = job("READ", "INC", "READ", "WRITE", clip=limit)
    rng = np.random.default_rng(0)
    table = rng.dirichlet(np.ones(4), size=6).astype(np.float32)
    memory = rng.dirichlet(np.ones(4), size=4).astype(np.float32)
    inside = possible(clipping)
    choices = (inside / np.maximum(inside.sum(axis=1, keepdims=True), 1)).astype(np.float32)
    bars = (np.full((6, 4), 1e30, np.float32), np.full((4, 4), -1e30, np.float32))
    _, (choices_bar, _, memory_bar) = pulled_back(run_gates, clipping)(
        (choices, table, memory), bars
    )
    reads = 2
    assert np.abs(memory_bar).max() <= (1 + reads) * limit * 1.001
    # The pointer of the write hears of the change of every value of a cell.
    assert np.abs(choices_bar).max() <= 2 * limit * 1.001
    assert np.abs(choices_bar).max() > 0.1 * limit


@pytest.mark.parametrize(("rows", "slots", "values"), [(3, 5, 4), (2, 40, 3), (35, 4, 34)])
def test_mix_rows_is_a_product(rows, slots, values):
    """With its gradients."""
    rng = np.random.default_rng(rows)

    @jax.jit
    def both(choices, table, bar):
        def plain(choices, table):
            return jnp.einsum("rs...,sv...->rv...", choices, table)

        return [
            (mixed, back(bar))
            for mixed, back in (
                jax.vjp(mix_rows, choices, table),
                jax.vjp(plain, choices, table),
            )
        ]

    with jax.enable_x64(True):
        ours, expected = both(
            rng.normal(size=(rows, slots, 2)),
            rng.normal(size=(slots, values, 2)),
            rng.normal(size=(rows, values, 2)),
        )
        for x, y in zip(jax.tree.leaves(ours), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-11, atol=1e-11)
