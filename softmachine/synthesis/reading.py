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
from softmachine.tasks.memories.examples import read_text
from softmachine.tasks.memories.remedies import OUTPUTS

INPUTS = ("input", "inputs", "in", "i", "x", "args", "arguments", "question", "before", "given")
"""Keys that hold all that goes in; other keys beside them are not used."""
LETTERS = ("i", "x", "o", "y")
"""Keys of an input or an answer that may be names of arguments, too, where there are others."""
SEVERAL = ("inputs", "args", "arguments")
"""Keys of a list of arguments."""
MOST_DIGITS = 4_100
"""Digits of a number in a table that are read; it is too large anyway."""
SAMPLE = '{"inputs": [[3, 1, 2], 5], "output": [1, 2, 3]}'
"""A line as it could be."""


class Record(NamedTuple):
    """One example as it stands in a file."""

    line: int
    """That of the file, or the number of the example; see `Pair.line`."""
    value: Any


def holds_memories(text: str) -> bool:
    """Return whether a text says what memories become, and not what a function returns.

    That is so if any of its examples has a mask, or a size beside nothing but an input and an
    output, or if at least half of them are lists of integers from 0 on that end with 0 and
    become as many cells that end with 0.
    """
    records = _document(text)
    if records is None:
        values = [_readable(line) for line in text.split("\n") if line.strip()]
    else:
        values = [record.value for record in records]
    objects = [value for value in values if isinstance(value, dict)]
    if any(map(_is_memory, objects)):
        return True
    return 0 < len(values) <= 2 * sum(map(_is_ended, objects))


def _readable(line: str) -> Any:
    """Return the value of a line; None if it is no JSON."""
    try:
        return parse_json(line)
    except ValueError:
        return None


def _is_memory(value: dict[str, Any]) -> bool:
    """Return whether an example has a key that memories have, and that is no argument."""
    others = [key.lower() for key in value if key != "size"]
    known = all(key in INPUTS or OUTPUTS.fullmatch(key) for key in others)
    return "mask" in value or ("size" in value and known)


def _is_ended(value: dict[str, Any]) -> bool:
    """Return whether an example is of a list that ends with 0 before and afterwards."""
    lists = [*value.values()]
    return (
        set(value) == {"input", "output"}
        and all(isinstance(cells, list) and cells[-1:] == [0] for cells in lists)
        and all(type(cell) is int and cell >= 0 for cells in lists for cell in cells)
        and len(lists[0]) == len(lists[1])
    )


def read_pairs(path: Path, text: str | None = None) -> Pairs:
    """Return the examples of a file; ExamplesError names it and the line, if one is wrong.

    ``text``: what the file holds, if it has been read: what is piped is there once.
    """
    text = read_text(path) if text is None else text
    try:
        if path.suffix.lower() in (".csv", ".tsv"):
            return parse_csv(text, tabs=path.suffix.lower() == ".tsv")
        return pairs_in(text)
    except ExamplesError as error:
        raise ExamplesError(f"{path}, {error}") from error


def pairs_in(text: str) -> Pairs:
    """Return the pairs of a text: an object or array a line, or one JSON document.

    Where several stand on one line of a document, messages count examples in place of lines.

    >>> pairs_in('{"inputs": [[3, 1, 2], 5], "output": [1, 2, 3]}').signature
    'def program(items: list[int], k: int) -> list[int]'
    """
    records = _document(text)
    if records is None:
        return pairs_of([*_lines(text)])
    if len({record.line for record in records}) == len(records):
        return pairs_of(records)
    numbered = [Record(i, record.value) for i, record in enumerate(records, 1)]
    return pairs_of(numbered, "example")


def pairs_of(records: Sequence[Record], unit: str = "line") -> Pairs:
    """Return pairs from objects or arrays, each with its line."""
    if not records:
        raise ExamplesError(f"{unit} 1: there are no examples; a line could be {SAMPLE}")
    found, unused = [], dict[str, int]()
    names: list[str] | None = None
    for line, value in records:
        try:
            named, output, others = _call(value)
            if not named:
                raise ValueError("there is an output, and no input")
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
        raise ValueError(
            f"expected an object with input and output, not {json.dumps(value)[:40]}"
        )
    whole = [key for key in value if key.lower() in INPUTS]
    outputs = _outputs([*value], told=any(key.lower() not in LETTERS for key in whole))
    if not outputs:
        keys = f"its keys are {', '.join(map(repr, value))[:60]}" if value else "it is empty"
        raise ValueError(f"there is no output; {keys}")
    others = [key for key in value if key not in (*whole, *outputs)]
    if len(whole) == 1 and not (others and whole[0].lower() in LETTERS):
        inside = value[whole[0]]
        if isinstance(inside, dict):
            return inside, value[outputs[0]], others
        return {whole[0].lower(): inside}, value[outputs[0]], others
    named = {key: part for key, part in value.items() if key not in outputs}
    return named, value[outputs[0]], []


def _outputs(keys: Sequence[str], *, told: bool = False) -> list[str]:
    """Return the key of the answer; none if there is none.

    ``told``: whether there is a key of the input, so that ``y`` cannot be an argument.

    Raises ValueError if there are several.
    """
    found = [key for key in keys if OUTPUTS.fullmatch(key.lower())]
    words = [key for key in found if key.lower() not in LETTERS]
    if len(words) == 1 and not told:
        found = words
    if len(found) > 1:
        raise ValueError(
            f"{' and '.join(map(repr, found[:3]))} are both outputs; a function has one answer"
        )
    return found


def _is_call(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(part, list) for part in value)


def _lines(text: str) -> Iterator[Record]:
    """Yield the examples of a text that has one a line."""
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
    """Return the examples of a text that is one JSON value; None if it is lines of values.

    Each is given with the line on which it begins.
    """
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
        opening, begin = "[" if isinstance(value, list) else "{", at
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
            at = begin  # behind the one before
            records.append(Record(text.count("\n", 0, at) + 1, value))
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
    (top, names), *under = rows
    headed = _is_head(names, [row for _, row in under])
    if headed:
        rows = under
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise ExamplesError(f"line {top}: two columns are called {twice[0]!r}")
        if not rows:
            raise ExamplesError(f"line {top}: names of columns, and no examples below them")
    width = len(names)
    for line, row in rows:
        if len(row) != width:
            raise ExamplesError(
                f"line {line}: ragged: it has {len(row)} columns, line {top} has {width}; "
                "write lists with spaces, 3 1 2, or in quotes"
            )
    if width < 2:
        raise ExamplesError(f"line {top}: one column; at least an input and an output")
    if not headed:
        names = [f"input{i + 1}" for i in range(width - 1)] + ["output"]
    try:
        found = _outputs(names)
    except ValueError as error:
        raise ExamplesError(f"line {top}: {error}") from error
    place = names.index(found[0]) if found else width - 1
    columns = _columns(rows, names)
    calls = []
    for i, (line, _) in enumerate(rows):
        values = [column[i] for column in columns]
        calls.append((line, values[:place] + values[place + 1 :], values[place]))
    return make_pairs(calls, names[:place] + names[place + 1 :], table=(comma, place))


def _is_head(names: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Return whether a table's first line names its columns, and is not an example itself."""
    if not all(isinstance(_cell(name), str) and name for name in names):
        return False
    if any(OUTPUTS.fullmatch(name.lower()) for name in names):
        return bool(rows) or len(names) > 1
    # Words may be texts; they are names if something in their columns is none.
    return any(not isinstance(_cell(cell), str) for row in rows for cell in row)


def _columns(
    rows: Sequence[tuple[int, Sequence[str]]], names: Sequence[str]
) -> list[list[Any]]:
    """Return the values by column; where some are lists, single numbers are lists of one.

    Raises ExamplesError for an empty cell among numbers.
    """
    columns = []
    for place, name in enumerate(names):
        values = [_cell(row[place]) for _, row in rows]
        if any(isinstance(value, list) for value in values):
            values = [[] if value == "" else value for value in values]
            values = [[value] if isinstance(value, int) else value for value in values]
        elif "" in values and not all(isinstance(value, str) for value in values):
            raise ExamplesError(
                f"line {rows[values.index('')][0]}: the cell of {name} is empty"
            )
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
    if re.fullmatch(r"[+-]?\d+", text):
        return int(text[:MOST_DIGITS])
    if re.fullmatch(r"[+-]?(\d+\.\d*|\.\d+)([eE][+-]?\d+)?|[+-]?\d+[eE][+-]?\d+", text):
        return float(text)
    parts = re.split(r"[\s;,]+", text.strip())
    if len(parts) > 1 and all(re.fullmatch(r"[+-]?\d+", part) for part in parts):
        return [int(part[:MOST_DIGITS]) for part in parts]
    return text
