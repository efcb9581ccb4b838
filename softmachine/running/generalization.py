"""How well a machine does at sizes it was, and was not, trained on."""

from __future__ import annotations

import dataclasses
import numbers
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar, cast

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from softmachine.core import frames
from softmachine.core.capabilities import Adjustable, HardForm
from softmachine.core.errors import SoftmachineError
from softmachine.core.rendering import natural_order
from softmachine.core.specs.spec import Spec, counts, mean, standard_error
from softmachine.machines.machine import Machine
from softmachine.running.room import check_memory_rows, check_running
from softmachine.running.scoring import BATCH, build_scorer
from softmachine.tasks.task import Task

M = TypeVar("M", bound=Machine)


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class SizeScore:
    """Means over the sequences of one size."""

    size: int
    sequences: int
    metrics: dict[str, float]
    """The task's metrics per sequence, for instance ``bits`` and ``wrong_bits``; without ratios
    of nothing, such as the share of right ones at a place that no sequence has."""
    standard_errors: dict[str, float] = dataclasses.field(default_factory=dict)
    """For each metric, the standard error of its mean over the sequences."""

    def to_row(self, spec: Spec) -> dict[str, int | float]:
        """Return everything in one flat dictionary, as JSON has it, in the spec's words."""
        return {"size": self.size, spec.counted: self.sequences} | spec.columns(self.metrics)

    def __repr__(self) -> str:
        """Return size and metrics in a line."""
        metrics = ", ".join(f"{name} {value:.4g}" for name, value in self.metrics.items())
        return f"<size {self.size}: {metrics}; {self.sequences:,} sequences>"


class SizeScores(list[SizeScore]):
    """Scores in the order of their sizes; notebooks show them as a table."""

    def __init__(self, scores: Iterable[SizeScore], spec: Spec) -> None:
        super().__init__(scores)
        self.spec = spec
        """The kind of outputs, whose words are used."""

    def to_rows(self) -> list[dict[str, int | float]]:
        """Return a flat dictionary for each size."""
        return [score.to_row(self.spec) for score in self]

    def to_frame(self) -> Any:
        """Return a pandas DataFrame, a row for each size; SoftmachineError without pandas."""
        return frames.to_frame(self.to_rows())

    def to_csv(self) -> str:
        """Return CSV, a line of names and one for each size."""
        return frames.to_csv(self.to_rows())

    def _repr_html_(self) -> str:
        return frames.to_html(self.to_rows())


def evaluate(
    machine: Machine,
    task: Task,
    sizes: Sequence[int],
    *,
    sequences: int = 1000,
    seed: int = 0,
    memory_rows: int | None = None,
) -> SizeScores:
    """Score a machine on fresh sequences of each size.

    Beside it stand the scores of answers that do not depend on the input, `Task.blind`, where
    the task has some. Of a machine with a hard form, such as an NRAM, both are scored, and
    their agreement.

    Arguments:
        machine: the machine.
        task: where the sequences come from.
        sizes: sizes, one score each.
        sequences: how many sequences per size.
        seed: fixes the sequences: those of a size are the same whatever else is asked.
        memory_rows: grow the machine's memory to this many rows first.

    Raises:
        SoftmachineError: a size that the task has not or the memory cannot hold, no sequences,
            or a memory that cannot be resized.
    """
    if memory_rows is not None:
        machine = with_test_options(machine, memory_rows=memory_rows)
    if sequences < 1:
        raise SoftmachineError(f"sequences must be at least 1, not {sequences}")
    for size in sizes:
        _check_size(machine, task, size, sequences)
    return SizeScores(
        [_score(machine, task, size, sequences, seed) for size in sizes], task.output
    )


def _check_size(machine: Machine, task: Task, size: int, sequences: int) -> None:
    """Raise SoftmachineError for a size that the task has not or the memory cannot hold."""
    rows = machine.memory_rows
    if isinstance(size, bool) or not isinstance(size, numbers.Integral):
        raise SoftmachineError(f"sizes must be whole numbers, not {size!r}")
    if size < task.smallest:
        raise SoftmachineError(
            f"sizes of this task must be at least {task.smallest}, not {size}"
        )
    if rows is not None and task.items(size) > rows:
        raise SoftmachineError(
            f"size {size} needs {task.items(size)} memory rows, this machine has {rows}: "
            f"grow its memory with --memory-rows {task.items(size)} or more"
        )
    check_running(machine, task, size, sequences, BATCH * len(jax.local_devices()))


def _score(machine: Machine, task: Task, size: int, sequences: int, seed: int) -> SizeScore:
    """Return the score at one size."""
    key = jax.random.fold_in(jax.random.key(seed), size)
    score = build_scorer(task, task.bucket(size), and_hard=isinstance(machine, HardForm))
    metrics = score(machine, key, jnp.full(sequences, size)) | task.blind(size)
    names = [name for name in sorted(metrics, key=natural_order) if counts(metrics[name])]
    return SizeScore(
        size=size,
        sequences=sequences,
        metrics={name: _shortest(mean(metrics[name])) for name in names},
        standard_errors={name: _shortest(standard_error(metrics[name])) for name in names},
    )


def score_at(scores: Sequence[SizeScore], size: int) -> SizeScore:
    """Return the score of a size; if there is none, of the largest below it, or of the first.

    Scores are in the order of their sizes.
    """
    return ([score for score in scores if score.size <= size] or [scores[0]])[-1]


def with_test_options(
    machine: M,
    *,
    memory_rows: int | None = None,
    **changes: Any,
) -> M:
    """Return a trained machine as it is to be tested; what is not named stays as it is.

    Arguments:
        machine: the machine.
        memory_rows: number of memory rows.
        changes: fields of the machine's own test options, such as ``hard=True``.

    Raises:
        SoftmachineError: the machine has no such option, or not with that value.

    >>> import jax
    >>> from softmachine.machines.ntm.ntm import NTMConfig
    >>> machine = NTMConfig(memory_rows=4).build(2, 2, key=jax.random.key(0))
    >>> with_test_options(machine, hard=True).test_options
    NTMTestOptions(hard=True, wrap=True, sharpening_factor=1.0)
    >>> with_test_options(machine, soft=True)
    Traceback (most recent call last):
    softmachine.core.errors.SoftmachineError: NTM has no test option 'soft': it has hard, wrap,
    sharpening_factor
    """
    options = machine.test_options if isinstance(machine, Adjustable) else None
    check_test_options(type(machine).__name__, options, changes)
    try:
        if memory_rows is not None:
            check_memory_rows(machine, memory_rows)
            machine = cast("M", machine.with_memory_rows(memory_rows))
        if changes:
            assert isinstance(machine, Adjustable)
            options = dataclasses.replace(machine.test_options, **changes)
            machine = machine.with_test_options(options)
    except ValueError as error:
        raise SoftmachineError(str(error)) from error
    return machine


def with_room_for(machine: M, task: Task, size: int) -> M:
    """Return the machine with enough memory rows for an example of a size.

    Raises SoftmachineError if they are too few and cannot be changed.
    """
    rows, needed = machine.memory_rows, task.items(size)
    if rows is None or needed <= rows:
        return machine
    return with_test_options(machine, memory_rows=needed)


def check_test_options(machine: str, options: Any, names: Iterable[str]) -> None:
    """Raise SoftmachineError, naming those there are, for names of no field of the options."""
    known = [] if options is None else [field.name for field in dataclasses.fields(options)]
    for name in names:
        if name not in known:
            has = f": it has {', '.join(known)}" if known else ", nor any other"
            raise SoftmachineError(f"{machine} has no test option {name!r}{has}")


def _shortest(value: Float[Array, ""]) -> float:
    """Return the number of fewest digits that is this value in its precision: 0.1, say.

    Taken to double precision as it is, 0.1 in single precision is 0.10000000149011612.
    """
    return float(str(np.asarray(value)[()]))
