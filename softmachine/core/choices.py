"""Checking fields and options that admit only some values.

Bounds are declared where the type is, as in ``batch: Count``. A number without any has to be
finite, and small enough for counters of 32 bits and for products of a few in float32.
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
LARGEST_FLOAT = 1e9


class Bounds(NamedTuple):
    """What a number has to lie between; None: nothing beyond what holds for all numbers."""

    least: float | None = None
    most: float | None = None
    above: float | None = None
    """Like ``least``, but not this number itself."""
    below: float | None = None


Count = Annotated[int, Bounds(least=1)]
"""At least one."""
Few = Annotated[int, Bounds(least=1, most=1000)]
"""Of what a program spells out one by one."""
Natural = Annotated[int, Bounds(least=0)]
"""None, or some."""
Port = Annotated[int, Bounds(least=0, most=65_535)]
"""Of a server; 0 is any that is free."""
Positive = Annotated[float, Bounds(above=0)]
NonNegative = Annotated[float, Bounds(least=0)]
Share = Annotated[float, Bounds(least=0, most=1)]
"""Of a whole."""
Decay = Annotated[float, Bounds(least=0, below=1)]
"""The share of a running mean that is kept."""


def check_fields(config: object) -> None:
    """Raise ValueError if a field of a dataclass is not of its choices or in its bounds.

    Those are fields with a ``Literal`` type and fields that hold numbers, alone, in tuples or
    not at all.
    """
    kind = type(config)
    for name, hint in _hints(kind).items():
        check_value(hint, getattr(config, name, None), f"{kind.__name__}.{name}")


def check_value(hint: Any, value: Any, name: str) -> None:
    """Raise ValueError, with the name, if a value is not of the choices or in the bounds."""
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
    """Give each number that a value of a type holds, with its type and bounds."""
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
    """Raise ValueError if a value is no number of a type within bounds."""
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
