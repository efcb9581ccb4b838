"""The commands that train."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import equinox as eqx
import tyro
from rich.console import Console
from rich.table import Table
from tyro.constructors import (
    ConstructorRegistry,
    StructConstructorSpec,
    StructFieldSpec,
    StructTypeInfo,
)

from softmachine.cli.parsing import one_line_errors
from softmachine.cli.progress import ProgressDisplay
from softmachine.cli.sources import open_runs, user_errors
from softmachine.cli.workers import opened
from softmachine.core.choices import Count, Natural, check_value
from softmachine.core.errors import NonFiniteError, SoftmachineError
from softmachine.core.files import parse_json
from softmachine.evaluation.aftermath import describe_aftermath
from softmachine.experiments.experiment import (
    Experiment,
    TrainingConfig,
)
from softmachine.experiments.phases import PHASES, Phase
from softmachine.experiments.population import create_population
from softmachine.experiments.progress import Progress
from softmachine.experiments.room import check_training
from softmachine.experiments.runs import Run
from softmachine.experiments.serialization import experiment_from_json
from softmachine.machines.machine import MachineConfig
from softmachine.recipes.registry import describe_recipe, get_recipe
from softmachine.running.devices import use_all_cores
from softmachine.running.statistics import wilson_interval
from softmachine.tasks.task import Task
from softmachine.tasks.traced.task import TracedTask
from softmachine.training.interruptions import exit_status
from softmachine.training.trackers import Tracker, find_tracker
from softmachine.training.trainer import train_members
from softmachine.training.workers.schedule import train_on_workers
from softmachine.training.workers.workers import Workers

TrackerName = Literal["tensorboard", "trackio", "wandb", "mlflow"]
"""A key of `softmachine.training.trackers.TRACKERS`."""

ALONE = "--workers share the members of a population: train RECIPE --members N makes one"


def train_recipe(name: str, arguments: list[str]) -> None:
    """Train a recipe with overrides from the command line."""
    train_experiment(get_recipe(name), arguments)


def train_config(path: Path, arguments: list[str]) -> None:
    """Train what a run's ``config.json`` holds, with overrides from the command line.

    It may have been edited: what vouches for the file of a run does not matter here.
    """
    if arguments and not arguments[0].startswith("-"):
        raise SoftmachineError(f"a recipe, {arguments[0]}, and --config exclude each other")
    try:
        value = parse_json(path.read_bytes())
    except OSError as error:
        raise SoftmachineError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise SoftmachineError(f"{path} cannot be read: {error}") from error
    train_experiment(experiment_from_json(value, str(path)), arguments)


def train_experiment(given: Experiment, arguments: list[str]) -> None:
    """Train an experiment with overrides from the command line."""
    name = given.recipe
    options = _parse_train(given, arguments)
    with user_errors():
        experiment = Experiment(
            recipe=name, task=options.task, machine=options.machine, training=options.training
        )
    if options.workers is not None and (options.members or 1) == 1:
        raise SoftmachineError(ALONE)
    trackers = [find_tracker(tracker) for tracker in options.track]
    use_all_cores()
    check_training(experiment, options.members or 1)
    with user_errors():
        eqx.filter_eval_shape(
            lambda: experiment.machines_for_updates(experiment.build_machine())
        )
    if options.members is None:
        path = options.run or Path("runs") / f"{name}-{experiment.training.seed}"
        _train(path, [Run.create(path, experiment)], trackers)
    else:
        path = options.run or Path("runs") / f"{name}-x{options.members}"
        with opened(options.workers) as workers:
            with user_errors():
                runs = create_population(path, experiment, options.members)
            _train(path, runs, trackers, workers, options.workers)


def resume(path: Path, workers: str | None = None) -> None:
    """Continue a run or a population."""
    runs = open_runs(str(path))
    if workers is not None and len(runs) == 1:
        raise SoftmachineError(ALONE)
    use_all_cores()
    with opened(workers) as given:
        _train(path, runs, workers=given, named=workers)


def _parse_train(experiment: Experiment, arguments: list[str]) -> Any:
    """Parse overrides of a recipe's fields; its own values are the defaults."""

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Options:
        task: Task
        machine: MachineConfig
        training: TrainingConfig
        run: Path | None = None
        """Directory to write, runs/RECIPE-SEED by default, runs/RECIPE-xN for N members."""
        seed: Annotated[Natural | None, tyro.conf.arg(help="Short for --training.seed.")] = None
        members: Count | None = None
        """Train a population of N members, with seeds counted from the seed."""
        workers: str | None = None
        """Train on so many processes of this machine, or on those of a Dask cluster, such as
        tcp://host:8786."""
        track: tuple[TrackerName, ...] = ()
        """Trackers that are told of the metrics as well; each needs its package."""

    defaults = Options(
        task=experiment.task, machine=experiment.machine, training=experiment.training
    )
    with user_errors():
        options = one_line_errors(
            tyro.cli,
            Options,
            args=arguments,
            default=defaults,
            prog=f"softmachine train {experiment.recipe}",
            description=describe_recipe(experiment.recipe),
            config=(tyro.conf.AvoidSubcommands,),
            registry=_by_phase(),
        )
        check_value(Natural | None, options.seed, "--seed")
        check_value(Count | None, options.members, "--members")
        if options.seed is None:
            return options
        training = dataclasses.replace(options.training, seed=options.seed)
        return dataclasses.replace(options, training=training)


def _by_phase() -> ConstructorRegistry:
    """Let options name the phases of a recipe, and not their places in a tuple."""
    registry = ConstructorRegistry()

    @registry.struct_rule
    def _phases(info: StructTypeInfo) -> StructConstructorSpec | None:
        if get_args(info.type) != (Phase, ...):  # a typing.Tuple, if tyro likes
            return None
        return StructConstructorSpec(
            instantiate=lambda **phases: tuple(phases.values()),
            fields=tuple(
                StructFieldSpec(
                    name=PHASES.name_of(type(phase)).replace("-", "_"),
                    type=type(phase),
                    default=phase,
                )
                for phase in info.default
            ),
        )

    return registry


def _train(
    path: Path,
    runs: Sequence[Run],
    trackers: Sequence[Tracker] = (),
    workers: Workers | None = None,
    named: str | None = None,
) -> None:
    """Train, show it, and say what came of it; ``workers`` are called ``named``."""
    again = f"softmachine resume {path}" + (f" --workers {named}" if named else "")
    with ProgressDisplay(runs, again) as display:
        if workers is None:
            progress = train_members(runs, display.report, trackers=trackers)
        else:
            watch = display.watch
            try:
                progress = train_on_workers(
                    runs, workers, display.report, trackers=trackers, watch=watch
                )
            except SoftmachineError:
                print(f"Continue with: {again}")
                raise
    alone = len(runs) == 1
    if alone and progress[0].failed:
        raise NonFiniteError(progress[0].failed)
    if not all(member.finished for member in progress):
        print(f"Interrupted. Continue with: {again}")
        sys.exit(exit_status())
    print(_outcome(runs[0], progress[0]) if alone else _population_outcome(runs, progress))
    print(f"Run: {path}" if alone else f"Population: {path}")
    proofs = isinstance(runs[0].experiment.task, TracedTask)
    print(f"Next: softmachine {'verify' if proofs else 'evaluate'} {path}")
    print(f"      softmachine plot {path}")


def _outcome(run: Run, progress: Progress) -> str:
    if run.experiment.training.solved is None:
        outcome = f"Trained for {progress.sequences:,} sequences"
    elif progress.solved_sequences is None:
        outcome = f"Not solved in {progress.sequences:,} sequences"
    else:
        outcome = (
            f"Solved after {progress.solved_sequences:,} sequences and "
            f"{progress.solved_seconds:.0f} s"
        )
    label = run.experiment.task.error.replace("_", " ")
    best = f"{progress.best_error:.3g} {label}, {progress.best_bits:.3g} bits"
    lines = [
        f"{outcome}.",
        f"Best validation, after {progress.best_sequences:,} sequences: {best}.",
    ]
    if progress.skipped:
        lines.append(f"Updates skipped: {progress.skipped:,}.")
    if afterwards := describe_aftermath(run.experiment, progress, run.metrics()):
        lines.append(f"Afterwards: {afterwards}.".replace("; ", ";\n"))
    return "\n".join(lines)


def _population_outcome(runs: Sequence[Run], members: Sequence[Progress]) -> str:
    experiment = runs[0].experiment
    label = experiment.task.error.replace("_", " ")
    table = Table(title=f"{experiment.recipe}, {len(runs)} members")
    several = experiment.training.several_attempts
    columns = ["seed", "solved after", "seconds", "trained", f"best {label}", "best bits"]
    for name in [*columns, *(["attempts"] if several else [])]:
        table.add_column(name, justify="right")
    for run, progress in zip(runs, members, strict=True):
        solved = progress.solved_sequences
        table.add_row(
            str(run.experiment.training.seed),
            "failed" if progress.failed else "-" if solved is None else f"{solved:,}",
            "" if solved is None else f"{progress.solved_seconds:.0f}",
            f"{progress.sequences:,}",
            f"{progress.best_error:.3g}",
            f"{progress.best_bits:.3g}",
            *([str(progress.attempts)] if several else []),
        )
    Console().print(table)
    for run, progress in zip(runs, members, strict=True):
        if progress.failed:
            print(f"seed {run.experiment.training.seed} failed at {progress.failed}")
        if afterwards := describe_aftermath(run.experiment, progress, run.metrics()):
            print(f"seed {run.experiment.training.seed}: {afterwards}".replace("; ", ";\n  "))
    if experiment.training.solved is None:
        return f"Trained {len(runs)} members."
    solved = sum(progress.solved_sequences is not None for progress in members)
    attempts = sum(progress.attempts for progress in members)
    begun = f", in {attempts} attempts" if attempts > len(runs) else ""
    enough = experiment.training.enough
    if enough is not None and enough <= solved < len(runs):
        return (
            f"Solved: {solved} of {len(runs)} members{begun}. That is enough: the others ended."
        )
    low, high = wilson_interval(solved, len(runs))
    return (
        f"Solved: {solved} of {len(runs)} members{begun} (95 % interval of the rate: "
        f"{low:.0%} to {high:.0%})."
    )
