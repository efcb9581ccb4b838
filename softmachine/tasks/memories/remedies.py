"""How a line of examples that cannot be used could be written, in its own numbers."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

SAMPLE = '{"input": [3, 1, 2, 0], "output": [2, 1, 3, 0], "mask": [1, 1, 1, 0], "size": 3}'
"""A line that can be used: the first and the last element of an array exchanged."""
LONGEST = 160
"""A proposal of more letters is no help; the sample is shown then."""
OUTPUTS = re.compile(r"(o|y|out.*|targets?|answers?|results?|expected|solutions?|labels?)_?\d*")
"""Names that people give to what comes out; everything else goes in."""

Shape = int | list[int]


class _Said(NamedTuple):
    """What somebody's object says goes in and comes out."""

    inputs: list[Shape]
    output: Shape


def remedy(value: Any) -> str:
    """Return how one JSON value could be written as an example, as the end of a sentence.

    Single numbers go into cells of their own, in front; arrays follow, each with a 0 behind
    it. A single answer replaces the first cell; an array of answers the first array.

    >>> print(remedy({"input": [2, 5], "output": 7}))
    {"input": [1, 2, 5, 0], "output": [7, 2, 5, 0], "mask": [1, 0, 0, 0], "size": 2}
    """
    said, words = _said(_first_object(value)), ""
    if said is None:
        return SAMPLE
    numbers, coded = _as_numbers(said)
    if coded:
        words = " (letters numbered from 1 on, the same in all lines)"
    lowest = min(_all(numbers), default=1)
    if lowest < 0 or (
        lowest < 1 and any(0 in x for x in numbers.inputs if isinstance(x, list))
    ):
        numbers = _Said(
            [_plus(x, 1 - lowest) if _is_list(x) else x for x in numbers.inputs],
            _plus(numbers.output, 1 - lowest),
        )
        words = f" (here {1 - lowest} added; add the same in all lines, 0 is for the end alone)"
    if min(_all(numbers), default=0) < 0:
        return SAMPLE
    text = json.dumps(_lay_out(numbers))
    return text + words if len(text) <= LONGEST else SAMPLE


def _lay_out(said: _Said) -> dict[str, Any]:
    """Return the example."""
    arrays = [x for x in said.inputs if isinstance(x, list)]
    before = [x for x in said.inputs if isinstance(x, int)]
    output = said.output
    single = isinstance(output, int) or (len(output) == 1 and [len(output)] != _lengths(arrays))
    if single and not before:
        before = [1]  # what is replaced by the answer
    place = 0 if single else len(before)
    for array in arrays:
        before += [*array, 0]
    answer = [output] if isinstance(output, int) else output
    before += [0] * (place + len(answer) - len(before))
    after = before[:place] + answer + before[place + len(answer) :]
    scored = range(place, place + len(answer))
    if not single and scored.stop < len(before) and after[scored.stop]:
        after[scored.stop] = 0  # where the answer ends
        scored = range(place, scored.stop + 1)
    if not scored:
        scored = range(len(before))
    size = max(1, sum(_lengths(arrays)))
    mask = [int(i in scored) for i in range(len(before))]
    return {"input": before, "output": after, "mask": mask, "size": size}


def _first_object(value: Any) -> Any:
    """Return the first object in lists of them, or in an object that has one."""
    while True:
        inside = [value] if isinstance(value, list) else []
        if isinstance(value, dict):
            inside = [part for part in value.values() if isinstance(part, list)]
        found = [part[0] for part in inside if part and isinstance(part[0], dict)]
        if not found:
            return value
        value = found[0]


def _said(value: Any) -> _Said | None:
    """Return what an object says, None if that cannot be told."""
    if not isinstance(value, dict):
        return None
    fields = {key.lower(): x for key, x in value.items() if key not in ("mask", "size")}
    shapes = {key: x for key, x in fields.items() if _is_shape(x)}
    outputs = [x for key, x in shapes.items() if OUTPUTS.fullmatch(key)]
    inputs = [x for key, x in shapes.items() if not OUTPUTS.fullmatch(key)]
    if len(outputs) != 1 or not inputs:
        return None
    return _Said(inputs, outputs[0])


def _is_shape(value: Any) -> bool:
    """Return whether a value is a number or a list of numbers; letters count as numbers."""
    if _is_list(value):
        return all(isinstance(x, int | str) and not isinstance(x, bool) for x in value)
    return isinstance(value, int) and not isinstance(value, bool)


def _as_numbers(said: _Said) -> tuple[_Said, bool]:
    """Return it with numbers in place of letters, and whether there are letters."""
    letters = sorted({x for x in _all(said) if isinstance(x, str)})
    if not letters:
        return said, False
    number = {letter: i for i, letter in enumerate(letters, 1)}

    def change(shape: Any) -> Any:
        if _is_list(shape):
            return [number.get(x, x) for x in shape]
        return number.get(shape, shape)

    return _Said(list(map(change, said.inputs)), change(said.output)), True


def _all(said: _Said) -> list[Any]:
    """Return all numbers."""
    shapes = [*said.inputs, said.output]
    return [x for shape in shapes for x in (shape if isinstance(shape, list) else [shape])]


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _plus(shape: Any, number: int) -> Any:
    return [x + number for x in shape] if _is_list(shape) else shape + number


def _lengths(arrays: list[list[int]]) -> list[int]:
    return [len(array) for array in arrays]
