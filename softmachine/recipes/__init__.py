"""Named experiments."""

from __future__ import annotations

from collections.abc import Callable

from softmachine.core.errors import SoftmachineError, close_names
from softmachine.experiments.experiment import Experiment
from softmachine.recipes import paper_nram, paper_ntm
from softmachine.recipes.associative_recall import lstm_recall, ntm_ff_recall, ntm_recall
from softmachine.recipes.copy import lstm_copy, ntm_copy, ntm_ff_copy
from softmachine.recipes.ngrams import lstm_ngrams, ntm_ff_ngrams, ntm_ngrams
from softmachine.recipes.nram import (
    nram_access,
    nram_copy,
    nram_increment,
    nram_list_k,
    nram_list_search,
    nram_merge,
    nram_noise,
    nram_permutation,
    nram_reverse,
    nram_swap,
    nram_walk_bst,
)
from softmachine.recipes.priority_sort import lstm_sort, ntm_ff_sort, ntm_sort
from softmachine.recipes.repeat_copy import (
    lstm_repeat_copy,
    ntm_ff_repeat_copy,
    ntm_lstm_repeat_copy,
    ntm_repeat_copy,
)
from softmachine.recipes.reverse_string import lstm_reverse_string, ntm_reverse_string

RECIPES: dict[str, Callable[[], Experiment]] = {
    "ntm-copy": ntm_copy,
    "ntm-ff-copy": ntm_ff_copy,
    "lstm-copy": lstm_copy,
    "ntm-repeat-copy": ntm_repeat_copy,
    "ntm-lstm-repeat-copy": ntm_lstm_repeat_copy,
    "ntm-ff-repeat-copy": ntm_ff_repeat_copy,
    "lstm-repeat-copy": lstm_repeat_copy,
    "ntm-recall": ntm_recall,
    "ntm-ff-recall": ntm_ff_recall,
    "lstm-recall": lstm_recall,
    "ntm-ngrams": ntm_ngrams,
    "ntm-ff-ngrams": ntm_ff_ngrams,
    "lstm-ngrams": lstm_ngrams,
    "ntm-sort": ntm_sort,
    "ntm-ff-sort": ntm_ff_sort,
    "lstm-sort": lstm_sort,
    "ntm-reverse-string": ntm_reverse_string,
    "lstm-reverse-string": lstm_reverse_string,
    "nram-access": nram_access,
    "nram-increment": nram_increment,
    "nram-copy": nram_copy,
    "nram-reverse": nram_reverse,
    "nram-swap": nram_swap,
    "nram-permutation": nram_permutation,
    "nram-list-k": nram_list_k,
    "nram-list-search": nram_list_search,
    "nram-merge": nram_merge,
    "nram-walk-bst": nram_walk_bst,
    "nram-noise": nram_noise,
    **paper_ntm.RECIPES,
    **paper_nram.RECIPES,
}


def get_recipe(name: str) -> Experiment:
    """Return the experiment of a recipe; SoftmachineError if there is none of that name."""
    if name not in RECIPES:
        raise SoftmachineError(
            f"unknown recipe {name!r}: 'softmachine recipes --all' lists them"
            f"{close_names(name, RECIPES)}"
        )
    return RECIPES[name]()
