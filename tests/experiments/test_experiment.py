"""Task, machine and objective have to belong together."""

import dataclasses

import pytest

from softmachine.experiments.curricula import Uniform
from softmachine.experiments.experiment import SolvedConfig, SolvedTest
from softmachine.experiments.objectives import NRAMLoss, TaskLoss
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.machines.recurrent import RecurrentConfig
from softmachine.tasks.memories.permutations import Swap


def test_a_memory_task_needs_an_nram(experiment, nram_experiment):
    message = r"task Access needs an NRAM, not NTMConfig"
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(nram_experiment, machine=experiment.machine)
    message = r"task Access needs an NRAM, not RecurrentConfig"
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(
            nram_experiment, machine=RecurrentConfig(controller=ControllerConfig(hidden=4))
        )


def test_an_nram_needs_a_memory_task(experiment, nram_experiment):
    message = "task Copy needs a machine with an input per step, not NRAMConfig"
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(experiment, machine=nram_experiment.machine)


def test_what_only_an_nram_has_is_refused_for_others(experiment, with_training):
    with pytest.raises(ValueError, match="objective NRAMLoss needs an NRAM"):
        with_training(experiment, objective=NRAMLoss())
    with pytest.raises(ValueError, match="solved test, of a machine made hard, needs an NRAM"):
        with_training(experiment, solved=SolvedConfig(test=SolvedTest()))


def test_an_nram_may_train_with_the_task_s_loss(nram_experiment, with_training):
    assert with_training(nram_experiment, objective=TaskLoss()).settings().entropy_bonus > 0


def test_a_solved_test_reaches_the_sizes_trained_on(nram_experiment, with_training):
    larger = with_training(nram_experiment, curriculum=Uniform(smallest=3, largest=4))
    with pytest.raises(ValueError, match=r"solved test largest must be at least 3, .* not 2"):
        with_training(larger, solved=SolvedConfig(test=SolvedTest(largest=2)))
    with pytest.raises(ValueError, match=r"SolvedTest\.examples must be at least 1, not 0"):
        SolvedTest(examples=0)


def test_sizes_smaller_than_the_task_has_are_refused(nram_experiment):
    swap = dataclasses.replace(nram_experiment, task=Swap())
    with pytest.raises(ValueError, match=r"curriculum\.smallest must be at least 2"):
        swap.machines_for_updates(swap.build_machine())


def test_an_nram_has_no_memory_rows_to_take_in_turn(nram_experiment, with_training):
    config = with_training(nram_experiment, memory_rows=(4,))
    with pytest.raises(ValueError, match="NRAM has no memory whose rows could be 4"):
        config.machines_for_updates(config.build_machine())
