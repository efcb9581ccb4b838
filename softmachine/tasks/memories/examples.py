"""A user's own examples: lines of JSON, checked; each error names its line."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from softmachine.core.errors import ExamplesError
from softmachine.core.files import parse_json
from softmachine.tasks.memories.remedies import remedy

MOST_CELLS = 4096
"""The largest number of cells that an example may need."""
LEAST_CELLS = 3
"""The smallest number of cells of a memory: enough for the constants 0, 1 and 2."""
KEYS = ("input", "output", "mask", "size")
"""The keys that a line of a file may have."""


@dataclasses.dataclass(frozen=True)
class GivenExample:
    """One example from a user's file: a memory before and after."""

    line: int
    """The number of its line in the file, counted from 1."""
    before: tuple[int, ...]
    """The initial memory, the line's ``input``."""
    after: tuple[int, ...]
    """The target memory, the line's ``output``."""
    scored: tuple[bool, ...]
    """Which cells of ``after`` are scored, the line's ``mask``."""
    size: int
    """The size; the number of cells if the line has none."""

    @property
    def target(self) -> tuple[int, ...]:
        """The target memory with 0 in the cells that are not scored."""
        return tuple(v * counts for v, counts in zip(self.after, self.scored, strict=True))

    @property
    def cells_needed(self) -> int:
        """The smallest M for which the example has at most M cells and all values in 0..M-1."""
        return max(LEAST_CELLS, len(self.before), 1 + max(self.before), 1 + max(self.target))

    def is_right(self, answer: Sequence[int]) -> bool:
        """Return whether an answer has the target value in every scored cell."""
        cells = zip(self.after, answer, self.scored, strict=True)
        return all(value == found for value, found, counts in cells if counts)

    def with_zeros(self, count: int) -> GivenExample:
        """Return the example with zeros behind it, which are not scored."""
        zeros = (0,) * count
        return dataclasses.replace(
            self,
            before=self.before + zeros,
            after=self.after + zeros,
            scored=self.scored + (False,) * count,
        )

    def to_json(self) -> str:
        """Return the example as a line of JSON, with mask and size."""
        value = {
            "input": self.before,
            "output": self.after,
            "mask": [int(counts) for counts in self.scored],
            "size": self.size,
        }
        return json.dumps(value, separators=(",", ":"))


class ReadExamples(NamedTuple):
    """The examples of a file."""

    examples: Sequence[GivenExample]
    repeated: int
    """The number of lines that repeat an earlier one; they are left out."""


def extent(cells: Sequence[int]) -> int:
    """Return the largest value or index among cells, trailing zeros left out; at least 1.

    ``extent(cells) + 1`` is the smallest M for which the cells are a memory with values in
    0..M-1.
    """
    return max(1, len(_without_zeros(tuple(cells))) - 1, *cells)


def check_cells(cells: Any, name: str = "input") -> None:
    """Raise ExamplesError unless this is a non-empty list of integers from 0 on."""
    try:
        _integers({name: list(cells) if isinstance(cells, tuple) else cells}, name)
    except ValueError as error:
        raise ExamplesError(str(error)) from error


def read_text(path: Path) -> str:
    """Return the text of a file of examples; ExamplesError if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ExamplesError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ExamplesError(f"{path}, line {line}: not UTF-8 text") from error


def read_examples(path: Path, text: str | None = None) -> ReadExamples:
    """Return the examples of a file; see `parse_examples`.

    ``text``: what the file holds, if it has been read: what is piped is there once.

    Raises ExamplesError, naming file and line, if it cannot be read or is malformed.
    """
    text = read_text(path) if text is None else text
    try:
        examples = parse_examples(text)
    except ExamplesError as error:
        raise ExamplesError(f"{path}, {error}") from error
    lines = sum(1 for line in text.split("\n") if line.strip())
    return ReadExamples(examples, lines - len(examples))


@lru_cache(maxsize=4)
def parse_examples(text: str) -> Sequence[GivenExample]:
    """Return the examples of a text, one JSON object a line.

    An object has ``input`` and ``output``, equally long arrays of integers from 0 on. It may
    have ``mask``, an array of the same length with 1 for the cells of the output that are
    scored (by default all), and ``size``, an integer from 1 on (by default the number of
    cells). Blank lines and repeated examples are left out.

    Raises:
        ExamplesError: a line is malformed or contradicts an earlier one, or there are no lines.

    >>> [example] = parse_examples('{"input": [2, 0], "output": [3, 0], "mask": [1, 0]}')
    >>> example.after, example.scored, example.size, example.cells_needed
    ((3, 0), (True, False), 2, 4)
    """
    examples: list[GivenExample] = []
    # Memories are padded with zeros, so inputs that differ in trailing zeros are the same.
    known: dict[tuple[int, ...], dict[int, tuple[int, int]]] = {}
    seen: set[tuple[Any, ...]] = set()
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            example = _parse(line, number)
        except ValueError as error:
            if number == 1:
                _refuse_document(text)
            raise ExamplesError(f"line {number}: {error}") from error
        _note(example, known.setdefault(_without_zeros(example.before), {}))
        says = (example.before, example.scored, example.size)
        if says not in seen:
            seen.add(says)
            examples.append(example)
    if not examples:
        raise ExamplesError(f"line 1: there are no examples; a valid line is {remedy(None)}")
    return examples


def _parse(line: str, number: int) -> GivenExample:
    """Return the example of one line; ValueError if the line is malformed."""
    try:
        value = parse_json(line)
    except json.JSONDecodeError as error:
        what = f"not JSON: {error.msg} at column {error.colno}"
        raise ValueError(f"{what}; a valid line is {remedy(None)}") from error
    try:
        before, after, scored = _memories(value)
    except ValueError as error:
        raise ValueError(f"{error}; write {remedy(value)}") from error
    for name, cells in (("output", after), ("mask", scored)):
        if len(cells) != len(before):
            such = f"; write {remedy(value)}" if name == "output" else ""
            raise ValueError(
                f"ragged: input has {len(before)} cells, {name} has {len(cells)}; they must "
                f"be equally long{such}"
            )
    if set(scored) - {0, 1}:
        raise ValueError("mask must hold only 0 and 1")
    if not any(scored):
        raise ValueError("mask scores no cell")
    example = GivenExample(
        number, tuple(before), tuple(after), tuple(map(bool, scored)), _size(value)
    )
    if example.cells_needed > MOST_CELLS:
        raise ValueError(
            f"too big: it needs a memory of {_show(example.cells_needed)} cells, for its cells "
            f"and with values below that number; at most {MOST_CELLS} are allowed"
        )
    return example


def _memories(value: Any) -> tuple[list[int], list[int], list[int]]:
    """Return input, output and mask of an object; ValueError if its keys are wrong."""
    if not isinstance(value, dict):
        raise ValueError(f"expected an object with {KEYS[0]} and {KEYS[1]}, not {_show(value)}")
    for key in KEYS[:2]:
        if key not in value:
            there = f"; its keys are {_show(', '.join(value))}" if value else ""
            raise ValueError(f"the key {key!r} is missing{there}")
    unknown = [key for key in value if key not in KEYS]
    if unknown:
        raise ValueError(f"unknown key {_show(unknown[0])}; the keys are {', '.join(KEYS)}")
    before, after = _integers(value, "input"), _integers(value, "output")
    return before, after, _integers(value, "mask") if "mask" in value else [1] * len(after)


def _refuse_document(text: str) -> None:
    """Raise ExamplesError, with advice, if the whole text is a single JSON value.

    On one line that is said of arrays of objects alone: all else may be meant as an example.
    """
    try:
        value = parse_json(text)
    except ValueError:
        return
    first = value[0] if isinstance(value, list) and value else None
    several = "\n" in text.strip()
    if not several and not isinstance(first, dict):
        return
    try:
        such = _parse(json.dumps(first), 1).to_json()
    except ValueError:
        such = remedy(value)
    raise ExamplesError(
        f"line 1: {'all lines together are' if several else 'this is'} one JSON value; write "
        "one object a line, without commas between them ('jq -c .[] FILE' makes them of an "
        f"array): {such}"
    )


def _integers(value: dict[str, Any], key: str) -> list[int]:
    """Return the value of a key; ValueError unless it is an array of integers from 0 on."""
    cells = value[key]
    if not isinstance(cells, list):
        raise ValueError(f"{key} must be an array of integers, not {_show(cells)}")
    if not cells:
        raise ValueError(f"{key} is empty")
    for place, cell in enumerate(cells):
        if isinstance(cell, bool) or not isinstance(cell, int):
            raise ValueError(f"{key}[{place}] must be an integer, not {_show(cell)}")
        if cell < 0:
            raise ValueError(f"{key}[{place}] is negative: {_show(cell)}")
    return cells


def _size(value: dict[str, Any]) -> int:
    """Return the size of an object, by default its number of cells."""
    size = value.get("size", len(value["input"]))
    if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= MOST_CELLS:
        raise ValueError(f"size must be an integer in 1..{MOST_CELLS}, not {_show(size)}")
    return size


def _note(example: GivenExample, known: dict[int, tuple[int, int]]) -> None:
    """Record an example's scored cells; ExamplesError if an earlier line contradicts them.

    ``known`` holds, for one input, the target value of each cell and the line it is from.
    """
    for cell, (value, counts) in enumerate(zip(example.after, example.scored, strict=True)):
        if not counts:
            continue
        earlier, line = known.setdefault(cell, (value, example.line))
        if value != earlier:
            raise ExamplesError(
                f"line {example.line}: contradicts line {line}: the same input (zeros at the "
                f"end do not count), but cell {cell} of the output is {value} here and "
                f"{earlier} there"
            )


def _show(value: Any, most: int = 40) -> str:
    """Return a value as text, shortened to ``most`` letters."""
    if isinstance(value, int) and abs(value) > 10**18:
        return "a number of more than 18 digits"
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]}..."


def _without_zeros(cells: tuple[int, ...]) -> tuple[int, ...]:
    """Return cells without trailing zeros."""
    last = max((i for i, cell in enumerate(cells) if cell), default=-1)
    return cells[: last + 1]
