"""Examples as text: one line per channel, time running to the right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, Float

from softmachine.tasks.task import Example


class Rows(NamedTuple):
    """Lines of one name."""

    name: str
    values: Any
    """Shape (steps, channels)."""
    shown: Any
    """Shape (steps,): where there is something to show; elsewhere stands a dot."""
    wrong: Any = None
    """Shape (steps, channels): where an ``x`` stands instead of the value."""
    marker: str | None = None
    """What to show instead of the value."""


def render_rows(blocks: Sequence[Rows]) -> str:
    """Return blocks of rows as text, every name beside its first line."""
    return "\n".join(line for block in blocks for line in _lines(block))


def render_bits(
    inputs: Sequence[Rows],
    example: Example,
    outputs: Float[Array, "steps width"] | None,
    output_names: Sequence[tuple[str, int]],
) -> str:
    """Return input rows, then the targets and, if any, the outputs decided as `Bits` does.

    ``output_names`` gives, for each group of target channels, its name and its width.
    Wrong output bits are marked ``x``; what is not scored is not shown.
    """
    steps = int(example.steps)
    scored = np.asarray(example.mask)[:steps].max(axis=1) > 0
    target = np.asarray(example.targets)[:steps]
    decided = None if outputs is None else (np.asarray(outputs)[:steps] > 0).astype(int)
    blocks = list(inputs)
    first = 0
    for name, width in output_names:
        group = slice(first, first + width)
        blocks.append(Rows(name, target[:, group], scored))
        if decided is not None:
            wrong = decided[:, group] != target[:, group]
            blocks.append(Rows("output", decided[:, group], scored, wrong))
        first += width
    return render_rows(blocks)


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
    return block.marker or str(int(block.values[time, channel]))
