"""Public names of a package that are imported when they are first asked for."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def lazy_names(
    package: str, homes: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return what a package calls ``__getattr__`` and ``__dir__``.

    Importing the package then costs nothing, and completion finds its names all the same. Type
    checkers read none of this: beside it the same names stand as imports under
    ``if TYPE_CHECKING``, which ``python tests/test_public_names.py`` writes.

    Arguments:
        package: the package's name.
        homes: for each public name the module that has it; a submodule is its own home.
    """

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name)
        module = importlib.import_module(homes[name])
        value = module if homes[name] == f"{package}.{name}" else getattr(module, name)
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *homes})

    return get, names
