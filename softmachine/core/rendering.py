"""Examples as text: lines over time or over cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple


class Rows(NamedTuple):
    """Lines of one name, time running to the right."""

    name: str
    values: Any
    """Shape (steps, channels)."""
    shown: Any
    """Shape (steps,): where there is something to show; elsewhere stands a dot."""
    wrong: Any = None
    """Shape (steps, channels): where an ``x`` stands instead of the value."""
    marker: str | None = None
    """What to show instead of the value."""
    letters: str = "0123456789"
    """What stands for each value."""


def render_rows(blocks: Sequence[Rows]) -> str:
    """Return blocks of rows as text, every name beside its first line."""
    return "\n".join(line for block in blocks for line in _lines(block))


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
    """Return rows of equally wide columns, broken into blocks that fit the width.

    A row that would be blank in a block is left out there: a blank line ends the block.
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
