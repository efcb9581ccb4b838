"""Recipes of the Stack-RNN: counting languages as streams.

On half of the examples actions are hard, with the gradient of soft ones. A member is solved
once it makes no mistake on what it trains on, n < 20, and none at n = 60 in its hard form.
"""

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
"""n < 20, as in the paper."""
BATCH = 32


def stack_rnn_an_bn() -> Experiment:
    """Stack-RNN: predict strings of n letters a, then n letters b."""
    return _counting("an-bn")


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


def _counting(language: Any) -> Experiment:
    return Experiment(
        recipe=f"stack-rnn-{language}",
        task=CountingLanguage(language=language, sizes="up-to", strings=2),
        machine=StackRNNConfig(
            controller=ControllerConfig(kind="feedforward", hidden=20, activation="sigmoid"),
            stacks=4,
            memory_rows=128,
            first_weights="glorot",
            hard_share=0.5,
        ),
        training=TrainingConfig(
            batch=BATCH,
            max_sequences=5000 * BATCH,
            optimizer=OptimizerConfig(learning_rate=1e-2, clip_norm=1.0),
            # n is uniform in 2..level, and the level rises by 1 every 100 updates.
            curriculum=Growing(
                smallest=2, largest=LARGEST, start=3, threshold=1e9, patience=100, back=0.0
            ),
            memory_rows=(32,),
            solved=SolvedConfig(sequences=256, bits=None),
            validate_every=250 * BATCH,
            checkpoint_every=1000 * BATCH,
            phases=(Larger(sizes=(60,), sequences=64, hard=True),),
        ),
    )
