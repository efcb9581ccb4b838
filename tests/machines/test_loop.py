"""The fast path gives what the plain path gives, gradients included."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.machines.controllers import ControllerConfig
from softmachine.machines.linear import LoopLinear
from softmachine.machines.loop import run_batch, scan_steps
from softmachine.machines.machine import Machine, split_trainable
from softmachine.machines.ntm import NTMConfig
from softmachine.machines.recurrent import RecurrentConfig

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


def advance(constants, parameters, state, inputs):
    """A step with a mixed pytree of floating-point and integer arrays."""
    drive, index = inputs
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


@pytest.mark.parametrize("steps", [0, 1, 4, MAX_STEPS])
def test_scan_steps_is_scan(steps):
    with jax.enable_x64(True):
        constants, parameters, state, inputs = loop_arguments()
        probe = jnp.asarray(np.random.default_rng(1).normal(size=(MAX_STEPS, 3)))

        def ours(parameters, value, drive, steps):
            features = scan_steps(
                advance,
                MAX_STEPS,
                constants,
                parameters,
                state | {"value": value},
                (drive, inputs[1]),
                steps,
            )
            return jnp.sum(probe * features["value"]), features

        def plain(parameters, value, drive, steps):
            _, features = jax.lax.scan(
                lambda state, x: advance(constants, parameters, state, x),
                state | {"value": value},
                (drive[:steps], inputs[1][:steps]),
            )
            features = jax.tree.map(
                lambda x: jnp.zeros((MAX_STEPS, *x.shape[1:])).at[:steps].set(x), features
            )
            return jnp.sum(probe * features["value"]), features

        arguments = parameters, state["value"], inputs[0]
        gradient = jax.value_and_grad(ours, argnums=(0, 1, 2), has_aux=True)
        (_, features), gradients = jax.jit(gradient)(*arguments, steps)
        (_, expected), expected_gradients = jax.jit(
            jax.value_and_grad(plain, argnums=(0, 1, 2), has_aux=True), static_argnums=3
        )(*arguments, steps)
        for mine, theirs in zip(
            jax.tree.leaves((features, gradients)),
            jax.tree.leaves((expected, expected_gradients)),
            strict=True,
        ):
            np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-14)


class Twice(Machine):
    layer: LoopLinear

    def init_state(self, inputs, *, key=None):
        del inputs, key
        return jnp.zeros(2)

    def advance(self, state, x):
        state = self.layer(self.layer(state)) + x
        return state, state


def test_a_layer_called_twice_in_a_step_is_refused():
    machine = Twice(LoopLinear(jnp.eye(2), None))
    with pytest.raises(ValueError, match="called twice in one step"):
        run_batch(machine, jnp.ones((1, 3, 2)), steps=3, max_steps=3)
