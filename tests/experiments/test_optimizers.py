"""Graves's RMSProp against a plain loop; clipping, warm-up and schedules."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from softmachine.experiments.optimizers import OptimizerConfig, clipped_adamax, graves_rmsprop

SHAPES = {"scalar": (), "vector": (5,), "matrix": (3, 4)}


def random_gradients(steps, seed=0):
    rng = np.random.default_rng(seed)
    return [
        {
            name: rng.normal(size=shape) * 10 ** rng.uniform(-3, 1)
            for name, shape in SHAPES.items()
        }
        for _ in range(steps)
    ]


def numpy_rmsprop(gradients, rates, decay=0.95, momentum=0.9, epsilon=1e-4):
    """Graves 2013, Eq. 38 to 41, for one parameter; today's rate on the whole step."""
    n = m = d = 0.0
    for g, rate in zip(gradients, rates, strict=True):
        n = decay * n + (1 - decay) * g**2
        m = decay * m + (1 - decay) * g
        d = momentum * d - g / np.sqrt(n - m**2 + epsilon)
        yield rate * d


def updates_of(transformation, gradients, parameters=None):
    if parameters is None:
        parameters = jax.tree.map(jnp.zeros_like, gradients[0])
    state, updates = transformation.init(parameters), []
    update = jax.jit(transformation.update)
    for gradient in gradients:
        step, state = update(jax.tree.map(jnp.asarray, gradient), state, parameters)
        updates.append(jax.tree.map(np.asarray, step))
    return updates


@pytest.mark.parametrize(
    "options", [{}, dict(decay=0.8, momentum=0.5, epsilon=1e-2)], ids=["paper", "other"]
)
def test_graves_rmsprop_is_the_paper_s_loop(options):
    gradients = random_gradients(20)
    with jax.enable_x64(True):
        updates = updates_of(graves_rmsprop(1e-3, **options), gradients)
    for name in SHAPES:
        expected = numpy_rmsprop([g[name] for g in gradients], [1e-3] * 20, **options)
        for ours, theirs in zip(updates, expected, strict=True):
            np.testing.assert_allclose(ours[name], theirs, rtol=1e-10, atol=1e-15)


def test_graves_rmsprop_under_a_schedule_scales_the_whole_step():
    """Today's rate also applies to what momentum remembers."""
    rates = np.linspace(1e-2, 1e-3, 20)
    gradients = random_gradients(20)
    with jax.enable_x64(True):
        schedule = optax.linear_schedule(1e-2, 1e-3, 19)
        updates = updates_of(graves_rmsprop(schedule), gradients)
    for name in SHAPES:
        expected = numpy_rmsprop([g[name] for g in gradients], rates)
        for ours, theirs in zip(updates, expected, strict=True):
            np.testing.assert_allclose(ours[name], theirs, rtol=1e-6, atol=1e-12)


def test_epsilon_stands_inside_the_root():
    """A first gradient of g moves by rate * g / sqrt(.05 g² - .0025 g² + epsilon)."""
    (update,) = updates_of(graves_rmsprop(1.0), [{"x": np.float32(1e-3)}])
    expected = -1e-3 / np.sqrt(0.05e-6 - 0.0025e-6 + 1e-4)
    np.testing.assert_allclose(update["x"], expected, rtol=1e-5)


@pytest.mark.parametrize("scale", [1.0, 100.0, 1e4])
def test_graves_rmsprop_survives_nearly_constant_gradients(scale):
    """In float32, n - m² of equal gradients can fall below -epsilon."""
    noise = np.random.default_rng(0).normal(size=(300, 64))
    gradients = jnp.asarray(scale * (1 + 1e-5 * noise), jnp.float32)
    optimizer = graves_rmsprop(1e-3)

    def turn(state, gradient):
        update, state = optimizer.update(gradient, state)
        return state, update

    updates = jax.jit(lambda g: jax.lax.scan(turn, optimizer.init(g[0]), g)[1])(gradients)
    assert np.all(np.isfinite(updates))


@pytest.mark.parametrize("kind", ["adam", "adamw", "graves-rmsprop"])
def test_no_two_parts_of_a_state_share_memory(kind):
    """A training loop donates its state, which must not hold one buffer twice."""
    state = OptimizerConfig(kind=kind).build().init({"x": jnp.ones(3)})
    arrays = [x for x in jax.tree.leaves(state) if isinstance(x, jax.Array)]
    pointers = {x.unsafe_buffer_pointer() for x in arrays}
    assert len(pointers) == len(arrays)


@pytest.mark.parametrize("kind", ["adam", "adamw", "graves-rmsprop"])
def test_every_kind_descends(kind):
    optimizer = OptimizerConfig(kind=kind, learning_rate=0.02).build()
    target = jnp.array([1.0, -2.0, 0.5])

    def distance(x):
        return jnp.sum(jnp.square(x - target))

    def turn(carry, _):
        x, state = carry
        update, state = optimizer.update(jax.grad(distance)(x), state, x)
        return (optax.apply_updates(x, update), state), None

    @jax.jit
    def descend(x):
        (x, _), _ = jax.lax.scan(turn, (x, optimizer.init(x)), length=500)
        return distance(x)

    assert float(descend(jnp.zeros(3))) < 0.05


def plain(kind="graves-rmsprop", **fields):
    return OptimizerConfig(kind=kind, learning_rate=1.0, momentum=0.0, **fields)


def clipped_gradient(config, gradient):
    """What the optimiser itself sees: the chain without its last link."""
    update, _ = config.build().update(gradient, config.build().init(gradient), gradient)
    bare = dataclasses.replace(config, clip_norm=None, clip_value=None).build()
    return update, lambda seen: bare.update(seen, bare.init(gradient), gradient)[0]


@pytest.mark.parametrize(
    ("clip_value", "clip_norm", "seen"),
    [
        (None, None, [3.0, -4.0, 12.0]),
        (None, 6.5, [1.5, -2.0, 6.0]),
        (4.0, None, [3.0, -4.0, 4.0]),
        (3.0, 3.0, [3**0.5, -(3**0.5), 3**0.5]),
        (100.0, 100.0, [3.0, -4.0, 12.0]),
    ],
)
def test_gradients_are_clipped_by_value_and_then_by_norm(clip_value, clip_norm, seen):
    """The gradient (3, -4, 12) has norm 13."""
    gradient = jnp.array([3.0, -4.0, 12.0])
    config = plain(clip_value=clip_value, clip_norm=clip_norm)
    update, bare = clipped_gradient(config, gradient)
    np.testing.assert_allclose(update, bare(jnp.array(seen)), rtol=1e-5)


def test_the_norm_is_over_all_parameters():
    gradient = {"a": jnp.array([3.0]), "b": jnp.array([-4.0])}
    update, bare = clipped_gradient(plain(clip_norm=1.0), gradient)
    expected = bare({"a": jnp.array([0.6]), "b": jnp.array([-0.8])})
    for name in gradient:
        np.testing.assert_allclose(update[name], expected[name], rtol=1e-5)


def learning_rates(steps, **fields):
    """Adam's step for a constant gradient is the learning rate itself."""
    config = OptimizerConfig(kind="adam", learning_rate=0.1, clip_norm=None, **fields)
    gradients = [{"x": np.ones((), np.float32)}] * steps
    return [-float(update["x"]) for update in updates_of(config.build(), gradients)]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, [0.1] * 6),
        (
            dict(schedule="cosine", decay_steps=4),
            [0.05 * (1 + np.cos(np.pi * t / 4)) for t in range(5)] + [0],
        ),
    ],
    ids=["constant", "cosine"],
)
def test_learning_rates(fields, expected):
    np.testing.assert_allclose(learning_rates(6, **fields), expected, rtol=1e-4, atol=1e-7)


def test_graves_rmsprop_follows_the_same_schedule():
    gradients = random_gradients(6)
    fields = dict(kind="graves-rmsprop", learning_rate=0.1, clip_norm=None)
    with jax.enable_x64(True):
        config = OptimizerConfig(schedule="cosine", decay_steps=4, **fields)
        updates = updates_of(config.build(), gradients)
    rates = [0.05 * (1 + np.cos(np.pi * min(t / 4, 1))) for t in range(6)]
    expected = numpy_rmsprop([g["matrix"] for g in gradients], rates)
    for ours, theirs in zip(updates, expected, strict=True):
        np.testing.assert_allclose(ours["matrix"], theirs, rtol=1e-6, atol=1e-12)


def test_weight_decay_shrinks_parameters():
    config = OptimizerConfig(kind="adamw", learning_rate=0.1, weight_decay=0.5)
    (update,) = updates_of(config.build(), [jnp.zeros(2)], jnp.array([2.0, -4.0]))
    np.testing.assert_allclose(update, [-0.1, 0.2], rtol=1e-5)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (dict(learning_rate=0.0), "learning_rate must be positive, not 0.0"),
        (dict(learning_rate=float("nan")), "learning_rate must be a finite number, not nan"),
        (dict(schedule="cosine"), "schedule 'cosine' needs decay_steps"),
        (dict(schedule="cosine", decay_steps=0), "decay_steps must be at least 1, not 0"),
        (dict(schedule="cosine", decay_steps=-3), "decay_steps must be at least 1, not -3"),
        (dict(clip_norm=0.0), "clip_norm must be positive, not 0.0"),
        (dict(clip_value=-1.0), "clip_value must be positive, not -1.0"),
    ],
)
def test_bad_numbers_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        OptimizerConfig(**fields)


def test_clipped_adamax_is_the_published_code_s():
    """Five updates worked out by hand: the first gradients are clipped, the third as well."""
    gradients = [{"x": np.asarray(g)} for g in (0.5, -0.2, 3.0, 0.0, -0.1)]
    with jax.enable_x64(True):
        steps = updates_of(clipped_adamax(0.1, second_decay=0.99), gradients)
    found = np.cumsum([step["x"] for step in steps])
    expected = [-0.009999, -0.004090, -0.010876, -0.017044, -0.010802]
    np.testing.assert_allclose(found, expected, atol=5e-7)


def test_clipped_adamax_looks_back_further_as_time_goes_by():
    """A norm of 1 falls by a hundredth at first, by a two-thousandth after long."""
    transformation = clipped_adamax(0.1)
    state = transformation.init({"x": jnp.zeros(())})
    for count, share in ((0, 0.01), (2000, 0.005), (100_000, 0.0005)):
        began = (
            state[0]._replace(updates=jnp.int32(count), norms={"x": jnp.ones(())}),
            state[1],
        )
        _, after = transformation.update({"x": jnp.zeros(())}, began)
        np.testing.assert_allclose(1 - after[0].norms["x"], share, rtol=1e-3)


def test_on_a_plateau_the_rate_falls():
    """By three tenths after two means of ten losses that are no better, to a sixtieth."""
    optimizer = OptimizerConfig(
        kind="clipped-adamax", schedule="plateau", decay_steps=10, clip_norm=None
    ).build()
    parameters = {"x": jnp.zeros(())}
    state = optimizer.init(parameters)
    update = jax.jit(optimizer.update)
    for losses, scale in (
        ([3.0] * 10, 1.0),
        ([2.0] * 30, 0.7),
        ([2.0] * 19, 0.7),
        ([9.0], 0.49),
    ):
        for loss in losses:
            _, state = update({"x": jnp.ones(())}, state, parameters, value=jnp.asarray(loss))
        np.testing.assert_allclose(state[-1].scale, scale, rtol=1e-6)
    for _ in range(400):
        _, state = update({"x": jnp.ones(())}, state, parameters, value=jnp.asarray(2.0))
    np.testing.assert_allclose(state[-1].scale, 1 / 60, rtol=1e-5)
