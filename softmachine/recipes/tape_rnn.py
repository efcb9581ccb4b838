"""Recipes of the Tape-RNN."""

from __future__ import annotations

from softmachine.experiments.curricula import Uniform
from softmachine.experiments.experiment import Experiment
from softmachine.machines.tape_rnn import TapeRNNConfig
from softmachine.recipes.tuned import training
from softmachine.tasks.languages.reverse_string import ReverseString


def tape_rnn_reverse_string() -> Experiment:
    """Tape-RNN: output a string of 1 to 40 letters in reverse order."""
    return Experiment(
        recipe="tape-rnn-reverse-string",
        task=ReverseString(),
        machine=TapeRNNConfig(),
        training=training(
            Uniform(smallest=1, largest=40), 320_000, batch=32, clip_norm=1.0, memory_rows=()
        ),
    )
