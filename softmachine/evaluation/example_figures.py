"""Figures of a machine on one example: inputs, outputs and memory over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from softmachine.core.capabilities import Wired
from softmachine.core.example import Example
from softmachine.core.specs.cells import stop_probabilities
from softmachine.core.specs.spec import each
from softmachine.evaluation.figures import ORANGE
from softmachine.machines.machine import Machine
from softmachine.tasks.task import Task
from softmachine.traces.examples import draw_example
from softmachine.traces.recording import Recording, record


class Image(NamedTuple):
    """A panel that shows values over time as colours."""

    name: str
    values: np.ndarray
    """Shape (rows, steps)."""
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
    if task.inputs.per_step:
        return example_figure(machine, task, size, seed)
    return memory_figure(machine, task, size, seed) if isinstance(machine, Wired) else None


def example_figure(machine: Machine, task: Task, size: int, seed: int) -> Figure:
    """Draw inputs, targets, outputs and, if the machine has heads, weightings and memory.

    Laid out like Figures 4 and 6 of Graves et al. 2014: time runs to the right, and weightings
    have one line per memory row, cut to the rows in use. Vertical lines mark the steps at which
    a control channel, such as the delimiter, is not 0.

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
        Image("inputs", inputs, "gray_r", _channels(layout.inputs)),
        Image("targets", targets, "gray_r", _channels(layout.outputs)),
        Image("outputs", outputs, "gray_r", _channels(layout.outputs)),
    ]
    heads = {field.name: field for field in machine.trace_fields()}.get("weightings")
    if heads is not None and heads.kind == "weighting":
        images += _memory_images(recording, heads.labels["head"])
    heights = [max(1.0, min(3.0, len(image.values) / 12)) for image in images]
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
            image.values, aspect="auto", cmap=image.colours, interpolation="nearest", vmin=0
        )
        axis.set_ylabel(image.name, rotation=0, ha="right", va="center")
        axis.set_yticks([*image.ticks], image.ticks.values(), fontsize=7)
        if image.scale:
            figure.colorbar(shown, ax=axis, aspect=8, label=image.scale)
    _mark([*axes], inputs, layout.inputs)
    axes[-1].set_xlabel("time step")
    figure.suptitle(_title(task, size, error))
    return figure


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


Panel = tuple[str, np.ndarray, np.ndarray | None, list[str]]
"""A panel of `memory_figure`: its name, shades (rows, steps), numbers of that shape to write
into it or None, and the rows' labels."""


SHADES = {
    "memory": "most likely values, darker if likelier; ◂: scored",
    "registers": "the same of each register",
    "choices": "how likely the likeliest source of each is",
    "stopping": "how likely it is that the machine stops after this step",
}
"""What the shades of each panel of `memory_figure` mean."""


def memory_figure(machine: Wired, task: Task, size: int, seed: int) -> Figure:
    """Draw an NRAM on one example over time: memory, registers, choices, stopping.

    Memory and registers show the most likely value of each distribution as a number and its
    probability as a shade; choices show the probability of the most likely source. Arguments
    are those of `example_figure`.
    """
    example, _ = draw_example(task, size, seed)
    recording = record(cast("Machine", machine), example)
    fields = {name: np.asarray(array) for name, array in recording.fields.items()}
    memory, registers = fields["memory"], fields["registers"]
    outputs = jax.tree.map(jnp.asarray, recording.outputs)
    error = float(each(task.metrics(outputs, example)[task.error]))
    scored = np.flatnonzero(np.asarray(example.mask))
    labels = task.layout(np.asarray(example.inputs)).inputs
    stops = stop_probabilities(outputs.stop, example.steps)
    panels: list[Panel] = [
        (
            "memory",
            memory.max(axis=2).T,
            memory.argmax(axis=2).T,
            [
                f"{label} {i}{' ◂' if i in scored else ''}".strip()
                for i, label in enumerate(labels)
            ],
        ),
        (
            "registers",
            registers.max(axis=2).T,
            registers.argmax(axis=2).T,
            [f"r{i + 1}" for i in range(registers.shape[1])],
        ),
        ("choices", fields["choices"].max(axis=2).T, None, machine.shown_choice_names()),
        ("stopping", np.asarray(stops)[None], None, ["here"]),
    ]
    heights = [max(0.5, 0.2 * len(shade)) for _, shade, _, _ in panels]
    steps = memory.shape[0]
    figure, axes = plt.subplots(
        len(panels),
        1,
        figsize=(max(6.0, 0.32 * steps + 2.5), sum(heights) + 1.6),
        height_ratios=heights,
        sharex=True,
        layout="constrained",
    )
    for axis, (name, shade, values, names) in zip(axes, panels, strict=True):
        axis.imshow(
            shade, aspect="auto", cmap="Blues", interpolation="nearest", vmin=0, vmax=1.6
        )
        axis.set_yticks(range(len(names)), names, fontsize=7)
        axis.set_title(f"{name}: {SHADES[name]}", fontsize=9, loc="left")
        if values is not None and steps <= 60:
            for (row, step), value in np.ndenumerate(values):
                axis.text(step, row, str(value), ha="center", va="center", fontsize=6)
    axes[-1].set_xlabel("after step")
    axes[-1].set_xticks(range(steps), [str(step + 1) for step in range(steps)], fontsize=7)
    figure.suptitle(_title(task, size, error))
    return figure


def _title(task: Task, size: int, error: float) -> str:
    """Return a title: the example's size, its error, and the largest possible error."""
    name, worst = task.error.replace("_", " "), task.worst_errors([size])
    if worst is None:
        return f"size {size}: {error:.3g} {name}"
    if worst[0] == 1:
        return f"size {size}: {error:.0%} {name}"
    return f"size {size}: {error:.3g} {name} of {worst[0]:,.4g}"
