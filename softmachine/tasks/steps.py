"""Step rules: the number of machine steps as a formula of the initial memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple


class StepRule(NamedTuple):
    """The number of machine steps as ``max(factor * quantity + offset, 0) ** power``.

    The quantity is read from the memory, as ``of`` says. From a rule the code of an extracted
    program is written, which is given a memory and no size.
    """

    of: Literal["nothing", "cell", "array", "length"]
    """What the quantity is. ``nothing``: 0. ``cell``: the value of cell ``place``. ``array``:
    the length of the array that begins at cell ``place`` and ends before the first 0.
    ``length``: ``(number of cells - place) // divisor``."""
    factor: int
    offset: int
    place: int = 0
    """The index of a cell."""
    divisor: int = 1
    power: int = 1
    """2 for loops in loops."""

    def steps(self, memory: Sequence[int]) -> int:
        """Return the number of steps for an initial memory."""
        quantity = 0
        if self.of == "cell":
            quantity = int(memory[self.place])
        elif self.of == "array":
            rest = list(memory[self.place :])
            quantity = rest.index(0) if 0 in rest else len(rest)
        elif self.of == "length":
            quantity = max(len(memory) - self.place, 0) // self.divisor
        return max(self.factor * quantity + self.offset, 0) ** self.power
