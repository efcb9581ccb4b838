"""Dataclasses from JSON, strictly: no unknown keys, no numbers or texts converted."""

from __future__ import annotations

import dataclasses
import reprlib
import typing
from collections.abc import Callable
from typing import Any

import cattrs
from cattrs.gen import make_dict_structure_fn

from softmachine.core.choices import check_value
from softmachine.core.errors import SoftmachineError


def strict_converter() -> cattrs.Converter:
    """Return a converter that refuses unknown keys, and 3.7, "3" or True for the integer 3."""
    converter = cattrs.Converter(forbid_extra_keys=True)
    for kind in (bool, int, float, str):
        converter.register_structure_hook(kind, _exact)
    converter.register_structure_hook_func(_is_literal, _one_of)
    converter.register_structure_hook_factory(dataclasses.is_dataclass, _object)
    read_tuple = converter.get_structure_hook(tuple[Any, ...])

    def read_list(value: Any, kind: Any) -> Any:
        """Return a tuple; without this an object or a text would be taken apart for one."""
        if not isinstance(value, (list, tuple)):
            raise ValueError(f"expected a list, not {reprlib.repr(value)}")
        return read_tuple(value, kind)

    converter.register_structure_hook_func(lambda x: typing.get_origin(x) is tuple, read_list)
    return converter


def explain(error: BaseException, expected: Any) -> str:
    """Return what is wrong with a value, for `cattrs.transform_error`.

    Arguments:
        error: what was raised when it was read.
        expected: the type it should have.
    """
    if isinstance(error, (ValueError, SoftmachineError)):
        return str(error)
    return cattrs.v.format_exception(error, expected)


def _is_literal(kind: Any) -> bool:
    return typing.get_origin(kind) is typing.Literal


def _one_of(value: Any, kind: Any) -> Any:
    """Return a value of a literal type; ValueError if it is none of its values."""
    check_value(kind, value, "this")
    return value


def _object(kind: Any, converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    """Return what reads a dataclass."""
    read = make_dict_structure_fn(kind, converter, _cattrs_forbid_extra_keys=True)

    def structure(value: Any, kind: Any) -> Any:
        if not isinstance(value, dict):
            raise ValueError(f"expected an object with fields, not {reprlib.repr(value)}")
        return read(value, kind)

    return structure


def _exact(value: Any, kind: type) -> Any:
    """Return a value of a primitive type; ValueError if it would have to be converted."""
    accepted = (int, float) if kind is float else kind
    if isinstance(value, bool) != (kind is bool) or not isinstance(value, accepted):
        raise ValueError(f"expected {kind.__name__}, not {reprlib.repr(value)}")
    return kind(value)
