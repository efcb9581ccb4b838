"""Curricula: the sizes they draw, and when they grow."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.training.curricula import Growing, Uniform


def draw(curriculum, state, count, seed=0):
    keys = jax.random.split(jax.random.key(seed), count)
    return np.asarray(jax.jit(jax.vmap(curriculum.sample, (None, 0)))(state, keys))


@pytest.mark.parametrize(("smallest", "largest"), [(1, 20), (3, 3), (8, 19)])
def test_uniform_covers_its_range_evenly(smallest, largest):
    curriculum = Uniform(smallest=smallest, largest=largest)
    sizes = draw(curriculum, curriculum.init(), 8000)
    values, counts = np.unique(sizes, return_counts=True)
    np.testing.assert_array_equal(values, np.arange(smallest, largest + 1))
    expected = len(sizes) / len(values)
    chi_square = np.sum((counts - expected) ** 2 / expected)
    freedom = len(values) - 1
    assert chi_square <= freedom + 4 * np.sqrt(2 * freedom)


def test_uniform_learns_nothing():
    curriculum = Uniform()
    assert curriculum.update(curriculum.init(), jnp.asarray(0.0)) == curriculum.init()


def test_growing_draws_evenly_up_to_its_level():
    curriculum = Growing(smallest=2, largest=9, start=4)
    values, counts = np.unique(draw(curriculum, curriculum.init(), 3000), return_counts=True)
    np.testing.assert_array_equal(values, [2, 3, 4])
    assert np.all(np.abs(counts - 1000) < 4 * np.sqrt(3000 * 2 / 9))
    later = curriculum.init() | {"level": jnp.asarray(6)}
    np.testing.assert_array_equal(np.unique(draw(curriculum, later, 3000)), [2, 3, 4, 5, 6])


def levels_by_hand(curriculum, errors):
    """The rule of the docstring, in plain Python."""
    level, mean, waited, levels = curriculum.start, None, 0, []
    for error in errors:
        mean = error if mean is None else mean + (error - mean) / curriculum.patience
        waited += 1
        if mean < curriculum.threshold and waited >= curriculum.patience:
            level, mean, waited = min(level + curriculum.rise, curriculum.largest), None, 0
        levels.append(level)
    return levels


def levels_of(curriculum, errors):
    def turn(state, error):
        state = curriculum.update(state, error)
        return state, state["level"]

    return np.asarray(
        jax.jit(lambda errors: jax.lax.scan(turn, curriculum.init(), errors)[1])(
            jnp.asarray(errors, jnp.float32)
        )
    )


@pytest.mark.parametrize("patience", [1, 5, 20])
@pytest.mark.parametrize("rise", [1, 3])
def test_growing_rises_exactly_when_it_should(patience, rise):
    curriculum = Growing(largest=9, start=2, rise=rise, threshold=1.0, patience=patience)
    errors = np.random.default_rng(patience).uniform(0, 2.2, 300)
    levels = levels_of(curriculum, errors)
    np.testing.assert_array_equal(levels, levels_by_hand(curriculum, errors))
    assert levels[-1] > 2
    assert levels.max() <= 9


def test_without_errors_it_rises_every_patience_updates():
    curriculum = Growing(largest=5, start=2, patience=3)
    levels = levels_of(curriculum, np.zeros(12))
    np.testing.assert_array_equal(levels, [2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5, 5])


def test_with_many_errors_it_never_rises():
    levels = levels_of(Growing(threshold=1.0, patience=1), np.full(50, 1.0))
    np.testing.assert_array_equal(levels, 2)


def test_errors_before_a_rise_are_forgotten():
    """After a rise the running mean starts from the next error alone."""
    curriculum = Growing(threshold=1.0, patience=2)
    levels = levels_of(curriculum, [0.0, 0.0, 5.0, 0.9, 0.9, 0.9])
    np.testing.assert_array_equal(levels, levels_by_hand(curriculum, [0, 0, 5, 0.9, 0.9, 0.9]))
    np.testing.assert_array_equal(levels[:4], [2, 3, 3, 3])


@pytest.mark.parametrize("curriculum", [Uniform(), Growing()], ids=["uniform", "growing"])
def test_state_keeps_its_types(curriculum):
    """Or a compiled loop would refuse it as a carry."""
    before = curriculum.init()
    after = jax.eval_shape(curriculum.update, before, jnp.asarray(1.0))
    for old, new in zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True):
        assert (old.shape, old.dtype) == (new.shape, new.dtype)


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (Uniform, dict(smallest=0), "1 <= smallest <= largest, not 0 and 20"),
        (Uniform, dict(smallest=5, largest=4), "1 <= smallest <= largest, not 5 and 4"),
        (Growing, dict(largest=0), "1 <= smallest <= largest"),
        (Growing, dict(start=21), r"start must .* 1\.\.20, not 21"),
        (Growing, dict(smallest=3, start=2), r"start must .* 3\.\.20, not 2"),
        (Growing, dict(rise=0), "rise and patience must be at least 1"),
        (Growing, dict(patience=0), "rise and patience must be at least 1"),
    ],
)
def test_bad_ranges_are_refused(kind, fields, message):
    with pytest.raises(ValueError, match=message):
        kind(**fields)
