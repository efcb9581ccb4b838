"""The MANN of Santoro et al. 2016 against numbers worked out with plain NumPy loops."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from softmachine.machines import mann
from softmachine.machines.mann import MANN_PRESETS, HeadParameters, MANNConfig, MANNState
from softmachine.machines.parts.controllers import ControllerConfig

SMALL = ControllerConfig(hidden=4, forget_bias=0.0)
STATE = MANNState(
    controller=(),
    memory=jnp.array([[0.5, -0.2, 0.1], [0, 0.3, 0.4], [-0.6, 0.1, 0.2], [0.2, 0.2, -0.5]]).T,
    read_weights=jnp.array([[0.7, 0.1, 0.1, 0.1], [0.2, 0.2, 0.5, 0.1]]),
    usage=jnp.array([1.2, 0.4, 0.9, 0.3]),
    reads=jnp.zeros((2, 3)),
)
KEYS = jnp.array([[0.3, -0.1, 0.2], [-0.4, 0.5, 0.0]])
ADDS = jnp.array([[0.9, 0.1, -0.3], [0.2, -0.7, 0.6]])


def small(**choices):
    sizes = {"controller": SMALL, "memory_rows": 4, "memory_columns": 3, "heads": 2}
    return MANNConfig(**(sizes | choices))


def built(config, inputs=5, outputs=2):
    return eqx.filter_jit(config.build)(inputs, outputs, key=jax.random.key(0))


def fill(shape, start, scale=1.0):
    count = int(np.prod(shape))
    return jnp.asarray(scale * np.sin(start + np.arange(count)).reshape(shape))


def accessed(preset):
    choices = dataclasses.asdict(MANN_PRESETS[preset])
    for size in ("controller", "memory_rows", "memory_columns", "heads"):
        del choices[size]
    machine = built(small(**choices))
    adds = ADDS if machine.config.written == "add" else KEYS
    gates = jax.nn.sigmoid(jnp.array([0.0, 1.0]))
    parameters = HeadParameters(KEYS, gates, jnp.ones(2), adds)
    write_weights, _ = machine._write_weights(parameters, STATE)
    return write_weights, *machine.access(parameters, STATE)


def test_one_step_of_the_public_preset():
    write_weights, memory, read_weights, usage, reads = accessed("public")
    np.testing.assert_allclose(
        write_weights,
        [[0.35, 0.05, 0.05, 0.55], [0.146212, 0.415153, 0.365529, 0.073106]],
        atol=1e-6,
    )
    np.testing.assert_allclose(
        memory.T,
        [
            [0.844242, -0.267348, 0.082727],
            [0.128031, 0.014393, 0.634092],
            [-0.481894, -0.150871, 0.404318],
            [0.509621, 0.003826, -0.121136],
        ],
        atol=1e-6,
    )
    np.testing.assert_allclose(
        read_weights,
        [[0.341099, 0.275224, 0.114457, 0.269220], [0.136097, 0.280006, 0.413351, 0.170547]],
        atol=1e-6,
    )
    np.testing.assert_allclose(
        reads, [[0.405252, -0.103469, 0.216400], [0.038471, -0.094065, 0.335274]], atol=1e-6
    )
    np.testing.assert_allclose(usage, [2.113408, 1.400383, 1.798337, 1.347873], atol=1e-6)


def test_one_step_of_the_paper():
    write_weights, memory, read_weights, usage, reads = accessed("santoro")
    np.testing.assert_allclose(
        write_weights,
        [[0.35, 0.55, 0.05, 0.55], [0.146212, 0.415153, 0.365529, 0.342047]],
        atol=1e-6,
    )
    np.testing.assert_allclose(
        memory.T,
        [
            [0.546515, -0.161894, 0.17],
            [-0.001061, 0.452577, 0.51],
            [-0.731212, 0.277765, 0.21],
            [0.028181, 0.116024, 0.11],
        ],
        atol=1e-6,
    )
    np.testing.assert_allclose(
        read_weights,
        [[0.456239, 0.217450, 0.088575, 0.237736], [0.075886, 0.280065, 0.382823, 0.261225]],
        atol=1e-6,
    )
    np.testing.assert_allclose(
        reads, [[0.191043, 0.076736, 0.233212], [-0.231387, 0.251109, 0.264862]], atol=1e-6
    )
    np.testing.assert_allclose(usage, [2.216337, 1.858668, 1.777928, 1.688008], atol=1e-6)


def whole_machine():
    """The whole machine of the golden values: gates are input, forget, output, candidate."""
    config = small(
        memory_rows=5,
        written="add",
        least_used="own",
        usage_decay=0.95,
        similarity_smoothing=1e-18,
    )
    weight = fill((15, 16), 1, 0.8)
    weight = weight[:, jnp.r_[0:8, 12:16, 8:12]].T
    machine = built(config)
    where = lambda m: (  # noqa: E731
        m.controller.from_input.weight,
        m.controller.recurrent[0].weight,
        m.head_layer.weight,
        m.output.weight,
    )
    heads = fill((4, 14), 2, 1.5).T
    heads = heads[jnp.r_[0:6, 12:14, 6:12]]  # keys, adds, gates: here keys, gates, adds
    return eqx.tree_at(
        where, machine, (weight[:, :5], weight[:, 5:], heads, fill((10, 2), 3).T)
    )


def test_a_whole_run():
    labels = jnp.array([0, 1, 1, 0, 1])
    shown = jnp.concatenate([jnp.zeros((1, 2)), jax.nn.one_hot(labels[:-1], 2)])
    inputs = jnp.concatenate([fill((5, 3), 7), shown], axis=1)
    machine = whole_machine()
    logits = eqx.filter_jit(machine)(inputs)
    chance = jax.nn.softmax(logits)[:, 1]
    np.testing.assert_allclose(
        chance, [0.500529, 0.547628, 0.531185, 0.507041, 0.561245], atol=1e-6
    )
    loss = -jnp.sum(jax.nn.log_softmax(logits)[jnp.arange(5), labels])
    np.testing.assert_allclose(loss, 3.213937, atol=2e-6)
    state, step = machine.init_state(), eqx.filter_jit(machine.step)
    for x in np.asarray(inputs):
        state, _ = step(state, x)
    np.testing.assert_allclose(
        state.usage, [3.763651, 3.707520, 4.105896, 3.829143, 3.465095], atol=3e-6
    )
    np.testing.assert_allclose(state.memory[:, 0], [-0.086813, -0.030672, 0.050440], atol=1e-6)


@pytest.mark.parametrize(
    ("usage", "ties", "marks"),
    [
        ([0.9, 0.1, 0.5, 0.3], "rank", [0, 1, 0, 1]),
        ([0.9, 0.1, 0.5, 0.3], "all", [0, 1, 0, 1]),
        ([0.2, 0.5, 0.2, 0.1, 0.2], "all", [1, 0, 1, 1, 1]),
        ([0.2, 0.5, 0.2, 0.1, 0.2], "rank", [1, 0, 0, 1, 0]),
    ],
)
def test_least_used_rows(usage, ties, marks):
    config = small(memory_rows=len(usage), ties=ties)
    usage = jnp.array(usage)
    ranked = mann.rank_by_usage(usage, 2)
    np.testing.assert_array_equal(
        mann.least_used_weights(usage, ranked, config), [marks, marks]
    )


def test_rows_are_ranked_as_a_stable_sort_has_them():
    usage = jnp.round(jax.random.uniform(jax.random.key(1), (20, 12)), 1)
    ranked = jax.vmap(lambda u: mann.rank_by_usage(u, 12))(usage)
    np.testing.assert_array_equal(
        jnp.argmax(ranked, -1), np.argsort(usage, axis=-1, kind="stable")
    )
    np.testing.assert_array_equal(jnp.sum(ranked, -1), 1)


@pytest.mark.parametrize(("others", "most"), [("orthogonal", 0.020955), ("opposite", 0.054983)])
def test_without_a_key_strength_reads_are_nearly_flat(others, most):
    columns = 128 if others == "orthogonal" else 2
    memory = jnp.eye(128) if others == "orthogonal" else jnp.full((2, 128), -1.0)
    memory = memory if others == "orthogonal" else memory.at[:, 0].set(1.0)
    weights = mann.address(memory, memory[:, :1].T, jnp.ones(1))
    assert columns == memory.shape[0]
    np.testing.assert_allclose(weights[0, 0], most, atol=1e-6)


def test_a_key_just_written_is_found():
    """A key written to a row of its own, before reading, has cosine 1 to that row."""
    machine = built(small(memory_rows=8, least_used="own", key_strength=50.0))
    state = machine.init_state()
    parameters = HeadParameters(KEYS, jnp.zeros(2), jnp.full(2, 50.0), KEYS)
    write_weights, _ = machine._write_weights(parameters, state)
    _, read_weights, _, reads = machine.access(parameters, state)
    np.testing.assert_array_equal(jnp.argmax(read_weights, 1), jnp.argmax(write_weights, 1))
    np.testing.assert_allclose(reads, KEYS, atol=1e-4)


@pytest.mark.parametrize(
    "choices",
    [
        {},
        {"ties": "all"},
        {"written": "add", "least_used": "own", "usage_decay": 0.95},
        {"erased": "all", "order": "address-write-read"},
        {"key_strength": None, "written": "add"},
        {"controller": ControllerConfig(kind="feedforward", hidden=4)},
    ],
    ids=str,
)
def test_gradients_are_those_of_finite_differences(choices):
    """The choice of the least used rows stays the same over such small differences."""
    with jax.enable_x64(True):
        machine = built(small(memory_rows=6, **choices))
        machine = jax.tree.map(
            lambda x: x.astype(jnp.float64) if eqx.is_inexact_array(x) else x, machine
        )
        inputs = fill((7, 5), 3)
        weights, static = eqx.partition(machine, eqx.is_inexact_array)
        loss = lambda w: jnp.sum(jnp.sin(eqx.combine(w, static)(inputs)))  # noqa: E731
        check_grads(jax.jit(loss), (weights,), order=1, modes=["rev"], eps=1e-6, atol=1e-7)


def test_usage_passes_no_gradient():
    machine = built(small())

    def loss(usage):
        state = STATE._replace(controller=machine.controller.init_state(), usage=usage)
        return jnp.sum(machine.step(state, jnp.ones(5))[1])

    np.testing.assert_array_equal(jax.grad(loss)(STATE.usage), jnp.zeros(4))


def test_parameters_of_the_paper_sizes():
    """With 400 pixels, 5 labels, an add vector and a learned key strength."""
    config = dataclasses.replace(MANN_PRESETS["public"], key_strength=None)
    machine = eqx.filter_eval_shape(config.build, 405, 5, key=jax.random.key(0))
    first = 2 * 200  # first states of the LSTM, which are learned here
    counted = sum(x.size for x in jax.tree.leaves(machine) if hasattr(x, "size"))
    assert counted - first == 680_533


def test_choices_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="ties='all' marks rows for all heads"):
        small(ties="all", least_used="own")
    with pytest.raises(ValueError, match="must not exceed memory_rows"):
        small(memory_rows=1)
