"""What a cell may use besides its state: the clock, extra losses, outputs of the last step."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.machines.machine import CLOCK, STOPPED, Cell, Clock, split_trainable
from softmachine.machines.parts.linear import LoopLinear
from softmachine.running.keeping import ALL_STATES, EveryKth, SquareRoot
from softmachine.running.loop import run_batch, run_examples

BATCH, ROOM, WIDTH = 3, 7, 4
LENGTHS = np.array([2, 5, 1])


class Dropping(Cell):
    """Drops some of its state in training, later steps more, and pays for what is left."""

    layer: LoopLinear
    decoded: list[Any] = eqx.field(static=True)
    """Shapes of what was decoded."""

    def init_state(self, inputs, *, key=None):
        del key
        return jnp.zeros_like(inputs[0])

    def advance(self, state, encoded, clock=STOPPED):
        state = jnp.tanh(self.layer(state) + encoded)
        if clock.training:
            state *= jax.random.uniform(clock.key, state.shape, state.dtype)
        return state / (1 + clock.step), state

    def decode(self, features):
        self.decoded.append(features.shape)
        return features**2

    def penalties(self, features):
        return {"size": 0.1 * jnp.sum(features**2, axis=-1), "first": features[..., 0]}


def dropping(dtype=None):
    rng = np.random.default_rng(0)
    weight = jnp.asarray(rng.normal(size=(WIDTH, WIDTH)), dtype)
    inputs = jnp.asarray(rng.normal(size=(BATCH, ROOM, WIDTH)), dtype)
    return Dropping(LoopLinear(weight, None), []), inputs, keys()


def keys():
    return jax.random.split(jax.random.key(5), BATCH)


def by_hand(machine, inputs, key, length, training):
    """Return outputs and penalties of one example's own steps, from the formulas above."""
    state, outputs = jnp.zeros(WIDTH, inputs.dtype), []
    size = first = 0.0
    for t in range(length):
        state = jnp.tanh(machine.layer.weight @ state + inputs[t])
        if training:
            own = jax.random.fold_in(jax.random.fold_in(key, CLOCK), t)
            state = state * jax.random.uniform(own, state.shape, state.dtype)
        outputs.append(state**2)
        size, first = size + 0.1 * jnp.sum(state**2), first + state[0]
        state = state / (1 + t)
    return jnp.stack(outputs), {"size": size, "first": first}


@pytest.mark.parametrize("training", [False, True])
def test_a_step_has_its_number_its_key_and_the_mode(training):
    """In a batch, alone, and by hand; drawn from the example's key and the number alone."""
    with jax.enable_x64(True):
        machine, inputs, keys = dropping()
        batch = eqx.filter_jit(run_examples)(
            machine,
            inputs,
            steps=5,
            max_steps=ROOM,
            lengths=jnp.asarray(LENGTHS),
            keys=keys,
            training=training,
        )
        alone = eqx.filter_jit(
            jax.vmap(lambda x, n, k: machine.run(x, steps=n, key=k, training=training))
        )(inputs, jnp.asarray(LENGTHS), keys)
        for i, length in enumerate(LENGTHS):
            outputs, penalties = by_hand(machine, inputs[i], keys[i], length, training)
            for found in (batch, alone):
                np.testing.assert_allclose(found.outputs[i, :length], outputs, rtol=1e-12)
                for name, value in penalties.items():
                    np.testing.assert_allclose(found.penalties[name][i], value, rtol=1e-12)
            state = machine.init_state(inputs[i])
            for t in range(length):
                clock = Clock(t, keys[i], training)
                state, output = machine.step(state, inputs[i, t], clock=clock)
                np.testing.assert_allclose(output, outputs[t], rtol=1e-12)


def test_a_call_is_no_training():
    machine, inputs, keys = dropping()
    plain, _ = by_hand(machine, inputs[0], keys[0], ROOM, False)
    np.testing.assert_allclose(machine(inputs[0], key=keys[0]), plain, rtol=1e-5)


@pytest.mark.parametrize("keep", [ALL_STATES, EveryKth(3), SquareRoot()], ids=str)
@pytest.mark.parametrize("last", [False, True])
def test_outputs_of_the_last_step_and_their_gradients(last, keep):
    """Each example's own last step, and nothing else is decoded."""
    with jax.enable_x64(True):
        machine, inputs, keys = dropping()
        probe = jnp.cos(jnp.arange(BATCH * ROOM * WIDTH).reshape(BATCH, ROOM, WIDTH) * 1.0)

        def score(run):
            def of(weight, inputs):
                outputs, penalties = run(Dropping(LoopLinear(weight, None), []), inputs)
                outputs = outputs.reshape(BATCH, -1, WIDTH)
                return jnp.sum(probe[:, : outputs.shape[1]] * outputs) + sum(
                    jnp.sum(jnp.sin(x)) for x in penalties.values()
                )

            return jax.jit(jax.value_and_grad(of, (0, 1)))

        def fast(machine, inputs):
            outcome = run_examples(
                machine,
                inputs,
                steps=5,
                max_steps=ROOM,
                lengths=jnp.asarray(LENGTHS),
                keys=keys,
                training=True,
                last=last,
                keep=keep,
            )
            if last:
                assert set(machine.decoded) == {(BATCH, WIDTH)}
                return outcome
            mask = (jnp.arange(ROOM) < LENGTHS[:, None])[..., None]
            return outcome.outputs * mask, outcome.penalties

        def plain(machine, inputs):
            each = [
                by_hand(machine, inputs[i], keys[i], length, True)
                for i, length in enumerate(LENGTHS)
            ]
            if last:
                outputs = jnp.stack([outputs[-1] for outputs, _ in each])
            else:
                outputs = jnp.stack(
                    [jnp.zeros((ROOM, WIDTH)).at[: len(y)].set(y) for y, _ in each]
                )
            return outputs, jax.tree.map(lambda *x: jnp.stack(x), *[p for _, p in each])

        weight = machine.layer.weight
        for ours, theirs in zip(
            jax.tree.leaves(score(fast)(weight, inputs)),
            jax.tree.leaves(score(plain)(weight, inputs)),
            strict=True,
        ):
            np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)


def test_who_needs_a_clock_and_has_none_says_so():
    machine, inputs, _ = dropping()
    state = machine.init_state(inputs[0])
    with pytest.raises(ValueError, match=r"counts its steps: .*clock=Clock\(number\)"):
        machine.step(state, inputs[0, 0])
    with pytest.raises(ValueError, match=r"draws at random in every step: give it a key"):
        machine.step(state, inputs[0, 0], clock=Clock(0, training=True))
    with pytest.raises(ValueError, match="draws at random in every step"):
        run_batch(machine, inputs, steps=2, max_steps=ROOM, training=True)


def test_branches_of_keys_do_not_meet():
    """A first state may split the same key that the clock folds the steps' numbers into."""
    key = jax.random.key(0)
    used = {tuple(jax.random.key_data(k).tolist()) for k in jax.random.split(key, 50)}
    ticks = [Clock(t, key).key for t in range(50)]
    used |= {tuple(jax.random.key_data(k).tolist()) for k in [key, *ticks]}
    assert len(used) == 101


def test_a_machine_without_an_input_per_step_asks_for_the_number_of_steps():
    class Still(Dropping):
        def encode(self, inputs):
            del inputs

        def advance(self, state, encoded, clock=STOPPED):
            del encoded, clock
            return jnp.tanh(self.layer(state) + 1), state

    machine, inputs, _ = dropping()
    still = Still(machine.layer, [])
    assert still(inputs[0], steps=3).shape == (3, WIDTH)
    with pytest.raises(ValueError, match=r"Still has no input per step: say how many steps"):
        still(inputs[0])


def test_only_weights_are_trained():
    machine, _, _ = dropping()
    assert len(jax.tree.leaves(split_trainable(machine)[0])) == 1
