"""Hard machines: the paper's example runs, and soft machines with one-hot choices."""

import dataclasses
from functools import partial
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.core import compiling
from softmachine.machines.nram.gates import GATES, PAPER_GATES
from softmachine.machines.nram.hard import (
    DECIDED,
    hard_state,
    hard_step,
    hard_wiring,
    hard_wirings,
    pattern_number,
    run_gates,
    run_hard,
    run_hard_batch,
)
from softmachine.machines.nram.nram import NRAMConfig, NRAMControllerConfig
from softmachine.machines.nram.packed import PackedNRAM

# --- wiring by name -----------------------------------------------------------------------


def slot_names(config):
    """Return r1, r2, ...; READ, ..., and READ' for the second of a name.

    Without spaces, as circuits are written as words below.
    """
    names = [f"r{i + 1}" for i in range(config.registers)]
    for gate in config.gates:
        names.append(gate + "'" * sum(name.rstrip("'") == gate for name in names))
    return names


def wiring(config, circuit):
    """Return for each row of choices (what it is for, its sources, the slot it takes).

    A circuit gives each gate's arguments and each register by name. Whatever it leaves out
    takes r1.
    """
    slots, rows = slot_names(config), []
    for i, name in enumerate(slots[config.registers :], config.registers):
        arity = GATES[name.rstrip("'")].arity
        arguments = circuit.get(name, "r1 r1").split()
        for argument in range(2 if arity else 0):
            used = argument < arity
            rows.append((i if used else 0, slots.index(arguments[argument]) if used else 0))
    rows += [(len(slots), slots.index(circuit[name])) for name in slots[: config.registers]]
    return rows


def machine_of(config, circuits):
    """Return a machine that takes a circuit for each pattern of which registers are 0.

    ``circuits`` is a list of (pattern, circuit, whether to stop); a pattern has 1 for a
    register that is 0, 0 for one that is not, x for either. Unit k of the MLP is 1 for
    pattern k and 0 for all others.
    """
    signs = {"1": 1.0, "0": -1.0, "x": 0.0}
    patterns = [pattern for pattern, _, _ in circuits]
    detectors = [[signs[sign] for sign in pattern] for pattern in patterns]
    logits = [
        [
            DECIDED if source == chosen else -DECIDED
            for sources, chosen in wiring(config, circuit)
            for source in range(sources)
        ]
        for _, circuit, _ in circuits
    ]
    count = len(circuits)
    parameters = (
        detectors,
        [1 - pattern.count("1") for pattern in patterns],
        np.eye(count),
        np.zeros(count),
        np.transpose(logits),
        np.zeros(len(logits[0])),
        [[4.0 if stops else -4.0 for _, _, stops in circuits]],
        [0.0],
    )
    config = dataclasses.replace(config, controller=NRAMControllerConfig(hidden=count))
    machine = config.build(key=jax.random.key(0))
    places, tree = jax.tree.flatten(machine)
    assert [x.shape for x in places] == [np.shape(x) for x in parameters]
    return jax.tree.unflatten(tree, [jnp.asarray(x, jnp.float32) for x in parameters])


# --- the paper's example runs -------------------------------------------------------------


class Run(NamedTuple):
    """A run of appendix C: what is wired to what, and the state after every step."""

    config: NRAMConfig
    circuits: list[tuple[str, dict[str, str], bool]]
    memory: list[int]
    steps: list[tuple[int, tuple[int, int], tuple[int, ...]]]
    """Circuit, then the last write (cell, value), then the registers afterwards."""
    stops: bool


COPY = Run(
    NRAMConfig(registers=4),
    [
        (
            "1111",
            {
                "READ": "r1",
                "DEC": "READ",
                "WRITE": "r1 READ",
                "r1": "r1",
                "r2": "DEC",
                "r3": "r1",
                "r4": "ONE",
            },
            False,
        ),
        (
            "10x0",
            {
                "READ": "r4",
                "INC": "r3",
                "ADD": "r4 r2",
                "MIN": "r2 INC",
                "WRITE": "ADD READ",
                "r1": "r1",
                "r2": "r2",
                "r3": "r4",
                "r4": "MIN",
            },
            False,
        ),
    ],
    [6, 2, 10, 6, 8, 9, 0, 0, 0, 0, 0, 0],
    [
        (0, (0, 6), (0, 5, 0, 1)),
        (1, (6, 2), (0, 5, 1, 1)),
        (1, (6, 2), (0, 5, 1, 2)),
        (1, (7, 10), (0, 5, 2, 2)),
        (1, (7, 10), (0, 5, 2, 3)),
        (1, (8, 6), (0, 5, 3, 3)),
        (1, (8, 6), (0, 5, 3, 4)),
        (1, (9, 8), (0, 5, 4, 4)),
        (1, (9, 8), (0, 5, 4, 5)),
        (1, (10, 9), (0, 5, 5, 5)),
        (1, (10, 9), (0, 5, 5, 5)),
    ],
    stops=False,
)
"""Table 2 and Figure 4: five numbers after the pointer 6."""
ACCESS = Run(
    NRAMConfig(registers=2),
    [
        ("11", {"READ": "r1", "WRITE": "ZERO READ", "r1": "READ", "r2": "r2"}, False),
        ("01", {"READ": "r1", "WRITE": "ZERO READ", "r1": "r1", "r2": "r2"}, True),
    ],
    [3, 1, 12, 4, 7, 12, 1, 13, 8, 2, 1, 3, 11, 11, 12, 0],
    [(0, (0, 3), (3, 0)), (1, (0, 4), (3, 0))],
    stops=True,
)
"""Table 3: the number in cell 3."""
SWAP = Run(
    NRAMConfig(registers=2, gates=PAPER_GATES * 2),
    [
        (
            "11",
            {
                "READ": "r1",
                "WRITE": "r1 READ",
                "READ'": "READ",
                "WRITE'": "r1 READ'",
                "r1": "ONE",
                "r2": "READ",
            },
            False,
        ),
        (
            "00",
            {
                "READ": "r1",
                "WRITE": "r1 READ",
                "READ'": "READ",
                "WRITE'": "r2 READ'",
                "r1": "ZERO",
                "r2": "READ",
            },
            False,
        ),
        (
            "10",
            {
                "READ": "r1",
                "WRITE": "r1 READ",
                "WRITE'": "r2 READ",
                "r1": "READ",
                "r2": "ONE'",
            },
            True,
        ),
    ],
    [4, 13, 6, 10, 5, 4, 6, 3, 7, 1, 1, 11, 13, 12, 0, 0],
    [(0, (0, 5), (1, 4)), (1, (4, 12), (0, 13)), (2, (13, 5), (5, 1))],
    stops=True,
)
"""Table 6: cells 4 and 13, by way of cell 0. The first WRITE of a step changes nothing."""
RUNS = {"copy": COPY, "access": ACCESS, "swap": SWAP}


def states(run, cells):
    """Return the first memory, and (circuit, registers, memory) after every step."""
    memory = np.array(run.memory + [0] * (cells - len(run.memory)))
    first, after = memory.copy(), []
    for circuit, (cell, value), registers in run.steps:
        memory[cell] = value
        after.append((circuit, registers, memory.copy()))
    return jnp.asarray(first), after


@pytest.fixture(scope="module", params=RUNS)
def run(request):
    return RUNS[request.param]


@pytest.fixture(scope="module")
def machine(run):
    return machine_of(run.config, run.circuits)


def test_the_states_are_the_ones_that_the_tasks_ask_for():
    """Of what stands above."""
    assert states(COPY, 12)[1][-1][2].tolist() == [6, 2, 10, 6, 8, 9, 2, 10, 6, 8, 9, 0]
    assert states(ACCESS, 16)[1][-1][2][0] == ACCESS.memory[3]
    swapped = states(SWAP, 16)[1][-1][2].tolist()
    assert swapped == [5, 13, 6, 10, 12, 4, 6, 3, 7, 1, 1, 11, 13, 5, 0, 0]


def test_example_runs_gate_by_gate(run, machine):
    """Each step from the registers and the memory that the paper shows."""
    worked = jax.jit(partial(run_gates, machine))
    memory, after = states(run, len(run.memory))
    registers = jnp.zeros(run.config.registers, jnp.int32)
    for circuit, expected_registers, expected_memory in after:
        taken = [slot for _, slot in wiring(run.config, run.circuits[circuit][1])]
        registers, memory = worked(jnp.asarray(taken), registers, memory)
        assert tuple(registers.tolist()) == expected_registers
        np.testing.assert_array_equal(memory, expected_memory)


@pytest.mark.parametrize("cells", [None, 40], ids=["as in the paper", "more cells"])
def test_example_runs_hard_and_soft(run, machine, cells):
    """The machine finds its circuits itself; with more cells than in the paper, too."""
    memory, after = states(run, cells or len(run.memory))
    hard, soft = hard_state(machine, memory), machine.init_state(memory)
    step_hard = jax.jit(partial(hard_step, machine))
    step_soft = jax.jit(lambda state: machine.advance(state))
    for i, (_, registers, expected) in enumerate(after, 1):
        hard, (soft, output) = step_hard(hard), step_soft(soft)
        last = run.stops and i == len(after)
        assert tuple(hard.registers.tolist()) == registers
        np.testing.assert_array_equal(hard.memory, expected)
        assert int(hard.steps) == i
        assert bool(hard.stopped) == bool(output.stop > 0) == last
        assert tuple(jnp.argmax(soft.registers, axis=1).tolist()) == registers
        np.testing.assert_array_equal(jnp.argmax(soft.memory, axis=1), expected)
        for x in (soft.registers, soft.memory):
            np.testing.assert_allclose(jnp.max(x, axis=1), 1, atol=1e-5)
        assert float(output.entropy) < 1e-3


def test_example_runs_stop_by_themselves(run, machine):
    memory, after = states(run, len(run.memory))
    limit = 50 if run.stops else len(after)
    last = jax.jit(partial(run_hard, machine))(memory, limit)
    assert int(last.steps) == len(after)
    assert bool(last.stopped) == run.stops
    assert tuple(last.registers.tolist()) == after[-1][1]
    np.testing.assert_array_equal(last.memory, after[-1][2])


# --- stopping -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def access():
    return machine_of(ACCESS.config, ACCESS.circuits)


def test_each_example_stops_on_its_own(access):
    """Told to access cell 0, the machine never sees that it is done."""
    memories = jnp.asarray([ACCESS.memory, [0, *ACCESS.memory[1:]]])
    run = jax.jit(jax.vmap(partial(run_hard, access), in_axes=(0, None)))
    for limit in (0, 1, 2, 7):
        last = run(memories, jnp.asarray(limit))
        assert last.steps.tolist() == [min(limit, 2), limit]
        assert last.stopped.tolist() == [limit >= 2, False]
        assert last.memory[:, 0].tolist() == [4 if limit >= 2 else 3, 0]


def test_a_stopped_machine_stays_as_it_is(access):
    stopped = hard_state(access, jnp.asarray(ACCESS.memory))._replace(stopped=jnp.asarray(True))
    after = jax.jit(partial(hard_step, access))(stopped)
    for x, y in zip(jax.tree.leaves(after), jax.tree.leaves(stopped), strict=True):
        np.testing.assert_array_equal(x, y)


def test_stopping_must_be_more_likely_than_not(access):
    undecided = jax.tree.map(jnp.zeros_like, access.stop)
    undecided = eqx.tree_at(lambda m: m.stop, access, undecided)
    last = jax.jit(partial(run_hard, undecided))(jnp.asarray(ACCESS.memory), 3)
    assert (int(last.steps), bool(last.stopped)) == (3, False)


def test_a_million_cells(access):
    memory = np.random.default_rng(0).integers(0, 10**6, size=10**6)
    memory[0] = 10**6 - 1
    last = jax.jit(partial(run_hard, access))(jnp.asarray(memory), 50)
    assert int(last.memory[0]) == memory[-1]
    np.testing.assert_array_equal(last.memory[1:], memory[1:])


# --- hard is soft with one-hot choices ----------------------------------------------------

RANDOM = {
    "mlp": {},
    "lstm": dict(gates=PAPER_GATES * 2),
    "gru": dict(
        gates=(
            "WRITE",
            "ADD",
            "ONE",
            "MAX",
            "READ",
            "SUB",
            "LESS-THAN",
            "WRITE",
            "DEC",
            "READ",
        ),
        write_returns="value",
    ),
}


def random_machine(kind, seed):
    """Return a machine that takes one-hot choices, and never stops."""
    controller = NRAMControllerConfig(kind=kind, hidden=8)
    config = NRAMConfig(registers=4, controller=controller, hard=True, **RANDOM[kind])
    rng = np.random.default_rng(seed)
    machine = jax.tree.map(
        lambda x: jnp.asarray(rng.normal(size=x.shape), jnp.float32),
        config.build(key=jax.random.key(0)),
    )
    return eqx.tree_at(lambda m: m.stop.bias, machine, jnp.array([-1e3]))


@pytest.mark.parametrize("cells", [6, 40])
@pytest.mark.parametrize("kind", RANDOM)
def test_hard_steps_are_soft_steps_with_one_hot_choices(kind, cells):
    """Random machines on random memories; one machine, whatever the number of cells."""

    @partial(jax.jit, compiler_options=compiling.options())
    def soft(machine, memories):
        packed = PackedNRAM.of(machine)

        def step(state, _):
            state, output = packed.advance(state)
            return state, (state.registers, output.memory)

        return jax.lax.scan(step, packed.init_state(memories), length=12)[1]

    @jax.jit
    def hard(machine, memories):
        def step(state, _):
            state = jax.vmap(partial(hard_step, machine))(state)
            return state, (state.registers, state.memory)

        start = jax.vmap(partial(hard_state, machine))(memories)
        return jax.lax.scan(step, start, length=12)[1]

    seen, changed = set(), 0
    for seed in range(8):
        machine = random_machine(kind, seed)
        memories = np.random.default_rng(seed).integers(0, cells, size=(4, cells))
        distributions = soft(machine, jnp.asarray(memories))
        integers = hard(machine, jnp.asarray(memories))
        for soft_values, hard_values in zip(distributions, integers, strict=True):
            expected = np.moveaxis(np.eye(cells)[np.asarray(hard_values)], 1, -1)
            np.testing.assert_array_equal(soft_values, expected)
        seen |= {tuple(registers) for registers in integers[0].reshape(-1, 4).tolist()}
        changed += np.any(np.asarray(integers[1][-1]) != memories)
    assert len(seen) > 10
    assert changed > 3


def test_a_batch_of_memories_of_different_sizes(access):
    """Cells after a memory's own stay as they are, and numbers wrap at its own size."""
    rng = np.random.default_rng(0)
    cells = np.array([3, 5, 12, 12])
    memories = np.full((4, 12), 99)
    for row, count in enumerate(cells):
        memories[row, :count] = rng.integers(0, count, count)
    steps = jnp.asarray([4, 4, 4, 1])
    last = jax.jit(partial(run_hard_batch, access))(
        jnp.asarray(memories), steps, jnp.asarray(cells)
    )
    assert np.all(np.asarray(last.memory)[np.arange(12) >= cells[:, None]] == 99)
    for row, count in enumerate(cells):
        alone = run_hard(access, jnp.asarray(memories[row, :count]), steps[row])
        np.testing.assert_array_equal(last.memory[row, :count], alone.memory)
        assert int(last.steps[row]) == int(alone.steps)
        assert bool(last.stopped[row]) == bool(alone.stopped)


def test_wirings_of_all_patterns(access):
    wirings = hard_wirings(access)
    for registers in ([0, 0], [0, 3], [3, 0], [3, 3]):
        number = int(pattern_number(jnp.asarray(registers)))
        zeros = jnp.asarray([float(value == 0) for value in registers])
        alone = hard_wiring(access, access.controller((), zeros)[1])
        np.testing.assert_array_equal(wirings.sources[number], alone.sources)
        assert bool(wirings.stop[number]) == bool(alone.stop)
