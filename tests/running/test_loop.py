"""The fast path gives what the plain path gives, gradients included."""

import dataclasses
from functools import lru_cache

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.machines.machine import split_trainable
from softmachine.machines.ntm.ntm import NTMConfig
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.machines.parts.linear import called_once
from softmachine.machines.recurrent import RecurrentConfig
from softmachine.running.keeping import ALL_STATES, EveryKth, SquareRoot
from softmachine.running.loop import run_batch
from softmachine.running.scan import scan_steps

INPUTS, OUTPUTS, BATCH, MAX_STEPS = 3, 2, 2, 6


def ntm(kind="lstm", layers=1, **options):
    return NTMConfig(
        controller=ControllerConfig(kind=kind, hidden=5, layers=layers),
        memory_rows=6,
        memory_columns=4,
        **options,
    )


MACHINES = {
    "lstm, write-read": ntm(),
    "2 lstms, read-write, 2 + 2 heads": ntm(
        layers=2, order="read-write", read_heads=2, write_heads=2
    ),
    "gru, address-write-read, 1 + 2 heads": ntm(
        "gru", order="address-write-read", write_heads=2, write_composition="sequential"
    ),
    "2 counters, read-write": ntm("counter", 2, order="read-write"),
    "2 grus, alternate, 2 + 2 heads": ntm(
        "gru", 2, order="alternate", read_heads=2, write_heads=2
    ),
    "feedforward, alternate, drawn first states": ntm(
        "feedforward",
        order="alternate",
        initial_memory="resampled",
        initial_memory_range=(-1.0, 1.0),
        initial_weightings="random-row",
    ),
    "2 feedforward, write-read, learned and fixed first states": ntm(
        "feedforward", 2, read_heads=2, initial_memory="learned", initial_reads="random"
    ),
    "no memory, 2 lstms": RecurrentConfig(controller=ControllerConfig(hidden=4, layers=2)),
}


@pytest.mark.parametrize("config", MACHINES.values(), ids=MACHINES)
def test_run_batch_is_vmap_with_the_same_gradients(config):
    """Fewer steps than there is room for, known only at run time."""
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        machine = eqx.filter_jit(config.build)(INPUTS, OUTPUTS, key=jax.random.key(0))
        parameters, static = split_trainable(machine)
        parameters = jax.tree.map(
            lambda x: x + jnp.asarray(0.3 * rng.normal(size=x.shape)), parameters
        )
        inputs = jnp.asarray(rng.normal(size=(BATCH, MAX_STEPS, INPUTS)))
        probe = jnp.asarray(rng.normal(size=(BATCH, MAX_STEPS, OUTPUTS)))
        keys = jax.random.split(jax.random.key(1), BATCH)

        def plain(machine, inputs, steps):
            del steps
            return jax.vmap(lambda x, key: machine(x, key=key))(inputs, keys)

        def fast(machine, inputs, steps):
            return run_batch(machine, inputs, steps=steps, max_steps=MAX_STEPS, keys=keys)

        def scored(run):
            def score(parameters, inputs, steps):
                outputs = run(eqx.combine(parameters, static), inputs, steps)
                mask = (jnp.arange(MAX_STEPS) < steps)[:, None]
                return jnp.sum(probe * outputs * mask), outputs * mask

            return jax.jit(jax.value_and_grad(score, argnums=(0, 1), has_aux=True))

        fast, plain = scored(fast), scored(plain)
        for steps in (0, 1, 4, MAX_STEPS):
            (_, outputs), gradients = fast(parameters, inputs, jnp.asarray(steps))
            (_, expected), expected_gradients = plain(parameters, inputs, jnp.asarray(steps))
            np.testing.assert_allclose(outputs, expected, rtol=1e-11, atol=1e-12)
            assert jax.tree.structure(gradients) == jax.tree.structure(expected_gradients)
            for (path, ours), theirs in zip(
                jax.tree.leaves_with_path(gradients),
                jax.tree.leaves(expected_gradients),
                strict=True,
            ):
                np.testing.assert_allclose(
                    ours, theirs, rtol=1e-9, atol=1e-11, err_msg=jax.tree_util.keystr(path)
                )


def test_what_stands_after_the_last_step_is_finite():
    """A mask multiplies it, and zero times NaN is NaN."""
    machine = eqx.filter_jit(ntm().build)(INPUTS, OUTPUTS, key=jax.random.key(0))
    outputs = jax.jit(
        lambda inputs, steps: run_batch(machine, inputs, steps=steps, max_steps=MAX_STEPS)
    )(jnp.ones((BATCH, MAX_STEPS, INPUTS)), jnp.asarray(2))
    assert outputs.shape == (BATCH, MAX_STEPS, OUTPUTS)
    assert np.all(np.isfinite(outputs))


def test_machines_that_draw_their_first_state_need_keys():
    config = dataclasses.replace(ntm(), initial_weightings="random-row")
    machine = eqx.filter_jit(config.build)(INPUTS, OUTPUTS, key=jax.random.key(0))
    with pytest.raises(ValueError, match="give it a key"):
        run_batch(machine, jnp.ones((BATCH, 3, INPUTS)), steps=3, max_steps=3)


def test_each_example_has_its_own_key():
    config = ntm(initial_memory="resampled", initial_memory_range=(-1.0, 1.0))
    machine = eqx.filter_jit(config.build)(INPUTS, OUTPUTS, key=jax.random.key(0))
    keys = jax.random.split(jax.random.key(1), BATCH)
    inputs = jnp.ones((BATCH, 2, INPUTS))
    outputs = eqx.filter_jit(run_batch)(machine, inputs, steps=2, max_steps=2, keys=keys)
    assert np.any(np.asarray(outputs[0]) != np.asarray(outputs[1]))


# --- the loop itself ----------------------------------------------------------------------


def advance(constants, parameters, state, inputs, time):
    """A step with a mixed pytree of floating-point and integer arrays."""
    drive, index = inputs
    drive = drive + 0.1 * time
    value = jnp.tanh(parameters["weight"] @ state["value"] + constants * drive)
    return (
        {"value": value, "count": state["count"] + index},
        {"value": value * parameters["gain"], "count": (state["count"] + index) * 1.0},
    )


def loop_arguments():
    rng = np.random.default_rng(0)
    return (
        jnp.asarray(0.7),
        {"weight": jnp.asarray(rng.normal(size=(3, 3))), "gain": jnp.asarray(1.5)},
        {"value": jnp.asarray(rng.normal(size=3)), "count": jnp.asarray(2)},
        (jnp.asarray(rng.normal(size=(MAX_STEPS, 3))), jnp.arange(MAX_STEPS)),
    )


PROBE = np.random.default_rng(1).normal(size=(MAX_STEPS, 3))


@lru_cache
def scanned(steps):
    """Return what `jax.lax.scan` makes of the arguments, and gradients."""
    constants, parameters, state, inputs = loop_arguments()

    def plain(parameters, value, drive):
        _, features = jax.lax.scan(
            lambda state, x: advance(constants, parameters, state, x[:2], x[2]),
            state | {"value": value},
            (drive[:steps], inputs[1][:steps], jnp.arange(steps)),
        )
        features = jax.tree.map(
            lambda x: jnp.zeros((MAX_STEPS, *x.shape[1:])).at[:steps].set(x), features
        )
        return jnp.sum(PROBE * features["value"]), features

    gradient = jax.jit(jax.value_and_grad(plain, argnums=(0, 1, 2), has_aux=True))
    return gradient(parameters, state["value"], inputs[0])


@pytest.mark.parametrize(
    "keep", [ALL_STATES, EveryKth(1), EveryKth(4), EveryKth(9), SquareRoot()], ids=str
)
def test_scan_steps_is_scan(keep):
    """Whatever is kept for the way back, however many steps there are."""
    with jax.enable_x64(True):
        constants, parameters, state, inputs = loop_arguments()

        def ours(parameters, value, drive, steps):
            features = scan_steps(
                advance,
                MAX_STEPS,
                constants,
                parameters,
                state | {"value": value},
                (drive, inputs[1]),
                steps,
                keep=keep,
            )
            return jnp.sum(PROBE * features["value"]), features

        gradient = jax.jit(jax.value_and_grad(ours, argnums=(0, 1, 2), has_aux=True))
        for steps in (0, 1, 4, 5, MAX_STEPS):
            found = gradient(parameters, state["value"], inputs[0], steps)
            for mine, theirs in zip(
                jax.tree.leaves(found), jax.tree.leaves(scanned(steps)), strict=True
            ):
                np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("config", MACHINES.values(), ids=MACHINES)
def test_no_layer_s_gradient_is_added_up_in_the_loop(config):
    """Right as well, but several times slower."""
    machine = eqx.filter_eval_shape(config.build, INPUTS, OUTPUTS, key=jax.random.key(0))
    state = jax.eval_shape(lambda m: m.init_state(key=jax.random.key(0)), machine)
    encoded = jax.eval_shape(lambda m, x: m.encode(x), machine, jnp.zeros(INPUTS))
    once = called_once(type(machine).advance, machine, state, encoded)
    assert once
    assert all(once)


def run_both(machine, inputs, steps=None):
    """Return the outputs of `vmap` and of `run_batch`."""
    keys = jax.random.split(jax.random.key(1), BATCH)
    room = inputs.shape[1]
    steps = room if steps is None else steps
    return (
        jax.vmap(lambda x, key: machine(x, key=key))(inputs, keys),
        run_batch(machine, inputs, steps=steps, max_steps=room, keys=keys),
    )


# --- second derivatives, no steps, what does not fit --------------------------------------


@pytest.mark.parametrize("name", ["lstm, write-read", "no memory, 2 lstms"])
def test_second_derivatives_are_refused_in_words(name):
    """They would use each tap twice. Traced alone."""
    machine = eqx.filter_eval_shape(
        MACHINES[name].build, INPUTS, OUTPUTS, key=jax.random.key(0)
    )
    inputs = jnp.ones((BATCH, 3, INPUTS))

    def of_gradient(machine):
        loss = eqx.filter_grad(lambda m: jnp.sum(run_both(m, inputs)[1]))
        return sum(jnp.sum(leaf) for leaf in jax.tree.leaves(loss(machine)))

    with pytest.raises(NotImplementedError, match=r"second derivatives of run_batch .*vmap"):
        eqx.filter_eval_shape(eqx.filter_grad(of_gradient), machine)


def test_derivatives_forwards_are_refused():
    config = RecurrentConfig(controller=ControllerConfig(hidden=2))
    machine = config.build(INPUTS, OUTPUTS, key=jax.random.key(0))
    inputs = jnp.ones((BATCH, 3, INPUTS))

    def loss(machine):
        return jnp.sum(run_batch(machine, inputs, steps=3, max_steps=3))

    for function in (loss, jax.grad(loss)):
        with pytest.raises(TypeError, match="forward-mode"):
            jax.jit(lambda m, f=function: jax.jvp(f, (m,), (m,)))(machine)


@pytest.mark.parametrize("config", MACHINES.values(), ids=MACHINES)
def test_no_steps_give_no_outputs(config):
    """Traced alone: what would fail fails there."""
    machine = eqx.filter_eval_shape(config.build, INPUTS, OUTPUTS, key=jax.random.key(0))
    keys = jax.random.split(jax.random.key(1), BATCH)

    def alone(machine):
        return machine(jnp.zeros((0, INPUTS)), key=keys[0])

    def together(machine):
        outputs = run_batch(
            machine, jnp.zeros((BATCH, 0, INPUTS)), steps=0, max_steps=0, keys=keys
        )
        return jnp.sum(outputs), outputs

    assert eqx.filter_eval_shape(alone, machine).shape == (0, OUTPUTS)
    gradient = eqx.filter_grad(together, has_aux=True)
    _, outputs = eqx.filter_eval_shape(gradient, machine)
    assert outputs.shape == (BATCH, 0, OUTPUTS)


def test_no_steps_have_no_gradient():
    machine = RecurrentConfig(controller=ControllerConfig(hidden=2)).build(
        INPUTS, OUTPUTS, key=jax.random.key(0)
    )
    inputs = jnp.zeros((BATCH, 0, INPUTS))
    gradient = eqx.filter_jit(
        eqx.filter_grad(lambda m: jnp.sum(run_batch(m, inputs, steps=0, max_steps=0)))
    )(machine)
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(gradient))


def test_inputs_of_another_shape_are_refused_in_words():
    machine = eqx.filter_jit(ntm().build)(INPUTS, OUTPUTS, key=jax.random.key(0))

    def batch(inputs, steps=6):
        return run_batch(machine, inputs, steps=steps, max_steps=6)

    hint = r"use jax\.vmap\(machine\) or softmachine\.run_batch"
    for call, message in (
        (
            lambda: machine(jnp.ones((4, 20, 3))),
            rf"\(steps, 3\), one .* got \(4, 20, 3\).*{hint}",
        ),
        (
            lambda: machine(jnp.ones((20, 4))),
            r"expected inputs of shape \(steps, 3\).*\(20, 4\)$",
        ),
        (
            lambda: machine(np.ones(3)),
            r"NTM expected inputs of shape \(steps, 3\).*got \(3,\)$",
        ),
        (lambda: machine([[0.0] * 3]), r"\(steps, 3\), one example; got a list, no array"),
        (
            lambda: machine.step(machine.init_state(), jnp.ones((1, 3))),
            r"\(3,\), one step of one",
        ),
        (
            lambda: batch(jnp.ones((6, 3))),
            r"\(batch, 6, 3\), a batch of examples; got \(6, 3\)$",
        ),
        (lambda: batch(jnp.ones((2, 5, 3))), r"\(batch, 6, 3\), a batch .*got \(2, 5, 3\)$"),
        (lambda: batch(jnp.ones((2, 6, 3)), 7), r"between 0 and max_steps \(6\), not 7"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_what_is_not_one_for_each_example_is_refused_in_words():
    """Masks of penalties and keys would else be spread over the wrong axis."""
    machine = eqx.filter_eval_shape(ntm().build, INPUTS, OUTPUTS, key=jax.random.key(0))
    keys = jax.random.split(jax.random.key(0), 3)
    for options, message in (
        ({"lengths": jnp.array([1, 2, 3])}, r"lengths must .* shape \(2,\); not \(3,\)"),
        ({"keys": keys}, r"keys must have one entry for each of 2 .*; not \(3,\)"),
        ({"batch_axis": 1}, "batch_axis must be one of 0, -1; not 1"),
    ):
        with pytest.raises(ValueError, match=message):
            run_batch(machine, jnp.ones((2, 6, 3)), steps=6, max_steps=6, **options)


# --- other types than float32 -------------------------------------------------------------


@pytest.mark.parametrize("config", MACHINES.values(), ids=MACHINES)
def test_states_and_outputs_have_the_type_of_the_parameters(config):
    """Not of the inputs, nor JAX's own. Traced alone: a loop whose state changes type fails."""
    check_types(config, jnp.bfloat16, [jnp.float64])


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.float32, jnp.float64])
@pytest.mark.parametrize("name", ["lstm, write-read", "no memory, 2 lstms"])
def test_any_type_of_inputs_is_taken(name, dtype):
    others = [jnp.bfloat16, jnp.int32, bool] if dtype == jnp.float32 else []
    check_types(MACHINES[name], dtype, [dtype, *others])


def check_types(config, dtype, kinds):
    machine = eqx.filter_eval_shape(config.build, INPUTS, OUTPUTS, key=jax.random.key(0))
    with jax.enable_x64(True):
        machine = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, dtype) if hasattr(x, "shape") else x,
            machine,
        )
        for kind in kinds:
            inputs = jax.ShapeDtypeStruct((BATCH, 4, INPUTS), kind)
            for outputs in eqx.filter_eval_shape(run_both, machine, inputs):
                assert outputs.dtype == dtype
        gradient = eqx.filter_eval_shape(
            eqx.filter_grad(lambda m, x: jnp.sum(run_both(m, x)[1])), machine, inputs
        )
        assert {leaf.dtype for leaf in jax.tree.leaves(gradient)} == {jnp.dtype(dtype)}


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_outputs_in_half_precision_are_close(dtype):
    """First weights of zeros and rows of 1e-6, neither of which may come to nothing."""
    config = ntm(initial_memory_range=(1e-6, 1e-6), initial_weightings="first-row")
    machine = eqx.filter_jit(config.build)(INPUTS, OUTPUTS, key=jax.random.key(0))
    inputs = jnp.asarray(np.random.default_rng(0).integers(0, 2, (BATCH, 4, INPUTS)))
    run = eqx.filter_jit(run_both)
    expected, _ = run(machine, inputs)
    half = jax.tree.map(lambda x: x.astype(dtype) if eqx.is_inexact_array(x) else x, machine)
    for outputs in run(half, inputs):
        np.testing.assert_allclose(outputs.astype(jnp.float32), expected, atol=0.02)
