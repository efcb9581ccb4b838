"""How often hard machines that make mistakes can be corrected, and in which way.

Three ways are compared: repair, which changes single wires; fine-tuning, which trains on; and
annealing, which searches all wires anew.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import jax
import numpy as np

from softmachine.core.errors import SoftmachineError, with_article
from softmachine.experiments.experiment import Experiment
from softmachine.experiments.runs import Run
from softmachine.machines.nram.nram import NRAM
from softmachine.programs.repair import repair, wrong_cells
from softmachine.tasks.memories.exams import Batch, draw_batch, draw_exam
from softmachine.training.exam import Exam
from softmachine.training.nram.fine_tuning import fine_tune
from softmachine.training.nram.objective import NRAMLoss
from softmachine.training.nram.wire_search import WireSearch
from softmachine.wiring.search import HOT, search_wires
from softmachine.wiring.table import WiringTable, read_wiring

REPAIR_RESULT = "repair"
"""Name of the result in which a run keeps its outcome."""
SEARCHED = 200
"""How many random examples guide the searches; their sizes go up to twice those trained on."""
LARGEST_TEST_SIZE = 50
"""The largest size of the test, unless the experiment names another."""


class RepairOutcome(NamedTuple):
    """Shares of wrong cells, from 0 to 1, of one member made hard, before and after each way.

    All but `soft` are of one test, that of training: random examples and the task's exam.
    """

    soft: float
    """Of the soft machine, in validation, at the sizes trained on."""
    hard: float
    """Of the machine made hard as it is."""
    wires: float
    """After repair; see `repair`."""
    changes: int
    """How many wires repair changed."""
    tuned: float
    """After fine-tuning; see `fine_tune`."""
    both: float
    """After fine-tuning and then repair."""
    annealed: float
    """After annealing all wires, from the machine's own and from random ones."""


def repair_members(
    runs: Sequence[Run], *, updates: int, tables: int, examples: int, seed: int
) -> list[RepairOutcome]:
    """Correct every member of a population whose hard form makes mistakes, in several ways.

    The outcome is kept among each run's results, if these can be written.

    Arguments:
        runs: the members, NRAMs.
        updates: how many updates fine-tuning takes.
        tables: how many tables of wires annealing tries for each member.
        examples: how many random examples the outcomes are tested on, besides the task's exam.
        seed: of the examples.

    Returns:
        The outcome of each member; if it makes no mistake, with 0 for every way.

    Raises:
        SoftmachineError: a number is below 1, a run's machine is not an NRAM, or it was trained
            with another objective than an NRAM's own, which fine-tuning goes on with.
    """
    for name, value in {"updates": updates, "tables": tables, "examples": examples}.items():
        if value < 1:
            raise SoftmachineError(f"--{name} must be at least 1, not {value}")
    loaded = [_load(run) for run in runs]
    guide, test = _batches(runs[0].experiment, examples, seed)
    broken = [
        i
        for i, (machine, _) in enumerate(loaded)
        if wrong_cells(machine.config, read_wiring(machine), test)
    ]
    outcomes = [RepairOutcome(soft, 0.0, 0.0, 0, 0.0, 0.0, 0.0) for _, soft in loaded]
    if broken:
        tuned = fine_tune([runs[i] for i in broken], updates)
        rngs = np.random.default_rng(seed).spawn(len(broken))
        search = runs[0].experiment.training.phase(WireSearch)
        hot = HOT if search is None else search.hot

        def anneal(i, rng):
            machine = loaded[i][0]
            own = read_wiring(machine)
            return search_wires(machine.config, own, guide, rng, tables, hot=hot).table

        with ThreadPoolExecutor(len(jax.devices())) as pool:
            annealed = list(pool.map(anneal, broken, rngs))
        for i, after, table in zip(broken, tuned, annealed, strict=True):
            outcomes[i] = _outcome(*loaded[i], after, table, guide, test)
    for run, outcome in zip(runs, outcomes, strict=True):
        with contextlib.suppress(SoftmachineError):  # read-only runs can be tested as well
            run.save_result(REPAIR_RESULT, outcome._asdict())
    return outcomes


def rates(outcomes: Sequence[RepairOutcome]) -> dict[str, int]:
    """Return the number of members, and of those that make no mistake, by way."""
    ways = ("soft", "hard", "wires", "tuned", "both", "annealed")
    right = {way: sum(getattr(outcome, way) == 0 for outcome in outcomes) for way in ways}
    return {"members": len(outcomes), **right}


def _batches(experiment: Experiment, examples: int, seed: int) -> tuple[Batch, Batch]:
    """Return the examples that guide searches, and those of the test; exams included."""
    curriculum, exam = experiment.training.curriculum, experiment.training.phase(Exam)
    key, test_key = jax.random.split(jax.random.key(seed))
    rng = np.random.default_rng(seed)
    largest = LARGEST_TEST_SIZE if exam is None else exam.largest
    searched = min(2 * curriculum.largest, largest)
    sizes = rng.integers(curriculum.smallest, searched + 1, SEARCHED)
    tested = rng.integers(curriculum.smallest, largest + 1, examples)
    task, held_out = experiment.task, experiment.task.held_out(larger=True)
    guide = draw_batch(task, key, sizes, searched)
    test = draw_batch(held_out, test_key, tested, largest)
    return (
        guide.followed_by(draw_exam(task, [seed, 0], searched).batch),
        test.followed_by(draw_exam(held_out, [seed, 1], largest).batch),
    )


def _load(run: Run) -> tuple[NRAM, float]:
    """Return a run's best machine and its error in validation."""
    machine, record = run.load_best()
    if not isinstance(machine, NRAM):
        raise SoftmachineError(
            f"{run.path} holds {with_article(type(machine).__name__)}, not an NRAM"
        )
    objective = run.experiment.training.objective
    if not isinstance(objective, NRAMLoss):
        raise SoftmachineError(
            f"{run.path} was trained with {type(objective).__name__}; fine-tuning goes on with "
            "the objective NRAMLoss"
        )
    return machine, record[f"validation_{run.experiment.task.error}"]


def _outcome(
    machine: NRAM, soft: float, tuned: NRAM, annealed: WiringTable, guide: Batch, test: Batch
) -> RepairOutcome:
    """Return the outcome of one member, given its tuned machine and its annealed wires."""
    config, own, after = machine.config, read_wiring(machine), read_wiring(tuned)
    changed = repair(machine, own, guide)
    tables = (own, changed.table, after, repair(machine, after, guide).table, annealed)
    hard, wires, tuning, both, annealing = (wrong_cells(config, x, test) for x in tables)
    return RepairOutcome(soft, hard, wires, len(changed.changes), tuning, both, annealing)
