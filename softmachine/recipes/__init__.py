"""Named experiments."""

from __future__ import annotations

from collections.abc import Callable

from softmachine.errors import SoftmachineError
from softmachine.recipes.copy import lstm_copy, ntm_copy, ntm_ff_copy
from softmachine.training.experiment import Experiment

RECIPES: dict[str, Callable[[], Experiment]] = {
    "ntm-copy": ntm_copy,
    "ntm-ff-copy": ntm_ff_copy,
    "lstm-copy": lstm_copy,
}


def get_recipe(name: str) -> Experiment:
    """Return the experiment of a recipe; SoftmachineError if there is none of that name."""
    if name not in RECIPES:
        raise SoftmachineError(f"unknown recipe {name!r}; there are {', '.join(RECIPES)}")
    return RECIPES[name]()
