"""What the tuned recipes share: settings found to converge soonest on two CPU cores.

Against the paper: Adam at a rate that falls to zero along a half cosine, in place of
RMSProp; the norm of the whole gradient is clipped, not its components; constant first
memory and one-hot first weightings, so that a machine works with any number of rows; updates
with few rows and with many in turn, so that it has met a memory that is nearly full. What
each of these is worth is in the lab log.
"""

from __future__ import annotations

from typing import Any, Literal

from softmachine.experiments.curricula import Curriculum
from softmachine.experiments.experiment import SolvedConfig, TrainingConfig
from softmachine.experiments.optimizers import OptimizerConfig
from softmachine.experiments.settings import Restart
from softmachine.machines.ntm.ntm import NTMConfig
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.machines.recurrent import RecurrentConfig

MEMORY_ROWS = (32, 128)


def ntm(controller: ControllerConfig, **choices: Any) -> NTMConfig:
    """Return an NTM whose memory can have any number of rows."""
    settings = {
        "controller": controller,
        "memory_rows": 128,
        "memory_columns": 20,
        "order": "read-write",
        "initial_weightings": "first-row",
    }
    return NTMConfig(**(settings | choices))


def lstm(layers: int, hidden: int) -> RecurrentConfig:
    """Return a baseline without a memory."""
    return RecurrentConfig(
        controller=ControllerConfig(kind="lstm", layers=layers, hidden=hidden)
    )


def training(
    curriculum: Curriculum,
    sequences: int,
    *,
    learning_rate: float = 1e-3,
    clip_norm: float = 10.0,
    weight_decay: float = 0.0,
    batch: int = 1,
    memory_rows: tuple[int, ...] = MEMORY_ROWS,
    solvable: bool = True,
    restarts: tuple[Restart, ...] = (),
    validate_every: int = 2_000,
    on_nonfinite: Literal["stop", "skip"] = "stop",
) -> TrainingConfig:
    """Return a training of so many sequences at most, with the learning rate falling to zero.

    It ends at the sixth validation from the first without a mistake on. With each the rate
    falls, and where one finds mistakes training goes back: the machine that is right has small
    gradients, by whose size Adam divides, so that a single large one undoes what was learned.
    """
    return TrainingConfig(
        batch=batch,
        max_sequences=sequences,
        optimizer=OptimizerConfig(
            kind="adamw" if weight_decay else "adam",
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            schedule="cosine",
            decay_steps=sequences // batch,
            clip_norm=clip_norm,
        ),
        curriculum=curriculum,
        memory_rows=memory_rows,
        solved=SolvedConfig(bits=0.0) if solvable else None,
        settle=6 if solvable else None,
        restarts=restarts,
        validate_every=validate_every,
        checkpoint_every=10 * validate_every,
        on_nonfinite=on_nonfinite,
    )
