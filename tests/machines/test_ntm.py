"""The Neural Turing Machine: whole steps against NumPy, options, presets, extremes."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.core.errors import SoftmachineError
from softmachine.machines.machine import Buffer, parameter_count, split_trainable
from softmachine.machines.ntm.ntm import NTMConfig, NTMState
from softmachine.machines.ntm.presets import NTM_PRESETS
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.running.generalization import with_test_options
from softmachine.running.loop import run_batch

ORDERS = ["write-read", "read-write", "address-write-read", "alternate"]
INPUTS, OUTPUTS = 3, 2
SMALL = NTMConfig(
    controller=ControllerConfig(hidden=6),
    memory_rows=7,
    memory_columns=4,
    initial_weightings="first-row",
)


@eqx.filter_jit
def build(config, seed=0):
    return config.build(INPUTS, OUTPUTS, key=jax.random.key(seed))


def with_noise(machine, seed, scale=0.5):
    """Return the machine with parameters large enough that its heads move."""
    rng = np.random.default_rng(seed)
    parameters, static = split_trainable(machine)
    noisy = jax.tree.map(
        lambda x: jnp.asarray(np.asarray(x) + scale * rng.normal(size=x.shape), x.dtype),
        parameters,
    )
    return eqx.combine(noisy, static)


def random_inputs(steps, seed=0, batch=()):
    return jnp.asarray(np.random.default_rng(seed).normal(size=(*batch, steps, INPUTS)))


# --- a whole step, in NumPy, head by head and row by row ----------------------------------


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softplus(x):
    return np.logaddexp(0, x)


def softmax(x):
    return np.exp(x - x.max()) / np.exp(x - x.max()).sum()


ACTIVATIONS = {"linear": lambda x: x, "tanh": np.tanh, "sigmoid": sigmoid}


def numpy_address(head, memory, previous):
    """Eq. 5 to 9; memory[i] is row i."""
    key, smoothing, epsilon = head["key"], head["smoothing"], head["epsilon"]
    norms = np.sqrt((memory**2).sum(axis=1) + smoothing) * np.sqrt(key @ key + smoothing)
    cosines = memory @ key / (norms + epsilon)
    content = softmax(head["strength"] * cosines)
    gated = head["gate"] * content + (1 - head["gate"]) * previous
    rows, center = len(memory), len(head["shift"]) // 2
    moved = np.zeros(rows)
    for i in range(rows):
        for j, probability in enumerate(head["shift"]):
            target = i + j - center
            target = target % rows if head["wrap"] else min(max(target, 0), rows - 1)
            moved[target] += gated[i] * probability
    powers = moved ** head["sharpening"]
    weighting = powers / powers.sum()
    return np.eye(rows)[weighting.argmax()] if head["hard"] else weighting


def numpy_heads(config, values):
    """Cut the controller's head values into one dictionary per head."""
    columns, writers, shifts = config.memory_columns, config.write_heads, config.shifts
    heads = config.read_heads + writers
    if config.head_clip is not None:
        values = np.clip(values, -config.head_clip, config.head_clip)
    values = list(values)

    def take(*shape):
        taken = [values.pop(0) for _ in range(int(np.prod(shape)))]
        return np.array(taken).reshape(shape)

    keys, strengths, sharpenings, gates = (
        take(heads, columns),
        take(heads),
        take(heads),
        take(heads),
    )
    shift_logits, erases, adds = (
        take(heads, shifts),
        take(writers, columns),
        take(writers, columns),
    )
    assert not values
    described = [
        {
            "key": ACTIVATIONS[config.key_activation](keys[h]),
            "strength": softplus(strengths[h]),
            "sharpening": max(1, config.sharpening_factor * (1 + softplus(sharpenings[h]))),
            "smoothing": config.similarity_smoothing,
            "epsilon": config.similarity_epsilon,
            "wrap": config.wrap,
            "hard": config.hard,
            "gate": sigmoid(gates[h]),
            "shift": softmax(shift_logits[h]),
        }
        for h in range(heads)
    ]
    for w in range(writers):
        described[config.read_heads + w]["erase"] = sigmoid(erases[w])
        described[config.read_heads + w]["add"] = ACTIVATIONS[config.add_activation](adds[w])
    return described


def numpy_write(memory, weightings, heads, sequential):
    if sequential:
        for w, head in zip(weightings, heads, strict=True):
            memory = memory * (1 - np.outer(w, head["erase"])) + np.outer(w, head["add"])
        return memory
    for w, head in zip(weightings, heads, strict=True):
        memory = memory * (1 - np.outer(w, head["erase"]))
    return memory + sum(
        np.outer(w, head["add"]) for w, head in zip(weightings, heads, strict=True)
    )


def numpy_move_heads(config, heads, memory, previous):
    """Return memory, weightings and reads after one step; heads: readers, then writers."""
    readers = config.read_heads
    sequential = config.write_composition == "sequential"
    everyone = range(len(heads))
    if config.order == "alternate":
        weightings, reads = previous.copy(), np.zeros((readers, memory.shape[1]))
        turns = [(i, side) for i in range(max(readers, len(heads) - readers)) for side in "rw"]
        for i, side in turns:
            if side == "r" and i < readers:
                weightings[i] = numpy_address(heads[i], memory, previous[i])
                reads[i] = weightings[i] @ memory
            if side == "w" and readers + i < len(heads):
                h = readers + i
                weightings[h] = numpy_address(heads[h], memory, previous[h])
                memory = numpy_write(memory, [weightings[h]], [heads[h]], sequential=True)
        return memory, weightings, reads
    old = memory
    weightings = np.array([numpy_address(heads[h], old, previous[h]) for h in everyone])
    memory = numpy_write(old, weightings[readers:], heads[readers:], sequential)
    if config.order == "write-read":
        for h in range(readers):
            weightings[h] = numpy_address(heads[h], memory, previous[h])
    source = old if config.order == "read-write" else memory
    return memory, weightings, weightings[:readers] @ source


def numpy_step(machine, state, x):
    """One step of an NTM with a one-layer LSTM controller; memory stays (columns, rows)."""
    config, lstm = machine.config, machine.controller
    (hidden,), (cell,) = state.controller
    feedback = state.reads.ravel() if config.feed_reads else np.zeros(0)
    gates = lstm.from_input.weight @ x + lstm.from_input.bias
    gates = gates + lstm.recurrent[0].weight @ np.concatenate([feedback, hidden])
    write, forget, output, candidate = np.split(gates, 4)
    cell = sigmoid(forget) * cell + sigmoid(write) * np.tanh(candidate)
    hidden = sigmoid(output) * np.tanh(cell)
    heads = numpy_heads(config, machine.heads.weight @ hidden + machine.heads.bias)
    memory, weightings, reads = numpy_move_heads(
        config, heads, state.memory.T, state.weightings
    )
    features = {
        "controller+reads": np.concatenate([hidden, reads.ravel()]),
        "reads": reads.ravel(),
        "controller": hidden,
    }[config.output_from]
    outputs = machine.output.weight @ features + machine.output.bias
    controller = np.stack([hidden[None], cell[None]])
    return NTMState(controller, memory.T, weightings, reads), outputs


def random_state(config, rng):
    """An ordinary state: memory well away from zero, weightings positive."""
    heads = config.read_heads + config.write_heads
    return NTMState(
        rng.normal(size=(2, 1, config.controller.hidden)),
        rng.normal(size=(config.memory_columns, config.memory_rows)),
        rng.dirichlet(np.ones(config.memory_rows), size=heads),
        rng.normal(size=(config.read_heads, config.memory_columns)),
    )


OPTIONS = {
    **{
        f"{order}, 2 + 2 heads": dict(order=order, read_heads=2, write_heads=2)
        for order in ORDERS
    },
    "alternate, 3 + 1 heads": dict(order="alternate", read_heads=3),
    "alternate, 1 + 3 heads": dict(order="alternate", write_heads=3),
    "sequential write-read": dict(write_heads=3, write_composition="sequential"),
    "sequential read-write": dict(
        order="read-write", write_heads=2, write_composition="sequential"
    ),
    "no feedback, output from reads": dict(feed_reads=False, output_from="reads"),
    "output from controller": dict(output_from="controller", shifts=4),
    "bounded": dict(key_activation="tanh", add_activation="sigmoid", head_clip=0.7),
    **{
        f"{order}, ends, sharp{', hard' * hard}": dict(
            order=order, read_heads=2, write_heads=2, shifts=5, wrap=False,
            sharpening_factor=1.7, hard=hard,
        )
        for order in ORDERS for hard in (False, True)
    },
    "flattened": dict(sharpening_factor=0.4),
    "epsilon": dict(similarity_smoothing=0.0, similarity_epsilon=1e-2),
}  # fmt: skip


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_steps_agree_with_numpy(options):
    """Four steps from an ordinary state; tolerance for the floor of weightings."""
    config = dataclasses.replace(SMALL, **options)
    rng = np.random.default_rng(1)
    with jax.enable_x64(True):
        machine = with_noise(build(config), 2)
        oracle = jax.tree.map(np.asarray, machine)
        expected_state = random_state(config, rng)
        state = jax.tree.map(jnp.asarray, expected_state)
        step = jax.jit(type(machine).step)
        for _ in range(4):
            x = rng.normal(size=INPUTS)
            state, outputs = step(machine, state, jnp.asarray(x))
            expected_state, expected = numpy_step(oracle, expected_state, x)
            np.testing.assert_allclose(outputs, expected, rtol=1e-9, atol=1e-10)
            for ours, theirs in zip(state, expected_state, strict=True):
                np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-10)


TEXTS = dict(similarity_smoothing=0.0, similarity_epsilon=1e-8)
"""What the texts of three presets say: K[u, v] = u.v / (|u| |v| + 1e-8), gamma = 1 + softplus
without a bound. The paper itself divides by |u| |v| alone."""


@pytest.mark.parametrize("name", ["paper", "seed", "collier"])
def test_presets_are_their_texts_to_ten_digits(name):
    """With rows of zeros and of 1e-6, and sharpening far beyond where float32 needs a bound."""
    rng = np.random.default_rng(3)
    config = small_preset(name)
    with jax.enable_x64(True):
        machine = with_noise(build(config), 4)
        readers, heads = config.read_heads, config.read_heads + config.write_heads
        first = heads * (config.memory_columns + 1)
        machine = eqx.tree_at(
            lambda m: m.heads.bias,
            machine,
            machine.heads.bias.at[first : first + readers]
            .set(19.0)
            .at[first + readers]
            .set(25.0),
        )
        oracle = dataclasses.replace(machine, config=dataclasses.replace(config, **TEXTS))
        oracle = jax.tree.map(np.asarray, oracle)
        expected_state = random_state(config, rng)
        expected_state.memory[:, 1], expected_state.memory[:, 2] = 0, 1e-6
        state = jax.tree.map(jnp.asarray, expected_state)
        step = jax.jit(type(machine).step)
        for _ in range(4):
            x = rng.normal(size=INPUTS)
            state, outputs = step(machine, state, jnp.asarray(x))
            expected_state, expected = numpy_step(oracle, expected_state, x)
            np.testing.assert_allclose(outputs, expected, rtol=1e-10, atol=1e-10)
            for ours, theirs in zip(state, expected_state, strict=True):
                np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-10)


# --- manual stepping ----------------------------------------------------------------------


def test_steps_by_hand_are_the_call():
    """The loop tests hold every kind of machine against its call."""
    with jax.enable_x64(True):
        config = dataclasses.replace(
            SMALL, controller=ControllerConfig(kind="gru", hidden=5, layers=2)
        )
        machine, inputs = with_noise(build(config), 0), random_inputs(5)
        state, by_hand = machine.init_state(), []
        step = jax.jit(type(machine).step)
        for x in inputs:
            state, output = step(machine, state, x)
            by_hand.append(output)
        called = eqx.filter_jit(machine)(inputs)
        np.testing.assert_allclose(np.stack(by_hand), called, rtol=1e-12, atol=1e-13)


def test_encode_and_decode_work_over_leading_axes():
    with jax.enable_x64(True):
        machine = with_noise(build(SMALL), 0)
        inputs = random_inputs(4, batch=(2,))
        features = jnp.asarray(np.random.default_rng(1).normal(size=(2, 4, 6 + 4)))
        for function, arguments in ((machine.encode, inputs), (machine.decode, features)):
            hoisted = function(arguments)
            inside = jax.vmap(jax.vmap(lambda x, f=function: f(x)))(arguments)
            np.testing.assert_allclose(hoisted, inside, rtol=1e-12, atol=1e-14)


def test_a_call_works_without_jit():
    assert build(SMALL)(random_inputs(2).astype(jnp.float32)).shape == (2, OUTPUTS)


# --- presets and first states -------------------------------------------------------------


def small_preset(name):
    return dataclasses.replace(
        NTM_PRESETS[name],
        controller=ControllerConfig(hidden=6),
        memory_rows=9,
        memory_columns=4,
    )


@eqx.filter_jit
def loss_and_gradient(parameters, static, inputs, keys):
    def loss(parameters):
        machine = eqx.combine(parameters, static)
        steps = inputs.shape[1]
        outputs = run_batch(machine, inputs, steps=steps, max_steps=steps, keys=keys)
        return jnp.sum(jnp.square(outputs - 1)), outputs

    (_, outputs), gradient = jax.value_and_grad(loss, has_aux=True)(parameters)
    return outputs, gradient


@pytest.mark.parametrize("name", NTM_PRESETS)
def test_presets_run_and_have_gradients(name):
    parameters, static = split_trainable(build(small_preset(name)))
    inputs = random_inputs(6, batch=(2,)).astype(jnp.float32)
    keys = jax.random.split(jax.random.key(1), 2)
    outputs, gradient = loss_and_gradient(parameters, static, inputs, keys)
    assert outputs.shape == (2, 6, OUTPUTS)
    assert np.all(np.isfinite(outputs))
    for path, leaf in jax.tree.leaves_with_path(gradient):
        assert np.all(np.isfinite(leaf)), jax.tree_util.keystr(path)
        assert np.any(np.asarray(leaf) != 0), jax.tree_util.keystr(path)


@pytest.mark.parametrize("name", NTM_PRESETS)
def test_presets_build_at_full_size(name):
    machine = eqx.filter_eval_shape(NTM_PRESETS[name].build, 9, 8, key=jax.random.key(0))
    rows = NTM_PRESETS[name].memory_rows
    state = jax.eval_shape(
        lambda: (
            NTM_PRESETS[name]
            .build(9, 8, key=jax.random.key(0))
            .init_state(key=jax.random.key(1))
        )
    )
    assert state.memory.shape == (NTM_PRESETS[name].memory_columns, rows)
    assert machine.config is NTM_PRESETS[name]


@pytest.mark.parametrize(
    "choice",
    [
        dict(initial_memory="resampled", initial_memory_range=(0.0, 1.0)),
        dict(initial_weightings="random-row"),
    ],
    ids=["resampled memory", "random row"],
)
def test_random_first_states_need_a_key(choice):
    machine = build(dataclasses.replace(SMALL, **choice))
    with pytest.raises(ValueError, match="give it a key"):
        machine.init_state()
    first, again, other = (machine.init_state(key=jax.random.key(s)) for s in (0, 0, 5))
    same = jax.tree.map(lambda x, y: bool(jnp.all(x == y)), first, again)
    assert all(jax.tree.leaves(same))
    differs = jax.tree.map(lambda x, y: bool(jnp.any(x != y)), first, other)
    assert any(jax.tree.leaves(differs))


def test_a_random_row_is_any_row_and_every_head_s():
    machine = build(dataclasses.replace(SMALL, initial_weightings="random-row"))
    keys = jax.random.split(jax.random.key(0), 200)
    weightings = np.asarray(jax.vmap(lambda k: machine.init_state(key=k).weightings)(keys))
    assert np.all(weightings.sum(-1) == 1)
    assert np.all(weightings.max(-1) == 1)
    assert np.all(weightings[:, 0] == weightings[:, 1])
    assert set(weightings[:, 0].argmax(-1)) == set(range(SMALL.memory_rows))


@pytest.mark.parametrize("kind", ["random", "resampled", "learned"])
def test_first_memories_stay_in_their_range(kind):
    config = dataclasses.replace(SMALL, initial_memory=kind, initial_memory_range=(0.25, 0.75))
    memory = np.asarray(build(config).init_state(key=jax.random.key(0)).memory)
    assert memory.min() >= 0.25
    assert memory.max() <= 0.75
    assert memory.std() > 0.05


def test_constant_memory_takes_the_lower_bound():
    config = dataclasses.replace(SMALL, initial_memory_range=(0.25, 0.75))
    np.testing.assert_array_equal(build(config).init_state().memory, 0.25)


def test_buffers_are_never_trained():
    config = dataclasses.replace(
        SMALL,
        initial_memory="random",
        initial_memory_range=(-1.0, 1.0),
        initial_reads="random",
        initial_weightings="uniform",
    )
    machine = build(config)
    assert isinstance(machine.initial_memory, Buffer)
    assert isinstance(machine.initial_reads, Buffer)
    parameters, static = split_trainable(machine)
    assert jax.tree.leaves(parameters.initial_memory) == []
    assert jax.tree.leaves(parameters.initial_reads) == []
    assert eqx.tree_equal(eqx.combine(parameters, static), machine)
    assert parameter_count(machine) == parameter_count(build(SMALL))


def test_buffers_pass_no_gradient_even_when_asked():
    config = dataclasses.replace(
        SMALL, initial_memory="random", initial_memory_range=(-1.0, 1.0)
    )
    inputs = random_inputs(3).astype(jnp.float32)
    gradient = eqx.filter_jit(eqx.filter_grad(lambda m: jnp.sum(m(inputs) ** 2)))(build(config))
    np.testing.assert_array_equal(gradient.initial_memory.array, 0)


def test_learned_first_states_are_parameters():
    config = dataclasses.replace(
        SMALL, initial_memory="learned", initial_reads="learned", initial_weightings="learned"
    )
    parameters, _ = split_trainable(build(config))
    assert parameters.initial_memory.shape == (4, 7)
    assert parameters.initial_reads.shape == (1, 4)
    assert parameters.initial_weightings.shape == (2, 7)


# --- the symmetry trap --------------------------------------------------------------------

SYMMETRIC = [
    dict(initial_memory=memory, initial_memory_range=(low, low), initial_weightings=weightings)
    for memory in ("constant", "random", "resampled", "learned")
    for low in (0.0, 1e-6, 0.3)
    for weightings in ("uniform", "zeros")
]


@pytest.mark.parametrize("choice", SYMMETRIC, ids=lambda c: "-".join(map(str, c.values())))
def test_indistinguishable_rows_are_refused(choice):
    with pytest.raises(ValueError, match="tell its rows apart"):
        dataclasses.replace(SMALL, **choice)


def memory_after_steps(machine, state):
    step = jax.jit(type(machine).step)
    for x in random_inputs(6, seed=3).astype(jnp.float32):
        state, _ = step(machine, state, x)
    return np.asarray(state.memory)


@pytest.mark.parametrize("order", ORDERS)
def test_why_indistinguishable_rows_are_refused(order):
    """Whatever the parameters: from a symmetric state, all rows stay equal for ever."""
    config = dataclasses.replace(SMALL, order=order, shifts=3)
    machine = with_noise(build(config), 4)
    rows = config.memory_rows
    symmetric = machine.init_state()._replace(weightings=jnp.full((2, rows), 1 / rows))
    memory = memory_after_steps(machine, symmetric)
    assert np.abs(memory).max() > 0.01
    np.testing.assert_allclose(memory, np.tile(memory[:, :1], rows), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("weightings", ["learned", "first-row"])
def test_other_first_weightings_tell_rows_apart(weightings):
    config = dataclasses.replace(SMALL, initial_weightings=weightings)
    machine = with_noise(build(config), 4)
    memory = memory_after_steps(machine, machine.init_state())
    spread = memory.max(axis=1) - memory.min(axis=1)
    assert spread.max() > 0.1 * np.abs(memory).max()


def test_learning_does_not_tell_symmetric_rows_apart():
    """Why a learned memory needs rows that differ from the start: equal gradients."""
    machine = with_noise(build(dataclasses.replace(SMALL, initial_memory="learned")), 5)
    machine = eqx.tree_at(lambda m: m.initial_memory, machine, jnp.full((4, 7), 0.3))
    inputs = random_inputs(4).astype(jnp.float32)

    @eqx.filter_jit
    @eqx.filter_grad
    def gradient_of(machine):
        state = machine.init_state()._replace(weightings=jnp.full((2, 7), 1 / 7))
        outputs = []
        for x in inputs:
            state, output = machine.step(state, x)
            outputs.append(output)
        return jnp.sum(jnp.square(jnp.stack(outputs)))

    gradient = np.asarray(gradient_of(machine).initial_memory)
    assert np.abs(gradient).max() > 0
    np.testing.assert_allclose(gradient, np.tile(gradient[:, :1], 7), rtol=1e-3, atol=1e-6)


# --- other addressing of a trained machine ------------------------------------------------


def first_step(machine):
    state, _ = jax.jit(type(machine).step)(machine, machine.init_state(), jnp.ones(INPUTS))
    return state


def heads_that_see_the_first_memory(config):
    readers = config.read_heads
    return {
        "write-read": slice(readers, None),
        "read-write": slice(None),
        "address-write-read": slice(None),
        "alternate": slice(0, None, readers),
    }[config.order]


@pytest.mark.parametrize("order", ORDERS)
def test_hard_is_the_argmax_of_soft(order):
    config = dataclasses.replace(
        SMALL, order=order, read_heads=2, write_heads=2, initial_weightings="learned"
    )
    machine = with_noise(build(config), 1)
    soft, hard = first_step(machine), first_step(with_test_options(machine, hard=True))
    heads = heads_that_see_the_first_memory(config)
    expected = np.eye(7)[np.argmax(soft.weightings, axis=-1)]
    np.testing.assert_array_equal(hard.weightings[heads], expected[heads])
    np.testing.assert_array_equal(np.sort(hard.weightings, axis=-1)[:, :-1], 0)
    np.testing.assert_array_equal(np.max(hard.weightings, axis=-1), 1)


def test_other_addressing_keeps_parameters_and_what_is_not_named():
    machine = build(SMALL)
    assert eqx.tree_equal(with_test_options(machine), machine)
    changed = with_test_options(machine, wrap=False)
    changed = with_test_options(changed, sharpening_factor=2.0)
    assert changed.config == dataclasses.replace(SMALL, wrap=False, sharpening_factor=2.0)
    assert with_test_options(changed, hard=True, wrap=True).config == dataclasses.replace(
        SMALL, sharpening_factor=2.0, hard=True
    )
    assert eqx.tree_equal(dataclasses.replace(changed, config=SMALL), machine)
    with pytest.raises(SoftmachineError, match=r"sharpening_factor must be positive, not -1"):
        with_test_options(machine, sharpening_factor=-1.0)


def test_sharpening_factor_multiplies_and_stops_at_one():
    machine, hidden = with_noise(build(SMALL), 0, scale=1.0), jnp.ones(6)
    plain = machine.head_parameters(hidden).sharpenings
    for factor in (0.4, 2.0):
        other = with_test_options(machine, sharpening_factor=factor)
        ours = other.head_parameters(hidden).sharpenings
        np.testing.assert_allclose(ours, np.maximum(factor * plain, 1), rtol=1e-6)


@pytest.mark.parametrize("order", ORDERS)
def test_a_grown_memory_with_hard_heads(order):
    """All options together, called and batched."""
    config = dataclasses.replace(SMALL, order=order, initial_weightings="learned")
    machine = with_noise(build(config), 3).with_memory_rows(13)
    machine = with_test_options(machine, hard=True, wrap=False, sharpening_factor=2.0)
    assert machine.with_memory_rows(20).config.hard
    inputs = random_inputs(6, batch=(2,)).astype(jnp.float32)
    called = jax.jit(jax.vmap(lambda x: machine(x)))(inputs)
    batched = eqx.filter_jit(run_batch)(machine, inputs, steps=6, max_steps=6)
    assert np.all(np.isfinite(called))
    np.testing.assert_allclose(batched, called, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("order", ORDERS)
def test_hard_heads_have_finite_gradients(order):
    """Keys and shifts get none; what is written and read still does."""
    config = dataclasses.replace(SMALL, order=order, hard=True, wrap=False)
    parameters, static = split_trainable(with_noise(build(config), 3))
    inputs = random_inputs(4, batch=(2,)).astype(jnp.float32)
    _, gradient = loss_and_gradient(parameters, static, inputs, None)
    for path, leaf in jax.tree.leaves_with_path(gradient):
        assert np.all(np.isfinite(leaf)), jax.tree_util.keystr(path)
    keys, addressing = gradient.heads.bias[: 2 * 4], gradient.heads.bias[2 * 4 : -2 * 4]
    np.testing.assert_array_equal(keys, 0)
    np.testing.assert_array_equal(addressing, 0)
    assert np.any(gradient.heads.bias[-4:] != 0)


# --- other sizes of memory ----------------------------------------------------------------


@pytest.mark.parametrize("weightings", ["learned", "first-row", "random-row"])
def test_memory_can_grow(weightings):
    machine = with_noise(build(dataclasses.replace(SMALL, initial_weightings=weightings)), 0)
    grown = machine.with_memory_rows(13)
    assert grown.config == dataclasses.replace(machine.config, memory_rows=13)
    before, after = (m.init_state(key=jax.random.key(0)) for m in (machine, grown))
    assert after.memory.shape == (4, 13)
    assert after.weightings.shape == (2, 13)
    np.testing.assert_array_equal(after.memory, np.float32(1e-6))
    np.testing.assert_allclose(np.sum(after.weightings, axis=-1), 1, rtol=1e-5)
    if weightings != "random-row":
        np.testing.assert_allclose(after.weightings[:, :7], before.weightings, rtol=1e-6)
        np.testing.assert_array_equal(after.weightings[:, 7:], 0)
    assert grown(random_inputs(3).astype(jnp.float32), key=jax.random.key(0)).shape == (
        3,
        OUTPUTS,
    )


def test_growing_touches_no_other_parameter():
    machine = build(dataclasses.replace(SMALL, initial_weightings="learned"))
    grown = machine.with_memory_rows(13)
    for name in ("controller", "heads", "output"):
        assert eqx.tree_equal(getattr(machine, name), getattr(grown, name))


def test_the_same_number_of_rows_changes_nothing():
    machine = build(dataclasses.replace(SMALL, initial_memory="learned"))
    assert eqx.tree_equal(machine.with_memory_rows(7), machine)


def test_a_machine_that_goes_by_location_does_not_notice_new_rows():
    """Closed gates, sure shifts: heads walk on from row 0, whatever lies beyond."""
    machine = with_noise(build(SMALL), 0)
    sizes = [2 * 4, 2, 2, 2, 2 * 3, 4, 4]
    bias = np.zeros(sum(sizes), np.float32)
    _, _, _, gates, shifts, _, _ = np.split(bias, np.cumsum(sizes)[:-1])
    gates[:] = -100
    shifts[:] = np.tile([-100, -100, 100], 2)
    walking = dataclasses.replace(
        machine,
        heads=dataclasses.replace(
            machine.heads,
            weight=machine.heads.weight.at[8 : 8 + 12].set(0),
            bias=jnp.asarray(bias),
        ),
        config=dataclasses.replace(machine.config, head_clip=None),
    )
    inputs = random_inputs(5).astype(jnp.float32)
    grown = walking.with_memory_rows(14)
    np.testing.assert_allclose(
        eqx.filter_jit(grown)(inputs), eqx.filter_jit(walking)(inputs), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("kind", ["learned", "random"])
def test_a_memory_of_one_s_own_cannot_be_resized(kind):
    machine = build(
        dataclasses.replace(SMALL, initial_memory=kind, initial_memory_range=(-1.0, 1.0))
    )
    with pytest.raises(ValueError, match="cannot be resized from 7 to 9 rows"):
        machine.with_memory_rows(9)


def test_learned_weightings_cannot_shrink():
    machine = build(dataclasses.replace(SMALL, initial_weightings="learned"))
    with pytest.raises(ValueError, match=r"from 7.* not shrink to 5"):
        machine.with_memory_rows(5)


# --- errors -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (dict(memory_rows=0), "memory_rows must be at least 1, not 0"),
        (dict(memory_columns=0), "memory_columns must be at least 1, not 0"),
        (dict(read_heads=0), "read_heads must be at least 1, not 0"),
        (dict(write_heads=-1), "write_heads must be at least 1, not -1"),
        (dict(shifts=0), "shifts must be at least 1, not 0"),
        (dict(shifts=9), r"shifts \(9\) must not exceed memory_rows \(7\)"),
        (dict(head_clip=0.0), "head_clip must be positive, not 0.0"),
        (dict(similarity_smoothing=0.0), "and similarity_epsilon must not both be 0"),
        (dict(similarity_epsilon=-1.0), "similarity_epsilon must be at least 0, not -1.0"),
        (dict(sharpening_smoothing=-1.0), "sharpening_smoothing must be at least 0, not -1.0"),
        (dict(sharpening_factor=0.0), "sharpening_factor must be positive, not 0.0"),
        (dict(initial_memory_range=(1.0, 0.0)), r"must be \(low, high\), not \(1.0, 0.0\)"),
    ],
)
def test_bad_choices_are_refused(choice, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(SMALL, **choice)


# --- extremes, in float32 -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "head_clip"), [("write-read", None), ("write-read", 20.0), ("alternate", None)]
)
def test_wild_heads_stay_finite(order, head_clip):
    """Head weights a thousand times too large, over a sequence."""
    config = dataclasses.replace(
        SMALL, order=order, head_clip=head_clip, initial_weightings="learned", memory_rows=64
    )
    machine = with_noise(build(config), 6, scale=0.1)
    machine = eqx.tree_at(lambda m: m.heads.weight, machine, machine.heads.weight * 1e3)
    parameters, static = split_trainable(machine)
    inputs = random_inputs(20, batch=(4,)).astype(jnp.float32)
    outputs, gradient = loss_and_gradient(parameters, static, inputs, None)
    assert np.all(np.isfinite(outputs))
    for path, leaf in jax.tree.leaves_with_path(gradient):
        assert np.all(np.isfinite(leaf)), jax.tree_util.keystr(path)
