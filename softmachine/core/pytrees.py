"""The type of pytrees in annotations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    # jaxtyping's own type is unknown to type checkers, which strict ones report at every use.
    PyTree: TypeAlias = Any
else:
    from jaxtyping import PyTree as PyTree
