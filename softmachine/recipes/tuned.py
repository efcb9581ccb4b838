"""Shared settings of the tuned recipes: those that converged soonest on two CPU cores.

Differences from the NTM paper: Adam with a cosine schedule to zero instead of RMSProp; the
global norm of the gradient is clipped, not its components; the initial memory is constant and
the initial weightings are one-hot, so that a machine works with any number of rows; updates
alternate between few and many rows, so that it learns to work in a memory that is nearly full.
The lab log says what each of these is worth.
"""

from __future__ import annotations

from typing import Any, Literal

from softmachine.experiments.curricula import Curriculum
from softmachine.experiments.experiment import SolvedConfig, TrainingConfig
from softmachine.experiments.optimizers import OptimizerConfig
from softmachine.machines.ntm.ntm import NTMConfig
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.machines.recurrent import RecurrentConfig
from softmachine.machines.transformer import Positions, TransformerConfig
from softmachine.training.phases import Restart, Settle

MEMORY_ROWS = (32, 128)
"""The numbers of memory rows that updates take in turn."""


def ntm(controller: ControllerConfig, **choices: Any) -> NTMConfig:
    """Return an NTM configuration; ``choices`` override its settings.

    The initial state does not depend on the number of memory rows, which can be changed after
    training.
    """
    settings = {
        "controller": controller,
        "memory_rows": 128,
        "memory_columns": 20,
        "order": "read-write",
        "initial_weightings": "first-row",
    }
    return NTMConfig(**(settings | choices))


def lstm(layers: int, hidden: int) -> RecurrentConfig:
    """Return the configuration of an LSTM baseline without an external memory."""
    return RecurrentConfig(
        controller=ControllerConfig(kind="lstm", layers=layers, hidden=hidden)
    )


def transformer(positions: Positions, layers: int = 3) -> TransformerConfig:
    """Return an encoder that trains in minutes: no dropout, since every example is new."""
    return TransformerConfig(
        layers=layers, width=64, heads=4, positions=positions, norm="pre", dropout=0.0
    )


def training(
    curriculum: Curriculum,
    sequences: int,
    *,
    learning_rate: float = 1e-3,
    clip_norm: float = 10.0,
    batch: int = 1,
    memory_rows: tuple[int, ...] = MEMORY_ROWS,
    solvable: bool = True,
    restart: Restart | None = None,
    validate_every: int = 2_000,
    on_nonfinite: Literal["stop", "skip"] = "stop",
) -> TrainingConfig:
    """Return a training of at most ``sequences`` sequences, with a cosine schedule to zero.

    Unless ``solvable`` is false, it ends six validations after the first one without a mistake.
    With each of them the learning rate falls; after one with mistakes, training goes back to
    the best parameters. For a machine without mistakes has small gradients, by whose size Adam
    divides, so that a single large gradient can undo what was learned.
    """
    return TrainingConfig(
        batch=batch,
        max_sequences=sequences,
        optimizer=OptimizerConfig(
            learning_rate=learning_rate,
            schedule="cosine",
            decay_steps=sequences // batch,
            clip_norm=clip_norm,
        ),
        curriculum=curriculum,
        memory_rows=memory_rows,
        solved=SolvedConfig(bits=0.0) if solvable else None,
        phases=(
            *([Settle(validations=6)] if solvable else []),
            *([restart] if restart is not None else []),
        ),
        validate_every=validate_every,
        checkpoint_every=10 * validate_every,
        on_nonfinite=on_nonfinite,
    )
