"""Checks that fields and options hold an allowed value: a literal, or a number within bounds.

Bounds are declared with the type, as in ``batch: Count``. A number without declared bounds must
be finite and within `LARGEST_INT` or `LARGEST_FLOAT`: small enough for 32-bit counters, and for
products of a few such numbers in float32.
"""

from __future__ import annotations

import math
import numbers
import types
import typing
from collections.abc import Iterator
from functools import lru_cache
from typing import Annotated, Any, NamedTuple

LARGEST_INT = 2**31 - 1
"""The largest absolute value of an integer field."""
LARGEST_FLOAT = 1e9
"""The largest absolute value of a real field."""


class Bounds(NamedTuple):
    """The interval that a number must lie in; None stands for the limit of all numbers."""

    least: float | None = None
    most: float | None = None
    above: float | None = None
    """An exclusive lower bound."""
    below: float | None = None
    """An exclusive upper bound."""


Count = Annotated[int, Bounds(least=1)]
"""An integer from 1 on."""
Few = Annotated[int, Bounds(least=1, most=1000)]
"""An integer from 1 to 1000: a number of parts that a compiled program unrolls."""
Natural = Annotated[int, Bounds(least=0)]
"""An integer from 0 on."""
Port = Annotated[int, Bounds(least=0, most=65_535)]
"""A TCP port; 0 stands for any free one."""
Positive = Annotated[float, Bounds(above=0)]
"""A real number above 0."""
NonNegative = Annotated[float, Bounds(least=0)]
"""A real number from 0 on."""
Share = Annotated[float, Bounds(least=0, most=1)]
"""A real number between 0 and 1, both included."""
Decay = Annotated[float, Bounds(least=0, below=1)]
"""The decay rate of an exponential moving average: from 0 to below 1."""


def check_fields(config: object) -> None:
    """Raise ValueError if a field of a dataclass holds a value that its type does not allow.

    Checked are fields with a ``Literal`` type, and fields of numbers, tuples of numbers, and
    optional numbers.
    """
    kind = type(config)
    for name, hint in _hints(kind).items():
        check_value(hint, getattr(config, name, None), f"{kind.__name__}.{name}")


def check_value(hint: Any, value: Any, name: str) -> None:
    """Raise ValueError, which says ``name``, if the type ``hint`` does not allow a value."""
    if typing.get_origin(hint) is typing.Literal:
        allowed = typing.get_args(hint)
        if value not in allowed:
            options = ", ".join(map(repr, allowed))
            raise ValueError(f"{name} must be one of {options}; not {value!r}")
    for kind, bounds, number in _numbers(hint, value, Bounds()):
        _check_number(kind, bounds, number, name)


@lru_cache
def _hints(kind: type) -> dict[str, Any]:
    hints = typing.get_type_hints(kind, include_extras=True)
    return {
        name: hint
        for name, hint in hints.items()
        if typing.get_origin(hint) is not typing.ClassVar
    }


def _numbers(hint: Any, value: Any, bounds: Bounds) -> Iterator[tuple[type, Bounds, Any]]:
    """Yield the numbers in a value, each with its type (int or float) and its bounds."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint in (int, float):
        yield hint, bounds, value
    elif origin is Annotated:
        declared = [extra for extra in inner[1:] if isinstance(extra, Bounds)]
        yield from _numbers(inner[0], value, declared[0] if declared else bounds)
    elif origin in (typing.Union, types.UnionType):
        if value is not None:
            for part in inner:
                yield from _numbers(part, value, bounds)
    elif origin is tuple and isinstance(value, (tuple, list)):
        parts = inner[:1] * len(value) if inner[1:] == (...,) else inner
        for part, item in zip(parts, value, strict=False):
            yield from _numbers(part, item, bounds)


def _check_number(kind: type, bounds: Bounds, number: Any, name: str) -> None:
    """Raise ValueError unless a value is a number of type ``kind`` within ``bounds``."""
    whole = kind is int
    accepted = numbers.Integral if whole else numbers.Real
    if isinstance(number, bool) or not isinstance(number, accepted):
        raise ValueError(f"{name} must be a {'whole ' * whole}number, not {number!r}")
    value = number if isinstance(number, int) else float(number)  # an int may be too large
    if not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number, not {value}")
    largest = LARGEST_INT if whole else LARGEST_FLOAT
    least = bounds.least if bounds.least is not None else -largest
    most = bounds.most if bounds.most is not None else largest
    if bounds.above is not None and not value > bounds.above:
        above = "positive" if bounds.above == 0 else f"above {bounds.above}"
        raise ValueError(f"{name} must be {above}, not {value}")
    if bounds.below is not None and not value < bounds.below:
        raise ValueError(f"{name} must be below {bounds.below}, not {value}")
    if not value >= least:
        raise ValueError(f"{name} must be at least {least}, not {value}")
    if not value <= most:
        raise ValueError(f"{name} must be at most {most}, not {value}")
