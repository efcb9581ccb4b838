"""Figures: learning curve, generalisation curve, one example step by step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Int
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure

from softmachine.evaluation.generalization import SizeScore
from softmachine.files import replacing
from softmachine.machines.machine import Machine
from softmachine.machines.nram import NRAM
from softmachine.machines.ntm import NTM
from softmachine.tasks.memory import MemoryTask, stop_probabilities
from softmachine.tasks.task import Task
from softmachine.traces.examples import draw_example
from softmachine.traces.recording import Recording, record

BLUE, ORANGE = "#0072b2", "#d55e00"


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, whole or not at all, and free it."""
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120, format="png")
    plt.close(figure)


def learning_curve(metrics: Sequence[dict[str, Any]], title: str, error: str) -> Figure:
    """Plot validation bits, and the task's error, per sequence over training sequences."""
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    sequences = [line["sequences"] for line in metrics]
    for name, label, colour in (
        ("bits", "bits per sequence (cross-entropy)", BLUE),
        (error, f"{error.replace('_', ' ')} per sequence", ORANGE),
    ):
        values = [line[f"validation_{name}"] for line in metrics]
        axes.plot(sequences, values, "o-", markersize=3, color=colour, label=label)
    _logarithmic(axes, 0.01)
    axes.set(xlabel="training sequences", title=title)
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def learning_bands(groups: dict[str, list[list[dict[str, Any]]]], error: str) -> Figure:
    """Plot the task's error over training, its quantiles over the members of each group.

    ``groups`` holds, by name, the metrics of each member. A member that ended keeps the
    value that it had.
    """
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for (name, members), colour in zip(groups.items(), _colours(), strict=False):
        xs = sorted({line["sequences"] for metrics in members for line in metrics})
        values = [_held(metrics, xs, f"validation_{error}") for metrics in members]
        _band(axes, xs, np.transpose(values), f"{name} ({len(members)})", colour)
    _logarithmic(axes, 0.01)
    axes.set(xlabel="training sequences", ylabel=f"{error.replace('_', ' ')} per sequence")
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=3)
    return figure


def member_levels(groups: dict[str, list[list[dict[str, Any]]]]) -> Figure:
    """Plot how many members of each group are at which level over training.

    The level is the curriculum's where it has one, else the largest size up to which validation
    found no mistake. ``groups`` are those of `learning_bands`.
    """
    rows = len(groups)
    figure, axes = plt.subplots(
        rows, 1, figsize=(7, 1 + 2.5 * rows), squeeze=False, layout="constrained"
    )
    drawn = {name: _levels(members) for name, members in groups.items()}
    most = max(int(levels.max()) for _, levels in drawn.values())
    colours = matplotlib.colormaps["viridis_r"].resampled(most + 1)
    for axis, (name, (xs, levels)) in zip(axes[:, 0], drawn.items(), strict=True):
        counts = [(levels == level).sum(axis=0) for level in range(most, -1, -1)]
        shades = [colours(level) for level in range(most, -1, -1)]
        axis.stackplot(xs, counts, colors=shades, step="post")
        axis.set(ylabel="members", title=name, ylim=(0, len(levels)))
        axis.set_xlim(xs[0], max(xs[-1], xs[0] + 1))
    axes[-1, 0].set_xlabel("training sequences")
    scale = BoundaryNorm(np.arange(most + 2) - 0.5, most + 1)
    shown = ScalarMappable(scale, colours)
    ticks = range(0, most + 1, 1 + most // 10)
    figure.colorbar(shown, ax=axes[:, 0].tolist(), label="level", ticks=ticks)
    return figure


def _levels(
    members: list[list[dict[str, Any]]],
) -> tuple[list[int], Int[np.ndarray, "members xs"]]:
    """Return numbers of sequences, and the level of each member after so many."""
    xs = sorted({line["sequences"] for metrics in members for line in metrics})
    name = "level" if "level" in members[0][0] else "validation_level"
    return xs, np.array([_held(metrics, xs, name) for metrics in members])


def generalization_curve(
    scores: Sequence[SizeScore], trained: int, title: str, error: str
) -> Figure:
    """Plot error and perfect sequences over size; ``trained`` is the largest trained."""
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    label = error.replace("_", " ")
    sizes = [score.size for score in scores]
    axes.plot(sizes, [s.metrics[error] for s in scores], "o-", color=ORANGE, label=label)
    _logarithmic(axes, 0.1)
    axes.set(xlabel="size", ylabel=f"{label} per sequence", title=title)
    axes.axvspan(0, trained, color="0.9", label=f"trained on (up to {trained})")
    axes.set_xlim(left=0)
    handles = axes.get_legend_handles_labels()[0]
    if "perfect" in scores[0].metrics:
        share = axes.twinx()
        perfect = [score.metrics["perfect"] for score in scores]
        share.plot(sizes, perfect, "s--", color=BLUE, label="perfect")
        share.set(ylabel="share of perfect sequences", ylim=(-0.03, 1.03))
        handles += share.get_legend_handles_labels()[0]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    axes.grid(alpha=0.3)
    return figure


def generalization_bands(
    groups: dict[str, list[list[SizeScore]]], trained: int, error: str
) -> Figure:
    """Plot the task's error over size, its quantiles over the members of each group."""
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for (name, members), colour in zip(groups.items(), _colours(), strict=False):
        sizes = [score.size for score in members[0]]
        values = [[score.metrics[error] for score in scores] for scores in members]
        _band(axes, sizes, np.transpose(values), f"{name} ({len(members)})", colour)
    _logarithmic(axes, 0.1)
    axes.axvspan(0, trained, color="0.9", label=f"trained on (up to {trained})")
    axes.set_xlim(left=0)
    axes.set(xlabel="size", ylabel=f"{error.replace('_', ' ')} per sequence")
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=4)
    return figure


def _band(axes: Axes, xs: Sequence[int], values: np.ndarray, name: str, colour: str) -> None:
    """Draw the median, the quartiles and the extremes of ``values``, shape (xs, members)."""
    spread = np.quantile(values, (0, 0.25, 0.5, 0.75, 1), axis=1)
    axes.fill_between(xs, spread[0], spread[4], color=colour, alpha=0.12, linewidth=0)
    axes.fill_between(xs, spread[1], spread[3], color=colour, alpha=0.3, linewidth=0)
    axes.plot(xs, spread[2], "o-", markersize=3, color=colour, label=name)


def _held(metrics: Sequence[dict[str, Any]], xs: Sequence[int], name: str) -> list[Any]:
    """Return a metric at each number of sequences, or its latest value before."""
    sequences = [line["sequences"] for line in metrics]
    places = np.searchsorted(sequences, xs, side="right") - 1
    return [metrics[max(place, 0)][name] for place in places]


def _colours() -> Sequence[str]:
    return (BLUE, ORANGE, "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")


def _logarithmic(axes: Axes, threshold: float) -> None:
    """Set a logarithmic scale that is linear below a threshold, so that zero can be shown."""
    axes.set_yscale("symlog", linthresh=threshold)
    axes.set_ylim(bottom=0)


def example_figure(machine: Machine, task: Task, size: int, seed: int) -> Figure:
    """Draw one example over time: inputs, targets, outputs and, for an NTM, its memory.

    Laid out like figures 4 and 6 of Graves et al. 2014: time runs to the right; weightings
    have one line per memory row, cut to the rows that were used.
    """
    example, machine_key = draw_example(task, size, seed)
    recording = record(machine, example, key=machine_key)
    outputs = np.asarray(jax.nn.sigmoid(recording.outputs)) * np.asarray(example.mask)
    error = float(task.metrics(recording.outputs, example)[task.error])
    panels = [
        ("inputs", np.asarray(example.inputs).T, "gray_r"),
        ("targets", np.asarray(example.targets).T, "gray_r"),
        ("outputs", outputs.T, "gray_r"),
    ]
    if isinstance(machine, NTM):
        panels += _memory_panels(recording, machine.config.read_heads)
    heights = [max(0.7, min(3.0, len(values) / 12)) for _, values, _ in panels]
    figure, axes = plt.subplots(
        len(panels),
        1,
        figsize=(9, sum(heights) + 1.5),
        height_ratios=heights,
        sharex=True,
        layout="constrained",
    )
    for axis, (name, values, colours) in zip(axes, panels, strict=True):
        image = axis.imshow(
            values, aspect="auto", cmap=colours, interpolation="nearest", vmin=0
        )
        axis.set_ylabel(name, rotation=0, ha="right", va="center")
        axis.set_yticks([])
        if colours != "gray_r":
            figure.colorbar(image, ax=axis, aspect=8)
    axes[-1].set_xlabel("time step")
    axes[0].set_title(f"size {size}: {error:.3g} {task.error.replace('_', ' ')}")
    return figure


def _memory_panels(recording: Recording, read_heads: int) -> list[tuple[str, np.ndarray, str]]:
    weightings = np.asarray(recording.fields["weightings"])
    used = np.flatnonzero(weightings.max(axis=(0, 1)) > 0.05)
    rows = slice(max(0, used.min() - 1), used.max() + 2) if len(used) else slice(None)
    panels = []
    for head in range(weightings.shape[1]):
        kind = "read" if head < read_heads else "write"
        number = head if head < read_heads else head - read_heads
        panels.append((f"{kind} {number}", weightings[:, head, rows].T, "viridis"))
    memory = np.asarray(recording.fields["memory"])[:, rows]
    sizes = np.sqrt(np.square(memory).mean(axis=2))
    panels.append(("memory\n(row size)", sizes.T, "magma"))
    return panels


Panel = tuple[str, np.ndarray, np.ndarray | None, list[str]]
"""A title, shades and perhaps numbers of shape (rows, steps), and the rows' names."""


def memory_figure(machine: NRAM, task: MemoryTask, size: int, seed: int) -> Figure:
    """Draw an NRAM on one example over time: memory, registers, choices, stopping.

    Memory and registers show each distribution's most likely value as a number, its
    probability as the shade. Choices show how likely the most likely source is.
    """
    example, _ = draw_example(task, size, seed)
    recording = record(machine, example)
    fields = {name: np.asarray(array) for name, array in recording.fields.items()}
    memory, registers = fields["memory"], fields["registers"]
    outputs = recording.outputs
    error = float(task.metrics(outputs, example)[task.error])
    scored = np.flatnonzero(np.asarray(example.mask))
    labels = task.labels(np.asarray(example.inputs).tolist())
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
        ("stop", np.asarray(stops)[None], None, ["p"]),
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
        axis.set_title(name, fontsize=9, loc="left")
        if values is not None and steps <= 60:
            for (row, step), value in np.ndenumerate(values):
                axis.text(step, row, str(value), ha="center", va="center", fontsize=6)
    axes[-1].set_xlabel("after step")
    axes[-1].set_xticks(range(steps), [str(step + 1) for step in range(steps)], fontsize=7)
    figure.suptitle(f"size {size}: {error:.3g} {task.error.replace('_', ' ')}")
    return figure
