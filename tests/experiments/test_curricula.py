"""Curricula: the sizes they draw, and when they grow."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.experiments.curricula import Growing, OneSize, Rising, Uniform

EVERY_KIND = [
    Uniform(),
    Growing(),
    Growing(forward=0.1, back=0.25, overshoot=0.5),
    Rising(),
    OneSize(),
    OneSize(over=7),
]
NAMES = ["uniform", "growing", "growing-nram", "rising", "one-size", "one-size-rising"]
kinds = pytest.mark.parametrize("curriculum", EVERY_KIND, ids=NAMES)


@partial(jax.jit, static_argnums=(0, 3))
def sample(curriculum, state, key, count):
    return curriculum.sample(state, key, count)


@partial(jax.jit, static_argnums=0)
def update(curriculum, state, given):
    return curriculum.update(state, given)


def draw(curriculum, state, count, seed=0):
    return np.asarray(sample(curriculum, state, jax.random.key(seed), count))


def assert_distributed(sizes, expected):
    """Chi-square test of sizes against ``{size: probability}``."""
    values, counts = np.unique(sizes, return_counts=True)
    assert set(values) == set(expected)
    expected = len(sizes) * np.asarray([expected[value] for value in values])
    chi_square = np.sum((counts - expected) ** 2 / expected)
    freedom = len(values) - 1
    assert chi_square <= freedom + 4 * np.sqrt(2 * freedom)


def evenly(smallest, largest, share=1.0):
    sizes = range(smallest, largest + 1)
    return {size: share / len(sizes) for size in sizes}


def assert_same(a, b):
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_array_equal(x, y)


# All of them


@kinds
def test_sizes_are_of_the_range_and_as_many_as_asked_for(curriculum):
    sizes = draw(curriculum, curriculum.init(), 50)
    assert sizes.shape == (50,)
    assert sizes.dtype == np.int32
    assert sizes.min() >= curriculum.smallest
    assert sizes.max() <= curriculum.largest


@kinds
def test_the_first_sizes_do_not_depend_on_how_many_follow(curriculum):
    long, short = (draw(curriculum, curriculum.init(), count) for count in (64, 5))
    np.testing.assert_array_equal(long[:5], short)


@kinds
def test_other_keys_draw_other_sizes(curriculum):
    state = curriculum.init()
    if isinstance(curriculum, Growing):
        state = state._replace(level=jnp.asarray(12, jnp.int32))
    if getattr(curriculum, "over", 0):
        state = jnp.asarray(curriculum.over, jnp.int32)
    assert len({tuple(draw(curriculum, state, 8, seed)) for seed in range(10)}) > 5


@kinds
def test_state_keeps_its_types(curriculum):
    """Or a compiled loop would refuse it as a carry."""
    before = curriculum.init()
    after = jax.eval_shape(curriculum.update, before, jnp.zeros(()))
    for old, new in zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True):
        assert (old.shape, old.dtype, old.weak_type) == (new.shape, new.dtype, new.weak_type)


@kinds
def test_members_of_a_population_do_what_they_would_do_alone(curriculum):
    """Two members under vmap, many updates in one compiled scan."""
    updates, count = 40, 3

    def train(seed):
        def turn(state, step):
            key = jax.random.fold_in(jax.random.key(seed), step)
            sizes = curriculum.sample(state, key, count)
            noise = jax.random.normal(key)
            return curriculum.update(state, jnp.abs(noise)), sizes

        return jax.lax.scan(turn, curriculum.init(), jnp.arange(updates))

    states, sizes = jax.jit(jax.vmap(train))(jnp.arange(2))
    assert sizes.shape == (2, updates, count)
    for member in range(2):
        state, own = jax.jit(train)(member)
        np.testing.assert_array_equal(sizes[member], own)
        for together, alone in zip(
            jax.tree.leaves(states), jax.tree.leaves(state), strict=True
        ):
            np.testing.assert_allclose(together[member], alone, rtol=1e-5)


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (Uniform, dict(smallest=0), "smallest must be at least 1, not 0"),
        (Uniform, dict(smallest=5, largest=4), "smallest <= largest, not 5 and 4"),
        (Growing, dict(largest=0), "largest must be at least 1"),
        (Growing, dict(start=21), r"start must .* 1\.\.20, not 21"),
        (Growing, dict(smallest=3, start=2), r"start must .* 3\.\.20, not 2"),
        (Growing, dict(rise=0), "rise must be at least 1"),
        (Growing, dict(patience=0), "patience must be at least 1"),
        (Growing, dict(forward=0.5), r"shares of one whole, not 0\.5 and 1\.0"),
        (Growing, dict(back=-0.1), r"back must be at least 0, not -0\.1"),
        (Growing, dict(forward=-0.1), "forward must be at least 0"),
        (Growing, dict(back=float("nan")), "back must be a finite number"),
        (Growing, dict(overshoot=1.0), r"overshoot must be below 1, not 1\.0"),
        (Growing, dict(overshoot=-0.5), "overshoot must be at least 0"),
        (Rising, dict(smallest=3, largest=2), "smallest <= largest"),
        (Rising, dict(over=0), "over must be at least 1, not 0"),
        (Rising, dict(back=1.5), r"back must be at most 1, not 1\.5"),
        (Rising, dict(back=float("nan")), "back must be a finite number"),
    ],
)
def test_bad_fields_are_refused(kind, fields, message):
    with pytest.raises(ValueError, match=message):
        kind(**fields)


# Uniform


@pytest.mark.parametrize(("smallest", "largest"), [(1, 20), (3, 3), (8, 19)])
def test_uniform_covers_its_range_evenly(smallest, largest):
    curriculum = Uniform(smallest=smallest, largest=largest)
    assert_distributed(draw(curriculum, curriculum.init(), 8000), evenly(smallest, largest))


# One size


def test_one_size_is_that_of_all_examples_and_covers_the_range_evenly():
    curriculum, keys = OneSize(smallest=3, largest=9), jax.random.split(jax.random.key(0), 4000)
    sizes = jax.jit(jax.vmap(lambda key: curriculum.sample((), key, 5)))(keys)
    assert (sizes == sizes[:, :1]).all()
    assert_distributed(sizes[:, 0], evenly(3, 9))


def test_one_size_rises_evenly_and_then_stays():
    """By one size every so many updates; all sizes up to the level are drawn alike."""
    curriculum = OneSize(smallest=2, largest=6, over=8)
    assert [int(curriculum.level(jnp.asarray(t))) for t in range(11)] == [
        2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 6,
    ]  # fmt: skip
    state, error = curriculum.init(), jnp.asarray(1e9)
    for _ in range(4):
        state = update(curriculum, state, error)
    keys = jax.random.split(jax.random.key(0), 2000)
    sizes = jax.jit(jax.vmap(lambda key: curriculum.sample(state, key, 3)))(keys)
    assert (sizes == sizes[:, :1]).all()
    assert_distributed(sizes[:, 0], evenly(2, 4))
    assert curriculum.report(state) == {"level": 4}
    assert OneSize().report(OneSize().init()) == {}


# Growing: sizes


def at_level(curriculum, level):
    return curriculum.init()._replace(level=jnp.asarray(level, jnp.int32))


def test_growing_draws_evenly_up_to_its_level():
    curriculum = Growing(smallest=2, largest=9, start=4)
    assert_distributed(draw(curriculum, curriculum.init(), 8000), evenly(2, 4))
    assert_distributed(draw(curriculum, at_level(curriculum, 6), 8000), evenly(2, 6))


@pytest.mark.parametrize("level", [3, 6, 9])
@pytest.mark.parametrize(
    ("forward", "back"), [(0.0, 0.1), (0.2, 0.0), (0.1, 0.25), (0.3, 0.7), (1.0, 0.0)]
)
def test_growing_looks_back_and_forward_as_often_as_told(level, forward, back):
    curriculum = Growing(smallest=2, largest=9, forward=forward, back=back)
    expected = dict.fromkeys(range(2, 10), 0.0) | {level: 1 - forward - back}
    for share in evenly(2, level, back), evenly(2, 9, forward):
        expected |= {size: expected[size] + p for size, p in share.items()}
    expected = {size: p for size, p in expected.items() if p > 1e-9}
    assert_distributed(draw(curriculum, at_level(curriculum, level), 20_000), expected)


def test_growing_without_looking_back_draws_its_level_alone():
    curriculum = Growing(largest=9, back=0.0)
    np.testing.assert_array_equal(draw(curriculum, at_level(curriculum, 5), 100), 5)


def test_overshoot_is_geometric_and_stops_at_the_largest():
    curriculum = Growing(largest=8, back=0.0, overshoot=0.5)
    expected = {5: 1 / 2, 6: 1 / 4, 7: 1 / 8, 8: 1 / 8}
    assert_distributed(draw(curriculum, at_level(curriculum, 5), 8000), expected)


def test_the_curriculum_of_the_nram_paper():
    """10 % anything, 25 % uniform up to the level plus e, 65 % exactly that."""
    curriculum = Growing(largest=6, forward=0.1, back=0.25, overshoot=0.5)
    expected = dict.fromkeys(range(1, 7), 0.1 / 6)
    for top, p in {4: 1 / 2, 5: 1 / 4, 6: 1 / 4}.items():
        expected[top] += 0.65 * p
        for size in range(1, top + 1):
            expected[size] += 0.25 * p / top
    assert_distributed(draw(curriculum, at_level(curriculum, 4), 20_000), expected)


# Growing: the level


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
        return state, state.level

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


# Rising


def test_rising_level_doubles_in_equal_times():
    curriculum = Rising(smallest=1, largest=16, over=400)
    state, levels = curriculum.init(), {}
    for step in range(501):
        levels[step] = curriculum.report(state)["level"]
        state = update(curriculum, state, jnp.asarray(99.0))
    assert [levels[step] for step in range(0, 501, 100)] == [1, 2, 4, 8, 16, 16]
    assert levels[99] == 1
    assert levels[250] == int(2**2.5)
    assert all(levels[step] <= levels[step + 1] for step in range(500))


@pytest.mark.parametrize(
    ("back", "step", "sizes"),
    [
        (0.5, 300, evenly(4, 8)),
        (1.0, 300, evenly(8, 8)),
        (0.0, 300, evenly(2, 8)),
        (0.5, 0, evenly(2, 2)),
        (0.4, 900, evenly(13, 32)),
    ],
)
def test_rising_sizes_are_uniform_up_to_the_level(back, step, sizes):
    curriculum = Rising(smallest=2, largest=32, over=600, back=back)
    state = jnp.asarray(step, jnp.int32)
    assert_distributed(draw(curriculum, state, 20_000), sizes)


def test_one_more_class_every_so_many_updates():
    """As in Santoro et al. 2016, whatever the error is."""
    growing = Growing(smallest=15, start=15, largest=18, back=0.0, threshold=1e9, patience=5)
    state, sizes = growing.init(), []
    for step in range(30):
        sizes.append(set(draw(growing, state, 4, seed=step).tolist()))
        state = update(growing, state, jnp.asarray(1e6 if step % 2 else 0.0))
    assert sizes == [{min(15 + step // 5, 18)} for step in range(30)]
