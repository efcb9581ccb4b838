"""1D-ARC as programs to find: eighteen families of rows of coloured cells.

    python benchmarks/synthesis.py benchmarks/arc1d.py --mode search --cpu-minutes 2 \
        --minutes 20 --results benchmarks/arc1d-results.jsonl
    python benchmarks/arc1d.py                            # what there is
    python benchmarks/arc1d.py 1d_hollow > hollow.jsonl   # examples for ``synthesize``

The families are those of Xu, Li, Vaezipoor, Sanner and Khalil 2023, "LLMs and the Abstraction
and Reasoning Corpus" (arXiv 2305.18354), written anew from what is said and shown of them: none
of its files or programs are used. There, a puzzle is three rows, what becomes of them, and a
fourth row; a family has fifty puzzles. Here, a family is one program that has to be right on
fresh rows, long ones included.

A memory is ``e, X``: e, the address of the first cell behind the row, stands in cell 0, and X
is the row, of colours 1 to 9 on a background of 0. All cells of X are scored. Places, lengths
and colours are drawn at random, for each row anew. What differs between puzzles of a family but
not within one is fixed: blocks move to the right; blocks that are recoloured get the colours 1,
2 and 3 (and have others before, where they would be confused).
"""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import NamedTuple

Row = list[int]
COLOURS = range(1, 10)


@dataclass(frozen=True)
class Family:
    """A family of puzzles as one program to find; the form is that of `synthesis.py`."""

    name: str
    kind: str
    description: str
    draw: Callable[[random.Random, int], Row]
    """Draw a row of so many cells."""
    solve: Callable[[Row], Row]
    """Return what becomes of a row."""
    least: int
    """The fewest cells of a row in which the family can be told."""
    steps_per_size: int = 1
    """A hint: how many steps a cell may need."""
    published: str = ""
    """Nothing: published figures are of single puzzles, not of programs."""

    def sample(self, rng: random.Random, size: int, *, spare: int = 0) -> tuple[Row, Row]:
        """Return a memory before and after; size 1 is the shortest row."""
        row = self.draw(rng, size + self.least - 1)
        cells = max(len(row) + 2, 1 + max(row))
        before = [len(row) + 1, *row]
        before += [0] * (cells + spare - len(before))
        return before, self.after(before)

    def after(self, before: Row) -> Row:
        """Return the memory afterwards; cells that are not scored are as before."""
        after, end = list(before), before[0]
        after[1:end] = self.solve(before[1:end])
        return after

    def right(self, before: Row, memory: Sequence[int]) -> bool:
        """Return whether a memory that some program left behind is right."""
        end = before[0]
        return list(memory[1:end]) == self.solve(before[1:end])

    def example(self, rng: random.Random, size: int) -> dict[str, object]:
        """Return an example in the form that ``softmachine synthesize`` reads."""
        before, after = self.sample(rng, size)
        end = before[0]
        mask = [int(0 < cell < end) for cell in range(len(before))]
        return {"input": before, "output": after, "mask": mask, "size": end - 1}


PROBLEMS: dict[str, Family] = {}


def family(name: str, kind: str, description: str, draw, solve, **more) -> None:
    """Add a family."""
    PROBLEMS[name] = Family(name, kind, description, draw, solve, **more)


class Run(NamedTuple):
    """Cells of one colour, as many as there are side by side."""

    start: int
    length: int
    colour: int


def runs(row: Row) -> list[Run]:
    """Return what is not background, from left to right."""
    found, at = [], 0
    for colour, cells in groupby(row):
        length = len(list(cells))
        if colour:
            found.append(Run(at, length, colour))
        at += length
    return found


def painted(cells: int, parts: Sequence[Run]) -> Row:
    """Return a row of so many cells with these parts on it."""
    row = [0] * cells
    for start, length, colour in parts:
        row[start : start + length] = [colour] * length
    return row


def spread(rng: random.Random, spare: int, places: int) -> list[int]:
    """Return so many counts that add up to ``spare``, each way to do so as likely."""
    cuts = sorted(rng.sample(range(spare + places - 1), places - 1))
    edges = [-1, *cuts, spare + places - 1]
    return [b - a - 1 for a, b in pairwise(edges)]


def two(rng: random.Random, low: int = 1) -> list[int]:
    """Return two colours."""
    return rng.sample(range(low, 10), 2)


# Moves of a block


def _move(distance: int) -> None:
    def draw(rng, cells):
        length = rng.randint(1, cells - distance)
        start = rng.randint(0, cells - distance - length)
        return painted(cells, [Run(start, length, rng.choice(COLOURS))])

    family(
        f"1d_move_{distance}p",
        "move",
        f"One block. It moves {distance} to the right.",
        draw,
        lambda row: [0] * distance + row[:-distance],
        least=distance + 1,
    )


for _distance in (1, 2, 3):
    _move(_distance)


def _to_a_mark(gap: int | None = None):
    """Return a way to draw a block and a single cell to its right, with a gap between."""

    def draw(rng, cells):
        least = 1 if gap is None else gap
        length = rng.randint(1, cells - least - 1)
        before, between, _ = spread(rng, cells - least - 1 - length, 3)
        if gap is not None:
            before, between = rng.randint(0, cells - gap - 1 - length), 0
        colour, mark = two(rng)
        end = before + length + least + between
        return painted(cells, [Run(before, length, colour), Run(end, 1, mark)])

    return draw


def _moved_to_the_mark(row):
    block, mark = runs(row)
    return painted(len(row), [block._replace(start=mark.start - block.length), mark])


family(
    "1d_move_dp",
    "move",
    "A block, and to its right a cell of another colour. The block moves up to that cell.",
    _to_a_mark(),
    _moved_to_the_mark,
    least=3,
    steps_per_size=2,
)
family(
    "1d_move_2p_dp",
    "move",
    "A block, two empty cells, and a cell of another colour. The block moves 2 to the right.",
    _to_a_mark(2),
    _moved_to_the_mark,
    least=4,
)

# Filling


def _pairs(most: int | None):
    """Return a way to draw pairs of single cells, all of one colour."""

    def draw(rng, cells):
        count = 1 if most == 1 else rng.randint(2, max(2, cells // 8))
        least = 4 * count - 1  # two cells and one between, and one behind all but the last
        gaps = spread(rng, cells - least, 2 * count + 1)
        colour, at, parts = rng.choice(COLOURS), 0, []
        for i in range(count):
            first = at + gaps[2 * i]
            second = first + 2 + gaps[2 * i + 1]
            parts += [Run(first, 1, colour), Run(second, 1, colour)]
            at = second + 2
        return painted(cells, parts)

    return draw


def _filled(row):
    ends = runs(row)
    parts = [
        Run(a.start, b.start - a.start + 1, a.colour)
        for a, b in zip(ends[::2], ends[1::2], strict=True)
    ]
    return painted(len(row), parts)


family(
    "1d_fill",
    "fill",
    "Two cells of one colour. So become those between them.",
    _pairs(1),
    _filled,
    least=3,
)
family(
    "1d_padded_fill",
    "fill",
    "Several pairs of cells, all of one colour. So become the cells between the two of each "
    "pair. (Published: three pairs, all with the same gaps.)",
    _pairs(None),
    _filled,
    least=7,
)


def _block(least: int):
    """Return a way to draw one block of at least so many cells."""

    def draw(rng, cells):
        length = rng.randint(least, cells)
        return painted(
            cells, [Run(rng.randint(0, cells - length), length, rng.choice(COLOURS))]
        )

    return draw


def _hollow(row):
    (block,) = runs(row)
    inside = Run(block.start + 1, block.length - 2, 0)
    return painted(len(row), [block, inside])


family(
    "1d_hollow",
    "fill",
    "One block of at least three cells. Only the first and the last of them stay.",
    _block(3),
    _hollow,
    least=3,
)


def _scaled(row):
    block, mark = runs(row)
    return painted(len(row), [block._replace(length=mark.start - block.start), mark])


family(
    "1d_scale_dp",
    "fill",
    "A block, and to its right a cell of another colour. The block grows up to that cell.",
    _to_a_mark(),
    _scaled,
    least=3,
)

# Order


def _headed(rng, cells):
    length = rng.randint(3, cells)
    start = rng.randint(0, cells - length)
    head, colour = two(rng)
    return painted(cells, [Run(start, length, colour), Run(start, 1, head)])


def _flipped(row):
    head, rest = runs(row)
    last = Run(head.start + rest.length, 1, head.colour)
    return painted(len(row), [rest._replace(start=head.start), last])


family(
    "1d_flip",
    "order",
    "A block of at least two cells, and at its left end a cell of another colour. That goes to "
    "its right end.",
    _headed,
    _flipped,
    least=3,
)


def _before_a_mirror(rng, cells):
    span = rng.randint(2, (cells - 1) // 2)  # a block and the gap to the mirror
    length = rng.randint(1, span - 1)
    start = rng.randint(0, cells - 2 * span - 1)
    colour, mark = two(rng)
    return painted(cells, [Run(start, length, colour), Run(start + span, 1, mark)])


def _mirrored(row):
    block, mark = runs(row)
    start = 2 * mark.start - (block.start + block.length - 1)
    return painted(len(row), [block._replace(start=start), mark])


family(
    "1d_mirror",
    "order",
    "A block, and to its right, behind a gap, a cell of another colour. The block goes to the "
    "other side of that cell, as far away.",
    _before_a_mirror,
    _mirrored,
    least=5,
    steps_per_size=2,
)

# Noise


def _speckled(rng, cells):
    length = rng.randint(2, max(2, cells // 2))
    room = (cells - length) // 2  # each speckle has an empty cell beside it
    count = rng.randint(1, max(1, room // 2))
    left = rng.randint(0, count)
    lengths = [1] * left + [length] + [1] * (count - left)
    gaps = spread(rng, cells - sum(lengths) - count, count + 2)
    colour, at, parts = rng.choice(COLOURS), 0, []
    for gap, each in zip(gaps, lengths, strict=False):
        parts.append(Run(at + gap, each, colour))
        at += gap + each + 1
    return painted(cells, parts)


family(
    "1d_denoising_1c",
    "noise",
    "One block of at least two cells, and single cells of its colour. The block stays.",
    _speckled,
    lambda row: painted(len(row), [run for run in runs(row) if run.length > 1]),
    least=4,
)


def _spotted(rng, cells):
    length = rng.randint(4, cells)
    start = rng.randint(0, cells - length)
    colour = rng.choice(COLOURS)
    row = painted(cells, [Run(start, length, colour)])
    others = [other for other in COLOURS if other != colour]
    for at in rng.sample(range(1, length - 1), rng.randint(1, max(1, length // 4))):
        row[start + at] = rng.choice(others)
    return row


def _plain(row):
    colour = Counter(cell for cell in row if cell).most_common(1)[0][0]
    return [colour if cell else 0 for cell in row]


family(
    "1d_denoising_mc",
    "noise",
    "One block of at least four cells, up to a quarter of which, but for its ends, has other "
    "colours. All of it gets the block's colour.",
    _spotted,
    _plain,
    least=4,
)

# Copies of a pattern


def _pattern(colours: int):
    """Return a way to draw a block of three cells and single ones to its right."""

    def draw(rng, cells):
        count = rng.randint(1, max(1, (cells - 3) // 8))
        least = 3 + 4 * count
        gaps = spread(rng, cells - least, count + 2)
        first = rng.choice(COLOURS)
        parts, at = [Run(gaps[0], 3, first)], gaps[0] + 3
        for gap in gaps[1:-1]:
            colour = first if colours == 1 else rng.choice(COLOURS)
            parts.append(Run(at + gap + 2, 1, colour))
            at += gap + 4
        return painted(cells, parts)

    return draw


def _copied(row):
    wide = [run if run.length > 1 else Run(run.start - 1, 3, run.colour) for run in runs(row)]
    return painted(len(row), wide)


family(
    "1d_pcopy_1c",
    "copy",
    "A block of three cells, then single cells of its colour. Each becomes a block of three.",
    _pattern(1),
    _copied,
    least=7,
    steps_per_size=1,
)
family(
    "1d_pcopy_mc",
    "copy",
    "A block of three cells, then single cells of any colours. Each becomes a block of three, "
    "of its own colour.",
    _pattern(9),
    _copied,
    least=7,
)

# New colours


def _blocks(least: int, longest: int | None, low: int):
    """Return a way to draw at least so many blocks of one colour, ``low`` or above."""

    def draw(rng, cells):
        most = longest or max(3, cells // 3)
        count = rng.randint(least, max(least, cells // 4))
        while True:
            lengths = [rng.randint(1, most) for _ in range(count)]
            spare = cells - sum(lengths) - count + 1
            if spare >= 0 and (least == 1 or len({*lengths}) > 1):
                break
            most = max(2, most - 1)  # not all blocks are as long as that
        gaps = spread(rng, spare, count + 1)
        colour, at, parts = rng.randint(low, 9), 0, []
        for gap, length in zip(gaps, lengths, strict=False):
            parts.append(Run(at + gap, length, colour))
            at += gap + length + 1
        return painted(cells, parts)

    return draw


def _recoloured(colour_of: Callable[[int, int], int]):
    """Return what blocks get a colour by their length, and the largest length."""

    def solve(row):
        blocks = runs(row)
        largest = max(run.length for run in blocks)
        return painted(
            len(row),
            [
                run._replace(colour=colour_of(run.length, largest) or run.colour)
                for run in blocks
            ],
        )

    return solve


family(
    "1d_recolor_oe",
    "recolour",
    "Blocks of one colour, 3 or above. Those of odd length become 1, those of even length 2.",
    _blocks(1, None, 3),
    _recoloured(lambda length, _: 2 - length % 2),
    least=4,
    steps_per_size=2,
)
family(
    "1d_recolor_cnt",
    "recolour",
    "Blocks of one to three cells of one colour. Those of one cell become 1, those of two 2, "
    "those of three 3.",
    _blocks(1, 3, 1),
    _recoloured(lambda length, _: length),
    least=4,
    steps_per_size=2,
)
family(
    "1d_recolor_cmp",
    "recolour",
    "At least two blocks of one colour, 2 or above, not all as long. The longest become 1.",
    _blocks(2, None, 2),
    _recoloured(lambda length, largest: int(length == largest)),
    least=4,
    steps_per_size=2,
)


def lines(problem: Family, *, seed: int = 1, each: int = 150, large: int = 20) -> list[str]:
    """Return examples for ``synthesize``: the six shortest lengths, and some longer ones."""
    rng = random.Random(seed)
    sizes = [1, 2, 3, 4, 5, 6] * each + [20, 50] * large
    return [json.dumps(problem.example(rng, size)) for size in sizes]


if __name__ == "__main__":
    if len(sys.argv) < 2:
        for one in PROBLEMS.values():
            print(f"{one.name:16} {one.kind:9} {one.description}")
    else:
        print("\n".join(lines(PROBLEMS[sys.argv[1]])))
