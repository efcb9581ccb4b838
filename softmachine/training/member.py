"""A member of a population in training: its state, progress and checkpoints."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import equinox as eqx
from jaxtyping import Bool
from numpy import ndarray

from softmachine.experiments.experiment import Experiment
from softmachine.experiments.phases import PHASES, Phase
from softmachine.experiments.progress import Progress
from softmachine.experiments.runs import LastCheckpoint
from softmachine.experiments.state import TrainState, Weights, first_state, machine_of
from softmachine.machines.machine import Machine, split_trainable


@runtime_checkable
class Records(Protocol):
    """What a member reads and writes: a `Run`, or a copy of one; see there."""

    @property
    def experiment(self) -> Experiment:
        """What is trained."""
        ...

    path: Path

    def has_last(self) -> bool: ...  # noqa: D102
    def first(self) -> LastCheckpoint: ...  # noqa: D102
    def load_last(self) -> LastCheckpoint: ...  # noqa: D102
    def restore_metrics(self, last: LastCheckpoint, *, with_line: bool) -> bool: ...  # noqa: D102
    def append_metrics(self, line: dict[str, Any]) -> None: ...  # noqa: D102
    def save_best(self, state: TrainState, record: dict[str, Any]) -> None: ...  # noqa: D102
    def save_snapshot(self, state: TrainState, record: dict[str, Any]) -> None: ...  # noqa: D102
    def save_last(  # noqa: D102
        self, state: TrainState, progress: Progress, line: dict[str, Any] | None = None
    ) -> None: ...
    def save_failure(self, reason: str) -> None: ...  # noqa: D102


class Member:
    """A run that is being trained, alone or as a member of a population.

    Phases read ``experiment``, ``state``, ``progress``, ``line`` and the properties, and call
    `remember`, `report`, `take`, `change`, `keep`, `go_back`, `give_up` and `finish`.
    """

    def __init__(self, run: Records) -> None:
        self.run = run
        last = run.load_last() if run.has_last() else run.first()
        self.state, self.progress = last.state, last.progress
        self.line = last.line
        """The metrics of the last validation; None before the first."""
        self.schema = last.schema
        self._gives_up = False
        if self.progress.failed:
            self.progress.failed, self.progress.finished = None, False
        # A phase that was interrupted has the line written once more.
        if run.restore_metrics(last, with_line=not self.busy):
            self.save()

    # What phases see

    @property
    def experiment(self) -> Experiment:
        """What is trained."""
        return self.run.experiment

    @property
    def age(self) -> int:
        """How many updates this attempt has had."""
        return int(self.state.step - self.state.began)

    @property
    def settling(self) -> int:
        """How many validations there were in this attempt from the first right one on."""
        return int(self.state.settings.settling)

    @property
    def error(self) -> float:
        """What the last validation found."""
        assert self.line is not None
        return self.line[f"validation_{self.experiment.task.error}"]

    @property
    def right(self) -> bool:
        """Whether the last validation found no mistake, or no more than are allowed."""
        solved = self.experiment.training.solved
        return solved is not None and self.error <= solved.error

    @property
    def best(self) -> bool:
        """Whether the last validation was the best yet."""
        return self.progress.best_sequences == self.progress.sequences

    def machine(self) -> Machine:
        """Return the machine as it is judged."""
        return machine_of(self.state, self.experiment)

    def notes(self, phase: Phase) -> Mapping[str, int]:
        """Return what a phase has noted of this attempt."""
        return self.progress.phases.get(PHASES.name_of(type(phase)), {})

    # What phases do

    def remember(self, phase: Phase, **notes: int) -> None:
        """Note numbers, for a phase, until this attempt ends."""
        name = PHASES.name_of(type(phase))
        self.progress.phases[name] = {**self.notes(phase), **notes}

    def report(self, facts: Mapping[str, float | int | None]) -> None:
        """Add to the line of metrics."""
        assert self.line is not None
        self.line |= facts

    def take(self, machine: Machine) -> None:
        """Go on with a machine that a phase made, as one that validated without a mistake.

        Its optimiser begins anew.
        """
        fresh = first_state(self.experiment, self.progress.attempts - 1, self.progress.step)
        parameters, _ = split_trainable(machine)
        self.state = self.state.at(parameters)._replace(optimizer=fresh.optimizer)
        self.settle()

    def change(self, machine: Machine) -> None:
        """Go on with a machine that a phase made, with its buffers; the optimiser stays."""
        self.state = self.state.at(split_trainable(machine)[0])
        self.change_buffers(machine)

    def change_buffers(self, machine: Machine) -> None:
        """Go on with the buffers of a machine that a phase made; the parameters stay."""
        buffers = eqx.filter(split_trainable(machine)[1], eqx.is_array)
        self.state = self.state._replace(buffers=buffers)

    def settle(self) -> None:
        """Count a validation from the first right one on."""
        settings = self.state.settings
        settings = settings._replace(settling=settings.settling + 1)
        self.state = self.state._replace(settings=settings)

    def keep(self) -> None:
        """Keep a copy of the parameters and the optimiser's state, for `go_back`."""
        kept = Weights(self.state.parameters, self.state.optimizer, self.state.averages)
        self.state = self.state._replace(kept=kept)

    def go_back(self) -> None:
        """Return to the parameters and the optimiser's state of the last `keep`."""
        assert self.state.kept is not None
        self.state = self.state._replace(**self.state.kept._asdict())

    def give_up(self) -> None:
        """End this attempt: another begins once all that this one found is noted."""
        self._gives_up = True

    def finish(self) -> None:
        """End the training of this member."""
        self.progress.finished = True

    # What the trainer does

    def note(self, state: TrainState, seconds: float, device_seconds: float) -> None:
        """Take over the state after some updates; begin a line of metrics."""
        progress, training = self.progress, self.experiment.training
        begin = progress.sequences
        self.state = state._replace(kept=self.state.kept)
        progress.step = int(state.step)
        progress.sequences = progress.step * training.batch
        progress.skipped = int(state.skipped)
        self.spend(seconds, device_seconds)
        self.line = {
            "step": progress.step,
            "sequences": progress.sequences,
            **self.times(),
            "sequences_per_second": round((progress.sequences - begin) / seconds, 1),
            "skipped": progress.skipped,
            **training.curriculum.report(state.curriculum),
            **({"attempt": int(state.attempt)} if training.several_attempts else {}),
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

    def judge(self) -> None:
        """Take the last validation into the progress: best yet, solved, finished."""
        progress, training = self.progress, self.experiment.training
        assert self.line is not None
        solved, error, bits = training.solved, self.error, self.line["validation_bits"]
        progress.attempt_error = min(progress.attempt_error, error)
        best = (error, bits) < (progress.best_error, progress.best_bits)
        passed = False
        if self.right:
            self.settle()
            passed, examined = self._verdict()
            best |= passed and examined
        if best:
            progress.best_error, progress.best_bits = error, bits
            progress.best_sequences = progress.sequences
        if passed:
            if progress.solved_sequences is None:
                progress.solved_sequences = progress.sequences
                progress.solved_seconds = progress.seconds
                progress.solved_device_seconds = progress.device_seconds
            assert solved is not None
            progress.finished = solved.bits is None or bits <= solved.bits
        if progress.step >= training.last_update:
            progress.finished = True

    def _verdict(self) -> tuple[bool, bool]:
        """Return whether no phase objects, and whether any had something to say."""
        examined = False
        for phase in self.experiment.training.phases:
            verdict = phase.verdict(self)
            if verdict is False:
                return False, True
            examined |= verdict is not None
        return True, examined

    @property
    def busy(self) -> bool:
        """Whether a phase is due that may take long: to be begun, or to be gone on with."""
        return self.line is not None and any(
            phase.interruptible and phase.due(self) for phase in self.experiment.training.phases
        )

    def apply_long(self, ended: Bool[ndarray, "1"]) -> bool:
        """Apply the interruptible phases that are due; return whether to validate again."""
        return any(
            phase.apply(self, ended)
            for phase in self.experiment.training.phases
            if phase.interruptible and phase.due(self)
        )

    def move_on(self, ended: Bool[ndarray, "1"]) -> None:
        """Apply what else is due; begin again if this attempt was given up."""
        for phase in self.experiment.training.phases:
            if not phase.interruptible and phase.due(self):
                phase.apply(self, ended)
        if self._gives_up and not self.progress.finished:
            self._begin_again()
        self._gives_up = False

    def _begin_again(self) -> None:
        progress, skipped = self.progress, self.state.skipped
        self.state = first_state(self.experiment, progress.attempts, progress.step)
        self.state = self.state._replace(skipped=skipped)
        progress.attempts += 1
        progress.attempt_error = math.inf
        progress.phases.clear()

    def end(self) -> None:
        """End a run that could go on."""
        if not self.progress.finished:
            self.progress.finished = True
            self.save()

    def note_scores(self) -> None:
        """Write the metrics, and the machine if it is the best yet, or one to look back at."""
        assert self.line is not None
        self.run.append_metrics(self.line)
        if self.best:
            self.run.save_best(self.state, self.line)
        validations = self.progress.step // validation_interval(self.experiment)
        if validations.bit_count() == 1:
            self.run.save_snapshot(self.state, self.line)

    def save(self) -> None:
        """Write the checkpoint from which training resumes."""
        self.run.save_last(self.state, self.progress, self.line)


def validation_interval(experiment: Experiment) -> int:
    """Return how many updates there are from one validation to the next."""
    return max(1, experiment.training.validate_every // experiment.training.batch)
