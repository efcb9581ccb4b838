"""Figures: curves of learning and of generalisation, for one machine or a population."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Int
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from softmachine.core.files import replacing
from softmachine.evaluation.aftermath import describe_aftermath
from softmachine.experiments.experiment import Experiment
from softmachine.experiments.progress import Progress
from softmachine.running.generalization import SizeScore
from softmachine.tasks.task import ByInstance, Task

BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#666666"


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, whole or not at all, and close it."""
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120, format="png")
    plt.close(figure)


def example_title(task: Task, size: int, error: float) -> str:
    """Return a title: the example's size, its error, and the largest possible error."""
    name, worst = task.error.replace("_", " "), task.worst_errors([size])
    if worst is None:
        return f"size {size}: {error:.3g} {name}"
    if worst[0] == 1:
        return f"size {size}: {error:.0%} {name}"
    return f"size {size}: {error:.3g} {name} of {worst[0]:,.4g}"


class Scale(NamedTuple):
    """A linear axis of errors, never so short that a negligible error looks like a peak."""

    error: str
    """The metric that the task calls its error, such as ``wrong_bits``."""
    worst: float | None = None
    """The largest possible error, of an example with everything wrong: the axis shows errors as
    a percentage of it. None: there is no such bound, and the axis shows errors as they are."""

    @classmethod
    def of(cls, experiment: Experiment) -> Scale:
        """Return the scale for an experiment's validations, whose sizes are uniform."""
        task, sizes = experiment.task, experiment.training.curriculum
        worst = task.worst_errors(range(sizes.smallest, sizes.largest + 1))
        return cls(task.error, None if worst is None else float(np.mean(worst)))

    def label(self) -> str:
        """Return the label of the axis, with its unit."""
        words = self.error.replace("_", " ")
        if self.worst is None:
            return f"{words} per sequence"
        return f"{words}, %" if self.worst == 1 else f"{words}, % of {self.worst:,.4g}"

    def shown(self, errors: Any) -> np.ndarray:
        """Return errors as the axis shows them."""
        errors = np.asarray(errors, float)
        return errors if self.worst is None else 100 * errors / self.worst

    def set(self, axes: Axes, label: str | None = None) -> None:
        """Label the vertical axis, and make it reach from zero to at least `LEAST_TOP`."""
        top = max(1.05 * axes.dataLim.y1, LEAST_TOP)
        axes.set(ylabel=label or self.label(), ylim=(-0.02 * top, top))
        axes.grid(alpha=0.3)


LEAST_TOP = 5.0
"""An axis of errors reaches at least to this value, in the unit it is labelled with."""


def learning_curve(
    metrics: Sequence[dict[str, Any]],
    title: str,
    scale: Scale,
    *,
    kept: int | None = None,
    note: str | None = None,
) -> Figure:
    """Plot the error and the cross-entropy in validation over the number of training sequences.

    Arguments:
        metrics: the lines of a run's metrics.
        title: of the figure.
        scale: of the error.
        kept: the number of sequences at which the parameters kept were reached, to be marked.
        note: a text below.
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
    if min(line["validation_bits"] for line in metrics) > 0:
        _plain_logarithmic(bits)
    else:  # of densities, which may be above 1
        bits.grid(alpha=0.3)
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
    """Plot the learning curve of a run, with a note if it was solved and then became worse."""
    kept = note = None
    if progress is not None and progress.best_sequences:
        kept = progress.best_sequences
        note = describe_aftermath(experiment, progress, metrics)
    return learning_curve(metrics, title, Scale.of(experiment), kept=kept, note=note)


def learning_bands(groups: dict[str, list[list[dict[str, Any]]]], scale: Scale) -> Figure:
    """Plot quantiles of the error over training, over the members of each group.

    Arguments:
        groups: by name, the lines of metrics of each member. A member that has ended keeps its
            last value.
        scale: of the error.
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
    """Plot how many members of each group are at each level, over training.

    The level is that of the curriculum if it has levels, else the largest size up to which
    validation found no mistake. ``groups``: see `learning_bands`.
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
        # The last validation is drawn as wide as the one before it: a step without a width
        # could not be seen.
        end = xs[-1] + (xs[-1] - xs[-2] if len(xs) > 1 else 1)
        last = [np.append(count, count[-1]) for count in counts]
        axis.stackplot([*xs, end], last, colors=shades, step="post")
        axis.set(ylabel="members", title=name, ylim=(0, len(levels)), xlim=(xs[0], end))
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
    """Return numbers of training sequences, and the level of each member at each of them."""
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
    """Plot the error, and the percentage of examples without a mistake, over size.

    Arguments:
        scores: one for each size.
        trained: the largest size trained on.
        title: of the figure.
        error: the metric that is the task's error.
        worst: for each size, the largest possible error, of which the axis shows a percentage;
            None: there is no such bound.
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
    """Return the label of a curve of errors: the metric, its largest value, and the size."""
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
    """Plot quantiles of the error over size, over the members of each group.

    Arguments:
        groups: by name, the scores of each member, one for each size.
        trained: the largest size trained on.
        error: the metric that is the task's error.
        worst: by size, the largest possible error; None: there is no such bound.
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


def instance_figure(groups: Mapping[str, Sequence[SizeScore]], shown: ByInstance) -> Figure:
    """Plot how well a machine does at the first, second, ... of what comes in an example.

    Arguments:
        groups: by name, the score of each member, all at one size. A group of one is drawn
            with 95 % intervals over what was drawn, others as quantiles over the members.
        shown: which metrics are drawn, and what they are compared with.
    """
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    numbers, scale = shown.numbers, 100 if shown.shares else 1
    for (name, members), colour in zip(groups.items(), _colours(), strict=False):
        # What none of the examples has is left out.
        values = np.array([[s.metrics.get(m, np.nan) for m in shown.metrics] for s in members])
        if len(members) == 1:
            errors = members[0].standard_errors
            margins = [1.96 * scale * errors.get(metric, 0.0) for metric in shown.metrics]
            axes.errorbar(
                numbers,
                scale * values[0],
                margins,
                fmt="o-",
                capsize=4,
                color=colour,
                label=name,
            )
        else:
            _band(axes, numbers, scale * values.T, f"{name} ({len(members)})", colour)
    level, unit = scale * shown.level, ", %" if shown.shares else ""
    name = f"{shown.level_name} ({level:.3g} %)" if shown.shares else shown.level_name
    axes.axhline(level, color=GREY, linestyle="--", linewidth=1, label=name)
    axes.set(xlabel=shown.over, ylabel=shown.shown + unit, xticks=numbers)
    if shown.shares:
        axes.set_ylim(0, 102)
    axes.set_xlim(min(numbers) - 0.5, max(numbers) + 0.5)
    axes.grid(alpha=0.3)
    explained = [
        "bars: 95 % intervals" if any(len(x) == 1 for x in groups.values()) else "",
        "lines: medians; bands: quartiles and extremes"
        if any(len(x) > 1 for x in groups.values())
        else "",
    ]
    figure.legend(
        loc="outside lower center",
        ncols=4,
        title="; ".join(filter(None, explained)),
        title_fontsize="small",
    )
    return figure


def _explain_bands(figure: Figure) -> None:
    figure.legend(
        loc="outside lower center",
        ncols=4,
        title="lines: medians; bands: quartiles and extremes",
        title_fontsize="small",
    )


def _band(axes: Axes, xs: Sequence[int], values: np.ndarray, name: str, colour: str) -> None:
    """Draw median, quartiles and extremes over members of ``values``, shape (xs, members)."""
    spread = np.quantile(values, (0, 0.25, 0.5, 0.75, 1), axis=1)
    axes.fill_between(xs, spread[0], spread[4], color=colour, alpha=0.12, linewidth=0)
    axes.fill_between(xs, spread[1], spread[3], color=colour, alpha=0.3, linewidth=0)
    axes.plot(xs, spread[2], "o-", markersize=3, color=colour, label=name)


def _held(metrics: Sequence[dict[str, Any]], xs: Sequence[int], name: str) -> list[Any]:
    """Return a metric at each number of sequences: its last value up to there."""
    sequences = [line["sequences"] for line in metrics]
    places = np.searchsorted(sequences, xs, side="right") - 1
    return [metrics[max(place, 0)][name] for place in places]


def _colours() -> Iterator[str]:
    """Return colours without end: those that everybody can tell apart come first."""
    apart = (BLUE, ORANGE, "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
    return itertools.cycle([*apart, *map(to_hex, matplotlib.colormaps["tab20b"](range(20)))])


def _plain_logarithmic(axes: Axes) -> None:
    """Set a logarithmic scale with enough ticks, written as plain numbers such as 0.05."""
    axes.set_yscale("log", nonpositive="clip")
    low, high = axes.get_ylim()
    subs = (1.0,) if high / low > 1000 else (1.0, 2.0, 5.0)
    axes.yaxis.set_major_locator(LogLocator(subs=subs))
    axes.yaxis.set_major_formatter(lambda y, _: f"{y:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(alpha=0.3)


def _name_thousands(axes: Axes) -> None:
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:,.0f}")
