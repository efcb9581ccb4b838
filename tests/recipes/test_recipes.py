"""Every registered recipe trains."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.errors import SoftmachineError
from softmachine.machines.ntm import NTMConfig
from softmachine.recipes import RECIPES, get_recipe
from softmachine.training.devices import Layout
from softmachine.training.update import build_train_chunk, first_state


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_takes_a_step_with_finite_gradients(name):
    experiment = get_recipe(name)
    assert experiment.recipe == name
    before = first_state(experiment)
    chunk = build_train_chunk(experiment, Layout(jax.devices()[:1], 1, 1))
    after, sums = chunk(jax.tree.map(lambda x: x[None], before), jnp.array([1]))
    assert int(after.step[0]) == 1
    assert int(after.fault.step[0]) == -1
    assert float(sums["gradient_norm"][0]) > 0
    pairs = zip(
        jax.tree.leaves(before.parameters), jax.tree.leaves(after.parameters), strict=True
    )
    for old, new in pairs:
        assert np.isfinite(new).all()
        assert old.shape == new[0].shape


@pytest.mark.parametrize("name", RECIPES)
def test_name_says_machine(name):
    machine = get_recipe(name).machine
    kind = name.removeprefix("paper-").split("-")
    assert isinstance(machine, NTMConfig) == (kind[0] == "ntm")
    assert machine.controller.kind == ("feedforward" if kind[1] == "ff" else "lstm")


@pytest.mark.parametrize(
    ("name", "heads", "hidden", "layers", "learning_rate"),
    [
        # Graves et al. 2014, tables 1 to 3.
        ("paper-ntm-ff-copy", 1, 100, 1, 1e-4),
        ("paper-ntm-ff-recall", 4, 256, 1, 1e-4),
        ("paper-ntm-ff-sort", 8, 512, 1, 3e-5),
        ("paper-ntm-repeat-copy", 1, 100, 1, 1e-4),
        ("paper-ntm-ngrams", 1, 100, 1, 3e-5),
        ("paper-ntm-sort", 5, 100, 2, 3e-5),
        ("paper-lstm-repeat-copy", None, 512, 3, 3e-5),
        ("paper-lstm-ngrams", None, 128, 3, 1e-4),
    ],
)
def test_paper_recipes_follow_its_tables(name, heads, hidden, layers, learning_rate):
    experiment = get_recipe(name)
    machine, optimizer = experiment.machine, experiment.training.optimizer
    if heads is not None:
        assert (machine.read_heads, machine.write_heads) == (heads, heads)
        assert (machine.memory_rows, machine.memory_columns) == (128, 20)
    assert (machine.controller.hidden, machine.controller.layers) == (hidden, layers)
    assert (optimizer.kind, optimizer.learning_rate) == ("graves-rmsprop", learning_rate)
    assert (optimizer.momentum, optimizer.clip_value) == (0.9, 10.0)
    assert optimizer.clip_norm is None


def test_unknown_recipe():
    with pytest.raises(SoftmachineError, match="unknown recipe 'nmt-copy'; there are ntm-copy"):
        get_recipe("nmt-copy")
