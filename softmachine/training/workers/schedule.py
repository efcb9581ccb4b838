"""Training of a population on workers: who gets which group, and what if workers fail.

One process, which has the runs, gives out units of work (`softmachine.training.workers.unit`)
and writes down what comes back. Nothing else is shared: workers have no files. All that is not
yet written when a worker, or this process, ends is done again, to the same bits.

- The group whose members have had the fewest updates comes first.
- A worker that is gone, or overdue, costs the unit that it had. Its members are then trained
  each by itself, in the slots of their group, until it is clear which of them ends its worker.
- A member that does so too often in a row is left out, with the reason in its run; see
  `softmachine.training.workers.losses`.
- A worker of other versions, or without a module that it takes, is left out, by its name.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait

from softmachine.core.errors import SoftmachineWarning, WorkersError
from softmachine.experiments.checkpoints import SCHEMA
from softmachine.experiments.progress import Progress
from softmachine.experiments.runs import Note, Run
from softmachine.training.interruptions import Interruption
from softmachine.training.member import Member
from softmachine.training.trackers import Tracker
from softmachine.training.trainer import Report, enough_solved, held, telling
from softmachine.training.workers.identity import AnotherVersionError
from softmachine.training.workers.losses import OVERDUE, PATIENCE, Losses
from softmachine.training.workers.remote import do
from softmachine.training.workers.unit import group_size, progress_in, unit_of
from softmachine.training.workers.workers import Tally, Workers

TICK = 0.5
"""Seconds between looks at which workers are there."""


@dataclasses.dataclass
class _Task:
    """A unit of work that a worker has."""

    places: list[int]
    """Its members, by their places among the runs."""
    steps: list[int]
    """Where they stand."""
    future: Future[list[list[tuple[str, str, bytes]]]]
    began: float
    overdue: bool = False
    """Given up for lost; what it brings may still be the first."""


def train_on_workers(
    runs: Sequence[Run],
    workers: Workers,
    report: Report | None = None,
    *,
    seconds: float = math.inf,
    enough: Callable[[list[int]], bool] | None = None,
    trackers: Sequence[Tracker | str] = (),
    watch: Callable[[Tally], None] | None = None,
    patience: float = PATIENCE,
) -> list[Progress]:
    """Train runs that differ in their seed alone, on workers.

    What each member becomes is the same, bit for bit, whatever the workers are, how many, and
    which of them fail; on processors of one kind. It is what `train_members` makes of it, too,
    up to rounding: that has a program of its own. With ``enough`` solved, the others end where
    they were last saved, which depends on who was quick.

    Arguments:
        runs: new runs or runs to resume, one per member.
        workers: who does it; they stay open.
        report: called for every validation of a member with its place among the runs, its
            progress and its metrics line.
        seconds: time after which training ends as if interrupted.
        enough: as in `train_members`.
        trackers: what is told of the metrics, by name or as objects; see `Tracker`.
        watch: called with a tally of workers, whenever it may have changed.
        patience: the shortest time, in seconds, after which a unit may be overdue.

    Returns:
        The progress of each member; ``failed`` says why one was left out.

    Raises:
        RunError: another process writes to a run, a directory cannot be written, or the
            runs differ in more than the seed.
        CheckpointError: a run's checkpoint is damaged or foreign.
        WorkersError: nobody can reach the workers any more, or all were refused. What was saved
            is kept.
    """
    with held(runs) as interrupted, contextlib.ExitStack() as stack:
        schedule = _Schedule(runs, workers, patience)
        if any(not progress.finished for progress in schedule.progress):
            schedule.report = stack.enter_context(telling(runs, report, trackers))
            schedule.watch = watch or schedule.watch
            enough = enough or enough_solved(runs[0].experiment)
            schedule.run(interrupted, time.monotonic() + seconds, enough)
    return schedule.progress


class _Schedule:
    """Which unit is where, and what has come of it."""

    def __init__(self, runs: Sequence[Run], workers: Workers, patience: float) -> None:
        self.runs, self.workers, self.patience = runs, workers, patience
        self.report: Report = lambda *_: None
        self.watch: Callable[[Tally], None] = lambda _: None
        self.progress = [_stand(run) for run in runs]
        experiment = runs[0].experiment
        self.slots = group_size(experiment, len(runs))
        self.checkpoints = max(
            1, experiment.training.checkpoint_every // experiment.training.batch
        )
        self.tally = Tally()
        self._told: Tally | None = None
        self._tasks: dict[str, _Task] = {}
        self._known: set[str] = set()
        self._losses = Losses()
        self._alone: set[int] = set()
        """Groups whose members are trained each by itself for now."""
        self._longest = 0.0

    def run(
        self,
        interrupted: Interruption,
        deadline: float,
        enough: Callable[[list[int]], bool],
    ) -> None:
        """Give out work until all members have ended, or it is time to end."""
        try:
            while live := self._live():
                if interrupted.is_set() or time.monotonic() > deadline:
                    return
                if enough(self._solved()):
                    for place in live:
                        self.runs[place].save_end()
                        self.progress[place].finished = True
                    return
                self._look()
                self._give()
                self._tell()
                self._collect()
            self._tell()
        finally:
            for task in self._tasks.values():
                task.future.cancel()

    def _live(self) -> list[int]:
        return [i for i, progress in enumerate(self.progress) if not progress.finished]

    def _solved(self) -> list[int]:
        return [i for i, x in enumerate(self.progress) if x.solved_sequences is not None]

    def _look(self) -> None:
        """Note which workers have come and gone, and who is overdue."""
        present = set(self.workers.present())
        for name in self._known - present:
            self.tally.lost += 1
            if task := self._tasks.pop(name, None):
                task.future.cancel()
                self._failed(task, f"its worker, {name}, is gone")
        self._known = present
        limit = max(self.patience, OVERDUE * self._longest)
        for name, task in [*self._tasks.items()]:
            if not task.overdue and time.monotonic() - task.began > limit:
                self._failed(task, f"{name} was not done with it after {limit:.0f} s")
                task.overdue = True
                self._drop(name, task)
        self.tally.workers = len(self._known - self.tally.refused.keys())

    def _tell(self) -> None:
        """Show the tally, if it is another one than was shown."""
        if self.tally != self._told:
            self._told = dataclasses.replace(self.tally, refused=dict(self.tally.refused))
            self.watch(self._told)

    def _drop(self, name: str, task: _Task | None = None) -> None:
        """Tell that a worker is broken or hangs; if another came in its place, forget it."""
        self.workers.drop(name)
        if name not in self.workers.present():
            self._known.discard(name)
            self.tally.lost += 1
            if task is not None:
                self._tasks.pop(name, None)

    def _give(self) -> None:
        """Give work to those who have none."""
        jobs = self._jobs()
        for name, executor in self.workers.present().items():
            if name in self._tasks or name in self.tally.refused:
                continue
            if (places := next(jobs, None)) is None:
                return
            steps = [self.progress[i].step for i in places]
            until = (min(steps) // self.checkpoints + 1) * self.checkpoints
            unit = unit_of([self.runs[i] for i in places], self.slots, until)
            try:
                future = executor.submit(do, dataclasses.asdict(unit))
            except (BrokenExecutor, RuntimeError):  # it was idle when it ended
                self._drop(name)
                return
            self._tasks[name] = _Task(places, steps, future, time.monotonic())

    def _jobs(self) -> Iterator[list[int]]:
        """Return what can be given out, as lists of members; who is last comes first."""
        tasks = [task for task in self._tasks.values() if not task.overdue]
        busy = {place for task in tasks for place in task.places}
        jobs: list[list[int]] = []
        for begin in range(0, len(self.runs), self.slots):
            group = range(begin, min(begin + self.slots, len(self.runs)))
            free = [i for i in group if not self.progress[i].finished and i not in busy]
            if begin in self._alone:
                jobs += [[i] for i in free]
            elif free and not busy & {*group}:
                jobs.append(free)
        return iter(sorted(jobs, key=lambda job: min(self.progress[i].step for i in job)))

    def _collect(self) -> None:
        """Wait a little for results, and write them down."""
        if not self._tasks:
            time.sleep(TICK)
            return
        futures = {task.future: name for name, task in self._tasks.items()}
        for future in wait(futures, TICK, FIRST_COMPLETED).done:
            name = futures[future]
            task = self._tasks.pop(name)
            try:
                results = future.result()
            except (AnotherVersionError, ImportError) as error:
                self._refuse(name, str(error))
            except (BrokenExecutor, CancelledError):
                self._failed(task, f"its worker, {name}, ended")
                self._drop(name)
            except Exception as error:  # whatever a unit, or what carries it, runs into
                self._failed(task, f"{type(error).__name__}: {error}")
            else:
                self._take(task, results)

    def _take(self, task: _Task, results: list[list[tuple[str, str, bytes]]]) -> None:
        """Write down what a unit has brought, unless another has brought it before."""
        self._longest = max(self._longest, time.monotonic() - task.began)
        if [self.progress[i].step for i in task.places] != task.steps:
            return
        for place, notes in zip(task.places, results, strict=True):
            self._write(place, [Note(*note) for note in notes])
            self._losses.forgive(place)
        begin = task.places[0] // self.slots * self.slots
        if not any(self._losses.of(i) for i in range(begin, begin + self.slots)):
            self._alone.discard(begin)

    def _write(self, place: int, notes: Sequence[Note]) -> None:
        run = self.runs[place]
        for note in notes:
            run.take(note)
            if note.kind == "failure":
                self.progress[place].failed, self.progress[place].finished = note.text, True
            elif note.text == "last":
                self.progress[place] = progress_in(note, run.tie)
        for note in notes:
            if note.kind == "line":
                self.report(place, self.progress[place], json.loads(note.text))

    def _failed(self, task: _Task, reason: str) -> None:
        """Note that a unit was lost; leave out a member that was lost too often by itself."""
        if task.overdue or [self.progress[i].step for i in task.places] != task.steps:
            return
        self._losses.note(task.places)
        alone = len(task.places) == 1
        if alone and self._losses.is_at_fault(task.places[0]):
            self._leave_out(task.places[0], reason)
        else:
            self.tally.repeated += 1
        if not alone:
            self._alone.add(task.places[0] // self.slots * self.slots)

    def _leave_out(self, place: int, reason: str) -> None:
        run, progress = self.runs[place], self.progress[place]
        failed = (
            f"update {progress.step}: tried {self._losses.of(place)} times to go on from "
            f"there, each time in vain; at last: {reason}"
        )
        run.save_failure(failed)
        progress.failed, progress.finished = failed, True
        self._losses.forgive(place)

    def _refuse(self, name: str, reason: str) -> None:
        self.tally.refused[name] = reason
        warnings.warn(
            f"the worker {name} is left out: {reason}", SoftmachineWarning, stacklevel=2
        )
        if self._known and not self._known - self.tally.refused.keys():
            raise WorkersError(f"no worker is left: {name} is left out, since {reason}")


def _stand(run: Run) -> Progress:
    """Return how far a run is, ready to go on from there."""
    progress = run.load_progress()
    if progress is None:
        run.restore_start()
        return Progress()
    if progress.finished and not progress.failed:
        return progress
    member = Member(run)  # drops what of the metrics is later than the checkpoint
    if member.schema < SCHEMA:
        member.save()
    return member.progress
