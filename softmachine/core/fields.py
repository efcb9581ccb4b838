"""What can be seen of a machine: declarations of the arrays that a trace holds."""

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
"""What the numbers of an array mean; docs/traces.md says what each kind is."""


@dataclasses.dataclass(frozen=True)
class Field:
    """The declaration of one array: what it is called, what its numbers and axes are.

    Axes of the same name, in whatever fields, are of one size and belong together.
    """

    name: str
    kind: Kind
    axes: tuple[str, ...] = ()
    """Names of the array's axes; the steps come before them and have none."""
    group: str = ""
    """Fields of one group are shown together."""
    description: str = ""
    labels: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)
    """For some of the axes, what each entry is called."""
    over: str | None = None
    """For pointers: the axis along which they count."""

    def __post_init__(self) -> None:
        """Check the kind, and that there are as many axes as it takes."""
        check_fields(self)
        if (self.over is None) != (self.kind != "pointer"):
            raise ValueError(
                f"field {self.name}: pointers, and nothing else, are over an axis; this is "
                f"{self.kind} over {self.over}"
            )
        least = {"matrix": 2, "vector": 1, "weighting": 1, "distribution": 1}
        if len(self.axes) < least.get(self.kind, 0):
            raise ValueError(
                f"field {self.name}: {self.kind} needs {least[self.kind]} axes or more, not "
                f"{len(self.axes)}"
            )


def default_field(name: str, array: Any) -> Field:
    """Return a declaration for an array that nobody declared, from its shape and type."""
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
    """Return the arrays of a pytree that hold numbers, by their paths."""
    return {
        jax.tree_util.keystr(path, simple=True, separator=".") or "state": leaf
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
        if not jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    }
