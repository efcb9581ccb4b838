"""Capabilities: protocols for what only some machines or tasks can do, instead of classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

from jaxtyping import Array, Float, Int

from softmachine.core.example import Example
from softmachine.core.fields import Field


@runtime_checkable
class HardForm(Protocol):
    """A memory machine with a hard form: integers for values, argmax for every softmax."""

    def run_hard(
        self,
        memories: Int[Array, "batch cells"],
        steps: Int[Array, " batch"],
        cells: Int[Array, " batch"] | None = None,
    ) -> Int[Array, "batch cells"]:
        """Return the memories after the machine has stopped, or after ``steps`` steps.

        Arguments:
            memories: initial memories, padded to the same number of cells.
            steps: the largest number of steps for each memory.
            cells: the number of cells of each memory without padding; by default all.
        """
        ...


@runtime_checkable
class Adjustable(Protocol):
    """A machine with options for tests of trained parameters, such as hard attention."""

    @property
    def test_options(self) -> Any:
        """The current options: a small frozen dataclass that the machine defines."""
        ...

    def with_test_options(self, options: Any) -> Any:
        """Return the same parameters with other options; ValueError if these do not fit."""
        ...


class Heads(NamedTuple):
    """The heads of a machine, and how they move. Read heads come first, then write heads."""

    read: int
    """How many heads read."""
    write: int
    """How many heads write."""
    furthest: int
    """How many rows a head can move without looking for content; further is a jump."""
    wrap: bool
    """Whether the last row is next to the first."""
    written_before: tuple[int, ...]
    """For each read head, how many write heads write in the same step before it reads."""


@runtime_checkable
class Headed(Protocol):
    """A machine with read and write heads on the rows of a memory, such as an NTM."""

    @property
    def head_layout(self) -> Heads:
        """The heads."""
        ...

    @property
    def memory_rows(self) -> int:
        """How many rows the memory has."""
        ...

    def init_state(self, inputs: Any, *, key: Any = None) -> Any:
        """Return the state before the first step, as a `Cell` does."""
        ...

    def encode(self, inputs: Any) -> Any:
        """Return what depends on the inputs alone, as a `Cell` does."""
        ...

    def advance(self, state: Any, encoded: Any) -> tuple[Any, Any]:
        """Take one step, as a `Cell` does."""
        ...

    def advance_on_rows(
        self, state: Any, encoded: Any, rows: Int[Array, " heads"]
    ) -> tuple[Any, Any]:
        """Take one step with each head on one row alone, instead of where it would go."""
        ...

    def decode(self, features: Any) -> Any:
        """Return the outputs, as a `Cell` does."""
        ...

    def observe_state(self, state: Any) -> dict[str, Array]:
        """Return ``memory``, (rows, columns), and ``weightings``, (heads, rows), of a state."""
        ...


@runtime_checkable
class Wired(Adjustable, Protocol):
    """A machine whose step is a circuit of gates with learned wires, such as an NRAM.

    One of its `test_options` is ``hard``, and its outputs have the logits ``stop``.
    """

    config: Any
    """The configuration, with the number of ``registers``."""

    @property
    def gates(self) -> Sequence[Any]:
        """The gates in their order, each with name, symbol, arity and use of the memory."""
        ...

    @property
    def rows(self) -> Any:
        """The choices of one step, each with the sources that it chooses from."""
        ...

    def trace_fields(self) -> tuple[Field, ...]:
        """Return the declarations of the arrays that a trace of this machine holds."""
        ...


@runtime_checkable
class Finite(Protocol):
    """A task of finitely many examples: those of its data.

    Its ``sample`` takes ``priorities`` beside its data: training may draw some more often.
    """

    def first_priorities(self) -> Float[Array, " examples"]:
        """Return how likely each example is to be drawn, but for a common factor."""
        ...

    def examples(self) -> Example:
        """Return all of them, in the order of the priorities, on a leading axis."""
        ...


@runtime_checkable
class OfFunctions(Protocol):
    """A task that asks for a function's values, and knows what is best to predict.

    Inputs are a place and the value at the place before; outputs are `Gaussians`.
    """

    dimensions: int
    """How many numbers a place has."""
    extent: float
    """Places lie between minus and plus this, each way."""
    length: float
    """How far apart places are whose values have little to do with each other."""

    def predict(
        self,
        seen: Float[Array, "n dimensions"],
        values: Float[Array, " n"],
        asked: Float[Array, "m dimensions"],
    ) -> tuple[Float[Array, " m"], Float[Array, " m"]]:
        """Return means and variances of values at other places, given those that were seen."""
        ...
