"""Recipes of the Stack-RNN: counting languages as streams."""

from __future__ import annotations

from typing import Any

from softmachine.experiments.curricula import Growing
from softmachine.experiments.experiment import Experiment, SolvedConfig, TrainingConfig
from softmachine.experiments.optimizers import OptimizerConfig
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.machines.stack_rnn import StackRNNConfig
from softmachine.tasks.languages.counting import CountingLanguage
from softmachine.training.larger import Larger

LARGEST = 19
"""n < 20 in training, as in the paper."""
BATCH = 32


def stack_rnn_an_bn() -> Experiment:
    """Stack-RNN: predict strings of n letters a, then n letters b."""
    return _counting("an-bn", stacks=1, hidden=10)


def stack_rnn_an_bn_cn() -> Experiment:
    """Stack-RNN: predict strings of n letters a, n letters b, n letters c."""
    return _counting("an-bn-cn")


def stack_rnn_an_bn_cn_dn() -> Experiment:
    """Stack-RNN: predict strings of n letters each of a, b, c and d."""
    return _counting("an-bn-cn-dn")


def stack_rnn_an_b2n() -> Experiment:
    """Stack-RNN: predict strings of n letters a, then 2 n letters b."""
    return _counting("an-b2n")


def stack_rnn_an_bm_cnm() -> Experiment:
    """Stack-RNN: predict strings of n letters a, m letters b, then n + m letters c."""
    return _counting("an-bm-cnm")


def _counting(language: Any, *, stacks: int = 10, hidden: int = 40) -> Experiment:
    return Experiment(
        recipe=f"stack-rnn-{language}",
        task=CountingLanguage(language=language, sizes="up-to", strings=3),
        machine=StackRNNConfig(
            controller=ControllerConfig(
                kind="feedforward", hidden=hidden, activation="sigmoid"
            ),
            stacks=stacks,
            memory_rows=64,
        ),
        training=TrainingConfig(
            batch=BATCH,
            max_sequences=10_000 * BATCH,
            optimizer=OptimizerConfig(learning_rate=1e-2, clip_norm=1.0),
            curriculum=Growing(
                smallest=2, largest=LARGEST, start=3, threshold=1e9, patience=100
            ),
            solved=SolvedConfig(sequences=512, bits=None),
            validate_every=200 * BATCH,
            checkpoint_every=1000 * BATCH,
            phases=(Larger(sizes=(30, 60, 200), hard=True),),
        ),
    )
