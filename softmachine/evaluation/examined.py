"""Runs of NRAMs put through the exam of their task, each once."""

from __future__ import annotations

import contextlib
import hashlib

from softmachine.core.capabilities import HardForm
from softmachine.core.errors import SoftmachineError
from softmachine.experiments.checkpoints import read_record
from softmachine.experiments.runs import Run
from softmachine.running.judging import Verdict, judge
from softmachine.tasks.memories.exams import draw_exam

RESULT = "exam"
"""Name of the result under which a run keeps its verdict."""
LARGEST = 50
"""The largest size, unless the run's own criterion says otherwise."""


def largest_size(run: Run) -> int:
    """Return the largest size of a run's exam."""
    solved = run.experiment.training.solved
    return LARGEST if solved is None or solved.test is None else solved.test.largest


def examine(run: Run) -> Verdict:
    """Return how the best machine of an NRAM's run does in the exam of its task.

    The verdict stays among the run's results until its checkpoint or the exam changes, so that
    a run that counted as solved by an older test is judged anew.

    Raises SoftmachineError if the run has no such machine.
    """
    task, largest = run.experiment.task.held_out(larger=True), largest_size(run)
    if not task.examined:
        raise SoftmachineError(f"{run.path} has a task without an exam")
    batch = draw_exam(task, 0, largest).batch
    digest = hashlib.sha256(b"".join(array.tobytes() for array in batch)).hexdigest()
    checkpoint = read_record(run.path / "checkpoints" / "best.safetensors", run.tie).value
    fingerprint = {"checkpoint": checkpoint, "exam": digest}
    known = run.load_result(RESULT)
    if isinstance(known, dict) and known.get("fingerprint") == fingerprint:
        return Verdict(**known["verdict"])
    machine = run.load_machine()
    if not isinstance(machine, HardForm):
        raise SoftmachineError(
            f"{run.path} holds a {type(machine).__name__}, which has no hard form to examine"
        )
    verdict = judge(machine, task, batch, largest)
    with contextlib.suppress(SoftmachineError):  # a read-only run can be judged, too
        run.save_result(RESULT, {"fingerprint": fingerprint, "verdict": verdict._asdict()})
    return verdict
