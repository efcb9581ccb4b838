"""What a core sees and decides, in numbers: the same for all environments that it works on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from softmachine.core.errors import SoftmachineError
from softmachine.core.specs.calls import Calls, Categories
from softmachine.tasks.traced.environment import Environment, FailureError
from softmachine.tasks.traced.tracing import Decision, Key, Observation


class Interface:
    """The specs of a core for several kinds of environments, and their numbers in them.

    What can be called is numbered kind after kind, and named ``kind/NAME`` if there are
    several; calling nothing is the same for all. Observations stand side by side: those of
    other kinds have no value. Argument places are shared.
    """

    def __init__(self, kinds: Mapping[str, type[Environment]]) -> None:
        """Number what all kinds of environments have."""
        self.kinds = dict(kinds)
        vocabularies = {name: kind.vocabulary for name, kind in self.kinds.items()}
        places = max(len(v.arguments) for v in vocabularies.values())
        values: list[dict[str, int]] = [{} for _ in range(places)]
        programs, takes, primitives = ["NOP"], [0], [False]
        self._programs: dict[str, list[int]] = {}
        self._arguments: dict[str, list[list[int]]] = {}
        for name, vocabulary in vocabularies.items():
            first = len(programs)
            own = vocabulary.programs[1:]
            self._programs[name] = [0, *range(first, first + len(own))]
            programs += [f"{name}/{x}" if len(self.kinds) > 1 else x for x in own]
            takes += vocabulary.takes[1:]
            primitives += vocabulary.primitives[1:]
            self._arguments[name] = [
                [place.setdefault(text, len(place)) for text in texts]
                for place, texts in zip(values, vocabulary.texts, strict=False)
            ]
        self.primitives = tuple(primitives)
        """For each program whether it is a primitive."""
        arguments = tuple(tuple(place) for place in values)
        self.calls = Calls(tuple(programs), arguments, tuple(takes))
        """What is decided in a step."""
        self.seen = self._categories(arguments, tuple(programs))
        """What is seen in a step: observations, arguments, the running program."""

    def _categories(
        self, arguments: tuple[tuple[str, ...], ...], programs: tuple[str, ...]
    ) -> Categories:
        names: list[str] = []
        values: list[tuple[str, ...]] = []
        self._offsets: dict[str, int] = {}
        for name, kind in self.kinds.items():
            self._offsets[name] = len(names)
            prefix = f"{name}/" if len(self.kinds) > 1 else ""
            names += [prefix + observed for observed in kind.observations]
            values += [tuple(map(_text, values)) for values in kind.observations.values()]
        self.observed = len(names)
        """How many variables are observed, of all kinds together."""
        names += [f"argument {i + 1}" for i in range(len(arguments))]
        return Categories((*names, "program"), (*values, *arguments, programs))

    def program(self, kind: str, name: str) -> int:
        """Return the number of a program of a kind of environments.

        Raises SoftmachineError if there is no such kind, or program.
        """
        if kind not in self.kinds:
            raise SoftmachineError(
                f"there is no kind {kind!r} of environments; there are {', '.join(self.kinds)}"
            )
        return self._programs[kind][self.kinds[kind].vocabulary.number(name)]

    def key(self, kind: str, key: Key) -> Key:
        """Return a program's number and its arguments', given those of its kind."""
        program, *arguments = key
        return (self._programs[kind][program], *self._places(kind, arguments))

    def decision(self, kind: str, decision: Decision) -> Decision:
        """Return a decision in the numbers of all kinds."""
        end, *key = decision
        return (end, *self.key(kind, tuple(key)))

    def observation(self, kind: str, observation: Observation) -> Observation:
        """Return an observation side by side with those of other kinds, which have no value."""
        before = self._offsets[kind]
        after = self.observed - before - len(observation)
        return (*[-1] * before, *observation, *[-1] * after)

    def _places(self, kind: str, arguments: Sequence[int]) -> list[int]:
        known = self._arguments[kind]
        places = [
            -1 if value < 0 else own[value] for value, own in zip(arguments, known, strict=True)
        ]
        return places + [-1] * (len(self.calls.arguments) - len(places))

    def rows(self, kind: str, key: Key, observations: Sequence[Observation]) -> np.ndarray:
        """Return what a core sees in each step of a call, as indices of `seen`."""
        program, *arguments = self.key(kind, key)
        return np.array(
            [(*self.observation(kind, seen), *arguments, program) for seen in observations],
            np.int32,
        )

    def adapted(self, kind: str, environment: Environment) -> Adapted:
        """Return an environment that takes and gives the numbers of all kinds."""
        return Adapted(self, kind, environment)

    def local(self, kind: str) -> tuple[dict[int, int], list[dict[int, int]]]:
        """Return the kind's own numbers of programs and of argument values, by those of all."""
        programs = {number: i for i, number in enumerate(self._programs[kind])}
        values = [{n: i for i, n in enumerate(place)} for place in self._arguments[kind]]
        return programs, values


class Adapted:
    """An environment of one kind, for a core that works on several."""

    def __init__(self, interface: Interface, kind: str, environment: Environment) -> None:
        self.environment = environment
        self._interface, self._kind = interface, kind
        self._programs, self._values = interface.local(kind)
        self._same = len(interface.kinds) == 1

    def seen(self) -> tuple[int, ...]:
        """Return what is observed, as indices of values."""
        seen = self.environment.seen()
        return seen if self._same else self._interface.observation(self._kind, seen)

    def perform(self, program: int, arguments: Sequence[int]) -> None:
        """Do what a primitive does; FailureError if that is not possible here."""
        if not self._same:
            name = self._interface.calls.programs[program]
            if program not in self._programs:
                raise FailureError(f"{name} belongs to another task")
            own = [
                values.get(value, -1)
                for values, value in zip(self._values, arguments, strict=False)
            ]
            taken = own[: self._interface.calls.takes[program]]
            if -1 in taken:
                raise FailureError(f"{name} is given an argument of another task")
            program, arguments = self._programs[program], own
        self.environment.perform(program, arguments)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "blank" if value is None else str(value)
