"""The DNC: golden values of an independent float64 implementation, brute force, properties."""

import dataclasses
import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.machines.dnc import mechanisms
from softmachine.machines.dnc.config import DNCTestOptions
from softmachine.machines.dnc.dnc import DNC_PRESETS, DNCConfig
from softmachine.machines.dnc.memory import access, first_state, interface_sizes, to_interface
from softmachine.machines.dnc.sparse_links import (
    SparseLinks,
    follow_sparse_links,
    next_sparse_links,
    no_links,
    to_dense,
)
from softmachine.machines.machine import parameter_count, split_trainable
from softmachine.machines.parts.controllers import ControllerConfig

FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)
SIZES = {"memory_rows": 4, "memory_columns": 3, "read_heads": 2}
PAPER = dataclasses.replace(DNC_PRESETS["paper"], **SIZES)
MDS = dataclasses.replace(DNC_PRESETS["mds"], interface_clip=None, **SIZES)


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def fill(count, seed):
    return np.sin(seed + np.arange(count, dtype=float))


def close(ours, golden, tolerance=1.01e-6):
    np.testing.assert_allclose(ours, golden, rtol=0, atol=tolerance)


# --- the mechanisms -------------------------------------------------------------------------


def test_allocation_takes_the_least_used_row_first():
    usage = jnp.array([0.9, 0.2, 0.5, 0.2])
    close(mechanisms.allocation_weighting(usage), [0.002, 0.8, 0.02, 0.16])


def brute_allocation(usage):
    order = sorted(range(len(usage)), key=lambda i: (usage[i], i))
    result, product = np.zeros(len(usage)), 1.0
    for i in order:
        result[i] = (1 - usage[i]) * product
        product *= usage[i]
    return result


def test_allocation_with_ties_and_full_and_empty_rows_is_the_loop():
    rng = np.random.default_rng(0)
    usages = rng.choice([0.0, 0.25, 0.5, 1.0], (200, 7))
    usages[0], usages[1] = 0, 1
    ours = jax.vmap(mechanisms.allocation_weighting)(jnp.asarray(usages))
    close(ours, [brute_allocation(usage) for usage in usages], 1e-12)
    assert not ours[1].any()
    close(ours[0], np.eye(7)[0])


@pytest.mark.parametrize("usage", [[0, 0, 0, 0], [1, 1, 0, 0.5], [1, 1, 1, 1], [0.3] * 4])
def test_gradients_of_allocation_are_those_of_its_order(usage):
    """Finite, also where rows are tied, free or full; those of the products, order fixed."""
    usage = jnp.asarray(usage, float)
    order = np.argsort(np.asarray(usage), kind="stable")
    found = jax.jacobian(mechanisms.allocation_weighting)(usage)

    def in_order(usage):
        result, product = np.zeros(len(usage)), 1.0
        for i in order:
            result[i] = (1 - usage[i]) * product
            product *= usage[i]
        return result

    for j, one in enumerate(np.eye(4) * 1e-6):
        slope = (in_order(usage + one) - in_order(usage - one)) / 2e-6
        close(found[:, j], slope, 1e-8)


def test_retention_and_usage():
    read_weights = jnp.array([[0.2, 0.7, 0.1], [0, 0.1, 0.9]])
    kept = mechanisms.retention(jnp.array([0.9, 0.5]), read_weights)
    close(kept, [0.82, 0.3515, 0.5005])
    usage = mechanisms.next_usage(jnp.array([0.5, 0.1, 0.9]), jnp.array([0.6, 0.3, 0]), kept)
    close(usage, [0.656, 0.130055, 0.45045])


@pytest.mark.parametrize(
    ("smoothing", "mask", "golden"),
    [
        (1e-30, None, [0.294698, 0.518861, 0.071646, 0.114794]),
        (1e-6, None, [0.294698, 0.518861, 0.071646, 0.114795]),
        (1e-30, [1, 0, 0.5], [0.461204, 0.461204, 0.062417, 0.015175]),
    ],
)
def test_content(smoothing, mask, golden):
    rows = jnp.array([[1, 0, 0], [0.6, 0.8, 0], [0, 0, 0], [-1, 2, 2.0]])
    mask = None if mask is None else jnp.array([mask])
    found = mechanisms.content_weighting(
        rows.T,
        jnp.array([[1, 1, 0.0]]),
        jnp.array([2.0]),
        mask,
        smoothing=smoothing,
        epsilon=1e-6,
    )
    close(found[0], golden)


def test_links_and_where_they_lead():
    links, precedence = jnp.zeros((3, 3)), jnp.zeros(3)
    for written in ([1, 0, 0.0], [0, 0.8, 0.1], [0.1, 0, 0.7]):
        links = mechanisms.next_links(links, precedence, jnp.array(written))
        precedence = mechanisms.next_precedence(precedence, jnp.array(written))
    close(links, [[0, 0.08, 0.01], [0.72, 0, 0], [0.09, 0.56, 0]])
    close(precedence, [0.12, 0.16, 0.72])
    forward, backward = mechanisms.follow_links(links, jnp.array([[0.7, 0.2, 0.1]]))
    close(forward[0], [0.017, 0.504, 0.175])
    close(backward[0], [0.153, 0.112, 0.007])


def test_sharpening():
    found = mechanisms.sharpen(jnp.array([[0.5, 0.3, 0.1, 0], [0, 0, 0, 0]]), jnp.full(2, 3.0))
    close(found[0], [0.816993, 0.176471, 0.006536, 0])
    close(found[1], [0.25] * 4)


def test_rounding_of_read_weights_makes_no_nan():
    """Two read modes that find the same row sum to more than 1, and that row is freed."""
    modes = np.zeros((1000, 1, 3), np.float32)
    modes[:, 0, 1] = np.linspace(-3, 3, 1000)
    modes[:, 0, 0] = -200
    row, nowhere = jnp.array([[0.0, 1.0]], FLOAT32), jnp.zeros((1, 2), FLOAT32)

    def found(modes):
        read = mechanisms.read_weighting(jax.nn.softmax(modes), nowhere, row, row)
        kept = mechanisms.retention(jnp.ones(1, FLOAT32), read)
        usage = mechanisms.next_usage(jnp.ones(2, FLOAT32), jnp.zeros(2, FLOAT32), kept)
        return read, usage, mechanisms.allocation_weighting(usage)

    read, usage, allocation = jax.jit(jax.vmap(found))(jnp.asarray(modes))
    assert (read > 1).any()
    assert (usage >= 0).all()
    assert jnp.isfinite(allocation).all()


# --- sparse links -----------------------------------------------------------------------------


def sparse(dense, kept):
    """Return tables of a matrix with no more than ``kept`` entries in a row or column."""
    rows = len(dense)
    tables = []
    for matrix in (dense.T, dense):
        indices, values = np.zeros((rows, kept), np.int32), np.zeros((rows, kept))
        for i, row in enumerate(matrix):
            places = np.flatnonzero(row)
            indices[i, : len(places)], values[i, : len(places)] = places, row[places]
        tables += [jnp.asarray(indices), jnp.asarray(values)]
    return SparseLinks(*tables)


def test_sparse_links_by_the_printed_rule():
    before = np.zeros((4, 4))
    before[0, 1], before[1, 2], before[2, 3], before[3, 0] = 0.6, 0.55, 0.8, 0.5
    precedence, written = jnp.array([0.7, 0.15, 0.05, 0.1]), jnp.array([0.02, 0.05, 0.85, 0.03])
    links = next_sparse_links(sparse(before, 2), precedence, written, kept=2, normalize=True)
    golden = np.zeros((4, 4))
    golden[0, 1], golden[2, 0], golden[3, 0] = 0.566667, 0.777778, 0.5
    close(to_dense(links), golden)


def cut(weighting, kept, normalize):
    alone = np.zeros_like(weighting)
    places = np.argsort(-weighting, kind="stable")[:kept]
    alone[places] = weighting[places]
    if not alone.sum():
        return alone
    return alone / alone.sum() * (1 if normalize else weighting.sum())


def weightings(rng, steps, rows):
    """Sharp and flat ones, some that sum to less than 1, some to 0."""
    logits = rng.normal(size=(steps, rows)) * rng.choice([0.5, 3, 30], (steps, 1))
    gates = rng.choice([0, 0.3, 1], (steps, 1))
    return gates * np.asarray(jax.nn.softmax(logits))


@pytest.mark.parametrize(("kept", "normalize"), [(3, False), (3, True), (9, False)])
def test_sparse_links_are_the_dense_ones_cut(kept, normalize):
    """The rule on the whole matrix, in NumPy; both tables hold the same links.

    With more of them kept than there are rows, too: those below 1/K are dropped all the same.
    """
    rng, rows = np.random.default_rng(0), 7
    step = jax.jit(functools.partial(next_sparse_links, kept=kept, normalize=normalize))
    links, dense = no_links(rows, kept, FLOAT64), np.zeros((rows, rows))
    precedence = np.zeros(rows)
    for written in weightings(rng, 100, rows):
        w, p = cut(written, kept, normalize), cut(precedence, kept, normalize)
        dense = (1 - (w[:, None] + w)) * dense + np.outer(w, p)
        np.fill_diagonal(dense, 0)
        dense[dense < 1 / kept] = 0
        links = step(links, jnp.asarray(precedence), jnp.asarray(written))
        precedence = (1 - written.sum()) * precedence + written
        close(to_dense(links), dense, 1e-12)
        columns = to_dense(SparseLinks(*links[2:], *links[:2]))
        close(columns, dense.T, 1e-12)
        read = jnp.asarray(weightings(rng, 2, rows))
        for ours, plain in zip(
            follow_sparse_links(links, read),
            (read @ dense.T, read @ dense),
            strict=True,
        ):
            close(ours, plain, 1e-12)
    assert dense.any()


# --- the whole memory -------------------------------------------------------------------------

WRITES = [
    [0.358116, 0.112545, 0.112545, 0.112545],
    [0.062669, 0.568869, 0.117529, 0.06823],
    [0.03382, 0.045033, 0.105158, 0.50084],
]
READ_WEIGHTS = [
    [[0.076587] * 4, [0.043948] * 4],
    [[0.079402, 0.030014, 0.044446, 0.052725], [0.034402, 0.116205, 0.065839, 0.050885]],
    [[0.122249, 0.056085, 0.040019, 0.016052], [0.015596, 0.055112, 0.062987, 0.380964]],
]
READS = [
    [[0.06095, 0.076441, 0.021653], [0.034975, 0.043865, 0.012425]],
    [[0.092086, 0.070836, -0.014806], [0.155868, 0.081452, -0.06637]],
    [[0.132292, 0.071928, -0.051152], [0.223222, -0.117699, -0.334503]],
]
MDS_WRITES = [
    [0.155175, 0.027275, 0.027275, 0.027275],
    [0.037063, 0.082232, 0.037913, 0.037074],
    [0.031438, 0.117063, 0.094882, 0.165669],
]
MDS_READS = [
    [[-0.082072, -0.073038, 0.003146], [-0.082073, -0.073039, 0.003146]],
    [[-0.130453, -0.049439, 0.077938], [-0.150883, -0.084799, 0.060507]],
    [[-0.098806, 0.047503, 0.152449], [-0.080661, 0.101384, 0.192584]],
]


def accessed(config, interfaces):
    """Return the memory's state after each interface vector, from an empty start."""
    state, states = first_state(config, FLOAT64), []
    for values in interfaces:
        state = access(to_interface(jnp.asarray(values), config), state, config)
        states.append(state)
    return states


def test_three_steps_of_the_paper_s_memory():
    assert sum(interface_sizes(PAPER)) == 28
    states = accessed(PAPER, [1.5 * fill(28, 10 + t) for t in (1, 2, 3)])
    close([state.write_weights for state in states], WRITES)
    close([state.read_weights for state in states], READ_WEIGHTS)
    close([state.reads for state in states], READS)
    close(states[-1].usage, [0.368526, 0.560162, 0.200918, 0.160935])
    close(states[-1].precedence, [0.07419, 0.230791, 0.148678, 0.528823])


def test_three_steps_with_the_fixes_of_2019():
    assert sum(interface_sizes(MDS)) == 41
    states = accessed(MDS, [1.5 * fill(41, 70 + t) for t in (1, 2, 3)])
    close([state.write_weights for state in states], MDS_WRITES)
    close([state.reads for state in states], MDS_READS)


@pytest.mark.parametrize(
    ("usage_gradient", "golden"),
    [
        (True, [-0.020526, 0.128725, 0.001054, 0.00016]),
        (False, [-0.014766, 0.118051, 0.001086, 0.00016]),
    ],
)
def test_gradients_through_four_steps(usage_gradient, golden):
    config = dataclasses.replace(PAPER, usage_gradient=usage_gradient)
    factors = fill(24, 90).reshape(4, 2, 3)

    def loss(interfaces):
        states = accessed(config, list(interfaces))
        return sum(jnp.sum(c * s.reads) for c, s in zip(factors, states, strict=True))

    interfaces = jnp.stack([1.5 * fill(28, 10 + t) for t in (1, 2, 3, 4)])
    value, gradient = jax.jit(jax.value_and_grad(loss))(interfaces)
    close(value, 0.035951)
    places = [(0, 21), (0, 20), (2, 8), (3, 18)]
    close([gradient[place] for place in places], golden)


OPTIONS = {
    "paper": {},
    "sparse": {"links": "sparse", "kept_links": 3},
    "no links": {"links": "none"},
    "mds": {"masking": True, "wiping": True, "sharpening": True, "least_mask": 0.1},
}


@pytest.mark.parametrize("option", OPTIONS)
def test_what_holds_in_10_000_random_steps(option):
    """Interface vectors from small to so large that every gate saturates."""
    config = dataclasses.replace(PAPER, memory_rows=6, **OPTIONS[option])
    width = sum(interface_sizes(config))

    def step(state, key):
        scale_key, key = jax.random.split(key)
        scale = 10 ** jax.random.uniform(scale_key, (), minval=-1, maxval=4)
        values = scale * jax.random.normal(key, (width,))
        new = access(to_interface(values, config), state, config)
        links = new.links
        if isinstance(links, SparseLinks):
            links = to_dense(links)
        links = jnp.zeros((6, 6)) if links is None else links
        sums = [new.write_weights[None], new.read_weights, links, links.T]
        return new, {
            "usage": (new.usage.min(), new.usage.max()),
            "least": jnp.min(jnp.stack([jnp.min(x) for x in sums])),
            "largest sum": jnp.max(jnp.stack([jnp.max(x.sum(axis=-1)) for x in sums])),
            "diagonal": jnp.max(jnp.abs(jnp.diagonal(links))),
            "finite": jnp.all(jnp.isfinite(new.memory)) & jnp.all(jnp.isfinite(new.reads)),
        }

    keys = jax.random.split(jax.random.key(0), 10_000)
    run = jax.jit(lambda keys: jax.lax.scan(step, first_state(config, FLOAT64), keys)[1])
    found = run(keys)
    assert found["usage"][0].min() >= -1e-9
    assert found["usage"][1].max() <= 1 + 1e-9
    assert found["least"].min() >= -1e-9
    assert found["largest sum"].max() <= 1 + 1e-9
    assert not found["diagonal"].any()
    assert found["finite"].all()
    assert found["largest sum"].max() > 0.9


# --- the machine ------------------------------------------------------------------------------


def built(config, inputs=3, outputs=2):
    return eqx.filter_jit(config.build)(inputs, outputs, key=jax.random.key(0))


def small(kind="lstm", **choices):
    controller = ControllerConfig(kind=kind, hidden=4)
    return dataclasses.replace(PAPER, controller=controller, **choices)


def test_the_reference_has_43_980_parameters():
    """Repeat copy of 4 bits, LSTM 64; the learned first state of the controller besides."""
    machine = built(DNC_PRESETS["reference"], 6, 5)
    first_state_of_the_controller = 2 * 64
    assert parameter_count(machine) - first_state_of_the_controller == 43_980


@pytest.mark.parametrize("kind", ["lstm", "feedforward"])
def test_a_step_is_controller_interface_memory_and_output(kind):
    machine = built(small(kind))
    machine = jax.tree.map(lambda x: jnp.asarray(x, jnp.float64), machine)
    state = machine.init_state()
    for t in range(3):
        x = jnp.asarray(fill(3, t))
        encoded = machine.encode(x)
        controller, hidden = machine.controller(
            state.controller, encoded, state.access.reads.reshape(-1)
        )
        xi = machine.interface_layer.weight @ hidden + machine.interface_layer.bias
        memory = access(to_interface(xi, machine.config), state.access, machine.config)
        state, y = machine.step(state, x)
        seen = jnp.concatenate([hidden, *memory.reads])
        close(y, machine.output.weight @ seen + machine.output.bias, 1e-12)
        for ours, theirs in zip(
            jax.tree.leaves(state), jax.tree.leaves((controller, memory)), strict=True
        ):
            close(ours, theirs, 1e-12)


CHOICES = {
    "paper": {},
    "reference": {"usage_gradient": True, "strengths": "softplus", "allocation_epsilon": 1e-6},
    "sparse": {"links": "sparse", "kept_links": 2},
    "no links": {"links": "none"},
    "mds": OPTIONS["mds"],
}


@pytest.mark.parametrize(
    ("choice", "kind"), [*((choice, "lstm") for choice in CHOICES), ("mds", "feedforward")]
)
def test_gradients_are_finite_differences(choice, kind):
    """Of all parameters, along a random direction, in float64."""
    machine = built(small(kind, **CHOICES[choice]))
    parameters, static = split_trainable(machine)
    rng = np.random.default_rng(1)

    def drawn(scale):
        return jax.tree.map(
            lambda x: jnp.asarray(scale * rng.normal(size=x.shape), jnp.float64), parameters
        )

    parameters, direction = drawn(0.8), drawn(1.0)
    inputs, probe = (jnp.asarray(rng.normal(size=(6, width))) for width in (3, 2))

    @jax.jit
    def score(parameters):
        return jnp.sum(probe * eqx.combine(parameters, static)(inputs))

    def moved(by):
        return score(jax.tree.map(lambda x, d: x + by * d, parameters, direction))

    gradient = jax.jit(jax.grad(score))(parameters)
    slope = sum(jax.tree.leaves(jax.tree.map(lambda g, d: jnp.sum(g * d), gradient, direction)))
    np.testing.assert_allclose(slope, (moved(1e-6) - moved(-1e-6)) / 2e-6, rtol=1e-5)
    assert all(jnp.isfinite(x).all() for x in jax.tree.leaves(gradient))


@pytest.mark.parametrize("preset", DNC_PRESETS)
def test_gradients_of_extreme_interfaces_are_finite(preset):
    """In float32, from an empty memory; a row that was never written has no norm."""
    config = dataclasses.replace(DNC_PRESETS[preset], **SIZES)
    width = sum(interface_sizes(config))

    def loss(values, key):
        state, total = first_state(config, FLOAT32), 0.0
        for row in values:
            state = access(to_interface(row, config), state, config)
            total += jnp.sum(
                jax.random.normal(key, state.reads.shape, jnp.float32) * state.reads
            )
        return total

    keys = jax.random.split(jax.random.key(0), 300)
    scale = jnp.asarray(10.0 ** np.linspace(-2, 4, 300), jnp.float32)
    values = jax.vmap(lambda key: jax.random.normal(key, (4, width), jnp.float32))(keys)
    found = jax.jit(jax.vmap(jax.value_and_grad(loss)))(scale[:, None, None] * values, keys)
    assert all(np.isfinite(x).all() for x in found)
    assert found[1].dtype == np.float32


def test_a_memory_can_be_enlarged():
    machine = built(small())
    larger = machine.with_memory_rows(9)
    assert (machine.memory_rows, larger.memory_rows) == (4, 9)
    assert parameter_count(machine) == parameter_count(larger)
    assert larger.init_state().access.memory.shape == (3, 9)
    assert larger(jnp.ones((5, 3))).shape == (5, 2)


def test_hard_heads_write_and_read_whole_rows():
    machine = built(small()).with_test_options(DNCTestOptions(hard=True))
    state, seen = machine.init_state(), set()
    step = eqx.filter_jit(machine.step)
    for t in range(12):
        state, _ = step(state, jnp.asarray(20 * fill(3, 5 * t)))
        for array in (
            state.access.write_weights,
            state.access.read_weights,
            state.access.usage,
        ):
            seen |= set(np.asarray(array).reshape(-1).tolist())
        assert (state.access.read_weights.sum(axis=1) <= 1).all()
    assert seen == {0.0, 1.0}


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"links": "none", "sharpening": True}, "sharpening=True is of links"),
        ({"least_mask": 0.1}, "needs masking=True"),
        ({"normalize_sparse": True}, "is of links='sparse'"),
        ({"memory_rows": 0}, "memory_rows must be at least 1"),
    ],
)
def test_choices_that_do_not_go_together_are_refused(choices, message):
    with pytest.raises(ValueError, match=message):
        DNCConfig(**choices)


@pytest.mark.parametrize("option", OPTIONS)
def test_what_a_trace_shows_is_declared(option):
    machine = built(small(**OPTIONS[option]))

    @jax.jit
    def show():
        x = machine.encode(jnp.ones(3))
        state, _ = machine.advance(machine.init_state(), x)
        return machine.observe_state(state) | machine.observe_step(state, x)

    shown = show()
    fields = {field.name: field for field in machine.trace_fields()}
    assert shown.keys() == fields.keys()
    sizes = {}
    for name, array in shown.items():
        axes = fields[name].axes
        assert array.ndim == len(axes), name
        for axis, size in zip(axes, array.shape, strict=True):
            assert sizes.setdefault(axis, size) == size, name
            assert len(fields[name].labels.get(axis, range(size))) == size
    assert not machine.observe_state(machine.init_state())["usage"].any()


def test_names_of_the_fixes():
    names = [config.published_as for config in (PAPER, MDS, small("feedforward"))]
    assert names == ["dnc-lstm", "dnc-mds-lstm", "dnc-ff"]
