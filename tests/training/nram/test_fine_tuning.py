"""Fine-tuning sharpens copies of members and leaves their runs alone."""

import jax
import jax.numpy as jnp

from softmachine.experiments.population import create_population
from softmachine.machines.machine import split_trainable
from softmachine.training.nram.fine_tuning import fine_tune
from softmachine.training.trainer import train_members


def entropy(machine):
    """Of all choices in the first step."""
    return float(machine.control(machine.init_state(jnp.arange(4)))[1].entropy)


def test_choices_become_more_decided(tmp_path, nram_experiment, assert_same):
    runs = create_population(tmp_path / "population", nram_experiment, 3)
    train_members(runs)
    before = [run.load_machine() for run in runs]
    tuned = fine_tune(runs, 30)
    for run, old, new in zip(runs, before, tuned, strict=True):
        assert entropy(new) < entropy(old)
        assert_same(run.load_machine(), old)
    again = fine_tune(runs[1:], 30)
    for new, other in zip(tuned[1:], again, strict=True):
        shapes = [jax.tree.leaves(split_trainable(x)[0]) for x in (new, other)]
        assert all(
            jnp.allclose(a, b, rtol=1e-3, atol=1e-5) for a, b in zip(*shapes, strict=True)
        )
