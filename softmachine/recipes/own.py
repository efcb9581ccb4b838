"""Experiments on a person's own sequences: any machine that fits them, with usual settings."""

from __future__ import annotations

import re
from pathlib import Path

from softmachine.core.errors import SoftmachineError
from softmachine.experiments.curricula import Uniform
from softmachine.experiments.experiment import Experiment
from softmachine.machines.machine import MachineConfig
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.machines.registry import MACHINES
from softmachine.recipes.tuned import lstm, ntm, training
from softmachine.tasks.own.sequences import own_sequences

SEQUENCES = 100_000
"""How many sequences training takes at most."""


def on_sequences(machine: str, path: str | Path) -> Experiment:
    """Return an experiment: a machine on the sequences in a file, or in a folder of files.

    Arguments:
        machine: a registered name, such as ``ntm``, or ``lstm``.
        path: of a ``.jsonl`` or ``.csv`` file, or of a folder that has some.

    Raises SoftmachineError for an unknown machine or one that does not fit, and ExamplesError,
    which names file and line, for sequences that cannot be used.
    """
    config = _config(machine)
    task = own_sequences(Path(path))
    shortest, longest = task.lengths
    try:
        return Experiment(
            recipe=f"{machine}-{re.sub('[^A-Za-z0-9._-]+', '-', Path(path).resolve().stem)}",
            task=task,
            machine=config,
            training=training(
                Uniform(smallest=shortest, largest=longest),
                SEQUENCES,
                batch=4,
                memory_rows=(),
                # Real numbers are never predicted exactly.
                solvable=task.outputs_of != "reals",
            ),
        )
    except ValueError as error:
        raise SoftmachineError(f"{machine} does not fit {path}: {error}") from error


def _config(machine: str) -> MachineConfig:
    if machine == "ntm":
        return ntm(ControllerConfig(kind="lstm", hidden=100))
    if machine == "lstm":
        return lstm(layers=1, hidden=100)
    try:
        return MACHINES.find(machine)()
    except TypeError as error:
        raise SoftmachineError(
            f"{machine} cannot be trained on sequences without settings of its own"
        ) from error
