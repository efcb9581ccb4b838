"""Every registered recipe trains."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.errors import SoftmachineError
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


def test_derived_recipes_change_only_what_they_say():
    base, derived = get_recipe("ntm-copy"), get_recipe("ntm-ff-copy")
    assert derived.machine.controller.kind == "feedforward"
    same = dataclasses.replace(derived.machine, controller=base.machine.controller)
    assert same == base.machine


def test_unknown_recipe():
    with pytest.raises(SoftmachineError, match="unknown recipe 'nmt-copy'; there are ntm-copy"):
        get_recipe("nmt-copy")
