"""The gates: soft forms against the paper's Eq. 2 counted out, memory access against NumPy."""

import dataclasses
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.core.sums import UNROLLED, weighted_sum
from softmachine.machines.nram.fast_gates import (
    FAST,
    at_least,
    at_most,
    inner,
    less_than,
    more_than,
    subtract,
    truth,
)
from softmachine.machines.nram.gates import (
    GATES,
    PAPER,
    PAPER_GATES,
    Gate,
    define,
    find_gates,
    read,
    write,
)
from softmachine.machines.nram.packed_gates import mix, mix_choices_back, write_back

MEANINGS = {
    "READ": lambda p, _: p,
    "ZERO": lambda _: 0,
    "ONE": lambda _: 1,
    "TWO": lambda _: 2,
    "INC": lambda a, m: a + 1 if a + 1 < m else 0,
    "ADD": lambda a, b, m: a + b if a + b < m else a + b - m,
    "SUB": lambda a, b, m: a - b if a >= b else a - b + m,
    "DEC": lambda a, m: a - 1 if a > 0 else m - 1,
    "LESS-THAN": lambda a, b, _: 1 if a < b else 0,
    "LESS-OR-EQUAL-THAN": lambda a, b, _: 1 if a <= b else 0,
    "EQUALITY-TEST": lambda a, b, _: 1 if a == b else 0,
    "MIN": lambda a, b, _: min(a, b),
    "MAX": lambda a, b, _: max(a, b),
    "WRITE": lambda *_: 0,
}
"""What the gates do to integers, said once more; READ is what it does to its pointer."""
LARGE = UNROLLED + 8
"""Sums over so many values are loops."""


def count_out(name, arguments, m):
    """Eq. 2, one combination of integers after another; trailing axes are carried along."""
    shape = arguments[0].shape if arguments else (m,)
    result = np.zeros(shape)
    for integers in itertools.product(range(m), repeat=len(arguments)):
        outcome = MEANINGS[name](*integers, m)
        assert 0 <= outcome < m
        result[outcome] += math.prod(a[i] for a, i in zip(arguments, integers, strict=True))
    return result


def distributions(rng, m, *batch, count=2):
    """Draw some; a few values have probability 0."""
    drawn = rng.dirichlet(np.full(m, 0.5), size=(count, *batch))
    drawn[drawn < 0.02] = 0
    return np.moveaxis(drawn / drawn.sum(axis=-1, keepdims=True), -1, 1)


@jax.jit
def work_all(a, b):
    """Return what every gate gives, as it is and by its table."""
    return {
        gate.name: [
            form.soft(*(a, b)[: gate.arity], values=len(a))
            for form in (gate, dataclasses.replace(gate, fast=None))
        ]
        for gate in PAPER
    }


def test_the_paper_has_fourteen_gates_in_this_order():
    assert tuple(MEANINGS) == PAPER_GATES
    assert [gate.arity for gate in PAPER] == [1, 0, 0, 0, 1, 2, 2, 1, 2, 2, 2, 2, 2, 2]
    assert [gate.name for gate in PAPER if gate.memory] == ["READ", "WRITE"]
    assert all(gate.symbol for gate in PAPER)
    # A fast form under a name that no gate has would never be used.
    assert {gate.name: gate.fast for gate in PAPER if gate.fast} == FAST


@pytest.mark.parametrize(
    ("m", "batch"),
    [(m, (2,)) for m in range(3, 10)] + [(3, ()), (LARGE, (2,))],
    ids=str,
)
def test_soft_gates_are_equation_2(m, batch):
    with jax.enable_x64(True):
        pair = distributions(np.random.default_rng(m), m, *batch)
        found = work_all(*pair)
        for gate in PAPER:
            expected = count_out(gate.name, [*pair][: gate.arity], m)
            for form in found[gate.name]:
                assert form.shape == (m, *(batch if gate.arity else ()))
                np.testing.assert_allclose(form, expected, atol=1e-15, err_msg=gate.name)
                np.testing.assert_allclose(np.sum(form, axis=0), 1, rtol=1e-14)


@pytest.mark.parametrize("m", [5, LARGE])
def test_soft_gates_are_hard_gates_on_integers(m):
    """All pairs of integers, in float32, exactly."""
    a, b = np.repeat(np.arange(m), m), np.tile(np.arange(m), m)
    identity = np.eye(m, dtype=np.float32)
    soft = work_all(identity[:, a], identity[:, b])
    for gate in PAPER:
        expected = [
            MEANINGS[gate.name](*(int(a[i]), int(b[i]))[: gate.arity], m) for i in range(m * m)
        ]
        hard = gate.hard(*(jnp.asarray(a), jnp.asarray(b))[: gate.arity], values=m)
        assert hard.dtype == jnp.int32
        np.testing.assert_array_equal(np.broadcast_to(hard, m * m), expected)
        for form in soft[gate.name]:
            found = form if gate.arity else np.repeat(form[:, None], m * m, axis=1)
            np.testing.assert_array_equal(found, identity[:, expected], err_msg=gate.name)


def test_hard_gates_take_python_integers():
    assert int(GATES["SUB"].hard(2, 3, values=5)) == 4
    assert int(GATES["TWO"].hard(values=5)) == 2


@pytest.mark.parametrize("m", [5, LARGE])
def test_gradients_of_soft_gates(m):
    """Against plain differentiation of Eq. 2 as one sum over a table of one-hot results.

    In the directions in which distributions stay distributions: beyond them a form may use
    that probabilities sum to 1.
    """
    rng = np.random.default_rng(m)
    gates = [gate for gate in PAPER if gate.arity]
    tables = {
        gate.name: np.eye(m)[
            [MEANINGS[gate.name](*i, m) for i in itertools.product(range(m), repeat=gate.arity)]
        ].reshape(*[m] * gate.arity, m)
        for gate in gates
    }

    def plain(gate, arguments):
        if gate.arity == 1:
            return jnp.einsum("ac,an->cn", tables[gate.name], *arguments)
        return jnp.einsum("abc,an,bn->cn", tables[gate.name], *arguments)

    @jax.jit
    def gradients(logits, probe):
        def scored(work):
            def score(gate, logits):
                arguments = jax.nn.softmax(logits, axis=1)[: gate.arity]
                return jnp.sum(probe * work(gate, arguments))

            return {gate.name: jax.grad(score, argnums=1)(gate, logits) for gate in gates}

        return scored(lambda gate, a: gate.soft(*a, values=m)), scored(plain)

    with jax.enable_x64(True):
        ours, expected = gradients(rng.normal(size=(2, m, 2)), rng.normal(size=(m, 2)))
        for name in tables:
            assert np.all(np.isfinite(expected[name]))
            np.testing.assert_allclose(ours[name], expected[name], atol=1e-13, err_msg=name)


# --- memory and sums ----------------------------------------------------------------------


@pytest.mark.parametrize("m", [4, LARGE])
def test_memory_access_is_numpy(m):
    rng = np.random.default_rng(m)
    with jax.enable_x64(True):
        (pointer, value) = distributions(rng, m, 2)
        memory = distributions(rng, m, 2, count=m)
        averaged = sum(pointer[i] * memory[i] for i in range(m))
        np.testing.assert_allclose(jax.jit(read)(memory, pointer), averaged, atol=1e-15)
        after = np.asarray(jax.jit(write)(memory, pointer, value))
        for i in range(m):
            kept = (1 - pointer[i]) * memory[i] + pointer[i] * value
            np.testing.assert_allclose(after[i], kept, atol=1e-15)


@pytest.mark.parametrize("m", [4, LARGE])
@pytest.mark.parametrize("batch", [(), (3,)], ids=["alone", "batch"])
def test_mixtures_and_gradients_by_hand(m, batch):
    """Against the definitions and their plain differentiation, at any numbers."""
    rng = np.random.default_rng(m)

    def plain_mix(choices, values):
        return jnp.einsum("rn...,nv...->rv...", choices, values)

    def draw(*shape):
        return rng.normal(size=(*shape, *batch))

    @jax.jit
    def both(choices, values, mix_bar, written, write_bar):
        mixed, mix_back = jax.vjp(plain_mix, choices, values)
        return (
            (mix(choices, values), mix_choices_back(values, mix_bar)),
            write_back(*written, write_bar),
        ), ((mixed, mix_back(mix_bar)[0]), jax.vjp(write, *written)[1](write_bar))

    with jax.enable_x64(True):
        written = (draw(m, m), draw(m), draw(m))
        ours, expected = both(draw(3, m), draw(m, m), draw(3, m), written, draw(m, m))
        for x, y in zip(jax.tree.leaves(ours), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("m", [2, 7, LARGE])
def test_sums_by_hand(m):
    rng = np.random.default_rng(m)
    with jax.enable_x64(True):
        a, b = jnp.asarray(rng.normal(size=(2, m)))
        rows, drawn = jnp.asarray(rng.normal(size=(m, 3))), np.asarray(a)
        np.testing.assert_allclose(weighted_sum(a, rows), a @ rows, atol=1e-13)
        np.testing.assert_allclose(inner(a, b), a @ b, atol=1e-13)
        for form, condition in [
            (at_least, lambda i, c: i >= c),
            (more_than, lambda i, c: i > c),
            (at_most, lambda i, c: i <= c),
            (less_than, lambda i, c: i < c),
        ]:
            summed = [sum(drawn[i] for i in range(m) if condition(i, c)) for c in range(m)]
            np.testing.assert_allclose(jax.jit(form)(a), summed, atol=1e-13)
        np.testing.assert_allclose(truth(jnp.asarray(0.25), m), [0.75, 0.25] + [0] * (m - 2))


def test_fuzzy_arguments_are_independent():
    """Mean-field, as the paper has it: r - r is not 0 where r is unsure."""
    r = jnp.array([0.5, 0.5, 0.0])
    np.testing.assert_allclose(subtract(r, r), [0.5, 0.25, 0.25])


# --- gates of one's own -------------------------------------------------------------------


@pytest.fixture
def forget():
    """Undefine what a test defines."""
    before = dict(GATES)
    yield
    GATES.clear()
    GATES.update(before)


@pytest.mark.usefixtures("forget")
def test_a_gate_of_one_s_own():
    mul = define(Gate("MUL", "*", 2, lambda a, b, m: (a * b) % m))
    assert find_gates(["ONE", "MUL"]) == (GATES["ONE"], mul)
    a, b = distributions(np.random.default_rng(0), 6, 2)
    expected = np.zeros((6, 2))
    for i, j in itertools.product(range(6), repeat=2):
        expected[i * j % 6] += a[i] * b[j]
    with jax.enable_x64(True):
        found = mul.soft(jnp.asarray(a), jnp.asarray(b), values=6)
        np.testing.assert_allclose(found, expected, atol=1e-15)
    assert int(mul.hard(4, 5, values=6)) == 2
    assert define(mul) is mul


@pytest.mark.usefixtures("forget")
def test_the_table_may_hold_truth_values():
    odd = define(Gate("ODD", "odd", 1, lambda a, _: a % 2 == 1))
    np.testing.assert_allclose(
        odd.soft(jnp.array([0.5, 0.125, 0.25, 0.125]), values=4), [0.75, 0.25, 0, 0]
    )
    assert odd.hard(jnp.arange(4), values=4).tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("integer", "message"),
    [
        (lambda a, b, _: a + b, r"gate BAD must give integers in 0\.\.3 for 4 .* 0 to 6"),
        (lambda a, b, _: a - b, r"gate BAD must give integers in 0\.\.3 for 4 .* -3 to 3"),
        (lambda a, b, _: (a + b) / 2, r"gate BAD must give integers .* float64"),
    ],
)
def test_integers_out_of_range_are_refused(integer, message):
    gate = Gate("BAD", "?", 2, integer)
    a, b = jnp.asarray(distributions(np.random.default_rng(0), 4), jnp.float32)
    with pytest.raises(ValueError, match=message):
        gate.soft(a, b, values=4)


@pytest.mark.usefixtures("forget")
@pytest.mark.parametrize(
    ("gate", "message"),
    [
        (Gate("ADD", "+", 2, lambda a, b, m: (a + b) % m), "already a gate named ADD"),
        (Gate("PEEK", "P", 1, lambda p, _: p, memory="read"), "PEEK cannot have memory access"),
    ],
)
def test_bad_gates_are_refused(gate, message):
    with pytest.raises(ValueError, match=message):
        define(gate)
    assert set(GATES) == set(PAPER_GATES)


@pytest.mark.usefixtures("forget")
def test_bad_arity_is_refused():
    gate = Gate("SUM3", "Σ", 2, lambda a, b, c, m: (a + b + c) % m)
    object.__setattr__(gate, "arity", 3)  # Type-checked in tests, not where people use it.
    with pytest.raises(ValueError, match="gate SUM3 must have 0, 1 or 2 arguments, not 3"):
        define(gate)


def test_unknown_gates_are_refused():
    with pytest.raises(ValueError, match="there is no gate 'MUL'; there are READ, ZERO"):
        find_gates(["READ", "MUL"])
