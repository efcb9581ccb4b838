"""Sequences of a person's own as arrays: read from files, split, sorted by length, padded."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from softmachine.core.errors import ExamplesError
from softmachine.tasks.own.lines import Line, Part, digest_of, read_lines, stamp_of

HELD_OUT = 10
"""One in so many sequences is for validation, and one for tests, where no file says which."""
MOST_NUMBERS = 2**28
"""The largest number of inputs of all sequences of a part together, padded: 1 GiB."""


@runtime_checkable
class Described(Protocol):
    """What a task says of its sequences; `softmachine.tasks.own.sequences.OwnSequences`."""

    @property
    def path(self) -> str: ...  # noqa: D102
    @property
    def digest(self) -> str: ...  # noqa: D102
    @property
    def inputs_of(self) -> str: ...  # noqa: D102
    @property
    def letters(self) -> str: ...  # noqa: D102
    @property
    def input_channels(self) -> int: ...  # noqa: D102
    @property
    def outputs_of(self) -> str: ...  # noqa: D102
    @property
    def answers(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def output_channels(self) -> int: ...  # noqa: D102
    @property
    def at_once(self) -> bool: ...  # noqa: D102
    @property
    def longest_answer(self) -> int: ...  # noqa: D102
    @property
    def part(self) -> Part: ...  # noqa: D102
    def __hash__(self) -> int: ...


class Table(NamedTuple):
    """The sequences of a part as arrays, by length, padded with zeros."""

    sizes: Any
    """The distinct lengths, int32, (sizes,)."""
    firsts: Any
    """The row of the first sequence of each length, int32, (sizes,)."""
    counts: Any
    """The number of sequences of each length, int32, (sizes,)."""
    inputs: Any
    """Indices of letters, int32, (sequences, steps), or numbers with channels."""
    answers: Any
    """Indices, int32, (sequences, steps), or numbers; bits have channels."""
    lengths: Any
    """The length of each answer, int32, (sequences,)."""


@lru_cache(maxsize=4)
def parsed(path: str, digest: str) -> list[Line]:
    """Return the lines of files; read once, as long as the files are the same."""
    del digest
    return read_lines(Path(path))


def _split(lines: Sequence[Line], part: Part) -> list[Line]:
    """Return the lines of a part: those of its file, or a tenth of those for training."""
    said = {line.part for line in lines}
    own = [line for line in lines if line.part is None]
    order = np.random.default_rng(0).permutation(len(own))
    held: dict[Part, list[int]] = {}
    for place, name in enumerate(("test", "validation")):
        count = max(round(len(own) / HELD_OUT), 1)
        held[name] = [] if name in said else order[place * count : (place + 1) * count].tolist()
    if part != "training" and part in said:
        return [line for line in lines if line.part == part]
    if part != "training":
        return [own[i] for i in sorted(held[part])]
    others = {i for places in held.values() for i in places}
    return [line for i, line in enumerate(own) if i not in others]


def table_of(task: Described) -> Table:
    """Return the sequences of a task's part.

    Raises ExamplesError, naming file and line, if they are not what the task says they are.
    """
    return _table(task, stamp_of(Path(task.path)))


@lru_cache(maxsize=8)
def _table(task: Described, stamp: object) -> Table:
    del stamp  # files that have changed are read anew
    path = Path(task.path)
    digest = digest_of(path)
    if task.digest and digest != task.digest:
        raise ExamplesError(
            f"{path} has changed since this was set up; train anew, or test what it holds now "
            "with --task 'digest=\"\"'"
        )
    lines = parsed(task.path, digest)
    chosen = sorted(_split(lines, task.part), key=lambda line: len(line.input))
    if not chosen:
        raise ExamplesError(
            f"{path} has {len(lines)} sequence{'s' * (len(lines) > 1)}, and none is left for "
            f"{task.part}: three or more are needed, or files named test and validation"
        )
    longest = max(len(line.input) for line in chosen)
    channels = 1 if task.inputs_of == "letters" else task.input_channels
    if len(chosen) * longest * channels > MOST_NUMBERS:
        raise ExamplesError(
            f"{path}: {len(chosen):,} sequences of up to {longest:,} steps are too many to be "
            f"held padded; at most {MOST_NUMBERS:,} numbers are possible"
        )
    for line in chosen:
        _check(task, line)
    inputs = [_indices(x.input, task.letters[:-1], x.where, "letter") for x in chosen]
    answers = [_answer(task, x) for x in chosen]
    lengths = [len(x) for x in inputs]
    sizes, firsts, counts = np.unique(lengths, return_index=True, return_counts=True)
    return Table(
        sizes.astype(np.int32),
        firsts.astype(np.int32),
        counts.astype(np.int32),
        _padded(inputs, longest),
        _padded(answers, longest if task.at_once else task.longest_answer),
        np.array([len(x) for x in answers], np.int32),
    )


def _check(task: Described, line: Line) -> None:
    """Raise ExamplesError unless a line has the kinds, and the room, that the task has."""
    pairs: list[tuple[Any, str, int]] = [(line.input, task.inputs_of, task.input_channels)]
    if line.key == "output":
        pairs.append((line.answer, task.outputs_of, task.output_channels))
    of_output = task.outputs_of != "classes" and not task.at_once
    fits = (line.key == "output") == of_output and (line.key == "labels") == task.at_once
    for value, kind, width in pairs:
        letters = isinstance(value, str)
        fits = fits and letters == (kind == "letters")
        fits = fits and (letters or np.shape(value)[1] == width)
        fits = fits and (kind != "bits" or bool(np.isin(value, (0, 1)).all()))
    ends = task.outputs_of == "letters"
    if not fits or (not task.at_once and len(line.answer) + ends > task.longest_answer):
        raise ExamplesError(
            f"{line.where}: these are other sequences than those of training: of "
            f"{task.inputs_of}, with answers of {task.outputs_of}, of {task.longest_answer} "
            "steps at most"
        )


def _answer(task: Described, line: Line) -> np.ndarray:
    if task.outputs_of == "bits":
        return np.asarray(line.answer)
    if task.outputs_of == "reals":
        return np.asarray(line.answer)[:, 0]
    if task.outputs_of == "classes":
        return _indices(line.answer, task.answers, line.where, "label")
    return _indices([*line.answer, task.answers[-1]], task.answers, line.where, "letter")


def _indices(values: Any, known: Sequence[str], where: str, what: str) -> np.ndarray:
    """Return the places of letters or names among those known; numbers as they are."""
    if isinstance(values, np.ndarray):
        return values
    place = {name: i for i, name in enumerate(known)}
    strange = sorted({x for x in values if x not in place})
    if strange:
        raise ExamplesError(
            f"{where}: the {what} {strange[0]!r} was not there in training; known are "
            f"{' '.join(known)}"
        )
    return np.array([place[x] for x in values], np.int32)


def _padded(rows: Sequence[np.ndarray], length: int) -> np.ndarray:
    padded = np.zeros((len(rows), length, *rows[0].shape[1:]), rows[0].dtype)
    for row, into in zip(rows, padded, strict=True):
        into[: len(row)] = row[:length]
    return padded
