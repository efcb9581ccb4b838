"""Checks that fields and options hold what their types allow, numbers within bounds.

Bounds are declared with the type, as in ``batch: Count``. A number without declared bounds must
be finite and within `LARGEST_INT` or `LARGEST_FLOAT`: small enough for 32-bit counters, and for
products of a few such numbers in float32.
"""

from __future__ import annotations

import math
import numbers
import reprlib
import types
import typing
from functools import lru_cache
from typing import Annotated, Any, NamedTuple

from softmachine.core.errors import with_article

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


NO_BOUNDS = Bounds()


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

    Types of which nothing is checked are those of other packages' making, such as arrays,
    mappings, protocols and functions.
    """
    kind = type(config)
    for name, hint in _hints(kind).items():
        check_value(hint, getattr(config, name, None), f"{kind.__name__}.{name}")


def check_value(hint: Any, value: Any, name: str, bounds: Bounds = NO_BOUNDS) -> None:
    """Raise ValueError, which says ``name``, if the type ``hint`` does not allow a value.

    ``bounds`` are those of a number, where the type itself declares none.
    """
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint in (int, float):
        _check_number(hint, bounds, value, name)
    elif origin is typing.Literal:
        if not any(value == x and type(value) is type(x) for x in inner):
            options = ", ".join(map(repr, inner))
            raise ValueError(f"{name} must be one of {options}; not {reprlib.repr(value)}")
    elif origin is Annotated:
        declared = [extra for extra in inner[1:] if isinstance(extra, Bounds)]
        check_value(inner[0], value, name, declared[0] if declared else bounds)
    elif origin in (typing.Union, types.UnionType):
        _check_alternatives(inner, value, name, bounds)
    elif origin is tuple:
        _check_parts(inner, value, name)
    elif _can_be_asked(hint) and not isinstance(value, hint):
        kinds = {bool: "True or False", str: "a text"}
        kind = kinds.get(hint) or with_article(hint.__name__)
        raise ValueError(f"{name} must be {kind}, not {reprlib.repr(value)}")


def _can_be_asked(hint: Any) -> bool:
    """Whether a type is a class of which it can be asked what belongs to it."""
    return isinstance(hint, type) and not getattr(hint, "_is_protocol", False)


def _check_alternatives(kinds: tuple[Any, ...], value: Any, name: str, bounds: Bounds) -> None:
    """Raise ValueError unless one of the kinds allows the value; the first says why not."""
    if value is None and type(None) in kinds:
        return
    errors = []
    for kind in kinds:
        if kind is not type(None):
            try:
                check_value(kind, value, name, bounds)
            except ValueError as error:
                errors.append(error)
            else:
                return
    raise errors[0]


def _check_parts(kinds: tuple[Any, ...], value: Any, name: str) -> None:
    """Raise ValueError unless a value is a tuple of parts of these kinds.

    A list would do as well, if configurations did not have to be hashable.
    """
    if not isinstance(value, tuple):
        raise ValueError(f"{name} must be a tuple, such as (1, 2), not {reprlib.repr(value)}")
    if kinds[1:] == (...,):
        kinds = kinds[:1] * len(value)
    if len(kinds) != len(value):
        raise ValueError(f"{name} must have {len(kinds)} parts, not {reprlib.repr(value)}")
    for kind, part in zip(kinds, value, strict=True):
        check_value(kind, part, name)


@lru_cache
def _hints(kind: type) -> dict[str, Any]:
    hints = typing.get_type_hints(kind, include_extras=True)
    return {
        name: hint
        for name, hint in hints.items()
        if typing.get_origin(hint) is not typing.ClassVar
    }


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
