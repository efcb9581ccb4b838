"""Advice for a malformed line of examples: the same numbers, written as a valid line."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

SAMPLE = '{"input": [3, 1, 2, 0], "output": [2, 1, 3, 0], "mask": [1, 1, 1, 0], "size": 3}'
"""A valid line: the first and the last element of an array exchanged."""
LONGEST = 160
"""The longest proposal, in letters; instead of a longer one `SAMPLE` is shown."""
OUTPUTS = re.compile(r"(o|y|out.*|targets?|answers?|results?|expected|solutions?|labels?)_?\d*")
"""Keys that people use for outputs; all other keys are inputs."""

Shape = int | list[int]
"""A number, or an array of numbers."""


class _Guess(NamedTuple):
    """Inputs and output guessed from a user's JSON object."""

    inputs: list[Shape]
    output: Shape


def remedy(value: Any) -> str:
    """Return how one JSON value could be written as a valid line, as the end of a sentence.

    Single numbers come first, in cells of their own; arrays follow, each ended by a 0. A
    single output replaces the first cell, an array of outputs the first array.

    >>> print(remedy({"input": [2, 5], "output": 7}))
    {"input": [1, 2, 5, 0], "output": [7, 2, 5, 0], "mask": [1, 0, 0, 0], "size": 2}
    """
    guess, words = _guess(_first_object(value)), ""
    if guess is None:
        return SAMPLE
    numbers, coded = _as_numbers(guess)
    if coded:
        words = " (letters numbered from 1 on, the same in all lines)"
    lowest = min(_all(numbers), default=1)
    if lowest < 0 or (
        lowest < 1 and any(0 in x for x in numbers.inputs if isinstance(x, list))
    ):
        numbers = _Guess(
            [_plus(x, 1 - lowest) if _is_list(x) else x for x in numbers.inputs],
            _plus(numbers.output, 1 - lowest),
        )
        words = f" (here {1 - lowest} added; add the same in all lines, 0 is for the end alone)"
    if min(_all(numbers), default=0) < 0:
        return SAMPLE
    text = json.dumps(_lay_out(numbers))
    return text + words if len(text) <= LONGEST else SAMPLE


def _lay_out(guess: _Guess) -> dict[str, Any]:
    """Return the line for a guess, as a JSON object."""
    arrays = [x for x in guess.inputs if isinstance(x, list)]
    before = [x for x in guess.inputs if isinstance(x, int)]
    output = guess.output
    single = isinstance(output, int) or (len(output) == 1 and [len(output)] != _lengths(arrays))
    if single and not before:
        before = [1]  # a cell for the answer to replace
    place = 0 if single else len(before)
    for array in arrays:
        before += [*array, 0]
    answer = [output] if isinstance(output, int) else output
    before += [0] * (place + len(answer) - len(before))
    after = before[:place] + answer + before[place + len(answer) :]
    scored = range(place, place + len(answer))
    if not single and scored.stop < len(before) and after[scored.stop]:
        after[scored.stop] = 0  # the 0 that ends the answer
        scored = range(place, scored.stop + 1)
    if not scored:
        scored = range(len(before))
    size = max(1, sum(_lengths(arrays)))
    mask = [int(i in scored) for i in range(len(before))]
    return {"input": before, "output": after, "mask": mask, "size": size}


def _first_object(value: Any) -> Any:
    """Return the first object inside nested lists and objects, else the value itself."""
    while True:
        inside = [value] if isinstance(value, list) else []
        if isinstance(value, dict):
            inside = [part for part in value.values() if isinstance(part, list)]
        found = [part[0] for part in inside if part and isinstance(part[0], dict)]
        if not found:
            return value
        value = found[0]


def _guess(value: Any) -> _Guess | None:
    """Return inputs and output of an object; None if it is unclear which is which."""
    if not isinstance(value, dict):
        return None
    fields = {key.lower(): x for key, x in value.items() if key not in ("mask", "size")}
    shapes = {key: x for key, x in fields.items() if _is_shape(x)}
    outputs = [x for key, x in shapes.items() if OUTPUTS.fullmatch(key)]
    inputs = [x for key, x in shapes.items() if not OUTPUTS.fullmatch(key)]
    if len(outputs) != 1 or not inputs:
        return None
    return _Guess(inputs, outputs[0])


def _is_shape(value: Any) -> bool:
    """Return whether a value is a number, or a list of numbers and strings."""
    if _is_list(value):
        return all(isinstance(x, int | str) and not isinstance(x, bool) for x in value)
    return isinstance(value, int) and not isinstance(value, bool)


def _as_numbers(guess: _Guess) -> tuple[_Guess, bool]:
    """Return a guess with strings replaced by numbers, and whether there were strings."""
    letters = sorted({x for x in _all(guess) if isinstance(x, str)})
    if not letters:
        return guess, False
    number = {letter: i for i, letter in enumerate(letters, 1)}

    def change(shape: Any) -> Any:
        if _is_list(shape):
            return [number.get(x, x) for x in shape]
        return number.get(shape, shape)

    return _Guess(list(map(change, guess.inputs)), change(guess.output)), True


def _all(guess: _Guess) -> list[Any]:
    """Return all numbers of a guess."""
    shapes = [*guess.inputs, guess.output]
    return [x for shape in shapes for x in (shape if isinstance(shape, list) else [shape])]


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _plus(shape: Any, number: int) -> Any:
    return [x + number for x in shape] if _is_list(shape) else shape + number


def _lengths(arrays: list[list[int]]) -> list[int]:
    return [len(array) for array in arrays]
