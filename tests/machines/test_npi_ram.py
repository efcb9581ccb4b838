"""A programmer-interpreter on a soft memory: its step in sums, its gradient, its hard form."""

import itertools
import random

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.core import compiling
from softmachine.machines.npi_ram import NPIRAM, NPIRAMConfig, NPIRAMState
from softmachine.machines.nram.gates import PAPER
from softmachine.tasks.traced.ram_tasks import RAMCopy, RAMIncrement, RAMReverse
from softmachine.tasks.traced.tracing import trace

INTERFACE = RAMCopy().interface
PROGRAMS = len(INTERFACE.calls.programs)
SMALL = NPIRAMConfig(programs=PROGRAMS, main=3, width=4, core_steps=2)


def random_machine(seed=0, scale=1.0, config=SMALL):
    rng = np.random.default_rng(seed)
    shapes = eqx.filter_eval_shape(lambda: config.build(key=jax.random.key(0)))
    return jax.tree.map(lambda x: jnp.asarray(scale * rng.normal(size=x.shape), float), shapes)


def softmax(x):
    x = np.exp(x - x.max())
    return x / x.sum()


def test_it_has_the_programs_and_arguments_of_the_environment():
    assert INTERFACE.calls.programs[:2] == ("NOP", "OP")
    assert tuple(map(len, INTERFACE.calls.arguments)) == SMALL.arguments
    machine = SMALL.build(key=jax.random.key(0))
    assert machine.core.input_shape() == ("steps", INTERFACE.seen.width)


def test_a_memory_in_which_a_gate_has_no_result_is_refused():
    machine = random_machine()
    with pytest.raises(ValueError, match=r"gate TWO must give integers in 0..1 for 2 values"):
        jax.eval_shape(lambda: machine(jnp.array([1, 0]), steps=1))


def test_a_step_is_the_sum_over_all_that_can_be_decided():
    """Gate by gate and register by register, with the integers' gates."""
    with jax.enable_x64(True):
        machine, rng, cells = random_machine(), np.random.default_rng(1), 4
        registers, memory = (
            rng.dirichlet(np.ones(cells), 5),
            rng.dirichlet(np.ones(cells), cells),
        )
        running, core = rng.dirichlet(np.ones(PROGRAMS)), rng.normal(size=(2, 1, 4))
        state = jax.tree.map(jnp.asarray, NPIRAMState(core, running, registers, memory))
        both = jax.jit(lambda state: (machine.core_step(state), machine.decide(state)))
        (after, f, _), (moved, logits) = jax.tree.map(np.asarray, both(state))
    end, programs, *arguments = np.split(logits, np.cumsum([1, PROGRAMS, 14, 5, 5]))
    e, pi = 1 / (1 + np.exp(-end[0])), softmax(programs)
    gates, x, y, z = map(softmax, arguments)
    a, b = x @ registers, y @ registers
    result = np.zeros(cells)
    for k, gate in enumerate(PAPER[:-1]):
        if gate.memory:
            result += gates[k] * a @ memory
            continue
        for i, j in itertools.product(range(cells), repeat=2):
            value = gate.integer(*(i, j)[: gate.arity], cells)
            result[value] += gates[k] * a[i] * b[j]
    expected = np.array(
        [r + pi[1] * z[i] * (result - (1 - gates[-1]) * r) for i, r in enumerate(registers)]
    )
    np.testing.assert_allclose(after.registers, expected, rtol=1e-9)
    share = pi[1] * gates[-1] * z[-1] * a[:, None]
    np.testing.assert_allclose(after.memory, (1 - share) * memory + share * b, rtol=1e-9)
    called = e * pi * (np.arange(PROGRAMS) > 1)
    rest = 1 - called.sum()
    np.testing.assert_allclose(after.running, rest * running + called, rtol=1e-9)
    np.testing.assert_allclose(after.core, rest * moved, rtol=1e-9)
    np.testing.assert_allclose(f, e * (pi[0] + pi[1]), rtol=1e-9)
    for x in (after.running, after.registers, after.memory):
        np.testing.assert_allclose(np.sum(x, axis=-1), 1)


def test_gradients_are_those_of_finite_differences():
    memory = jnp.array([2, 1, 0])
    with jax.enable_x64(True):
        machine, rng = random_machine(3), np.random.default_rng(0)
        probe, along = jnp.asarray(rng.normal(size=(3, 3))), rng.normal(size=(4, 4))

        @compiling.filter_jit
        def loss(weight):
            changed = eqx.tree_at(lambda m: m.core.encoder[1].weight, machine, weight)
            outputs = changed(memory, steps=2)
            return jnp.sum(outputs.memory[-1] * probe) + jnp.sum(outputs.stop)

        weight = machine.core.encoder[1].weight
        slope = (loss(weight + 1e-6 * along) - loss(weight - 1e-6 * along)) / 2e-6
        gradient = jax.grad(lambda x: loss(x))(weight)
        np.testing.assert_allclose(jnp.sum(gradient * along), slope, rtol=1e-5)


class Written(NPIRAM):
    """One that decides as a program is written; its core's state counts the steps of a call."""

    table: tuple
    """What is seen, a row for each step there can be, and the logits there."""

    def decide(self, state):
        zero = state.registers[:, 0]
        seen = jnp.concatenate([zero, state.running, state.core[0, 0, :1]])
        rows, logits = self.table
        nearest = jnp.argmin(jnp.sum(jnp.square(rows - seen), axis=1))
        return state.core + 1, logits[nearest]


def written(task):
    """Return such a machine, from all calls that can occur."""
    [(kind, calls)] = task.held_out().traced_calls().items()
    main = task.interface.program(kind, task.environment.main)
    config = NPIRAMConfig(programs=PROGRAMS, main=main, width=4, core_steps=3)
    rows, logits = [], []
    for (key, observations), decisions in calls.items():
        for step, (seen, decision) in enumerate(zip(observations, decisions, strict=True)):
            rows.append([*seen, *np.eye(PROGRAMS)[key[0]], step])
            decided = INTERFACE.calls.one_hot(np.array([decision]))[0]
            logits.append(np.where(decided, 40.0, -40.0))
    machine = config.build(key=jax.random.key(0))
    table = jnp.asarray(np.array(rows)), jnp.asarray(np.array(logits))
    return Written(machine.core, config, table)


@pytest.mark.parametrize("task", [RAMIncrement(), RAMCopy(), RAMReverse()])
def test_with_all_decided_it_does_what_the_programs_do(task):
    machine, rng, most = written(task), random.Random(0), 20
    run = compiling.filter_jit(lambda machine, memory: machine(memory, steps=most))
    for size in (1, 2, 3, 4):
        problem = task.pose(task.random_problem(size, rng))
        taken = trace(task.pose((problem.given,))).counts[1]
        outputs = run(machine, jnp.asarray(problem.given))
        ends = (taken - 1) // machine.config.core_steps
        assert (np.asarray(outputs.stop)[: ends + 1] > 0).tolist() == [False] * ends + [True]
        memory = np.asarray(outputs.memory[ends]).argmax(axis=1)
        assert tuple(memory.tolist()) == problem.expected()
        np.testing.assert_allclose(outputs.entropy, 0, atol=1e-6)


@pytest.mark.parametrize("main", [1, PROGRAMS])
def test_the_main_program_is_one_of_the_core_s(main):
    with pytest.raises(ValueError, match="the number of a program of the core"):
        NPIRAMConfig(programs=PROGRAMS, main=main)
