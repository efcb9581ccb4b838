"""From an experiment back to its command line."""

import dataclasses

from softmachine.machines.recurrent import RecurrentConfig
from softmachine.recipes import RECIPES, get_recipe
from softmachine.training.commands import training_commands


def test_commands_name_what_differs_from_the_recipe():
    recipe = get_recipe("ntm-copy").with_seed(3)
    assert training_commands(recipe, [3], RECIPES) == ["softmachine train ntm-copy --seed 3"]
    training = dataclasses.replace(
        recipe.training,
        batch=2,
        memory_rows=(16, 64),
        optimizer=dataclasses.replace(recipe.training.optimizer, clip_norm=None),
    )
    machine = dataclasses.replace(recipe.machine, feed_reads=False)
    changed = dataclasses.replace(recipe, training=training, machine=machine)
    assert training_commands(changed, [3], RECIPES) == [
        "softmachine train ntm-copy --seed 3 --machine.no-feed-reads --training.batch 2 "
        "--training.memory-rows 16 64 --training.optimizer.clip-norm None"
    ]
    assert training_commands(recipe, [0, 1, 2, 5], RECIPES) == [
        "softmachine train ntm-copy --members 3",
        "softmachine train ntm-copy --seed 5",
    ]
    assert training_commands(dataclasses.replace(recipe, recipe="gone"), [3], RECIPES) is None
    other = dataclasses.replace(recipe, machine=RecurrentConfig())
    assert training_commands(other, [3], RECIPES) is None
