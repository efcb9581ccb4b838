"""What can be called in an environment, by name and by number."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from softmachine.core.errors import SoftmachineError

NOTHING = "NOP"
"""The name of what is called where nothing is."""


class Call(NamedTuple):
    """A program or a primitive to call, with its arguments."""

    program: str
    arguments: tuple[Any, ...] = ()

    def __str__(self) -> str:
        return " ".join([self.program, *filter(None, map(str, self.arguments))])


class FailureError(Exception):
    """A primitive that cannot be done, such as moving a pointer off the end.

    Raised by an environment; it ends the run of the core that asked for it.
    """


class Callee(NamedTuple):
    """What can be called."""

    name: str
    primitive: bool
    values: tuple[tuple[Any, ...], ...]
    """The values that each argument can have."""
    function: Callable[..., Any] | None
    """What a primitive does, or a program's steps; None for calling nothing."""


class Vocabulary:
    """What can be called in an environment, and the numbers by which a core knows it."""

    def __init__(self, callees: Sequence[Callee]) -> None:
        """Number what can be called; the first calls nothing."""
        self.callees = (Callee(NOTHING, False, (), None), *callees)
        self.programs = tuple(callee.name for callee in self.callees)
        """The name of each."""
        self.primitives = tuple(callee.primitive for callee in self.callees)
        """Whether it is a primitive."""
        self.takes = tuple(len(callee.values) for callee in self.callees)
        """How many arguments it takes."""
        places: list[dict[Any, int]] = [{} for _ in range(max(self.takes))]
        for callee in self.callees:
            for place, values in zip(places, callee.values, strict=False):
                for value in values:
                    place.setdefault(value, len(place))
        _check_texts(places)
        self._places = places
        self.arguments = tuple(tuple(place) for place in places)
        """The values of each argument place, of all callees together."""
        self._numbers = {name: i for i, name in enumerate(self.programs)}
        self._encoded: dict[Call, tuple[int, ...]] = {}
        self._allowed = [
            [frozenset(self._places[i][v] for v in values) for i, values in enumerate(c.values)]
            for c in self.callees
        ]

    @property
    def texts(self) -> tuple[tuple[str, ...], ...]:
        """The values of each argument place as texts; ``-`` for an empty one."""
        return tuple(tuple(str(value) or "-" for value in place) for place in self.arguments)

    def number(self, name: str) -> int:
        """Return the number of what is called by a name."""
        if name not in self._numbers:
            raise SoftmachineError(
                f"there is no program {name!r}; there are {', '.join(self.programs[1:])}"
            )
        return self._numbers[name]

    def encode(self, call: Call) -> tuple[int, ...]:
        """Return a call as numbers: the program's, and each argument's, -1 where it has none.

        Raises SoftmachineError if there is no such program, or if it does not take these.
        """
        try:
            return self._encoded[call]
        except KeyError:
            return self._encoded.setdefault(call, self._encode(call))
        except TypeError:  # an argument without a hash, such as a list: none of the values
            return self._encode(call)

    def _encode(self, call: Call) -> tuple[int, ...]:
        number = self.number(call.program)
        taken = self.callees[number].values
        if len(call.arguments) != len(taken):
            raise SoftmachineError(
                f"{call.program} takes {len(taken)} arguments, not {len(call.arguments)}"
            )
        for i, (value, values) in enumerate(zip(call.arguments, taken, strict=True)):
            if value not in values:
                raise SoftmachineError(
                    f"argument {i + 1} of {call.program} is one of "
                    f"{', '.join(map(str, values))}; not {value!r}"
                )
        places = [self._places[i][value] for i, value in enumerate(call.arguments)]
        return (number, *places, *[-1] * (len(self._places) - len(places)))

    def decode(self, program: int, arguments: Sequence[int]) -> Call:
        """Return the call that numbers stand for.

        Raises FailureError for an argument that the program does not take.
        """
        callee, allowed = self.callees[program], self._allowed[program]
        values = []
        for i, possible in enumerate(allowed):
            if arguments[i] not in possible:
                value = self.arguments[i][arguments[i]]
                raise FailureError(f"{callee.name} does not take {value} as argument {i + 1}")
            values.append(self.arguments[i][arguments[i]])
        return Call(callee.name, tuple(values))


def _check_texts(places: Sequence[Mapping[Any, int]]) -> None:
    """Raise TypeError for values of an argument that cannot be told apart when written."""
    for i, place in enumerate(places):
        known: dict[str, Any] = {}
        for value in place:
            other = known.setdefault(str(value) or "-", value)
            if other is not value:
                raise TypeError(
                    f"values of argument {i + 1} of all programs differ when they are written "
                    f"out; {other!r} and {value!r} do not"
                )
