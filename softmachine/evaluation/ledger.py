"""The results ledger: success rates, costs and test scores of every recipe's runs.

Everything is read from run directories. `build` gathers the numbers, and
`softmachine.evaluation.ledger_page` renders them.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import itertools
import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import softmachine
from softmachine.core.errors import SoftmachineError
from softmachine.core.files import finite, replacing, write_json
from softmachine.evaluation.aftermath import aftermath
from softmachine.evaluation.examined import examinable, examine
from softmachine.evaluation.finding import find_runs
from softmachine.evaluation.group_summary import best_seed, summary_of, test_summary
from softmachine.evaluation.ledger_page import to_markdown
from softmachine.evaluation.nram import repair_rates
from softmachine.evaluation.paper import machine_kind
from softmachine.evaluation.published_scores import Announce, score_tests
from softmachine.experiments.commands import Recipes, differences, training_commands
from softmachine.experiments.experiment import Experiment
from softmachine.experiments.population import found_by_search
from softmachine.experiments.progress import Progress
from softmachine.experiments.runs import Run
from softmachine.experiments.serialization import experiment_from_json, experiment_to_json
from softmachine.training.exam import Exam
from softmachine.training.workers.each import for_each
from softmachine.training.workers.workers import Workers

SCHEMA = 2
"""Version of the ledger's JSON."""


def build(
    paths: Sequence[str | Path],
    *,
    recipes: Recipes,
    sequences: int = 1000,
    report: Announce | None = None,
    workers: Workers | None = None,
) -> dict[str, Any]:
    """Gather the results of runs, grouped by experiment, running the tests that are missing.

    Runs belong to one group if they differ only in their seed. A run's test scores are cached
    in its ``results`` folder until its best checkpoint, the tests or ``sequences`` change.
    Unfinished runs are listed but not tested, like NRAMs that did not solve their task.

    Arguments:
        paths: run directories, population directories, or folders that contain them.
        recipes: the current recipes by name, with which runs are compared.
        sequences: how many sequences per test.
        report: called with a line of text that names the run to be tested next.
        workers: who tests them, a run each at a time; None: this process. They have to find the
            runs at the same paths.

    Returns:
        The ledger, JSON-compatible.

    Raises:
        SoftmachineError: there is no run, one cannot be read, or two runs of a group have the
            same seed, or nobody reaches the workers any more.
    """
    groups: dict[Experiment, list[Run]] = {}
    found = find_runs(paths)
    for run in found:
        groups.setdefault(run.experiment.with_seed(0), []).append(run)
    for runs in groups.values():
        runs.sort(key=_seed_of)
        _check_seeds(runs)

    known: dict[Path, dict[str, Any]] = {}
    if workers is not None:
        places = [str(run.path.resolve()) for run in found]
        tell = report or (lambda _line: None)
        row_of = functools.partial(row_at, sequences=sequences)
        rows = for_each(row_of, places, workers, lambda path: tell(f"testing {path}"))
        for run, row in zip(found, rows, strict=True):
            known[run.path] = row | {"path": str(run.path)}

    def gathered(experiment: Experiment) -> dict[str, Any]:
        runs = groups[experiment]
        rows = [known.get(run.path) or _row(run, sequences, report) for run in runs]
        return _group(experiment, rows, _environments(runs), _repair(runs), recipes)

    order = sorted(groups, key=lambda experiment: _place(experiment, recipes))
    command = ["softmachine", "ledger", *map(str, paths)]
    if sequences != 1000:
        command += ["--sequences", str(sequences)]
    return {
        "schema": SCHEMA,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "softmachine": softmachine.__version__,
        "command": shlex.join(command),
        "sequences": sequences,
        "groups": [gathered(experiment) for experiment in order],
    }


def with_others(ledger: dict[str, Any], out: str | Path, recipes: Recipes) -> dict[str, Any]:
    """Return a ledger completed by what an earlier one has besides.

    That is, by the groups of other recipes, by what was measured of the same recipes as they
    are now, and by other seeds of the same experiments: so a ledger grows over many days and
    machines. All are compared with the current recipes anew.

    Arguments:
        ledger: the new one.
        out: the page of the earlier one, whose JSON is beside it.
        recipes: the current recipes by name.

    Raises:
        SoftmachineError: the JSON cannot be read.
    """
    path = Path(out).with_suffix(".json")
    groups = {_experiment(group): group for group in ledger["groups"]}
    mine = {group["recipe"] for group in ledger["groups"]}
    for before in _earlier_groups(path):
        experiment = experiment_from_json(before["experiment"], str(path))
        if experiment in groups:
            groups[experiment] = _completed(groups[experiment], before, recipes)
        elif before["recipe"] not in mine or differences(experiment, recipes) == []:
            seeds = [row["seed"] for row in before["runs"]]
            today = {"criterion": _criterion(experiment, before["runs"])}
            groups[experiment] = before | _today(experiment, seeds, recipes) | today
    order = sorted(groups, key=lambda experiment: _place(experiment, recipes))
    return ledger | {
        "groups": [groups[experiment] for experiment in order],
        "command": f"{ledger['command']} --keep-others",
    }


def _experiment(group: dict[str, Any]) -> Experiment:
    return experiment_from_json(group["experiment"], "the ledger")


def _earlier_groups(path: Path) -> list[dict[str, Any]]:
    """Return the groups of a ledger's JSON."""
    try:
        before = json.loads(path.read_text())
        if before["schema"] != SCHEMA:
            raise SoftmachineError(f"{path} has schema {before['schema']}, not {SCHEMA}")
        groups = before["groups"]
        for group in groups:
            if not {"recipe", "experiment", "environments", "runs", "tests"} <= group.keys():
                raise ValueError("a group is not complete")
    except OSError as error:
        raise SoftmachineError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SoftmachineError(f"{path} is not the JSON of a ledger: {error}") from error
    return groups


def _completed(
    group: dict[str, Any], before: dict[str, Any], recipes: Recipes
) -> dict[str, Any]:
    """Return a group with the seeds besides that an earlier one of the experiment has.

    If other tests were made of these, they are left out.
    """
    mine = {row["seed"] for row in group["runs"]}
    others = [row for row in before["runs"] if row["seed"] not in mine]
    names = [[test["name"] for test in each["tests"]] for each in (group, before)]
    if not others or names[0] != names[1]:
        return group
    environments = [
        {**kept, "seeds": [seed for seed in kept["seeds"] if seed not in mine]}
        for kept in before["environments"]
    ]
    rates, more = group["repair"], before.get("repair")
    apart = len(others) == len(before["runs"])
    summed = rates and more and apart and {name: rates[name] + more[name] for name in rates}
    return _group(
        _experiment(group),
        sorted([*others, *group["runs"]], key=lambda row: row["seed"]),
        [*(kept for kept in environments if kept["seeds"]), *group["environments"]],
        summed or None,
        recipes,
    )


def write(out: str | Path, ledger: dict[str, Any]) -> Path:
    """Write a ledger as a page of Markdown, and as JSON beside it; return the latter's path.

    Raises SoftmachineError if they cannot be written, or if the page is named ``*.json``.
    """
    out = Path(out)
    data = out.with_suffix(".json")
    if out == data:
        raise SoftmachineError(f"{out} is the page, in Markdown: try {out.with_suffix('.md')}")
    ledger = ledger | {
        "command": f"{ledger['command']} --out {shlex.quote(str(out))}",
        "data": data.name,
    }
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_json(data, ledger)
        with replacing(out) as temporary:
            temporary.write_text(to_markdown(ledger))
    except OSError as error:
        raise SoftmachineError(f"cannot write to {out}: {error.strerror}") from error
    return data


# Gathering


def _group(
    experiment: Experiment,
    rows: Sequence[dict[str, Any]],
    environments: Sequence[dict[str, Any]],
    repair: dict[str, int] | None,
    recipes: Recipes,
) -> dict[str, Any]:
    """Return everything about a group: runs, as rows, that differ only in their seed."""
    tests = experiment.task.published_tests()
    best = best_seed(rows)
    return {
        "recipe": experiment.recipe,
        "machine": machine_kind(experiment.machine),
        "task": type(experiment.task).__name__,
        "error": experiment.task.error,
        "experiment": experiment_to_json(experiment.with_seed(0)),
        "criterion": _criterion(experiment, rows),
        **_today(experiment, [row["seed"] for row in rows], recipes),
        "environments": list(environments),
        "summary": summary_of(rows, experiment) | {"best_seed": best},
        "repair": repair,
        "tests": [
            test_summary(test, [row["tests"][i] for row in rows], rows, experiment, best)
            for i, test in enumerate(tests)
        ],
        "runs": list(rows),
    }


def _today(experiment: Experiment, seeds: Sequence[int], recipes: Recipes) -> dict[str, Any]:
    """Return where an experiment differs from its recipe today, and the commands for it."""
    drift = differences(experiment, recipes)
    return {
        "drift": None if drift is None else [change._asdict() for change in drift],
        "commands": training_commands(experiment, seeds, recipes),
    }


def row_at(path: str, sequences: int) -> dict[str, Any]:
    """Return the results of the run at a path, with so many sequences per test."""
    return _row(Run(path), sequences, None)


def _row(run: Run, sequences: int, report: Announce | None) -> dict[str, Any]:
    """Return the results of one run.

    A run of a task with an exam counts as solved only if it passes the current exam, too; but
    for machines without a hard form, which no exam can judge.
    """
    tests = run.experiment.task.published_tests()
    progress = run.load_progress() or Progress()
    judged = run.experiment.training.solved is not None
    solved = progress.solved_sequences is not None
    verdict = None
    if solved and examinable(run):
        if report is not None:
            report(f"examining {run.path}")
        verdict = examine(run)
        solved = verdict.right
    # Most members of an NRAM's population fail. Testing them takes hours and tells nothing.
    tested = progress.finished and (solved or not run.experiment.task.examined)
    found = aftermath(run.experiment, progress, run.metrics())
    return {
        "seed": _seed_of(run),
        "path": str(run.path),
        "searched": _was_searched(run),
        "finished": progress.finished,
        "solved": solved if judged else None,
        "exam": None if verdict is None else verdict._asdict(),
        "failure": progress.failed,
        "attempts": progress.attempts,
        **{
            f"solved_{name}": getattr(progress, f"solved_{name}") if solved else None
            for name in ("sequences", "seconds", "device_seconds")
        },
        "sequences": progress.sequences,
        "seconds": progress.seconds,
        "device_seconds": progress.device_seconds,
        "best_sequences": progress.best_sequences,
        "best_error": finite(progress.best_error),
        "best_bits": finite(progress.best_bits),
        "afterwards": None if found is None else dataclasses.asdict(found),
        "tested": tested,
        "tests": score_tests(run, tests, sequences, report) if tested else [None] * len(tests),
    }


def _repair(runs: Sequence[Run]) -> dict[str, int] | None:
    """Return the success rates of `repair_members`, if it was run on all of these runs."""
    found = [run.load_result(repair_rates.REPAIR_RESULT) for run in runs]
    outcomes = [
        repair_rates.RepairOutcome(**outcome) for outcome in found if outcome is not None
    ]
    return repair_rates.rates(outcomes) if len(outcomes) == len(runs) else None


def _was_searched(run: Run) -> bool:
    """Return whether a search made a run's machine, without training."""
    found = found_by_search(run.path.parent)
    return found is not None and found.path == run.path


def _seed_of(run: Run) -> int:
    return run.experiment.training.seed


def _check_seeds(runs: Sequence[Run]) -> None:
    """Raise SoftmachineError if two of a group's runs have the same seed."""
    for first, second in itertools.pairwise(runs):
        if _seed_of(first) == _seed_of(second):
            raise SoftmachineError(
                f"{first.path} and {second.path} are the same experiment with the same seed: "
                f"give one of them"
            )


def _place(experiment: Experiment, recipes: Recipes) -> tuple[Any, ...]:
    """Return a sorting key for groups: by recipe, as in the list; unchanged ones first."""
    names = list(recipes)
    known = experiment.recipe in names
    drift = differences(experiment, recipes) or []
    return (
        names.index(experiment.recipe) if known else len(names),
        experiment.recipe,
        len(drift),
        repr(experiment),
    )


def _criterion(experiment: Experiment, rows: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Return when an experiment's runs count as solved; None if it does not say.

    The exam is part of it if all that are solved have passed it: rows that an earlier ledger
    made before there was one are not said to have.
    """
    solved = experiment.training.solved
    if solved is None:
        return None
    curriculum, exam = experiment.training.curriculum, experiment.training.phase(Exam)
    examined = all(row.get("exam") is not None for row in rows if row["solved"])
    return {
        "error": solved.error,
        "sequences": solved.sequences,
        "sizes": [curriculum.smallest, curriculum.largest],
        "test": None
        if exam is None
        else {"largest": exam.largest, "examples": exam.examples, "exam": examined},
        "also": [
            phase.requirement for phase in experiment.training.phases if phase.requirement
        ],
    }


def _environments(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Return the distinct environments of runs, each with the seeds that ran in it."""
    distinct: list[dict[str, Any]] = []
    for run in runs:
        environment = run.environment()
        for known in distinct:
            if known["environment"] == environment:
                known["seeds"].append(_seed_of(run))
                break
        else:
            distinct.append({"environment": environment, "seeds": [_seed_of(run)]})
    return distinct
