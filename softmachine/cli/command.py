"""Making functions commands: parsed and checked at first, called later."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable
from typing import Any

import tyro

from softmachine.core.choices import check_value
from softmachine.core.errors import SoftmachineError

app = tyro.extras.SubcommandApp()

COMMANDS: dict[str, Callable[..., Callable[[], None]]] = {}
"""What parses each command."""


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Make a function a command, to be called after parsing: it has its own way to fail."""

    @functools.wraps(function)
    def parsed(*args: Any, **kwargs: Any) -> Callable[[], None]:
        signature = inspect.signature(function)
        given = signature.bind(*args, **kwargs).arguments
        for name, hint in typing.get_type_hints(function, include_extras=True).items():
            if name in given:
                positional = (
                    signature.parameters[name].kind is inspect.Parameter.POSITIONAL_ONLY
                )
                told = name if positional else f"--{name.replace('_', '-')}"
                try:
                    check_value(hint, given[name], told)
                except ValueError as error:
                    raise SoftmachineError(str(error)) from None
        return functools.partial(function, *args, **kwargs)

    app.command(parsed)
    COMMANDS[function.__name__.replace("_", "-")] = parsed
    return function
