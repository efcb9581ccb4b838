"""An NTM told as head moves: against loops written out, and on the machines of the zoo."""

from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.core.errors import SoftmachineError
from softmachine.core.specs.calls import Calls
from softmachine.core.specs.words import Words
from softmachine.machines.ntm.ntm import NTMConfig
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.machines.registry import MACHINES
from softmachine.recipes.registry import get_recipe
from softmachine.tasks.languages.babi import BAbI
from softmachine.tasks.memories.arrays import Access
from softmachine.tasks.one_shot.regression import GPRegression
from softmachine.tasks.own.sequences import own_sequences
from softmachine.tasks.registry import TASKS
from softmachine.tasks.sequences.copy import Copy
from softmachine.traces.head_moves import (
    _before_reading,
    check_moves,
    give_account,
    run_by_moves,
    take_account,
)
from softmachine.zoo import open_model

TASK = Copy(width=3)
FILES = Path(__file__).parents[1] / "tasks"
ROWS, COLUMNS = 6, 4


def random_machine(task=TASK, **options):
    config = NTMConfig(
        controller=ControllerConfig(hidden=8),
        memory_columns=COLUMNS,
        initial_memory="random",
        initial_memory_range=(-1.0, 1.0),
        initial_weightings="first-row",
        **({"memory_rows": ROWS} | options),
    )
    machine = config.build(task.input_size, task.output_size, key=jax.random.key(1))
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


def test_decided_heads_are_counted():
    """In float32 means, shares of seven steps would be off by some 1e-8."""
    machine = random_machine()
    found = check_moves(machine, TASK, 3, sequences=3)
    for share in found.decided:
        assert share == round(share * 21) / 21


@pytest.mark.parametrize("order", ["write-read", "alternate"])
def test_the_account_of_hard_heads_is_the_machine(order):
    machine = random_machine(hard=True, order=order)
    found = check_moves(machine, TASK, 5, sequences=10)
    assert found.different == 0
    assert found.decided == (1.0, 1.0)


def test_the_copy_machine_of_the_zoo_is_its_moves():
    model = open_model("ntm-copy")
    found = check_moves(model.machine, model.experiment.task, 5, sequences=20)
    assert found.different == found.wrong_soft == found.wrong_moves == 0
    lines = give_account(model.machine, model.experiment.task, 3).splitlines()
    assert lines[0].split() == ["step", "input", "read", "head", "write", "head", "output"]
    assert len(lines) == 1 + 7
    # What is heard in step i is read back in step i + 3, and said in the step after that.
    assert [f"(of {i})" in lines[i + 3] for i in (1, 2, 3)] == [True] * 3
    assert all("write" in lines[i] for i in (1, 2, 3))


def test_a_machine_that_is_not_its_moves_is_found_out():
    """Untrained heads are nowhere: their weightings are blurred."""
    found = check_moves(random_machine(), TASK, 4, sequences=10)
    assert found.different > 0


def test_what_has_no_account_is_refused():
    with pytest.raises(SoftmachineError, match="size 9 needs 9 memory rows"):
        give_account(random_machine(), TASK, 9)


def test_heads_that_take_turns_read_what_those_before_them_wrote():
    """Two read and two write heads, on one row: the second reader hears of the first writer."""
    heads = random_machine(order="alternate", read_heads=2, write_heads=2).head_layout
    rows = np.array([2, 2, 2, 5])
    writes = np.array([True, True])
    assert _before_reading(0, rows[2:], writes, heads) == set()
    assert _before_reading(1, rows[2:], writes, heads) == {2}
    assert _before_reading(1, rows[2:], np.array([False, True]), heads) == set()
    all_first = random_machine(order="write-read", write_heads=2).head_layout
    assert _before_reading(0, rows[2:], writes, all_first) == {2, 5}


def tasks_of_ntms():
    """A task of each kind that an NTM fits; those that need arguments have the defaults."""
    found = {}
    for name in TASKS:
        try:
            task = TASKS[name]()
        except TypeError:
            continue
        if name == "babi":
            task = BAbI(path=str(FILES / "babi"), tasks=(1, 8), vocabulary=24)
        if name == "own-sequences":
            task = own_sequences(FILES / "own.jsonl")
        if not isinstance(task, GPRegression) and MACHINES["ntm"]().fits(
            task.inputs, task.outputs
        ):
            found[name] = task
    return found


def test_moves_of_a_machine_that_predicts_numbers_are_refused():
    task = GPRegression()
    machine = random_machine(task)
    for refused in (give_account, partial(check_moves, sequences=2)):
        with pytest.raises(SoftmachineError, match="GPRegression asks for are real numbers"):
            refused(machine, task, 3)


@pytest.mark.parametrize("task", [pytest.param(t, id=n) for n, t in tasks_of_ntms().items()])
def test_moves_of_every_kind_of_output(task):
    """Counted by hand from decisions, on untrained machines; symbols are told as letters."""
    size = task.smallest
    rows = max(ROWS, task.items(size))
    machine = random_machine(task, order="alternate", memory_rows=rows)
    lines = give_account(machine, task, size).splitlines()
    assert len(lines) == 1 + task.steps(size)
    found = check_moves(machine, task, size, sequences=3)
    differences, wrong_soft, wrong_moves, scored = np.zeros(4)
    for key in jax.random.split(jax.random.fold_in(jax.random.key(0), size), 3):
        example_key, machine_key = jax.random.split(key)
        example = task.sample(example_key, size, max_size=size)
        soft = machine(example.inputs, key=machine_key)
        account = take_account(machine, example, machine_key)
        done = run_by_moves(machine, example, account.rows, machine_key).outputs
        several = isinstance(
            task.output, (Calls, Words)
        )  # decisions in each step, scored together
        mask = example.mask[:, None] if several else example.mask
        for position, counted in np.ndenumerate(np.broadcast_to(mask, example.targets.shape)):
            # A bit is a logit's sign; a symbol the place of the largest of a step's logits.
            said, moved = (
                float(x[position] > 0) if x.shape == example.targets.shape
                else task.output.decide(jnp.asarray(x))[position] if several
                else int(np.argmax(x[position]))
                for x in (np.asarray(soft), np.asarray(done))
            )  # fmt: skip
            target = float(example.targets[position])
            scored += counted
            differences += counted * (said != moved)
            wrong_soft += counted * (said != target)
            wrong_moves += counted * (moved != target)
    np.testing.assert_allclose(
        [found.different, found.wrong_soft, found.wrong_moves],
        np.array([differences, wrong_soft, wrong_moves]) / scored,
        rtol=1e-6,
    )


def test_letters_are_told_as_letters():
    experiment = get_recipe("ntm-reverse-string")
    task = experiment.task
    lines = give_account(random_machine(task), task, 3).splitlines()[1:]
    heard = [line.split()[1] for line in lines]
    assert set(heard[:3]) <= set(task.letters)
    assert heard[3:] == ["."] * 3
    said = [line.split()[-1] for line in lines]
    assert set(said[3:]) <= set(task.answers)


def test_a_task_without_steps_is_refused():
    with pytest.raises(SoftmachineError, match="Access has no input and output in every step"):
        check_moves(random_machine(), Access(), 3)
