"""Updates in one compiled program: what they draw, how they are spread over devices."""

import dataclasses
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.core import compiling
from softmachine.core.errors import SoftmachineError
from softmachine.experiments.curricula import Uniform
from softmachine.experiments.experiment import Experiment, SolvedConfig, TrainingConfig
from softmachine.experiments.room import check_training
from softmachine.experiments.runs import Run
from softmachine.experiments.state import first_state
from softmachine.machines.machine import STOPPED
from softmachine.machines.ntm.ntm import NTM
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.machines.recurrent import Recurrent, RecurrentConfig
from softmachine.running.devices import MemberLayout
from softmachine.running.scoring import score_batch
from softmachine.tasks.languages.reverse_string import ReverseString
from softmachine.tasks.sequences.copy import Copy
from softmachine.tasks.sequences.key_value import KeyValue
from softmachine.training.member import Member
from softmachine.training.phases import Settle
from softmachine.training.trainer import train
from softmachine.training.update import build_train_chunk


@pytest.fixture
def updates(updates_of):
    """Return the state after so many updates of one member, and the sums of its metrics."""

    def run(experiment, count, devices=1, state=None):
        layout = MemberLayout(jax.devices()[:devices], members=1, together=1)
        states = anew(jax.tree.map(lambda x: x[None], state or first_state(experiment)))
        results = updates_of(experiment, layout)(states, jnp.array([count]))
        return jax.tree.map(lambda x: x[0], results)

    return run


def anew(states):
    """Return a copy that lies where first states lie: no other program is compiled for it."""
    return jax.tree.map(lambda x: jnp.asarray(np.array(x)), states)


def test_the_number_of_devices_changes_nothing_but_rounding(updates, experiment, assert_close):
    one, two = (updates(experiment, 5, devices)[0] for devices in (1, 2))
    assert_close(one, two)


def test_an_update_is_traced_once_and_a_step_once_each_way(experiment, monkeypatch):
    """To trace is most of what the first update takes, but for the compiler."""
    traced = []

    def note(name, original):
        return lambda *args, **options: traced.append(name) or original(*args, **options)

    for owner, name in ((Copy, "sample"), (NTM, "advance")):
        monkeypatch.setattr(owner, name, note(name, getattr(owner, name)))
    states = jax.eval_shape(lambda: jax.tree.map(lambda x: x[None], first_state(experiment)))
    monkeypatch.setattr(compiling, "options", dict)  # what is only traced takes none
    chunk = build_train_chunk(experiment, MemberLayout(jax.devices()[:1], 1, 1))
    jax.eval_shape(chunk, states, jnp.array([1]))
    # Once to see which layers it calls once, once forwards and once backwards.
    assert traced == ["sample", *["advance"] * 3]


def test_updates_take_the_given_memories_in_turn(
    updates, experiment, with_training, assert_close
):
    def difference(a, b):
        return max(
            float(abs(x - y).max()) for x, y in zip(*map(jax.tree.leaves, (a, b)), strict=True)
        )

    few = with_training(experiment, memory_rows=(4,))
    own_first, _ = updates(experiment, 1)
    few_first, _ = updates(few, 1)
    few_then_own, _ = updates(experiment, 2, state=few_first)
    in_turn, _ = updates(with_training(experiment, memory_rows=(4, 8)), 2)
    assert difference(own_first.parameters, few_first.parameters) > 1e-4
    assert_close(in_turn, few_then_own)


@pytest.mark.parametrize("every", [3, None])
def test_what_is_kept_for_gradients_changes_no_number(
    updates, experiment, with_training, assert_close, every
):
    all_kept, some_kept = experiment, with_training(experiment, keep_every=every)
    assert_close(updates(all_kept, 3)[0], updates(some_kept, 3)[0])


def test_what_is_kept_for_gradients_decides_about_the_room(
    experiment, with_training, monkeypatch
):
    """2,001 steps of 100,000 numbers, for each of 4 examples: 3.2 GB, or 91 of them: 145 MB."""
    machine = dataclasses.replace(experiment.machine, memory_rows=20_000)
    large = with_training(
        dataclasses.replace(experiment, machine=machine),
        curriculum=Uniform(smallest=1, largest=1000),
    )
    monkeypatch.setattr("softmachine.core.room.available", lambda: 10**9)
    with pytest.raises(SoftmachineError, match=r"needs at least \d\.\d GB of memory"):
        check_training(large)
    check_training(with_training(large, keep_every=None))


def test_sizes_that_the_task_has_not_are_refused_before_a_training(experiment, with_training):
    few = dataclasses.replace(experiment, task=KeyValue(width=2))
    larger = with_training(few, curriculum=Uniform(smallest=1, largest=5))
    with pytest.raises(SoftmachineError, match=r"curriculum.largest: .* at most 4.*; not 5"):
        check_training(larger)


class Paying(Recurrent):
    """Pays for each step, in tests much more."""

    def advance(self, state, encoded, clock=STOPPED):
        state, features = super().advance(state, encoded)
        return state, (features, jnp.asarray(0.25 if clock.training else 100.0))

    def decode(self, features):
        return super().decode(features[0])

    def penalties(self, features):
        return {"cost": features[1]}


class PayingConfig(RecurrentConfig):
    def build(self, input_size, output_size, *, key):
        machine = super().build(input_size, output_size, key=key)
        return Paying(machine.controller, machine.output)


def test_what_a_machine_adds_to_its_loss_reaches_training(updates, experiment, with_training):
    """Of the steps that an example has, and in the mode of training."""
    paying = dataclasses.replace(
        experiment, machine=PayingConfig(controller=ControllerConfig(hidden=3))
    )
    paying = with_training(paying, curriculum=Uniform(smallest=1, largest=1))
    _, sums = updates(paying, 1)
    own = sums["bits"] * math.log(2)
    np.testing.assert_allclose(sums["loss"] - own, 0.25 * paying.task.steps(1), rtol=1e-5)
    machine, keys = paying.build_machine(), jax.random.split(jax.random.key(0), 3)
    sizes = jnp.array([1, 2, 3])
    scores = eqx.filter_jit(score_batch)(machine, paying.task, keys, sizes, 5)
    cost = scores.losses - scores.metrics["bits"] * math.log(2)
    np.testing.assert_allclose(cost, [100 * paying.task.steps(n) for n in (1, 2, 3)], rtol=1e-5)


def test_updates_need_memory_for_the_largest_size(experiment, with_training):
    machine = experiment.build_machine()
    with pytest.raises(ValueError, match="size 4 needs 4 memory rows, training has 3"):
        with_training(experiment, memory_rows=(3,)).machines_for_updates(machine)


@pytest.mark.parametrize(("perfect", "share"), [(0, 1.0), (2, 0.5), (3, 0.1464), (4, 0.0)])
def test_the_rate_falls_with_each_perfect_validation(
    updates, experiment, with_training, perfect, share
):
    """Along a half cosine, (1 + cos(pi t)) / 2, to zero at the fourth."""
    settling = with_training(experiment, phases=(Settle(validations=4),))
    state = first_state(experiment, step=100)
    settings = state.settings._replace(settling=jnp.asarray(perfect, jnp.int32))
    late = state._replace(settings=settings)
    plain, _ = updates(experiment, 101, state=late)
    settled, _ = updates(settling, 101, state=late)
    for before, full, less in zip(
        *(jax.tree.leaves(s.parameters) for s in (state, plain, settled)), strict=True
    ):
        np.testing.assert_allclose(less - before, share * (full - before), rtol=0.02, atol=2e-6)


def test_batch_must_divide_over_the_devices(updates, experiment, with_training):
    with pytest.raises(ValueError, match="batch 3 cannot be divided over 2 devices"):
        updates(with_training(experiment, batch=3), 1, devices=2)


@pytest.fixture(scope="module")
def four_seeds(experiment, with_training):
    """Return the compiled updates of four members in some layouts, and their first states."""
    config = with_training(
        dataclasses.replace(
            experiment,
            machine=dataclasses.replace(experiment.machine, initial_reads="random"),
        ),
        batch=2,
        memory_rows=(4, 8),
    )
    states = [first_state(config.with_seed(seed)) for seed in range(4)]
    devices = jax.devices()
    chunks = {
        "in turn": build_train_chunk(config, MemberLayout(devices[:1], 4, 1)),
        "lockstep": build_train_chunk(config, MemberLayout(devices[:1], 4, 4)),
        "lockstep in pairs, two devices": build_train_chunk(
            config, MemberLayout(devices[:2], 4, 2)
        ),
    }
    return chunks, states


LOCKSTEP = ("lockstep", "lockstep in pairs, two devices")


@pytest.mark.parametrize("layout", LOCKSTEP)
def test_lockstep_and_in_turn_agree(four_seeds, stack, assert_same, assert_close, layout):
    """With members that stop at different ends, one of which is here already."""
    chunks, first = four_seeds
    ends = jnp.array([3, 0, 2, 1])
    expected, expected_sums = chunks["in turn"](stack(first), ends)
    states, sums = chunks[layout](stack(first), ends)
    assert states.step.tolist() == ends.tolist()
    assert sums["updates"].tolist() == ends.tolist()
    assert_close(states, expected)
    assert_close(sums, expected_sums)
    assert_same(jax.tree.map(lambda x: x[1], states), first[1])
    assert_same(states.buffers, stack(first).buffers)

    # Members that have stopped stay as they are, bit for bit, while others go on.
    stopped = jax.tree.map(np.array, jax.tree.map(lambda x: x[2], states))
    later, _ = chunks[layout](anew(states), jnp.array([3, 0, 0, 2]))
    assert later.step.tolist() == [3, 0, 2, 2]
    assert_same(jax.tree.map(lambda x: x[2], later), stopped)


@pytest.mark.parametrize("layout", LOCKSTEP)
def test_members_that_are_ahead_do_not_matter(four_seeds, stack, assert_close, layout):
    """They lend the others neither their step nor their turn of the memories."""
    chunks, first = four_seeds
    ahead, _ = chunks["in turn"](stack(first), jnp.array([1, 0, 1, 0]))
    caught_up = jnp.array([1, 1, 1, 1])
    states, _ = chunks[layout](anew(ahead), caught_up)
    expected, _ = chunks["in turn"](anew(ahead), caught_up)
    assert_close(states, expected)


def test_accuracy_is_all_right_symbols_over_all_scored(updates, tmp_path):
    """Of all updates since the last validation, however many each of them scored."""
    config = Experiment(
        recipe="x",
        task=ReverseString(),
        machine=RecurrentConfig(controller=ControllerConfig(kind="gru", hidden=4)),
        training=TrainingConfig(
            batch=2,
            max_sequences=8,
            validate_every=8,
            curriculum=Uniform(smallest=1, largest=6),
            solved=SolvedConfig(sequences=2, bits=0.0),
        ),
    )
    run = Run.create(tmp_path / "x", config)
    train(run)
    (line,) = run.metrics()
    _, sums = updates(config, 4)
    scored = float(sums["accuracy"].count)
    assert line["wrong_symbols"] == pytest.approx(float(sums["wrong_symbols"]) / 4, rel=1e-5)
    assert line["accuracy"] == pytest.approx(1 - float(sums["wrong_symbols"]) / scored)


def test_averages_of_the_parameters_follow_them(updates, experiment, with_training):
    """Each update moves them by a share of the way: those after two, from three runs."""
    averaging = with_training(experiment, averaging=0.75)
    parameters = [updates(experiment, count)[0].parameters for count in (0, 1, 2)]
    state = updates(averaging, 2)[0]
    leaves = (jax.tree.leaves(tree) for tree in (*parameters, state.parameters, state.averages))
    for first, second, third, same, averages in zip(*leaves, strict=True):
        np.testing.assert_allclose(same, third, rtol=1e-6, atol=1e-7)
        expected = 0.5625 * first + 0.1875 * second + 0.25 * third
        np.testing.assert_allclose(averages, expected, rtol=1e-5, atol=1e-7)


def test_what_is_judged_and_saved_are_the_averages(experiment, with_training, tmp_path):
    """A run that is resumed has the same; a phase that changes parameters changes both."""
    averaging = with_training(experiment, averaging=0.75, max_sequences=20)
    run = Run.create(tmp_path / "run", averaging)
    train(run)
    member = Member(Run(run.path))
    parameters, averages = member.state.parameters, member.state.averages
    assert not np.array_equal(parameters.output.weight, averages.output.weight)
    for machine in (member.machine(), run.load_machine()):
        np.testing.assert_array_equal(machine.output.weight, averages.output.weight)
    member.change_buffers(member.machine())
    np.testing.assert_array_equal(
        member.state.parameters.output.weight, parameters.output.weight
    )
    member.change(member.machine())
    np.testing.assert_array_equal(member.state.parameters.output.weight, averages.output.weight)
