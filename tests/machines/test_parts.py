"""Every layer and product of `machines/parts`, used once in a step, under `vmap`, and twice.

The gradient that `run_batch` gives of its parameters, and of what it is given, is what finite
differences in float64 say.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.machines import parts
from softmachine.machines.machine import STOPPED, Cell, split_trainable
from softmachine.machines.parts.controllers import ControllerConfig, Mixed
from softmachine.machines.parts.convolutions import convolve, convolve_plane
from softmachine.machines.parts.layers import GRU, LSTM, Counter, Elman, FeedForward
from softmachine.machines.parts.linear import Linear, LoopLinear
from softmachine.machines.parts.products import combine_rows, match_rows, spread
from softmachine.machines.transformer import Attention, Distances, TransformerConfig
from softmachine.running.loop import run_batch

WIDTH, ROWS, BATCH, STEPS = 4, 3, 2, 3


def weight(rows=WIDTH):
    return jnp.asarray(np.random.default_rng(0).normal(size=(rows, WIDTH)))


def built(config, *arguments):
    return lambda: config.build(*arguments, key=jax.random.key(0))


def controller(kind):
    return built(ControllerConfig(kind=kind, hidden=WIDTH), WIDTH, WIDTH)


def stepped(controller, x):
    state, output = controller(controller.init_state(), controller.project(x), jnp.sin(x))
    return controller(state, controller.project(output), x)[1]


def block(**options):
    def build():
        config = TransformerConfig(layers=1, width=WIDTH, heads=2, feedforward=3, **options)
        return config.build(1, 1, key=jax.random.key(0)).blocks[0]

    return build


def sequence(x):
    """Three vectors for what takes a sequence of them."""
    return jnp.stack([x, jnp.cos(2 * x), jnp.sin(3 * x)])


def attended(block, x):
    read, weights = block.attention(sequence(x), jnp.array([True, True, False]))
    return read.sum(0) + weights.sum()


USES: dict[Any, tuple[Callable[[], Any], Callable[[Any, Any], Any]]] = {
    Linear: (lambda: Linear(weight(), jnp.ones(WIDTH)), lambda part, x: part(x)),
    LoopLinear: (lambda: LoopLinear(weight(), jnp.ones(WIDTH)), lambda part, x: part(x)),
    LSTM: (controller("lstm"), stepped),
    GRU: (controller("gru"), stepped),
    Counter: (controller("counter"), stepped),
    Elman: (controller("rnn"), stepped),
    FeedForward: (controller("feedforward"), stepped),
    Mixed: (
        built(ControllerConfig(kinds=("gru", "feedforward"), hidden=WIDTH // 2), WIDTH, WIDTH),
        stepped,
    ),
    combine_rows: (weight, lambda memory, x: combine_rows(x[None], memory)[0]),
    match_rows: (weight, lambda memory, x: match_rows(x[None], memory)[0]),
    spread: (lambda: weight(1), lambda vector, x: spread(vector, x[None]) @ jnp.sin(x)),
    convolve: (
        lambda: jnp.stack([weight(), jnp.cos(weight()), jnp.sin(weight())]),
        lambda kernel, x: 0.1 * convolve(sequence(x), kernel).sum(0),
    ),
    convolve_plane: (
        lambda: 0.1 * jnp.sin(jnp.arange(9.0 * WIDTH * WIDTH)).reshape(3, 3, WIDTH, WIDTH),
        lambda kernel, x: convolve_plane(sequence(x)[None], kernel)[0].sum(0),
    ),
    Attention: (block(positions="alibi"), attended),
    Distances: (block(positions="relative"), attended),
}
"""What each part is made by, and how a vector goes through it."""

WAYS = {
    "once": lambda call, rows: rows.at[0].set(call(rows[0])),
    "under vmap": lambda call, rows: jax.vmap(call)(rows),
    "twice": lambda call, rows: rows.at[0].set(call(call(rows[0]))),
}


class Using(Cell):
    """A state of rows, and a part that is used on it."""

    part: Any
    call: Any = eqx.field(static=True)
    way: str = eqx.field(static=True)

    def init_state(self, inputs, *, key=None):
        del inputs, key
        return jnp.linspace(-1, 1, ROWS * WIDTH).reshape(ROWS, WIDTH)

    def advance(self, state, x, clock=STOPPED):
        del clock
        state = jnp.tanh(WAYS[self.way](lambda v: self.call(self.part, v), state) + x)
        return state, state


@pytest.mark.parametrize("part", USES, ids=lambda part: part.__name__)
def test_gradients_are_finite_differences_however_a_step_uses_a_part(part):
    make, call = USES[part]
    rng = np.random.default_rng(1)
    with jax.enable_x64(True):
        parameters, static = split_trainable(eqx.filter_jit(make)())
        parameters = jax.tree.map(
            lambda x: jnp.asarray(x + 0.3 * rng.normal(size=x.shape)), parameters
        )
        inputs = jnp.asarray(rng.normal(size=(BATCH, STEPS, WIDTH)))
        probe = jnp.asarray(rng.normal(size=(BATCH, STEPS, ROWS, WIDTH)))

        def score(arguments, way):
            parameters, inputs = arguments
            machine = Using(eqx.combine(parameters, static), call, way)
            outputs = run_batch(machine, inputs, steps=STEPS, max_steps=STEPS)
            return jnp.sum(probe * outputs)

        # All uses in one program, which is compiled once.
        every = jax.jit(lambda x: [jax.value_and_grad(score)(x, way) for way in WAYS])
        arguments = (parameters, inputs)
        direction = jax.tree.map(lambda x: jnp.asarray(rng.normal(size=x.shape)), arguments)
        found, ahead, behind = (
            every(jax.tree.map(lambda x, d, by=by: x + by * d, arguments, direction))
            for by in (0, 1e-6, -1e-6)
        )
        for way, here, plus, minus in zip(WAYS, found, ahead, behind, strict=True):
            slope = sum(
                jnp.sum(g * d)
                for g, d in zip(
                    jax.tree.leaves(here[1]), jax.tree.leaves(direction), strict=True
                )
            )
            difference = (plus[0] - minus[0]) / 2e-6
            np.testing.assert_allclose(slope, difference, rtol=1e-5, atol=1e-7, err_msg=way)
            assert any(jnp.any(x) for x in jax.tree.leaves(here[1]))


def test_every_part_is_among_them():
    """Modules, and functions of arrays: those with rules of their own above all."""
    known = {part.__name__ for part in USES} | {
        # What the parts are made with, and is called by nothing in a step.
        *(
            "Controller",
            "ControllerConfig",
            "glorot",
            "once_differentiable",
            "stretched_sigmoid",
        ),
        # Plain JAX without parameters: held by test_positions.py and test_transformer.py.
        *("sinusoids", "rotate", "alibi", "alibi_slopes", "by_distance"),
        # Without parameters, and random: held by test_convolutions.py and test_dngpu.py.
        *("neighbours", "dropout"),
        # How `run_batch` uses layers: held by test_linear.py.
        *("is_deferred", "called_once", "defer_weight_gradients", "with_taps"),
    }
    for info in pkgutil.iter_modules(parts.__path__):
        module = importlib.import_module(f"{parts.__name__}.{info.name}")
        for name, value in vars(module).items():
            own = getattr(value, "__module__", None) == module.__name__
            if own and not name.startswith("_") and (callable(value) or inspect.isclass(value)):
                assert name in known, f"{module.__name__}.{name} is not used above"
