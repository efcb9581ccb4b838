"""Public names of a package that are imported on first use."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def lazy_names(
    package: str, homes: Mapping[str, str], parts: Sequence[str] = ()
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the functions that a package assigns to ``__getattr__`` and ``__dir__``.

    Importing the package is then instant, and completion still finds its names. Type checkers
    do not understand this: for them the package has the same names as imports under
    ``if TYPE_CHECKING``, which ``python tests/test_public_names.py`` writes.

    Arguments:
        package: the package's name.
        homes: for each public name the module that defines it; for a submodule, itself.
        parts: packages within it that have such names, too: the error for a name that is one of
            theirs says where it is.
    """

    def get(name: str) -> Any:
        if name not in homes:
            said = f"module {package!r} has no attribute {name!r}"
            raise AttributeError(said + _elsewhere(package, parts, name), name=name)
        module = importlib.import_module(homes[name])
        value = module if homes[name] == f"{package}.{name}" else getattr(module, name)
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *homes})

    return get, names


def _elsewhere(package: str, parts: Sequence[str], name: str) -> str:
    """Return, as the end of a sentence, what imports a name that a part of a package has."""
    if name.startswith("_"):  # what Python and other tools ask every module for
        return ""
    for part in parts:
        module = importlib.import_module(f"{package}.{part}")
        if name in vars(module)["_HOMES"]:
            return f": from {module.__name__} import {name}"
    return ""
