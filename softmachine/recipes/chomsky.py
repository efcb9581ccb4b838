"""Recipes of the fifteen tasks of the Chomsky hierarchy (Delétang et al. 2023).

A recipe for each machine of `MACHINES` on each task of `TASKS`, such as
``stack-rnn-chomsky-odds-first``. `softmachine chomsky` makes the table of them all; see
docs/chomsky.md.

All train on strings of 1 to 40 letters, each batch of one length, those for two cores first on
short ones (`RISING`; but see `AT_ONCE`), on the mean loss of a letter,
zeros after the end of an answer included, with gradients clipped to norm 1, and are to be
tested on lengths 41 to 500. Those of ``paper-`` have batch, updates and a learning rate of the
paper (arXiv 2207.02098, section 4), which took the best of 1e-4, 3e-4 and 5e-4 and ten seeds;
the others are for two CPU cores, and end once there is no mistake up to 40 letters, nor in 128
strings each of 100 and of 500. RNN, LSTM, Stack-RNN, Tape-RNN and Transformer have the paper's
sizes. Its RNN and LSTM begin with zeros and have a rectified output layer; ours, `Recurrent`,
learn their first state and have a linear one. Of the paper's five encodings of positions the
Transformer has one, relative ones. The other machines are not in the paper.
"""

from __future__ import annotations

from collections.abc import Callable

from softmachine.experiments.curricula import OneSize
from softmachine.experiments.experiment import Experiment, SolvedConfig, TrainingConfig
from softmachine.experiments.objectives import MeanLoss
from softmachine.experiments.optimizers import OptimizerConfig
from softmachine.machines.machine import MachineConfig
from softmachine.machines.neural_stack import NeuralStackConfig, Structure
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.machines.recurrent import RecurrentConfig
from softmachine.machines.stack_rnn import STACK_RNN_PRESETS
from softmachine.machines.tape_rnn import TapeRNNConfig
from softmachine.machines.transformer import TransformerConfig
from softmachine.recipes.dnc import dnc
from softmachine.recipes.tuned import lstm, ntm
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
"""All lengths from the first update on, as in the paper."""
RISING = OneSize(smallest=1, largest=40, over=3_000)
"""Short strings first. On parity an LSTM had learned nothing of all lengths at once after 1,500
updates; of rising ones it made no mistake up to 40 letters after 1,000. Not in the paper."""
AT_ONCE = {
    "even-pairs": ("rnn", "stack-rnn", "neural-stack", "ntm"),
    "parity-check": ("rnn", "stack-rnn"),
    "cycle-navigation": ("rnn", "stack-rnn"),
    "reverse-string": ("stack-rnn",),
}
"""The machines that were seen to learn a task from all lengths at once, within 4,500 updates:
for two cores too they are trained as in the paper."""
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


def _neural(structure: Structure) -> NeuralStackConfig:
    return NeuralStackConfig(
        structure=structure,
        controller=ControllerConfig(kind="lstm", hidden=64),
        memory_columns=16,
        output_columns=32,
    )


MACHINES: dict[str, tuple[MachineConfig, str]] = {
    "rnn": (
        RecurrentConfig(controller=ControllerConfig(kind="rnn", hidden=256, activation="relu")),
        "Elman RNN of 256",
    ),
    "lstm": (lstm(layers=1, hidden=256), "LSTM of 256"),
    "stack-rnn": (STACK_RNN_PRESETS["chomsky"], "Stack-RNN, RNN of 256, a stack of vectors"),
    "tape-rnn": (TapeRNNConfig(), "Tape-RNN, RNN of 256"),
    "neural-stack": (_neural("stack"), "Neural stack, LSTM of 64"),
    "neural-queue": (_neural("queue"), "Neural queue, LSTM of 64"),
    "neural-deque": (_neural("deque"), "Neural deque, LSTM of 64"),
    "ntm": (ntm(ControllerConfig(kind="lstm", hidden=100)), "NTM, LSTM of 100"),
    "dnc": (
        dnc("mds", controller=ControllerConfig(hidden=64), memory_rows=48),
        "DNC with the fixes of 2019, LSTM of 64",
    ),
    "transformer": (
        TransformerConfig(positions="relative"),
        "Transformer encoder of 5 layers, relative positions",
    ),
}
"""The machines, and what they are called."""


def for_two_cores(sizes: OneSize) -> TrainingConfig:
    """Return 20,000 updates of batch 32, or fewer once all is right, to 500 letters."""
    batch = 32
    return TrainingConfig(
        batch=batch,
        max_sequences=20_000 * batch,
        optimizer=OptimizerConfig(learning_rate=1e-3, clip_norm=1.0),
        curriculum=sizes,
        objective=MeanLoss(),
        solved=SolvedConfig(bits=None),
        validate_every=250 * batch,
        checkpoint_every=1_000 * batch,
        phases=(Larger(sizes=(100, 500)),),
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


def recipe_name(machine: str, task: str, *, paper: bool = False) -> str:
    """Return the name of the recipe of a machine of `MACHINES` on a task of `TASKS`."""
    return f"{'paper-' if paper else ''}{machine}-chomsky-{task}"


def _recipe(machine: str, task: str, *, paper: bool) -> Callable[[], Experiment]:
    name = recipe_name(machine, task, paper=paper)
    sizes = SIZES if machine in AT_ONCE.get(task, ()) else RISING

    def experiment() -> Experiment:
        return Experiment(
            recipe=name,
            task=TASKS[task][0],
            machine=MACHINES[machine][0],
            training=as_published() if paper else for_two_cores(sizes),
        )

    experiment.__doc__ = f"{MACHINES[machine][1]}: {TASKS[task][1]}, up to 40 letters."
    experiment.__qualname__ = name
    return experiment


_RECIPES = {
    recipe_name(machine, task, paper=paper): _recipe(machine, task, paper=paper)
    for paper in (False, True)
    for machine in MACHINES
    for task in TASKS
}


def __getattr__(name: str) -> Callable[[], Experiment]:
    """Return the recipe of that name: the registry finds recipes as attributes of modules."""
    try:
        return _RECIPES[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
