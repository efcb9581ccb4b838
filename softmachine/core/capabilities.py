"""Capabilities: protocols for what only some machines and tasks can do; no class is asked."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from jaxtyping import Array, Int

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


@runtime_checkable
class Headed(Protocol):
    """A machine with read and write heads on the rows of a memory, such as an NTM."""

    config: Any
    """The configuration: ``read_heads``, ``write_heads`` and ``memory_rows`` are numbers."""

    def head_parameters(self, hidden: Any) -> Any:
        """Return the parameters of all heads in one step, from the controller's output."""
        ...


@runtime_checkable
class Wired(Adjustable, Protocol):
    """A machine whose step is a circuit of gates with learned wires, such as an NRAM."""

    config: Any
    """The configuration, with the number of ``registers`` and the names of the ``gates``."""

    @property
    def rows(self) -> Any:
        """The choices of one step, each with the sources that it chooses from."""
        ...

    def trace_fields(self) -> tuple[Field, ...]:
        """Return the declarations of the arrays that a trace of this machine holds."""
        ...

    def shown_choice_names(self) -> list[str]:
        """Return the names of the choices that have at least one source, in order."""
        ...


@runtime_checkable
class KnownByExamples(Protocol):
    """A task defined by a file of examples alone: other inputs have no known answer."""

    examples: str
    """The text of the file."""

    def part_examples(self, part: Any) -> Any:
        """Return the examples of one part: training, validation or test."""
        ...
