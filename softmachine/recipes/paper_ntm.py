"""The experiments of the NTM paper, with the settings of its tables 1 to 3.

Graves et al. 2014 (arXiv 1410.5401), section 4: Graves's RMSProp with momentum 0.9 at the
tabled learning rates, gradient components clipped to ±10, memory 128 x 20, LSTM baselines
with three layers. The paper does not state the batch size, the initial weightings or the length
of training; here these are 1, learned, and the length of its learning curves.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

from softmachine.experiments.curricula import Uniform
from softmachine.experiments.experiment import (
    Experiment,
    SolvedConfig,
    TrainingConfig,
)
from softmachine.experiments.optimizers import OptimizerConfig
from softmachine.machines.machine import MachineConfig
from softmachine.machines.ntm.ntm import NTMConfig
from softmachine.machines.ntm.presets import NTM_PRESETS
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.machines.recurrent import RecurrentConfig
from softmachine.tasks.sequences.associative_recall import AssociativeRecall
from softmachine.tasks.sequences.copy import Copy
from softmachine.tasks.sequences.ngrams import NGrams
from softmachine.tasks.sequences.priority_sort import PrioritySort
from softmachine.tasks.sequences.repeat_copy import RepeatCopy
from softmachine.tasks.task import Task


class _Row(NamedTuple):
    """What all rows of a task share: its settings, its sizes, the test that ends training."""

    task: Task
    curriculum: Uniform
    solved: SolvedConfig | None


COPY = _Row(Copy(), Uniform(smallest=1, largest=20), SolvedConfig())
REPEAT_COPY = _Row(RepeatCopy(), Uniform(smallest=1, largest=10), SolvedConfig())
RECALL = _Row(AssociativeRecall(), Uniform(smallest=2, largest=6), SolvedConfig())
NGRAMS = _Row(NGrams(), Uniform(smallest=200, largest=200), None)
SORT = _Row(PrioritySort(), Uniform(smallest=16, largest=16), None)


def _experiment(
    recipe: str, row: _Row, machine: MachineConfig, learning_rate: float
) -> Experiment:
    return Experiment(
        recipe=recipe,
        task=row.task,
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
            curriculum=row.curriculum,
            solved=row.solved,
            validate_every=20_000,
            checkpoint_every=20_000,
        ),
    )


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


def paper_ntm_ff_copy() -> Experiment:
    """NTM with a feed-forward controller, as in the tables of Graves et al. 2014."""
    return _experiment("paper-ntm-ff-copy", COPY, _ntm(1, _feedforward(100)), 1e-4)


def paper_ntm_ff_repeat_copy() -> Experiment:
    """NTM with a feed-forward controller, as in the tables of Graves et al. 2014."""
    return _experiment(
        "paper-ntm-ff-repeat-copy", REPEAT_COPY, _ntm(1, _feedforward(100)), 1e-4
    )


def paper_ntm_ff_recall() -> Experiment:
    """NTM with a feed-forward controller, as in the tables of Graves et al. 2014."""
    return _experiment("paper-ntm-ff-recall", RECALL, _ntm(4, _feedforward(256)), 1e-4)


def paper_ntm_ff_ngrams() -> Experiment:
    """NTM with a feed-forward controller, as in the tables of Graves et al. 2014."""
    return _experiment("paper-ntm-ff-ngrams", NGRAMS, _ntm(1, _feedforward(100)), 3e-5)


def paper_ntm_ff_sort() -> Experiment:
    """NTM with a feed-forward controller, as in the tables of Graves et al. 2014."""
    return _experiment("paper-ntm-ff-sort", SORT, _ntm(8, _feedforward(512)), 3e-5)


def paper_ntm_copy() -> Experiment:
    """NTM with an LSTM controller, as in the tables of Graves et al. 2014."""
    return _experiment("paper-ntm-copy", COPY, _ntm(1, _lstm(100)), 1e-4)


def paper_ntm_repeat_copy() -> Experiment:
    """NTM with an LSTM controller, as in the tables of Graves et al. 2014."""
    return _experiment("paper-ntm-repeat-copy", REPEAT_COPY, _ntm(1, _lstm(100)), 1e-4)


def paper_ntm_recall() -> Experiment:
    """NTM with an LSTM controller, as in the tables of Graves et al. 2014."""
    return _experiment("paper-ntm-recall", RECALL, _ntm(1, _lstm(100)), 1e-4)


def paper_ntm_ngrams() -> Experiment:
    """NTM with an LSTM controller, as in the tables of Graves et al. 2014."""
    return _experiment("paper-ntm-ngrams", NGRAMS, _ntm(1, _lstm(100)), 3e-5)


def paper_ntm_sort() -> Experiment:
    """NTM with an LSTM controller, as in the tables of Graves et al. 2014."""
    return _experiment("paper-ntm-sort", SORT, _ntm(5, _lstm(100, layers=2)), 3e-5)


def paper_lstm_copy() -> Experiment:
    """Three LSTM layers without a memory, as in the tables of Graves et al. 2014."""
    return _experiment("paper-lstm-copy", COPY, _baseline(256), 3e-5)


def paper_lstm_repeat_copy() -> Experiment:
    """Three LSTM layers without a memory, as in the tables of Graves et al. 2014."""
    return _experiment("paper-lstm-repeat-copy", REPEAT_COPY, _baseline(512), 3e-5)


def paper_lstm_recall() -> Experiment:
    """Three LSTM layers without a memory, as in the tables of Graves et al. 2014."""
    return _experiment("paper-lstm-recall", RECALL, _baseline(256), 1e-4)


def paper_lstm_ngrams() -> Experiment:
    """Three LSTM layers without a memory, as in the tables of Graves et al. 2014."""
    return _experiment("paper-lstm-ngrams", NGRAMS, _baseline(128), 1e-4)


def paper_lstm_sort() -> Experiment:
    """Three LSTM layers without a memory, as in the tables of Graves et al. 2014."""
    return _experiment("paper-lstm-sort", SORT, _baseline(128), 3e-5)
