"""The NPI's core against numbers of an independent script; what its configuration takes."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from softmachine.core.specs.bits import Bits
from softmachine.core.specs.calls import Calls, Categories
from softmachine.core.specs.spec import Stream
from softmachine.machines.machine import split_trainable
from softmachine.machines.npi import NPIConfig, npi_for
from softmachine.running.loop import run_batch

SMALL = NPIConfig(
    programs=3,
    arguments=(2, 3),
    observation=3,
    embedding=2,
    key=2,
    fused=3,
    hidden=2,
    layers=2,
)
WIDTH = 4 + 2 + 3 + 3  # an observation of four channels, the arguments, the program


def fill(shape, tag):
    count = int(np.prod(shape))
    return 0.5 * np.sin(tag + 0.9 * np.arange(count)).reshape(shape)


def golden():
    """Return the core of the sheet: three argument channels in, heads of two and three out."""
    machine = SMALL.build(WIDTH, 1 + 3 + 5, key=jax.random.key(0))
    tags = iter(range(1, 100))
    enc_w1, enc_b1, enc_w2, enc_b2 = (fill(s, next(tags)) for s in ((3, 7), (3,), (3, 3), (3,)))
    m_prog = fill((3, 2), next(tags))
    fuse = [fill(s, next(tags)) for s in ((3, 5), (3,), (3, 3), (3,))]
    layers = []
    for inputs in (3, 2):
        w_x, w_h, b = (fill(s, next(tags)) for s in ((8, inputs), (8, 2), (8,)))
        layers += [np.concatenate([w_x, w_h], axis=1), b]
    end = [fill(s, next(tags)) for s in ((1, 2), (1,))]
    key = [fill(s, next(tags)) for s in ((2, 2), (2,))]
    m_key = fill((3, 2), next(tags))
    heads = [fill(s, next(tags)) for size in (2, 3) for s in ((size, 2), (size,))]
    arrays = [
        *[enc_w1, enc_b1, enc_w2, enc_b2],
        m_prog,
        *fuse,
        *layers,
        *end,
        *key,
        m_key,
        *heads,
    ]
    arrays = [jnp.asarray(x) for x in arrays]
    # Two channels more than the sheet's three: weights of 0 for those that it has not.
    spare = jnp.zeros((3, 2))
    arrays[0] = jnp.concatenate([arrays[0], spare], axis=1)
    parameters, static = split_trainable(machine)
    filled = jax.tree.unflatten(jax.tree.structure(parameters), arrays)
    for own, wanted in zip(jax.tree.leaves(parameters), arrays, strict=True):
        assert own.shape == wanted.shape
    return eqx.combine(filled, static)


def test_two_steps_of_the_golden_core():
    with jax.enable_x64(True):
        machine = golden()
        seen = [[0, 1, 0, 0], [0, 0, 1, 0]]
        inputs = jnp.asarray([[*e, 1, 0, 0, 0, 0, 0, 1, 0] for e in seen], float)
        state, step = machine.init_state(), eqx.filter_jit(machine.step)
        state, first = step(state, inputs[0])
        expected = [0.245803, -0.139099, -0.182596]
        assert jax.nn.sigmoid(first[0]) == pytest.approx(0.374247, abs=1e-6)
        np.testing.assert_allclose(first[1:4], expected, atol=1e-6)
        np.testing.assert_allclose(first[4:6], [-0.021433, -0.419494], atol=1e-6)
        np.testing.assert_allclose(first[6:], [-0.472751, -0.083677, 0.314999], atol=1e-6)
        hidden = [[0.025676, -0.079229], [-0.050153, 0.087305]]
        cells = [[0.072060, -0.167544], [-0.080624, 0.154123]]
        np.testing.assert_allclose(state, [hidden, cells], atol=1e-6)
        state, second = step(state, inputs[1])
        expected = [0.252351, -0.138320, -0.189498]
        assert jax.nn.sigmoid(second[0]) == pytest.approx(0.372034, abs=1e-6)
        np.testing.assert_allclose(second[1:4], expected, atol=1e-6)
        np.testing.assert_allclose(second[4:6], [-0.033660, -0.422804], atol=1e-6)
        np.testing.assert_allclose(second[6:], [-0.473348, -0.070179, 0.309463], atol=1e-6)
        np.testing.assert_allclose(state[0, 1], [-0.082696, 0.117761], atol=1e-6)
        np.testing.assert_allclose(state[1, 1], [-0.131691, 0.210565], atol=1e-6)


def test_gradients_are_those_of_finite_differences():
    with jax.enable_x64(True):
        machine = golden()
        parameters, static = split_trainable(machine)
        inputs = jnp.asarray(np.random.default_rng(1).normal(size=(2, 3, WIDTH)))

        def total(parameters):
            parameters = jax.tree.map(jnp.asarray, parameters)
            outputs = run_batch(eqx.combine(parameters, static), inputs, steps=3, max_steps=3)
            return jnp.sum(jnp.sin(outputs))

        check_grads(jax.jit(total), (parameters,), order=1, modes=["rev"], atol=1e-6, rtol=1e-6)


CALLS = Calls(("NOP", "ADD", "PTR"), (("IN", "OUT"),), (0, 0, 1))
SEEN = Categories(("digit",), (("0", "1"),))


def test_a_core_fits_calls_of_its_own_programs():
    config = npi_for(CALLS)
    assert config.fits(Stream(SEEN), Stream(CALLS))
    other = Calls(("NOP", "ADD", "PTR"), (("IN", "OUT", "CARRY"),), (0, 0, 1))
    assert not config.fits(Stream(SEEN), Stream(other))
    assert not config.fits(Stream(Bits(6)), Stream(Bits(6)))


@pytest.mark.parametrize(("inputs", "outputs"), [(4, 6), (9, 5)])
def test_channels_that_cannot_be_those_of_a_core(inputs, outputs):
    with pytest.raises(ValueError, match="3 programs and arguments of"):
        npi_for(CALLS).build(inputs, outputs, key=jax.random.key(0))
