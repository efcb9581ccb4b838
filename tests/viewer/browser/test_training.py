"""Training in the page, beside the same in Python."""

import dataclasses
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from playwright.sync_api import expect

from softmachine.core.errors import SoftmachineError
from softmachine.core.fields import named_leaves
from softmachine.experiments import Uniform
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.recipes import get_recipe
from softmachine.tasks.sequences.copy import Copy
from softmachine.tasks.task import Example
from softmachine.viewer.live_file import Living, live_page
from softmachine.viewer.page_training import page_training

RECIPE = get_recipe("ntm-copy")
ROWS = [5, 9]
LESSONS = {1: [[1, 0, 1]], 2: [[0, 1, 1], [1, 1, 0]], 3: [[1, 0, 0], [0, 0, 1], [1, 1, 1]]}


def small(clip_norm=10.0, head_clip=20.0):
    """The recipe with a small machine, whose first parameters are not small."""
    machine = dataclasses.replace(
        RECIPE.machine, controller=ControllerConfig(hidden=5), memory_rows=9, memory_columns=4,
        head_clip=head_clip,
    )  # fmt: skip
    optimizer = dataclasses.replace(
        RECIPE.training.optimizer, clip_norm=clip_norm, learning_rate=0.01, decay_steps=3000
    )
    training = dataclasses.replace(
        RECIPE.training, curriculum=Uniform(smallest=1, largest=3), memory_rows=tuple(ROWS),
        optimizer=optimizer, max_sequences=3000,
    )  # fmt: skip
    return dataclasses.replace(
        RECIPE, task=Copy(width=3), machine=machine, training=training, recipe="small"
    )


def living(experiment, scale=1.0):
    machine = experiment.build_machine(1)
    scaled = jax.tree.map(lambda x: scale * x if jnp.ndim(x) else x, machine)
    return Living("small", experiment, scaled, "here", trains=True)


def opened(new_page, tmp_path, one, **options):
    path = tmp_path / "page.html"
    path.write_text(live_page([one]), encoding="utf-8")
    page = new_page(**options)
    page.goto(path.as_uri())
    expect(page.locator("output.count")).to_be_visible()
    return page


def lesson(task, bits):
    """Return an example as the page has it, and as Python has it."""
    size, width = len(bits), task.width
    inputs = [[*row, 0] for row in bits] + [[0] * width + [1]] + [[0] * (width + 1)] * size
    targets, mask = task.answer(np.array(inputs, np.float32))
    example = Example(
        jnp.array(inputs, jnp.float32), jnp.asarray(targets), jnp.asarray(mask),
        jnp.asarray(len(inputs)),
    )  # fmt: skip
    return {"inputs": inputs, "targets": bits, "counted": size + 1}, example


def loss_of(task, rows):
    def loss(machine, example):
        return task.output.loss(machine.with_memory_rows(rows)(example.inputs), example)

    return loss


@pytest.mark.parametrize("head_clip", [20.0, 1.0])
def test_derivatives_are_those_of_jax(new_page, tmp_path, head_clip):
    one = living(small(head_clip=head_clip), scale=3.0)
    page = opened(new_page, tmp_path, one)
    task = one.experiment.task
    for rows, size in zip(ROWS, (3, 1), strict=True):
        given, example = lesson(task, LESSONS[size])
        found = page.evaluate(
            """([lesson, rows]) => {
                const learner = window.softmachine[0].learner(0);
                const loss = learner.gradients(lesson, rows);
                const names = window.softmachine[0].parameters.names;
                return [loss, Object.fromEntries(
                    names.map((name) => [name, Array.from(learner.gradient(name))]))];
            }""",
            [given, rows],
        )
        value, expected = jax.value_and_grad(loss_of(task, rows))(one.machine, example)
        assert found[0] == pytest.approx(float(value), rel=1e-5)
        arrays = named_leaves(expected)
        assert found[1].keys() == arrays.keys()
        largest = max(float(jnp.max(jnp.abs(x))) for x in arrays.values())
        for name, array in arrays.items():
            np.testing.assert_allclose(
                found[1][name], array.ravel(), 1e-4, 1e-5 * largest, err_msg=name
            )


def test_updates_are_those_of_the_optimizer(new_page, tmp_path):
    experiment = small(clip_norm=0.5)
    one = living(experiment, scale=2.0)
    page = opened(new_page, tmp_path, one)
    lessons = [lesson(experiment.task, LESSONS[2]) for _ in range(12)]
    page.evaluate(
        """([lessons, rows]) => {
            const learner = window.softmachine[0].learner(0);
            lessons.forEach((lesson, i) => learner.learn(lesson, rows[i % rows.length]));
            learner.keep();
        }""",
        [[given for given, _ in lessons], ROWS],
    )
    machine, optimizer = one.machine, experiment.training.optimizer.build()
    state = optimizer.init(machine)
    gradients_of = [jax.jit(jax.grad(loss_of(experiment.task, rows))) for rows in ROWS]
    for i, (_, example) in enumerate(lessons):
        gradients = gradients_of[i % 2](machine, example)
        assert optax.tree.norm(gradients) > 0.5  # so that it is clipped
        updates, state = optimizer.update(gradients, state, machine)
        machine = optax.apply_updates(machine, updates)
    for name, array in named_leaves(machine).items():
        found = page.evaluate(
            "(name) => Array.from(window.softmachine[0].parameters.numbers(name))", name
        )
        np.testing.assert_allclose(found, array.ravel(), 1e-3, 1e-4, err_msg=name)


def test_one_trains_watches_pauses_and_begins_anew(new_page, tmp_path):
    page = opened(new_page, tmp_path, living(small()))
    told, curve = page.locator(".told"), page.locator(".practice polyline")
    pictures = page.locator(".view")
    expect(told).to_have_text("Not trained yet. ")
    press = page.get_by_role("button", name="Train the machine")
    numbers = "() => Array.from(window.softmachine[0].parameters.numbers('heads.weight'))"
    first, shown = page.evaluate(numbers), pictures.first.inner_text()
    press.click()
    expect(press).to_have_text("Pause")
    expect(told).to_contain_text("bits wrong in the last test, of")
    expect(told).to_contain_text("sequences of 1 to 3 vectors")
    last = page.evaluate("() => window.softmachine[0].described.size * 2 + 1")
    expect(page.locator("output.count")).to_have_text(f"{last} / {last}")
    assert page.evaluate(numbers) != first
    assert pictures.first.inner_text() != shown
    press.click()
    expect(press).to_have_text("Train")
    paused = told.inner_text()
    assert len(curve.get_attribute("points").split()) >= 5
    page.wait_for_timeout(300)
    assert told.inner_text() == paused
    page.get_by_role("button", name="Begin anew").click()
    expect(told).to_have_text("Not trained yet. ")
    assert curve.get_attribute("points") == ""
    assert page.evaluate(numbers) == first


def test_training_ends_when_a_machine_is_right_or_its_time_is_over(new_page, tmp_path):
    page = opened(new_page, tmp_path, living(small()))
    press = page.get_by_role("button", name="Train the machine")
    press.click()
    expect(press).to_have_text("Train")
    told = page.locator(".told").inner_text()
    assert told.startswith("3,000 sequences") or "None of" in told


def test_a_machine_that_is_not_to_be_trained_has_no_button(new_page, tmp_path):
    one = living(small())._replace(trains=False)
    page = opened(new_page, tmp_path, one)
    expect(page.get_by_role("button", name="Run this input")).to_be_visible()
    assert page.get_by_role("button", name="Train the machine").count() == 0


OPTIMIZER = RECIPE.training.optimizer
REFUSED = {
    "task.kind_of has to be 'copy', not 'associative-recall'": {
        "task": get_recipe("ntm-recall").task
    },
    "machine.order has to be 'read-write', not 'write-read'": {
        "machine": dataclasses.replace(RECIPE.machine, order="write-read")
    },
    "machine.read_heads has to be 1, not 2": {
        "machine": dataclasses.replace(RECIPE.machine, read_heads=2)
    },
    "machine.controller.layers has to be 1, not 2": {
        "machine": dataclasses.replace(
            RECIPE.machine, controller=ControllerConfig(hidden=5, layers=2)
        )
    },
    "machine.kind_of has to be 'ntm'": {"machine": get_recipe("lstm-copy").machine},
    "training.batch has to be 1, not 2": {
        "training": dataclasses.replace(RECIPE.training, batch=2)
    },
    "training.optimizer.kind has to be 'adam'": {
        "training": dataclasses.replace(
            RECIPE.training, optimizer=dataclasses.replace(OPTIMIZER, kind="graves-rmsprop")
        )
    },
    "training.gradient_noise has to be 0.0, not 0.1": {
        "training": dataclasses.replace(RECIPE.training, gradient_noise=0.1)
    },
    "training.averaging has to be 0.0, not 0.9": {
        "training": dataclasses.replace(RECIPE.training, averaging=0.9)
    },
    "memory_rows, which has to be 128, the machine's own, not 32": {
        "training": dataclasses.replace(RECIPE.training, memory_rows=(128, 32))
    },
    "clip_norm is None": {
        "training": dataclasses.replace(
            RECIPE.training, optimizer=dataclasses.replace(OPTIMIZER, clip_norm=None)
        )
    },
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_the_page_cannot_train_is_refused_by_its_field(words):
    assert page_training(RECIPE)["decay_steps"] == 40_000
    with pytest.raises(SoftmachineError, match=re.escape(words)):
        page_training(dataclasses.replace(RECIPE, **REFUSED[words]))
