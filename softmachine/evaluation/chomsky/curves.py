"""How far a solved cell goes: scores at lengths up to 10,000, as they are and made hard."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from softmachine.core.errors import SoftmachineError
from softmachine.evaluation.chomsky.scores import score_lengths
from softmachine.experiments.checkpoints import read_record
from softmachine.experiments.runs import Run
from softmachine.machines.machine import Machine
from softmachine.running.generalization import with_test_options
from softmachine.tasks.languages.strings import StringTask

LENGTHS = (40, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)
"""The lengths of a curve, as far as it is asked for."""
STRINGS = 4
"""How many strings of each length are scored."""
RESULT = "far"
"""Name of the result in which a run keeps its curve."""
Curve = dict[str, Any]


def curve_of(run: Run, longest: int, report: Callable[[str], None]) -> Curve | None:
    """Return a run's scores at `LENGTHS` up to a longest one; from its results, if there.

    ``lengths``, ``accuracy`` and ``perfect``, as `score_lengths` has them, of each; where the
    machine has a hard form also ``hard_accuracy`` and ``hard_perfect``. It ends before a length
    for which the machine's memory is too large to be run. None for no length at all; with
    ``longest`` 0 it is what is known.
    """
    checkpoint = run.path / "checkpoints" / "best.safetensors"
    record = read_record(checkpoint, run.tie).value
    known = run.load_result(RESULT)
    known = known if isinstance(known, dict) and known["checkpoint"] == record else None
    if known is not None and known["longest"] >= longest:
        return known["curve"]
    if not longest:
        return None
    report(f"testing {run.path} up to {longest:,} letters")
    machine, task = run.load_machine(), run.experiment.task.held_out(larger=True)
    assert isinstance(task, StringTask)
    forms = {"": machine}
    if hasattr(run.experiment.machine.test_options, "hard"):
        forms["hard_"] = with_test_options(machine, hard=True)
    curve = measure(forms, task, longest)
    with contextlib.suppress(SoftmachineError):  # of a read-only run it is computed anew
        run.save_result(RESULT, {"checkpoint": record, "longest": longest, "curve": curve})
    return curve


def measure(forms: Mapping[str, Machine], task: StringTask, longest: int) -> Curve | None:
    """Return the scores of a machine's forms, given by the beginning of their names."""
    curve: Curve = {"lengths": []}
    for length in [length for length in LENGTHS if length <= longest]:
        scores = {}
        try:
            for form, machine in forms.items():
                found = score_lengths(machine, task, lengths=[length], strings=STRINGS)
                scores |= {f"{form}{name}": value for name, value in found._asdict().items()}
        except SoftmachineError:  # it does not fit
            break
        curve["lengths"].append(length)
        for name, value in scores.items():
            curve.setdefault(name, []).append(value)
    return curve if curve["lengths"] else None


def figure(curves: Mapping[str, Mapping[str, Curve]]) -> Figure:
    """Draw curves, given by task and machine: a panel for each task, dashed where hard."""
    columns = min(3, len(curves))
    rows = -(-len(curves) // columns)
    drawn, axes = plt.subplots(
        rows, columns, figsize=(3.4 * columns, 2.4 * rows + 0.8), layout="constrained",
        sharex=True, sharey=True, squeeze=False,
    )  # fmt: skip
    machines = list(dict.fromkeys(machine for some in curves.values() for machine in some))
    for axis, (task, some) in zip(axes.flat, curves.items(), strict=False):
        for machine, curve in some.items():
            colour = f"C{machines.index(machine)}"
            for form, style in (("", "-"), ("hard_", "--")):
                if f"{form}accuracy" in curve:
                    percent = [100 * value for value in curve[f"{form}accuracy"]]
                    axis.plot(curve["lengths"], percent, f"o{style}", color=colour, ms=3)
        axis.set(title=task, xscale="log", ylim=(0, 104))
        axis.grid(alpha=0.3)
    for axis in axes.flat[len(curves) :]:
        axis.set_visible(False)
    for axis in axes[-1]:
        axis.set_xlabel("letters")
    for axis in axes[:, 0]:
        axis.set_ylabel("right, %")
    keys = [Line2D([], [], color=f"C{i}", label=name) for i, name in enumerate(machines)]
    keys.append(Line2D([], [], color="#666666", ls="--", label="made hard"))
    drawn.legend(handles=keys, loc="outside lower center", ncols=min(5, len(keys)))
    return drawn


def curves_of(cells: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Curve]]:
    """Return the curves of a table's cells, by task and machine: of each the best run's."""
    found: dict[str, dict[str, Curve]] = {}
    for cell in cells:
        if drawn := [row for row in cell["runs"] if row.get("curve")]:
            best = max(drawn, key=lambda row: row["scores"]["accuracy"])
            found.setdefault(cell["task"], {})[cell["machine"]] = best["curve"]
    return found
