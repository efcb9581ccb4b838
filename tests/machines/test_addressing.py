"""The four stages of addressing against the paper's equations, and their properties."""

import itertools

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from jax.test_util import check_grads

from softmachine.machines.ntm.addressing import (
    content_weighting,
    harden,
    interpolate,
    sharpen,
    shift,
)
from softmachine.machines.ntm.heads import read, write

HEADS, COLUMNS, ROWS = 3, 5, 8

# --- the paper's equations, one number at a time, float64 ---------------------------------


def paper_content(memory, key, strength):
    """Eq. 5 and 6; memory[i] is row i."""
    cosines = np.array(
        [key @ row / (np.linalg.norm(key) * np.linalg.norm(row)) for row in memory]
    )
    powers = np.exp(strength * cosines)
    return powers / powers.sum()


def paper_interpolation(content, previous, gate):
    """Eq. 7."""
    return gate * content + (1 - gate) * previous


def paper_shift(weighting, shifts):
    """Eq. 8, with the shift probabilities laid out around index 0 of a row of zeros."""
    rows, center = len(weighting), len(shifts) // 2
    padded = np.zeros(rows)
    for i, probability in enumerate(shifts):
        padded[(i - center) % rows] += probability
    return np.array(
        [sum(weighting[j] * padded[(i - j) % rows] for j in range(rows)) for i in range(rows)]
    )


def paper_sharpening(weighting, sharpening):
    """Eq. 9."""
    powers = weighting**sharpening
    return powers / powers.sum()


# --- random arguments ---------------------------------------------------------------------


def simplex(rng, *shape):
    return rng.dirichlet(np.ones(shape[-1]), size=shape[:-1])


def random_arguments(seed, heads=HEADS, columns=COLUMNS, rows=ROWS, shifts=3):
    rng = np.random.default_rng(seed)
    return {
        "memory": rng.normal(size=(columns, rows)),
        "keys": rng.normal(size=(heads, columns)),
        "strengths": rng.uniform(0, 8, heads),
        "gates": rng.uniform(size=heads),
        "previous": simplex(rng, heads, rows),
        "shifts": simplex(rng, heads, shifts),
        "sharpenings": rng.uniform(1, 6, heads),
    }


def all_stages(memory, keys, strengths, gates, previous, shifts, sharpenings):
    content = content_weighting(memory, keys, strengths)
    gated = interpolate(content, previous, gates)
    moved = shift(gated, shifts)
    return content, gated, moved, sharpen(moved, sharpenings)


STAGES = jax.jit(all_stages)


@pytest.mark.parametrize(
    ("heads", "rows", "shifts"),
    [(1, 8, 3), (3, 8, 5), (2, 7, 4), (2, 6, 2), (1, 5, 1), (2, 5, 5)],
)
def test_stages_agree_with_the_equations(heads, rows, shifts):
    """Tolerance: the smoothing of norms changes a cosine by about 1e-6."""
    given_ = random_arguments(heads + rows + shifts, heads=heads, rows=rows, shifts=shifts)
    with jax.enable_x64(True):
        stages = [np.asarray(x) for x in STAGES(**jax.tree.map(jnp.asarray, given_))]
    for h in range(heads):
        content = paper_content(given_["memory"].T, given_["keys"][h], given_["strengths"][h])
        gated = paper_interpolation(content, given_["previous"][h], given_["gates"][h])
        moved = paper_shift(gated, given_["shifts"][h])
        final = paper_sharpening(moved, given_["sharpenings"][h])
        for ours, expected in zip(stages, (content, gated, moved, final), strict=True):
            np.testing.assert_allclose(ours[h], expected, rtol=2e-4, atol=1e-9)


def test_content_weighting_is_exact_but_for_the_smoothing():
    given_ = random_arguments(0)
    with jax.enable_x64(True):
        ours = content_weighting(
            *(jnp.asarray(given_[name]) for name in ("memory", "keys", "strengths"))
        )
    for h in range(HEADS):
        memory, key = given_["memory"].T, given_["keys"][h]
        norms = np.sqrt((memory**2).sum(1) + 1e-6) * np.sqrt((key**2).sum() + 1e-6)
        powers = np.exp(given_["strengths"][h] * (memory @ key) / norms)
        np.testing.assert_allclose(ours[h], powers / powers.sum(), rtol=1e-12)


def test_content_weighting_has_the_texts_own_denominator():
    """A dot product over the product of the norms plus 1e-8; zeros are like nothing."""
    given_ = random_arguments(0)
    memory = given_["memory"].T
    memory[1], memory[2] = 0, 1e-9
    keys = given_["keys"]
    keys[1] = 0
    with jax.enable_x64(True):
        ours = content_weighting(
            jnp.asarray(memory.T),
            jnp.asarray(keys),
            jnp.asarray(given_["strengths"]),
            smoothing=0.0,
            epsilon=1e-8,
        )
    for key, strength, found in zip(keys, given_["strengths"], ours, strict=True):
        cosines = [
            np.dot(key, row) / (np.linalg.norm(key) * np.linalg.norm(row) + 1e-8)
            for row in memory
        ]
        powers = np.exp(strength * np.array(cosines))
        np.testing.assert_allclose(found, powers / powers.sum(), rtol=1e-12)


@pytest.mark.parametrize("smoothing", [0.0, 1e-18])
def test_gradients_with_an_epsilon_are_right_at_zeros(smoothing):
    """Rows and keys of zeros, and tiny ones: central differences, with steps as small."""
    rng = np.random.default_rng(0)
    memory, keys = rng.normal(size=(COLUMNS, ROWS)), rng.normal(size=(HEADS, COLUMNS))
    memory[:, 1], memory[:, 2], memory[:, 3] = 0, 1e-9, 1e-5
    keys[1], keys[2] = 0, 1e-7
    probe = rng.normal(size=(HEADS, ROWS))
    with jax.enable_x64(True):

        @jax.jit
        def score(memory, keys):
            strengths = jnp.linspace(1.0, 2.0, HEADS)
            return jnp.sum(
                probe
                * content_weighting(memory, keys, strengths, smoothing=smoothing, epsilon=1e-8)
            )

        gradients = jax.jit(jax.grad(score, (0, 1)))(memory, keys)
        for place, gradient in enumerate(gradients):
            assert np.all(np.isfinite(gradient))
            for index in np.ndindex(*gradient.shape):
                step = 1e-13 if abs((memory, keys)[place][index]) < 1e-4 else 1e-7
                sides = []
                for sign in (1, -1):
                    moved = [memory.copy(), keys.copy()]
                    moved[place][index] += sign * step
                    sides.append(float(score(*moved)))
                difference = (sides[0] - sides[1]) / (2 * step)
                np.testing.assert_allclose(
                    gradient[index], difference, rtol=2e-3, atol=2e-3 / step * 1e-10
                )


def test_sharpening_and_shift_are_exact():
    given_ = random_arguments(1)
    with jax.enable_x64(True):
        weighting, shifts = jnp.asarray(given_["previous"]), jnp.asarray(given_["shifts"])
        sharpenings = jnp.asarray(given_["sharpenings"])
        moved, sharp = shift(weighting, shifts), sharpen(weighting, sharpenings)
    for h in range(HEADS):
        expected = paper_shift(given_["previous"][h], given_["shifts"][h])
        np.testing.assert_allclose(moved[h], expected, rtol=1e-13)
        expected = paper_sharpening(given_["previous"][h], given_["sharpenings"][h])
        np.testing.assert_allclose(sharp[h], expected, rtol=1e-8, atol=1e-11)


def test_read_is_the_weighted_sum_of_rows():
    """Eq. 2."""
    given_ = random_arguments(2)
    with jax.enable_x64(True):
        reads = read(jnp.asarray(given_["memory"]), jnp.asarray(given_["previous"]))
    for h in range(HEADS):
        expected = sum(
            weight * row
            for weight, row in zip(given_["previous"][h], given_["memory"].T, strict=True)
        )
        np.testing.assert_allclose(reads[h], expected, rtol=1e-12)


@pytest.mark.parametrize("heads", [1, 2, 3])
def test_write_erases_with_all_heads_and_then_adds_with_all(heads):
    """Eq. 3 and 4."""
    rng = np.random.default_rng(heads)
    memory, weightings = rng.normal(size=(COLUMNS, ROWS)), simplex(rng, heads, ROWS)
    erases, adds = rng.uniform(size=(heads, COLUMNS)), rng.normal(size=(heads, COLUMNS))
    expected = memory.T.copy()
    for h in range(heads):
        for i in range(ROWS):
            expected[i] *= 1 - weightings[h, i] * erases[h]
    for h in range(heads):
        for i in range(ROWS):
            expected[i] += weightings[h, i] * adds[h]
    with jax.enable_x64(True):
        written = write(*(jnp.asarray(x) for x in (memory, weightings, erases, adds)))
    np.testing.assert_allclose(written.T, expected, rtol=1e-12)


# --- properties ---------------------------------------------------------------------------

numbers = st.floats(-10, 10, width=32)
probabilities = hnp.arrays(np.float32, (HEADS, ROWS), elements=st.floats(0, 1, width=32)).map(
    lambda x: (x + 1e-6) / (x + 1e-6).sum(-1, keepdims=True)
)
memories = hnp.arrays(np.float32, (COLUMNS, ROWS), elements=numbers)
keys_of_heads = hnp.arrays(np.float32, (HEADS, COLUMNS), elements=numbers)
strengths_of_heads = hnp.arrays(np.float32, HEADS, elements=st.floats(0, 100, width=32))
sharpenings_of_heads = hnp.arrays(np.float32, HEADS, elements=st.floats(1, 100, width=32))
shifts_of_heads = hnp.arrays(np.float32, (HEADS, 3), elements=st.floats(0, 1, width=32)).map(
    lambda x: (x + 1e-6) / (x + 1e-6).sum(-1, keepdims=True)
)
PROPERTY = settings(max_examples=40, deadline=None, derandomize=True, database=None)


@PROPERTY
@given(
    memory=memories,
    keys=keys_of_heads,
    strengths=strengths_of_heads,
    gates=hnp.arrays(np.float32, HEADS, elements=st.floats(0, 1, width=32)),
    previous=probabilities,
    shifts=shifts_of_heads,
    sharpenings=sharpenings_of_heads,
)
def test_every_stage_gives_a_weighting(**given_):
    for weighting in STAGES(**jax.tree.map(jnp.asarray, given_)):
        assert np.all(np.asarray(weighting) >= 0)
        np.testing.assert_allclose(np.sum(weighting, axis=-1), 1, atol=2e-5)


@PROPERTY
@given(weighting=probabilities, shifts=shifts_of_heads, by=st.integers(-ROWS, ROWS))
def test_shift_commutes_with_rolling(weighting, shifts, by):
    moved = jax.jit(shift)(jnp.asarray(weighting), jnp.asarray(shifts))
    rolled = jnp.asarray(np.roll(weighting, by, axis=-1))
    np.testing.assert_array_equal(
        jax.jit(shift)(rolled, jnp.asarray(shifts)), np.roll(moved, by, axis=-1)
    )


@pytest.mark.parametrize("shifts", [1, 2, 3, 4, 5, 8])
def test_one_sure_shift_moves_by_its_distance_from_the_middle(shifts):
    weighting = jnp.asarray(simplex(np.random.default_rng(0), 1, ROWS), jnp.float32)
    for i in range(shifts):
        moved = shift(weighting, jax.nn.one_hot(jnp.array([i]), shifts))
        np.testing.assert_array_equal(moved, np.roll(weighting, i - shifts // 2, axis=-1))


def test_later_shifts_move_away_from_row_0():
    row_2 = jax.nn.one_hot(jnp.array([2]), ROWS)
    assert int(jnp.argmax(shift(row_2, jnp.array([[1.0, 0.0, 0.0]])))) == 1
    assert int(jnp.argmax(shift(row_2, jnp.array([[0.0, 1.0, 0.0]])))) == 2
    assert int(jnp.argmax(shift(row_2, jnp.array([[0.0, 0.0, 1.0]])))) == 3
    last = jax.nn.one_hot(jnp.array([ROWS - 1]), ROWS)
    assert int(jnp.argmax(shift(last, jnp.array([[0.0, 0.0, 1.0]])))) == 0


# --- without going around the ends --------------------------------------------------------


@pytest.mark.parametrize("shifts", [1, 2, 3, 4, 5, 8])
def test_without_wrap_weight_stops_at_the_ends(shifts):
    """Row i goes to row i + distance, or to the last row in that direction."""
    rng = np.random.default_rng(0)
    weighting, probabilities_ = simplex(rng, 2, ROWS), simplex(rng, 2, shifts)
    with jax.enable_x64(True):
        moved = shift(jnp.asarray(weighting), jnp.asarray(probabilities_), wrap=False)
    expected = np.zeros_like(weighting)
    for h, i, j in itertools.product(range(2), range(ROWS), range(shifts)):
        target = np.clip(i + j - shifts // 2, 0, ROWS - 1)
        expected[h, target] += weighting[h, i] * probabilities_[h, j]
    np.testing.assert_allclose(moved, expected, rtol=1e-13)


@PROPERTY
@given(weighting=probabilities, shifts=shifts_of_heads)
def test_without_wrap_nothing_is_lost(weighting, shifts):
    moved = jax.jit(lambda w, s: shift(w, s, wrap=False))(weighting, shifts)
    np.testing.assert_allclose(np.sum(moved, axis=-1), 1, atol=2e-5)


@pytest.mark.parametrize("shifts", [2, 3, 5])
def test_far_from_the_ends_wrap_makes_no_difference(shifts):
    rng = np.random.default_rng(0)
    weighting = np.zeros((HEADS, 12), np.float32)
    weighting[:, 3:9] = simplex(rng, HEADS, 6)
    probabilities_ = jnp.asarray(simplex(rng, HEADS, shifts), jnp.float32)
    around, stopped = (
        shift(jnp.asarray(weighting), probabilities_, wrap=wrap) for wrap in (True, False)
    )
    np.testing.assert_array_equal(stopped, around)


def test_a_head_that_walks_on_stays_on_the_last_row():
    weighting = jax.nn.one_hot(jnp.array([ROWS - 2]), ROWS)
    for row in (ROWS - 1, ROWS - 1, ROWS - 1):
        weighting = shift(weighting, jnp.array([[0.0, 0.0, 1.0]]), wrap=False)
        np.testing.assert_array_equal(weighting, jax.nn.one_hot(jnp.array([row]), ROWS))


# --- hard ---------------------------------------------------------------------------------


@PROPERTY
@given(weighting=probabilities)
def test_hard_is_one_hot_at_the_largest(weighting):
    hard = np.asarray(harden(jnp.asarray(weighting)))
    np.testing.assert_array_equal(hard, np.eye(ROWS)[weighting.argmax(-1)])


def test_hard_takes_the_first_of_equals_and_passes_no_gradient():
    weighting = jnp.array([[0.1, 0.4, 0.4, 0.1], [0.25, 0.25, 0.25, 0.25]])
    np.testing.assert_array_equal(harden(weighting), np.eye(4)[[1, 0]])
    probe = jnp.arange(8.0).reshape(2, 4)
    gradient = jax.grad(lambda w: jnp.sum(probe * harden(sharpen(w, jnp.ones(2)))))(weighting)
    np.testing.assert_array_equal(gradient, 0)


# --- smoothing ----------------------------------------------------------------------------


@pytest.mark.parametrize("smoothing", [1e-16, 1e-3])
def test_smoothing_of_norms_and_of_sums_is_what_it_says(smoothing):
    given_ = random_arguments(4)
    given_["memory"][:, ::2] *= 1e-7
    flat = np.full((HEADS, ROWS), 1e-4)
    sharpenings = np.array([1.0, 4.0, 9.0])
    with jax.enable_x64(True):
        content = content_weighting(
            *(jnp.asarray(given_[name]) for name in ("memory", "keys", "strengths")),
            smoothing=smoothing,
        )
        sharp = sharpen(jnp.asarray(flat), jnp.asarray(sharpenings), smoothing=smoothing)
    for h in range(HEADS):
        memory, key = given_["memory"].T, given_["keys"][h]
        norms = np.sqrt((memory**2).sum(1) + smoothing) * np.sqrt((key**2).sum() + smoothing)
        powers = np.exp(given_["strengths"][h] * (memory @ key) / norms)
        np.testing.assert_allclose(content[h], powers / powers.sum(), rtol=1e-12)
        powers = flat[h] ** sharpenings[h]
        np.testing.assert_allclose(sharp[h], powers / (powers.sum() + smoothing), rtol=1e-9)


@PROPERTY
@given(
    memory=memories,
    keys=keys_of_heads,
    strengths=strengths_of_heads,
    order=st.permutations(range(ROWS)),
)
def test_content_weighting_follows_the_rows(memory, keys, strengths, order):
    weighting = jax.jit(content_weighting)(*map(jnp.asarray, (memory, keys, strengths)))
    permuted = jax.jit(content_weighting)(
        *map(jnp.asarray, (memory[:, order], keys, strengths))
    )
    # Similarities are rounded differently in different lanes; strengths amplify that.
    np.testing.assert_allclose(permuted, weighting[:, np.array(order)], rtol=1e-3, atol=1e-6)


@PROPERTY
@given(weighting=probabilities, sharpenings=sharpenings_of_heads)
def test_sharpening_never_lowers_the_largest_weight(weighting, sharpenings):
    sharp = jax.jit(sharpen)(jnp.asarray(weighting), jnp.asarray(sharpenings))
    assert np.all(np.max(sharp, axis=-1) >= np.max(weighting, axis=-1) * (1 - 1e-5))


@PROPERTY
@given(weighting=probabilities)
def test_sharpening_by_one_changes_nothing(weighting):
    sharp = jax.jit(sharpen)(jnp.asarray(weighting), jnp.ones(HEADS))
    np.testing.assert_allclose(sharp, weighting, rtol=1e-5, atol=1e-7)


def test_gate_chooses_between_content_and_previous():
    rng = np.random.default_rng(0)
    content, previous = (jnp.asarray(simplex(rng, 2, ROWS), jnp.float32) for _ in range(2))
    blended = interpolate(content, previous, jnp.array([1.0, 0.0]))
    np.testing.assert_array_equal(blended[0], content[0])
    np.testing.assert_array_equal(blended[1], previous[1])


# --- gradients ----------------------------------------------------------------------------


def check_reverse_gradients(function, arguments):
    """Against finite differences, in float64; a fixed projection makes a weighting a number.

    Without it, the gradient of a sum that is always one would be zero.
    """
    with jax.enable_x64(True):
        arguments = [jnp.asarray(x) for x in arguments]
        shape = jax.eval_shape(function, *arguments).shape
        probe = jnp.asarray(np.random.default_rng(0).normal(size=shape))
        check_grads(
            jax.jit(lambda *x: jnp.sum(probe * function(*x))),
            arguments,
            order=1,
            modes=["rev"],
            eps=1e-6,
        )


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (content_weighting, ("memory", "keys", "strengths")),
        (
            lambda *x: content_weighting(*x, smoothing=0.0, epsilon=1e-8),
            ("memory", "keys", "strengths"),
        ),
        (interpolate, ("previous", "previous", "gates")),
        (shift, ("previous", "shifts")),
        (sharpen, ("previous", "sharpenings")),
        (lambda *x: shift(*x, wrap=False), ("previous", "shifts")),
        (lambda *x: sharpen(*x, smoothing=1e-2), ("previous", "sharpenings")),
        (
            lambda *x: all_stages(*x)[-1],
            ("memory", "keys", "strengths", "gates", "previous", "shifts", "sharpenings"),
        ),
    ],
    ids=["content", "epsilon", "interpolate", "shift", "sharpen", "no wrap", "smoothed", "all"],
)
def test_gradients(function, names):
    given_ = random_arguments(3)
    check_reverse_gradients(function, [given_[name] for name in names])


def test_gradient_of_reading_and_writing():
    rng = np.random.default_rng(0)
    memory, weightings = rng.normal(size=(COLUMNS, ROWS)), simplex(rng, 2, ROWS)
    erases, adds = rng.uniform(size=(2, COLUMNS)), rng.normal(size=(2, COLUMNS))
    check_reverse_gradients(read, [memory, weightings])
    check_reverse_gradients(write, [memory, weightings, erases, adds])


# --- extremes, in float32 -----------------------------------------------------------------

MANY = 1024


def extremes():
    rng = np.random.default_rng(0)
    memories_ = {
        "zero": np.zeros((COLUMNS, MANY)),
        "constant": np.full((COLUMNS, MANY), 1e-6),
        "ordinary": rng.normal(size=(COLUMNS, MANY)),
        "tiny": 1e-20 * rng.normal(size=(COLUMNS, MANY)),
        "huge": 1e6 * rng.normal(size=(COLUMNS, MANY)),
    }
    keys = {
        "zero": np.zeros((2, COLUMNS)),
        "ordinary": rng.normal(size=(2, COLUMNS)),
        "huge": 1e6 * rng.normal(size=(2, COLUMNS)),
    }
    previous = {
        "one-hot": np.eye(MANY)[[0, 5]],
        "uniform": np.full((2, MANY), 1 / MANY),
        "zeros": np.zeros((2, MANY)),
    }
    for memory in memories_:
        for key in keys:
            for weighting in previous:
                yield pytest.param(
                    memories_[memory],
                    keys[key],
                    previous[weighting],
                    id=f"{memory} memory, {key} key, {weighting}",
                )


@jax.jit
def last_stages_and_gradients(fixed, settings_, probe):
    def projected(arguments):
        weighting = all_stages(**arguments)[-1]
        return jnp.sum(probe * weighting), weighting

    gradient = jax.grad(projected, has_aux=True)
    return jax.vmap(lambda varied: gradient(fixed | varied))(settings_)


def extreme_settings():
    """Every combination of extreme gates, shifts and exponents, on a leading axis."""
    combinations = list(
        itertools.product(
            (0.0, 1e4),
            (1.0, 21.0, 1e3),
            (0.0, 0.5, 1.0),
            ([0.0, 1.0, 0.0], [1 / 3, 1 / 3, 1 / 3]),
        )
    )
    columns = (jnp.asarray(x, jnp.float32) for x in zip(*combinations, strict=True))
    per_head = [jnp.stack([x, x], axis=1) for x in columns]
    return dict(zip(("strengths", "sharpenings", "gates", "shifts"), per_head, strict=True))


@pytest.mark.parametrize(("memory", "keys", "previous"), list(extremes()))
def test_extremes_stay_finite(memory, keys, previous):
    probe = jnp.asarray(np.random.default_rng(1).normal(size=(2, MANY)), jnp.float32)
    fixed = {"memory": memory, "keys": keys, "previous": previous}
    fixed = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), fixed)
    gradients, weightings = last_stages_and_gradients(fixed, extreme_settings(), probe)
    np.testing.assert_allclose(np.sum(weightings, axis=-1), 1, atol=1e-4)
    for name, gradient in gradients.items():
        assert np.all(np.isfinite(gradient)), name


@jax.jit
def similar_with_epsilon(memory, keys, strengths, probe):
    def projected(memory, keys, strengths):
        weighting = content_weighting(memory, keys, strengths, smoothing=0.0, epsilon=1e-8)
        return jnp.sum(probe * weighting), weighting

    return jax.grad(projected, (0, 1, 2), has_aux=True)(memory, keys, strengths)


@pytest.mark.parametrize("strength", [0.0, 1.0, 1e4])
def test_similarities_with_an_epsilon_stay_finite(strength):
    """In float32, for all extremes of memories and keys."""
    probe = jnp.asarray(np.random.default_rng(1).normal(size=(2, MANY)), jnp.float32)
    for parameters in extremes():
        memory, keys, _ = parameters.values
        arguments = (jnp.asarray(x, jnp.float32) for x in (memory, keys, [strength] * 2))
        gradients, weightings = similar_with_epsilon(*arguments, probe)
        np.testing.assert_allclose(np.sum(weightings, axis=-1), 1, atol=1e-4)
        assert all(np.all(np.isfinite(gradient)) for gradient in gradients)


@pytest.mark.parametrize("sharpening", [18.0, 22.0, 1e3])
def test_flat_weightings_survive_sharpening(sharpening):
    """128 equal weights to the power 22 are zero in float32."""
    sharp = sharpen(jnp.full((1, 128), 1 / 128), jnp.array([sharpening]))
    np.testing.assert_allclose(sharp, 1 / 128, rtol=1e-5)


@pytest.mark.parametrize("weight", [0.0, 1e-20, 1e-8, 1 / 128, 1.0])
@pytest.mark.parametrize("sharpening", [1.0, 21.0, 1e3])
def test_smoothed_sharpening_stays_finite(weight, sharpening):
    """Down to a weighting of zeros, which stays next to nothing."""
    flat, sharpenings = jnp.full((1, 128), weight), jnp.array([sharpening])

    def projected(w, s):
        sharp = sharpen(w, s, smoothing=1e-16)
        return jnp.sum(jnp.arange(128.0) * sharp), sharp

    (_, sharp), gradients = jax.value_and_grad(projected, (0, 1), has_aux=True)(
        flat, sharpenings
    )
    expected = np.float64(weight) ** sharpening
    expected = expected / (128 * expected + 1e-16)
    np.testing.assert_allclose(sharp, expected, rtol=1e-3, atol=1e-3)
    for gradient in gradients:
        assert np.all(np.isfinite(gradient))
