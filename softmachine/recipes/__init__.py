"""Named experiments, each a function that returns one."""

from softmachine.recipes.registry import RECIPES, get_recipe, recipe

__all__ = ["RECIPES", "get_recipe", "recipe"]
