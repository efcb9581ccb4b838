"""An NTM told as head moves: against loops written out, and on the machines of the zoo."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.core.errors import SoftmachineError
from softmachine.machines.ntm.ntm import NTMConfig
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.tasks.sequences.copy import Copy
from softmachine.traces.head_moves import (
    _before_reading,
    check_moves,
    give_account,
    run_by_moves,
)
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


def written_out(machine, inputs, rows):
    """One read head, one write head, rows as lists; nothing is shared but the controller."""
    memory = [np.array(row, np.float64) for row in np.asarray(machine.initial_memory()).T]
    reading = np.zeros(COLUMNS)
    controller, outputs = machine.controller.init_state(), []
    for x, (looked, written) in zip(machine.encode(inputs), rows.tolist(), strict=True):
        controller, hidden = machine.controller(
            controller, x, jnp.asarray(reading, jnp.float32)
        )
        told = machine.head_parameters(hidden)
        before = memory[looked].copy()
        memory[written] *= 1 - np.asarray(told.erases[0])
        memory[written] += np.asarray(told.adds[0])
        reads_first = machine.config.order in ("read-write", "alternate")
        reading = before if reads_first else memory[looked]
        outputs.append(machine.decode(jnp.concatenate([hidden, jnp.asarray(reading)])))
    return outputs


@pytest.mark.parametrize(
    "order", ["read-write", "write-read", "address-write-read", "alternate"]
)
def test_accounts_are_done_as_loops_written_out_do_them(order):
    machine = random_machine(order=order)
    example = TASK.sample(jax.random.key(3), 5, max_size=5)
    rows = jax.random.randint(jax.random.key(4), (11, 2), 0, ROWS)
    done = run_by_moves(machine, example, rows, jax.random.key(0))
    outputs = written_out(machine, example.inputs, rows)
    np.testing.assert_allclose(done.outputs, outputs, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("order", ["write-read", "alternate"])
def test_the_account_of_hard_heads_is_the_machine(order):
    machine = random_machine(hard=True, order=order)
    found = check_moves(machine, TASK, 5, sequences=10)
    assert found.different_bits == 0
    assert found.decided == (1.0, 1.0)


def test_the_copy_machine_of_the_zoo_is_its_moves():
    model = open_model("ntm-copy")
    found = check_moves(model.machine, model.experiment.task, 5, sequences=20)
    assert found.different_bits == found.wrong_soft == found.wrong_moves == 0
    lines = give_account(model.machine, model.experiment.task, 3).splitlines()
    assert lines[0].split() == ["step", "input", "read", "head", "write", "head", "output"]
    assert len(lines) == 1 + 7
    # What is heard in step i is read back in step i + 3, and said in the step after that.
    assert [f"(of {i})" in lines[i + 3] for i in (1, 2, 3)] == [True] * 3
    assert all("write" in lines[i] for i in (1, 2, 3))


def test_a_machine_that_is_not_its_moves_is_found_out():
    """Untrained heads are nowhere: their weightings are blurred."""
    found = check_moves(random_machine(), TASK, 4, sequences=10)
    assert found.different_bits > 0


def test_what_has_no_account_is_refused():
    with pytest.raises(SoftmachineError, match="size 9 needs 9 memory rows"):
        give_account(random_machine(), TASK, 9)


def test_heads_that_take_turns_read_what_those_before_them_wrote():
    """Two read and two write heads, on one row: the second reader hears of the first writer."""
    config = random_machine(order="alternate", read_heads=2, write_heads=2).config
    rows = np.array([2, 2, 2, 5])
    writes = np.array([True, True])
    assert _before_reading(0, rows[2:], writes, config) == set()
    assert _before_reading(1, rows[2:], writes, config) == {2}
    assert _before_reading(1, rows[2:], np.array([False, True]), config) == set()
    all_first = random_machine(order="write-read", write_heads=2).config
    assert _before_reading(0, rows[2:], writes, all_first) == {2, 5}
