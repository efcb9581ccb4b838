"""The commands that score, draw and publish what was trained."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from rich.console import Console
from rich.table import Table

from softmachine.cli.sources import Trained, open_runs, open_trained, override_task
from softmachine.cli.waiting import working
from softmachine.cli.workers import opened
from softmachine.core.errors import SoftmachineError
from softmachine.core.files import finite
from softmachine.core.frames import to_csv
from softmachine.core.rendering import all_names
from softmachine.experiments.population import found_by_search
from softmachine.machines.machine import Machine
from softmachine.recipes.registry import RECIPES
from softmachine.running.devices import use_all_cores
from softmachine.running.generalization import (
    SizeScore,
    evaluate,
    score_at,
    with_room_for,
    with_test_options,
)
from softmachine.running.room import check_running
from softmachine.running.statistics import Quantiles, quantiles
from softmachine.tasks.task import Task

MOST_COLUMNS = 8
"""With more metrics than this, a table has a column for each size in place of a row."""
CURVE_POINTS = (0.25, 0.5, 1, 1.5, 2, 3, 4, 5, 6)
"""Sizes of a generalisation curve, as multiples of the largest trained."""
CURVE_SEQUENCES = 200


class Changes(NamedTuple):
    """What can be changed about a machine and its task for a test."""

    memory_rows: int | None = None
    task: tuple[str, ...] = ()
    machine: Mapping[str, Any] = MappingProxyType({})
    """Those of the machine's own test options that differ from how it was trained."""

    def apply(self, trained: Trained) -> tuple[Machine, Task]:
        """Return the machine and the task to test."""
        machine = with_test_options(
            trained.machine, memory_rows=self.memory_rows, **self.machine
        )
        trained_on = trained.experiment.task
        task = override_task(trained_on, self.task).held_out(larger=True)
        has, needs = _widths(trained_on), _widths(task)
        if has != needs:
            raise SoftmachineError(
                f"--task {' '.join(self.task)}: the machine has {has[0]} input and {has[1]} "
                f"output channels, this task {needs[0]} and {needs[1]}"
            )
        return machine, task

    def to_json(self) -> dict[str, Any]:
        """Return the options that differ from those of the training."""
        rows = {} if self.memory_rows is None else {"memory_rows": self.memory_rows}
        task = {"task": self.task} if self.task else {}
        return {**rows, **self.machine, **task}

    def __str__(self) -> str:
        """Return them as words behind the name of a machine; empty if there are none."""
        words = []
        for name, value in self.to_json().items():
            plain = name.replace("_", " ")
            switch = {True: plain, False: f"no {plain}"}
            if name == "task":
                words += self.task
            else:
                words.append(switch[value] if isinstance(value, bool) else f"{plain} {value}")
        return "".join(f", {each}" for each in words)


def _widths(task: Task) -> list[int]:
    """Return the widths of inputs and outputs, of those that come in every step."""
    return [form.spec.width for form in (task.inputs, task.outputs) if form.per_step]


def evaluate_source(
    source: str,
    sizes: Sequence[int],
    sequences: int,
    seed: int,
    options: Changes,
    form: Literal["table", "json", "csv"],
) -> None:
    """Score a run, a population or a model of the zoo, and print the result."""
    use_all_cores()
    with working(f"Loading {source}"):
        members = open_trained(source)
    scores = []
    for member in members:
        with working(f"Testing {member.name}"):
            machine, task = options.apply(member)
            trained = member.experiment.training.curriculum.largest
            chosen = sizes or _default_sizes(task, trained, machine.memory_rows)
            scores.append(evaluate(machine, task, chosen, sequences=sequences, seed=seed))
        result = _result(member, machine, scores[-1], seed, options)
        if member.run is not None:
            with contextlib.suppress(SoftmachineError):  # a read-only run can be evaluated
                member.run.save_result("evaluation", result)
        if form == "json":
            print(json.dumps(result), flush=True)
    if form == "json":
        return
    if form == "csv":
        rows = [
            {"machine": member.name} | row
            for member, of_one in zip(members, scores, strict=True)
            for row in of_one.to_rows()
        ]
        print(to_csv(rows), end="")
        return
    task = options.apply(members[0])[1]
    if len(members) == 1:
        _print_scores(scores[0], task, f"{members[0].name}{options}")
    else:
        _print_quantiles(scores, task, f"{source}, {len(members)} members{options}")


def print_metrics(source: str) -> None:
    """Print the metrics of a run, or of each member of a population, as CSV."""
    runs = open_runs(source)
    rows = [
        {"seed": run.experiment.training.seed} | line for run in runs for line in run.metrics()
    ]
    if not rows and (found := found_by_search(source)):
        raise SoftmachineError(
            f"{source} has no validation: a search found the machine, {found.path}, and none "
            "was trained"
        )
    if not rows:
        raise SoftmachineError(f"{source} has no validation yet: train it longer")
    print(to_csv(rows), end="")


def plot_sources(
    sources: Sequence[str], size: int | None, seed: int, out: Path | None, options: Changes
) -> None:
    """Draw figures and print where they are."""
    from softmachine.evaluation import figures

    use_all_cores()
    with working(f"Testing and drawing {', '.join(sources)}"):
        groups = {source: open_trained(source) for source in sources}
        if len(groups) == 1 and len(groups[sources[0]]) == 1:
            drawn = _figures_of_one(groups[sources[0]][0], size, seed, options)
        else:
            drawn = _figures_of_many(_named(groups), seed, options)
    if out is None:
        out = _figures_directory(sources[0], groups[sources[0]])
    for name, figure in drawn.items():
        target = out / f"{name}.png"
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            figures.save_figure(figure, target)
        except OSError as error:
            raise SoftmachineError(f"cannot write to {target}: {error.strerror}") from error
        print(target)


def write_ledger(
    paths: Sequence[str],
    out: Path,
    sequences: int,
    *,
    keep_others: bool,
    workers: str | None = None,
) -> None:
    """Write the results ledger of some runs; keep other recipes' results if asked to."""
    from softmachine.evaluation import ledger

    use_all_cores()
    with opened(workers) as given:
        result = ledger.build(
            paths,
            recipes=RECIPES,
            sequences=sequences,
            report=lambda message: print(message, flush=True),
            workers=given,
        )
    if keep_others:
        result = ledger.with_others(result, out, RECIPES)
    print(f"{out} and {ledger.write(out, result)}")


def _default_sizes(task: Task, largest: int, rows: int | None) -> list[int]:
    """Return the largest size that was trained, and larger ones that are possible.

    Those that the task has, if it says which.
    """
    if task.test_sizes is not None:
        return task.test_sizes
    if not task.inputs.per_step:
        return [largest, *(size for size in (10, 20, 50) if size > largest)]
    larger = [2 * largest, 4 * largest, 6 * largest]
    return [largest, *(size for size in larger if _possible(size, task, rows))]


def _possible(size: int, task: Task, rows: int | None) -> bool:
    """Return whether a task has examples of a size that a memory of so many rows can hold."""
    exists = task.largest is None or size <= task.largest
    return exists and (rows is None or task.items(size) <= rows)


def _result(
    trained: Trained,
    machine: Machine,
    scores: Sequence[SizeScore],
    seed: int,
    options: Changes,
) -> dict[str, Any]:
    return {
        "machine": trained.name,
        "task": type(trained.experiment.task).__name__,
        "options": options.to_json(),
        "memory_rows": machine.memory_rows,
        "seed": seed,
        "sizes": _as_json([x.to_row(trained.experiment.task.output) for x in scores]),
        "standard_errors": _as_json([score.standard_errors for score in scores]),
    }


def _as_json(rows: Sequence[Mapping[str, int | float]]) -> list[dict[str, int | float | None]]:
    """Return rows with the same names in all: null where one has none, or it is not finite."""
    return [{name: finite(row.get(name)) for name in all_names(rows)} for row in rows]


def _figures_directory(source: str, members: Sequence[Trained]) -> Path:
    if members[0].run is None:
        return Path("figures") / source.replace(":", "-")
    return Path(source) / "figures"


def _figures_of_one(
    trained: Trained, size: int | None, seed: int, options: Changes
) -> dict[str, Any]:
    from softmachine.evaluation import example_figures, figures

    largest = trained.experiment.training.curriculum.largest
    size = largest if size is None else size
    machine, task = options.apply(trained)
    if size < task.smallest:
        raise SoftmachineError(f"size must be at least {task.smallest}, not {size}")
    check_running(machine, task, size)
    scores = curve(trained, options, seed)
    machine = with_room_for(machine, task, size)
    drawn = {}
    if shown := task.by_instance(largest):
        group = {trained.name: [score_at(scores, largest)]}
        drawn["instances"] = figures.instance_figure(group, shown)
    if len(scores) > 1:
        drawn["generalization"] = figures.generalization_curve(
            scores,
            largest,
            trained.name,
            task.error,
            task.worst_errors([score.size for score in scores]),
        )
    example = example_figures.draw_example_figure(machine, task, size, seed)
    if example is not None:
        drawn[f"example-{size}"] = example
    if trained.run is not None and (metrics := trained.run.metrics()):
        drawn["learning-curve"] = figures.learning_curve_of(
            trained.experiment, trained.name, metrics, trained.run.load_progress()
        )
    return drawn


def _named(groups: dict[str, list[Trained]]) -> dict[str, list[Trained]]:
    """Name groups by their recipes, where these tell them apart."""
    recipes = [members[0].experiment.recipe for members in groups.values()]
    if len(set(recipes)) < len(recipes):
        return groups
    return dict(zip(recipes, groups.values(), strict=True))


def _figures_of_many(
    groups: dict[str, list[Trained]], seed: int, options: Changes
) -> dict[str, Any]:
    from softmachine.evaluation import figures

    first = next(iter(groups.values()))[0].experiment
    error = first.task.error
    if any(m.experiment.task.error != error for group in groups.values() for m in group):
        raise SoftmachineError("only runs of tasks with the same error fit into one figure")
    largest = max(group[0].experiment.training.curriculum.largest for group in groups.values())
    curves = {
        name: [curve(member, options, seed) for member in group]
        for name, group in groups.items()
    }
    learning = {
        name: [member.run.metrics() for member in group if member.run is not None]
        for name, group in groups.items()
    }
    # Who has no validation yet, or lost its metrics, has no curve.
    learning = {name: [m for m in members if m] for name, members in learning.items()}
    learning = {name: members for name, members in learning.items() if members}
    sizes = sorted({x.size for group in curves.values() for curve in group for x in curve})
    bounds = first.task.held_out(larger=True).worst_errors(sizes)
    worst = None if bounds is None else dict(zip(sizes, bounds, strict=True))
    drawn = {}
    if len(sizes) > 1:
        drawn["generalization"] = figures.generalization_bands(curves, largest, error, worst)
    tasks = {options.apply(member)[1] for group in groups.values() for member in group}
    shown = {task.by_instance(largest) for task in tasks}
    if len(shown) == 1 and (only := shown.pop()):
        scores = {
            name: [score_at(scores, largest) for scores in group]
            for name, group in curves.items()
        }
        drawn["instances"] = figures.instance_figure(scores, only)
    if learning:
        drawn["learning-curves"] = figures.learning_bands(learning, figures.Scale.of(first))
        drawn["levels"] = figures.member_levels(learning)
    return drawn


def curve(trained: Trained, options: Changes, seed: int) -> list[SizeScore]:
    """Score a machine at growing sizes, as far as its memory goes.

    At the one size alone that it was trained on, if what counts is learned within an example.
    """
    machine, task = options.apply(trained)
    trained_on = trained.experiment.training.curriculum
    largest = trained_on.largest
    sizes = sorted({max(task.smallest, round(largest * point)) for point in CURVE_POINTS})
    rows = machine.memory_rows
    sizes = [size for size in sizes if _possible(size, task, rows)]
    if trained_on.smallest == largest and task.by_instance(largest):
        sizes = [largest]
    scores = evaluate(machine, task, sizes, sequences=CURVE_SEQUENCES, seed=seed)
    if trained.run is not None:
        with contextlib.suppress(SoftmachineError):
            rows_of = _as_json([score.to_row(task.output) for score in scores])
            trained.run.save_result("generalization", rows_of)
    return scores


def _print_scores(scores: Sequence[SizeScore], task: Task, title: str) -> None:
    rows = [score.to_row(task.output) for score in scores]
    table = Table(title=title)
    names = all_names(rows)
    lines = [[name.replace("_", " ") for name in names]]
    # At some sizes there is nothing that a metric counts.
    lines += [
        [_format(name, row[name], task) if name in row else "-" for name in names]
        for row in rows
    ]
    if len(names) > MOST_COLUMNS:
        table.caption = "±: 95 % intervals"
        for line, score in zip(lines[1:], scores, strict=True):
            for i, name in enumerate(names):
                if name in score.standard_errors:
                    margin = 1.96 * score.standard_errors[name]
                    line[i] += f" ± {_format(name, margin, task)}"
        lines = [list(line) for line in zip(*lines, strict=True)]
    for head in lines[0]:
        table.add_column(head, justify="right")
    for line in lines[1:]:
        table.add_row(*line)
    Console().print(table)


def _print_quantiles(scores: Sequence[Sequence[SizeScore]], task: Task, title: str) -> None:
    error, counted = task.error, task.output.counted
    each = counted.removesuffix("s")
    table = Table(title=title, caption=f"{error.replace('_', ' ')} per {each}, over members")
    for name in ("size", counted, *Quantiles._fields):
        table.add_column(name.replace("_", " "), justify="right")
    for members in zip(*scores, strict=True):
        values = quantiles([score.metrics[error] for score in members])
        table.add_row(
            str(members[0].size),
            f"{members[0].sequences:,}",
            *[_format(error, value, task) for value in values],
        )
    Console().print(table)


def _format(name: str, value: int | float, task: Task) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.1%}" if name in task.shares else f"{value:.3f}"
