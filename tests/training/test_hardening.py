"""What changes in updates once validation finds no mistake."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.experiments.hardening import LateChoices
from softmachine.experiments.objectives import NRAMLoss
from softmachine.experiments.state import first_state, machine_of
from softmachine.machines.nram.circuits import DECIDED
from softmachine.running.devices import Layout
from softmachine.running.loop import run_batch
from softmachine.training.update import build_train_chunk


@pytest.fixture
def machine(nram_experiment):
    return nram_experiment.build_machine()


def late_state(experiment, seed=0, late=True):
    """Return the first state of a member that is late, without noise on gradients."""
    state = first_state(experiment.with_seed(seed))
    settings = state.settings._replace(
        settling=jnp.asarray(1 if late else 0),
        gradient_noise=jnp.zeros(()),
        entropy_bonus=jnp.zeros(()),
    )
    return state._replace(settings=settings)


def keys(count):
    return jax.random.split(jax.random.key(3), count)


def test_machines_are_left_alone_where_nothing_is_to_be_done(machine):
    assert LateChoices(sharpening=2.0).prepare(machine, jnp.ones(2), keys(2)) is machine


def test_noise_of_scale_one_samples_from_the_softmax(machine):
    """Each example by itself; the largest of logits with Gumbel noise is such a sample."""
    count = 20_000
    prepared = LateChoices(gumbel_noise=1.0).prepare(machine, jnp.ones(count), keys(count))
    noise = np.asarray(prepared.hardening.noise.array)
    sources = machine.plan.slots
    logits = np.linspace(0, 2, sources)
    drawn = np.argmax(logits[:, None] + noise[-sources:], axis=0)
    shares = np.bincount(drawn, minlength=sources) / count
    expected = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(shares, expected, atol=4 * 0.5 / count**0.5)
    twice = LateChoices(gumbel_noise=2.0).prepare(machine, jnp.ones(count), keys(count))
    np.testing.assert_allclose(twice.hardening.noise.array, 2 * noise, rtol=1e-6)


def test_examples_of_members_that_are_not_late_stay_soft(machine):
    late = jnp.asarray([1.0, 0.0])
    options = LateChoices(gumbel_noise=1.0, straight_through=True)
    hardening = options.prepare(machine, late, keys(2)).hardening
    assert np.all(hardening.noise.array[..., 0] != 0)
    assert np.all(hardening.noise.array[..., 1] == 0)
    assert hardening.straight_through.array.tolist() == [1, 0]
    assert (
        not LateChoices(gumbel_noise=1.0)
        .prepare(machine, late, keys(2))
        .hardening.straight_through.array.any()
    )


def test_sharpening_multiplies_the_logits_of_all_choices(machine):
    """And nothing else, whoever is late, until they are as large as they count."""
    options = LateChoices(sharpening=1.5)
    sharper = options.sharpen(machine, jnp.ones(()))
    np.testing.assert_allclose(sharper.output.weight, 1.5 * machine.output.weight, rtol=1e-6)
    np.testing.assert_allclose(sharper.output.bias, 1.5 * machine.output.bias, rtol=1e-6)
    np.testing.assert_array_equal(sharper.stop.weight, machine.stop.weight)
    for _ in range(50):
        sharper = options.sharpen(sharper, jnp.ones(()))
    assert DECIDED <= np.abs(sharper.output.weight).max() < 1.5 * DECIDED
    same = options.sharpen(machine, jnp.zeros(()))
    np.testing.assert_array_equal(same.output.weight, machine.output.weight)


def test_with_straight_choices_a_loss_is_that_of_the_hard_machine(
    nram_experiment, with_training
):
    """For members that are late, on examples drawn here once more; for others it is not."""
    objective = NRAMLoss(entropy_bonus=0.0)
    experiment = with_training(
        nram_experiment,
        objective=objective,
        late=LateChoices(straight_through=True),
    )
    chunk = build_train_chunk(experiment, Layout(jax.devices()[:1], 1, 1))

    def loss(state):
        _, sums = chunk(jax.tree.map(lambda x: jnp.array(x)[None], state), jnp.array([1]))
        return float(sums["loss"][0])

    state = late_state(experiment)
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(0), 1), 0)
    size_key, key = jax.random.split(key)
    sizes = experiment.training.curriculum.sample((), size_key, 4)
    machine = machine_of(state, experiment).with_addressing(hard=True)
    losses = []
    for i, size in enumerate(sizes):
        example_key = jax.random.split(jax.random.fold_in(key, i))[0]
        example = experiment.task.sample(example_key, size, max_size=2)
        outputs = run_batch(machine, example.inputs[None], steps=3, max_steps=3)
        outputs = jax.tree.map(lambda x: x[..., 0], outputs)
        losses.append(
            objective.loss(
                experiment.task, outputs, example, state.settings, jnp.zeros((), int)
            )
        )
    assert loss(state) == pytest.approx(float(np.mean(losses)), rel=1e-5)
    assert abs(loss(late_state(experiment, late=False)) - np.mean(losses)) > 0.01


def test_members_together_are_hardened_as_each_alone(
    nram_experiment, with_training, stack, assert_close
):
    """With everything that late updates may do."""
    experiment = with_training(
        nram_experiment,
        objective=NRAMLoss(late_entropy_penalty=0.1, late_value_penalty=0.1),
        late=LateChoices(sharpening=1.2, gumbel_noise=0.5, straight_through=True),
    )
    states = [late_state(experiment, seed, late) for seed, late in enumerate((1.0, 0.0))]

    def advance(states, together):
        layout = Layout(jax.devices()[:1], len(states), together)
        ends = jnp.full(len(states), 2)
        return build_train_chunk(experiment, layout)(
            stack([jax.tree.map(jnp.array, state) for state in states]), ends
        )

    results, sums = advance(states, together=2)
    for i, state in enumerate(states):
        alone, its_sums = advance([state], together=1)
        for ours, expected in ((results, alone), (sums, its_sums)):
            part = jax.tree.map(lambda x, i=i: np.asarray(x[i]), ours)
            assert_close(part, jax.tree.map(lambda x: np.asarray(x[0]), expected))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (dict(sharpening=0.9), r"sharpening must be at least 1, not 0\.9"),
        (dict(gumbel_noise=-1.0), r"gumbel_noise must be at least 0, not -1\.0"),
    ],
)
def test_errors(fields, message):
    with pytest.raises(ValueError, match=message):
        LateChoices(**fields)


def test_late_choices_are_an_nram_s(experiment, with_training):
    with pytest.raises(ValueError, match="training late needs an NRAM"):
        with_training(experiment, late=LateChoices(straight_through=True))
