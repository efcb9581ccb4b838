"""From an experiment back to its command line."""

import dataclasses

from softmachine.experiments.commands import differences, training_commands
from softmachine.experiments.settings import Restart
from softmachine.machines.recurrent import RecurrentConfig
from softmachine.recipes import RECIPES, get_recipe


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


def test_searched_settings_can_be_named_and_restarts_cannot():
    recipe = get_recipe("nram-copy")
    search = dataclasses.replace(
        recipe.training.search, entropy_bonus=(0.01, 0.5), learning_rate=None
    )
    training = dataclasses.replace(recipe.training, search=search, enough=3)
    searched = dataclasses.replace(recipe, training=training)
    assert training_commands(searched, [0, 1], RECIPES) == [
        "softmachine train nram-copy --members 2 --training.enough 3 "
        "--training.search.entropy-bonus 0.01 0.5"
    ]
    training = dataclasses.replace(
        recipe.training, restarts=(Restart(updates=7, error=0.5), *recipe.training.restarts)
    )
    restless = dataclasses.replace(recipe, training=training)
    (change,) = differences(restless, RECIPES)
    assert change.field == "training.restarts"
    assert change.run[0] == {"updates": 7, "error": 0.5}
    assert training_commands(restless, [0], RECIPES) is None
