"""Figures: learning and generalisation curves, of one machine or of many."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Int
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from softmachine.core.files import replacing
from softmachine.evaluation.aftermath import describe_aftermath
from softmachine.experiments.experiment import Experiment
from softmachine.experiments.progress import Progress
from softmachine.running.generalization import SizeScore

BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#666666"


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, whole or not at all, and free it."""
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120, format="png")
    plt.close(figure)


class Scale(NamedTuple):
    """The axis of errors: linear, and never so fine that next to nothing looks like a peak."""

    error: str
    """The task's measure."""
    worst: float | None = None
    """The error of an example in which everything is wrong: axes show the share of that.
    None: there is no such bound, and axes show the error itself."""

    @classmethod
    def of(cls, experiment: Experiment) -> Scale:
        """Return the scale for its validations, whose sizes are uniform."""
        task, sizes = experiment.task, experiment.training.curriculum
        worst = task.worst_errors(range(sizes.smallest, sizes.largest + 1))
        return cls(task.error, None if worst is None else float(np.mean(worst)))

    def label(self) -> str:
        """Return what the axis shows."""
        words = self.error.replace("_", " ")
        if self.worst is None:
            return f"{words} per sequence"
        return f"{words}, %" if self.worst == 1 else f"{words}, % of {self.worst:,.4g}"

    def shown(self, errors: Any) -> np.ndarray:
        """Return errors as the axis shows them."""
        errors = np.asarray(errors, float)
        return errors if self.worst is None else 100 * errors / self.worst

    def set(self, axes: Axes, label: str | None = None) -> None:
        """Label the axis, and let it reach from zero to at least `LEAST_TOP`."""
        top = max(1.05 * axes.dataLim.y1, LEAST_TOP)
        axes.set(ylabel=label or self.label(), ylim=(-0.02 * top, top))
        axes.grid(alpha=0.3)


LEAST_TOP = 5.0
"""An axis of errors reaches at least to 5 % of the worst there can be, or to 5 of its unit."""


def learning_curve(
    metrics: Sequence[dict[str, Any]],
    title: str,
    scale: Scale,
    *,
    kept: int | None = None,
    note: str | None = None,
) -> Figure:
    """Plot the task's error and the cross-entropy in validation over training sequences.

    ``kept`` marks after how many sequences the parameters are those that were kept, and
    ``note`` stands below.
    """
    figure, (errors, bits) = plt.subplots(
        2, 1, figsize=(7, 5), sharex=True, layout="constrained", height_ratios=(3, 2)
    )
    sequences = [line["sequences"] for line in metrics]
    values = scale.shown([line[f"validation_{scale.error}"] for line in metrics])
    errors.plot(sequences, values, "o-", markersize=3, color=ORANGE)
    bits.plot(
        sequences,
        [line["validation_bits"] for line in metrics],
        "o-",
        markersize=3,
        color=BLUE,
    )
    if kept is not None:
        for axes in (errors, bits):
            axes.axvline(kept, color=GREY, linestyle="--", linewidth=1)
        errors.plot([], [], "--", color=GREY, label=f"kept: after {kept:,} sequences")
        errors.legend(loc="upper right")
    errors.set(title=title)
    scale.set(errors)
    bits.set(ylabel="cross-entropy, bits\nper sequence", xlabel="training sequences")
    _plain_logarithmic(bits)
    _name_thousands(bits)
    if note is not None:
        figure.supxlabel("\n".join(textwrap.wrap(note, 90)), fontsize=9)
    return figure


def learning_curve_of(
    experiment: Experiment,
    title: str,
    metrics: Sequence[dict[str, Any]],
    progress: Progress | None,
) -> Figure:
    """Plot the learning curve of a run; say so if it was solved and then became worse."""
    kept = note = None
    if progress is not None and progress.best_sequences:
        kept = progress.best_sequences
        note = describe_aftermath(experiment, progress, metrics)
    return learning_curve(metrics, title, Scale.of(experiment), kept=kept, note=note)


def learning_bands(groups: dict[str, list[list[dict[str, Any]]]], scale: Scale) -> Figure:
    """Plot the task's error over training, its quantiles over the members of each group.

    ``groups`` holds, by name, the metrics of each member. A member that ended keeps the
    value that it had.
    """
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for (name, members), colour in zip(groups.items(), _colours(), strict=False):
        xs = sorted({line["sequences"] for metrics in members for line in metrics})
        values = [_held(metrics, xs, f"validation_{scale.error}") for metrics in members]
        _band(axes, xs, scale.shown(values).T, f"{name} ({len(members)})", colour)
    axes.set_xlabel("training sequences")
    scale.set(axes)
    _name_thousands(axes)
    _explain_bands(figure)
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
        _name_thousands(axis)
        axis.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes[-1, 0].set_xlabel("training sequences")
    scale = BoundaryNorm(np.arange(most + 2) - 0.5, most + 1)
    shown = ScalarMappable(scale, colours)
    ticks = range(0, most + 1, 1 + most // 10)
    kind = _level_name(next(iter(groups.values())))
    label = "level of the curriculum" if kind == "level" else "no mistake up to size"
    figure.colorbar(shown, ax=axes[:, 0].tolist(), label=label, ticks=ticks)
    return figure


def _levels(
    members: list[list[dict[str, Any]]],
) -> tuple[list[int], Int[np.ndarray, "members xs"]]:
    """Return numbers of sequences, and the level of each member after so many."""
    xs = sorted({line["sequences"] for metrics in members for line in metrics})
    name = _level_name(members)
    return xs, np.array([_held(metrics, xs, name) for metrics in members if name in metrics[0]])


def _level_name(members: list[list[dict[str, Any]]]) -> str:
    return "level" if "level" in members[0][0] else "validation_level"


def generalization_curve(
    scores: Sequence[SizeScore],
    trained: int,
    title: str,
    error: str,
    worst: Sequence[float] | None = None,
) -> Figure:
    """Plot error and perfect sequences over size.

    Arguments:
        scores: one for each size.
        trained: the largest size trained.
        title: of the figure.
        error: the task's measure.
        worst: for each size the error of an example in which everything is wrong, if there
            is such a bound: the axis shows the share of that.
    """
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    sizes = [score.size for score in scores]
    values = np.array([score.metrics[error] for score in scores])
    shown = values if worst is None else 100 * values / np.asarray(worst)
    axes.plot(sizes, shown, "o-", color=ORANGE, label=_most(sizes, values, error, worst))
    axes.axvspan(0, trained, color="0.9", zorder=0, label=f"trained on (up to {trained})")
    axes.set(xlabel="size", title=title)
    label = None if worst is None else f"{error.replace('_', ' ')}, % of all"
    Scale(error).set(axes, label)
    axes.set_xlim(left=0)
    handles = axes.get_legend_handles_labels()[0]
    if "perfect" in scores[0].metrics:
        share = axes.twinx()
        perfect = [100 * score.metrics["perfect"] for score in scores]
        share.plot(sizes, perfect, "s--", color=BLUE, label="without a mistake")
        share.set(ylabel="examples without a mistake, %", ylim=(-2, 102))
        handles += share.get_legend_handles_labels()[0]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure


def _most(
    sizes: Sequence[int], values: np.ndarray, error: str, worst: Sequence[float] | None
) -> str:
    """Return the label of a curve of errors: what it shows, and the largest in numbers."""
    label = error.replace("_", " ")
    if not np.any(values > 0):
        return f"{label} (none)"
    most = int(np.nanargmax(values))
    if worst is not None and worst[most] == 1:
        return f"{label} (most: {values[most]:.2%}, size {sizes[most]})"
    total = "" if worst is None else f" of {worst[most]:,.4g}"
    return f"{label} (most: {values[most]:.3g}{total}, size {sizes[most]})"


def generalization_bands(
    groups: dict[str, list[list[SizeScore]]],
    trained: int,
    error: str,
    worst: Mapping[int, float] | None = None,
) -> Figure:
    """Plot the task's error over size, its quantiles over the members of each group.

    ``worst`` gives, for each size, the error of an example in which everything is wrong.
    """
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for (name, members), colour in zip(groups.items(), _colours(), strict=False):
        sizes = [score.size for score in members[0]]
        values = np.array([[score.metrics[error] for score in scores] for scores in members])
        if worst is not None:
            values = 100 * values / np.array([worst[size] for size in sizes])
        _band(axes, sizes, values.T, f"{name} ({len(members)})", colour)
    axes.axvspan(0, trained, color="0.9", zorder=0, label=f"trained on (up to {trained})")
    axes.set(xlabel="size")
    label = None if worst is None else f"{error.replace('_', ' ')}, % of all"
    Scale(error).set(axes, label)
    axes.set_xlim(left=0)
    _explain_bands(figure)
    return figure


def _explain_bands(figure: Figure) -> None:
    figure.legend(
        loc="outside lower center",
        ncols=4,
        title="lines: medians; bands: quartiles and extremes",
        title_fontsize="small",
    )


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


def _plain_logarithmic(axes: Axes) -> None:
    """Set a logarithmic scale with ticks enough, at numbers such as 0.05."""
    axes.set_yscale("log", nonpositive="clip")
    low, high = axes.get_ylim()
    subs = (1.0,) if high / low > 1000 else (1.0, 2.0, 5.0)
    axes.yaxis.set_major_locator(LogLocator(subs=subs))
    axes.yaxis.set_major_formatter(lambda y, _: f"{y:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(alpha=0.3)


def _name_thousands(axes: Axes) -> None:
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:,.0f}")
