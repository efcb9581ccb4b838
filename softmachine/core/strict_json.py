"""Dataclasses from JSON, strictly: no unknown keys, no numbers or texts converted."""

from __future__ import annotations

import reprlib
from typing import Any

import cattrs


def strict_converter() -> cattrs.Converter:
    """Return a converter that refuses unknown keys, and 3.7, "3" or True for the integer 3."""
    converter = cattrs.Converter(forbid_extra_keys=True)
    for kind in (bool, int, float, str):
        converter.register_structure_hook(kind, _exact)
    return converter


def explain(error: BaseException, expected: Any) -> str:
    """Return what is wrong with a value, for `cattrs.transform_error`.

    Arguments:
        error: what was raised when it was read.
        expected: the type it should have.
    """
    if isinstance(error, ValueError):
        return str(error)
    return cattrs.v.format_exception(error, expected)


def _exact(value: Any, kind: type) -> Any:
    """Return a value of a primitive type; ValueError if it would have to be converted."""
    accepted = (int, float) if kind is float else kind
    if isinstance(value, bool) != (kind is bool) or not isinstance(value, accepted):
        raise ValueError(f"expected {kind.__name__}, not {reprlib.repr(value)}")
    return kind(value)
