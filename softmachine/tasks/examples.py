"""Examples that a user brings: lines of JSON, checked, each error with its line number."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from softmachine.errors import ExamplesError

MOST_CELLS = 4096
"""The largest memory that an example may need."""
LEAST_CELLS = 3
"""The smallest memory that there is: the constants 0, 1 and 2 fit."""
KEYS = ("input", "output", "mask", "size")


@dataclasses.dataclass(frozen=True)
class GivenExample:
    """A memory before and after, as somebody wrote it down."""

    line: int
    """Where it stands in the file, counted from 1."""
    before: tuple[int, ...]
    after: tuple[int, ...]
    scored: tuple[bool, ...]
    """Which cells of ``after`` matter."""
    size: int
    """How difficult it is; the number of cells if the line does not say."""

    @property
    def memory(self) -> int:
        """The cells of the smallest memory that holds it, whose values are below that, too."""
        wanted = (v for v, counts in zip(self.after, self.scored, strict=True) if counts)
        return max(LEAST_CELLS, len(self.before), 1 + max(self.before), 1 + max(wanted))

    def to_json(self) -> str:
        """Return the line that says the same, in full."""
        value = {
            "input": self.before,
            "output": self.after,
            "mask": [int(counts) for counts in self.scored],
            "size": self.size,
        }
        return json.dumps(value, separators=(",", ":"))


def read_examples(path: Path) -> list[GivenExample]:
    """Return the examples of a file; see `parse_examples`.

    Raises ExamplesError, naming file and line, if it cannot be read or is malformed.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ExamplesError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ExamplesError(f"{path}, line {line}: not UTF-8 text") from error
    try:
        return list(parse_examples(text))
    except ExamplesError as error:
        raise ExamplesError(f"{path}, {error}") from error


@lru_cache(maxsize=4)
def parse_examples(text: str) -> Sequence[GivenExample]:
    """Return the examples of a text, one JSON object a line.

    An object has ``input`` and ``output``, equally long arrays of integers from 0 on; it may
    have ``mask``, as long, with 1 for the cells of the output that matter (all, without it),
    and ``size``, an integer from 1 on (the number of cells, without it). Blank lines are left
    out, and so are examples that say what an earlier one says.

    Raises:
        ExamplesError: a line is malformed or contradicts an earlier one, or there is none.

    >>> [example] = parse_examples('{"input": [2, 0], "output": [3, 0], "mask": [1, 0]}')
    >>> example.after, example.scored, example.size, example.memory
    ((3, 0), (True, False), 2, 4)
    """
    examples: dict[tuple[int, ...], list[GivenExample]] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            example = _parse(line, number)
        except ValueError as error:
            raise ExamplesError(f"line {number}: {error}") from error
        # Memories are filled up with zeros: two inputs that differ in these are one.
        known = examples.setdefault(_without_zeros(example.before), [])
        if not any(_compare(example, other) for other in known):
            known.append(example)
    if not examples:
        raise ExamplesError("line 1: there are no examples")
    return sorted((x for same in examples.values() for x in same), key=lambda x: x.line)


def _parse(line: str, number: int) -> GivenExample:
    """Return the example of one line; ValueError if it holds none."""
    try:
        value = json.loads(line, object_pairs_hook=_object, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} at column {error.colno}") from error
    except RecursionError:
        raise ValueError("not an example: nested too deep") from None
    if not isinstance(value, dict):
        raise ValueError(f"expected an object with {KEYS[0]} and {KEYS[1]}, not {_show(value)}")
    for key in KEYS[:2]:
        if key not in value:
            raise ValueError(f"the key {key!r} is missing")
    unknown = [key for key in value if key not in KEYS]
    if unknown:
        raise ValueError(f"unknown key {_show(unknown[0])}; there are {', '.join(KEYS)}")
    before, after = _integers(value, "input"), _integers(value, "output")
    scored = _integers(value, "mask") if "mask" in value else [1] * len(after)
    for name, cells in (("output", after), ("mask", scored)):
        if len(cells) != len(before):
            raise ValueError(
                f"ragged: input has {len(before)} cells, {name} has {len(cells)}; they must "
                "be equally long"
            )
    if set(scored) - {0, 1}:
        raise ValueError("mask must hold 0 and 1 alone")
    if not any(scored):
        raise ValueError("mask scores no cell")
    example = GivenExample(
        number, tuple(before), tuple(after), tuple(map(bool, scored)), _size(value)
    )
    if example.memory > MOST_CELLS:
        raise ValueError(
            f"too big: it needs a memory of {_show(example.memory)} cells, for its cells and "
            f"with values below that number; the most is {MOST_CELLS}"
        )
    return example


def _integers(value: dict[str, Any], key: str) -> list[int]:
    """Return an array of integers from 0 on."""
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
    """Return the size."""
    size = value.get("size", len(value["input"]))
    if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= MOST_CELLS:
        raise ValueError(f"size must be an integer in 1..{MOST_CELLS}, not {_show(size)}")
    return size


def _compare(example: GivenExample, other: GivenExample) -> bool:
    """Return whether two examples of one input say the same; raise if they cannot both be."""
    cells = zip(example.after, other.after, example.scored, other.scored, strict=False)
    for cell, (value, earlier, counts, counted) in enumerate(cells):
        if counts and counted and value != earlier:
            raise ExamplesError(
                f"line {example.line}: contradicts line {other.line}: the same input, but "
                f"cell {cell} of the output is {value} here and {earlier} there"
            )
    told = [(x.before, x.scored, x.size) for x in (example, other)]
    return told[0] == told[1]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object; ValueError if a key stands twice."""
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return value


def _refuse(name: str) -> None:
    """Refuse what is no JSON, though Python's reader takes it."""
    raise ValueError(f"not JSON: {name}")


def _show(value: Any, most: int = 40) -> str:
    """Return a value in a few letters."""
    if isinstance(value, int) and abs(value) > 10**18:
        return "a number of more than 18 digits"
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]}..."


def _without_zeros(cells: tuple[int, ...]) -> tuple[int, ...]:
    """Return cells without the zeros at their end."""
    last = max((i for i, cell in enumerate(cells) if cell), default=-1)
    return cells[: last + 1]
