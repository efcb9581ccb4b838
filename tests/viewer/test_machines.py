"""What the live viewer and reports show: examples that training never shows."""

import numpy as np
import pytest

from softmachine.evaluation.report import Subject, example_traces
from softmachine.machines.nram.nram import NRAMConfig, NRAMControllerConfig
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.machines.recurrent import RecurrentConfig
from softmachine.programs.notes import Provenance
from softmachine.tasks.memories.given import Given
from softmachine.tasks.one_shot.episodes import Episodes
from softmachine.tasks.one_shot.glyphs import Glyphs
from softmachine.tasks.sequences.repeat_copy import RepeatCopy
from softmachine.traces.file import trace_from_bytes
from softmachine.viewer.machines import Served

from .conftest import small

LSTM = RecurrentConfig(controller=ControllerConfig(kind="lstm", hidden=3))
NRAM = NRAMConfig(
    registers=2, gates=("READ", "ONE", "WRITE"), controller=NRAMControllerConfig(hidden=4)
)


def shown(task, machine, size):
    """Return what the viewer and a report show at the largest size trained, as inputs."""
    experiment = small("nram-access" if machine is NRAM else "lstm-copy", task, machine, size)
    built = experiment.build_machine()
    served = Served("it", experiment, {"best": ("best", lambda: built)})
    provenance = Provenance("runs/it", "it", None, None)
    subject = Subject("it", experiment, built, [], None, {}, provenance, [])
    traces, _ = example_traces(subject, [], seed=0)
    return [trace_from_bytes(served.drawn(None, None, seed=0)), *traces]


def test_images_are_of_classes_held_out():
    source = Glyphs(train_classes=4, test_classes=3, drawings=2)
    task = Episodes(source=source, side=4, per_class=2, names=3, augment_tests=False)
    held_out = np.asarray(task.held_out().data().images, np.float32).reshape(-1, 4, 4)
    known = held_out / np.maximum(held_out.max(axis=(1, 2), keepdims=True), 1)
    for trace in shown(task, LSTM, 2):
        apart = abs(trace.example["images"][:, None] - known).max(axis=(2, 3))
        assert (apart.min(axis=1) < 1e-5).all()


def test_no_more_classes_are_offered_than_there_are_names():
    task = Episodes(source=Glyphs(train_classes=9, test_classes=9, drawings=2), names=3)
    experiment = small("lstm-copy", task, LSTM, 2)
    assert Served("it", experiment, {"best": ("", experiment.build_machine)}).largest == 3


def test_noise_of_training_is_not_shown():
    task = RepeatCopy(width=1, repeats=(1, 2), noise=0.4)
    for trace in shown(task, LSTM, 3):
        repeats = trace.example["inputs"][3 + 1, -1]
        assert np.isclose(repeats, [task.normalize(1), task.normalize(2)]).any()


@pytest.mark.parametrize("largest", [2, 5])
def test_given_examples_are_those_held_out(largest):
    """One that is held out is smaller than the largest trained; others need more memory."""
    lists = [[a, b] for a in range(1, 4) for b in range(1, 4)] + [[1] * 5, [1] * 30]
    lines = [f'{{"input": {x}, "output": {x}, "size": {len(x)}}}' for x in lists]
    task = Given(examples="\n".join(lines))
    training = {x.before for x in task.part_examples("training")}
    for trace in shown(task, NRAM, largest):
        before = trace.example["inputs"]
        assert tuple(before[:2].tolist()) not in training
        assert not before[2:].any()
