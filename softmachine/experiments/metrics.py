"""The metrics file of a run: one JSON line per validation, verified against the checkpoint."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from softmachine.core.errors import SoftmachineWarning
from softmachine.core.files import replacing
from softmachine.experiments.progress import Extent

Line = dict[str, Any]
"""The metrics of one validation: numbers by name."""


class MetricsFile:
    """The file ``metrics.jsonl`` of a run: one line per validation."""

    def __init__(self, path: Path, names: Sequence[str] = ()) -> None:
        """Open the file at ``path``, which need not exist yet.

        ``names`` are the metrics that every line has, besides ``step`` and ``sequences``.
        """
        self.path = path
        self.names = ("step", "sequences", *names)

    def append(self, line: Line) -> None:
        """Append a line."""
        with open(self.path, "ab") as file:
            file.write(_encode(line))

    def extent(self, line: Line | None) -> Extent:
        """Return length and checksum of the file, without ``line`` if that is its last line.

        The file is flushed to disk first.
        """
        try:
            with open(self.path, "rb") as file:
                data = file.read()
                os.fsync(file.fileno())
        except FileNotFoundError:
            data = b""
        data = data.removesuffix(b"" if line is None else _encode(line))
        return Extent(bytes=len(data), sha256=_sha256(data))

    def line_at(self, step: int) -> Line | None:
        """Return the line of update ``step``; None if there is no readable one."""
        lines, _ = _parse(self._read(), self.names)
        return next((line for line, _ in reversed(lines) if line["step"] == step), None)

    def lines(self, extent: Extent | None, line: Line | None = None) -> list[Line]:
        """Return the readable lines, oldest first.

        Warns of unreadable lines, except for a last line that was cut off. Warns also if the
        beginning of the file does not match the last checkpoint, given by its ``extent`` and
        its ``line``, or if an update occurs twice.
        """
        data = self._read()
        lines, unreadable = _parse(data, self.names)
        if unreadable:
            _warn(f"{_places(self.path, unreadable)} cannot be read: left out")
        elif not _begins(data, extent, line) or not _rises(line["step"] for line, _ in lines):
            _warn(f"{self.path} was changed or damaged: it does not match the checkpoint")
        return [line for line, _ in lines]

    def restore(self, step: int, extent: Extent | None, line: Line | None) -> bool:
        """Cut the file back to the state it had at a checkpoint; return if it was damaged.

        Later lines are dropped: training will write them again. A damaged file is kept under
        another name, with a warning, and its readable lines are carried over.

        Arguments:
            step: the number of updates at the checkpoint.
            extent: length and checksum of the file before ``line``; None for an old
                checkpoint, which does not hold them.
            line: the last line at the checkpoint; None to leave it out.
        """
        data = self._read()
        lines, unreadable = _parse(data, self.names)
        damaged = not _begins(data, extent) or bool(extent is None and unreadable)
        if damaged:
            aside = self._put_aside(data)
            _warn(
                f"{self.path} was changed or damaged: it is kept as {aside.name}, and its "
                "readable lines go on"
                if data
                else f"{self.path} is gone: its lines up to update {step} are lost"
            )
        if extent is not None and not damaged:
            kept = data[: extent.bytes]
        else:
            kept = b"".join(text + b"\n" for found, text in lines if found["step"] < step)
        kept += b"" if line is None else _encode(line)
        if kept != data:
            with replacing(self.path) as temporary:
                temporary.write_bytes(kept)
        return damaged

    def _put_aside(self, data: bytes) -> Path:
        number = 1
        while (aside := self.path.with_name(f"metrics-damaged-{number}.jsonl")).exists():
            number += 1
        if data:
            with replacing(aside) as temporary:
                temporary.write_bytes(data)
        return aside

    def _read(self) -> bytes:
        return self.path.read_bytes() if self.path.exists() else b""


def _encode(line: Line) -> bytes:
    return json.dumps(line).encode() + b"\n"


def is_line(value: Any, names: Sequence[str] = ()) -> bool:
    """Return whether a JSON value is a line of metrics: numbers by name, with these names.

    Others may be null: ratios of nothing.
    """
    return (
        isinstance(value, dict)
        and all(value.get(name) is not None for name in names)
        and all(x is None or isinstance(x, (int, float)) for x in value.values())
    )


def _parse(data: bytes, names: Sequence[str]) -> tuple[list[tuple[Line, bytes]], list[int]]:
    """Return the readable lines with their text, and the numbers of the unreadable ones.

    A last line without its end, as a killed process may leave it, is in neither list.
    """
    *texts, _torn = data.split(b"\n")
    values = []
    for text in texts:
        try:
            values.append(json.loads(text))
        except (ValueError, RecursionError):
            values.append(None)
    # All lines of a run have the same names: a line with other names is damaged.
    scores = Counter(_scores(value) for value in values if is_line(value, names))
    usual = scores.most_common(1)[0][0] if scores else None
    lines, unreadable = [], []
    for number, (text, value) in enumerate(zip(texts, values, strict=True), 1):
        if is_line(value, names) and _scores(value) == usual:
            lines.append((value, text))
        else:
            unreadable.append(number)
    return lines, unreadable


def _scores(line: Line) -> frozenset[str]:
    return frozenset(name for name in line if name == "level" or name.startswith("validation_"))


def _begins(data: bytes, extent: Extent | None, line: Line | None = None) -> bool:
    if extent is None:
        return True
    begin = data[: max(extent.bytes, 0)]
    same = len(begin) == extent.bytes and _sha256(begin) == extent.sha256
    return same and (line is None or data[extent.bytes :].startswith(_encode(line)))


def _rises(steps: Iterable[float]) -> bool:
    return all(a < b for a, b in itertools.pairwise(steps))


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _places(path: Path, numbers: list[int]) -> str:
    more = f" and {len(numbers) - 1} more" if len(numbers) > 1 else ""
    return f"{path}: line {numbers[0]}{more}"


def _warn(message: str) -> None:
    warnings.warn(message, SoftmachineWarning, stacklevel=3)
