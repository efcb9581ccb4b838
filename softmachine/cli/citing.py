"""The command that prints how to cite what a run used."""

from __future__ import annotations

from softmachine.cli.sources import experiment_of
from softmachine.experiments.papers import cite
from softmachine.recipes.registry import RECIPES, get_recipe


def print_citations(source: str) -> None:
    """Print BibTeX of this package and of the papers of a machine and its task."""
    print(cite(get_recipe(source) if source in RECIPES else experiment_of(source)))
