"""The experiments of the NTM paper as its tables 1 to 3 have them.

Graves et al. 2014 (arXiv 1410.5401), section 4: Graves's RMSProp with momentum 0.9 at the
tabled learning rates, gradient components clipped to ±10, memory 128 x 20, LSTM baselines
with three layers. The paper does not state batch size, initial weightings or how long a
machine was trained at most; here these are 1, learned, and as far as its curves go.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from softmachine.experiments.curricula import Uniform
from softmachine.experiments.experiment import (
    Experiment,
    SolvedConfig,
    TrainingConfig,
)
from softmachine.experiments.optimizers import OptimizerConfig
from softmachine.machines.machine import MachineConfig
from softmachine.machines.ntm.ntm import NTM_PRESETS, NTMConfig
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.machines.recurrent import RecurrentConfig
from softmachine.tasks.sequences.associative_recall import AssociativeRecall
from softmachine.tasks.sequences.copy import Copy
from softmachine.tasks.sequences.ngrams import NGrams
from softmachine.tasks.sequences.priority_sort import PrioritySort
from softmachine.tasks.sequences.repeat_copy import RepeatCopy
from softmachine.tasks.task import Task

TASKS: dict[str, tuple[Task, Uniform, SolvedConfig | None]] = {
    "copy": (Copy(), Uniform(smallest=1, largest=20), SolvedConfig()),
    "repeat-copy": (RepeatCopy(), Uniform(smallest=1, largest=10), SolvedConfig()),
    "recall": (AssociativeRecall(), Uniform(smallest=2, largest=6), SolvedConfig()),
    "ngrams": (NGrams(), Uniform(smallest=200, largest=200), None),
    "sort": (PrioritySort(), Uniform(smallest=16, largest=16), None),
}


def _ntm(heads: int, controller: ControllerConfig) -> NTMConfig:
    return dataclasses.replace(
        NTM_PRESETS["paper"], controller=controller, read_heads=heads, write_heads=heads
    )


def _feedforward(hidden: int) -> ControllerConfig:
    return ControllerConfig(kind="feedforward", hidden=hidden)


def _lstm(hidden: int, layers: int = 1) -> ControllerConfig:
    return ControllerConfig(kind="lstm", hidden=hidden, layers=layers)


def _baseline(hidden: int) -> RecurrentConfig:
    return RecurrentConfig(controller=_lstm(hidden, layers=3))


MACHINES: dict[str, tuple[MachineConfig, float]] = {
    "ntm-ff-copy": (_ntm(1, _feedforward(100)), 1e-4),
    "ntm-ff-repeat-copy": (_ntm(1, _feedforward(100)), 1e-4),
    "ntm-ff-recall": (_ntm(4, _feedforward(256)), 1e-4),
    "ntm-ff-ngrams": (_ntm(1, _feedforward(100)), 3e-5),
    "ntm-ff-sort": (_ntm(8, _feedforward(512)), 3e-5),
    "ntm-copy": (_ntm(1, _lstm(100)), 1e-4),
    "ntm-repeat-copy": (_ntm(1, _lstm(100)), 1e-4),
    "ntm-recall": (_ntm(1, _lstm(100)), 1e-4),
    "ntm-ngrams": (_ntm(1, _lstm(100)), 3e-5),
    "ntm-sort": (_ntm(5, _lstm(100, layers=2)), 3e-5),
    "lstm-copy": (_baseline(256), 3e-5),
    "lstm-repeat-copy": (_baseline(512), 3e-5),
    "lstm-recall": (_baseline(256), 1e-4),
    "lstm-ngrams": (_baseline(128), 1e-4),
    "lstm-sort": (_baseline(128), 3e-5),
}
"""Machine and learning rate of each row of each table."""

KINDS = {
    "ntm-ff": "NTM with a feed-forward controller",
    "ntm": "NTM with an LSTM controller",
    "lstm": "Three LSTM layers without a memory",
}


def _recipe(name: str) -> Callable[[], Experiment]:
    kind = next(kind for kind in KINDS if name.startswith(f"{kind}-"))
    task, curriculum, solved = TASKS[name.removeprefix(f"{kind}-")]
    machine, learning_rate = MACHINES[name]

    def recipe() -> Experiment:
        return Experiment(
            recipe=f"paper-{name}",
            task=task,
            machine=machine,
            training=TrainingConfig(
                batch=1,
                max_sequences=1_000_000,
                optimizer=OptimizerConfig(
                    kind="graves-rmsprop",
                    learning_rate=learning_rate,
                    clip_value=10.0,
                    clip_norm=None,
                ),
                curriculum=curriculum,
                solved=solved,
                validate_every=20_000,
                checkpoint_every=20_000,
            ),
        )

    recipe.__doc__ = f"{KINDS[kind]}, as in the tables of Graves et al. 2014."
    return recipe


RECIPES = {f"paper-{name}": _recipe(name) for name in MACHINES}
