"""The figure of a machine on a function: what it predicts everywhere after a few points."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PRNGKeyArray
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from softmachine.core import compiling
from softmachine.core.example import Example
from softmachine.evaluation.figures import BLUE, GREY, example_title
from softmachine.machines.machine import Machine
from softmachine.running.loop import run_batch
from softmachine.running.scoring import score_batch
from softmachine.tasks.task import Task
from softmachine.traces.examples import draw_example

SEEN = (1, 2, 5, 10, 20, 49)
"""After how many points predictions are drawn."""
PLACES = 81
"""At how many places a machine is asked."""
BAND = 1.96
"""Half the width of a band, in standard deviations: 95 % of values lie in it."""


def function_figure(machine: Machine, task: Any, size: int, seed: int) -> Figure:
    """Draw what a machine predicts of a function, and what is best, after a few points.

    Where places have several numbers, along the line on which all but the first of them are 0;
    points that are far from it are pale.

    Arguments:
        machine: the machine.
        task: draws the function; an `OfFunctions`.
        size: of the episode: how many points of it there are.
        seed: of the episode and of the machine's first state.
    """
    example, key = draw_example(task, size, seed)
    seen = [number for number in SEEN if number < size] or [0]
    line = np.zeros((PLACES, task.dimensions), np.float32)
    line[:, 0] = np.linspace(-task.extent, task.extent, PLACES)
    columns = min(3, len(seen))
    rows = -(-len(seen) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(3.2 * columns, 2.6 * rows + 0.8), layout="constrained",
        sharex=True, sharey=True, squeeze=False,
    )  # fmt: skip
    for number, axis in zip(seen, axes.flat, strict=False):
        _draw(axis, machine, task, example, line, number, key)
    for axis in axes.flat[len(seen) :]:
        axis.set_visible(False)
    for axis in axes[-1]:
        axis.set_xlabel("x" if task.dimensions == 1 else "x1, all others 0")
    figure.legend(
        *axes.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=3
    )
    figure.suptitle(example_title(task, size, _error(machine, task, size, seed)))
    return figure


def told(
    machine: Machine,
    task: Any,
    example: Example,
    asked: Float[np.ndarray, "m dimensions"],
    seen: int,
    key: PRNGKeyArray,
) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, " m"]]:
    """Return a machine's means and variances of the value at each of some places.

    It is shown the first ``seen`` points of an episode, and then asked for one of the places.
    """
    steps = len(example.inputs)
    inputs = np.tile(np.asarray(example.inputs), (len(asked), 1, 1))
    inputs[:, seen, :-1] = asked
    keys = jnp.broadcast_to(key, (len(asked),))
    outputs = _outputs(machine, jnp.asarray(inputs), jnp.int32(seen + 1), keys, steps)
    spec = task.outputs.spec
    at = outputs[:, seen]
    return np.asarray(spec.means(at)), np.exp(np.asarray(spec.log_variances(at)))


@partial(compiling.filter_jit, tuned=False)
def _outputs(machine, inputs, length, keys, steps):
    lengths = jnp.full(len(inputs), length)
    return run_batch(machine, inputs, steps=length, max_steps=steps, lengths=lengths, keys=keys)


def _draw(
    axis: Axes,
    machine: Machine,
    task: Any,
    example: Example,
    line: Float[np.ndarray, "m dimensions"],
    seen: int,
    key: PRNGKeyArray,
) -> None:
    """Draw two predictions along a line, and the points that were seen before."""
    places = np.asarray(example.inputs)[:seen, :-1]
    values = np.asarray(example.targets)[:seen]
    best = task.predict(jnp.asarray(places), jnp.asarray(values), jnp.asarray(line))
    said = told(machine, task, example, line, seen, key)
    xs = line[:, 0]
    for name, colour, (means, variances) in (("exact", GREY, best), ("machine", BLUE, said)):
        means, widths = np.asarray(means), BAND * np.sqrt(np.asarray(variances))
        axis.plot(xs, means, color=colour, label=name)
        axis.fill_between(xs, means - widths, means + widths, color=colour, alpha=0.2, lw=0)
    if seen:
        near = np.exp(-np.sum(places[:, 1:] ** 2, axis=1) / (2 * task.length**2))
        axis.scatter(
            places[:, 0], values, s=14, color="black", alpha=near, label="seen", zorder=3
        )
    axis.set_title(f"after {seen} point{'s' * (seen != 1)}", fontsize=10)


def _error(machine: Machine, task: Task, size: int, seed: int) -> float:
    """Return the error of the episode that is drawn."""
    key = jax.random.fold_in(jax.random.key(seed), size)[None]
    return float(_score(machine, task, key, jnp.array([size]), size)[task.error][0])


@partial(compiling.filter_jit, tuned=False)
def _score(machine, task, keys, sizes, max_size):
    return score_batch(machine, task, keys, sizes, max_size).metrics
