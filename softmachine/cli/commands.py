"""What the commands do, with JAX loaded."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.metadata
import json
import platform
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import jax
import tyro
from rich.console import Console
from rich.table import Table

import softmachine
from softmachine.cli.main import one_line_errors
from softmachine.cli.progress import ProgressDisplay
from softmachine.errors import SoftmachineError
from softmachine.evaluation.generalization import SizeScore, evaluate, grow_memory
from softmachine.recipes import RECIPES, get_recipe
from softmachine.training.devices import use_all_cores
from softmachine.training.experiment import (
    Experiment,
    MachineConfig,
    TaskConfig,
    TrainingConfig,
)
from softmachine.training.runs import Run
from softmachine.training.trainer import Progress, train

CURVE_SIZES = (5, 10, 20, 30, 40, 60, 80, 100, 120)
CURVE_SEQUENCES = 200


def list_recipes() -> None:
    """Print every recipe with its summary."""
    table = Table("recipe", "what it trains", box=None, pad_edge=False)
    for name, recipe in RECIPES.items():
        table.add_row(name, (recipe.__doc__ or "").splitlines()[0])
    Console().print(table)


def train_recipe(name: str, arguments: list[str]) -> None:
    """Train a recipe with overrides from the command line."""
    options = _parse_train(get_recipe(name), arguments)
    experiment = Experiment(
        recipe=name, task=options.task, machine=options.machine, training=options.training
    )
    use_all_cores()
    seed = experiment.training.seed
    path = options.run or Path("runs") / f"{name}-{seed}"
    with _user_errors():
        experiment.machines_for_updates(experiment.build_machine())
    _train(Run.create(path, experiment))


def resume_run(path: Path) -> None:
    """Continue a run."""
    run = Run(path)
    use_all_cores()
    _train(run)


def evaluate_run(
    path: Path,
    sizes: Sequence[int],
    sequences: int,
    seed: int,
    memory_rows: int | None,
    *,
    as_json: bool,
) -> None:
    """Score a run's machine and print the result."""
    run = Run(path)
    use_all_cores()
    if not sizes:
        raise SoftmachineError("no sizes given: try --sizes 20 60 120")
    machine = run.load_machine()
    task = run.experiment.task
    scores = evaluate(
        machine, task, sizes, sequences=sequences, seed=seed, memory_rows=memory_rows
    )
    result = {
        "machine": run.experiment.recipe,
        "task": type(task).__name__.lower(),
        "memory_rows": memory_rows or machine.memory_rows,
        "seed": seed,
        "sizes": [dataclasses.asdict(score) for score in scores],
    }
    with contextlib.suppress(SoftmachineError):  # a read-only run can still be evaluated
        run.save_result("evaluation", result)
    if as_json:
        print(json.dumps(result))
    else:
        _print_scores(scores, f"{run.experiment.recipe}, seed {run.experiment.training.seed}")


def plot_run(path: Path, size: int | None, seed: int) -> None:
    """Draw a run's figures and print where they are."""
    from softmachine.evaluation import figures

    run = Run(path)
    use_all_cores()
    experiment, machine = run.experiment, run.load_machine()
    trained = experiment.training.curriculum.largest
    title = f"{experiment.recipe}, seed {experiment.training.seed}"
    size = trained if size is None else size
    if size < 1:
        raise SoftmachineError(f"size must be at least 1, not {size}")
    rows = machine.memory_rows
    if rows is not None and experiment.task.items(size) > rows:
        machine = grow_memory(machine, experiment.task.items(size))
    sizes = [s for s in CURVE_SIZES if rows is None or experiment.task.items(s) <= rows]
    scores = evaluate(machine, experiment.task, sizes, sequences=CURVE_SEQUENCES, seed=seed)
    run.save_result("generalization", [dataclasses.asdict(score) for score in scores])
    drawn = {
        "learning-curve": figures.learning_curve(run.metrics(), title),
        "generalization": figures.generalization_curve(scores, trained, title),
        f"example-{size}": figures.example_figure(machine, experiment.task, size, seed),
    }
    for name, figure in drawn.items():
        target = run.figures / f"{name}.png"
        try:
            target.parent.mkdir(exist_ok=True)
            figures.save_figure(figure, target)
        except OSError as error:
            raise SoftmachineError(f"cannot write to {target}: {error.strerror}") from error
        print(target)


def print_info() -> None:
    """Print versions and devices."""
    use_all_cores()
    print(f"softmachine {softmachine.__version__}")
    print(f"Python      {platform.python_version()} on {platform.platform()}")
    for package in ("jax", "jaxlib", "equinox", "optax"):
        print(f"{package:11} {importlib.metadata.version(package)}")
    for device in jax.devices():
        print(f"device      {device.platform} {device.id}: {device.device_kind}")


def _parse_train(experiment: Experiment, arguments: list[str]) -> Any:
    """Parse overrides of a recipe's fields; its own values are the defaults."""

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Options:
        task: TaskConfig
        machine: MachineConfig
        training: TrainingConfig
        run: Path | None = None
        """Directory to write, runs/RECIPE-SEED by default."""
        seed: Annotated[int | None, tyro.conf.arg(help="Short for --training.seed.")] = None

    defaults = Options(
        task=experiment.task, machine=experiment.machine, training=experiment.training
    )
    with _user_errors():
        options = one_line_errors(
            tyro.cli,
            Options,
            args=arguments,
            default=defaults,
            prog=f"softmachine train {experiment.recipe}",
            description=(RECIPES[experiment.recipe].__doc__ or "").splitlines()[0],
            config=(tyro.conf.AvoidSubcommands,),
        )
    if options.seed is None:
        return options
    training = dataclasses.replace(options.training, seed=options.seed)
    return dataclasses.replace(options, training=training)


@contextlib.contextmanager
def _user_errors() -> Iterator[None]:
    """Show a ValueError of a configuration as the user's error that it is."""
    try:
        yield
    except ValueError as error:
        raise SoftmachineError(str(error)) from error


def _train(run: Run) -> None:
    with ProgressDisplay(run.experiment) as display:
        progress = train(run, display.report)
    if not progress.finished:
        print(f"Interrupted. Continue with: softmachine resume {run.path}")
        sys.exit(130)
    print(_summary(run, progress))
    print(f"Next: softmachine evaluate {run.path} --sizes 20 60 120")
    print(f"      softmachine plot {run.path}")


def _summary(run: Run, progress: Progress) -> str:
    if run.experiment.training.solved is None:
        outcome = f"Trained for {progress.sequences:,} sequences"
    elif progress.solved_sequences is None:
        outcome = f"Not solved in {progress.sequences:,} sequences"
    else:
        outcome = (
            f"Solved after {progress.solved_sequences:,} sequences and "
            f"{progress.solved_seconds:.0f} s"
        )
    best = f"best validation: {progress.best_error:.3g} wrong, {progress.best_bits:.3g} bits"
    skipped = f", {progress.skipped} updates skipped" if progress.skipped else ""
    return f"{outcome}; {best}{skipped}. Run: {run.path}"


def _print_scores(scores: Sequence[SizeScore], title: str) -> None:
    table = Table(title=title)
    for name in ("size", "sequences", "wrong bits", "perfect", "bits"):
        table.add_column(name, justify="right")
    for score in scores:
        table.add_row(
            str(score.size),
            f"{score.sequences:,}",
            f"{score.wrong_bits:.3f}",
            f"{score.perfect:.1%}",
            f"{score.bits:.3f}",
        )
    Console().print(table)
