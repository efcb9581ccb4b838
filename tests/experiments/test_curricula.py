"""Curricula: the sizes they draw, when they grow, and what the bandit learns."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.experiments.curricula import Feedback, Growing, PredictionGain, Rising, Uniform

EVERY_KIND = [
    Uniform(),
    Growing(),
    Growing(forward=0.1, back=0.25, overshoot=0.5),
    Rising(),
    PredictionGain(),
]
NAMES = ["uniform", "growing", "growing-nram", "rising", "prediction-gain"]
kinds = pytest.mark.parametrize("curriculum", EVERY_KIND, ids=NAMES)


def feedback(error=0.0, gain=0.0, sizes=(1,), steps=1):
    return Feedback(
        sizes=jnp.asarray(sizes, jnp.int32),
        error=jnp.asarray(error, jnp.float32),
        gain=jnp.asarray(gain, jnp.float32),
        steps=jnp.asarray(steps, jnp.int32),
    )


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
    if isinstance(curriculum, Rising):
        state = jnp.asarray(curriculum.over, jnp.int32)
    assert len({tuple(draw(curriculum, state, 8, seed)) for seed in range(10)}) > 5


@kinds
def test_state_keeps_its_types(curriculum):
    """Or a compiled loop would refuse it as a carry."""
    before = curriculum.init()
    after = jax.eval_shape(curriculum.update, before, feedback())
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
            given = Feedback(sizes, jnp.abs(noise), noise, jnp.max(sizes))
            return curriculum.update(state, given), sizes

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
        (PredictionGain, dict(smallest=0), "smallest must be at least 1"),
        (PredictionGain, dict(learning_rate=0.0), "learning_rate must be positive"),
        (PredictionGain, dict(exploration=0.0), "exploration must be positive"),
        (PredictionGain, dict(exploration=1.5), "exploration must be at most 1"),
        (PredictionGain, dict(history=0), "history must be at least 1"),
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
        state = curriculum.update(state, feedback()._replace(error=error))
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
        state = update(curriculum, state, feedback(error=99.0))
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


# PredictionGain


def scaled_by_hand(reward, past):
    """Clip to the quantiles, then map these to -1 and 1."""
    if len(past) == 0:
        return 0.0
    low, high = np.quantile(past, [0.2, 0.8])
    if low == high:
        return np.sign(reward - low)
    return 2 * (np.clip(reward, low, high) - low) / (high - low) - 1


def probabilities_by_hand(curriculum, arms, rewards):
    """Exp3.S as the paper writes it, in float64: one row before each update and after all."""
    count = curriculum.largest - curriculum.smallest + 1
    weights = np.zeros(count)

    def policy():
        soft = np.exp(weights) / np.sum(np.exp(weights))
        return (1 - curriculum.exploration) * soft + curriculum.exploration / count

    rows = [policy()]
    for i, (arm, reward) in enumerate(zip(arms, rewards, strict=True)):
        scaled = scaled_by_hand(reward, rewards[max(0, i - curriculum.history) : i])
        estimate = np.zeros(count)
        estimate[arm] = scaled / rows[-1][arm]
        raised = np.exp(weights + curriculum.learning_rate * estimate)
        alpha = 1 / (i + 2)
        others = [np.sum(np.delete(raised, j)) for j in range(count)]
        weights = np.log((1 - alpha) * raised + alpha / (count - 1) * np.asarray(others))
        rows.append(policy())
    return np.asarray(rows)


@partial(jax.jit, static_argnums=0)
def learn(curriculum, sizes, gains, steps):
    """Return the state after all updates, and the probabilities before each."""

    def turn(state, given):
        size, gain, steps = given
        given = Feedback(jnp.stack([size, size]), jnp.zeros(()), gain, steps)
        return curriculum.update(state, given), curriculum.probabilities(state)

    return jax.lax.scan(turn, curriculum.init(), (sizes, gains, steps))


@pytest.mark.parametrize(
    ("curriculum", "scale"),
    [
        (PredictionGain(), 1.0),
        (PredictionGain(smallest=3, largest=7, history=10, learning_rate=0.1), 1e-3),
        (PredictionGain(largest=2, history=1, learning_rate=1.0, exploration=0.3), 100.0),
        (PredictionGain(smallest=1, largest=50, history=400), 1e6),
    ],
    ids=["paper", "short-history", "two-sizes", "long-history"],
)
def test_probabilities_are_those_of_exp3s(curriculum, scale):
    random = np.random.default_rng(0)
    sizes = random.integers(curriculum.smallest, curriculum.largest + 1, 300)
    gains = np.float32(scale * (random.standard_normal(300) + sizes / 5))
    steps = random.integers(1, 60, 300)
    state, rows = learn(curriculum, *map(jnp.asarray, (sizes, gains, steps)))
    rewards = np.float64(gains / np.float32(steps))
    by_hand = probabilities_by_hand(curriculum, sizes - curriculum.smallest, rewards)
    np.testing.assert_allclose(rows, by_hand[:-1], rtol=2e-4)
    np.testing.assert_allclose(curriculum.probabilities(state), by_hand[-1], rtol=2e-4)
    np.testing.assert_allclose(np.sum(rows, axis=1), 1, rtol=1e-5)
    assert np.ptp(by_hand[-1]) > 1e-3


def test_at_first_all_sizes_are_equally_likely():
    curriculum = PredictionGain(smallest=4, largest=8)
    state = curriculum.init()
    np.testing.assert_allclose(curriculum.probabilities(state), 0.2, rtol=1e-6)
    first = jax.jit(jax.vmap(lambda key: curriculum.sample(state, key, 1)[0]))(
        jax.random.split(jax.random.key(0), 5000)
    )
    assert_distributed(np.asarray(first), evenly(4, 8))


def test_a_batch_has_one_size_drawn_with_its_probability():
    curriculum = PredictionGain(smallest=2, largest=5, exploration=0.2)
    shares = jnp.asarray([0.5, 0.3, 0.2, 0.0])
    state = curriculum.init()._replace(log_weights=jnp.log(shares))
    keys = jax.random.split(jax.random.key(1), 5000)
    sizes = jax.jit(jax.vmap(lambda key: curriculum.sample(state, key, 3)))(keys)
    np.testing.assert_array_equal(sizes, np.broadcast_to(sizes[:, :1], (5000, 3)))
    assert_distributed(np.asarray(sizes[:, 0]), {2: 0.45, 3: 0.29, 4: 0.21, 5: 0.05})


def play(curriculum, state, gain_of, updates, seed=0):
    """Let the curriculum choose; return the state and the sizes that it chose."""

    def turn(state, key):
        size_key, gain_key = jax.random.split(key)
        sizes = curriculum.sample(state, size_key, 2)
        given = Feedback(sizes, jnp.zeros(()), gain_of(sizes[0], gain_key), jnp.asarray(1))
        return curriculum.update(state, given), sizes[0]

    keys = jax.random.split(jax.random.key(seed), updates)
    return jax.jit(lambda *args: jax.lax.scan(turn, *args))(state, keys)


def test_the_size_that_gains_most_is_preferred():
    curriculum = PredictionGain(smallest=3, largest=7, learning_rate=0.02)
    state, chosen = play(
        curriculum, curriculum.init(), lambda size, _: jnp.where(size == 6, 1.0, 0.1), 3000
    )
    probabilities = np.asarray(curriculum.probabilities(state))
    assert np.argmax(probabilities) == 6 - 3
    assert probabilities.max() > 0.8
    assert np.mean(np.asarray(chosen[-500:]) == 6) > 0.8


def test_gains_alike_prefer_no_size():
    curriculum = PredictionGain(largest=5)
    state, _ = play(curriculum, curriculum.init(), lambda _, key: jax.random.normal(key), 2000)
    np.testing.assert_allclose(curriculum.probabilities(state), 0.2, atol=0.06)


def test_preference_moves_when_the_gain_moves():
    curriculum = PredictionGain(largest=4, learning_rate=0.02, history=64)
    state, _ = play(curriculum, curriculum.init(), lambda size, _: (size == 1) * 1.0, 1500)
    after, _ = play(curriculum, state, lambda size, _: (size == 4) * 1.0, 4000, seed=1)
    assert np.argmax(curriculum.probabilities(state)) == 0
    assert np.argmax(curriculum.probabilities(after)) == 3


def raised_by(curriculum, past, reward):
    """What one more reward, after a known past, adds to the log weight of its size.

    After so many updates, what is shared between the sizes is next to nothing.
    """
    state = curriculum.init()._replace(
        rewards=jnp.asarray(past, jnp.float32), updates=jnp.asarray(2**30, jnp.int32)
    )
    after = update(curriculum, state, feedback(gain=reward, sizes=(2,)))
    change = after.log_weights - state.log_weights
    return float(change[1] - change[0])


@pytest.mark.parametrize(
    ("reward", "scaled"),
    [(-1e30, -1), (1.9, -1), (2, -1), (3.5, -0.5), (5, 0), (8, 1), (8.1, 1), (1e30, 1)],
)
def test_rewards_are_scaled_by_quantiles_and_clipped(reward, scaled):
    """Of 0 .. 10 the quantiles are 2 and 8. Both sizes have probability 1/2."""
    curriculum = PredictionGain(largest=2, history=11, learning_rate=0.25)
    past = np.random.default_rng(0).permutation(11)
    np.testing.assert_allclose(raised_by(curriculum, past, reward), 0.5 * scaled, atol=1e-6)


@pytest.mark.parametrize(("reward", "scaled"), [(6.9, -1), (7, 0), (7.1, 1)])
def test_with_quantiles_alike_only_the_sign_counts(reward, scaled):
    curriculum = PredictionGain(largest=2, history=4, learning_rate=0.25)
    past = [7, 7, 7, np.nan]
    np.testing.assert_allclose(raised_by(curriculum, past, reward), 0.5 * scaled, atol=1e-6)


def test_the_first_reward_has_nothing_to_be_compared_with():
    curriculum = PredictionGain(largest=4, history=3)
    state = update(curriculum, curriculum.init(), feedback(gain=12.0, steps=4))
    np.testing.assert_allclose(curriculum.probabilities(state), 0.25, rtol=1e-6)
    np.testing.assert_array_equal(state.rewards, [3, np.nan, np.nan])
    assert state.updates == 1


def test_old_rewards_leave_the_history():
    curriculum = PredictionGain(largest=4, history=3)
    state, _ = learn(curriculum, jnp.ones(5, int), jnp.arange(5.0), jnp.full(5, 2))
    np.testing.assert_array_equal(state.rewards, [1.5, 2, 1])


@pytest.mark.parametrize("gain", [np.nan, np.inf, -np.inf])
def test_a_gain_that_is_not_finite_changes_nothing(gain):
    curriculum = PredictionGain(largest=3, history=4)
    state, _ = learn(
        curriculum, jnp.asarray([1, 2, 3]), jnp.asarray([1.0, 3.0, 2.0]), jnp.ones(3)
    )
    for before in curriculum.init(), state:
        assert_same(update(curriculum, before, feedback(gain=gain)), before)


def test_extreme_settings_stay_finite():
    curriculum = PredictionGain(largest=3, learning_rate=1e4, exploration=1e-6, history=5)

    def gain_of(size, key):
        return jax.random.normal(key) * 10.0 ** (15 * size - 15)

    state, chosen = play(curriculum, curriculum.init(), gain_of, 500)
    assert np.all(np.isfinite(state.log_weights))
    np.testing.assert_allclose(np.sum(curriculum.probabilities(state)), 1, rtol=1e-5)
    assert np.all((np.asarray(chosen) >= 1) & (np.asarray(chosen) <= 3))


def test_one_size_is_always_drawn():
    curriculum = PredictionGain(smallest=4, largest=4)
    state, chosen = play(
        curriculum, curriculum.init(), lambda _, key: jax.random.normal(key), 20
    )
    np.testing.assert_array_equal(chosen, 4)
    np.testing.assert_allclose(curriculum.probabilities(state), [1.0], rtol=1e-6)
