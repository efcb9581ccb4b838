"""How many steps a memory asks for, as a rule that code can be written from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple


class StepRule(NamedTuple):
    """How many steps a machine is given: ``factor * quantity + offset``, at least 0."""

    of: Literal["nothing", "cell", "array", "length"]
    """What the quantity is. ``nothing``: 0. ``cell``: what cell ``place`` holds. ``array``:
    how many cells from ``place`` on come before the first that holds 0. ``length``: how many
    times ``divisor`` cells fit into the memory without ``place`` cells."""
    factor: int
    offset: int
    place: int = 0
    divisor: int = 1

    def steps(self, memory: Sequence[int]) -> int:
        """Return the number of steps for a memory."""
        quantity = 0
        if self.of == "cell":
            quantity = int(memory[self.place])
        elif self.of == "array":
            rest = list(memory[self.place :])
            quantity = rest.index(0) if 0 in rest else len(rest)
        elif self.of == "length":
            quantity = max(len(memory) - self.place, 0) // self.divisor
        return max(self.factor * quantity + self.offset, 0)
