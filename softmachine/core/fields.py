"""Declarations of the arrays in a trace: name, kind of numbers, axes, description."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array

from softmachine.core.choices import check_fields
from softmachine.core.pytrees import PyTree

Kind = Literal[
    "bits",
    "logits",
    "scalar",
    "probability",
    "vector",
    "matrix",
    "weighting",
    "distribution",
    "integer",
    "pointer",
]
"""What the numbers of an array mean; docs/traces.md defines each kind."""
STOPPING = "stopping and doubt"
"""The group of curves that tell whether a machine is about to stop, and how sure it is."""


@dataclasses.dataclass(frozen=True)
class Field:
    """The declaration of one array of a trace: its name, kind, axes and labels.

    Axes with the same name are the same axis, of the same size, in all fields of a trace.
    """

    name: str
    kind: Kind
    axes: tuple[str, ...] = ()
    """Names of the array's axes, without the leading axis of steps."""
    group: str = ""
    """The heading under which the viewer shows this field with others."""
    description: str = ""
    labels: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)
    """For an axis, the names of its entries; axes may be left out."""
    over: str | None = None
    """For kind ``pointer``: the axis that the numbers are indices into; else None."""
    aside: bool = False
    """Large and of little interest: the viewer shows it on demand alone."""
    does: tuple[Literal["read", "write"], ...] = ()
    """For kind ``weighting``: whether a head reads or writes where it attends, for each entry
    of the axes but the last; empty if that is not said."""
    formula: str = ""
    r"""How it is computed, as TeX, for the viewer to show beside a picture of it. In it
    ``\val{gates}`` stands for what the field ``gates`` holds at the step, of the same head."""

    def __post_init__(self) -> None:
        """Check the kind and the number of axes."""
        check_fields(self)
        if (self.over is None) != (self.kind != "pointer"):
            raise ValueError(
                f"field {self.name}: pointers, and no other kind, are over an axis; this is "
                f"{self.kind} over {self.over}"
            )
        if self.does and self.kind != "weighting":
            raise ValueError(
                f"field {self.name}: weightings, and no other kind, are of heads that read or "
                f"write; this is {self.kind}"
            )
        least = {"matrix": 2, "vector": 1, "weighting": 1, "distribution": 1}
        if len(self.axes) < least.get(self.kind, 0):
            raise ValueError(
                f"field {self.name}: {self.kind} needs {least[self.kind]} axes or more, not "
                f"{len(self.axes)}"
            )


def default_field(name: str, array: Any) -> Field:
    """Return a declaration for an undeclared array, guessed from its shape and type."""
    dimensions = len(array.shape)
    kind: Kind = "integer"
    if array.dtype == bool:
        kind = "bits"
    elif jnp.issubdtype(array.dtype, jnp.floating):
        kinds: tuple[Kind, ...] = ("scalar", "vector", "matrix")
        kind = kinds[min(dimensions, 2)]
    axes = [f"{name} axis {i + 1}" for i in range(dimensions)]
    return Field(name, kind, tuple(axes), "state")


def named_leaves(tree: PyTree) -> dict[str, Array]:
    """Return the arrays of a pytree by their paths, such as ``memory.rows``; no random keys."""
    return {
        jax.tree_util.keystr(path, simple=True, separator=".") or "state": leaf
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
        if not jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    }
