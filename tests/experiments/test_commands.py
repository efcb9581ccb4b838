"""From an experiment back to its command line."""

import dataclasses

from softmachine.cli.training import _parse_train
from softmachine.experiments.commands import differences, training_commands
from softmachine.machines.recurrent import RecurrentConfig
from softmachine.recipes import RECIPES, get_recipe
from softmachine.training.phases import Restart


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


def test_settings_of_objectives_and_phases_can_be_named():
    recipe = get_recipe("nram-copy")
    objective = dataclasses.replace(recipe.training.objective, entropy_bonus_range=(0.01, 0.5))
    training = dataclasses.replace(recipe.training, objective=objective, enough=3)
    searched = dataclasses.replace(recipe, training=training)
    assert training_commands(searched, [0, 1], RECIPES) == [
        "softmachine train nram-copy --members 2 --training.enough 3 "
        "--training.objective.entropy-bonus-range 0.01 0.5"
    ]
    exam, restart = recipe.training.phases
    more = Restart(rules=((7, 0.5), *restart.rules))
    training = dataclasses.replace(recipe.training, phases=(exam, more))
    restless = dataclasses.replace(recipe, training=training)
    (change,) = differences(restless, RECIPES)
    assert change.field == "training.phases.restart.rules"
    (command,) = training_commands(restless, [0], RECIPES)
    assert command.endswith("--training.phases.restart.rules 7 0.5 500 0.3")
    assert _parse_train(recipe, command.split()[3:]).training == training


def test_other_phases_cannot_be_named():
    """Nor can their order."""
    recipe = get_recipe("nram-copy")
    exam, restart = recipe.training.phases
    for phases in ((exam,), (restart, exam)):
        training = dataclasses.replace(recipe.training, phases=phases)
        changed = dataclasses.replace(recipe, training=training)
        fields = {change.field for change in differences(changed, RECIPES)}
        assert "training.phases.kind_of" in fields
        assert training_commands(changed, [0], RECIPES) is None
