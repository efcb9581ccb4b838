"""What some machines can do and others cannot: asked for by what they offer, never by class."""

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
