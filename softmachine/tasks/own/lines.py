"""Files of a person's own sequences: lines of JSON, or CSV; each error names its line."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from softmachine.core.errors import ExamplesError
from softmachine.core.files import parse_json

Part = Literal["training", "validation", "test"]
"""The parts that sequences are split into."""
ANSWERS = ("output", "label", "labels")
"""The keys of which a line has one, besides ``input``."""
ENDINGS = (".jsonl", ".csv")
"""How the names of files end."""
OF_PART: dict[str, Part] = {"validation": "validation", "test": "test"}
"""The names of files, without their ending, that are not for training."""
VALID = '{"input": "abc", "output": "cba"}'

Numbers = Float[np.ndarray, "steps channels"]


class Line(NamedTuple):
    """One sequence, and what is wanted for it."""

    where: str
    """File and line, for errors."""
    part: Part | None
    """The part that the file is for, None if nobody said."""
    input: str | Numbers
    """Letters, or numbers, a row for each step."""
    key: str
    """Which of `ANSWERS` the line has."""
    answer: str | Numbers | tuple[str, ...]
    """Letters or numbers of an ``output``; the name of a ``label``, alone; those of ``labels``,
    one for each step."""


def files_of(path: Path) -> list[Path]:
    """Return the files of sequences at a path: itself, or those in the folder, by name.

    Raises ExamplesError if there are none.
    """
    if not path.exists():
        raise ExamplesError(f"{path} does not exist; it should be a .jsonl or .csv file")
    if not path.is_dir():
        return [path]
    found = [x for x in sorted(path.iterdir()) if x.suffix in ENDINGS and x.name[0] != "."]
    if not found:
        raise ExamplesError(f"{path} has no .jsonl or .csv file; each line is like {VALID}")
    return found


def digest_of(path: Path) -> str:
    """Return 16 hexadecimal digits that change when the files at a path do."""
    total = hashlib.sha256()
    for file in files_of(path):
        content = _bytes(file)
        total.update(f"{file.suffix}{_part(file)}{len(content)}".encode())
        total.update(content)
    return total.hexdigest()[:16]


def stamp_of(path: Path) -> tuple[tuple[str, int, int], ...]:
    """Return names, times of change and sizes of the files at a path; quick to compare."""
    stats = [(file.name, file.stat()) for file in files_of(path)]
    return tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in stats)


def read_lines(path: Path) -> list[Line]:
    """Return all sequences of a file, or of a folder of files.

    Raises ExamplesError, naming file and line, for what is malformed, and for a line that does
    not have what the first line has: the same kinds of input and answer.
    """
    lines = [line for file in files_of(path) for line in _lines_of(file)]
    if not lines:
        raise ExamplesError(f"{path}: there are no sequences; a valid line is {VALID}")
    for line in lines[1:]:
        for mine, first in zip(_kinds(line), _kinds(lines[0]), strict=True):
            if mine != first:
                raise ExamplesError(
                    f"{line.where}: it has {mine}, but {lines[0].where} has {first}; all "
                    "lines have the same kinds"
                )
    return lines


def parse_input(value: Any, name: str = "input") -> str | Numbers:
    """Return a sequence that a JSON value holds; ValueError if it holds none.

    >>> parse_input([0, 1.5]).tolist()
    [[0.0], [1.5]]
    """
    if isinstance(value, str) and value:
        return value
    if not isinstance(value, list) or not value:
        raise ValueError(
            f"{name} must be a string, a list of numbers, or a list of rows of numbers, not "
            f"{_show(value)}"
        )
    rows = value if isinstance(value[0], list) else [[x] for x in value]
    for place, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(rows[0]) or not row:
            raise ValueError(
                f"{name}[{place}] must be a row of {len(rows[0])} numbers, as {name}[0] is, "
                f"not {_show(row)}"
            )
        for number in row:
            if not _is_number(number):
                raise ValueError(f"{name}[{place}] must hold numbers, not {_show(number)}")
    return np.array(rows, np.float32)


def _lines_of(file: Path) -> Iterator[Line]:
    try:
        text = _bytes(file).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = error.object.count(b"\n", 0, error.start) + 1
        raise ExamplesError(f"{file}, line {number}: not UTF-8 text") from error
    rows = _csv_rows(file, text) if file.suffix == ".csv" else _json_rows(file, text)
    number = 1
    try:
        for number, value in rows:
            yield _line(value, f"{file}, line {number}", _part(file))
    except ValueError as error:
        if isinstance(error, ExamplesError):
            raise
        raise ExamplesError(f"{file}, line {number}: {error}") from error


def _json_rows(file: Path, text: str) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            yield number, parse_json(line)
        except (ValueError, RecursionError) as error:
            what = error.msg if isinstance(error, json.JSONDecodeError) else error
            raise ExamplesError(
                f"{file}, line {number}: not JSON: {what}; a valid line is {VALID}"
            ) from error


def _csv_rows(file: Path, text: str) -> Iterator[tuple[int, Any]]:
    """Yield the rows below the header; a cell that is a list in JSON is one."""
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [*(reader.fieldnames or [])]
        if "input" not in header or sum(key in header for key in ANSWERS) != 1:
            raise ExamplesError(
                f"{file}, line 1: the header must name the columns input and one of "
                f"{', '.join(ANSWERS)}, not {_show(','.join(header))}"
            )
        if len({*header}) < len(header):
            raise ExamplesError(f"{file}, line 1: the header names a column twice")
        for row in reader:
            if None in row or None in row.values():
                raise ValueError(f"it has not {len(header)} cells, as the header has")
            yield reader.line_num, {key: _cell(text) for key, text in row.items()}
    except ExamplesError:
        raise
    except (ValueError, csv.Error) as error:
        where = f"{file}, line {max(reader.line_num, 1)}"
        raise ExamplesError(f"{where}: {error}") from error


def _cell(text: str) -> Any:
    if text.startswith("["):
        try:
            return parse_json(text)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{_show(text)} is no list in JSON: {error}") from error
    return text


def _line(value: Any, where: str, part: Part | None) -> Line:
    """Return the sequence of a line; ValueError if it is malformed."""
    if not isinstance(value, dict) or "input" not in value:
        raise ValueError(f"expected an object with input and an answer, such as {VALID}")
    unknown = sorted(value.keys() - {"input", *ANSWERS})
    if unknown:
        raise ValueError(
            f"unknown key {_show(unknown[0])}; the keys are input and one of "
            f"{', '.join(ANSWERS)}"
        )
    keys = [key for key in ANSWERS if key in value]
    if len(keys) != 1:
        raise ValueError(f"expected one of the keys {', '.join(ANSWERS)}, not {len(keys)}")
    [key], given = keys, parse_input(value["input"])
    answer: Any = value[key]
    if key == "output":
        answer = parse_input(answer, key)
    elif key == "label":
        answer = (_name(answer, key),)
    else:
        answer = tuple(_name(x, key) for x in _several(answer, len(given)))
    return Line(where, part, given, key, answer)


def _several(value: Any, steps: int) -> Sequence[Any]:
    if not isinstance(value, (str, list)):
        raise ValueError(f"labels must be a string or a list, not {_show(value)}")
    if len(value) != steps:
        raise ValueError(
            f"ragged: input has {steps} steps, labels are {len(value)}; there must be one for "
            "each step"
        )
    return value


def _name(value: Any, key: str) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int)) or value == "":
        raise ValueError(f"{key} must be a name or a whole number, not {_show(value)}")
    return str(value)


def _kinds(line: Line) -> tuple[str, str]:
    """Return in words what the input and the answer of a line are."""
    what = _kind(line.answer) if line.key == "output" else "names"
    return f"{_kind(line.input)} as input", f"{what} as {line.key}"


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return "letters"
    return f"rows of {value.shape[1]} number{'s' * (value.shape[1] > 1)}"


def _is_number(value: Any) -> bool:
    return (
        not isinstance(value, bool)
        and isinstance(value, (int, float))
        and abs(value) < 1e30
        and math.isfinite(value)
    )


def _part(file: Path) -> Part | None:
    return OF_PART.get(file.stem)


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ExamplesError(f"{file} cannot be read: {error.strerror}") from error


def _show(value: Any, most: int = 40) -> str:
    if isinstance(value, int) and abs(value) > 10**18:
        return "a number of more than 18 digits"
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]}..."
