"""The training loop around the compiled updates: validation, checkpoints, stopping."""

from __future__ import annotations

import dataclasses
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from softmachine.errors import NonFiniteError, RunError
from softmachine.evaluation.scoring import build_scorer
from softmachine.machines.machine import split_trainable
from softmachine.training.checkpoints import leaf_names
from softmachine.training.devices import devices_for
from softmachine.training.experiment import Experiment
from softmachine.training.runs import Run
from softmachine.training.update import TrainState, build_train_chunk, first_state


@dataclasses.dataclass
class Progress:
    """How far a run is; saved in every checkpoint."""

    step: int = 0
    """Updates done."""
    sequences: int = 0
    """Training sequences seen."""
    seconds: float = 0.0
    """Wall-clock time of training, validation and compilation included, of all sessions."""
    skipped: int = 0
    best_error: float = math.inf
    best_bits: float = math.inf
    best_sequences: int = 0
    solved_sequences: int | None = None
    """When validation first found no more than the allowed errors."""
    solved_seconds: float | None = None
    finished: bool = False
    """Solved, or out of sequences: nothing left to do."""


Report = Callable[[Progress, dict[str, Any]], None]


def train(run: Run, report: Report | None = None) -> Progress:
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
    with run.locked(), _interruptions() as interrupted:
        try:
            return _train(run, report or (lambda *_: None), interrupted)
        except OSError as error:
            raise RunError(f"cannot write to {run.path}: {error.strerror}") from error


def _train(run: Run, report: Report, interrupted: threading.Event) -> Progress:
    experiment = run.experiment
    training = experiment.training
    state, progress = _start(run)
    if progress.finished:
        return progress
    devices = devices_for(training.batch)
    everywhere = NamedSharding(Mesh(devices, ("batch",)), PartitionSpec())
    state = jax.device_put(state, everywhere)
    chunk = build_train_chunk(experiment, devices)
    validate = _build_validation(experiment)
    last_update = math.ceil(training.max_sequences / training.batch)
    interval = max(1, training.validate_every // training.batch)
    checkpoints = max(1, training.checkpoint_every // training.batch)
    clock = time.monotonic()
    while True:
        begin = progress.step
        end = min((begin // interval + 1) * interval, last_update)
        state, sums = chunk(state, end)
        progress.step = int(state.step)
        _stop_if_not_finite(run, state)
        progress.sequences = progress.step * training.batch
        progress.skipped = int(state.skipped)
        line = _averages(sums) | validate(state)
        now = time.monotonic()
        seconds, clock = now - clock, now
        progress.seconds += seconds
        rate = (progress.step - begin) * training.batch / seconds
        line = {
            "step": progress.step,
            "sequences": progress.sequences,
            "seconds": round(progress.seconds, 3),
            "sequences_per_second": round(rate, 1),
            "skipped": progress.skipped,
        } | line
        is_best = _judge(experiment, progress, line)
        progress.finished = progress.finished or progress.step >= last_update
        run.append_metrics(line)
        if is_best:
            run.save_best(state, {"step": progress.step} | line)
        ends = progress.finished or interrupted.is_set()
        if ends or progress.step // checkpoints > begin // checkpoints:
            run.save_last(state, dataclasses.asdict(progress))
        report(progress, line)
        if ends:
            return progress


def _start(run: Run) -> tuple[TrainState, Progress]:
    if run.has_last():
        state, record = run.load_last()
        progress = Progress(**record)
    else:
        state, progress = first_state(run.experiment), Progress()
    run.drop_metrics_after(progress.step)
    return state, progress


def _build_validation(experiment: Experiment) -> Callable[[TrainState], dict[str, float]]:
    """Return a function that scores fresh examples of all sizes of the curriculum."""
    training, curriculum = experiment.training, experiment.training.curriculum
    _, static = split_trainable(experiment.build_machine())
    sequences = 1000 if training.solved is None else training.solved.sequences
    score = build_scorer(experiment.task, curriculum.largest)
    key = jax.random.fold_in(jax.random.key(training.seed), 2)

    def validate(state: TrainState) -> dict[str, float]:
        step_key = jax.random.fold_in(key, int(state.step))
        sizes = jax.random.randint(
            step_key, (sequences,), curriculum.smallest, curriculum.largest + 1
        )
        machine = eqx.combine(state.parameters, static)
        metrics = score(machine, step_key, sizes)
        return {f"validation_{name}": float(jnp.mean(x)) for name, x in metrics.items()}

    return validate


def _averages(sums: dict[str, Any]) -> dict[str, float]:
    updates = max(float(sums["updates"]), 1.0)
    return {name: float(x) / updates for name, x in sums.items() if name != "updates"}


def _judge(experiment: Experiment, progress: Progress, line: dict[str, Any]) -> bool:
    """Note in ``progress`` whether this is solved; return whether it is the best yet."""
    solved = experiment.training.solved
    error = line[f"validation_{experiment.task.output.error}"]
    bits = line["validation_bits"]
    best = (error, bits) < (progress.best_error, progress.best_bits)
    if best:
        progress.best_error, progress.best_bits = error, bits
        progress.best_sequences = progress.sequences
    if solved is not None and error <= solved.error:
        if progress.solved_sequences is None:
            progress.solved_sequences = progress.sequences
            progress.solved_seconds = progress.seconds
        progress.finished = bits <= solved.bits
    return best


def _stop_if_not_finite(run: Run, state: TrainState) -> None:
    fault = state.fault
    if int(fault.step) < 0 or run.experiment.training.on_nonfinite == "skip":
        return
    names = leaf_names(state.parameters)
    norms = dict(zip(names, fault.gradient_norms.tolist(), strict=True))
    bad = [name for name, norm in norms.items() if not math.isfinite(norm)]
    largest = max(norms, key=lambda name: -1.0 if math.isnan(norms[name]) else norms[name])
    where = (
        f"gradients not finite: {', '.join(bad)}"
        if bad
        else f"largest gradient norm {norms[largest]:.3g} in {largest}"
    )
    raise NonFiniteError(
        f"update {int(fault.step)}: loss {float(fault.loss):.6g}; {where}. The last "
        f"checkpoint is unharmed. Try a lower learning rate or tighter clipping, or leave "
        f"such updates out with --training.on-nonfinite skip"
    )


@contextmanager
def _interruptions() -> Iterator[threading.Event]:
    """Turn the first SIGINT or SIGTERM into an event; a second one acts as always."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    previous = {}

    def note(number: int, _frame: Any) -> None:
        event.set()
        signal.signal(number, previous[number])

    for number in (signal.SIGINT, signal.SIGTERM):
        previous[number] = signal.signal(number, note)
    try:
        yield event
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
