"""Updates of NRAMs: many members as one larger batch, each with settings of its own."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from softmachine.experiments.state import first_state, machine_of
from softmachine.running.devices import MemberLayout
from softmachine.running.loop import run_batch
from softmachine.training.update import build_train_chunk

MEMBERS = 3
STEP = 4
"""Updates that members are said to have behind them."""
TOGETHER = ("together", "together, two devices", "in groups")


@pytest.fixture(scope="module")
def config(nram_experiment):
    """Gradients are clipped inside the machine often enough to tell how they are scaled."""
    machine = dataclasses.replace(nram_experiment.machine, clip_gradients=0.02)
    return dataclasses.replace(nram_experiment, machine=machine)


@pytest.fixture(scope="module")
def chunks(config):
    """Return the compiled updates in some layouts."""
    devices = jax.devices()
    return {
        "alone": build_train_chunk(config, MemberLayout(devices[:1], 1, 1)),
        "alone, two devices": build_train_chunk(config, MemberLayout(devices[:2], 1, 1)),
        "together": build_train_chunk(config, MemberLayout(devices[:1], MEMBERS, MEMBERS)),
        "together, two devices": build_train_chunk(config, MemberLayout(devices[:2], 4, 2)),
        "in groups": build_train_chunk(config, MemberLayout(devices[:1], 4, 2)),
    }


@pytest.fixture(scope="module")
def members(config):
    """Members of different seeds, attempts and ages; the last one has been without mistake."""
    states = [
        first_state(config.with_seed(i), attempt=i, step=STEP)._replace(
            began=jnp.asarray(STEP - i, jnp.int32)
        )
        for i in range(MEMBERS)
    ]
    late = states[-1].settings._replace(settling=jnp.asarray(2))
    return [*states[:-1], states[-1]._replace(settings=late)]


@pytest.fixture(scope="module")
def alone(chunks):
    """Take one member through some updates by itself."""

    def take(state, updates, layout="alone"):
        states = jax.tree.map(lambda x: jnp.array(x)[None], state)
        results = chunks[layout](states, jnp.array([int(state.step) + updates]))
        return jax.tree.map(lambda x: np.asarray(x[0]), results)

    return take


@pytest.fixture(scope="module")
def together(chunks, stack):
    """Take all members through some updates each; in pairs a slot is left over."""

    def take(states, updates, layout):
        slots = MEMBERS if layout == "together" else 4
        spare = slots - MEMBERS
        stacked = stack([*states, *[states[0]] * spare])
        ends = jnp.array([STEP + n for n in updates] + [0] * spare)
        results = chunks[layout](stacked, ends)
        return [jax.tree.map(lambda x, i=i: np.asarray(x[i]), results) for i in range(MEMBERS)]

    return take


@pytest.mark.parametrize("layout", TOGETHER)
def test_a_member_together_is_the_member_alone(alone, together, members, assert_close, layout):
    """Parameters, optimiser, all the rest of the state and what the updates report."""
    updates = (6, 3, 6)
    results = together(members, updates, layout)
    for member, count, (state, sums) in zip(members, updates, results, strict=True):
        expected, expected_sums = alone(member, count)
        assert int(state.step) == STEP + count
        assert_close(state, expected)
        assert sums.keys() == expected_sums.keys()
        assert_close(sums, expected_sums)
        assert {"loss", "wrong_cells", "perfect", "bits", "gradient_norm"} < sums.keys()
        assert sums["updates"] == count


def test_the_number_of_devices_changes_nothing_but_rounding(alone, members, assert_close):
    """Although gradients are clipped inside the machine, on each device by itself."""
    for member in members[:2]:
        assert_close(alone(member, 6), alone(member, 6, "alone, two devices"))


@pytest.mark.parametrize("layout", TOGETHER)
def test_a_member_that_is_not_finite_does_not_touch_the_others(
    together, members, assert_same, layout
):
    healthy = together(members, (3, 3, 3), layout)
    broken = jax.tree.map(lambda x: jnp.full_like(x, jnp.nan), members[1].parameters)
    mixed = [members[0], members[1]._replace(parameters=broken), members[2]]
    results = together(mixed, (3, 3, 3), layout)
    for i in (0, 2):
        assert_same(results[i], healthy[i])
    state, sums = results[1]
    assert (int(state.fault.step), int(state.skipped)) == (STEP, 1)
    assert int(state.step) == STEP + 1
    assert sums["updates"] == 0


def test_members_that_wait_stay_as_they_are(together, members, assert_same):
    results = together(members, (2, 0, 2), "together")
    assert_same(results[1][0], members[1])


# What one member's settings do


def with_settings(state, **settings):
    drawn = state.settings
    bonus = settings.pop("entropy_bonus", drawn.objective["entropy_bonus"])
    settings = {
        name: jnp.asarray(x, getattr(drawn, name).dtype) for name, x in settings.items()
    }
    settings["objective"] = {"entropy_bonus": jnp.asarray(bonus, jnp.float32)}
    return state._replace(settings=drawn._replace(**settings))


@pytest.fixture(scope="module")
def noise_of(alone):
    """Return the noise of a member's next update, from what Adam's mean took of it."""

    def mean(state, deviation):
        after, _ = alone(with_settings(state, gradient_noise=deviation), 1)
        leaves = jax.tree.leaves(optax.tree.get(after.optimizer, "mu"))
        return np.concatenate([x.ravel() for x in leaves]) / 0.1

    return lambda state, deviation=1.0: mean(state, deviation) - mean(state, 0.0)


def test_gradients_get_normal_noise(noise_of, members):
    """Though clipped to a norm of 1: the noise comes after that."""
    fresh = [member._replace(began=member.step) for member in members]
    noise = np.concatenate([noise_of(state) for state in fresh])
    assert len(noise) > 500
    assert abs(noise.mean()) < 4 / len(noise) ** 0.5
    assert noise.std() == pytest.approx(1, abs=4 / (2 * len(noise)) ** 0.5)
    assert len(np.unique(noise.round(5))) > 0.99 * len(noise)
    np.testing.assert_allclose(noise_of(fresh[0], 0.25), 0.25 * noise_of(fresh[0]), atol=1e-5)


def test_noise_falls_with_the_age_of_the_attempt(noise_of, members):
    """As Neelakantan et al. 2015 have it: the variance as (1 + t)^-0.55."""
    state = members[0]._replace(step=jnp.asarray(1000, jnp.int32))

    def aged(age):
        return noise_of(state._replace(began=jnp.asarray(1000 - age, jnp.int32)))

    first = aged(0)
    for age in (1, 10, 1000):
        np.testing.assert_allclose(aged(age), first * (1 + age) ** -0.275, atol=1e-5)


def test_noise_depends_on_seed_and_update_alone(noise_of, members):
    def numbered(seed, step):
        step = jnp.asarray(step, jnp.int32)
        return members[0]._replace(seed=jnp.asarray(seed, jnp.int32), step=step, began=step)

    first = noise_of(numbered(0, 7))
    other_parameters = numbered(0, 7)._replace(parameters=members[1].parameters)
    np.testing.assert_allclose(noise_of(other_parameters), first, atol=1e-5)
    for state in (numbered(1, 7), numbered(0, 8)):
        assert abs(np.corrcoef(noise_of(state), first)[0, 1]) < 0.3


def test_a_member_s_learning_rate_scales_its_steps(alone, members):
    def step(rate):
        state = with_settings(members[0], learning_rate=rate, gradient_noise=0)
        after, _ = alone(state, 1)
        pairs = zip(*map(jax.tree.leaves, (after.parameters, state.parameters)), strict=True)
        return np.concatenate([(x - np.asarray(y)).ravel() for x, y in pairs])

    # Adam's first step is the learning rate, wherever there is a gradient at all.
    assert np.abs(step(0.125)).max() == pytest.approx(0.125, rel=1e-4)
    np.testing.assert_allclose(step(0.25), 2 * step(0.125), atol=1e-6)


def test_a_member_s_bonus_and_its_age_weigh_the_entropy(config, alone, members):
    """The mean, over a batch drawn here once more, of each example's own steps."""
    state = members[0]
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(0), 1), STEP)
    size_key, key = jax.random.split(key)
    sizes = config.training.curriculum.sample((), size_key, 4)
    keys = [jax.random.split(jax.random.fold_in(key, i))[0] for i in range(4)]
    examples = [
        config.task.sample(k, size, max_size=2) for k, size in zip(keys, sizes, strict=True)
    ]
    inputs = jnp.stack([example.inputs for example in examples])
    machine = machine_of(state, config)
    outputs = run_batch(machine, inputs, steps=3, max_steps=3, batch_axis=-1)
    stop = 1 / (1 + np.exp(-np.asarray(outputs.stop, float)))
    stopping = -stop * np.log(stop) - (1 - stop) * np.log(1 - stop)

    def average(values):
        return np.mean([values[: int(x.steps), i].mean() for i, x in enumerate(examples)])

    entropy, stopping = average(outputs.entropy), average(stopping)

    def loss(bonus, age=0, late=False):
        aged = state._replace(began=state.step - age)
        _, sums = alone(with_settings(aged, entropy_bonus=bonus, settling=1 if late else 0), 1)
        return float(sums["loss"])

    assert entropy > 1
    assert loss(0.5) == pytest.approx(loss(0) - 0.5 * entropy, rel=1e-5)
    assert loss(0.5, age=3) == pytest.approx(loss(0) - 0.5 * 0.9**3 * entropy, rel=1e-5)
    penalty = 0.01 * (entropy + stopping)
    assert loss(0.5, late=True) == pytest.approx(loss(0) + penalty, rel=1e-5)
