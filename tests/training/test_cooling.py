"""The temperature at which gates are chosen falls in the course of an attempt."""

import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.experiments.experiment import Experiment, TrainingConfig
from softmachine.experiments.runs import Run
from softmachine.experiments.serialization import experiment_from_json, experiment_to_json
from softmachine.machines.nram.controller import NRAMControllerConfig
from softmachine.machines.nram.nram import NRAMConfig
from softmachine.machines.nram.soft_gates import SoftGateNRAMConfig
from softmachine.tasks.memories.arrays import Access
from softmachine.training.member import Member
from softmachine.training.nram.cooling import Cooling

NOT_ENDED = np.zeros(1, bool)
PHASE = Cooling(last=0.5, updates=100)


def experiment(machine):
    return Experiment(
        recipe="small", task=Access(), machine=machine, training=TrainingConfig(phases=(PHASE,))
    )


@pytest.fixture
def cooled(tmp_path):
    machine = SoftGateNRAMConfig(
        controller=NRAMControllerConfig(hidden=4), slots=2, temperature=2.0
    )
    return Member(Run.create(tmp_path / "run", experiment(machine)))


def test_it_falls_by_the_same_factor_in_the_same_time_and_then_stays(cooled):
    assert not PHASE.due(cooled)
    found = []
    for age in (25, 50, 100, 150):
        cooled.line = {}
        cooled.state = cooled.state._replace(step=jnp.asarray(age, jnp.int32))
        if PHASE.due(cooled):
            assert not PHASE.apply(cooled, NOT_ENDED)
            found.append(float(cooled.machine().temperature.array))
            assert not cooled.line  # it was written before
        assert not PHASE.due(cooled)
    np.testing.assert_allclose(found, [2 * 0.25**0.25, 1, 0.5], rtol=1e-6)


def test_other_machines_are_refused():
    with pytest.raises(ValueError, match="soft-gate-nram"):
        experiment(NRAMConfig())


def test_it_is_saved(cooled):
    saved = experiment_to_json(cooled.experiment)
    assert experiment_from_json(saved, "here") == cooled.experiment
