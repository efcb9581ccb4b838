"""What some machines and tasks can do: asked for by what they offer, never by class."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from jaxtyping import Array, Int

from softmachine.core.fields import Field


@runtime_checkable
class HardForm(Protocol):
    """A machine of memories that also works on integers, every choice its most likely one."""

    def run_hard(
        self,
        memories: Int[Array, "batch cells"],
        steps: Int[Array, " batch"],
        cells: Int[Array, " batch"] | None = None,
    ) -> Int[Array, "batch cells"]:
        """Return what each memory holds when the machine stops, or after its number of steps.

        ``cells``: how many cells each memory has, if not all.
        """
        ...


@runtime_checkable
class Adjustable(Protocol):
    """A machine that, once trained, can be tested otherwise: with harder attention, say."""

    @property
    def test_options(self) -> Any:
        """What can be changed, as it is now: a small frozen dataclass of the machine's own."""
        ...

    def with_test_options(self, options: Any) -> Any:
        """Return the same parameters under such options; ValueError if they cannot be."""
        ...


@runtime_checkable
class Headed(Protocol):
    """A machine with heads on the rows of a memory: there are moves to tell."""

    config: Any
    """Says how many ``read_heads``, ``write_heads`` and ``memory_rows`` there are."""

    def head_parameters(self, hidden: Any) -> Any:
        """Return what the controller tells the heads in one step."""
        ...


@runtime_checkable
class Wired(Adjustable, Protocol):
    """A machine whose steps are circuits of gates: there is a wiring to show."""

    config: Any
    """Says how many ``registers`` and which ``gates`` there are."""

    @property
    def rows(self) -> Any:
        """Which sources each choice has."""
        ...

    def trace_fields(self) -> tuple[Field, ...]:
        """Declare what can be seen of it."""
        ...

    def shown_choice_names(self) -> list[str]:
        """Return what the choices are for of which there is more than none to choose."""
        ...


@runtime_checkable
class KnownByExamples(Protocol):
    """A task of which nobody knows more than some examples: other inputs have no answer."""

    examples: str
    """As the person wrote them."""

    def part_examples(self, part: Any) -> Any:
        """Return those to train on, to validate with or to test with."""
        ...
