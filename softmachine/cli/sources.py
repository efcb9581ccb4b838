"""Opening what a RUN names on the command line: a run, a population, a model of the zoo."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from softmachine.core.errors import SoftmachineError
from softmachine.core.files import parse_json
from softmachine.experiments.commands import SYNTHESIS
from softmachine.experiments.experiment import Experiment
from softmachine.experiments.population import (
    found_by_search,
    in_place_of,
    is_population,
    open_population,
)
from softmachine.experiments.runs import Run
from softmachine.experiments.serialization import KIND, task_from_json, task_to_json
from softmachine.machines.machine import Machine
from softmachine.tasks.task import Task
from softmachine.zoo.models import ZooModel, open_model
from softmachine.zoo.models import experiment_of as zoo_experiment
from softmachine.zoo.sharing import from_pretrained

ZOO, HUB = "zoo:", "hf:"
"""How the names of models begin: those of the zoo, and those on Hugging Face."""


class Trained(NamedTuple):
    """A machine with what it was trained for."""

    name: str
    experiment: Experiment
    machine: Machine
    run: Run | None
    """None for a model of the zoo."""


def is_model(source: str) -> bool:
    """Return whether a name is that of a model, and not of a run's directory."""
    return source.startswith((ZOO, HUB))


def model_of(source: str) -> ZooModel:
    """Return the model of that name."""
    if source.startswith(ZOO):
        return open_model(source.removeprefix(ZOO))
    repository, _, name = source.removeprefix(HUB).partition(":")
    return from_pretrained(repository, name or None)


def open_runs(source: str) -> list[Run]:
    """Return the run at a path, or the runs of the population there."""
    return open_population(source) if is_population(source) else [Run(source)]


def runs_of_machines(source: str) -> list[Run]:
    """Return the runs whose machines are meant by a path: a run's, or all members'.

    Where a search has found the machine of a synthesis, that one alone.
    """
    found = found_by_search(source)
    return open_runs(source) if found is None else [found]


def open_trained(source: str) -> list[Trained]:
    """Return one machine, or one per member of a population."""
    if is_model(source):
        model = model_of(source)
        return [Trained(source, model.experiment, model.machine, None)]
    return [_trained(run) for run in runs_of_machines(source)]


def experiment_of(source: str) -> Experiment:
    """Return what a machine, or the first member of a population, was trained with."""
    if source.startswith(ZOO):
        return zoo_experiment(source.removeprefix(ZOO))
    if is_model(source):
        return model_of(source).experiment
    return runs_of_machines(source)[0].experiment


def open_one(source: str) -> Trained:
    """Return one machine; SoftmachineError for a population.

    But for one of a synthesis that has found just one: then that is meant.
    """
    if not is_model(source) and is_population(source) and not found_by_search(source):
        return _trained(_only_found(source, open_population(source)))
    return open_trained(source)[0]


def _trained(run: Run) -> Trained:
    """Return the machine of a run; SoftmachineError, with where it is, if it has none."""
    if found := in_place_of(run):
        raise SoftmachineError(
            f"{run.path} was never trained: a search found the machine before, {found.path}"
        )
    name = f"{run.experiment.recipe}, seed {run.experiment.training.seed}"
    return Trained(name, run.experiment, run.load_machine(), run)


def _only_found(source: str, runs: Sequence[Run]) -> Run:
    """Return the one member that a synthesis has found; SoftmachineError if there are others.

    It names members that have a machine, and proposes one that has solved its task, if one has.
    """
    there = [run for run in runs if run.has_machine()]
    solved = [run for run in there if _is_solved(run)]
    if len(solved) == 1 and runs[0].experiment.recipe == SYNTHESIS:
        return solved[0]
    if not there:
        raise SoftmachineError(
            f"{source} is a population, none of whose members has a checkpoint yet: train it "
            "longer"
        )
    names = ", ".join(run.path.name for run in there)
    raise SoftmachineError(
        f"{source} is a population: choose one of its members ({names}), for instance "
        f"{[*solved, *there][0].path}"
    )


def _is_solved(run: Run) -> bool:
    """Return whether a run has solved its task, as far as can be read."""
    with contextlib.suppress(SoftmachineError):
        progress = run.load_progress()
        return progress is not None and progress.solved_sequences is not None
    return False


def override_task(task: Task, assignments: Sequence[str]) -> Task:
    """Return the task with fields replaced, each given as ``field=JSON value``."""
    value = task_to_json(task)
    fields = value.keys() - {KIND}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or name not in fields:
            raise SoftmachineError(
                f"--task {assignment}: expected FIELD=VALUE with a field of "
                f"{type(task).__name__}: {', '.join(sorted(fields))}"
            )
        value[name] = _parse(assignment, text)
    return task_from_json(value, f"--task {' '.join(assignments)}")


def _parse(assignment: str, text: str) -> Any:
    try:
        return parse_json(text)
    except ValueError:
        raise SoftmachineError(
            f"--task {assignment}: {text!r} is no JSON value such as 3 or [1,3]"
        ) from None


@contextlib.contextmanager
def user_errors(where: str = "") -> Iterator[None]:
    """Show a ValueError of a configuration as the user's error that it is."""
    try:
        yield
    except ValueError as error:
        raise SoftmachineError(f"{where}{error}") from error
