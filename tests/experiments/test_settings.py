"""Searched settings: log-uniform, inside their intervals, fixed by seed and attempt."""

import dataclasses
import math

import jax
import numpy as np
import pytest

from softmachine.experiments.settings import OF_OBJECTIVE, Search, Settings
from softmachine.experiments.state import first_state
from softmachine.training.nram.objective import NRAMLoss
from softmachine.training.phases import Restart

INTERVALS = {"learning_rate": (1e-4, 1e-1), "gradient_noise": (1e-3, 2e-3)}
BONUS = (1e-6, 1e2)
OWN = Settings(np.float32(0.5), np.float32(0.25), np.int32(0), {})


def draws(search, count):
    """Return many settings, one to a key."""
    keys = jax.random.split(jax.random.key(0), count)
    return jax.vmap(lambda key: search.draw(key, OWN))(keys)


@pytest.fixture(scope="module")
def many():
    """Return where draws lie in their intervals on a logarithmic scale, from 0 to 1."""
    drawn = draws(Search(**INTERVALS), 1000)
    assert not np.any(drawn.late)
    keys = jax.random.split(jax.random.key(0), 1000)
    objective = NRAMLoss(entropy_bonus_range=BONUS)
    bonus = jax.vmap(lambda key: objective.draw(jax.random.fold_in(key, OF_OBJECTIVE)))(keys)
    return {
        name: np.log(np.asarray(values, float) / low) / math.log(high / low)
        for name, values, (low, high) in (
            *((name, getattr(drawn, name), ends) for name, ends in INTERVALS.items()),
            ("entropy_bonus", bonus["entropy_bonus"], BONUS),
        )
    }


@pytest.mark.parametrize("name", [*INTERVALS, "entropy_bonus"])
def test_draws_are_log_uniform(many, name):
    """The Kolmogorov distance of so many is below this in 999 of 1000 cases."""
    shares = np.sort(many[name])
    assert shares[0] >= -1e-6
    assert shares[-1] <= 1 + 1e-6
    steps = np.arange(len(shares) + 1) / len(shares)
    distance = max(np.max(steps[1:] - shares), np.max(shares - steps[:-1]))
    assert distance < 1.95 / math.sqrt(len(shares))


def test_draws_of_different_settings_have_nothing_to_do_with_each_other(many):
    correlations = np.corrcoef([*many.values()])[np.triu_indices(len(many), 1)]
    assert np.abs(correlations).max() < 0.1


@pytest.mark.parametrize("name", INTERVALS)
def test_what_is_not_searched_stays_the_experiment_s_own(name):
    """And what is searched does not depend on what else is."""
    drawn = draws(Search(**{name: INTERVALS[name]}), 3)
    together = draws(Search(**INTERVALS), 3)
    for field, own in OWN._asdict().items():
        expected = getattr(together, field) if field == name else [own] * 3
        np.testing.assert_array_equal(getattr(drawn, field), expected)


def test_an_interval_of_one_number_is_that_number():
    drawn = draws(Search(learning_rate=(3e-3, 3e-3)), 3)
    np.testing.assert_allclose(drawn.learning_rate, [3e-3] * 3, rtol=1e-6)


def settings(experiment, attempt=0):
    return tuple(float(x) for x in jax.tree.leaves(experiment.settings(attempt)))


def test_settings_depend_on_seed_and_attempt_alone(nram_experiment, with_training):
    first = settings(nram_experiment)
    others = [settings(nram_experiment, 1), settings(nram_experiment.with_seed(1))]
    others.append(settings(nram_experiment.with_seed(1), 1))
    for i in (0, 1, 3):
        assert len({first[i], *(other[i] for other in others)}) == 4
    changed = with_training(
        nram_experiment,
        batch=2,
        max_sequences=8,
        gradient_noise=0.5,
        objective=NRAMLoss(entropy_bonus=0.7, entropy_bonus_range=(1e-2, 1e-1)),
        phases=(Restart(rules=((1, 0.1),)),),
    )
    assert settings(changed, 3) == settings(nram_experiment, 3)


def test_an_attempt_begins_with_its_settings_and_parameters(nram_experiment):
    for attempt in (0, 2):
        state = first_state(nram_experiment, attempt, step=7 * attempt)
        assert tuple(map(float, jax.tree.leaves(state.settings))) == settings(
            nram_experiment, attempt
        )
        assert (int(state.attempt), int(state.began)) == (attempt, 7 * attempt)
        assert int(state.step) == int(state.began)
    first, again = (nram_experiment.build_machine(attempt) for attempt in (0, 2))
    assert not np.any(first.output.weight == again.output.weight)
    other = nram_experiment.with_seed(1).build_machine(2)
    assert not np.any(other.output.weight == again.output.weight)


def test_without_a_search_all_members_train_with_the_experiment_s_own(
    nram_experiment, with_training
):
    plain = with_training(nram_experiment, search=Search(), objective=NRAMLoss())
    expected = (3e-3, 0.01, 0, 0.02)
    for member, attempt in ((plain, 0), (plain, 4), (plain.with_seed(5), 1)):
        np.testing.assert_allclose(settings(member, attempt), expected, rtol=1e-6)


@pytest.mark.parametrize("name", INTERVALS)
@pytest.mark.parametrize(
    "interval", [(0.0, 1.0), (-1.0, 1.0), (2.0, 1.0), (math.nan, 1.0), (1.0, math.inf)]
)
def test_bad_intervals_are_refused(name, interval):
    with pytest.raises(ValueError, match=rf"{name} must be"):
        Search(**{name: interval})


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ((0, 0.1), "Restart.rules must be at least 1, not 0"),
        ((5, -0.1), r"Restart.rules must be at least 0, not -0\.1"),
        ((5, math.nan), "Restart.rules must be a finite number, not nan"),
    ],
)
def test_bad_restarts_are_refused(rule, message):
    with pytest.raises(ValueError, match=message):
        Restart(rules=((10, 0.5), rule))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (dict(enough=0), "enough must be at least 1, not 0"),
        (
            dict(gradient_noise=-0.1),
            r"gradient_noise must be at least 0, not -0\.1",
        ),
        (
            dict(gradient_noise=math.nan),
            "gradient_noise must be a finite number",
        ),
    ],
)
def test_bad_training_is_refused(nram_experiment, fields, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(nram_experiment.training, **fields)
