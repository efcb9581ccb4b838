"""Public names of a package that are imported on first use."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def lazy_names(
    package: str, homes: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the functions that a package assigns to ``__getattr__`` and ``__dir__``.

    Importing the package is then instant, and completion still finds its names. Type checkers
    do not understand this: for them the package has the same names as imports under
    ``if TYPE_CHECKING``, which ``python tests/test_public_names.py`` writes.

    Arguments:
        package: the package's name.
        homes: for each public name the module that defines it; for a submodule, itself.
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
