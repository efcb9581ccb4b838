"""Rules for gradients written by hand, used in ways that their callers do not use them.

Under an inner `vmap` with some arguments shared, and differentiated twice, each gives what JAX
makes of the plain definition; forwards each is refused. What breaks under another use and
refuses it is tested beside it: layers in `test_linear.py` and `test_loop.py`.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.core import compiling
from softmachine.core.specs.cells import Cells, MemoryOutputs
from softmachine.core.sums import UNROLLED
from softmachine.machines.nram.fast_gates import add, at_least, less_than, subtract
from softmachine.machines.nram.gates import GATES
from softmachine.machines.nram.packed_gates import Plan, choose, run_gates
from softmachine.machines.parts.products import combine_rows, match_rows, spread
from softmachine.tasks.task import Example

PLAN = Plan(2, tuple(GATES[name] for name in ("READ", "INC", "SUB", "WRITE")))
MANY = UNROLLED + 2
"""Sums over so many values are loops."""


def circulant(b):
    return b[(jnp.arange(len(b))[:, None] - jnp.arange(len(b))) % len(b)]


def plain_choices(logits):
    rows = [jax.nn.softmax(part, axis=1) for part in PLAN.split(logits)]
    return tuple(rows), -sum(jnp.sum(p * jnp.log(p)) for p in rows)


def plain_gates(read, inc, subtract_, write, registers_, registers, memory):
    """READ, INC, SUB, WRITE, one after another."""
    known = list(registers)

    def chosen(choice):
        return choice @ jnp.stack(known)

    known.append(chosen(read)[0] @ memory)
    known.append(jnp.roll(chosen(inc)[0], 1))
    a, b = chosen(subtract_)
    known.append(jnp.stack([jnp.roll(a, -i) for i in range(len(a))], axis=1) @ b)
    at, what = chosen(write)
    memory = (1 - at)[:, None] * memory + jnp.outer(at, what)
    known.append(jnp.eye(len(what))[0])
    return registers_ @ jnp.stack(known), memory


RULES = {
    "combine_rows": (combine_rows, lambda w, m: w @ m.T, [(2, 5), (3, 5)]),
    "match_rows": (match_rows, lambda k, m: k @ m, [(2, 3), (3, 5)]),
    "spread": (spread, lambda v, w: v.T @ w, [(2, 3), (2, 5)]),
    "add": (add, lambda a, b: circulant(b) @ a, [(4,), (4,)]),
    "add in a loop": (add, lambda a, b: circulant(b) @ a, [(MANY,), (MANY,)]),
    "subtract": (subtract, lambda a, b: circulant(b).T @ a, [(4,), (4,)]),
    "at_least": (at_least, lambda a: jnp.cumsum(a[::-1])[::-1], [(4,)]),
    "less_than": (less_than, lambda a: jnp.cumsum(a) - a, [(4,)]),
    "choose": (lambda x: choose(PLAN, x), plain_choices, [(PLAN.rows.logit_count,)]),
    "run_gates": (
        lambda *x: run_gates(PLAN, x[:5], x[5], x[6]),
        plain_gates,
        [*PLAN.parts, (2, 4), (4, 4)],
    ),
}


def arguments_of(shapes):
    rng = np.random.default_rng(0)
    return [jnp.asarray(rng.normal(size=shape)) for shape in shapes]


def score(function, mapped):
    """A number that is not linear in anything, some arguments on a leading axis."""

    def of(arguments):
        axes = [0 if i in mapped else None for i in range(len(arguments))]
        outputs = jax.vmap(function, axes)(*arguments) if mapped else function(*arguments)
        return sum(jnp.sum(jnp.sin(x)) for x in jax.tree.leaves(outputs))

    return of


def derivatives(function, mapped):
    """Return the gradient, and that of a product with the gradient."""
    gradient = jax.grad(score(function, mapped))

    def along(arguments):
        pairs = zip(arguments, gradient(arguments), strict=True)
        return sum(jnp.sum(jnp.cos(x) * y) for x, y in pairs)

    return lambda arguments: (gradient(arguments), jax.grad(along)(arguments))


@pytest.mark.parametrize("name", RULES)
def test_rules_hold_under_vmap_and_twice(name):
    function, plain, shapes = RULES[name]
    last = len(shapes) - 1
    for mapped in {(0,), (last,)}:
        stacked = [(3, *shape) if i in mapped else shape for i, shape in enumerate(shapes)]
        with jax.enable_x64(True):
            arguments = arguments_of(stacked)
            both = compiling.filter_jit(
                lambda x, m=mapped: (derivatives(function, m)(x), derivatives(plain, m)(x))
            )
            ours, expected = both(arguments)
            for x, y in zip(jax.tree.leaves(ours), jax.tree.leaves(expected), strict=True):
                np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("name", RULES)
def test_forwards_rules_are_refused(name):
    function, _, shapes = RULES[name]
    arguments = [x.astype(jnp.float32) for x in arguments_of(shapes)]
    with pytest.raises(TypeError, match="forward-mode"):
        jax.jit(lambda x: jax.jvp(score(function, ()), (x,), (x,)))(arguments)


def test_the_loss_s_look_up_holds_under_vmap_and_twice():
    """Of memories after each step, some examples sharing theirs."""
    rng = np.random.default_rng(0)
    targets = jnp.asarray(rng.integers(0, 4, (3, 4)))
    cells = Cells()

    def looked_up(memory, stop, target):
        example = Example(inputs=target, targets=target, mask=jnp.ones(4), steps=jnp.asarray(2))
        return cells.loss(MemoryOutputs(memory, stop), example)

    def plain(memory, stop, target):
        logs = jnp.log(jnp.sum(memory * jax.nn.one_hot(target, 4), axis=2))
        go_on = jnp.concatenate([jnp.zeros(1), jnp.cumsum(jax.nn.log_sigmoid(-stop))[:-1]])
        stops = jnp.exp(go_on + jnp.append(jax.nn.log_sigmoid(stop[:-1]), 0.0))
        return -jnp.sum(stops[:, None] * logs)

    with jax.enable_x64(True):
        memory = jnp.asarray(rng.dirichlet(np.ones(4), size=(2, 4)))
        stop = jnp.asarray(rng.normal(size=2))

        def both(function):
            def score_of(x):
                return score(lambda target: function(*x, target), (0,))([targets])

            gradient = jax.grad(score_of)
            twice = jax.grad(lambda x: sum(jnp.sum(y**2) for y in gradient(x)))
            return jax.jit(lambda x: (gradient(x), twice(x)))((memory, stop))

        found = both(looked_up), both(plain)
        for x, y in zip(jax.tree.leaves(found[0]), jax.tree.leaves(found[1]), strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-10)
