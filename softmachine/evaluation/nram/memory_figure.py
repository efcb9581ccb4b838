"""The figure of an NRAM on one example: memory, registers, choices and stopping over time."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from softmachine.core.specs.cells import stop_probabilities
from softmachine.core.specs.spec import each
from softmachine.evaluation.figures import example_title
from softmachine.machines.machine import Machine
from softmachine.tasks.task import Task
from softmachine.traces.examples import draw_example
from softmachine.traces.recording import record

DRAWN = frozenset({"memory", "registers", "choices"})
"""The distributions of a machine's trace that `memory_figure` draws."""
Panel = tuple[str, np.ndarray, np.ndarray | None, Sequence[str]]
"""A panel of `memory_figure`: its name, shades (rows, steps), numbers of that shape to write
into it or None, and the rows' labels."""


SHADES = {
    "memory": "most likely values, darker if likelier; ◂: scored",
    "registers": "the same of each register",
    "choices": "how likely the likeliest source of each is",
    "stopping": "how likely it is that the machine stops after this step",
}
"""What the shades of each panel of `memory_figure` mean."""


def memory_figure(machine: Machine, task: Task, size: int, seed: int) -> Figure:
    """Draw an NRAM on one example over time: memory, registers, choices, stopping.

    Memory and registers show the most likely value of each distribution as a number and its
    probability as a shade; choices show the probability of the most likely source.

    Arguments:
        machine: the machine, an NRAM.
        task: draws the example.
        size: of the example.
        seed: of the example.
    """
    example, _ = draw_example(task, size, seed)
    recording = record(machine, example)
    fields = {name: np.asarray(array) for name, array in recording.fields.items()}
    memory, registers = fields["memory"], fields["registers"]
    outputs = jax.tree.map(jnp.asarray, recording.outputs)
    error = float(each(task.metrics(outputs, example)[task.error]))
    scored = np.flatnonzero(np.asarray(example.mask))
    labels = task.layout(np.asarray(example.inputs)).inputs
    declared = {field.name: field for field in machine.trace_fields()}
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
        (
            "choices",
            fields["choices"].max(axis=2).T,
            None,
            declared["choices"].labels["choice"],
        ),
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
    figure.suptitle(example_title(task, size, error))
    return figure
