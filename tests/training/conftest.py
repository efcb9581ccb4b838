"""A small experiment that trains in a second or two."""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.machines.controllers import ControllerConfig
from softmachine.machines.ntm import NTMConfig
from softmachine.tasks.copy import Copy
from softmachine.training.curricula import Uniform
from softmachine.training.experiment import Experiment, SolvedConfig, TrainingConfig
from softmachine.training.optimizers import OptimizerConfig


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
