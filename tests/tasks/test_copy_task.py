"""The copy task against its plain construction."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.tasks.sequences.copy import Copy

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
    with pytest.raises(ValueError, match="width must be at least 1, not 0"):
        Copy(width=0)
