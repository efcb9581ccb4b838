"""What training minimises, against plain loops over steps and cells."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.experiments.objectives import MeanLoss, TaskLoss
from softmachine.experiments.settings import Settings
from softmachine.machines.nram.nram import NRAMOutput
from softmachine.recipes.registry import get_recipe
from softmachine.tasks.chomsky.numbers import BinaryAddition
from softmachine.tasks.chomsky.regular import ParityCheck
from softmachine.tasks.memories.arrays import Access
from softmachine.tasks.sequences.copy import Copy
from softmachine.tasks.task import Example
from softmachine.training.nram.objective import NRAMLoss

STEPS, CELLS = 6, 5


def settings(bonus=0.3, late=False):
    one, bonus = (jnp.asarray(x, jnp.float32) for x in (1.0, bonus))
    return Settings(one, one, jnp.asarray(7 if late else 0), {"entropy_bonus": bonus})


def drawn(seed, steps):
    """Return outputs of a machine that stops at no step for sure, and an example.

    Some targets have no probability at all. After the example's steps the outputs are
    anything finite.
    """
    rng = np.random.default_rng(seed)
    memory = rng.dirichlet(np.full(CELLS, 0.3), size=(STEPS, CELLS))
    targets = rng.integers(0, CELLS, CELLS)
    mask = np.array([0.0, 1.0, 1.0, 0.0, 1.0])
    memory[1, 2] = np.eye(CELLS)[(targets[2] + 1) % CELLS]
    memory[:, 4] = np.eye(CELLS)[(targets[4] + 2) % CELLS]
    registers = rng.dirichlet(np.full(CELLS, 0.3), size=(STEPS, 2))
    memory[steps:] = registers[steps:] = 7.0
    outputs = NRAMOutput(
        memory, rng.normal(size=STEPS), rng.uniform(0, 9, size=STEPS), registers
    )
    outputs = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), outputs)
    example = Example(
        inputs=jnp.zeros(CELLS, jnp.int32),
        targets=jnp.asarray(targets, jnp.int32),
        mask=jnp.asarray(mask, jnp.float32),
        steps=jnp.asarray(steps, jnp.int32),
    )
    return outputs, example


def stops(outputs, steps):
    """The paper's p_t: stopping at t, not before; the last step has all that is left."""
    left, result = 1.0, []
    for t in range(steps):
        willing = 1 / (1 + math.exp(-float(outputs.stop[t])))
        p = left if t == steps - 1 else left * willing
        result.append(p)
        left -= p
    return result


def likelihood(outputs, example, *, floor=1e-6, mixture=False, per_cell=True):
    total, cells = 0.0, [i for i in range(CELLS) if example.mask[i]]
    steps = int(example.steps)
    ps = stops(outputs, steps)
    for cell in cells:
        target = int(example.targets[cell])
        held = [float(outputs.memory[t, cell, target]) for t in range(steps)]
        if mixture:
            right = sum(p * x for p, x in zip(ps, held, strict=True))
            total -= math.log(max(right, floor))
        else:
            logs = [math.log(max(x, floor)) for x in held]
            total -= sum(p * x for p, x in zip(ps, logs, strict=True))
    return total / len(cells) if per_cell else total


def entropy(outputs, example):
    steps = int(example.steps)
    return sum(float(outputs.entropy[t]) for t in range(steps)) / steps


def loss(objective, outputs, example, chosen, age=0):
    return float(objective.loss(Access(), outputs, example, chosen, jnp.asarray(age)))


@pytest.mark.parametrize("steps", [1, 4, STEPS])
@pytest.mark.parametrize(
    "options",
    [
        {},
        dict(per_cell=False),
        dict(mixture=True),
        dict(mixture=True, per_cell=False),
    ],
    ids=["paper", "summed", "mixture", "mixture, summed"],
)
def test_likelihood_less_entropy(options, steps):
    for seed in range(3):
        outputs, example = drawn(seed, steps)
        expected = likelihood(outputs, example, **options) - 0.3 * entropy(outputs, example)
        ours = loss(NRAMLoss(**options), outputs, example, settings())
        assert ours == pytest.approx(expected, rel=1e-5)


def test_the_bonus_decays_with_the_age_of_the_attempt():
    outputs, example = drawn(0, 4)
    objective = NRAMLoss(entropy_decay=0.9)
    for age in (0, 1, 10, 100):
        weight = 0.3 * 0.9**age
        expected = likelihood(outputs, example) - weight * entropy(outputs, example)
        assert loss(objective, outputs, example, settings(), age) == pytest.approx(
            expected, rel=1e-5
        )


def test_the_weight_is_the_member_s_own_not_the_objective_s():
    outputs, example = drawn(0, 4)
    expected = likelihood(outputs, example) - 0.7 * entropy(outputs, example)
    ours = loss(NRAMLoss(entropy_bonus=0.1), outputs, example, settings(bonus=0.7))
    assert ours == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("penalty", [0.0, 0.25])
def test_late_the_bonus_becomes_a_penalty(penalty):
    """At any age, whatever the bonus was; it is one on undecided stopping, too."""
    outputs, example = drawn(0, 4)
    objective = NRAMLoss(entropy_decay=0.9, late_entropy_penalty=penalty)
    stopping = 0.0
    for t in range(4):
        p = 1 / (1 + math.exp(-float(outputs.stop[t])))
        stopping -= (p * math.log(p) + (1 - p) * math.log(1 - p)) / 4
    expected = likelihood(outputs, example)
    expected += penalty * (entropy(outputs, example) + stopping)
    for age in (0, 50):
        ours = loss(objective, outputs, example, settings(late=True), age)
        assert ours == pytest.approx(expected, rel=1e-5)


def test_an_example_without_scored_cells_costs_nothing():
    outputs, example = drawn(0, 4)
    example = example._replace(mask=jnp.zeros(CELLS))
    assert loss(NRAMLoss(), outputs, example, settings(bonus=0.0)) == 0


@pytest.mark.parametrize("kind", ["memory", "bits"])
def test_task_loss_is_the_task_s_own(kind):
    """Whatever the settings and the age."""
    if kind == "memory":
        task, (outputs, example) = Access(), drawn(0, 4)
    else:
        task = Copy(width=3)
        example = task.sample(jax.random.key(0), 4, max_size=5)
        outputs = jax.random.normal(jax.random.key(1), example.targets.shape)
    expected = task.output.loss(outputs, example)
    for age in (0, 7):
        ours = TaskLoss().loss(task, outputs, example, settings(late=True), jnp.asarray(age))
        assert float(ours) == float(expected)
    assert TaskLoss().draw(jax.random.key(0)) == {}


def test_settings_begin_with_the_objective_s_bonus(nram_experiment, with_training):
    plain = with_training(nram_experiment, objective=NRAMLoss(entropy_bonus=0.7))
    assert float(plain.settings().objective["entropy_bonus"]) == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (dict(entropy_bonus=-0.1), r"entropy_bonus must be at least 0, not -0\.1"),
        (dict(entropy_bonus=math.nan), "entropy_bonus must be a finite number, not nan"),
        (
            dict(late_entropy_penalty=-1.0),
            r"late_entropy_penalty must be at least 0, not -1\.0",
        ),
        (dict(entropy_decay=0.0), r"entropy_decay must be positive, not 0\.0"),
        (dict(entropy_bonus_range=(2.0, 1.0)), r"entropy_bonus_range must be \(low, high\)"),
        (dict(entropy_bonus_range=(0.0, 1.0)), "entropy_bonus_range must be positive"),
        (dict(entropy_decay=1.1), r"entropy_decay must be at most 1, not 1\.1"),
    ],
)
def test_bad_numbers_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        NRAMLoss(**fields)


def test_the_mean_loss_is_the_mean_cross_entropy_of_the_letters_that_are_scored():
    """Against NumPy; and no other than the task's for an answer of one letter."""
    task = BinaryAddition()
    example = task.sample(jax.random.key(0), 6, max_size=8)
    outputs = jax.random.normal(jax.random.key(1), (task.steps(8), 3))
    loss = MeanLoss().loss(task, outputs, example, settings(), jnp.asarray(0))
    logits, scored = np.asarray(outputs, float), np.asarray(example.mask) > 0
    costs = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(17), example.targets]
    assert 3 < scored.sum() < 8
    np.testing.assert_allclose(loss, costs[scored].mean(), rtol=1e-5)
    one = ParityCheck()
    example = one.sample(jax.random.key(0), 6, max_size=8)
    arguments = one, outputs[:9, :2], example, settings(), jnp.asarray(0)
    np.testing.assert_allclose(MeanLoss().loss(*arguments), TaskLoss().loss(*arguments))


def test_the_mean_loss_is_refused_for_outputs_of_whole_batches():
    experiment = get_recipe("nram-copy")
    training = dataclasses.replace(experiment.training, objective=MeanLoss(), phases=())
    with pytest.raises(ValueError, match=r"objective mean needs .* one by one, not MemoryCopy"):
        dataclasses.replace(experiment, training=training)
