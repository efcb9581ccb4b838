"""Figures of a machine on one example: inputs, outputs and memory over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from softmachine.core.capabilities import OfFunctions
from softmachine.core.example import Example
from softmachine.core.specs.spec import each
from softmachine.evaluation.figures import ORANGE, example_title
from softmachine.evaluation.function_figure import function_figure
from softmachine.evaluation.nram.memory_figure import DRAWN, memory_figure
from softmachine.machines.machine import Cell, Machine
from softmachine.tasks.task import Task
from softmachine.traces.examples import draw_example
from softmachine.traces.recording import Recording, record

PANEL_WIDTH = 7.5
"""About how wide a panel is, in inches."""


class Image(NamedTuple):
    """A panel that shows values over time as colours."""

    name: str
    values: np.ndarray
    """Shape (rows, steps); of images a step has several columns."""
    colours: str
    """Name of a Matplotlib colour map."""
    ticks: dict[int, str]
    """Labels of some of the rows, by index."""
    scale: str = ""
    """Label of a colour bar; empty: there is none."""


def draw_example_figure(machine: Machine, task: Task, size: int, seed: int) -> Figure | None:
    """Draw a machine on one example, in the form that suits the task; None if there is none.

    Arguments are those of `example_figure`.
    """
    if isinstance(task, OfFunctions):
        return function_figure(machine, task, size, seed)
    if task.inputs.per_step:
        return example_figure(machine, task, size, seed)
    shown = {field.name for field in machine.trace_fields() if field.kind == "distribution"}
    return memory_figure(machine, task, size, seed) if shown >= DRAWN else None


def example_figure(machine: Machine, task: Task, size: int, seed: int) -> Figure:
    """Draw inputs, targets, outputs and, if the machine has heads, weightings and memory.

    Laid out like Figures 4 and 6 of Graves et al. 2014: time runs to the right (places, where
    a machine is handed the whole sequence at once), and weightings have one line per memory
    row, cut to the rows in use. Vertical lines mark the steps at which a control channel, such
    as the delimiter, is not 0. Images stand side by side, without such lines.

    Arguments:
        machine: the machine.
        task: draws the example; has an input per step.
        size: of the example.
        seed: of the example and of the machine's first state.
    """
    example, machine_key = draw_example(task, size, seed)
    recording = record(machine, example, key=machine_key)
    layout = task.layout(np.asarray(example.inputs))
    error = float(each(task.metrics(jnp.asarray(recording.outputs), example)[task.error]))
    inputs, targets, outputs = (
        np.asarray(array).T for array in _over_time(task, recording, example)
    )
    images = [
        *_input_images(task, inputs, layout.inputs),
        Image("targets", targets, "gray_r", _channels(layout.outputs)),
        Image("outputs", outputs, "gray_r", _channels(layout.outputs)),
    ]
    heads = {field.name: field for field in machine.trace_fields()}.get("weightings")
    if heads is not None and heads.kind == "weighting":
        images += _memory_images(recording, heads.labels["head"])
    steps = inputs.shape[1]
    heights = [_height(image, steps) for image in images]
    figure, axes = plt.subplots(
        len(images),
        1,
        figsize=(9, sum(heights) + 1.5),
        height_ratios=heights,
        sharex=True,
        layout="constrained",
    )
    for axis, image in zip(axes, images, strict=True):
        shown = axis.imshow(
            image.values,
            aspect="auto",
            cmap=image.colours,
            interpolation="nearest",
            vmin=min(0, np.min(image.values)),
            extent=(-0.5, steps - 0.5, len(image.values) - 0.5, -0.5),
        )
        axis.set_ylabel(image.name, rotation=0, ha="right", va="center")
        axis.set_yticks([*image.ticks], image.ticks.values(), fontsize=7)
        if image.scale:
            figure.colorbar(shown, ax=axis, aspect=8, label=image.scale)
    if images[0].name == "inputs":
        _mark([*axes], inputs, layout.inputs)
    reads_in_time = isinstance(machine, Cell) and machine.encode(example.inputs) is not None
    axes[-1].set_xlabel("time step" if reads_in_time else "place in the sequence")
    figure.suptitle(example_title(task, size, error))
    return figure


def _input_images(task: Task, inputs: np.ndarray, labels: Sequence[str]) -> list[Image]:
    """Return a panel of all inputs, shape (channels, steps); images have one of their own."""
    fields = task.inputs.spec.input_fields(inputs.T, labels)
    if not any(field.kind == "matrix" for field, _ in fields):
        return [Image("inputs", inputs, "gray_r", _channels(labels))]
    panels = []
    for field, array in fields:
        if field.kind == "matrix":
            beside = array.transpose(1, 0, 2).reshape(array.shape[1], -1)
            panels.append(Image(field.name, beside, "gray_r", {}))
        else:
            (names,) = field.labels.values()
            panels.append(Image("told", array.T, "gray_r", dict(enumerate(names))))
    return panels


def _height(image: Image, steps: int) -> float:
    """Return how high a panel is, in inches."""
    per_step = image.values.shape[1] // steps
    if per_step > 1:  # images are as high as they are wide
        return PANEL_WIDTH * len(image.values) / per_step / steps
    return max(1.0, min(3.0, len(image.values) / 12))


def _over_time(task: Task, recording: Recording, example: Example) -> list[Any]:
    """Return inputs, targets and outputs as grey levels, each of shape (steps, channels)."""
    labels = task.layout(np.asarray(example.inputs))
    said = task.output.output_fields(recording.outputs, example, labels.outputs)
    targets = next(array for field, array in said if field.name == "targets")
    return [example.inputs, targets, task.output.probabilities(recording.outputs, example)]


def _channels(labels: Sequence[str]) -> dict[int, str]:
    """Return labels for the first and last bit, and for all other channels, by index."""
    bits = [i for i, label in enumerate(labels) if label.startswith("bit ")]
    ends = {*bits[:1], *bits[-1:]}
    return {i: label for i, label in enumerate(labels) if i in ends or i not in bits}


def _mark(axes: Sequence[Axes], inputs: np.ndarray, labels: Sequence[str]) -> None:
    """Mark the steps at which a control channel is not 0, if they are few."""
    for label, values in zip(labels, inputs, strict=True):
        steps = np.flatnonzero(values).tolist()
        if label.startswith("bit ") or len(steps) > inputs.shape[1] // 4:
            continue
        for step in steps:
            for axis in axes:
                axis.axvline(step, color=ORANGE, linewidth=0.8, alpha=0.8)
        for step in steps[:1]:
            axes[0].annotate(
                label, (step, -0.5), (0, 2), textcoords="offset points", ha="left", va="bottom",
                fontsize=7, color=ORANGE,
            )  # fmt: skip


def _memory_images(recording: Recording, heads: Sequence[str]) -> list[Image]:
    """Return panels of each head's weighting and of the norms of memory rows."""
    weightings = np.asarray(recording.fields["weightings"])
    rows = _used_rows(weightings.max(axis=(0, 1)))
    shown = np.linspace(0, len(rows) - 1, min(len(rows), 5)).round().astype(int).tolist()
    ticks = {i: f"row {rows[i]}" for i in shown}
    images = []
    for head, label in enumerate(heads):
        kind, _, number = label.partition(" ")
        if len(heads) > 2 and not number:
            number = "1"
        name = f"{kind} head {number}".strip()
        values = weightings[:, head, rows].T
        images.append(Image(name, values, "viridis", ticks, "weight"))
    memory = np.asarray(recording.fields["memory"])[:, rows]
    norms = np.linalg.norm(memory, axis=2)
    images.append(Image("memory", norms.T, "magma", ticks, "norm of row"))
    return images


def _used_rows(most: np.ndarray) -> np.ndarray:
    """Return the memory rows to show: all but the longest run of unused ones.

    The memory is a ring, so that the rows returned begin after that run, and 127 may stand
    next to 0. If the run is short, all rows are returned in their order.

    ``most``, shape (rows,): the largest weight that each row ever had.
    """
    count = len(most)
    used = np.flatnonzero(most > 0.05)
    if len(used) == 0:
        return np.arange(count)
    gaps = np.diff(used, append=used[0] + count)
    longest = int(np.argmax(gaps))
    if gaps[longest] < max(4, count // 8):
        return np.arange(count)
    first = used[(longest + 1) % len(used)] - 1
    return (first + np.arange(count - gaps[longest] + 3)) % count
