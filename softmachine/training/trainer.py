"""The training loop around the compiled updates: validation, checkpoints, stopping."""

from __future__ import annotations

import contextlib
import math
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

from softmachine.core.errors import NonFiniteError, RunError, SoftmachineWarning
from softmachine.core.specs.spec import Ratio, each
from softmachine.experiments.checkpoints import WITHOUT_TIES, leaf_names
from softmachine.experiments.experiment import Experiment
from softmachine.experiments.progress import Progress
from softmachine.experiments.runs import Run
from softmachine.experiments.state import TrainState
from softmachine.training.interruptions import Interruption, interruptions
from softmachine.training.member import Member, validation_interval
from softmachine.training.members import MemberStates, Plan
from softmachine.training.notebook import NotebookProgress, in_notebook
from softmachine.training.trackers import Tracker, tracking
from softmachine.training.validation import Scores, build_validation

MOST_EARLY = 60.0
"""Seconds that a training ends before its time at most, if its next updates may take longer."""

Report = Callable[[int, Progress, dict[str, Any]], None]


def train(
    run: Run,
    report: Callable[[Progress, dict[str, Any]], None] | None = None,
    *,
    trackers: Sequence[Tracker | str] = (),
) -> Progress:
    """Train a run from where it stands until it is solved or out of sequences.

    Ctrl-C and SIGTERM end it early, after the updates under way and a checkpoint.

    Arguments:
        run: a new run, or one with checkpoints, which is resumed.
        report: called after every validation with the progress and the metrics line. In a
            notebook a bar is shown if there is none.
        trackers: what is told of the metrics, by name or as objects; see `Tracker`.

    Returns:
        The progress; ``finished`` is False after an interruption.

    Raises:
        RunError: another process writes to the run, or the directory cannot be written.
        CheckpointError: the run's checkpoint is damaged or foreign.
        NonFiniteError: loss or gradient was not finite and the experiment says ``stop``.
    """
    if report is None and in_notebook():
        report = NotebookProgress(run)

    def report_one(_member: int, progress: Progress, line: dict[str, Any]) -> None:
        if report is not None and not progress.failed:
            report(progress, line)

    progress = train_members([run], report_one, trackers=trackers)[0]
    if progress.failed is not None:
        raise NonFiniteError(progress.failed)
    return progress


def train_members(
    runs: Sequence[Run],
    report: Report | None = None,
    *,
    seconds: float = math.inf,
    enough: Callable[[list[int]], bool] | None = None,
    trackers: Sequence[Tracker | str] = (),
) -> list[Progress]:
    """Train runs that differ in their seed alone, as one program.

    Each member becomes what `train` makes of its run alone, up to rounding. A member whose
    loss or gradient was not finite ends, with the reason in ``failed``; the others go on.

    Arguments:
        runs: new runs or runs to resume, one per member.
        report: called after every validation of a member with its place among the runs,
            its progress and its metrics line.
        seconds: time after which training ends as if interrupted; before that, if the updates
            up to the next validation would take longer, as the fastest did so far.
        enough: whether those that are solved, by their places among the runs, are enough, so
            that all others end; otherwise ``TrainingConfig.enough`` says how many are.
        trackers: what is told of the metrics, by name or as objects; see `Tracker`.

    Returns:
        The progress of each member.

    Raises:
        RunError: another process writes to a run, a directory cannot be written, or the
            runs differ in more than the seed.
        CheckpointError: a run's checkpoint is damaged or foreign.
    """
    with held(runs) as interrupted, contextlib.ExitStack() as stack:
        members = [Member(run) for run in runs]
        _warn_of_old([member for member in members if member.schema == WITHOUT_TIES])
        deadline = time.monotonic() + seconds
        if any(not member.progress.finished for member in members):
            tell = stack.enter_context(telling(runs, report, trackers))
            enough = enough or enough_solved(runs[0].experiment)
            _Loop(members, tell, interrupted, deadline, enough).run()
    return [member.progress for member in members]


@contextlib.contextmanager
def held(runs: Sequence[Run]) -> Iterator[Interruption]:
    """Hold runs for writing, and hear Ctrl-C and SIGTERM.

    Raises RunError if runs differ in more than the seed, if another process writes to one, and
    in place of an OSError of what is done meanwhile.
    """
    for run in runs:
        if run.experiment.with_seed(0) != runs[0].experiment.with_seed(0):
            raise RunError(
                f"{run.path} and {runs[0].path} differ in more than their seed: only members "
                "of one experiment can be trained together"
            )
    with contextlib.ExitStack() as stack:
        for run in runs:
            stack.enter_context(run.locked())
        interrupted = stack.enter_context(interruptions())
        try:
            yield interrupted
        except OSError as error:
            where = error.filename or runs[0].path
            raise RunError(f"cannot write to {where}: {error.strerror}") from error


@contextlib.contextmanager
def telling(
    runs: Sequence[Run], report: Report | None, trackers: Sequence[Tracker | str]
) -> Iterator[Report]:
    """Return what is to be called after a validation, for trackers and a report."""
    with tracking(runs, trackers) as log:

        def tell(place: int, progress: Progress, line: dict[str, Any]) -> None:
            log(place, line)
            if report is not None:
                report(place, progress, line)

        yield tell


def enough_solved(experiment: Experiment) -> Callable[[list[int]], bool]:
    """Return what tells whether so many are solved as ``TrainingConfig.enough`` says."""
    most = experiment.training.enough
    return lambda solved: most is not None and len(solved) >= most


def advance_members(members: Sequence[Member], until: int, plan: Plan) -> None:
    """Train members, all by themselves, up to the first validation after ``until`` updates.

    Members that have ended stay where they are; all others are saved there. What that gives
    depends on the members and the plan's layout alone: the next call goes on bit for bit.
    """
    never = Interruption()
    _Loop(members, _unheard, never, math.inf, _never_enough, float(until), plan).run()


def _unheard(_member: int, _progress: Progress, _line: dict[str, Any]) -> None:
    pass


def _never_enough(_solved: list[int]) -> bool:
    return False


def _warn_of_old(members: Sequence[Member]) -> None:
    if members:
        more = f" and {len(members) - 1} more" if len(members) > 1 else ""
        warnings.warn(
            f"{members[0].run.path}{more} was begun by an older softmachine: nothing vouches "
            "for its config.json and the progress in its last checkpoint; the next one will",
            SoftmachineWarning,
            stacklevel=3,
        )


class _Loop:
    """Training of members side by side, up to one validation after another."""

    def __init__(
        self,
        members: Sequence[Member],
        report: Report,
        interrupted: Interruption,
        deadline: float,
        enough: Callable[[list[int]], bool],
        until: float = math.inf,
        plan: Plan | None = None,
    ) -> None:
        experiment = members[0].run.experiment
        self.members, self.report = members, report
        self.interrupted, self.deadline, self.enough = interrupted, deadline, enough
        self.until = until
        self.last_update = experiment.training.last_update
        self.interval = validation_interval(experiment)
        training = experiment.training
        self.checkpoints = max(1, training.checkpoint_every // training.batch)
        self.states = MemberStates(experiment, [member.state for member in members], plan)
        self.validate = build_validation(experiment)
        self.judged = 0 if plan is None else plan.layout.members
        """So many are validated together at least: last bits depend on it."""
        self.reached: dict[int, TrainState] = {}
        """Of each member the state that the last updates brought it to."""
        self.clock = time.monotonic()
        self.shortest = math.inf
        """Seconds of the updates up to a validation, at the least so far."""

    def run(self) -> None:
        """Train until all members have ended, or it is time to end."""
        # What was interrupted comes first, whatever the time: however short that is, a run that
        # is resumed often enough gets on.
        begun = [i for i in self._live() if self.members[i].busy]
        ending = bool(begun) and self._conclude(begun, math.inf)
        while (live := self._live()) and not ending:
            # After a crash some members may be ahead of others, which catch up first.
            begin = min(self.members[i].progress.step for i in live)
            if begin >= self.until:
                break
            group = [i for i in live if self.members[i].progress.step == begin]
            ending = self._conclude(self._advance(group), self.deadline)

    def _live(self) -> list[int]:
        return [i for i, member in enumerate(self.members) if not member.progress.finished]

    def _solved(self) -> list[int]:
        return [
            i
            for i, member in enumerate(self.members)
            if member.progress.solved_sequences is not None
        ]

    def _advance(self, group: list[int]) -> list[int]:
        """Take members up to their next validation; return those that did not fail."""
        begin = self.members[group[0]].progress.step
        end = min((begin // self.interval + 1) * self.interval, self.last_update)
        sums = self.states.advance(group, end)
        self.reached = {i: self.states.of(i) for i in group}
        scores = self._scores(self.reached)
        seconds = self._lap()
        self.shortest = min(self.shortest, seconds)
        sound = []
        for i in group:
            member = self.members[i]
            member.note(self.reached[i], seconds, seconds * self.states.devices / len(group))
            member.report(_averages(sums[i]) | scores[i])
            self.reached[i] = member.state
            member.progress.failed = _failure(member.run.experiment, member.state)
            if member.progress.failed:
                member.progress.finished = True
                member.run.save_failure(member.progress.failed)
                self._report(i)
            else:
                member.judge()
                sound.append(i)
        return sound

    def _conclude(self, group: list[int], until: float) -> bool:
        """Apply phases, write metrics and checkpoints; return whether training is to end."""
        self._apply_long(group, until)
        # Asked once: later signals end the next stretch, or there would be no checkpoint.
        more = min(self.shortest, MOST_EARLY) if self.shortest < math.inf else 0.0
        late = self.clock + more > self.deadline
        ending = self.interrupted.is_set() or late
        for i in group:
            member, progress = self.members[i], self.members[i].progress
            member.note_scores()
            # Of one whose phase was interrupted nothing is decided before that is done.
            if not (ending and member.busy):
                member.move_on(self.interrupted.flag)
            if member.state is not self.reached.get(i):
                self.states.replace(i, member.state)
            before = (progress.step - 1) // self.interval * self.interval
            due = progress.step // self.checkpoints > before // self.checkpoints
            if due or progress.finished or ending or progress.step >= self.until:
                member.save()
            self._report(i)
        if self.enough(self._solved()):
            for i in self._live():
                self.members[i].end()
        return ending

    def _apply_long(self, group: list[int], until: float) -> None:
        """Apply the phases of members that may take long; ask for the end if it gets late.

        Those that have to be validated again are judged at once: more updates would take time,
        and shift what is right.
        """
        going = [i for i in group if not self.members[i].progress.finished]
        while due := [i for i in going if self.members[i].busy]:
            left = None if until == math.inf else max(0.0, until - time.monotonic())
            with ThreadPoolExecutor(self.states.devices) as pool:
                flag = self.interrupted.flag
                work = {i: pool.submit(self.members[i].apply_long, flag) for i in due}
                if wait(work.values(), left).not_done:
                    self.interrupted.set()
                changed = [i for i, done in work.items() if done.result()]
            # Of all members, for which it is compiled.
            states = {i: self.members[i].state for i in group}
            scores = self._scores(states) if changed else {}
            seconds = self._lap()
            for i in going:
                member = self.members[i]
                member.spend(seconds, seconds * self.states.devices / len(going))
                if i in changed:
                    member.report(member.times() | scores[i])
                    member.judge()
            going = [i for i in changed if not self.members[i].progress.finished]

    def _report(self, member: int) -> None:
        line = self.members[member].line
        assert line is not None
        self.report(member, self.members[member].progress, line)

    def _scores(self, states: dict[int, TrainState]) -> dict[int, Scores]:
        found = [*states.values()]
        scores = self.validate([*found, *[found[0]] * (self.judged - len(found))])
        return dict(zip(states, scores, strict=False))

    def _lap(self) -> float:
        """Return the seconds since this was last asked."""
        before, self.clock = self.clock, time.monotonic()
        return self.clock - before


def _averages(sums: dict[str, float | Ratio]) -> dict[str, float]:
    """Return the means of what updates reported; of ratios, all totals over all counts."""
    updates = sums.pop("updates")
    assert isinstance(updates, float)
    return {
        name: float(each(x if isinstance(x, Ratio) else Ratio(x, updates)))
        for name, x in sums.items()
    }


def _failure(experiment: Experiment, state: TrainState) -> str | None:
    """Say what was not finite, if training has to stop for it."""
    fault = state.fault
    if int(fault.step) < 0 or experiment.training.on_nonfinite == "skip":
        return None
    names = leaf_names(state.parameters)
    norms = dict(zip(names, fault.gradient_norms.tolist(), strict=True))
    bad = [name for name, norm in norms.items() if not math.isfinite(norm)]
    largest = max(norms, key=lambda name: -1.0 if math.isnan(norms[name]) else norms[name])
    where = (
        f"gradients not finite: {', '.join(bad)}"
        if bad
        else f"largest gradient norm {norms[largest]:.3g} in {largest}"
    )
    return (
        f"update {int(fault.step)}: loss {float(fault.loss):.6g}; {where}. The last "
        f"checkpoint is unharmed. Try a lower learning rate or tighter clipping, or leave "
        f"such updates out with --training.on-nonfinite skip"
    )
