"""Recipes of the fifteen tasks of the Chomsky hierarchy (Delétang et al. 2023).

All train on strings of 1 to 40 letters, each batch of one length, on the mean loss of a letter,
zeros after the end of an answer included, with gradients clipped to norm 1, and are to be
tested on lengths 41 to 500. Those of ``paper-`` have batch, updates and a learning rate of the
paper (arXiv 2207.02098, section 4), which took the best of 1e-4, 3e-4 and 5e-4 and ten seeds;
the others are for two CPU cores, and end once there is no mistake up to 40 letters, nor at 80
and 100. The paper's LSTM has a rectified output layer and begins with zeros; ours is the
`Recurrent` of its size. No recipe is measured yet.
"""

from __future__ import annotations

from collections.abc import Callable

from softmachine.experiments.curricula import OneSize
from softmachine.experiments.experiment import Experiment, SolvedConfig, TrainingConfig
from softmachine.experiments.objectives import MeanLoss
from softmachine.experiments.optimizers import OptimizerConfig
from softmachine.machines.machine import MachineConfig
from softmachine.recipes.tuned import lstm
from softmachine.tasks.chomsky.context_free import (
    ModularArithmeticBrackets,
    SolveEquation,
    StackManipulation,
)
from softmachine.tasks.chomsky.context_sensitive import (
    BucketSort,
    DuplicateString,
    MissingDuplicateString,
    OddsFirst,
)
from softmachine.tasks.chomsky.numbers import BinaryAddition, BinaryMultiplication, ComputeSqrt
from softmachine.tasks.chomsky.regular import (
    CycleNavigation,
    EvenPairs,
    ModularArithmetic,
    ParityCheck,
)
from softmachine.tasks.languages.reverse_string import ReverseString
from softmachine.tasks.languages.strings import StringTask
from softmachine.training.larger import Larger

SIZES = OneSize(smallest=1, largest=40)
TASKS: dict[str, tuple[StringTask, str]] = {
    "even-pairs": (EvenPairs(), "tell whether 01 and 10 are even in number"),
    "modular-arithmetic": (ModularArithmetic(), "compute sums and products modulo 5"),
    "parity-check": (ParityCheck(), "tell whether ones are even in number"),
    "cycle-navigation": (CycleNavigation(), "tell where a walk on a circle of five ends"),
    "stack-manipulation": (
        StackManipulation(score_padding=True),
        "push to a stack, pop, and tell what is left",
    ),
    "reverse-string": (ReverseString(), "reverse a string"),
    "modular-arithmetic-brackets": (
        ModularArithmeticBrackets(),
        "compute expressions in brackets modulo 5",
    ),
    "solve-equation": (SolveEquation(), "find the unknown digit of an equation modulo 5"),
    "duplicate-string": (DuplicateString(), "output a string twice"),
    "missing-duplicate-string": (
        MissingDuplicateString(),
        "fill the gap in a string said twice",
    ),
    "odds-first": (OddsFirst(), "output every second letter, then the others"),
    "binary-addition": (BinaryAddition(score_padding=True), "add two binary numbers"),
    "binary-multiplication": (
        BinaryMultiplication(score_padding=True),
        "multiply two binary numbers",
    ),
    "compute-sqrt": (ComputeSqrt(), "take the square root of a binary number"),
    "bucket-sort": (BucketSort(), "sort letters of five kinds"),
}
"""The tasks by level, regular ones first, and what is to be learned."""
MACHINES: dict[str, tuple[MachineConfig, str]] = {
    "lstm": (lstm(layers=1, hidden=256), "one LSTM layer of 256"),
}
"""The machines, and what they are called."""


def for_two_cores() -> TrainingConfig:
    """Return 20,000 updates of batch 32, or fewer once all is right up to 100 letters."""
    batch = 32
    return TrainingConfig(
        batch=batch,
        max_sequences=20_000 * batch,
        optimizer=OptimizerConfig(learning_rate=1e-3, clip_norm=1.0),
        curriculum=SIZES,
        objective=MeanLoss(),
        solved=SolvedConfig(bits=None),
        validate_every=500 * batch,
        checkpoint_every=5_000 * batch,
        phases=(Larger(sizes=(80, 100)),),
    )


def as_published() -> TrainingConfig:
    """Return a million updates of batch 128, whatever is learned before."""
    batch = 128
    return TrainingConfig(
        batch=batch,
        max_sequences=1_000_000 * batch,
        optimizer=OptimizerConfig(learning_rate=5e-4, clip_norm=1.0),
        curriculum=SIZES,
        objective=MeanLoss(),
        solved=None,
        validate_every=5_000 * batch,
        checkpoint_every=50_000 * batch,
    )


def recipe(machine: str, task: str, *, paper: bool = False) -> Callable[[], Experiment]:
    """Return a recipe: a machine of `MACHINES` on a task of `TASKS`."""

    def experiment() -> Experiment:
        return Experiment(
            recipe=f"{'paper-' if paper else ''}{machine}-chomsky-{task}",
            task=TASKS[task][0],
            machine=MACHINES[machine][0],
            training=as_published() if paper else for_two_cores(),
        )

    experiment.__doc__ = f"{MACHINES[machine][1]}: {TASKS[task][1]}, up to 40 letters."
    return experiment


lstm_even_pairs = recipe("lstm", "even-pairs")
lstm_modular_arithmetic = recipe("lstm", "modular-arithmetic")
lstm_parity_check = recipe("lstm", "parity-check")
lstm_cycle_navigation = recipe("lstm", "cycle-navigation")
lstm_stack_manipulation = recipe("lstm", "stack-manipulation")
lstm_reverse_string = recipe("lstm", "reverse-string")
lstm_brackets = recipe("lstm", "modular-arithmetic-brackets")
lstm_solve_equation = recipe("lstm", "solve-equation")
lstm_duplicate_string = recipe("lstm", "duplicate-string")
lstm_missing_duplicate = recipe("lstm", "missing-duplicate-string")
lstm_odds_first = recipe("lstm", "odds-first")
lstm_binary_addition = recipe("lstm", "binary-addition")
lstm_binary_multiplication = recipe("lstm", "binary-multiplication")
lstm_compute_sqrt = recipe("lstm", "compute-sqrt")
lstm_bucket_sort = recipe("lstm", "bucket-sort")

paper_lstm_even_pairs = recipe("lstm", "even-pairs", paper=True)
paper_lstm_modular_arithmetic = recipe("lstm", "modular-arithmetic", paper=True)
paper_lstm_parity_check = recipe("lstm", "parity-check", paper=True)
paper_lstm_cycle_navigation = recipe("lstm", "cycle-navigation", paper=True)
paper_lstm_stack_manipulation = recipe("lstm", "stack-manipulation", paper=True)
paper_lstm_reverse_string = recipe("lstm", "reverse-string", paper=True)
paper_lstm_brackets = recipe("lstm", "modular-arithmetic-brackets", paper=True)
paper_lstm_solve_equation = recipe("lstm", "solve-equation", paper=True)
paper_lstm_duplicate_string = recipe("lstm", "duplicate-string", paper=True)
paper_lstm_missing_duplicate = recipe("lstm", "missing-duplicate-string", paper=True)
paper_lstm_odds_first = recipe("lstm", "odds-first", paper=True)
paper_lstm_binary_addition = recipe("lstm", "binary-addition", paper=True)
paper_lstm_binary_multiplication = recipe("lstm", "binary-multiplication", paper=True)
paper_lstm_compute_sqrt = recipe("lstm", "compute-sqrt", paper=True)
paper_lstm_bucket_sort = recipe("lstm", "bucket-sort", paper=True)
