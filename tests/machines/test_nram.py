"""The NRAM against the paper's equations written down plainly, one example at a time."""

import dataclasses
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.core import compiling
from softmachine.machines.machine import parameter_count, split_trainable
from softmachine.machines.nram.gates import PAPER_GATES
from softmachine.machines.nram.hard import hard_wiring, run_hard_batch
from softmachine.machines.nram.nram import (
    NRAM,
    NRAMConfig,
    NRAMControllerConfig,
)
from softmachine.machines.nram.packed import PackedNRAM
from softmachine.machines.packed import packed_form
from softmachine.running import loop
from softmachine.running.generalization import with_test_options

STEPS, BATCH = 3, 2
run_batch = partial(loop.run_batch, batch_axis=-1)
SMALL = ("READ", "INC", "EQUALITY-TEST", "WRITE")


def compiled(function):
    """Compile with barriers, as the package does: without them it takes longer."""
    return compiling.filter_jit(lambda *arguments: function(*arguments))


def config(kind="mlp", hidden=5, **options):
    controller = NRAMControllerConfig(kind=kind, hidden=hidden)
    return NRAMConfig(**{"registers": 3, "controller": controller, **options})


def random_machine(config, seed=0, scale=1.0, members=()):
    """Return a machine whose choices differ from even ones, in the precision of the moment."""
    rng = np.random.default_rng(seed)
    shapes = eqx.filter_eval_shape(lambda: config.build(key=jax.random.key(0)))
    return jax.tree.map(
        lambda x: jnp.asarray(scale * rng.normal(size=(*members, *x.shape)), float), shapes
    )


def random_memories(cells, batch=BATCH, seed=0):
    return jnp.asarray(np.random.default_rng(seed).integers(0, cells, size=(batch, cells)))


# --- the paper's equations ----------------------------------------------------------------

INTEGERS = {
    "INC": lambda a, m: (a + 1) % m,
    "ADD": lambda a, b, m: (a + b) % m,
    "SUB": lambda a, b, m: (a - b) % m,
    "DEC": lambda a, m: (a - 1) % m,
    "LESS-THAN": lambda a, b, _: int(a < b),
    "LESS-OR-EQUAL-THAN": lambda a, b, _: int(a <= b),
    "EQUALITY-TEST": lambda a, b, _: int(a == b),
    "MIN": lambda a, b, _: min(a, b),
    "MAX": lambda a, b, _: max(a, b),
}
CONSTANTS = {"ZERO": 0, "ONE": 1, "TWO": 2}


def lifted(name, arguments):
    """Eq. 2."""
    m = len(arguments[0])
    pairs = np.ndindex(*[m] * len(arguments))
    table = np.eye(m)[[INTEGERS[name](*pair, m) for pair in pairs]]
    joint = arguments[0] if len(arguments) == 1 else jnp.outer(*arguments).ravel()
    return joint @ table


@jax.custom_vjp
def clipped(limit, x):
    del limit
    return x


clipped.defvjp(
    lambda limit, x: (x, limit),
    lambda limit, bar: (None, jnp.minimum(jnp.maximum(bar, -limit), limit)),
)


def plain_controller(controller, state, zeros):
    """One step; an LSTM's state is (hidden, cells)."""

    def affine(layer, x):
        return layer.weight @ x + layer.bias

    first = jnp.maximum(affine(controller.first, zeros), 0)
    if not hasattr(controller, "recurrent"):
        return state, jnp.maximum(affine(controller.second, first), 0)
    x = affine(controller.below, first)
    h, *cells = state
    u = affine(controller.recurrent, h)
    if controller.kind == "lstm":
        i, f, o, g = (x + u).reshape(4, -1)
        c = jax.nn.sigmoid(f) * cells[0] + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return jnp.array([h, c]), h
    x, u = x.reshape(3, -1), u.reshape(3, -1)
    r, z = jax.nn.sigmoid(x[:2] + u[:2])
    h = (1 - z) * jnp.tanh(x[2] + r * u[2]) + z * h
    return h[None], h


def plain_step(machine, state, bound):
    """Eq. 1 to 3 for one example; logits come in the order in which choices are made."""
    controller, registers, memory = state
    controller, hidden = plain_controller(machine.controller, controller, registers[:, 0])
    logits = machine.output.weight @ hidden + machine.output.bias
    entropies = []

    def mixtures(count, values):
        nonlocal logits
        split = count * len(values)
        mine, logits = logits[:split].reshape(count, -1), logits[split:]
        p = jax.nn.softmax(mine, axis=1)
        entropies.append(-jnp.sum(p * jnp.log(p)))
        return p @ values

    values = registers
    for name in machine.config.gates:
        if name in CONSTANTS:
            result = jnp.eye(len(memory))[CONSTANTS[name]]
        elif name == "READ":
            result = mixtures(1, values)[0] @ memory
        elif name == "WRITE":
            p, a = mixtures(2, values)
            memory = bound((1 - p)[:, None] * memory + jnp.outer(p, a))
            zero = jnp.eye(len(memory))[0]
            result = a if machine.config.write_returns == "value" else zero
        else:
            unary = name in ("INC", "DEC")
            result = lifted(name, mixtures(1 if unary else 2, values))
        values = jnp.concatenate([values, bound(result)[None]])
    registers = bound(mixtures(len(registers), values))
    assert not len(logits)
    stop = (machine.stop.weight @ hidden + machine.stop.bias)[0]
    features = (memory, stop, sum(entropies), registers)
    return (controller, registers, memory), (registers, *features)


def plain_run(machine, memory, limit=None):
    """Return registers, memory, stop logit and entropy after every step."""
    parts, m = {"mlp": 0, "lstm": 2, "gru": 1}[machine.config.controller.kind], len(memory)
    state = (
        jnp.zeros((parts, machine.config.controller.hidden)),
        jnp.zeros((machine.config.registers, m)).at[:, 0].set(1.0),
        jnp.eye(m)[memory],
    )

    def bound(x):
        return x if limit is None else clipped(limit, x)

    return jax.lax.scan(
        lambda state, _: plain_step(machine, state, bound), state, length=STEPS
    )[1]


def paper_loss(memory, stop, entropy, _registers, target):
    """Section 3.3 with the entropy of section 4.1, for one example."""
    loss, going = 0.0, 1.0
    for t in range(STEPS):
        willing = jax.nn.sigmoid(stop[t]) if t < STEPS - 1 else 1.0
        cells = jnp.log(jnp.maximum(memory[t], 1e-6))[jnp.arange(len(target)), target]
        loss -= going * willing * jnp.sum(cells)
        going *= 1 - willing
    return loss - 0.1 * jnp.sum(entropy)


def walk_alone(machine, memory):
    """Return what `plain_run` returns, of a machine as it is defined."""

    def step(state, _):
        state, output = machine.advance(state)
        return state, (state.registers, *output)

    return jax.lax.scan(step, machine.init_state(memory), length=STEPS)[1]


def walk(machine, memories):
    """Return the same for a batch, which comes last."""
    return jax.vmap(partial(walk_alone, machine), out_axes=-1)(memories)


def walk_packed(machine, memories):
    """Return the same of the machine's packed form."""
    packed = PackedNRAM.of(machine)

    def step(state, _):
        state, output = packed.advance(state)
        return state, (state.registers, *output)

    return jax.lax.scan(step, packed.init_state(memories), length=STEPS)[1]


WALKS = {"as defined": walk, "packed": walk_packed}


MACHINES = {
    "mlp": config(),
    "lstm, some gates in another order, two writes that give their value": config(
        "lstm",
        registers=2,
        gates=("WRITE", "ADD", "ONE", "MAX", "READ", "LESS-THAN", "WRITE", "DEC"),
        write_returns="value",
    ),
    "gru, all gates, and some of each kind again": config(
        "gru", registers=5, gates=(*PAPER_GATES, "READ", "LESS-THAN", "INC", "WRITE")
    ),
    "mlp, a write at the end and zero for it": config(
        registers=1, gates=("READ", "WRITE", "READ", "SUB", "WRITE")
    ),
}


def compare(ours, expected, rtol=1e-9, atol=1e-11):
    assert jax.tree.structure(ours) == jax.tree.structure(expected)
    for (path, x), y in zip(
        jax.tree.leaves_with_path(ours), jax.tree.leaves(expected), strict=True
    ):
        where = jax.tree_util.keystr(path)
        np.testing.assert_allclose(x, y, rtol=rtol, atol=atol, err_msg=where)


@pytest.mark.parametrize("config", MACHINES.values(), ids=MACHINES)
def test_steps_are_the_paper_s_equations(config):
    """Registers, memory, willingness to stop, entropy; the gradient of the paper's loss.

    Of the machine as it is defined and of its packed form, which therefore agree.
    """
    config = dataclasses.replace(config, clip_gradients=None)
    cells = 4
    targets = random_memories(cells, seed=1)

    def scored(run):
        @compiled
        @partial(eqx.filter_value_and_grad, has_aux=True)
        def score(parameters, static, memories):
            out = run(eqx.combine(parameters, static), memories)
            losses = jax.vmap(paper_loss, in_axes=(-1, -1, -1, -1, 0))(*out[1:], targets)
            return jnp.sum(losses), out

        return score

    with jax.enable_x64(True):
        parameters, static = split_trainable(random_machine(config))
        memories = random_memories(cells)
        plain = jax.vmap(plain_run, in_axes=(None, 0), out_axes=-1)
        (expected_loss, expected), expected_gradient = scored(plain)(
            parameters, static, memories
        )
        assert all(np.any(np.asarray(x) != 0) for x in jax.tree.leaves(expected_gradient))
        for run in WALKS.values():
            (loss, out), gradient = scored(run)(parameters, static, memories)
            np.testing.assert_allclose(loss, expected_loss, rtol=1e-11)
            compare(out, expected)
            compare(gradient, expected_gradient)


def test_gradients_are_clipped_where_the_reference_clips():
    """Each gate's result, the memory after each write, the registers after each step.

    Without comparisons: a form of theirs has a gradient that differs from that of Eq. 2 by
    the same number for all values, which only clipping can notice.
    """
    gates = ("READ", "ADD", "INC", "WRITE", "ONE", "READ", "MIN", "WRITE")
    limited = config("gru", gates=gates, clip_gradients=0.3, write_returns="value")
    rng = np.random.default_rng(2)

    def graded(run):
        @compiled
        @eqx.filter_grad
        def score(parameters, static, memories, probes, limit):
            registers, memory, *_ = run(eqx.combine(parameters, static), memories, limit)
            return jnp.sum(probes[0] * registers) + jnp.sum(probes[1] * memory)

        return score

    with jax.enable_x64(True):
        parameters, static = split_trainable(random_machine(limited))
        memories = random_memories(4)
        probes = [jnp.asarray(2 * rng.normal(size=(STEPS, n, 4, BATCH))) for n in (3, 4)]
        plain = graded(jax.vmap(plain_run, in_axes=(None, 0, None), out_axes=-1))
        expected = plain(parameters, static, memories, probes, jnp.asarray(0.3))
        free = plain(parameters, static, memories, probes, jnp.asarray(1e9))
        assert np.abs(expected.output.weight - free.output.weight).max() > 0.01
        for run in WALKS.values():
            walked = graded(lambda machine, memories, _, run=run: run(machine, memories))
            compare(walked(parameters, static, memories, probes, None), expected)


def test_a_machine_called_is_a_machine_run():
    """The plain ways to use a machine: all steps at once, or step by step."""
    machine = random_machine(config(gates=SMALL))
    memories = random_memories(5, batch=1)
    batched = eqx.filter_jit(run_batch)(machine, memories, steps=STEPS, max_steps=STEPS)
    called = eqx.filter_jit(lambda machine, memory: machine(memory, steps=STEPS))(
        machine, memories[0]
    )
    compare(called, jax.tree.map(lambda x: x[..., 0], batched), rtol=1e-5, atol=1e-6)
    step, state = eqx.filter_jit(type(machine).step), machine.init_state(memories[0])
    for t in range(STEPS):
        state, output = step(machine, state, None)
        compare(output, jax.tree.map(lambda x: x[t], called), rtol=1e-5, atol=1e-6)  # noqa: B023


@pytest.mark.parametrize("hard", [False, True])
def test_who_runs_batches_takes_the_packed_form(hard):
    """With the numbers of the machine mapped over the batch; a subclass may be another one."""
    assert packed_form(NRAM) is PackedNRAM
    assert packed_form(type("Other", (NRAM,), {})) is None
    machine = random_machine(config(gates=SMALL, logit_clip=1.0, hard=hard))
    memories = random_memories(5)
    run = eqx.filter_jit(partial(loop.run_batch, steps=STEPS, max_steps=STEPS))
    mapped = eqx.filter_jit(lambda m, x: jax.vmap(partial(m, steps=STEPS))(x))
    first = run(machine, memories)
    compare(first, mapped(machine, memories), rtol=1e-5, atol=1e-6)
    last = run(machine, memories, batch_axis=-1)
    compare(jax.tree.map(lambda x: jnp.moveaxis(x, -1, 0), last), first, rtol=1e-5, atol=1e-6)
    lengths = jnp.array([1, STEPS])
    ends = eqx.filter_jit(partial(loop.run_batch, steps=STEPS, max_steps=STEPS, last=True))(
        machine, memories, lengths=lengths
    )
    wanted = jax.tree.map(lambda x: x[jnp.arange(BATCH), lengths - 1], first)
    compare(ends, wanted, rtol=1e-5, atol=1e-6)


# --- batches and members ------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["mlp", "lstm", "gru"])
def test_members_and_batches_are_what_each_example_is_alone(kind):
    """Outputs and gradients; members' examples come one member after another."""
    members, cells = 3, 4
    shape = config(kind, gates=SMALL, hidden=4)
    rng = np.random.default_rng(3)

    def together(machine, memories):
        return [*run_batch(machine, memories, steps=STEPS, max_steps=STEPS)]

    def alone(machine, memory):
        return walk_alone(machine, memory)[1:]

    def scored(run):
        @compiled
        @partial(eqx.filter_value_and_grad, has_aux=True)
        def score(parameters, static, memories, probe):
            out = [*run(eqx.combine(parameters, static), memories)]
            return sum(jax.tree.map(lambda p, x: jnp.sum(p * x), probe, out)), out

        return score

    def part(tree, i):
        return jax.tree.map(lambda x: x[i], tree)

    together, alone = scored(together), scored(alone)
    with jax.enable_x64(True):
        parameters, static = split_trainable(random_machine(shape, members=(members,)))
        memories = random_memories(cells, members * BATCH)
        shapes = [(STEPS, cells, cells), (STEPS,), (STEPS,), (STEPS, 3, cells)]
        probe = [jnp.asarray(rng.normal(size=(*x, members * BATCH))) for x in shapes]
        (_, outputs), gradient = together(parameters, static, memories, probe)
        for i in range(members):
            gradients = []
            for j in range(i * BATCH, (i + 1) * BATCH):
                its_probe = part(probe, (..., j))
                (_, its), its_gradient = alone(
                    part(parameters, i), static, memories[j], its_probe
                )
                compare(its, part(outputs, (..., j)))
                gradients.append(its_gradient)
            compare(jax.tree.map(lambda *x: sum(x), *gradients), part(gradient, i))


# --- what always holds --------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["mlp", "lstm", "gru"])
def test_everything_stays_a_distribution(kind):
    """200 steps of wild machines, in float32."""
    machine = random_machine(config(kind, hidden=16), seed=4)
    machine = eqx.tree_at(
        lambda m: m.output, machine, jax.tree.map(lambda x: 2 * x, machine.output)
    )

    packed = PackedNRAM.of(machine)

    @jax.jit
    def last(memories):
        step = lambda _, state: packed.advance(state)[0]  # noqa: E731
        return jax.lax.fori_loop(0, 200, step, packed.init_state(memories))

    state = last(random_memories(7, 8))
    for x in (state.registers, state.memory):
        assert np.min(x) >= -1e-6
        np.testing.assert_allclose(np.sum(x, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("hard", [False, True])
def test_gradients_stay_finite(hard):
    """Of many steps and huge weights, in float32."""
    wild = random_machine(config("lstm", hard=hard), seed=5, scale=30.0)
    parameters, static = split_trainable(wild)

    @compiled
    @eqx.filter_grad
    def gradient(parameters, memories):
        out = run_batch(eqx.combine(parameters, static), memories, steps=40, max_steps=40)
        scores = (
            jnp.log(jnp.maximum(out.memory[..., 1, :], 1e-6))
            * jax.nn.sigmoid(out.stop)[:, None]
        )
        return jnp.sum(scores) - 0.1 * jnp.sum(out.entropy)

    for path, leaf in jax.tree.leaves_with_path(gradient(parameters, random_memories(5))):
        assert np.all(np.isfinite(leaf)), jax.tree_util.keystr(path)


def test_the_first_state():
    machine = random_machine(config("lstm"))
    memories = jnp.array([[3, 1, 0, 2, 2], [0, 4, 4, 1, 0]])
    state = PackedNRAM.of(machine).init_state(memories)
    assert [x.shape for x in state] == [(2, 5, 2), (3, 5, 2), (5, 5, 2)]
    np.testing.assert_array_equal(state.controller, 0)
    np.testing.assert_array_equal(jnp.argmax(state.registers, axis=1), 0)
    np.testing.assert_array_equal(jnp.argmax(state.memory, axis=1).T, memories)
    for x in (state.registers, state.memory):
        np.testing.assert_array_equal(np.sort(x, axis=1)[:, -2:], [[[0, 0], [1, 1]]] * len(x))
    one = machine.init_state(memories[1])
    compare(one, jax.tree.map(lambda x: x[..., 1], state))


def test_as_many_logits_as_choices():
    """The count of the paper's section 3.1, less arguments that no gate looks at."""
    four = config(registers=4, hidden=7).build(key=jax.random.key(0))
    assert four.output.weight.shape == (308 - 1, 7)
    assert four.stop.weight.shape == (1, 7)
    assert parameter_count(four) == 4 * 7 + 7 + 7 * 7 + 7 + 308 * 8
    pairs = ("ADD", "MIN", "WRITE")
    all_binary = config(registers=4, gates=pairs).build(key=jax.random.key(0))
    assert len(all_binary.output.bias) == 3 * 3 * 4 + 3 * 2 + 4 * 4


def test_an_lstm_keeps_at_first():
    machine = config("lstm").build(key=jax.random.key(0))
    np.testing.assert_array_equal(machine.controller.below.bias, [0] * 5 + [1] * 5 + [0] * 10)


def test_only_constants():
    """A machine without a gate that takes arguments: registers among constants."""
    machine = random_machine(config(gates=("ONE", "TWO")))
    assert isinstance(machine, NRAM)
    out = eqx.filter_jit(run_batch)(machine, random_memories(4), steps=2, max_steps=2)
    expected = jax.nn.one_hot(random_memories(4).T, 4, axis=1)
    np.testing.assert_array_equal(out.memory[1], expected)


# --- logits and their bound ---------------------------------------------------------------


def wired(machine, hidden):
    """Return all choices, and what the hard machine chooses."""
    choices = jnp.concatenate([*machine.wire(hidden).choices.values()])
    choices = machine.rows.as_table(choices, 0.0)
    return np.asarray(choices), np.asarray(hard_wiring(machine, hidden).sources)


@pytest.mark.parametrize("clip", [None, 2.0])
def test_soft_and_hard_machine_decide_alike(clip):
    """By the same logits, and among several beyond a bound for the first."""
    machine = random_machine(config(gates=SMALL, logit_clip=clip), scale=1e2)
    hidden = jnp.asarray(np.random.default_rng(1).normal(size=5), jnp.float32)
    soft, hard = wired(machine, hidden)
    there = machine.rows.allowed.any(axis=1)
    np.testing.assert_array_equal(np.argmax(soft, axis=1)[there], hard[there])
    alone, same = wired(with_test_options(machine, hard=True), hidden)
    np.testing.assert_array_equal(np.argmax(alone, axis=1)[there], same[there])
    np.testing.assert_array_equal(same, hard)
    ties = np.sum(soft == soft.max(axis=1, keepdims=True), axis=1)[there]
    assert np.any(ties > 1) == (clip is not None)


@pytest.mark.parametrize("clip", [None, 2.0])
def test_gradients_of_logits_are_those_of_the_step_at_and_beyond_a_bound(clip):
    """Against finite differences, in float64; at the bound itself those of both sides' mean."""
    with jax.enable_x64(True):
        machine = random_machine(config(gates=SMALL, logit_clip=clip))
        logits = machine.rows.logit_count
        rng = np.random.default_rng(0)
        bias = rng.choice([-90.0, -2.0, -1.0, 0.5, 2.0, 2.5, 90.0], logits)
        machine = eqx.tree_at(
            lambda m: m.output.weight, machine, jnp.zeros_like(machine.output.weight)
        )
        hidden = jnp.zeros(5)
        probe = jnp.asarray(rng.normal(size=logits))

        def score(bias):
            wiring = eqx.tree_at(lambda m: m.output.bias, machine, bias).wire(hidden)
            choices = jnp.concatenate([*wiring.choices.values()])
            return jnp.sum(probe * choices) + wiring.entropy

        nudges = 1e-6 * jnp.eye(logits)
        up, down = (jax.vmap(score)(bias + s * nudges) for s in (1, -1))
        gradient = jax.jit(jax.grad(score))(jnp.asarray(bias))
        np.testing.assert_allclose(gradient, (up - down) / 2e-6, rtol=1e-5, atol=1e-8)
        beyond = np.abs(bias) > 2
        assert not (clip and np.any(gradient[beyond]))


# --- types, steps, shapes -----------------------------------------------------------------


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.float64])
@pytest.mark.parametrize("kind", ["mlp", "lstm", "gru"])
def test_values_have_the_type_of_the_parameters(kind, dtype):
    """Traced alone: a loop whose state changes type fails."""
    machine = random_machine(config(kind))
    with jax.enable_x64(True):
        machine = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, dtype), machine)
        memories = jax.ShapeDtypeStruct((BATCH, 4), jnp.int32)

        def run(machine, memories):
            alone = machine(memories[0], steps=2)
            hard = run_hard_batch(machine, memories, jnp.full(BATCH, 2))
            return (alone, run_batch(machine, memories, steps=2, max_steps=2)), hard.memory

        outputs, memory = eqx.filter_eval_shape(run, machine, memories)
        assert {leaf.dtype for leaf in jax.tree.leaves(outputs)} == {jnp.dtype(dtype)}
        assert memory.dtype == jnp.int32


def test_half_precision_chooses_the_same():
    """Of a machine whose choices are clear."""
    machine = random_machine(config(gates=PAPER_GATES), scale=20.0)
    expected = eqx.filter_jit(run_batch)(machine, random_memories(4), steps=3, max_steps=3)
    for dtype in (jnp.bfloat16, jnp.float16):
        half = jax.tree.map(lambda x, d=dtype: x.astype(d), machine)
        found = eqx.filter_jit(run_batch)(half, random_memories(4), steps=3, max_steps=3)
        np.testing.assert_array_equal(
            np.argmax(found.memory, axis=2), np.argmax(expected.memory, axis=2)
        )


def test_no_steps_and_other_shapes():
    machine = random_machine(config(gates=SMALL))
    assert machine(random_memories(4)[0], steps=0).memory.shape == (0, 4, 4)
    out = run_batch(machine, random_memories(4), steps=0, max_steps=0)
    assert out.memory.shape == (0, 4, 4, BATCH)
    with pytest.raises(
        ValueError, match=r"NRAM expected inputs of shape \(cells,\), one .*vmap"
    ):
        machine(random_memories(4), steps=2)
    with pytest.raises(ValueError, match=r"shape \(batch, cells\), a batch .*; got \(4,\)"):
        run_batch(machine, random_memories(4)[0], steps=2, max_steps=2)


# --- errors -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (dict(registers=0), "registers must be at least 1, not 0"),
        (dict(gates=()), "nram gates must name at least one gate"),
        (dict(gates=("READ", "MUL")), "there is no gate 'MUL'; there are READ, ZERO, ONE"),
        (dict(clip_gradients=0.0), "clip_gradients must be positive, not 0.0"),
        (dict(clip_gradients=float("nan")), "clip_gradients must be a finite number, not nan"),
        (dict(logit_clip=0.0), "logit_clip must be positive, not 0.0"),
    ],
)
def test_bad_choices_are_refused(choice, message):
    with pytest.raises(ValueError, match=message):
        NRAMConfig(**choice)


def test_bad_controllers_are_refused():
    with pytest.raises(ValueError, match="hidden must be at least 1, not 0"):
        NRAMControllerConfig(hidden=0)
