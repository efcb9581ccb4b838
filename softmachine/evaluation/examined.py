"""The exam of a trained run: hard cases of its task, with the verdict cached in the run."""

from __future__ import annotations

import contextlib
import hashlib

from softmachine.core.capabilities import HardForm
from softmachine.core.errors import SoftmachineError, with_article
from softmachine.experiments.checkpoints import read_record
from softmachine.experiments.runs import Run
from softmachine.running.judging import Verdict, judge
from softmachine.tasks.memories.exams import draw_exam
from softmachine.training.exam import Exam

EXAM_RESULT = "exam"
"""Name of the result in which a run keeps its verdict."""
LARGEST_EXAM_SIZE = 50
"""The largest size of an exam, unless the run's own criterion names another."""


def largest_size(run: Run) -> int:
    """Return the largest size in the exam of a run."""
    exam = run.experiment.training.phase(Exam)
    return LARGEST_EXAM_SIZE if exam is None else exam.largest


def examinable(run: Run) -> bool:
    """Return whether there is an exam of a run's task, and its machine has a hard form."""
    return run.experiment.task.examined and isinstance(run.load_machine(), HardForm)


def examine(run: Run) -> Verdict:
    """Return the verdict on a run's best machine, soft and hard, in the exam of its task.

    The verdict is cached among the run's results until the checkpoint or the exam changes. So a
    run that counted as solved by an older exam is judged anew.

    Raises:
        SoftmachineError: the task has no exam, or the machine no hard form.
    """
    task, largest = run.experiment.task.held_out(larger=True), largest_size(run)
    if not task.examined:
        raise SoftmachineError(f"{run.path} has a task without an exam")
    batch = draw_exam(task, 0, largest).batch
    digest = hashlib.sha256(b"".join(array.tobytes() for array in batch)).hexdigest()
    checkpoint = read_record(run.path / "checkpoints" / "best.safetensors", run.tie).value
    fingerprint = {"checkpoint": checkpoint, "exam": digest}
    known = run.load_result(EXAM_RESULT)
    if isinstance(known, dict) and known.get("fingerprint") == fingerprint:
        return Verdict(**known["verdict"])
    machine = run.load_machine()
    if not isinstance(machine, HardForm):
        raise SoftmachineError(
            f"{run.path} holds {with_article(type(machine).__name__)}, which has no hard form "
            "to examine"
        )
    verdict = judge(machine, task, batch, largest)
    with contextlib.suppress(SoftmachineError):  # a read-only run can be judged as well
        run.save_result(EXAM_RESULT, {"fingerprint": fingerprint, "verdict": verdict._asdict()})
    return verdict
