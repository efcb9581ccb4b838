"""Options of a command that are a machine's own."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import typing
from collections.abc import Callable
from typing import Any

from tyro.conf import OmitArgPrefixes

from softmachine.core.choices import check_value
from softmachine.core.errors import SoftmachineError


def with_options(command: Callable[..., Any], name: str, options: Any) -> Callable[..., Any]:
    """Return a command for the parser that has a machine's options beside its own.

    Arguments:
        command: takes by keyword those of them that were changed, as a dictionary.
        name: the name of that argument.
        options: a dataclass that holds the values which nobody changed, or None.
    """
    if options is None:
        return command

    @functools.wraps(command)
    def parsed(*args: Any, **kwargs: Any) -> Any:
        return command(*args, **kwargs | {name: changed(options, kwargs[name])})

    signature = inspect.signature(command)
    own = signature.parameters[name].replace(default=options)
    parameters = [own if x.name == name else x for x in signature.parameters.values()]
    hints = typing.get_type_hints(command, include_extras=True)
    own_type = OmitArgPrefixes[type(options)]  # pyright: ignore[reportInvalidTypeArguments]
    parsed.__dict__["__signature__"] = signature.replace(parameters=parameters)
    parsed.__annotations__ = hints | {name: own_type}
    del parsed.__dict__["__wrapped__"]  # where the parser would look for annotations
    return parsed


def changed(before: Any, after: Any) -> dict[str, Any]:
    """Return the fields of a dataclass that differ; SoftmachineError for a bad value."""
    hints = typing.get_type_hints(type(before), include_extras=True)
    found = {}
    for field in dataclasses.fields(before):
        value = getattr(after, field.name)
        try:
            check_value(hints[field.name], value, _flag(field.name))
        except ValueError as error:
            raise SoftmachineError(str(error)) from None
        if value != getattr(before, field.name):
            found[field.name] = value
    return found


def flags(options: Any) -> str:
    """Return the machine's test options as command-line flags; empty if it has none."""
    names = [] if options is None else [field.name for field in dataclasses.fields(options)]
    return ", ".join(map(_flag, names))


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
