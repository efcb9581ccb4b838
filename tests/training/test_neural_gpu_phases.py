"""Phases of Neural GPUs, larger sizes, and noise that falls with the error."""

import dataclasses
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.experiments.curricula import Growing, Uniform
from softmachine.experiments.experiment import Experiment, SolvedConfig, TrainingConfig
from softmachine.experiments.optimizers import OptimizerConfig
from softmachine.experiments.runs import Run
from softmachine.experiments.serialization import experiment_from_json, experiment_to_json
from softmachine.experiments.state import first_state, machine_of
from softmachine.machines.dngpu import DNGPUConfig
from softmachine.machines.machine import split_trainable
from softmachine.machines.neural_gpu import NeuralGPUConfig
from softmachine.machines.recurrent import RecurrentConfig
from softmachine.machines.stack_rnn import StackRNNConfig
from softmachine.running.devices import MemberLayout
from softmachine.tasks.arithmetic.rearranging import RearrangeSymbols
from softmachine.tasks.languages.counting import CountingLanguage
from softmachine.tasks.sequences.key_value import KeyValue
from softmachine.training import larger
from softmachine.training.larger import Larger
from softmachine.training.member import Member
from softmachine.training.neural_gpu.relaxation import Relaxation
from softmachine.training.neural_gpu.saturation import Saturation

NOT_ENDED = np.zeros(1, bool)


def trained(machine, phase=None, task=None, **choices):
    settings = {
        "batch": 2,
        "curriculum": Uniform(smallest=2, largest=3),
        "phases": () if phase is None else (phase,),
    }
    return Experiment(
        recipe="small",
        task=task or RearrangeSymbols(),
        machine=machine,
        training=TrainingConfig(**(settings | choices)),
    )


def relaxing(**choices):
    growing = Growing(smallest=2, largest=4, start=2, back=0.0)
    machine = NeuralGPUConfig(maps=2, rows=1, layers=1, sets=3, pull=0.5, dropout=0.0)
    return trained(machine, Relaxation(averaged_from=1.0), curriculum=growing, **choices)


def member_of(experiment, tmp_path, **line):
    member = Member(Run.create(tmp_path / "run", experiment))
    member.line = {"validation_wrong_symbols": 1.0} | line
    return member


def scattered(machine):
    """Return the machine with sets that differ."""

    def scatter(x):
        return x + jnp.sin(jnp.arange(x.size, dtype=x.dtype)).reshape(x.shape)

    return eqx.tree_at(lambda m: m.relaxed(), machine, replace_fn=scatter)


def test_the_saturation_cost_is_held_at_a_share_of_the_loss(tmp_path):
    """Of a loss of 2 and a cost of 0.5, at a rate of 0.1: the cost should be 0.2."""
    phase = Saturation(most=1.0)
    optimizer = OptimizerConfig(learning_rate=0.1)
    experiment = trained(DNGPUConfig(maps=3, saturation=1e-2), phase, optimizer=optimizer)
    member = member_of(experiment, tmp_path, loss=2.5, bits=2 / math.log(2))
    before = member.state
    assert phase.due(member)
    assert not phase.apply(member, NOT_ENDED)
    np.testing.assert_allclose(member.machine().saturation(), 1e-2 * 0.2 / 0.5, rtol=1e-5)
    np.testing.assert_allclose(member.line["saturation_weight"], 4e-3, rtol=1e-5)
    for a, b in zip(
        jax.tree.leaves((before.parameters, before.optimizer)),
        jax.tree.leaves((member.state.parameters, member.state.optimizer)),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)
    # Within bounds, and as it is where there is no cost.
    for bound, loss, expected in ((1e-3, 2.5, 1e-3), (1.0, 2.0, 4e-3)):
        member.line = {"loss": loss, "bits": 2 / math.log(2)}
        Saturation(most=bound).apply(member, NOT_ENDED)
        np.testing.assert_allclose(member.machine().saturation(), expected, rtol=1e-3)
        phase.apply(member_of(experiment, tmp_path / str(bound), loss=2.5, bits=1), NOT_ENDED)
        member.change(
            eqx.tree_at(lambda m: m.saturation.array, member.machine(), jnp.float32(4e-3))
        )


def test_sets_are_pulled_then_averaged_then_tied(tmp_path):
    phase, experiment = relaxing().training.phases[0], relaxing()
    member = member_of(experiment, tmp_path, level=2)
    member.change(scattered(member.machine()))
    first = member.machine().distance()
    assert not phase.due(member)
    member.line["level"] = 3
    assert phase.due(member)
    phase.apply(member, NOT_ENDED)
    np.testing.assert_allclose(member.machine().pull(), 0.5 * 1.2)
    np.testing.assert_allclose(member.machine().distance(), first)
    assert not phase.due(member)
    # From a pull of 1 on each rise puts the sets at their mean, which are not yet tied.
    machine = member.machine()
    machine = eqx.tree_at(lambda m: m.pull.array, machine, jnp.float32(0.9))
    member.change(machine)
    member.line["level"] = 4
    phase.apply(member, NOT_ENDED)
    assert member.machine().distance() < 1e-10
    for set_ in np.asarray(member.machine().gates):
        np.testing.assert_allclose(set_, np.mean(machine.gates, axis=0), rtol=1e-5, atol=1e-6)
    assert not phase.due(member)
    assert phase.verdict(member) is False
    assert not phase.steps(member.machine(), member.state).distance() > 1e-10
    # At the largest level, and without a mistake, they become one.
    member.change(scattered(member.machine()))
    assert phase.steps(scattered(member.machine()), member.state).distance() > 1
    member.line["validation_wrong_symbols"] = 0.0
    assert phase.due(member)
    phase.apply(member, NOT_ENDED)
    assert member.line["tied"] == 1
    assert phase.verdict(member) is None
    assert not phase.due(member)
    assert member.machine().distance() < 1e-10
    steps = phase.steps(split_trainable(scattered(member.machine()))[0], member.state)
    assert steps.distance() < 1e-10


def test_larger_sizes_are_tried_until_the_first_mistake(tmp_path):
    phase = Larger(sizes=(9, 5), sequences=2)
    experiment = trained(copying_config(), phase)
    member = member_of(experiment, tmp_path)
    assert not phase.verdict(member)
    assert member.line["size_5_wrong_symbols"] > 0
    assert "size_9_wrong_symbols" not in member.line
    member.change(copying(member.machine()))
    assert phase.verdict(member)
    assert member.line["size_5_wrong_symbols"] == member.line["size_9_wrong_symbols"] == 0


@pytest.mark.parametrize("hard", [False, True])
def test_larger_sizes_are_tried_in_hard_form_with_room_for_them(hard, tmp_path, monkeypatch):
    tried = []

    def scorer(task, max_size):
        assert (task.sizes, max_size) == ("all", 32)
        return lambda machine, _, sizes: (
            tried.append((machine.test_options.hard, machine.memory_rows))
            or {"wrong_symbols": jnp.zeros(len(sizes))}
        )

    monkeypatch.setattr(larger, "build_scorer", scorer)
    experiment = Experiment(
        recipe="small",
        task=CountingLanguage(sizes="up-to"),
        machine=StackRNNConfig(stacks=1, memory_rows=4),
        training=TrainingConfig(
            curriculum=Uniform(smallest=2, largest=4),
            phases=(Larger(sizes=(3, 9), sequences=2, hard=hard),),
        ),
    )
    member = member_of(experiment, tmp_path)
    assert experiment.training.phases[0].verdict(member)
    assert tried == [(hard, 4), (hard, 9)]


def copying_config():
    return DNGPUConfig(maps=2, dropout=0.0)


def copying(machine):
    """Return a machine of two maps, which do not move, whose state stays as it began."""
    return eqx.tree_at(
        lambda m: (
            m.embedding.weight,
            m.gates,
            m.gate_biases,
            m.output.weight,
            m.output.bias,
        ),
        machine,
        (
            jnp.array([[0.0, 0.8, -0.8], [0.0, 0.8, 0.8]]),
            jnp.zeros_like(machine.gates),
            jnp.full_like(machine.gate_biases, 9.0),
            20 * jnp.array([[0.0, -1.0], [1.0, 1.0], [-1.0, 1.0]]),
            jnp.zeros(3),
        ),
    )


def test_noise_falls_with_the_share_of_mistakes(updates_of):
    """There is none on a batch without a mistake, and all of it on one of nothing else."""
    plain = trained(copying_config(), optimizer=OptimizerConfig(learning_rate=1e-3))
    noisy = dataclasses.replace(plain.training, gradient_noise=1.0)
    wholly = dataclasses.replace(plain, training=noisy)
    partly = dataclasses.replace(
        plain, training=dataclasses.replace(noisy, noise_by_error=True)
    )

    def updated(experiment, parameters):
        chunk = updates_of(experiment, MemberLayout(jax.devices()[:1], 1, 1))
        state = first_state(experiment)._replace(parameters=parameters)
        state = jax.tree.map(lambda x: jnp.array(x)[None], state)
        after, sums = chunk(state, jnp.array([1]))
        return np.asarray(after.parameters.candidate[0]), float(sums["perfect"][0])

    machine = machine_of(first_state(plain), plain)
    right = split_trainable(copying(machine))[0]
    wrong = split_trainable(
        eqx.tree_at(lambda m: m.output.weight, copying(machine), jnp.zeros((3, 2)))
    )[0]
    ours, perfect = updated(partly, right)
    assert perfect == 1
    np.testing.assert_array_equal(ours, updated(plain, right)[0])
    assert not np.array_equal(ours, updated(wholly, right)[0])
    ours, perfect = updated(partly, wrong)
    assert perfect == 0
    np.testing.assert_array_equal(ours, updated(wholly, wrong)[0])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: trained(NeuralGPUConfig(), Saturation()), "DNGPU"),
        (lambda: trained(DNGPUConfig(), Relaxation()), "Neural GPU"),
        (lambda: trained(NeuralGPUConfig(), Relaxation()), "level"),
        (lambda: relaxing(solved=None), "solved"),
        (lambda: trained(DNGPUConfig(), Larger(sizes=(1,))), "from 2 on"),
        (
            lambda: trained(RecurrentConfig(), Larger(sizes=(5,)), task=KeyValue(width=2)),
            "size must be at most 4",
        ),
        (lambda: trained(DNGPUConfig(), Larger(hard=True)), "can be made hard, not DNGPU"),
        (lambda: trained(DNGPUConfig(), noise_by_error=True), "gradient_noise"),
    ],
)
def test_what_does_not_go_together_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_experiments_with_these_phases_are_saved():
    experiment = relaxing(solved=SolvedConfig(sequences=5))
    assert experiment_from_json(experiment_to_json(experiment), "here") == experiment
