"""The training loop around the compiled updates: validation, checkpoints, stopping."""

from __future__ import annotations

import contextlib
import math
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from softmachine.core.errors import NonFiniteError, RunError, SoftmachineWarning
from softmachine.core.specs.spec import each, mean
from softmachine.experiments.checkpoints import WITHOUT_TIES, leaf_names
from softmachine.experiments.experiment import Experiment, SolvedConfig, SolvedTest
from softmachine.experiments.progress import Progress
from softmachine.experiments.runs import Run
from softmachine.experiments.settings import Settings
from softmachine.experiments.state import TrainState, Weights, first_state, machine_of
from softmachine.machines.machine import split_trainable
from softmachine.machines.nram.nram import NRAM
from softmachine.machines.packed import packed_form
from softmachine.running.judging import judge
from softmachine.running.scoring import build_scorer, score_together
from softmachine.tasks.memories.exams import draw_exam
from softmachine.tasks.memory import MemoryTask
from softmachine.training.interruptions import Interruption, interruptions
from softmachine.training.members import MemberStates
from softmachine.wiring.search import draw_batch, draw_searched, mend

Report = Callable[[int, Progress, dict[str, Any]], None]


def train(
    run: Run, report: Callable[[Progress, dict[str, Any]], None] | None = None
) -> Progress:
    """Train a run from where it stands until it is solved or out of sequences.

    Ctrl-C and SIGTERM end it early, after the updates under way and a checkpoint.

    Arguments:
        run: a new run, or one with checkpoints, which is resumed.
        report: called after every validation with the progress and the metrics line.

    Returns:
        The progress; ``finished`` is False after an interruption.

    Raises:
        RunError: another process writes to the run, or the directory cannot be written.
        CheckpointError: the run's checkpoint is damaged or foreign.
        NonFiniteError: loss or gradient was not finite and the experiment says ``stop``.
    """

    def report_one(_member: int, progress: Progress, line: dict[str, Any]) -> None:
        if report is not None and not progress.failed:
            report(progress, line)

    progress = train_members([run], report_one)[0]
    if progress.failed is not None:
        raise NonFiniteError(progress.failed)
    return progress


def train_members(
    runs: Sequence[Run],
    report: Report | None = None,
    *,
    seconds: float = math.inf,
    enough: Callable[[list[int]], bool] | None = None,
) -> list[Progress]:
    """Train runs that differ in their seed alone, as one program.

    Each member becomes what `train` makes of its run alone, up to rounding. A member whose
    loss or gradient was not finite ends, with the reason in ``failed``; the others go on.

    Arguments:
        runs: new runs or runs to resume, one per member.
        report: called after every validation of a member with its place among the runs,
            its progress and its metrics line.
        seconds: time after which training ends as if interrupted.
        enough: whether those that are solved, by their places among the runs, are enough, so
            that all others end; otherwise ``TrainingConfig.enough`` says how many are.

    Returns:
        The progress of each member.

    Raises:
        RunError: another process writes to a run, a directory cannot be written, or the
            runs differ in more than the seed.
        CheckpointError: a run's checkpoint is damaged or foreign.
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
            members = [_Member(run) for run in runs]
            _warn_of_old([member for member in members if member.schema == WITHOUT_TIES])
            deadline = time.monotonic() + seconds
            most = runs[0].experiment.training.enough
            enough = enough or (lambda solved: most is not None and len(solved) >= most)
            if any(not member.progress.finished for member in members):
                report = report or (lambda *_: None)
                _Loop(members, report, interrupted, deadline, enough).run()
        except OSError as error:
            where = error.filename or runs[0].path
            raise RunError(f"cannot write to {where}: {error.strerror}") from error
    return [member.progress for member in members]


def _warn_of_old(members: Sequence[_Member]) -> None:
    if members:
        more = f" and {len(members) - 1} more" if len(members) > 1 else ""
        warnings.warn(
            f"{members[0].run.path}{more} was begun by an older softmachine: nothing vouches "
            "for its config.json and the progress in its last checkpoint; the next one will",
            SoftmachineWarning,
            stacklevel=3,
        )


class _Member:
    """A run on its way."""

    def __init__(self, run: Run) -> None:
        self.run = run
        last = run.load_last() if run.has_last() else run.first()
        self.state, self.progress = last.state, last.progress
        self.line = last.line
        """The metrics of the last validation."""
        self.schema = last.schema
        if self.progress.failed:
            self.progress.failed, self.progress.finished = None, False
        # A search that was interrupted has the line written once more.
        if run.restore_metrics(last, with_line=not self.lacks_wires):
            self.save()

    def note(self, state: TrainState, seconds: float, device_seconds: float) -> dict[str, Any]:
        """Take up the state after a stretch of updates; return the metrics line's head."""
        progress, training = self.progress, self.run.experiment.training
        begin = progress.sequences
        self.state = state._replace(kept=self.state.kept)
        progress.step = int(state.step)
        progress.sequences = progress.step * training.batch
        progress.skipped = int(state.skipped)
        self.spend(seconds, device_seconds)
        return {
            "step": progress.step,
            "sequences": progress.sequences,
            **self.times(),
            "sequences_per_second": round((progress.sequences - begin) / seconds, 1),
            "skipped": progress.skipped,
            **training.curriculum.report(state.curriculum),
            **({"attempt": int(state.attempt)} if training.restarts else {}),
        }

    def spend(self, seconds: float, device_seconds: float) -> None:
        """Note time that went by."""
        self.progress.seconds += seconds
        self.progress.device_seconds += device_seconds

    def times(self) -> dict[str, float]:
        """Return what a line of the metrics says of the time."""
        return {
            "seconds": round(self.progress.seconds, 3),
            "device_seconds": round(self.progress.device_seconds, 3),
        }

    def judge(self, line: dict[str, Any]) -> bool:
        """Note whether this is solved or over; return whether it is the best yet."""
        progress, training = self.progress, self.run.experiment.training
        solved = training.solved
        error = line[f"validation_{self.run.experiment.task.error}"]
        bits = line["validation_bits"]
        progress.attempt_error = min(progress.attempt_error, error)
        best = (error, bits) < (progress.best_error, progress.best_bits)
        passed = few_bits = False
        right = solved is not None and error <= solved.error
        first = right and not self._settling
        if right or (training.settle is not None and self._settling):
            self.state = self.state._replace(settings=self._settled_further())
        if solved is not None and right:
            passed = solved.test is None or self._passes(solved.test, line)
            best |= passed and solved.test is not None
            few_bits = solved.bits is None or bits <= solved.bits
        if best:
            progress.best_error, progress.best_bits = error, bits
            progress.best_sequences = progress.sequences
        if passed:
            if progress.solved_sequences is None:
                progress.solved_sequences = progress.sequences
                progress.solved_seconds = progress.seconds
                progress.solved_device_seconds = progress.device_seconds
            progress.finished = few_bits
        if training.settle is not None:
            progress.finished |= self._settling >= training.settle
            if first or (right and best):
                kept = Weights(self.state.parameters, self.state.optimizer)
                self.state = self.state._replace(kept=kept)
        if progress.step >= training.last_update:
            progress.finished = True
        return best

    @property
    def _settling(self) -> int:
        return int(self.state.settings.settling)

    def _settled_further(self) -> Settings:
        """Return the settings after one more validation of what was right."""
        settings = self.state.settings
        return settings._replace(settling=settings.settling + 1)

    def _passes(self, test: SolvedTest, line: dict[str, Any]) -> bool:
        """Return whether the test finds no mistake; note in the line what it found.

        A test takes as long as many updates: after n failures, n validations pass first.
        """
        progress = self.progress
        if progress.waits and progress.step < self.run.experiment.training.last_update:
            progress.waits -= 1
            return False
        line |= self._test(test)
        passed = line["tested_soft"] == line["tested_hard"] == 0
        if not passed:
            progress.failed_tests += 1
            progress.waits = progress.failed_tests
        return passed

    def _test(self, test: SolvedTest) -> dict[str, float]:
        """Return the errors, soft and hard, on examples of all sizes of a test.

        Random ones in the memory for the largest, and the exam of the task's adversarial
        cases. The soft error is left out, as one, where the hard machine makes mistakes.
        """
        experiment = self.run.experiment
        key = jax.random.fold_in(jax.random.key(experiment.training.seed), 5)
        key = jax.random.fold_in(key, self.progress.step)
        smallest = experiment.training.curriculum.smallest
        sizes = jax.random.randint(key, (test.examples,), smallest, test.largest + 1)
        machine = machine_of(self.state, experiment)
        task = experiment.task.held_out(larger=True)
        assert isinstance(machine, NRAM)
        assert isinstance(task, MemoryTask)
        random = draw_batch(task, key, np.asarray(sizes), test.largest)
        exam = draw_exam(task, [experiment.training.seed, self.progress.step], test.largest)
        examples = random.followed_by(exam.batch)
        verdict = judge(machine, task, examples, test.largest, soft=test.soft)
        return {"tested_hard": verdict.hard, "tested_soft": verdict.soft}

    @property
    def lacks_wires(self) -> bool:
        """Whether it is time to search the wires that the machine lacks."""
        progress, search = self.progress, self.run.experiment.training.wire_search
        if search is None or progress.searched or progress.finished:
            return False
        due = int(self.state.step - self.state.began) >= search.updates
        return due and 0 < progress.attempt_error <= search.error

    def search_wires(self, interrupted: Interruption) -> bool:
        """Search wires; return whether they were found, the machine has them then.

        A search that was interrupted counts as none.
        """
        progress, experiment = self.progress, self.run.experiment
        search = experiment.training.wire_search
        assert search is not None
        machine, curriculum = machine_of(self.state, experiment), experiment.training.curriculum
        assert isinstance(machine, NRAM)
        rng = np.random.default_rng([experiment.training.seed, progress.step])
        batch = draw_searched(
            experiment.task, search, curriculum.smallest, curriculum.largest, rng
        )
        mended = mend(machine, batch, rng, search, interrupted.flag)
        progress.searched = mended is not None or not interrupted.is_set()
        if mended is None:
            return False
        progress.rewired, progress.waits = True, 0
        fresh = first_state(experiment, progress.attempts - 1, progress.step)
        parameters, _ = split_trainable(mended)
        self.state = self.state._replace(
            parameters=parameters, optimizer=fresh.optimizer, settings=self._settled_further()
        )
        return True

    def go_back(self) -> None:
        """Return to what was right, and validated best, if it is not right any more."""
        training, kept = self.run.experiment.training, self.state.kept
        if training.settle is None or not self._settling or kept is None:
            return
        assert training.solved is not None
        assert self.line is not None
        error = self.line[f"validation_{self.run.experiment.task.error}"]
        if error > training.solved.error:
            self.state = self.state._replace(**kept._asdict())

    def begin_again(self) -> None:
        """Start a new attempt if a rule says so."""
        progress, training = self.progress, self.run.experiment.training
        age = int(self.state.step - self.state.began)
        stuck = any(
            age >= rule.updates and progress.attempt_error > rule.error
            for rule in training.restarts
        )
        # A program that was found, but is right for the trained sizes alone, is a dead end.
        stuck |= progress.rewired and progress.failed_tests > 0
        if stuck and not progress.finished:
            skipped = self.state.skipped
            self.state = first_state(self.run.experiment, progress.attempts, progress.step)
            self.state = self.state._replace(skipped=skipped)
            progress.attempts += 1
            progress.attempt_error = math.inf
            progress.failed_tests = progress.waits = 0
            progress.searched = progress.rewired = False

    def end(self) -> None:
        """End a run that could go on."""
        if not self.progress.finished:
            self.progress.finished = True
            self.save()

    def note_scores(self, line: dict[str, Any], *, best: bool) -> None:
        """Write the metrics, and the machine if it is the best yet, or one to look back at."""
        self.line = line
        self.run.append_metrics(line)
        if best:
            self.run.save_best(self.state, line)
        validations = self.progress.step // validation_interval(self.run.experiment)
        if validations.bit_count() == 1:
            self.run.save_snapshot(self.state, line)

    def save(self) -> None:
        """Write the checkpoint from which training resumes."""
        self.run.save_last(self.state, self.progress, self.line)


def validation_interval(experiment: Experiment) -> int:
    """Return how many updates there are from one validation to the next."""
    return max(1, experiment.training.validate_every // experiment.training.batch)


class _Loop:
    """Training of members side by side, up to one validation after another."""

    def __init__(
        self,
        members: Sequence[_Member],
        report: Report,
        interrupted: Interruption,
        deadline: float,
        enough: Callable[[list[int]], bool],
    ) -> None:
        experiment = members[0].run.experiment
        self.members, self.report = members, report
        self.interrupted, self.deadline, self.enough = interrupted, deadline, enough
        self.last_update = experiment.training.last_update
        self.interval = validation_interval(experiment)
        training = experiment.training
        self.checkpoints = max(1, training.checkpoint_every // training.batch)
        self.states = MemberStates(experiment, [member.state for member in members])
        self.validate = _build_validation(experiment)
        self.reached: dict[int, TrainState] = {}
        """Of each member the state that the last updates brought it to."""
        self.clock = time.monotonic()

    def run(self) -> None:
        """Train until all members have ended, or it is time to end."""
        # A search that was interrupted comes first, whatever the time: however short that is,
        # a run that is resumed often enough gets on.
        lines = {
            i: dict(member.line)
            for i in self._live()
            if (member := self.members[i]).lacks_wires and member.line is not None
        }
        ending = bool(lines) and self._settle(lines, {}, math.inf)
        while (live := self._live()) and not ending:
            # After a crash some members may be ahead of others, which catch up first.
            begin = min(self.members[i].progress.step for i in live)
            group = [i for i in live if self.members[i].progress.step == begin]
            ending = self._settle(*self._advance(group), self.deadline)

    def _live(self) -> list[int]:
        return [i for i, member in enumerate(self.members) if not member.progress.finished]

    def _solved(self) -> list[int]:
        return [
            i
            for i, member in enumerate(self.members)
            if member.progress.solved_sequences is not None
        ]

    def _advance(self, group: list[int]) -> tuple[dict[int, dict[str, Any]], dict[int, bool]]:
        """Take members up to their next validation.

        Returns the lines of metrics of those that did not fail, and whether they are the best
        yet.
        """
        begin = self.members[group[0]].progress.step
        end = min((begin // self.interval + 1) * self.interval, self.last_update)
        sums = self.states.advance(group, end)
        self.reached = {i: self.states.of(i) for i in group}
        scores = self._scores(self.reached)
        seconds = self._lap()
        lines, best = {}, {}
        for i in group:
            member = self.members[i]
            share = seconds * self.states.devices / len(group)
            line = member.note(self.reached[i], seconds, share) | _averages(sums[i]) | scores[i]
            self.reached[i] = member.state
            member.progress.failed = _failure(member.run.experiment, member.state)
            if member.progress.failed:
                member.progress.finished = True
                member.run.save_failure(member.progress.failed)
                self.report(i, member.progress, line)
            else:
                best[i] = member.judge(line)
                lines[i] = line
        return lines, best

    def _settle(
        self, lines: dict[int, dict[str, Any]], best: dict[int, bool], search_until: float
    ) -> bool:
        """Do what there is to be done after a validation; return whether it is time to end."""
        self._search_wires(lines, best, search_until)
        # Asked once: later signals end the next stretch, or there would be no checkpoint.
        ending = self.interrupted.is_set() or self.clock > self.deadline
        for i, line in lines.items():
            member, progress = self.members[i], self.members[i].progress
            member.note_scores(line, best=best.get(i, False))
            member.go_back()
            member.begin_again()
            if member.state is not self.reached.get(i):
                self.states.replace(i, member.state)
            before = (progress.step - 1) // self.interval * self.interval
            due = progress.step // self.checkpoints > before // self.checkpoints
            if due or progress.finished or ending:
                member.save()
            self.report(i, progress, line)
        if self.enough(self._solved()):
            for i in self._live():
                self.members[i].end()
        return ending

    def _search_wires(
        self, lines: dict[int, dict[str, Any]], best: dict[int, bool], until: float
    ) -> None:
        """Search the wires of all members that it is time for; ask for the end if it gets late.

        Those that have them now are judged at once: more updates would take time, and shift
        wires that are right.
        """
        going = {i: self.members[i] for i in lines if not self.members[i].progress.finished}
        if not any(member.lacks_wires for member in going.values()):
            return
        left = None
        if until < math.inf:
            left = max(0.0, until - time.monotonic())
        with ThreadPoolExecutor(self.states.devices) as pool:
            searches = {
                i: pool.submit(member.search_wires, self.interrupted)
                for i, member in going.items()
                if member.lacks_wires
            }
            if wait(searches.values(), left).not_done:
                self.interrupted.set()
            found = [i for i, search in searches.items() if search.result()]
        # Of all members, for which it is compiled.
        scores = self._scores({i: self.members[i].state for i in lines}) if found else {}
        seconds = self._lap()
        for i, member in going.items():
            member.spend(seconds, seconds * self.states.devices / len(going))
            if i in found:
                lines[i] |= member.times() | scores[i]
                best[i] = member.judge(lines[i]) or best.get(i, False)

    def _scores(self, states: dict[int, TrainState]) -> dict[int, dict[str, float]]:
        return dict(zip(states, self.validate([*states.values()]), strict=True))

    def _lap(self) -> float:
        """Return the seconds since this was last asked."""
        before, self.clock = self.clock, time.monotonic()
        return self.clock - before


def _build_validation(
    experiment: Experiment,
) -> Callable[[Sequence[TrainState]], list[dict[str, float]]]:
    """Return a function that scores fresh examples of all sizes of the curriculum."""
    curriculum, task = experiment.training.curriculum, experiment.task.held_out()
    sequences = (experiment.training.solved or SolvedConfig()).sequences
    score = build_scorer(task, curriculum.largest)

    def draw(state: TrainState) -> tuple[PRNGKeyArray, Int[Array, " sequences"]]:
        key = jax.random.fold_in(jax.random.key(int(state.seed)), 2)
        size_key, key = jax.random.split(jax.random.fold_in(key, int(state.step)))
        sizes = jax.random.randint(
            size_key, (sequences,), curriculum.smallest, curriculum.largest + 1
        )
        return key, sizes

    def validate(states: Sequence[TrainState]) -> list[dict[str, float]]:
        machines = [machine_of(state, experiment) for state in states]
        draws = [draw(state) for state in states]
        if packed_form(type(machines[0])) is not None:
            keys, sizes = zip(*draws, strict=True)
            scores = score_together(machines, task, keys, sizes, curriculum.largest)
        else:
            scores = [score(m, *drawn) for m, drawn in zip(machines, draws, strict=True)]
        return [
            {f"validation_{name}": float(mean(x)) for name, x in metrics.items()}
            | {
                "validation_level": _level(
                    jnp.asarray(each(metrics[task.error])), drawn[1], curriculum.largest
                )
            }
            for metrics, drawn in zip(scores, draws, strict=True)
        ]

    return validate


def _level(
    errors: Float[Array, " sequences"], sizes: Int[Array, " sequences"], largest: int
) -> int:
    """Return the largest size up to which there is no mistake."""
    return int(jnp.min(jnp.where(errors > 0, sizes - 1, largest)))


def _averages(sums: dict[str, float]) -> dict[str, float]:
    updates = max(sums["updates"], 1.0)
    return {name: x / updates for name, x in sums.items() if name != "updates"}


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
