"""Neural stack, queue and deque against golden values, and against those of plain Python."""

import dataclasses
from collections import deque

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from softmachine.machines.neural_stack import (
    ENDS,
    Moves,
    NeuralStackConfig,
    NeuralStackTestOptions,
    use_deque,
    use_queue,
    use_stack,
)
from softmachine.machines.parts.controllers import ControllerConfig

USE = {"stack": use_stack, "queue": use_queue, "deque": use_deque}
STRUCTURES = pytest.mark.parametrize("structure", USE)


def run(structure, values, push, pop):
    """Return strengths from the oldest row on (of a deque from the bottom) and reads."""
    steps, ends, columns = np.shape(values)
    rows = steps * ends

    def step(carry, moves):
        memory, strengths, weights = USE[structure](*carry, Moves(*moves))
        reads = jnp.stack([memory @ each for each in weights])
        return (memory, strengths), (strengths[::-1], reads)

    given = tuple(jnp.asarray(x) for x in (push, pop, values))
    start = jnp.zeros((columns, rows), given[0].dtype), jnp.zeros(rows, given[0].dtype)
    return jax.jit(lambda start, given: jax.lax.scan(step, start, given)[1])(start, given)


def one_hot(*places, count):
    return np.eye(count, dtype=np.float32)[list(places)]


def column(*numbers):
    return np.array(numbers, np.float32)[:, None]


def assert_golden(found, expected):
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_stack():
    values = one_hot(0, 1, 2, count=3)[:, None]
    strengths, reads = run("stack", values, column(0.8, 0.5, 0.9), column(0, 0.1, 0.9))
    assert_golden(strengths[0][-1:], [0.8])
    assert_golden(strengths[1][-2:], [0.7, 0.5])
    assert_golden(strengths[2], [0.3, 0, 0.9])
    assert_golden(reads[:, 0], [[0.8, 0, 0], [0.5, 0.5, 0], [0.1, 0, 0.9]])


def test_a_queue():
    values = one_hot(0, 1, 2, 3, count=4)[:, None]
    moves = column(0.8, 0.5, 0.9, 0.6), column(0, 0.1, 0.9, 0.3)
    strengths, reads = run("queue", values, *moves)
    assert_golden(strengths[1][-2:], [0.7, 0.5])
    assert_golden(strengths[2][-3:], [0, 0.3, 0.9])
    assert_golden(strengths[3], [0, 0, 0.9, 0.6])
    read = [[0.8, 0, 0, 0], [0.7, 0.3, 0, 0], [0, 0.3, 0.7, 0], [0, 0, 0.9, 0.1]]
    assert_golden(reads[:, 0], read)


def test_a_deque():
    values = np.stack([one_hot(0, 1, 2, count=6), one_hot(3, 4, 5, count=6)], axis=1)
    push = np.array([[0.8, 0.6], [0.5, 0.4], [0.9, 0.2]], np.float32)
    pop = np.array([[0, 0], [0.3, 0.7], [1, 0.5]], np.float32)
    strengths, reads = run("deque", values, push, pop)
    assert_golden(jnp.delete(strengths[0], slice(1, 5)), [0.6, 0.8])
    assert_golden(jnp.delete(strengths[1], slice(2, 4)), [0.4, 0, 0.4, 0.5])
    assert_golden(strengths[2], [0.2, 0, 0, 0, 0, 0.9])
    tops = [[0.8, 0, 0, 0.2, 0, 0], [0.4, 0.5, 0, 0, 0.1, 0], [0, 0, 0.9, 0, 0, 0.1]]
    bottoms = [[0.4, 0, 0, 0.6, 0, 0], [0.4, 0.2, 0, 0, 0.4, 0], [0, 0, 0.8, 0, 0, 0.2]]
    assert_golden(reads[:, 0], tops)
    assert_golden(reads[:, 1], bottoms)


def test_gradients_of_a_stack():
    def fill(start):
        return jnp.sin(start + jnp.arange(8.0)).reshape(4, 1, 2)

    def loss(push, pop):
        _, reads = run("stack", fill(5), push, pop)
        return jnp.sum(fill(9) * reads)

    push, pop = column(0.4, 0.3, 0.5, 0.3), column(0, 0.1, 0.35, 0.2)
    value, (of_push, of_pop) = jax.value_and_grad(loss, (0, 1))(push, pop)
    assert_golden(value, -0.630911)
    assert_golden(of_push[:, 0], [-0.357172, -2.410675, 0.058868, -0.495800])
    assert_golden(of_pop[1:, 0], [0.113990, 1.222832, -0.424621])
    # Not a golden value: nothing is there to be popped.
    assert of_pop[0, 0] == 0


@STRUCTURES
def test_at_kinks_the_derivative_is_the_left_argument_s(structure):
    """Popped empty exactly, and full exactly: neither is between the two derivatives."""
    ends = len(ENDS[structure])
    values = np.ones((2, ends, 1), np.float32)

    def total(push, pop):
        return jnp.sum(run(structure, values, push, pop)[1][-1])

    ones, nothing = np.ones((2, ends), np.float32), np.zeros((2, ends), np.float32)
    exact = np.concatenate([nothing[:1], ones[:1]])
    of_push, of_pop = jax.grad(total, (0, 1))(exact[::-1].copy(), exact)
    # The only row is popped exactly: max(0, 1 - 1) passes nothing on.
    assert not of_pop.any()
    assert not of_push[0].any()


def classical(structure, values, push, pop):
    """Return what is read of a structure of Python after each step, at each end."""
    held, reads = deque(), []
    nothing = np.zeros(values.shape[-1])
    for each, pushed, popped in zip(values, push, pop, strict=True):
        if popped[0] and held:  # the top is on the left, as is the back of a queue
            held.pop() if structure == "queue" else held.popleft()
        if structure == "deque" and popped[1] and held:
            held.pop()
        if pushed[0]:
            held.appendleft(each[0])
        if structure == "deque" and pushed[1]:
            held.append(each[1])
        first, last = (held[0], held[-1]) if held else (nothing, nothing)
        reads.append([last] if structure == "queue" else [first, last][: len(push[0])])
    return np.array(reads)


@STRUCTURES
@pytest.mark.parametrize("seed", [0, 1])
def test_whole_strengths_make_the_structure_of_python(structure, seed):
    rng, ends, steps = np.random.default_rng(seed), len(ENDS[structure]), 120
    values = rng.normal(size=(steps, ends, 3)).astype(np.float32)
    push, pop = rng.integers(0, 2, (2, steps, ends)).astype(np.float32)
    _, reads = run(structure, values, push, pop)
    np.testing.assert_allclose(reads, classical(structure, values, push, pop), atol=1e-6)


@STRUCTURES
def test_strengths_stay_within_bounds(structure):
    """Over 10,000 random steps, in a hundred runs at once."""
    rng, ends = np.random.default_rng(3), len(ENDS[structure])
    push, pop = rng.random((2, 100, 100, ends)).astype(np.float32) ** 2
    values = np.ones((100, 100, ends, 1), np.float32)
    strengths, reads = jax.vmap(lambda *x: run(structure, *x))(values, push, pop)
    assert strengths.min() >= 0
    assert strengths.max() <= 1
    assert reads.min() >= 0
    assert reads.max() <= 1 + 1e-5  # what is read is at most 1 in all
    total = strengths.sum(-1)
    assert (np.diff(total, axis=1) <= push[:, 1:].sum(-1) + 1e-4).all()


def built(inputs=3, outputs=2, **choices):
    sizes = {"controller": ControllerConfig(hidden=4), "memory_columns": 3}
    config = NeuralStackConfig(**(sizes | choices))
    return eqx.filter_jit(config.build)(inputs, outputs, key=jax.random.key(0))


@STRUCTURES
def test_gradients_are_those_of_finite_differences(structure):
    with jax.enable_x64(True):
        machine = jax.tree.map(
            lambda x: x.astype(jnp.float64) if eqx.is_inexact_array(x) else x,
            built(structure=structure),
        )
        inputs = jnp.sin(jnp.arange(18.0)).reshape(6, 3)
        weights, static = eqx.partition(machine, eqx.is_inexact_array)
        loss = lambda w: jnp.sum(jnp.sin(eqx.combine(w, static)(inputs)))  # noqa: E731
        check_grads(jax.jit(loss), (weights,), order=1, modes=["rev"], eps=1e-6, atol=1e-7)


def test_the_memory_is_as_long_as_the_run():
    inputs = jnp.ones((7, 3))
    for structure, rows in (("stack", 7), ("queue", 7), ("deque", 14)):
        machine = built(structure=structure)
        assert machine.init_state(inputs).strengths.shape == (rows,)
        longer = built(structure=structure, memory_rows=40)
        np.testing.assert_allclose(machine(inputs), longer(inputs), atol=1e-6)
    with pytest.raises(ValueError, match="say how many with memory_rows"):
        built().init_state()
    assert built(memory_rows=5).init_state().strengths.shape == (5,)


@pytest.mark.parametrize("structure", ["stack", "queue", "deque"])
def test_of_no_inputs_come_no_outputs(structure):
    assert built(structure=structure)(jnp.zeros((0, 3))).shape == (0, 2)


def test_a_deque_has_a_row_for_each_end():
    with pytest.raises(ValueError, match="memory_rows must be at least 2 for a deque"):
        built(structure="deque", memory_rows=1)
    assert built(structure="queue", memory_rows=1)(jnp.eye(3)).shape == (3, 2)


def test_hard_strengths_are_whole_and_pops_begin_weak():
    machine = built(structure="deque")
    np.testing.assert_array_equal(machine.moves.bias, [0, 0, -1, -1, *[0] * 6])
    hard = machine.with_test_options(NeuralStackTestOptions(hard=True))
    soft_moves, moves = machine.instruct(jnp.ones(4)), hard.instruct(jnp.ones(4))
    assert set(np.concatenate([moves.push, moves.pop])) <= {0, 1}
    np.testing.assert_array_equal(moves.push, soft_moves.push > 0.5)
    np.testing.assert_array_equal(moves.values, soft_moves.values)


@pytest.mark.parametrize(
    ("structure", "hidden", "millions"),
    [("stack", 256, 0.67), ("stack", 512, 1.9), ("deque", 256, 1.0), ("deque", 512, 2.5)],
)
def test_parameters_are_as_many_as_the_paper_s(structure, hidden, millions):
    """Of all but the embeddings, 64 wide, and the softmax; to the paper's two digits."""
    config = NeuralStackConfig(structure=structure, controller=ControllerConfig(hidden=hidden))
    machine = eqx.filter_eval_shape(config.build, 64, 131, key=jax.random.key(0))
    counted = sum(x.size for x in jax.tree.leaves(machine) if hasattr(x, "size"))
    counted -= machine.output.weight.size + machine.output.bias.size
    assert float(f"{counted / 1e6:.2g}") == millions


def test_on_a_share_of_training_examples_strengths_are_rounded():
    machine, inputs = built(structure="queue"), jnp.sin(jnp.arange(18.0)).reshape(6, 3)
    config = dataclasses.replace(machine.config, hard_share=0.5)
    both = dataclasses.replace(machine, config=config)
    keys = jax.random.split(jax.random.key(0), 64)
    runs = jax.jit(jax.vmap(lambda key: both.run(inputs, key=key, training=True).outputs))(keys)
    hard = machine.with_test_options(NeuralStackTestOptions(hard=True))
    is_soft, is_hard = (jnp.isclose(runs, m(inputs)).all((1, 2)) for m in (machine, hard))
    assert (is_soft != is_hard).all()
    assert 16 < int(is_hard.sum()) < 48
    np.testing.assert_allclose(both(inputs), machine(inputs), atol=1e-6)  # not in a test
    always = dataclasses.replace(both, config=dataclasses.replace(config, hard_share=1.0))

    def total(weight):
        learned = eqx.tree_at(lambda m: m.moves.weight, always, weight)
        return jnp.sum(learned.run(inputs, key=keys[0], training=True).outputs)

    assert jnp.abs(jax.jit(jax.grad(total))(machine.moves.weight)[:2]).sum() > 0
