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
from matplotlib.figure import Figure

from softmachine.evaluation.generalization import SizeScore
from softmachine.files import replacing
from softmachine.machines.machine import Machine
from softmachine.machines.ntm import NTM, NTMState
from softmachine.tasks.task import Task
from softmachine.traces.record import record

BLUE, ORANGE = "#0072b2", "#d55e00"


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, whole or not at all, and free it."""
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120, format="png")
    plt.close(figure)


def learning_curve(metrics: Sequence[dict[str, Any]], title: str) -> Figure:
    """Plot validation bits and wrong bits per sequence over training sequences."""
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    sequences = [line["sequences"] for line in metrics]
    for name, label, colour in (
        ("validation_bits", "bits per sequence (cross-entropy)", BLUE),
        ("validation_wrong_bits", "wrong bits per sequence", ORANGE),
    ):
        values = [line[name] for line in metrics]
        axes.plot(sequences, values, "o-", markersize=3, color=colour, label=label)
    # Linear below 0.01, so that zero errors can be shown.
    axes.set_yscale("symlog", linthresh=0.01)
    axes.set_ylim(bottom=0)
    axes.set(xlabel="training sequences", title=title)
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def generalization_curve(scores: Sequence[SizeScore], trained: int, title: str) -> Figure:
    """Plot wrong bits and perfect sequences over size; ``trained`` is the largest trained."""
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    sizes = [score.size for score in scores]
    axes.plot(sizes, [s.wrong_bits for s in scores], "o-", color=ORANGE, label="wrong bits")
    axes.set_yscale("symlog", linthresh=0.1)
    axes.set_ylim(bottom=0)
    axes.set(xlabel="size", ylabel="wrong bits per sequence", title=title)
    axes.axvspan(0, trained, color="0.9", label=f"trained on (up to {trained})")
    axes.set_xlim(left=0)
    share = axes.twinx()
    share.plot(sizes, [s.perfect for s in scores], "s--", color=BLUE, label="perfect")
    share.set(ylabel="share of perfect sequences", ylim=(-0.03, 1.03))
    handles = [*axes.get_legend_handles_labels()[0], *share.get_legend_handles_labels()[0]]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    axes.grid(alpha=0.3)
    return figure


def example_figure(machine: Machine, task: Task, size: int, seed: int) -> Figure:
    """Draw one example over time: inputs, targets, outputs and, for an NTM, its memory.

    Laid out like figures 4 and 6 of Graves et al. 2014: time runs to the right; weightings
    have one line per memory row, cut to the rows that were used.
    """
    key, machine_key = jax.random.split(jax.random.fold_in(jax.random.key(seed), size))
    example = task.sample(key, size, max_size=size)
    recording = record(machine, example, key=machine_key)
    outputs = np.asarray(jax.nn.sigmoid(recording.outputs)) * np.asarray(example.mask)
    wrong = int(task.output.metrics(recording.outputs, example)[task.output.error])
    panels = [
        ("inputs", np.asarray(example.inputs).T, "gray_r"),
        ("targets", np.asarray(example.targets).T, "gray_r"),
        ("outputs", outputs.T, "gray_r"),
    ]
    if isinstance(machine, NTM):
        panels += _memory_panels(recording.states, machine.config.read_heads)
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
    axes[0].set_title(f"size {size}: {wrong} wrong bits")
    return figure


def _memory_panels(states: NTMState, read_heads: int) -> list[tuple[str, np.ndarray, str]]:
    weightings = np.asarray(states.weightings)
    used = np.flatnonzero(weightings.max(axis=(0, 1)) > 0.05)
    rows = slice(max(0, used.min() - 1), used.max() + 2) if len(used) else slice(None)
    panels = []
    for head in range(weightings.shape[1]):
        kind = "read" if head < read_heads else "write"
        number = head if head < read_heads else head - read_heads
        panels.append((f"{kind} {number}", weightings[:, head, rows].T, "viridis"))
    sizes = np.sqrt(np.square(np.asarray(states.memory)[:, :, rows]).mean(axis=1))
    panels.append(("memory\n(row size)", sizes.T, "magma"))
    return panels
