"""An NRAM that chooses its gates: golden values, its limit, gradients, hard form."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.core import compiling
from softmachine.machines.machine import Clock, parameter_count
from softmachine.machines.nram.controller import NRAMControllerConfig
from softmachine.machines.nram.gates import PAPER_GATES
from softmachine.machines.nram.hard import run_hard_batch
from softmachine.machines.nram.nram import NRAMConfig, NRAMState, Wiring
from softmachine.machines.nram.packed_soft_gates import PackedSoftGateNRAM
from softmachine.machines.nram.soft_gates import SoftGateNRAMConfig, straight_through
from softmachine.machines.packed import packed_form
from softmachine.running.generalization import with_test_options
from softmachine.wiring.table import read_wiring

SMALL = NRAMControllerConfig(hidden=4)
FEW = ("READ", "ONE", "INC", "SUB", "WRITE")


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


def random_machine(config, seed=0, scale=1.0):
    """Return a machine whose choices differ from even ones."""
    rng = np.random.default_rng(seed)
    machine = config.build(key=jax.random.key(0))
    return eqx.tree_at(
        lambda m: jax.tree.leaves((m.controller, m.output, m.stop)),
        machine,
        replace_fn=lambda x: jnp.asarray(scale * rng.normal(size=x.shape)),
    )


def fill(shape, tag, scale):
    return jnp.asarray(scale * np.sin(tag + 0.9 * np.arange(np.prod(shape))).reshape(shape))


# --- the step -----------------------------------------------------------------------------


def test_a_slot_gives_the_mixture_of_all_gates():
    """Values that were computed outside of this package, from the sums over all integers."""
    machine = SoftGateNRAMConfig(registers=3, slots=1, controller=SMALL).build(
        key=jax.random.key(0)
    )
    values, memory = jax.nn.softmax(fill((3, 4), 1, 3)), jax.nn.softmax(fill((4, 4), 2, 3))
    logits = fill((3,), 3, 2), fill((3,), 4, 2), fill((14,), 5, 2)
    wiring = Wiring(dict(enumerate(map(jax.nn.softmax, logits))), jnp.zeros(()), jnp.zeros(()))
    slots, after = machine.run_gates(wiring, NRAMState((), values, memory))
    np.testing.assert_allclose(
        slots[-1], [0.355505, 0.317267, 0.297292, 0.029936], rtol=0, atol=1e-6
    )
    expected = [
        [0.870675, 0.116965, 0.009168, 0.003192],
        [0.006091, 0.060257, 0.464254, 0.469398],
        [0.844257, 0.066411, 0.021554, 0.067778],
        [0.059905, 0.449880, 0.434927, 0.055288],
    ]
    np.testing.assert_allclose(after, expected, rtol=0, atol=1e-6)


def test_a_step_has_as_many_logits_as_were_counted():
    """Two arguments of S + R - 1 sources at most, and a gate, in each slot; R registers."""
    config = SoftGateNRAMConfig(registers=4, slots=4)
    assert config.rows.logit_count == 2 * (4 + 5 + 6 + 7) + 4 * 14 + 4 * 8 == 132


def with_fixed_gates(plain, config):
    """Return the machine of a plain one's parameters that chooses that one's gates in order."""
    machine = config.build(key=jax.random.key(0))
    weight = np.zeros(machine.output.weight.shape)
    bias = np.zeros(machine.output.bias.shape)
    mine = {(row.gate, row.argument): i for i, row in enumerate(machine.rows.rows)}
    for i, row in enumerate(plain.rows.rows):
        to = machine.rows.logit_numbers[mine[row.gate, row.argument], : row.sources]
        of = plain.rows.logit_numbers[i, : row.sources]
        weight[to], bias[to] = plain.output.weight[of], plain.output.bias[of]
    for place, row in enumerate(machine.rows.of_kinds):
        bias[machine.rows.logit_numbers[row, place]] = 1e4
    return eqx.tree_at(
        lambda m: (m.controller, m.output.weight, m.output.bias, m.stop),
        machine,
        (plain.controller, jnp.asarray(weight), jnp.asarray(bias), plain.stop),
    )


@pytest.mark.parametrize("returns", ["zero", "value"])
def test_with_the_gates_chosen_in_their_order_it_is_the_nram(returns):
    """Values and gradients of three steps."""
    options = {
        "registers": 3,
        "gates": FEW,
        "controller": SMALL,
        "write_returns": returns,
        "clip_gradients": None,
    }
    plain = random_machine(NRAMConfig(**options))
    chosen = with_fixed_gates(plain, SoftGateNRAMConfig(**options, slots=len(FEW)))
    memory, probe = jnp.array([3, 1, 4, 0, 2]), fill((5, 5), 1, 1)

    def run(machine):
        outputs = machine(memory, steps=3)
        total = jnp.sum(outputs.memory[-1] * probe) + jnp.sum(outputs.stop)
        return total, (outputs.memory, outputs.registers, outputs.stop)

    gradient = compiling.filter_jit(
        lambda machine: eqx.filter_value_and_grad(run, has_aux=True)(machine)
    )
    (_, wanted), slope = gradient(plain)
    (_, found), other = gradient(chosen)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-12), found, wanted)
    for x, y in zip(
        *map(jax.tree.leaves, [(m.controller, m.stop) for m in (slope, other)]), strict=True
    ):
        np.testing.assert_allclose(y, x, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("straight", [False, True])
def test_gradients_are_those_of_finite_differences(straight):
    """Of the soft choice, also where a gate is drawn: its value jumps."""
    config = SoftGateNRAMConfig(
        registers=2, slots=2, gates=FEW, controller=SMALL, clip_gradients=None, temperature=0.7
    )
    machine = random_machine(config, seed=3)
    memory, probe = jnp.array([2, 1, 0]), fill((3, 3), 2, 1)

    def loss(weight):
        changed = eqx.tree_at(lambda m: m.output.weight, machine, weight)
        return jnp.sum(changed(memory, steps=2).memory[-1] * probe)

    if straight:
        logits, probe = fill((5,), 1, 2), fill((5,), 3, 1)
        loss = lambda x: probe @ jax.nn.softmax(x)  # noqa: E731
        gradient = jax.grad(lambda x: probe @ straight_through(x, None))(logits)
        assert straight_through(logits, None).tolist() == [0, 1, 0, 0, 0]
    else:
        logits, gradient = machine.output.weight, jax.grad(loss)(machine.output.weight)
    rng = np.random.default_rng(0)
    value = jax.jit(loss)
    for _ in range(3):
        along = jnp.asarray(rng.normal(size=logits.shape))
        slope = (value(logits + 1e-6 * along) - value(logits - 1e-6 * along)) / 2e-6
        np.testing.assert_allclose(jnp.sum(gradient * along), slope, rtol=1e-5, atol=1e-9)


def test_the_temperature_divides_the_logits_of_gates_alone():
    config = SoftGateNRAMConfig(registers=2, slots=3, gates=FEW, controller=SMALL)
    machine = random_machine(config)
    cooled = eqx.tree_at(lambda m: m.temperature.array, machine, jnp.asarray(0.25))
    hidden = fill((4,), 1, 1)
    before, after = (m.rows.split(m.logits(hidden)) for m in (machine, cooled))
    for row in before:
        factor = 4 if row in machine.rows.of_kinds else 1
        np.testing.assert_allclose(after[row], factor * before[row])
    assert parameter_count(machine) == parameter_count(cooled)


def test_straight_through_gates_are_drawn_as_often_as_their_probability():
    logits = fill((5,), 1, 1)
    keys = jax.random.split(jax.random.key(0), 4_000)
    drawn = jax.vmap(lambda key: straight_through(logits, key))(keys)
    np.testing.assert_allclose(np.sort(drawn, axis=1), np.tile([0, 0, 0, 0, 1], (4_000, 1)))
    np.testing.assert_allclose(drawn.mean(axis=0), jax.nn.softmax(logits), atol=0.03)


def test_straight_through_gates_are_drawn_in_training_and_the_likeliest_in_a_test():
    config = SoftGateNRAMConfig(
        registers=2, slots=3, gates=FEW, controller=SMALL, straight_through=True
    )
    machine = random_machine(config, scale=0.3)
    state = machine.init_state(jnp.array([2, 1, 0]))

    def kinds(clock):
        _, wiring = machine.control(state, clock)
        return np.stack([wiring.choices[row] for row in machine.rows.of_kinds])

    logits = machine.logits(machine.controller((), state.registers[:, 0])[1])
    likely = [machine.rows.split(logits)[row].argmax() for row in machine.rows.of_kinds]
    assert kinds(Clock(0)).argmax(axis=1).tolist() == likely
    drawn = {tuple(kinds(Clock(0, jax.random.key(i), True)).argmax(axis=1)) for i in range(20)}
    assert len(drawn) > 5
    with pytest.raises(ValueError, match="draws at random"):
        kinds(Clock(0, None, True))


# --- the hard form ------------------------------------------------------------------------


def test_the_hard_form_is_the_soft_one_with_every_choice_decided():
    """Ten machines, of which some write; all gates of the paper."""
    config = SoftGateNRAMConfig(registers=3, slots=5, controller=SMALL)
    memories = jnp.asarray(np.random.default_rng(0).integers(0, 6, (4, 6)))

    def both(machine, memories):
        decided = with_test_options(machine, hard=True)
        soft = jax.vmap(lambda memory: decided(memory, steps=3))(memories)
        return soft, run_hard_batch(machine, memories, jnp.full(4, 3))

    run, written, gates = compiling.filter_jit(both), 0, set()
    for seed in range(10):
        machine = random_machine(config, seed=seed, scale=2.0)
        machine = eqx.tree_at(lambda m: m.stop.bias, machine, jnp.full(1, -100.0))
        soft, hard = run(machine, memories)
        np.testing.assert_array_equal(soft.memory[:, -1].argmax(axis=-1), hard.memory)
        np.testing.assert_array_equal(soft.registers[:, -1].argmax(axis=-1), hard.registers)
        written += int((hard.memory != memories).any())
        sources = read_wiring(machine).sources
        gates |= set(sources[:, list(config.rows.of_kinds)].ravel().tolist())
    assert written >= 3
    assert gates == set(range(len(PAPER_GATES)))


# --- the packed form ----------------------------------------------------------------------

MIXED = ("READ", "ONE", "INC", "SUB", "MIN", "LESS-THAN", "WRITE")


def losses(outputs, probe):
    """Return a number for each member of a batch, the last axis."""
    total = jnp.sum(outputs.memory[-1] * probe, axis=(0, 1))
    return total + jnp.sum(outputs.entropy + jnp.sin(outputs.stop), axis=0)


@pytest.mark.parametrize("returns", ["zero", "value"])
def test_the_packed_form_of_several_members_is_each_machine_alone(returns):
    """Values and gradients of three steps; members have temperatures of their own."""
    config = SoftGateNRAMConfig(
        registers=3, slots=3, gates=MIXED, controller=SMALL, write_returns=returns
    )
    members, each, cells = 2, 2, 5
    machines = [
        eqx.tree_at(lambda m: m.temperature.array, random_machine(config, seed), tau)
        for seed, tau in enumerate(jnp.array([0.6, 2.0]))
    ]
    rng = np.random.default_rng(1)
    memories = jnp.asarray(rng.integers(0, cells, (members, each, cells)))
    probe = jnp.asarray(rng.normal(size=(cells, cells, 1)))

    def alone(machine, memories):
        outputs = jax.vmap(lambda x: machine(x, steps=3), out_axes=-1)(memories)
        return jnp.sum(losses(outputs, probe)), outputs

    def together(machine, memories):
        packed = PackedSoftGateNRAM.of(machine)
        state = packed.init_state(memories.reshape(-1, cells))
        outputs = jax.lax.scan(lambda s, _: packed.advance(s), state, length=3)[1]
        return jnp.sum(losses(outputs, probe)), outputs

    def gradient(run):
        compiled = compiling.filter_jit(
            lambda machine, x: eqx.filter_value_and_grad(run, has_aux=True)(machine, x)
        )
        return lambda *given: compiled(*given)

    one, stacked = gradient(alone), jax.tree.map(lambda *xs: jnp.stack(xs), *machines)
    wanted = [one(machine, x) for machine, x in zip(machines, memories, strict=True)]
    (_, found), slope = gradient(together)(stacked, memories)
    for i, ((_, outputs), expected) in enumerate(wanted):
        mine = slice(i * each, (i + 1) * each)
        for x, y in zip(*map(jax.tree.leaves, (found, outputs)), strict=True):
            np.testing.assert_allclose(x[..., mine], y, rtol=1e-9, atol=1e-11)
        for x, y in zip(*map(jax.tree.leaves, (slope, expected)), strict=True):
            np.testing.assert_allclose(x[i], y, rtol=1e-9, atol=1e-11)
    assert all(np.any(x) for x in jax.tree.leaves(slope.output))


def test_where_gates_are_drawn_there_is_no_packed_form():
    """It is given no key."""
    for straight, form in ((False, PackedSoftGateNRAM), (True, None)):
        config = SoftGateNRAMConfig(slots=2, straight_through=straight)
        assert packed_form(type(config.build(key=jax.random.key(0)))) is form


def test_gates_are_offered_once():
    with pytest.raises(ValueError, match="READ is there more than once"):
        SoftGateNRAMConfig(gates=("READ", "WRITE", "READ"))
    with pytest.raises(ValueError, match="one that takes an argument"):
        SoftGateNRAMConfig(gates=("ONE", "TWO"))
    config = SoftGateNRAMConfig(slots=2)
    assert dataclasses.replace(config, slots=3).rows.logit_count > config.rows.logit_count
