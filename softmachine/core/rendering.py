"""Text renderings of examples: rows over time, or columns over memory cells; order of names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple


class Rows(NamedTuple):
    """A named block of rows, one per channel, with time running to the right."""

    name: str
    values: Any
    """Integers, shape (steps, channels)."""
    shown: Any
    """Booleans, shape (steps,): the steps to show; other steps show a dot."""
    wrong: Any = None
    """Booleans, shape (steps, channels): values to show as ``x``; None for none."""
    marker: str | None = None
    """A character to show instead of the values, such as ``#`` for a delimiter."""
    letters: str = "0123456789"
    """The character for each value, by index."""


def render_rows(blocks: Sequence[Rows]) -> str:
    """Return blocks of rows as text, each name in front of the first row of its block."""
    return "\n".join(line for block in blocks for line in _lines(block))


def all_names(rows: Iterable[Iterable[str]]) -> list[str]:
    """Return the names of all rows, each once: those of the row with most, then others.

    >>> all_names([["size", "bits"], ["size", "gap", "bits"], ["size", "more"]])
    ['size', 'gap', 'bits', 'more']
    """
    lists = sorted(map(list, rows), key=len, reverse=True)
    return list(dict.fromkeys(name for names in lists for name in names))


def natural_order(name: str) -> list[tuple[str, int]]:
    """Return a key by which names are sorted, their numbers as numbers.

    >>> sorted(["instance_10", "bits", "instance_2"], key=natural_order)
    ['bits', 'instance_2', 'instance_10']
    """
    return [(text, int(number or 0)) for text, number in re.findall(r"(\D+)(\d*)", name)]


def _lines(block: Rows) -> list[str]:
    lines = []
    for channel in range(block.values.shape[1]):
        cells = [
            _cell(block, time, channel) if block.shown[time] else "."
            for time in range(len(block.values))
        ]
        lines.append(f"{block.name if channel == 0 else '':8}" + "".join(cells))
    return lines


def _cell(block: Rows, time: int, channel: int) -> str:
    if block.wrong is not None and block.wrong[time, channel]:
        return "x"
    return block.marker or block.letters[int(block.values[time, channel])]


def render_columns(rows: dict[str, list[str]], width: int = 80) -> str:
    """Return a table with named rows and equally wide columns, as text.

    Columns that do not fit into ``width`` characters continue in further blocks, with a blank
    line between blocks. So a row that is blank in a block is left out of it.
    """
    widest = max(len(text) for texts in rows.values() for text in texts) + 1
    head = max(map(len, rows)) + 1
    each = max(1, (width - head) // widest)
    count = len(next(iter(rows.values())))
    blocks = []
    for first in range(0, count, each):
        lines = [
            name.ljust(head) + "".join(t.rjust(widest) for t in texts[first : first + each])
            for name, texts in rows.items()
        ]
        blocks.append("\n".join(line.rstrip() for line in lines if line.strip()))
    return "\n\n".join(blocks)
