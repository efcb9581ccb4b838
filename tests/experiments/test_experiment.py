"""Task, machine and objective have to belong together."""

import dataclasses

import pytest

from softmachine.experiments.curricula import Uniform
from softmachine.experiments.objectives import TaskLoss
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.machines.recurrent import RecurrentConfig
from softmachine.tasks.memories.permutations import Swap
from softmachine.training.exam import Exam
from softmachine.training.nram.objective import NRAMLoss
from softmachine.training.nram.wire_search import WireSearch
from softmachine.training.phases import Restart


def test_a_memory_task_needs_a_machine_that_takes_it_whole(experiment, nram_experiment):
    message = r"Access gives cells as a whole and wants .*; NTMConfig works step by step"
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(nram_experiment, machine=experiment.machine)
    message = r"Access gives cells as a whole and .*; RecurrentConfig works step by step"
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(
            nram_experiment, machine=RecurrentConfig(controller=ControllerConfig(hidden=4))
        )


def test_an_nram_needs_a_memory_task(experiment, nram_experiment):
    message = "Copy gives bits step by step .*; NRAMConfig works on a memory of cells"
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(experiment, machine=nram_experiment.machine)


def test_what_only_an_nram_has_is_refused_for_others(experiment, with_training):
    with pytest.raises(ValueError, match="objective NRAMLoss needs an NRAM"):
        with_training(experiment, objective=NRAMLoss())
    with pytest.raises(ValueError, match="phase exam needs a task that has one, not Copy"):
        with_training(experiment, phases=(Exam(),))
    with pytest.raises(ValueError, match="phase wire-search needs an NRAM with an mlp"):
        with_training(experiment, phases=(WireSearch(updates=1, error=1.0),))


def test_an_experiment_has_a_kind_of_phase_once(experiment, with_training):
    """Names on the command line and notes in checkpoints are those of kinds."""
    two = tuple(Restart(rules=((updates, 0.1),)) for updates in (10, 20))
    with pytest.raises(ValueError, match="phases must differ in kind: two are Restart"):
        with_training(experiment, phases=two)


def test_an_nram_may_train_with_the_task_s_loss(nram_experiment, with_training):
    assert with_training(nram_experiment, objective=TaskLoss()).settings().objective == {}


def test_an_exam_reaches_the_sizes_trained_on(nram_experiment, with_training):
    larger = with_training(nram_experiment, curriculum=Uniform(smallest=3, largest=4))
    with pytest.raises(ValueError, match=r"phase exam largest must be at least 3, .* not 2"):
        with_training(larger, phases=(Exam(largest=2),))
    with pytest.raises(ValueError, match=r"Exam\.examples must be at least 1, not 0"):
        Exam(examples=0)


def test_sizes_smaller_than_the_task_has_are_refused(nram_experiment):
    swap = dataclasses.replace(nram_experiment, task=Swap())
    with pytest.raises(ValueError, match=r"curriculum\.smallest must be at least 2"):
        swap.machines_for_updates(swap.build_machine())


def test_an_nram_has_no_memory_rows_to_take_in_turn(nram_experiment, with_training):
    config = with_training(nram_experiment, memory_rows=(4,))
    with pytest.raises(ValueError, match="NRAM has no memory whose rows could be 4"):
        config.machines_for_updates(config.build_machine())
