"""The copy task against its plain construction."""

import doctest

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import softmachine.tasks.copy
from softmachine.tasks.copy import Copy

WIDTH, MAX_SIZE = 3, 5


@pytest.fixture(scope="module")
def sample():
    task = Copy(width=WIDTH)
    return jax.jit(lambda key, size: task.sample(key, size, max_size=MAX_SIZE))


@pytest.mark.parametrize("size", range(1, MAX_SIZE + 1))
def test_examples_are_laid_out_as_in_the_paper(sample, size):
    """Vectors, delimiter, then blank steps while the same vectors are due."""
    example = jax.tree.map(np.asarray, sample(jax.random.key(size), size))
    bits = example.inputs[:size, :WIDTH]
    assert set(np.unique(bits)) <= {0.0, 1.0}
    inputs, targets, mask = (
        np.zeros((2 * MAX_SIZE + 1, columns)) for columns in (WIDTH + 1, WIDTH, WIDTH)
    )
    inputs[:size, :WIDTH] = bits
    inputs[size, WIDTH] = 1
    targets[size + 1 : 2 * size + 1] = bits
    mask[size + 1 : 2 * size + 1] = 1
    np.testing.assert_array_equal(example.inputs, inputs)
    np.testing.assert_array_equal(example.targets, targets)
    np.testing.assert_array_equal(example.mask, mask)
    assert example.steps == 2 * size + 1 == Copy(width=WIDTH).steps(size)
    assert example.mask.sum() == size * WIDTH


@pytest.mark.parametrize("size", [1, 3])
def test_more_padding_adds_only_zeros(size):
    task, key = Copy(width=WIDTH), jax.random.key(7)
    short = jax.tree.map(np.asarray, task.sample(key, size, max_size=size))
    long = jax.tree.map(np.asarray, task.sample(key, size, max_size=size + 4))
    assert short.steps == long.steps
    steps = int(short.steps)
    for name in ("targets", "mask"):
        np.testing.assert_array_equal(getattr(long, name)[steps:], 0)
    np.testing.assert_array_equal(long.inputs[steps:], 0)
    np.testing.assert_array_equal(long.mask[:steps], short.mask)
    np.testing.assert_array_equal(long.inputs[:steps, -1], short.inputs[:, -1])
    np.testing.assert_array_equal(long.targets[size + 1 : steps], long.inputs[:size, :WIDTH])


def test_bits_are_fair_and_independent():
    task = Copy(width=8)
    keys = jax.random.split(jax.random.key(0), 500)
    examples = jax.jit(jax.vmap(lambda key: task.sample(key, 10, max_size=10)))(keys)
    bits = np.asarray(examples.inputs)[:, :10, :8].reshape(500, 80)
    spread = 0.5 / np.sqrt(500)
    assert abs(bits.mean() - 0.5) < 4 * spread / np.sqrt(80)
    assert np.all(np.abs(bits.mean(axis=0) - 0.5) < 4.5 * spread)
    correlations = np.corrcoef(bits.T) - np.eye(80)
    assert np.abs(correlations).max() < 5.5 / np.sqrt(500)


def test_the_key_alone_decides(sample):
    first, again, other = (sample(jax.random.key(seed), 4) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.inputs, again.inputs)
    assert np.any(np.asarray(first.inputs) != np.asarray(other.inputs))


def test_sizes_vary_inside_one_program(sample):
    examples = jax.vmap(sample)(jax.random.split(jax.random.key(0), 3), jnp.array([1, 3, 5]))
    np.testing.assert_array_equal(examples.steps, [3, 7, 11])
    np.testing.assert_array_equal(np.sum(examples.mask, axis=(1, 2)), [3, 9, 15])


def test_declared_sizes_are_the_examples_sizes(sample):
    example, task = sample(jax.random.key(0), 2), Copy(width=WIDTH)
    assert example.inputs.shape == (task.steps(MAX_SIZE), task.input_size)
    assert example.targets.shape == (task.steps(MAX_SIZE), task.output_size)


def test_rendering_marks_wrong_bits(sample):
    task, example = Copy(width=WIDTH), sample(jax.random.key(0), 2)
    logits = np.where(np.asarray(example.targets) > 0.5, 5.0, -5.0)
    right = task.render(example, jnp.asarray(logits, jnp.float32)).splitlines()
    assert [right[i][:8].strip() for i in (0, 3, 4, 7)] == [
        "input",
        "delim",
        "target",
        "output",
    ]
    assert [line[8:] for line in right[4:7]] == [line[8:] for line in right[7:]]

    logits[3, 1] *= -1
    logits[0, 0] = 5.0  # not scored
    wrong = task.render(example, jnp.asarray(logits, jnp.float32)).splitlines()
    assert sum(line.count("x") for line in wrong) == 1
    assert wrong[8][8 + 3] == "x"


def test_rendering_shows_no_padding(sample):
    lines = Copy(width=WIDTH).render(sample(jax.random.key(0), 2)).splitlines()
    assert len(lines) == 2 * WIDTH + 1
    assert {len(line) for line in lines} == {8 + 5}
    assert lines[WIDTH] == "delim   ..#.."


def test_width_below_one_is_refused():
    with pytest.raises(ValueError, match="copy width must be at least 1 bit, not 0"):
        Copy(width=0)


def test_documented_examples():
    result = doctest.testmod(softmachine.tasks.copy)
    assert result.failed == 0
    assert result.attempted >= 4
