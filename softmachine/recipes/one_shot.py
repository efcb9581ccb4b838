"""Recipes of one-shot classification: a MANN, and machines with other memories or none."""

from __future__ import annotations

from typing import Any

from softmachine.experiments.curricula import Curriculum, Growing, Uniform
from softmachine.experiments.experiment import Experiment, TrainingConfig
from softmachine.machines.machine import MachineConfig
from softmachine.machines.mann import MANNConfig
from softmachine.machines.ntm.ntm import NTMConfig
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.recipes.tuned import lstm, ntm, training
from softmachine.tasks.one_shot.episodes import Episodes
from softmachine.tasks.one_shot.folder import Folder
from softmachine.tasks.one_shot.omniglot import Omniglot

OMNIGLOT = "data/omniglot"
"""Where ``softmachine data omniglot`` puts the files."""
BATCH = 16
"""Examples of an update."""
DISTORT = 0.15
"""How far characters are stretched and sheared in training. Without it a machine is right of 97
in 100 tenth drawings of characters it knows and of 95 of others; with it of 98 and 97."""


def mann_glyphs() -> Experiment:
    """MANN, LSTM controller: name drawn glyphs of five new classes, told each name late."""
    return Experiment(
        recipe="mann-glyphs", task=Episodes(), machine=mann(), training=_training(32_000)
    )


def mann_images() -> Experiment:
    """MANN, your own images: name those of a folder, five new classes at a time."""
    return Experiment(
        recipe="mann-images",
        task=Episodes(source=Folder(path="images")),
        machine=mann(),
        training=_training(32_000),
    )


def mann_omniglot() -> Experiment:
    """MANN, LSTM controller: name characters of five new classes, told each name late."""
    return _omniglot("mann-omniglot", mann())


def mann_ff_omniglot() -> Experiment:
    """MANN, feed-forward controller: name characters of five new classes, told each late."""
    machine = mann(controller=ControllerConfig(kind="feedforward", hidden=200))
    return _omniglot("mann-ff-omniglot", machine)


def ntm_omniglot() -> Experiment:
    """NTM, LSTM controller: name characters of five new classes, told each name late."""
    return _omniglot("ntm-omniglot", _ntm())


def lstm_omniglot() -> Experiment:
    """LSTM: name characters of five new classes, told each name late."""
    return _omniglot("lstm-omniglot", lstm(layers=1, hidden=200))


def mann_omniglot_words() -> Experiment:
    """MANN, 15 classes, words: give 15 new classes of characters names of five letters."""
    return _omniglot("mann-omniglot-words", mann(), classes=15)


def lstm_omniglot_words() -> Experiment:
    """LSTM, 15 classes, words: give 15 new classes of characters names of five letters."""
    return _omniglot("lstm-omniglot-words", lstm(layers=1, hidden=200), classes=15)


def mann_omniglot_many() -> Experiment:
    """MANN, ever more classes: name characters of ever more classes, from 15 on, by words.

    One more every 10,000 episodes, as in the paper, whatever was learned of those before; up to
    25, of ten images each. Tests go on to 100, as many as its memory can hold.
    """
    growing = Growing(
        smallest=15,
        largest=25,
        start=15,
        back=0.0,
        threshold=1e9,
        patience=10_000 // BATCH,
    )
    return Experiment(
        recipe="mann-omniglot-many",
        task=_characters(labels="words"),
        machine=mann(),
        training=_training(120_000, growing),
    )


def mann_omniglot_kept() -> Experiment:
    """MANN, memory kept: four episodes of five new classes in a row, nothing wiped."""
    return Experiment(
        recipe="mann-omniglot-kept",
        task=_characters(in_a_row=4),
        machine=mann(),
        training=_training(100_000),
    )


def mann_omniglot_runs() -> Experiment:
    """MANN, for Lake's 20 runs: name characters of five new classes.

    On the background set alone, since the characters of the runs are in the evaluation set.
    """
    background = Omniglot(path=OMNIGLOT, split="official")
    task = _characters(source=background, augment_tests=False)
    return Experiment(
        recipe="mann-omniglot-runs", task=task, machine=mann(), training=_training(400_000)
    )


def mann(**choices: Any) -> MANNConfig:
    """Return a MANN that learns sooner than the paper's: its heads have key strengths."""
    settings = {
        "controller": ControllerConfig(kind="lstm", hidden=200),
        "written": "add",
        "least_used": "own",
        "usage_decay": 0.95,
        "key_strength": None,
    }
    return MANNConfig(**(settings | choices))


def _ntm() -> NTMConfig:
    """Return an NTM with the memory, the heads and the controller of `mann`."""
    return ntm(
        ControllerConfig(kind="lstm", hidden=200),
        memory_columns=40,
        read_heads=4,
        write_heads=4,
    )


def _omniglot(name: str, machine: MachineConfig, *, classes: int = 5) -> Experiment:
    task = _characters(labels="one-hot" if classes == 5 else "words")
    return Experiment(
        recipe=name, task=task, machine=machine, training=_training(400_000, _always(classes))
    )


def _characters(**choices: Any) -> Episodes:
    settings = {"source": Omniglot(path=OMNIGLOT), "distort": DISTORT}
    return Episodes(**(settings | choices))


def _always(classes: int) -> Uniform:
    return Uniform(smallest=classes, largest=classes)


def _training(episodes: int, curriculum: Curriculum | None = None) -> TrainingConfig:
    return training(
        curriculum or _always(5),
        episodes,
        batch=BATCH,
        memory_rows=(),
        solvable=False,
        validate_every=2_000 if episodes < 100_000 else 8_000,
    )
