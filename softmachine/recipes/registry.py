"""The registry of recipes: the names by which the command line knows them."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
from collections.abc import Callable

from softmachine.core.errors import SoftmachineError, close_names
from softmachine.core.registry import Registry, describe_fault
from softmachine.experiments.experiment import Experiment

CHOMSKY_MACHINES = (
    *("rnn", "lstm", "stack-rnn", "tape-rnn", "neural-stack", "neural-queue", "neural-deque"),
    *("ntm", "dnc", "transformer"),
)
"""The machines of the table of the Chomsky hierarchy, by which its recipes are called."""
CHOMSKY_TASKS = (
    *("even-pairs", "modular-arithmetic", "parity-check", "cycle-navigation"),
    *("stack-manipulation", "reverse-string", "modular-arithmetic-brackets", "solve-equation"),
    *("duplicate-string", "missing-duplicate-string", "odds-first", "binary-addition"),
    *("binary-multiplication", "compute-sqrt", "bucket-sort"),
)
"""Its tasks: four regular ones, four for a stack, seven for more."""


def _chomsky(prefix: str) -> dict[str, str]:
    """Return a line for each machine on each task; see `softmachine.recipes.chomsky`."""
    pairs = itertools.product(CHOMSKY_MACHINES, CHOMSKY_TASKS)
    names = [f"{prefix}{machine}-chomsky-{task}" for machine, task in pairs]
    return {name: f"chomsky:{name}" for name in names}


RECIPES: Registry[Callable[[], Experiment]] = Registry(
    "recipe",
    "softmachine.recipes",
    {
        "ntm-copy": "copy:ntm_copy",
        "ntm-ff-copy": "copy:ntm_ff_copy",
        "lstm-copy": "copy:lstm_copy",
        "ntm-seed-copy": "seed_ntm:ntm_seed_copy",
        "transformer-copy": "copy:transformer_copy",
        "ntm-repeat-copy": "repeat_copy:ntm_repeat_copy",
        "ntm-lstm-repeat-copy": "repeat_copy:ntm_lstm_repeat_copy",
        "ntm-ff-repeat-copy": "repeat_copy:ntm_ff_repeat_copy",
        "lstm-repeat-copy": "repeat_copy:lstm_repeat_copy",
        "ntm-recall": "associative_recall:ntm_recall",
        "ntm-ff-recall": "associative_recall:ntm_ff_recall",
        "lstm-recall": "associative_recall:lstm_recall",
        "ntm-seed-recall": "seed_ntm:ntm_seed_recall",
        "ntm-seed-recall-previous": "seed_ntm:ntm_seed_recall_previous",
        "ntm-ngrams": "ngrams:ntm_ngrams",
        "ntm-ff-ngrams": "ngrams:ntm_ff_ngrams",
        "lstm-ngrams": "ngrams:lstm_ngrams",
        "ntm-sort": "priority_sort:ntm_sort",
        "ntm-ff-sort": "priority_sort:ntm_ff_sort",
        "lstm-sort": "priority_sort:lstm_sort",
        "ntm-seed-sort": "seed_ntm:ntm_seed_sort",
        "ntm-reverse-string": "reverse_string:ntm_reverse_string",
        "lstm-reverse-string": "reverse_string:lstm_reverse_string",
        "transformer-reverse-string": "reverse_string:transformer_reverse_string",
        "stack-rnn-an-bn": "stack_rnn:stack_rnn_an_bn",
        "stack-rnn-an-bn-cn": "stack_rnn:stack_rnn_an_bn_cn",
        "stack-rnn-an-bn-cn-dn": "stack_rnn:stack_rnn_an_bn_cn_dn",
        "stack-rnn-an-b2n": "stack_rnn:stack_rnn_an_b2n",
        "stack-rnn-an-bm-cnm": "stack_rnn:stack_rnn_an_bm_cnm",
        "stack-rnn-memorisation": "stack_rnn:stack_rnn_memorisation",
        "stack-rnn-addition": "stack_rnn:stack_rnn_addition",
        "neural-queue-copy": "neural_stack:neural_queue_copy",
        "neural-stack-reverse": "neural_stack:neural_stack_reverse",
        "neural-deque-copy": "neural_stack:neural_deque_copy",
        "neural-deque-reverse": "neural_stack:neural_deque_reverse",
        "neural-queue-bigrams": "neural_stack:neural_queue_bigrams",
        "neural-deque-svo-sov": "neural_stack:neural_deque_svo_sov",
        "neural-queue-gender": "neural_stack:neural_queue_gender",
        **_chomsky(""),
        "dngpu-copy": "neural_gpu:dngpu_copy",
        "dngpu-reverse": "neural_gpu:dngpu_reverse",
        "dngpu-duplicate": "neural_gpu:dngpu_duplicate",
        "dngpu-sort": "neural_gpu:dngpu_sort",
        "dngpu-addition": "neural_gpu:dngpu_addition",
        "neural-gpu-addition": "neural_gpu:neural_gpu_addition",
        "dngpu-multiplication": "neural_gpu:dngpu_multiplication",
        "mann-glyphs": "one_shot:mann_glyphs",
        "mann-images": "one_shot:mann_images",
        "mann-omniglot": "one_shot:mann_omniglot",
        "mann-ff-omniglot": "one_shot:mann_ff_omniglot",
        "ntm-omniglot": "one_shot:ntm_omniglot",
        "lstm-omniglot": "one_shot:lstm_omniglot",
        "mann-omniglot-words": "one_shot:mann_omniglot_words",
        "mann-omniglot-runs": "one_shot:mann_omniglot_runs",
        "mann-omniglot-many": "one_shot:mann_omniglot_many",
        "mann-omniglot-kept": "one_shot:mann_omniglot_kept",
        "lstm-omniglot-words": "one_shot:lstm_omniglot_words",
        "mann-regression": "regression:mann_regression",
        "lstm-regression": "regression:lstm_regression",
        "nram-access": "nram:nram_access",
        "nram-increment": "nram:nram_increment",
        "nram-copy": "nram:nram_copy",
        "nram-reverse": "nram:nram_reverse",
        "nram-lstm-access": "nram:nram_lstm_access",
        "nram-lstm-increment": "nram:nram_lstm_increment",
        "nram-lstm-copy": "nram:nram_lstm_copy",
        "nram-lstm-reverse": "nram:nram_lstm_reverse",
        "nram-soft-gates-access": "nram:nram_soft_gates_access",
        "nram-soft-gates-increment": "nram:nram_soft_gates_increment",
        "nram-soft-gates-copy": "nram:nram_soft_gates_copy",
        "nram-soft-gates-reverse": "nram:nram_soft_gates_reverse",
        "nram-swap": "nram:nram_swap",
        "nram-permutation": "nram:nram_permutation",
        "nram-list-k": "nram:nram_list_k",
        "nram-list-search": "nram:nram_list_search",
        "nram-merge": "nram:nram_merge",
        "nram-walk-bst": "nram:nram_walk_bst",
        "nram-noise": "nram:nram_noise",
        "npi-addition": "npi:npi_addition",
        "npi-bubble-sort": "npi:npi_bubble_sort",
        "npi-quicksort": "npi:npi_quicksort",
        "npi-topological-sort": "npi:npi_topological_sort",
        "npi-ram-increment": "npi:npi_ram_increment",
        "npi-ram-copy": "npi:npi_ram_copy",
        "npi-ram-reverse": "npi:npi_ram_reverse",
        "npi-ram-transfer": "npi:npi_ram_transfer",
        "npi-several": "npi:npi_several",
        "dnc-copy-reuse": "dnc:dnc_copy_reuse",
        "dnc-repeat-copy": "dnc:dnc_repeat_copy",
        "dnc-key-value": "dnc:dnc_key_value",
        "dnc-graph": "dnc:dnc_graph",
        "dnc-babi": "dnc:dnc_babi",
        "tape-rnn-reverse-string": "tape_rnn:tape_rnn_reverse_string",
        "paper-ntm-ff-copy": "paper_ntm:paper_ntm_ff_copy",
        "paper-ntm-ff-repeat-copy": "paper_ntm:paper_ntm_ff_repeat_copy",
        "paper-ntm-ff-recall": "paper_ntm:paper_ntm_ff_recall",
        "paper-ntm-ff-ngrams": "paper_ntm:paper_ntm_ff_ngrams",
        "paper-ntm-ff-sort": "paper_ntm:paper_ntm_ff_sort",
        "paper-ntm-copy": "paper_ntm:paper_ntm_copy",
        "paper-ntm-repeat-copy": "paper_ntm:paper_ntm_repeat_copy",
        "paper-ntm-recall": "paper_ntm:paper_ntm_recall",
        "paper-ntm-ngrams": "paper_ntm:paper_ntm_ngrams",
        "paper-ntm-sort": "paper_ntm:paper_ntm_sort",
        "paper-lstm-copy": "paper_ntm:paper_lstm_copy",
        "paper-lstm-repeat-copy": "paper_ntm:paper_lstm_repeat_copy",
        "paper-lstm-recall": "paper_ntm:paper_lstm_recall",
        "paper-lstm-ngrams": "paper_ntm:paper_lstm_ngrams",
        "paper-lstm-sort": "paper_ntm:paper_lstm_sort",
        **_chomsky("paper-"),
        "paper-nram-access": "paper_nram:paper_nram_access",
        "paper-nram-increment": "paper_nram:paper_nram_increment",
        "paper-nram-copy": "paper_nram:paper_nram_copy",
        "paper-nram-reverse": "paper_nram:paper_nram_reverse",
        "paper-nram-swap": "paper_nram:paper_nram_swap",
        "paper-nram-permutation": "paper_nram:paper_nram_permutation",
        "paper-nram-list-k": "paper_nram:paper_nram_list_k",
        "paper-nram-list-search": "paper_nram:paper_nram_list_search",
        "paper-nram-merge": "paper_nram:paper_nram_merge",
        "paper-nram-walk-bst": "paper_nram:paper_nram_walk_bst",
    },
)
"""Recipes by name; one line for each recipe of the package, but for those of a table."""

recipe = RECIPES.register
"""Decorator that registers a function that returns an experiment: ``@recipe("queue-copy")``."""


def get_recipe(name: str) -> Experiment:
    """Return the experiment of a recipe.

    Raises SoftmachineError for an unknown name, or if the function returns no experiment.
    """
    if name not in RECIPES:
        raise SoftmachineError(
            f"unknown recipe {name!r}: 'softmachine recipes --all' lists them"
            f"{close_names(name, RECIPES)}"
        )
    try:
        experiment = RECIPES[name]()
    except SoftmachineError:
        raise
    except (Exception, SystemExit) as error:  # whatever another package's code raises
        raise SoftmachineError(
            f"the recipe {name!r} makes no experiment: {describe_fault(error)}"
        ) from error
    if not isinstance(experiment, Experiment):
        raise SoftmachineError(
            f"the recipe {name!r} makes no experiment, but {type(experiment).__name__}"
        )
    # A recipe derived from another one would keep the name of that one.
    return dataclasses.replace(experiment, recipe=name)


def describe_recipe(name: str) -> str:
    """Return the first line of a recipe's docstring: the machine, a colon, what it learns.

    For what is no registered recipe its name.
    """
    text = (RECIPES[name].__doc__ or "").strip() if name in RECIPES else ""
    return text.splitlines()[0].rstrip(".") if text else name


def note_on_recipe(name: str) -> str:
    """Return what a recipe's docstring says after its first line, such as how a paper differs.

    Empty if it says no more, and for what is no registered recipe.
    """
    text = inspect.cleandoc(RECIPES[name].__doc__ or "") if name in RECIPES else ""
    return " ".join(text.partition("\n")[2].split())
