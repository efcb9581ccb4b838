"""Recipes of the Stack-RNN: counting, memorisation and addition as streams.

On half of the examples actions are hard, with the gradient of soft ones. A member is solved
once it makes no mistake on what it trains on (counting: n < 20, as in the paper), and none at
size 60 in its hard form.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from softmachine.experiments.curricula import Growing, Uniform
from softmachine.experiments.experiment import Experiment, SolvedConfig, TrainingConfig
from softmachine.experiments.optimizers import OptimizerConfig
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.machines.stack_rnn import StackRNNConfig
from softmachine.tasks.languages.addition import AdditionLanguage
from softmachine.tasks.languages.counting import CountingLanguage
from softmachine.tasks.languages.memorisation import MemorisationLanguage
from softmachine.tasks.languages.streams import StreamTask
from softmachine.training.larger import Larger

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
    experiment = _counting("an-b2n", stay=True)
    training = dataclasses.replace(
        experiment.training,
        batch=16,
        curriculum=Uniform(smallest=2, largest=19),
        optimizer=OptimizerConfig(learning_rate=5e-3, clip_norm=1.0),
        max_sequences=10_000 * 16,
        validate_every=250 * 16,
    )
    return dataclasses.replace(experiment, training=training)


def stack_rnn_an_bm_cnm() -> Experiment:
    """Stack-RNN: predict strings of n letters a, m letters b, then n + m letters c."""
    return _counting("an-bm-cnm")


def stack_rnn_memorisation() -> Experiment:
    """Stack-RNN: predict a word of 2 to 14 letters backwards, after it was read."""
    task = MemorisationLanguage(sizes="up-to", strings=2)
    return _experiment("stack-rnn-memorisation", task, largest=14, hidden=40)


def stack_rnn_addition() -> Experiment:
    """Stack-RNN: predict the sum of two binary numbers of 9 digits in all, or fewer."""
    task = AdditionLanguage(sizes="up-to", strings=2)
    return _experiment(
        "stack-rnn-addition", task, smallest=1, largest=9, hidden=40, stacks=6, stay=True
    )


def _counting(language: Any, *, stay: bool = False) -> Experiment:
    task = CountingLanguage(language=language, sizes="up-to", strings=2)
    return _experiment(f"stack-rnn-{language}", task, largest=19, stay=stay)


def _experiment(
    name: str,
    task: StreamTask,
    *,
    largest: int,
    smallest: int = 2,
    hidden: int = 20,
    stacks: int = 4,
    stay: bool = False,
) -> Experiment:
    return Experiment(
        recipe=name,
        task=task,
        machine=StackRNNConfig(
            controller=ControllerConfig(
                kind="feedforward", hidden=hidden, activation="sigmoid"
            ),
            memory_rows=128,
            first_weights="glorot",
            hard_share=0.5,
            stacks=stacks,
            stay=stay,
        ),
        training=TrainingConfig(
            batch=BATCH,
            max_sequences=5000 * BATCH,
            optimizer=OptimizerConfig(learning_rate=1e-2, clip_norm=1.0),
            # Sizes are uniform up to a level, which rises by 1 every 100 updates.
            curriculum=Growing(
                smallest=smallest,
                largest=largest,
                start=3,
                threshold=1e9,
                patience=100,
                back=0.0,
            ),
            memory_rows=(32,),
            solved=SolvedConfig(sequences=256, bits=None),
            validate_every=250 * BATCH,
            checkpoint_every=1000 * BATCH,
            phases=(Larger(sizes=(60,), sequences=64, hard=True),),
        ),
    )
