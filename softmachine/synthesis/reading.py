"""Files of examples as people have them: lines of JSON, one JSON document, or CSV."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from softmachine.core.errors import ExamplesError
from softmachine.core.files import parse_json
from softmachine.synthesis.pairs import Pairs, make_pairs
from softmachine.tasks.memories.remedies import OUTPUTS

INPUTS = ("input", "inputs", "in", "i", "x", "args", "arguments", "question", "before", "given")
"""Keys that hold all that goes in; other keys beside them are not used."""
SEVERAL = ("inputs", "args", "arguments")
"""Keys of a list of arguments."""
MEMORY_KEYS = ("mask", "size")
"""Keys that only memories have."""
SAMPLE = '{"inputs": [[3, 1, 2], 5], "output": [1, 2, 3]}'
"""A line as it could be."""


class Record(NamedTuple):
    """One example as it stands in a file."""

    line: int
    value: Any


def read_text(path: Path) -> str:
    """Return the text of a file of examples; ExamplesError if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ExamplesError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ExamplesError(f"{path}, line {line}: not UTF-8 text") from error


def holds_memories(text: str) -> bool:
    """Return whether a text says what memories become, and not what a function returns.

    That is so if any of its lines has a mask or a size, or if at least half of them are lists
    of integers from 0 on that end with 0 and become as many cells that end with 0.
    """
    lines = [line for line in text.split("\n") if line.strip()]
    ended = 0
    for line in lines:
        try:
            value = parse_json(line)
        except ValueError:
            continue
        if not isinstance(value, dict):
            continue
        if any(key in value for key in MEMORY_KEYS):
            return True
        ended += (
            set(value) == {"input", "output"}
            and all(
                isinstance(cells, list)
                and len(cells) == len(value["input"])
                and all(type(cell) is int and cell >= 0 for cell in cells)
                and cells[-1:] == [0]
                for cells in (value["input"], value["output"])
                if isinstance(value["input"], list)
            )
            and isinstance(value["input"], list)
        )
    return 0 < len(lines) <= 2 * ended


def read_pairs(path: Path) -> Pairs:
    """Return the examples of a file; ExamplesError names it and the line, if one is wrong."""
    text = read_text(path)
    try:
        if path.suffix.lower() in (".csv", ".tsv"):
            return parse_csv(text, tabs=path.suffix.lower() == ".tsv")
        return pairs_in(text)
    except ExamplesError as error:
        raise ExamplesError(f"{path}, {error}") from error


def pairs_in(text: str) -> Pairs:
    """Return the pairs of a text: an object or array a line, or one JSON document.

    >>> pairs_in('{"inputs": [[3, 1, 2], 5], "output": [1, 2, 3]}').signature
    'def program(items: list[int], k: int) -> list[int]'
    """
    return pairs_of(list(_records(text)))


def pairs_of(records: Sequence[Record], unit: str = "line") -> Pairs:
    """Return pairs from objects or arrays, each with its line."""
    if not records:
        raise ExamplesError(f"{unit} 1: there are no examples; a line could be {SAMPLE}")
    found, unused = [], dict[str, int]()
    names: list[str] | None = None
    for line, value in records:
        try:
            named, output, others = _call(value)
        except ValueError as error:
            raise ExamplesError(f"{unit} {line}: {error}; a line could be {SAMPLE}") from error
        for key in others:
            unused.setdefault(key, line)
        if names is None:
            names = [*named]
        if set(named) != set(names) and len(named) == len(names):
            raise ExamplesError(
                f"{unit} {line}: its keys are {', '.join(named)}, those of {unit} "
                f"{records[0].line} {', '.join(names)}"
            )
        inputs = (
            [named[key] for key in names] if set(named) == set(names) else [*named.values()]
        )
        found.append((line, inputs, output))
    assert names is not None
    keys = names
    found, names = _spread(found, names)
    keys = ["inputs"] if names != keys or keys == ["inputs"] else keys
    remarks = [f"The key {key!r} is not used." for key in unused]
    return make_pairs(found, names, remarks=remarks, unit=unit, keys=keys)


def _spread(found, names: list[str]):
    """Return calls with a list of arguments spread, where one key holds all arguments."""
    if len(names) != 1:
        return found, names
    values = [inputs[0] for _, inputs, _ in found]
    if not all(isinstance(value, list) for value in values):
        return found, names
    if names[0] not in SEVERAL:
        if all(len(value) == 1 and isinstance(value[0], list) for value in values):
            return [(line, inputs[0], output) for line, inputs, output in found], names
        if all(any(isinstance(part, list) for part in value) for value in values):
            names = ["inputs"]  # a list of arguments under another key
        else:
            return found, names
    nested = any(isinstance(part, list) for value in values for part in value)
    if not nested and len({len(value) for value in values}) > 1:
        return found, names  # one list, of several lengths
    longest = max(map(len, values))
    spread = [(line, inputs[0], output) for line, inputs, output in found]
    return spread, [f"input{i + 1}" for i in range(longest)]


def _call(value: Any) -> tuple[dict[str, Any], Any, list[str]]:
    """Return the arguments by name, the answer, and keys that are not used."""
    if isinstance(value, list):
        if len(value) != 2:
            raise ValueError(f"expected an input and an output, not {len(value)} values")
        return {"inputs" if _is_call(value[0]) else "input": value[0]}, value[1], []
    if not isinstance(value, dict):
        raise ValueError(f"expected an object with input and output, not {str(value)[:40]!r}")
    outputs = [key for key in value if OUTPUTS.fullmatch(key.lower())]
    if not outputs:
        keys = f"its keys are {', '.join(map(repr, value))[:60]}" if value else "it is empty"
        raise ValueError(f"there is no output; {keys}")
    if len(outputs) > 1:
        raise ValueError(
            f"{' and '.join(map(repr, outputs[:3]))} are both outputs; a function has "
            "one answer"
        )
    whole = [key for key in value if key.lower() in INPUTS]
    if len(whole) == 1:
        inside = value[whole[0]]
        others = [key for key in value if key not in (*whole, *outputs)]
        if isinstance(inside, dict):
            return inside, value[outputs[0]], others
        return {whole[0].lower(): inside}, value[outputs[0]], others
    named = {key: part for key, part in value.items() if key not in outputs}
    if not named:
        raise ValueError("there is an output, and no input")
    return named, value[outputs[0]], []


def _is_call(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(part, list) for part in value)


def _records(text: str) -> Iterator[Record]:
    """Yield the examples of a text, each with its line."""
    whole = _document(text)
    if whole is not None:
        yield from whole
        return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield Record(number, _decode(line, number))


def _decode(line: str, number: int) -> Any:
    try:
        return parse_json(line)
    except json.JSONDecodeError as error:
        raise ExamplesError(
            f"line {number}: not JSON: {error.msg} at column {error.colno}; a line could be "
            f"{SAMPLE}"
        ) from error
    except ValueError as error:
        raise ExamplesError(f"line {number}: {str(error)[:120]}") from error


def _document(text: str) -> list[Record] | None:
    """Return the examples of a text that is one JSON value; None if it is lines of values."""
    try:
        value = parse_json(text)
    except ValueError:
        return None
    if isinstance(value, dict) and _is_example(value):
        return None  # a single line
    if isinstance(value, list) and len(value) == 2 and not any(map(_is_example, value)):
        return None  # a single pair
    found: list[Any] = []
    _collect(value, found)
    if not found:
        return None
    return _with_lines(text, found)


def _is_example(value: Any) -> bool:
    if isinstance(value, list):
        return len(value) == 2 and isinstance(value[0], list)
    return isinstance(value, dict) and any(OUTPUTS.fullmatch(key.lower()) for key in value)


def _collect(value: Any, found: list[Any]) -> None:
    """Add all examples inside nested objects and arrays, in their order."""
    if isinstance(value, list) and value and all(map(_is_example, value)):
        found += value
    elif isinstance(value, list) and any(isinstance(x, dict) for x in value):
        found += value  # one of them is malformed, which will be said
    elif isinstance(value, dict):
        for part in value.values():
            if isinstance(part, list | dict):
                _collect(part, found)


def _with_lines(text: str, found: list[Any]) -> list[Record]:
    """Return examples with the lines on which they begin in the text."""
    decoder, at, records = json.JSONDecoder(), 0, []
    for value in found:
        opening = "[" if isinstance(value, list) else "{"
        while (at := text.find(opening, at)) >= 0:
            try:
                candidate, end = decoder.raw_decode(text, at)
            except ValueError:
                at += 1
                continue
            if candidate == value:
                records.append(Record(text.count("\n", 0, at) + 1, value))
                at = end
                break
            at += 1
        else:
            records.append(Record(len(records) + 1, value))
    return records


def parse_csv(text: str, *, tabs: bool = False) -> Pairs:
    r"""Return the pairs of a table: a column for each argument, and the answer.

    The first line may name the columns; the answer is the one that is called output (or y,
    answer, result, ...), else the last. Lists are written ``3 1 2``, ``3;1;2`` or
    ``[3, 1, 2]``.

    >>> parse_csv("items,k,output\n3 1 2,5,1 2 3\n").signature
    'def program(items: list[int], k: int) -> list[int]'
    """
    first = next((line for line in text.split("\n") if line.strip()), "")
    bare = re.sub(r"\[[^\]]*\]|\"[^\"]*\"", "", first)
    comma = "\t" if tabs or "\t" in bare else "," if "," in bare else ";"
    reader = csv.reader(io.StringIO(text), delimiter=comma, skipinitialspace=True)
    rows = []
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append((reader.line_num, [cell.strip() for cell in row]))
    except csv.Error as error:
        raise ExamplesError(f"line {reader.line_num}: not CSV: {error}") from error
    if not rows:
        raise ExamplesError("line 1: there are no examples")
    names = rows[0][1]
    headed = all(re.fullmatch(r"[A-Za-z_][\w ]*", name) for name in names)
    headed = headed and len(set(names)) == len(names) and len(rows) > 1
    if headed and not any(OUTPUTS.fullmatch(name.lower()) for name in names):
        # Words may be texts; they are names if something in their columns is none.
        headed = any(isinstance(_cell(cell), int | list) for _, row in rows[1:] for cell in row)
    if headed:
        rows = rows[1:]
    width = len(names)
    for line, row in rows:
        if len(row) != width:
            raise ExamplesError(
                f"line {line}: ragged: it has {len(row)} columns, line "
                f"{1 if headed else rows[0][0]} has {width}; write lists with spaces, 3 1 2, "
                "or in quotes"
            )
    if width < 2:
        raise ExamplesError(f"line {rows[0][0]}: one column; at least an input and an output")
    if not headed:
        names = [f"input{i + 1}" for i in range(width - 1)] + ["output"]
    found = [i for i, name in enumerate(names) if OUTPUTS.fullmatch(name.lower())]
    place = found[-1] if found else width - 1
    columns = _columns([row for _, row in rows], width)
    calls = []
    for i, (line, _) in enumerate(rows):
        values = [column[i] for column in columns]
        calls.append((line, values[:place] + values[place + 1 :], values[place]))
    return make_pairs(calls, names[:place] + names[place + 1 :])


def _columns(rows: Sequence[Sequence[str]], width: int) -> list[list[Any]]:
    """Return the values by column; where some are lists, single numbers are lists of one."""
    columns = []
    for place in range(width):
        values = [_cell(row[place]) for row in rows]
        if any(isinstance(value, list) for value in values):
            empty = {"": []}
            values = [
                [value]
                if isinstance(value, int)
                else empty.get(value, value)  # pyright: ignore
                if isinstance(value, str)
                else value
                for value in values
            ]
        columns.append(values)
    return columns


def _cell(text: str) -> Any:
    """Return the value of a cell: a number, a list, or a text."""
    if text.startswith("["):
        try:
            return parse_json(text)
        except ValueError:
            inner = text.strip("[]")
            return _cell(inner) if re.search(r"[ ;,]", inner) else text
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if re.fullmatch(r"[+-]?\d{1,4000}", text):
        return int(text)
    if re.fullmatch(r"[+-]?(\d+\.\d*|\.\d+)([eE][+-]?\d+)?|[+-]?\d+[eE][+-]?\d+", text):
        return float(text)
    parts = re.split(r"[\s;,]+", text.strip())
    if len(parts) > 1 and all(re.fullmatch(r"[+-]?\d{1,4000}", part) for part in parts):
        return list(map(int, parts))
    return text
