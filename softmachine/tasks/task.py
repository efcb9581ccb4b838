"""What every task is: a source of examples of a requested size, scored and rendered."""

from __future__ import annotations

import abc
from typing import Any, ClassVar, NamedTuple, Protocol

from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree


class Example(NamedTuple):
    """One example, padded to the largest size of its bucket."""

    inputs: PyTree
    targets: PyTree
    mask: PyTree
    """1 where the targets count, else 0; broadcasts against the targets."""
    steps: Int[Array, ""]
    """How many steps a machine takes on this example."""


class OutputKind(Protocol):
    """How outputs of one kind are scored; see `softmachine.tasks.outputs`."""

    error: ClassVar[str]
    """The metric that is zero when an example is answered without a mistake."""

    def loss(self, outputs: PyTree, example: Example) -> Float[Array, ""]:
        """Return what training minimises, for one example."""
        ...

    def metrics(self, outputs: PyTree, example: Example) -> dict[str, Float[Array, ""]]:
        """Return what people and stopping rules look at, for one example."""
        ...

    def decide(self, outputs: PyTree) -> PyTree:
        """Return outputs as hard decisions."""
        ...


class Task(abc.ABC):
    """A family of examples, one size parameter, one output kind.

    Subclasses are frozen dataclasses. A task knows no machine.
    """

    output: ClassVar[OutputKind]

    @property
    @abc.abstractmethod
    def input_size(self) -> int:
        """Width of one step's input."""

    @property
    @abc.abstractmethod
    def output_size(self) -> int:
        """Width of one step's output."""

    @abc.abstractmethod
    def steps(self, size: Any) -> Any:
        """Return how many machine steps an example of a size takes."""

    @abc.abstractmethod
    def items(self, size: int) -> int:
        """Return how many vectors an example of a size asks a machine to remember."""

    @abc.abstractmethod
    def sample(
        self, key: PRNGKeyArray, size: Int[Array, ""] | int, *, max_size: int
    ) -> Example:
        """Draw an example of a size, padded to ``max_size``; pure JAX, jittable."""

    @abc.abstractmethod
    def render(self, example: Example, outputs: PyTree = None) -> str:
        """Return an example, and a machine's outputs for it, as text for people."""
