"""Layouts: how the arguments of a function and its answer lie in the memory of a machine.

In front stand single numbers, each in a cell of its own: the arguments that are numbers; what 0
is, if numbers are coded; addresses. Then come the arrays. An array ends with a 0, or a cell in
front holds the address behind it.

Numbers are laid out as they are, or *coded*: what a program only moves and compares may be any
numbers in the same order. Codes begin at 1, so that 0 can end an array. The program codes a
number by subtracting a ``base`` that is below all of them; while machines are searched, they
see small numbers in the same order, drawn at random, so that they cannot rely on anything else.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

from softmachine.synthesis.pairs import Kind
from softmachine.tasks.steps import StepRule

Code = Callable[[int], int]
"""Gives the code of a number."""


class Length(NamedTuple):
    """How long a list is that a function returns: ``factor * quantity + offset``."""

    of: Literal["number", "list", "argument", "mark"]
    """``number``: as long as ``offset`` says. ``list``: by the length of an argument.
    ``argument``: by the value of one. ``mark``: a 0 behind it, or its address, says so."""
    offset: int = 0
    place: int = 0
    """The index of the argument."""


class Count(NamedTuple):
    """How many steps a machine takes: ``(each * quantity + extra) ** power``."""

    of: Literal["number", "list", "argument", "lists"]
    """``number``: ``extra``. ``list``: the length of an argument is the quantity.
    ``argument``: the value of one is. ``lists``: the length of all lists together is."""
    each: int = 0
    extra: int = 1
    place: int = 0
    """The index of the argument."""
    power: int = 1
    """2 for loops in loops."""


class Target(NamedTuple):
    """What a memory shall hold afterwards: cells that are scored, and their values."""

    cells: dict[int, int]
    """Addresses and values."""


@dataclasses.dataclass(frozen=True)
class Layout:
    """How arguments and answer lie in a memory."""

    names: tuple[str, ...]
    kinds: tuple[Kind, ...]
    answer: Kind
    coded: tuple[bool, ...]
    """Which arguments are coded."""
    answer_coded: bool
    zero_ended: bool
    """Whether arrays end with a 0; otherwise a cell in front holds the address behind each."""
    zero: bool
    """Whether the code of 0 stands in a cell, for programs to compare with."""
    shifted: bool
    """Whether codes differ from the numbers; otherwise all that are coded are above 0."""
    length: Length
    """The length of the answer, if that is a list."""
    place: Literal["front", "first", "behind"]
    """Where the answer goes: to the cells in front, over the first array, behind everything."""
    count: Count

    # Where things are

    @property
    def numbers(self) -> list[int]:
        """The arguments that are single cells."""
        return [i for i, kind in enumerate(self.kinds) if kind in ("int", "bool")]

    @property
    def arrays(self) -> list[int]:
        """The arguments that are arrays: lists and texts."""
        return [i for i, kind in enumerate(self.kinds) if kind not in ("int", "bool")]

    @property
    def many(self) -> bool:
        """Whether the answer is an array."""
        return self.answer not in ("int", "bool")

    @property
    def own_cell(self) -> bool:
        """Whether there is a cell in front for the answer alone, which is 0 before."""
        return self.place == "front" and not self.numbers

    @property
    def zero_cell(self) -> int:
        """The address of the code of 0, if there is one."""
        return self.own_cell + len(self.numbers)

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """What the cells with addresses point to: ``begin`` or ``end`` of an array, ``out``."""
        found = [("begin", i) for i in self.arrays[1:]]
        if not self.zero_ended and self.arrays:
            found = [*found, ("end", self.arrays[-1])]
        return [*found, ("out", -1)] if self.place == "behind" and self.arrays else found

    @property
    def front(self) -> int:
        """The number of cells before the first array."""
        return self.zero_cell + self.zero + len(self.addresses)

    def begins(self, inputs: Sequence[Any]) -> dict[int, int]:
        """Return the address of each array, by argument, and of what is behind all (-1)."""
        places, at = {}, self.front
        for i in self.arrays:
            places[i] = at
            at += len(inputs[i]) + self.zero_ended
        return places | {-1: at}

    # Memories

    def memory(self, inputs: Sequence[Any], code: Code) -> list[int]:
        """Return the memory before the first step."""
        begins = self.begins(inputs)
        cells = [0] * self.own_cell
        cells += [self._coded(i, int(inputs[i]), code) for i in self.numbers]
        cells += [code(0)] if self.zero else []
        for what, i in self.addresses:
            cells.append(begins[i] + (len(inputs[i]) if what == "end" else 0))
        for i in self.arrays:
            cells += [self._coded(i, number(part), code) for part in inputs[i]]
            cells += [0] * self.zero_ended
        return cells

    def target(self, inputs: Sequence[Any], output: Any, code: Code) -> Target:
        """Return what the memory shall hold afterwards."""
        values = [number(part) for part in (output if self.many else [output])]
        coded = [code(value) if self.answer_coded else value for value in values]
        begin = self.answer_begins(inputs)
        cells = {begin + i: value for i, value in enumerate(coded)}
        if self.many and self.length.of == "mark":
            if self.zero_ended:
                cells[begin + len(values)] = 0
            else:
                cells[self.front - 1] = begin + len(values)
        return Target(cells)

    def answer_begins(self, inputs: Sequence[Any]) -> int:
        """Return the address of the answer's first cell."""
        if self.place == "front":
            return 0
        return self.begins(inputs)[-1] if self.place == "behind" else self.front

    def answer_length(self, inputs: Sequence[Any]) -> int | None:
        """Return how many elements the answer has; None if the memory afterwards says so."""
        rule = self.length
        if rule.of == "mark":
            return None
        quantity = {"number": 0}.get(rule.of)
        if quantity is None:
            argument = inputs[rule.place]
            quantity = len(argument) if rule.of == "list" else int(argument)
        return max(quantity + rule.offset, 0)

    def base(self, inputs: Sequence[Any]) -> int:
        """Return what is subtracted from a number to code it, where codes are shifted."""
        return min([0, *self.coded_numbers(inputs)]) - 1 if self.shifted else 0

    def coded_numbers(self, inputs: Sequence[Any]) -> list[int]:
        """Return all numbers of the arguments that are coded."""
        found = []
        for i, coded in enumerate(self.coded):
            if coded:
                parts = inputs[i] if i in self.arrays else [inputs[i]]
                found += map(number, parts)
        return found

    def _coded(self, argument: int, value: int, code: Code) -> int:
        return code(value) if self.coded[argument] else value

    # Steps

    def steps(self, inputs: Sequence[Any]) -> int:
        """Return how many steps the machine takes."""
        count = self.count
        return max(count.each * self.quantity(inputs) + count.extra, 0) ** count.power

    def quantity(self, inputs: Sequence[Any]) -> int:
        """Return what the number of steps depends on."""
        of, place = self.count.of, self.count.place
        if of == "lists":
            return sum(len(inputs[i]) for i in self.arrays)
        if of == "list":
            return len(inputs[place])
        return int(inputs[place]) if of == "argument" else 0

    def step_rule(self) -> StepRule:
        """Return the number of steps as a formula of the memory alone."""
        return self._step_rule()._replace(power=self.count.power)

    def _step_rule(self) -> StepRule:
        each, extra = self.count.each, self.count.extra
        if self.count.of == "number":
            return StepRule("nothing", 0, extra)
        if self.count.of == "argument":
            cell = self.own_cell + self.numbers.index(self.count.place)
            return StepRule("cell", each, extra, cell)
        if self.count.of == "lists":
            beside = self.front + len(self.arrays) * self.zero_ended
            return StepRule("length", each, extra - each * beside)
        if self.zero_ended and self.count.place == self.arrays[0]:
            return StepRule("array", each, extra, self.front)
        cell = self.zero_cell + self.zero
        return StepRule("cell", each, extra - each * (self.front + self.zero_ended), cell)


def number(part: Any) -> int:
    """Return the number of a letter, a truth value or a number."""
    return ord(part) if isinstance(part, str) else int(part)


def described(layout: Layout) -> str:
    """Return where everything lies, in a sentence for people."""
    parts, at = [], 0

    def one(text: str) -> None:
        nonlocal at
        parts.append(f"cell {at} holds {text}")
        at += 1

    if layout.own_cell:
        one("0 and then the answer")
    for i in layout.numbers:
        one(layout.names[i])
    if layout.zero:
        one("what codes 0")
    for what, i in layout.addresses:
        texts = {"begin": "the address of", "end": "the address behind"}
        one(f"{texts[what]} {layout.names[i]}" if what in texts else "the answer's address")
    for i in layout.arrays:
        start = f"from cell {at} on stands" if at >= 0 else "behind it"
        parts.append(f"{start} {layout.names[i]}{', then a 0' if layout.zero_ended else ''}")
        at = -1
    where = {
        "front": "cell 0" if not layout.own_cell else "",
        "first": f"the place of {layout.names[layout.arrays[0]]}"
        if layout.arrays
        else "cell 0",
        "behind": "the cells behind" if layout.arrays else "the cells from there on",
    }[layout.place]
    text = "; ".join(parts)
    text = f"{text[:1].upper()}{text[1:]}"
    if where:
        text += f"; the answer goes to {where}"
    if layout.many and layout.length.of == "mark":
        text += ", a 0 behind it" if layout.zero_ended else ", its end to the address's cell"
    text += "."
    coded = [name for name, yes in zip(layout.names, layout.coded, strict=True) if yes]
    if coded and (layout.shifted or "str" in "".join(layout.kinds)):
        holds = "holds" if len(coded) == 1 else "hold"
        text += f" What {' and '.join(coded)} {holds} is only moved and compared."
    return text
