"""The command that mends machines whose hard form makes mistakes."""

from __future__ import annotations

import contextlib
from typing import NamedTuple

import jax
import numpy as np
from rich.console import Console
from rich.table import Table

from softmachine.cli.sources import open_runs
from softmachine.errors import SoftmachineError
from softmachine.machines.nram import NRAM
from softmachine.programs.repair import Batch, draw_batch, repair, wrong_cells
from softmachine.programs.wiring import read_wiring
from softmachine.training.devices import use_all_cores
from softmachine.training.experiment import Experiment
from softmachine.training.fine_tuning import fine_tune
from softmachine.training.runs import Run

SEARCHED = 200
"""Examples that guide the search; up to twice the sizes trained on."""
LARGEST = 50
"""The largest size of the test, unless the experiment says otherwise."""


class Outcome(NamedTuple):
    """Shares of wrong cells of one member in the test, made hard."""

    member: str
    validation: float
    """Of the soft machine, at its best in training."""
    before: float
    searched: float
    tuned: float
    both: float
    changes: int
    """Wires that the search changed, without fine-tuning before it."""


def repair_source(source: str, updates: int, examples: int, seed: int) -> None:
    """Try to mend every member that makes mistakes when made hard; print how often it helps."""
    use_all_cores()
    if updates < 1 or examples < 1:
        raise SoftmachineError("--updates and --examples must be at least 1")
    runs = open_runs(source)
    experiment = runs[0].experiment
    guide, test = _batches(experiment, examples, seed)
    broken: list[Run] = []
    for run in runs:
        machine = _load(run)
        if wrong_cells(machine.config, read_wiring(machine), test):
            broken.append(run)
    print(f"{len(runs) - len(broken)} of {len(runs)} members are right when made hard.")
    if not broken:
        return
    tuned = fine_tune(broken, updates)
    outcomes = []
    for run, after in zip(broken, tuned, strict=True):
        outcomes.append(_mend(run, after, guide, test))
        with contextlib.suppress(SoftmachineError):  # a read-only run can be looked at
            run.save_result("repair", outcomes[-1]._asdict())
    _print(outcomes, len(runs))


def _batches(experiment: Experiment, examples: int, seed: int) -> tuple[Batch, Batch]:
    """Return examples for the search and for the test."""
    curriculum, solved = experiment.training.curriculum, experiment.training.solved
    key, test_key = jax.random.split(jax.random.key(seed))
    rng = np.random.default_rng(seed)
    largest = LARGEST if solved is None or solved.test is None else solved.test.largest
    searched = min(2 * curriculum.largest, largest)
    sizes = rng.integers(curriculum.smallest, searched + 1, SEARCHED)
    tested = rng.integers(curriculum.smallest, largest + 1, examples)
    task = experiment.task
    return (
        draw_batch(task, key, sizes, searched),
        draw_batch(task.held_out(larger=True), test_key, tested, largest),
    )


def _load(run: Run) -> NRAM:
    machine = run.load_machine()
    if not isinstance(machine, NRAM):
        raise SoftmachineError(f"{run.path} holds a {type(machine).__name__}, not an NRAM")
    return machine


def _mend(run: Run, tuned: NRAM, guide: Batch, test: Batch) -> Outcome:
    machine, record = run.load_best()
    assert isinstance(machine, NRAM)
    config = machine.config
    tables = [read_wiring(machine), read_wiring(tuned)]
    mended = [repair(machine, table, guide) for table in tables]
    before, after_tuning = (wrong_cells(config, table, test) for table in tables)
    searched, both = (wrong_cells(config, found.table, test) for found in mended)
    error = f"validation_{run.experiment.task.error}"
    return Outcome(
        run.path.name,
        record[error],
        before,
        searched,
        after_tuning,
        both,
        len(mended[0].changes),
    )


def _print(outcomes: list[Outcome], members: int) -> None:
    table = Table(title="wrong cells", caption="hard machines, sizes as in the test")
    names = ["member", "soft, trained sizes", "hard", "changed wires", "after search"]
    for name in [*names, "after fine-tuning", "after both"]:
        table.add_column(name, justify="right")
    for row in outcomes:
        shares = (row.searched, row.tuned, row.both)
        table.add_row(
            row.member,
            f"{row.validation:.1%}",
            f"{row.before:.1%}",
            str(row.changes),
            *[f"{share:.1%}" for share in shares],
        )
    Console().print(table)
    soft = [row for row in outcomes if row.validation == 0]
    for title, rows in (
        (f"Of {len(soft)} that are right while soft", soft),
        (f"Of all {len(outcomes)} that are wrong when made hard", outcomes),
    ):
        counts = [
            sum(getattr(row, name) == 0 for row in rows)
            for name in ("searched", "tuned", "both")
        ]
        print(
            f"{title}, mended by the search: {counts[0]}, by fine-tuning: {counts[1]}, "
            f"by both: {counts[2]}."
        )
    print(f"Members: {members}.")
