"""An NTM told as head moves: against loops written out, and on the machines of the zoo."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.errors import SoftmachineError
from softmachine.machines.controllers import ControllerConfig
from softmachine.machines.ntm import NTMConfig
from softmachine.programs.head_moves import check_moves, give_account, run_by_moves
from softmachine.tasks.copy import Copy
from softmachine.zoo import open_model

TASK = Copy(width=3)
ROWS, COLUMNS = 6, 4


def random_machine(**options):
    config = NTMConfig(
        controller=ControllerConfig(hidden=8),
        memory_rows=ROWS,
        memory_columns=COLUMNS,
        initial_memory="random",
        initial_memory_range=(-1.0, 1.0),
        initial_weightings="first-row",
        **options,
    )
    machine = config.build(TASK.input_size, TASK.output_size, key=jax.random.key(1))
    # Large enough for all kinds of moves.
    weight = 4 * jax.random.normal(jax.random.key(2), machine.heads.weight.shape)
    return jax.tree.map(lambda x: weight if x is machine.heads.weight else x, machine)


def written_out(machine, inputs):
    """One read head, one write head, rows as lists; nothing is shared but the controller."""
    config = machine.config
    memory = [np.array(row, np.float64) for row in np.asarray(machine.initial_memory()).T]
    rows, reading = [0, 0], np.zeros(COLUMNS)
    controller, steps, outputs = machine.controller.init_state(), [], []
    for x in machine.encode(inputs):
        controller, hidden = machine.controller(
            controller, x, jnp.asarray(reading, jnp.float32)
        )
        told = machine.head_parameters(hidden)
        old = [row.copy() for row in memory]

        def move(head, told=told, rows=tuple(rows)):
            key = np.asarray(told.keys[head], np.float64)
            match = [
                key @ row / np.sqrt((key @ key + 1e-6) * (row @ row + 1e-6)) for row in memory
            ]
            weights = np.exp(float(told.key_strengths[head]) * np.array(match))
            weights /= weights.sum()
            gate = float(told.gates[head])
            jumps = gate * weights.max() > 1 - gate
            row = int(np.argmax(match)) if jumps else rows[head]
            row += int(np.argmax(told.shifts[head])) - 1
            row = row % ROWS if config.wrap else min(max(row, 0), ROWS - 1)
            return bool(jumps), row

        moves = [None, move(1)]
        if config.order != "write-read":
            moves[0] = move(0)
        target = memory[moves[1][1]]
        target *= 1 - np.asarray(told.erases[0])
        target += np.asarray(told.adds[0])
        moves[0] = moves[0] or move(0)
        source = old if config.order == "read-write" else memory
        reading = source[moves[0][1]]
        rows = [row for _, row in moves]
        steps.append(moves)
        outputs.append(machine.decode(jnp.concatenate([hidden, jnp.asarray(reading)])))
    return steps, outputs


@pytest.mark.parametrize("order", ["read-write", "write-read", "address-write-read"])
@pytest.mark.parametrize("wrap", [True, False])
def test_moves_are_those_of_loops_written_out(order, wrap):
    machine = random_machine(order=order, wrap=wrap)
    example = TASK.sample(jax.random.key(3), 5, max_size=5)
    account = run_by_moves(machine, example, jax.random.key(0))
    steps, outputs = written_out(machine, example.inputs)
    assert account.jumps.tolist() == [[jump for jump, _ in moves] for moves in steps]
    assert account.rows.tolist() == [[row for _, row in moves] for moves in steps]
    np.testing.assert_allclose(account.outputs, outputs, rtol=1e-3, atol=1e-4)
    assert 0 < np.mean(account.jumps) < 1


def test_the_copy_machine_of_the_zoo_is_its_moves():
    model = open_model("ntm-copy")
    found = check_moves(model.machine, model.experiment.task, 5, sequences=20)
    assert found.different_bits == found.wrong_soft == found.wrong_moves == 0
    lines = give_account(model.machine, model.experiment.task, 3).splitlines()
    assert lines[0].split() == ["step", "input", "read", "head", "write", "head", "output"]
    assert len(lines) == 1 + 7
    # What is heard in step i is read back in step i + 4.
    assert [f"(of {i})" in lines[i + 4] for i in (1, 2, 3)] == [True] * 3
    assert [f" {i} " in f" {lines[i]} " for i in (1, 2, 3)] == [True] * 3


def test_a_machine_that_is_not_its_moves_is_found_out():
    """Untrained heads are nowhere: their weightings are blurred."""
    found = check_moves(random_machine(), TASK, 4, sequences=10)
    assert found.different_bits > 0


def test_what_has_no_account_is_refused():
    machine = random_machine(order="alternate")
    example = TASK.sample(jax.random.key(3), 2, max_size=2)
    with pytest.raises(SoftmachineError, match="take turns"):
        run_by_moves(machine, example, jax.random.key(0))
    with pytest.raises(SoftmachineError, match="size 9 needs 9 memory rows"):
        give_account(random_machine(), TASK, 9)
