"""Small experiments that train in a second or two."""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.machines.controllers import ControllerConfig
from softmachine.machines.nram import NRAMConfig, NRAMControllerConfig
from softmachine.machines.ntm import NTMConfig
from softmachine.tasks.copy import Copy
from softmachine.tasks.memory_arrays import Access
from softmachine.training.curricula import Uniform
from softmachine.training.experiment import Experiment, SolvedConfig, TrainingConfig
from softmachine.training.objectives import NRAMLoss
from softmachine.training.optimizers import OptimizerConfig
from softmachine.training.search import Search


@pytest.fixture(scope="session")
def experiment() -> Experiment:
    return Experiment(
        recipe="small",
        task=Copy(width=3),
        machine=NTMConfig(
            controller=ControllerConfig(hidden=12),
            memory_rows=8,
            memory_columns=5,
            initial_weightings="first-row",
        ),
        training=TrainingConfig(
            batch=4,
            max_sequences=160,
            optimizer=OptimizerConfig(learning_rate=3e-3),
            curriculum=Uniform(smallest=1, largest=4),
            solved=SolvedConfig(sequences=20),
            validate_every=20,
            checkpoint_every=40,
        ),
    )


@pytest.fixture(scope="session")
def nram_experiment() -> Experiment:
    """An NRAM just large enough to solve its task; members draw all of their settings."""
    return Experiment(
        recipe="small-nram",
        task=Access(),
        machine=NRAMConfig(
            registers=2,
            gates=("READ", "ONE", "INC", "WRITE"),
            controller=NRAMControllerConfig(hidden=8),
        ),
        training=TrainingConfig(
            batch=4,
            max_sequences=120,
            optimizer=OptimizerConfig(learning_rate=3e-3, clip_norm=1.0),
            curriculum=Uniform(smallest=1, largest=2),
            objective=NRAMLoss(entropy_decay=0.9, late_entropy_penalty=0.01),
            gradient_noise=0.01,
            search=Search(
                learning_rate=(1e-3, 1e-2),
                gradient_noise=(1e-3, 1e-1),
                entropy_bonus=(1e-2, 1e-1),
            ),
            solved=SolvedConfig(sequences=20, bits=None),
            validate_every=20,
            checkpoint_every=40,
        ),
    )


@pytest.fixture(scope="session")
def with_training():
    """Replace fields of an experiment's training."""

    def replace(experiment: Experiment, **fields) -> Experiment:
        training = dataclasses.replace(experiment.training, **fields)
        return dataclasses.replace(experiment, training=training)

    return replace


@pytest.fixture(scope="session")
def assert_same():
    """Two pytrees are equal bit for bit."""

    def compare(a, b):
        for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
            np.testing.assert_array_equal(np.asarray(x), np.asarray(y))

    return compare


@pytest.fixture(scope="session")
def assert_close():
    """Two pytrees are equal but for rounding, or the order of additions."""

    def compare(a, b):
        for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
            np.testing.assert_allclose(np.asarray(x), np.asarray(y), rtol=1e-3, atol=1e-5)

    return compare


@pytest.fixture(scope="session")
def without_times():
    """Lines of metrics less all that differs between two equal runs."""
    times = ("seconds", "device_seconds", "sequences_per_second")

    def cut(lines: Sequence[dict]) -> list[dict]:
        return [{k: v for k, v in line.items() if k not in times} for line in lines]

    return cut


@pytest.fixture(scope="session")
def stack():
    """Give the states of some members one leading axis."""

    def stacked(states: Sequence) -> object:
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)

    return stacked
