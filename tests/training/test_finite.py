"""Phases that ask for all examples of a task: what is drawn more often, what is solved."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.experiments.runs import Run
from softmachine.machines.npi import npi_for
from softmachine.machines.recurrent import RecurrentConfig
from softmachine.recipes.npi import npi_bubble_sort
from softmachine.running.loop import run_batch
from softmachine.tasks.sequences.copy import Copy
from softmachine.tasks.traced.tasks import BubbleSort
from softmachine.training.finite import AllExamples, SampleByError, errors_of_all
from softmachine.training.member import Member
from softmachine.training.trainer import train

SIZES = dict.fromkeys(("observation", "embedding", "fused", "hidden"), 16)


def experiment(updates, *phases):
    given = npi_bubble_sort()
    machine = npi_for(given.task.interface.calls, key=4, layers=1, **SIZES)
    training = dataclasses.replace(
        given.training,
        batch=32,
        max_sequences=32 * updates,
        validate_every=32 * 20,
        checkpoint_every=32 * 20,
        phases=phases,
    )
    return dataclasses.replace(given, machine=machine, training=training)


def wrong_calls(machine, task):
    """Return which calls are wrong, decided one after another."""
    spec, wrong = task.outputs.spec, []

    @jax.jit
    def step(state, places):
        state, logits = machine.step(state, task.inputs.spec.one_hot(places))
        return state, spec.decide(logits)

    first = machine.init_state()
    for places, targets, steps in zip(*map(np.asarray, task.data()[:3]), strict=True):
        state, right = first, True
        for i in range(steps):
            state, decided = step(state, places[i])
            right &= np.array_equal(decided, targets[i])
        wrong.append(not right)
    return np.array(wrong)


def test_calls_that_are_wrong_are_drawn_more_often(tmp_path):
    run = Run.create(tmp_path / "run", experiment(20, SampleByError(factor=7.0)))
    train(run)
    member = Member(Run(tmp_path / "run"))
    task = member.experiment.task
    wrong = wrong_calls(member.machine(), task)
    assert 0 < wrong.sum() < len(wrong)
    first = np.asarray(task.first_priorities())
    np.testing.assert_allclose(
        member.state.priorities, np.where(wrong, 7 * first, first), rtol=1e-6
    )


def test_all_held_out_calls_have_to_be_right(tmp_path):
    phases = (SampleByError(), AllExamples(patience=1))
    progress = train(Run.create(tmp_path / "run", experiment(400, *phases)))
    assert progress.solved_sequences is not None
    member = Member(Run(tmp_path / "run"))
    held_out = member.experiment.task.held_out()
    assert len(held_out.first_priorities()) == 40
    assert not wrong_calls(member.machine(), held_out).any()
    assert not errors_of_all(member, held_out).any()


def test_calls_are_drawn_as_priorities_say():
    task = BubbleSort()
    data = task.data()
    priorities = jnp.zeros(len(data.steps)).at[jnp.array([3, 8])].set(jnp.array([1.0, 3.0]))
    keys = jax.random.split(jax.random.key(0), 400)
    draw = jax.jit(
        jax.vmap(lambda key: task.sample(key, 1, max_size=1, data=data, priorities=priorities))
    )
    drawn = np.asarray(draw(keys).inputs)
    all_calls = np.asarray(task.examples().inputs)
    counts = [(drawn == all_calls[i]).all(axis=(1, 2)).sum() for i in (3, 8)]
    assert sum(counts) == 400
    assert counts[1] == pytest.approx(300, abs=45)


def test_a_priori_all_programs_are_equally_likely():
    task = BubbleSort()
    program = np.asarray(task.data().places[:, 0, -1])
    shares = np.bincount(program, weights=task.first_priorities())
    np.testing.assert_allclose(shares[shares > 0], 1 / 7, rtol=1e-5)


@pytest.mark.parametrize("phase", [SampleByError(), AllExamples()])
def test_other_tasks_have_no_list_of_all_examples(phase):
    given = experiment(20)
    training = dataclasses.replace(given.training, phases=(phase,))
    with pytest.raises(ValueError, match="finitely many examples, not Copy"):
        dataclasses.replace(
            npi_bubble_sort(),
            task=Copy(),
            machine=RecurrentConfig(),
            training=training,
        )


def test_untrained_cores_are_run_as_the_driver_runs_them():
    task = BubbleSort()
    machine = npi_for(task.interface.calls, key=4, layers=2, **SIZES).build(
        task.input_size, task.output_size, key=jax.random.key(0)
    )
    examples = task.examples()
    steps = task.steps(1)

    @jax.jit
    def perfect(examples):
        outputs = run_batch(machine, examples.inputs, steps=steps, max_steps=steps)
        return jax.vmap(task.metrics)(outputs, examples)["perfect"]

    np.testing.assert_array_equal(
        np.asarray(perfect(examples)) == 0, wrong_calls(machine, task)
    )
