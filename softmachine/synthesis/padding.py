"""How many zeros behind the arrays make room for all that a function's program touches."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from softmachine.programs.syntax_tree import AssignCell, For, Statement
from softmachine.programs.tidy import texts, walk
from softmachine.synthesis.layout import Layout

MOST_PADDING = 3
"""A memory may be a list if at most so many zeros have to stand behind the arrays."""


def padding_of(found: Sequence[Statement], layout: Layout) -> int | None:
    """Return how many zeros behind a list make room for all that a program touches.

    None if that is not known, so that the memory has to be one without an end.
    """
    if layout.place == "behind" or layout.length.of == "mark":
        return None
    certain = layout.front + layout.zero_ended * len(layout.arrays)
    loops = {s.name: s for s in found if isinstance(s, For)}
    needed = 1
    for statement in walk(found):
        addresses = [statement.address] if isinstance(statement, AssignCell) else []
        for text in texts(statement):
            inside = re.findall(r"memory\[([^\[\]]*)\]", text)
            if len(inside) != text.count("memory["):
                return None
            addresses += inside
        for address in addresses:
            most = _most(address, loops, layout)
            if most is None:
                return None
            needed = max(needed, most + 1)
    if layout.many:
        rule = layout.length
        if rule.of == "argument" or (rule.of == "list" and rule.place != layout.arrays[0]):
            return None
        begin = layout.front if layout.place == "first" else 0
        needed = max(needed, begin + max(rule.offset, 0))
    padding = max(0, needed - certain)
    return padding if padding <= MOST_PADDING else None


def _most(address: str, loops: Mapping[str, For], layout: Layout) -> int | None:
    """Return the largest an address can be beyond the lengths of the arrays; None: unknown."""
    if re.fullmatch(r"\d+", address):
        return int(address)
    found = re.fullmatch(r"([a-z]\w*)(?: ([+-]) (\d+))?", address)
    if not found or found[1] not in loops:
        return None
    loop, count = loops[found[1]], layout.count
    apart = int(found[2] + found[3]) if found[2] else 0
    if loop.step != 1 or loop.start + apart < 0 or count.power != 1:
        return None
    if count.of == "number":
        quantity = 0
    elif count.each == 1 and count.of in ("list", "lists"):
        quantity = 0  # as many cells as there are steps for them
    else:
        return None
    return loop.start + quantity + count.extra - loop.taken - 1 + apart
