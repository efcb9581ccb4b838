"""A run's scores in the published tests of its task, kept among its results."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from softmachine.core.errors import SoftmachineError
from softmachine.core.files import finite
from softmachine.evaluation.examined import examinable, examine, largest_size
from softmachine.experiments.checkpoints import read_record
from softmachine.experiments.runs import Run
from softmachine.machines.machine import Cell, Machine
from softmachine.programs.proof import run_scores
from softmachine.running.generalization import SizeScore, evaluate
from softmachine.tasks.memories.exams import draw_exam
from softmachine.tasks.published import PaperTest
from softmachine.tasks.task import Task
from softmachine.tasks.traced.task import TracedTask

TESTS_RESULT = "paper-tests"
"""Name of the result in which a run keeps its test scores."""
Announce = Callable[[str], None]
"""Called with a line of text before something that takes long."""
Number = int | float


def paper_scores(run: Run, sequences: int = 1000) -> list[dict[str, Any]]:
    """Return a run's scores in the published tests of its task.

    A row for each, or one for all that differ in nothing but the metric, since it has every
    metric. ``sequences``: how many per test. Tests that do not fit into the machine's memory
    are left out.
    """
    tests = run.experiment.task.published_tests()
    scores = score_tests(run, tests, sequences, None)
    names = [test.together or test.name for test in tests]
    rows = {
        name: {"test": name, "sequences": sequences, **row}
        for name, row in zip(names, scores, strict=True)
        if row is not None
    }
    return [*rows.values(), *_exam_rows(run)]


def _exam_rows(run: Run) -> list[dict[str, Any]]:
    """Return a row with a run's scores in its task's exam; nothing if there is no exam."""
    task, largest = run.experiment.task.held_out(larger=True), largest_size(run)
    if not examinable(run):
        return []
    verdict, examples = examine(run), len(draw_exam(task, 0, largest).trials)
    name = f"exam: hard cases up to size {largest}, in tight and roomy memories"
    scores = {task.error: verdict.soft, "hard_error": verdict.hard}
    return [{"test": name, "sequences": examples, **scores}]


def score_tests(
    run: Run, tests: Sequence[PaperTest], sequences: int, report: Announce | None
) -> list[dict[str, Number | None] | None]:
    """Return a run's metrics in each test, from its results if they are cached there.

    None for a test that does not fit into the machine's memory.
    """
    checkpoint = run.path / "checkpoints" / "best.safetensors"
    if not tests or not checkpoint.exists():
        return [None] * len(tests)
    fingerprint = {
        "checkpoint": read_record(checkpoint, run.tie).value,
        "sequences": sequences,
        "tests": [[repr(test.task), test.size] for test in tests],
    }
    known = run.load_result(TESTS_RESULT)
    if isinstance(known, dict) and known.get("fingerprint") == fingerprint:
        return known["scores"]
    if report is not None:
        report(f"testing {run.path}")
    machine = run.load_machine()
    rows = machine.memory_rows
    sizes: dict[Task, list[int]] = {}
    for test in tests:
        if rows is None or test.task.items(test.size) <= rows:
            sizes.setdefault(test.task, []).append(test.size)
    scored = {
        (task, score.size): {name: finite(value) for name, value in score.metrics.items()}
        for task in sizes
        for score in _evaluate(machine, task, sizes[task], sequences)
    }
    scores = [scored.get((test.task, test.size)) for test in tests]
    with contextlib.suppress(SoftmachineError):  # read-only runs have a place in a ledger, too
        run.save_result(TESTS_RESULT, {"fingerprint": fingerprint, "scores": scores})
    return scores


def _evaluate(
    machine: Machine, task: Task, sizes: Sequence[int], sequences: int
) -> Iterable[SizeScore]:
    """Return scores at each size: of single examples, or of whole runs of programs."""
    if isinstance(task, TracedTask) and isinstance(machine, Cell):
        return run_scores(machine, task, sizes)
    return evaluate(machine, task, sizes, sequences=sequences)
