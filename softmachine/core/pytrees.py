"""Annotations of pytrees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    # To type checkers jaxtyping's own is unknown, of which strict users hear with every use.
    PyTree: TypeAlias = Any
else:
    from jaxtyping import PyTree as PyTree
